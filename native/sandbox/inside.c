/* Number 1 in there, and the program. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static const char host_name[] = "fleetcc";

/* The outer process may have been killed before the kernel knew that we want to go with it. */
static void die_with(int parent)
{
    struct pollfd outer = {.fd = parent, .events = POLLIN};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || poll(&outer, 1, 0) < 0)
        give_up(STAGE_PROCESS);
    if (outer.revents)
        _exit(EXIT_NOT_DONE);
    close(parent);
}

/* Instead of a program: is the new root one that can be written to? */
static _Noreturn void write_proof(void)
{
    int descriptor = open("proof", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || write(descriptor, "1", 1) != 1)
        give_up(STAGE_ROOT);
    _exit(0);
}

/* In the memory of number 1, which waits until we have become another program. */
static _Noreturn void become_program(const struct spec *spec)
{
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    setpgid(0, 0); /* not a session: the scheduler would make a group for it, 3 ms on a busy machine */
    set_limits(&spec->limits);
    drop_privileges();
    if (chdir(spec->cwd))
        give_up(STAGE_CWD);
    umask(spec->umask);
    /* Whatever was inherited ends here: the slot, the namespaces, the status. */
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */))
        for (int descriptor = 3; descriptor < 4096; descriptor++)
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    refuse_calls();
    report_start();
    if (!*spec->program)
        write_proof();
    execve(spec->program, spec->argv, spec->environment);
    give_up(STAGE_EXEC);
}

/* RLIMIT_NPROC does not hold whoever is root outside. The highest number of a process does, since Linux 6.14;
 * before that it was one for the whole machine, which must not be touched. */
static void limit_numbers(void)
{
    struct utsname system;
    int major = 0, minor = 0;
    if (uname(&system) == 0 && sscanf(system.release, "%d.%d", &major, &minor) == 2 &&
        (major > 6 || (major == 6 && minor >= 14)))
        write_file("/proc/sys/kernel/pid_max", "1024");
}

/* What all processes in there have written is added up here as they are reaped. Where the kernel does not count,
 * nothing was written. To be opened before this process is undumpable. */
static uint64_t read_written(int accounts)
{
    char text[512];
    ssize_t length = pread(accounts, text, sizeof text - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    const char *found = strstr(text, "wchar:");
    return found ? strtoull(found + strlen("wchar:"), NULL, 10) : 0;
}

_Noreturn void run_inside(const struct spec *spec, struct shared *shared, const struct outside *outside)
{
    die_with(outside->process);
    keep_identity(outside->user, outside->group);
    write_file("/proc/self/oom_score_adj", "1000"); /* before anything else of the machine */
    if (outside->root && spec->limits.processes)
        limit_numbers();
    int upper = change_root(spec);
    if (sethostname(host_name, sizeof host_name - 1))
        give_up(STAGE_ROOT);
    int accounts = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    prctl(PR_SET_DUMPABLE, 0); /* the program has the same user and must not look into us */
    report_scratch(upper);
    pid_t program = vfork(); /* with pages to copy it takes 0.1 ms longer */
    if (program < 0)
        give_up(STAGE_PROCESS);
    if (program == 0)
        become_program(spec);
    int status;
    for (pid_t ended; (ended = waitpid(-1, &status, 0)) != program;)
        if (ended < 0 && errno != EINTR)
            give_up(STAGE_PROCESS);
    shared->status = status;
    shared->full = is_full(upper);
    shared->written = read_written(accounts);
    shared->ended = true;
    _exit(0);
}
