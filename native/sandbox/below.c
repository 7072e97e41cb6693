/* What stands in the scratch before the program begins: directories as in the tree, and stand-ins.
 *
 * A compiler that fails removes the output of an earlier run in some cases and leaves it in others. The
 * server has no old outputs, so a stand-in is put where each would be: whoever looks afterwards sees whether it
 * is still there. It has one byte, because assemblers write into an empty file and replace any other, and a time
 * of modification that no file gets by being written.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* fleetcc.sandbox.scratch knows it by this. */
static const struct timespec untouched[2] = {{.tv_nsec = 1}, {.tv_nsec = 1}};

static bool is_dots(const char *name, size_t length)
{
    return (length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.');
}

/* The tree may have no link at this path, and neither may the scratch: both are looked up from out here. */
static bool make_directory(int tree, const char *way, bool missing)
{
    struct stat facts = {.st_mode = S_IFDIR | 0755};
    if (fstatat(tree, way + sizeof "upper", &facts, AT_SYMLINK_NOFOLLOW) && !missing)
        return false;
    if (!S_ISDIR(facts.st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    if (mkdir(way, facts.st_mode & 07777) == 0)
        return true;
    return errno == EEXIST && lstat(way, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* The directories of the first `length` bytes of an absolute path, as they are in the tree, and with `missing`
 * also those that it lacks. False when not all of them could be made. */
bool make_way(int tree, const char *path, size_t length, bool missing)
{
    char way[sizeof "upper" + PATH_MAX] = "upper";
    size_t used = sizeof "upper" - 1;
    const char *end = path + length;
    for (const char *name = path + strspn(path, "/"); name < end; name += strspn(name, "/")) {
        size_t size = strcspn(name, "/");
        errno = EINVAL;
        if (is_dots(name, size) || used + 1 + size >= sizeof way)
            return false;
        way[used++] = '/';
        memcpy(way + used, name, size);
        way[used += size] = '\0';
        name += size;
        if (!make_directory(tree, way, missing))
            return false;
    }
    return true;
}

static bool make_stand_in(int tree, const char *path, mode_t umask)
{
    char place[sizeof "upper" + PATH_MAX];
    struct stat facts;
    errno = EINVAL;
    if (*path != '/' || snprintf(place, sizeof place, "upper%s", path) >= (int)sizeof place ||
        !make_way(tree, path, (size_t)(strrchr(path, '/') - path), true))
        return false;
    if (fstatat(tree, path + 1, &facts, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return S_ISREG(facts.st_mode); /* a removal of that is seen too */
    }
    int file = open(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (0666 & ~umask) | 0600);
    if (file < 0)
        return false;
    bool made = write(file, "\n", 1) == 1 && futimens(file, untouched) == 0;
    return close(file) == 0 && made;
}

void make_existing(int tree, const struct spec *spec)
{
    for (char *const *path = spec->existing; *path; path++)
        if (!make_stand_in(tree, *path, spec->umask))
            give_up(STAGE_EXISTING);
}
