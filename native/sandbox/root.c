/* The root: an overlay of the tree, which is only read, and a scratch in memory, which takes what is written.
 *
 * The scratch is a tmpfs of this job alone. Its size is a limit that holds, it is four times as quick as a
 * directory on a disk, and whatever happens nothing stays behind: it goes with the last descriptor of it,
 * which the server gets for what the program has left.
 *
 * Paths go to the kernel as descriptors or relative to the current directory: the options of an overlay give
 * `:`, `,` and `\` a meaning, and their text has room for one page.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The tree's own path is where the scratch is mounted: a directory that is there for certain, and is not
 * needed by its name any more. */
static void mount_scratch(const struct spec *spec)
{
    char options[96];
    snprintf(options, sizeof options, "mode=755,size=%llu,nr_inodes=%llu",
             (unsigned long long)spec->limits.scratch_bytes, (unsigned long long)spec->limits.scratch_files);
    if (mount("scratch", spec->tree, "tmpfs", MS_NOSUID | MS_NODEV, options) || chdir(spec->tree))
        give_up(STAGE_SCRATCH);
}

/* `/tmp` of the tree may be a link elsewhere, and then stays one. */
static bool has_link(int tree, const char *name)
{
    struct stat facts;
    return fstatat(tree, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode);
}

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
static const char *const device_links[][2] = {{"/proc/self/fd", "upper/dev/fd"},
                                              {"/proc/self/fd/0", "upper/dev/stdin"},
                                              {"/proc/self/fd/1", "upper/dev/stdout"},
                                              {"/proc/self/fd/2", "upper/dev/stderr"},
                                              {"/tmp", "upper/dev/shm"}};

static void make_devices(void)
{
    char path[32];
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(path, sizeof path, "upper/dev/%s", devices[i]);
        if (mknod(path, S_IFREG | 0600, 0))
            give_up(STAGE_DEVICES);
    }
    for (size_t i = 0; i < sizeof device_links / sizeof *device_links; i++)
        if (symlink(device_links[i][0], device_links[i][1]))
            give_up(STAGE_DEVICES);
}

/* What is written, the kernel's own, and where all of it becomes one. */
static void make_layers(int tree)
{
    if (mkdir("upper", 0755) || mkdir("work", 0700) || mkdir("root", 0755) || mkdir("upper/proc", 0555) ||
        mkdir("upper/dev", 0755) || (!has_link(tree, "tmp") && mkdir("upper/tmp", 01777)))
        give_up(STAGE_SCRATCH);
    make_devices();
}

/* An overlay with these options. Whether it is ours to say that its marks are in `user.` is asked of the kernel. */
bool mount_layers(const char *target, const char *options)
{
    static const char *const flavours[] = {",userxattr", ""};
    char all[192];
    for (size_t i = 0; i < sizeof flavours / sizeof *flavours; i++) {
        snprintf(all, sizeof all, "%s%s", options, flavours[i]);
        if (mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, all) == 0)
            return true;
        if (errno != EINVAL)
            break;
    }
    return false;
}

static void mount_overlay(int tree)
{
    char options[96];
    snprintf(options, sizeof options, "lowerdir=/proc/self/fd/%d,upperdir=upper,workdir=work", tree);
    if (!mount_layers("root", options))
        give_up(STAGE_OVERLAY);
}

/* Only what is about processes, and not to be written: who is root outside may write what root may, however
 * few capabilities are left. */
static void mount_proc(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    if (mount("proc", "proc", "proc", flags, "subset=pid") && mount("proc", "proc", "proc", flags, NULL))
        give_up(STAGE_PROC);
}

static void mount_devices(void)
{
    char source[32];
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(source, sizeof source, "/dev/%s", devices[i]);
        if (mount(source, source + 1, NULL, MS_BIND, NULL))
            give_up(STAGE_DEVICES);
    }
}

/* The new root on top of the old one, and then the old one away from below it. */
static void enter_root(void)
{
    if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        give_up(STAGE_ROOT);
}

/* Returns a descriptor of what the program will have written. */
int change_root(const struct spec *spec)
{
    umask(0);
    int tree = open(spec->tree, O_PATH | O_DIRECTORY | O_CLOEXEC); /* before it is hidden */
    if (tree < 0)
        give_up(STAGE_TREE);
    if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL))
        give_up(STAGE_ROOT);
    mount_scratch(spec);
    make_layers(tree);
    make_way(tree, spec->cwd, strlen(spec->cwd), false); /* the overlay takes longer, when something is written */
    make_existing(tree, spec);
    struct place *places = make_places(tree, spec->own);
    mount_overlay(tree);
    mount_places(places, tree);
    close(tree);
    int upper = open("upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper < 0 || chdir("root"))
        give_up(STAGE_ROOT);
    mount_proc();
    mount_devices();
    enter_root();
    return upper;
}

bool is_full(int upper)
{
    struct statfs facts;
    return fstatfs(upper, &facts) == 0 && ((facts.f_blocks && !facts.f_bavail) || (facts.f_files && !facts.f_ffree));
}
