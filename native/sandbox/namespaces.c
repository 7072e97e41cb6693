/* The namespaces: users, mounts, processes, System V and POSIX queues, the machine's name, networks.
 *
 * To make a network namespace takes 1.2 ms and more to take it down, so all jobs of a server share an empty
 * one; they cannot meet in it, because filter.c refuses every socket. It belongs to a user namespace of its
 * own, in which each job's is nested: only there may an ordinary user join it.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A compiler must never think that it is root. */
enum { NOBODY = 65534 };

bool write_file(const char *path, const char *text)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool written = write(descriptor, text, strlen(text)) == (ssize_t)strlen(text);
    int reason = errno;
    close(descriptor);
    errno = reason;
    return written;
}

static bool write_map(const char *path, unsigned outside)
{
    char text[32];
    snprintf(text, sizeof text, "%u %u 1", outside ? outside : NOBODY, outside);
    return write_file(path, text);
}

/* This process's user and group, as they were outside, become the only ones. */
void keep_identity(uid_t user, gid_t group)
{
    const char *groups = "/proc/self/gid_map";
    bool mapped = write_map("/proc/self/uid_map", user) &&
                  (write_map(groups, group) || /* without privileges outside, or in a namespace like that: */
                   (write_file("/proc/self/setgroups", "deny") && write_map(groups, group)));
    if (!mapped)
        give_up(STAGE_IDENTITY);
}

/* The descriptors that the reader opens keep the namespaces alive, so this process may go when it has them. */
_Noreturn void hold_network(void)
{
    char ignored;
    uid_t user = geteuid();
    gid_t group = getegid();
    report_to(STDOUT_FILENO);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
        give_up(STAGE_NAMESPACES);
    keep_identity(user, group);
    report_start();
    while (read(STDIN_FILENO, &ignored, 1) > 0)
        continue;
    _exit(0);
}

/* False when there is none to join. */
bool join_network(const struct network *network)
{
    if (network->user < 0)
        return false;
    if (setns(network->user, CLONE_NEWUSER) || setns(network->net, CLONE_NEWNET))
        give_up(STAGE_NETWORK);
    return true;
}

pid_t clone_into_namespaces(bool with_network, int *pidfd)
{
    struct clone_args how = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
                 CLONE_NEWUTS | (with_network ? (uint64_t)CLONE_NEWNET : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    return (pid_t)syscall(SYS_clone3, &how, sizeof how);
}
