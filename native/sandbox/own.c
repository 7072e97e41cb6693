/* Parts of this machine's own root, read-only at the same paths, for compilers that are this machine's.
 *
 * Where the tree has nothing, it is the very directory, file or link. Where both have a directory, they are
 * laid over each other: a client's file counts more than one of this machine, and what is written goes to the
 * scratch. Where the tree has anything else, or a link is on the way there, the tree's is what the program sees.
 *
 * Mount points are made before the overlay is: no link of the tree is then on any way that is looked up here.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

/* <linux/mount.h> and <sys/mount.h> cannot always be had together. */
enum { RECURSIVE = 0x8000, READ_ONLY = 1, NO_SET_UID = 2, NO_DEVICES = 4 };
struct attributes {
    uint64_t set, clear, propagation, user_namespace;
};

struct place {
    const char *path; /* NULL: there are no more */
    enum { NOTHING, BOUND, MERGED } kind;
};

static bool make_link(const char *from, const char *to)
{
    char target[PATH_MAX];
    ssize_t length = readlink(from, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return symlink(target, to) == 0;
}

/* What is there already is no fault: two of these paths may be one below the other. */
static bool make_place(int tree, struct place *place)
{
    char target[sizeof "upper" + PATH_MAX];
    struct stat here, there;
    const char *path = place->path;
    if (*path != '/' || snprintf(target, sizeof target, "upper%s", path) >= (int)sizeof target) {
        errno = EINVAL;
        return false;
    }
    if (lstat(path, &here) || !make_way(tree, path, (size_t)(strrchr(path, '/') - path), true))
        return true; /* it is not here, or the tree has another opinion of the way to it */
    if (fstatat(tree, path + 1, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(there.st_mode) && stat(path, &here) == 0 && S_ISDIR(here.st_mode))
            place->kind = MERGED;
        return true;
    }
    if (S_ISLNK(here.st_mode))
        return make_link(path, target) || errno == EEXIST;
    place->kind = BOUND;
    if (S_ISDIR(here.st_mode))
        return mkdir(target, 0755) == 0 || errno == EEXIST;
    return mknod(target, S_IFREG | 0600, 0) == 0 || errno == EEXIST;
}

struct place *make_places(int tree, char *const *own)
{
    size_t count = 0;
    while (own[count])
        count++;
    struct place *places = calloc(count + 1, sizeof *places);
    if (!places)
        give_up(STAGE_OWN);
    for (size_t i = 0; i < count; i++) {
        places[i].path = own[i];
        if (!make_place(tree, &places[i]))
            give_up(STAGE_OWN);
    }
    return places;
}

/* With everything that is mounted below: mounts that we were born with cannot be taken apart. */
static bool bind_read_only(const char *path, const char *target)
{
    struct attributes attributes = {.set = READ_ONLY | NO_SET_UID | NO_DEVICES};
    return mount(path, target, NULL, MS_BIND | MS_REC, NULL) == 0 &&
           syscall(SYS_mount_setattr, AT_FDCWD, target, RECURSIVE, &attributes, sizeof attributes) == 0;
}

static bool merge(int tree, const char *path, const char *target, size_t number)
{
    char top[32], upper[40], work[40], options[160];
    snprintf(top, sizeof top, "own%zu", number);
    snprintf(upper, sizeof upper, "%s/upper", top);
    snprintf(work, sizeof work, "%s/work", top);
    if (mkdir(top, 0755) || mkdir(upper, 0755) || mkdir(work, 0700))
        return false;
    int over = openat(tree, path + 1, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int under = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(options, sizeof options, "lowerdir=/proc/self/fd/%d:/proc/self/fd/%d,upperdir=%s,workdir=%s", over,
             under, upper, work);
    bool merged = over >= 0 && under >= 0 && mount_layers(target, options);
    int reason = errno;
    close(over);
    close(under);
    errno = reason;
    return merged;
}

void mount_places(struct place *places, int tree)
{
    char target[sizeof "root" + PATH_MAX];
    for (struct place *place = places; place->path; place++) {
        snprintf(target, sizeof target, "root%s", place->path);
        if (place->kind == BOUND ? !bind_read_only(place->path, target)
                                 : place->kind == MERGED &&
                                       !merge(tree, place->path, target, (size_t)(place - places)))
            give_up(STAGE_OWN);
    }
    free(places);
}
