/* The sandbox helper: one program, in a root of its own, and nothing left of it afterwards.
 *
 *     fleetcc-sandbox run SPEC STATUS [USER NET]     descriptors, all of them inherited
 *     fleetcc-sandbox hold                           makes namespaces for USER and NET; lives until stdin ends
 *
 * Three processes take part. The outer one is the server's child: it reads the spec, makes the namespaces,
 * waits, and ends as the program ended. The first one inside (number 1 there) builds the root, starts the
 * program, reaps whatever is given to it, and ends when the program has ended; with number 1 the kernel ends
 * everything in there, and only then does the outer one hear of it. The program is number 2.
 *
 * Whoever is killed takes the rest along: the inner ones die with the outer one, and the outer one ends the
 * inner ones when it is told to (SIGTERM) or when nobody reads its status descriptor any more.
 *
 * Nothing here asks whether it is root: there is always a user namespace, in which one user and one group
 * exist. Capabilities inside are needed to build the root and are gone before the program runs.
 *
 * The server's user must not be fooled by the program, so the program's words and paths are never in this
 * process's own argv or environment, and no path is looked up inside the new root from out here.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int stop_signals[] = {SIGTERM, SIGINT, SIGHUP};
static volatile pid_t inner;

static void on_stop(int number)
{
    (void)number;
    kill(inner, SIGKILL);
}

/* Signals wait while `inner` is not known. */
static void hold_signals(bool held)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++)
        sigaddset(&set, stop_signals[i]);
    sigprocmask(held ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void listen_to_signals(void)
{
    const struct sigaction stop = {.sa_handler = on_stop}, standard = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++)
        sigaction(stop_signals[i], &stop, NULL);
    sigaction(SIGCHLD, &standard, NULL); /* ignored, it would leave us without a status */
}

/* Until the inner process has ended, and with it everything in its namespaces. */
static void watch(int pidfd)
{
    struct pollfd watched[] = {{.fd = pidfd, .events = POLLIN}, {.fd = report_descriptor()}};
    while (poll(watched, 2, -1) < 0 || !watched[0].revents) {
        if (watched[1].revents) { /* the reader is gone: nobody wants to know */
            kill(inner, SIGKILL);
            watched[1].fd = -1;
        }
    }
}

static struct ending describe(const struct shared *shared)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (struct ending){
        .status = shared->status,
        .cpu_microseconds = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                            (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec),
        .peak_kilobytes = (uint64_t)used.ru_maxrss,
        .written_bytes = shared->written,
        .full = shared->full,
    };
}

/* So that whoever reaps us sees what he would have seen of the program. */
static _Noreturn void end_as(int status)
{
    if (WIFSIGNALED(status)) {
        const struct rlimit nothing = {0, 0};
        sigset_t all;
        sigfillset(&all);
        setrlimit(RLIMIT_CORE, &nothing);
        signal(WTERMSIG(status), SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        kill(getpid(), WTERMSIG(status));
        _exit(EXIT_NOT_DONE);
    }
    _exit(WEXITSTATUS(status));
}

static _Noreturn void run(int spec_descriptor, const struct network *network)
{
    struct spec spec;
    read_spec(spec_descriptor, &spec);
    listen_to_signals();
    hold_signals(true);
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct outside outside = {.process = (int)syscall(SYS_pidfd_open, getpid(), 0), .root = geteuid() == 0};
    int pidfd = -1;
    if (shared == MAP_FAILED || outside.process < 0)
        give_up(STAGE_PROCESS);
    if (outside.root)
        setgroups(0, NULL); /* allowed or not: they are of no use in there */
    bool own_network = !join_network(network);
    outside.user = geteuid();
    outside.group = getegid();
    pid_t child = clone_into_namespaces(own_network, &pidfd);
    if (child < 0)
        give_up(STAGE_NAMESPACES);
    if (child == 0)
        run_inside(&spec, shared, &outside);
    inner = child;
    hold_signals(false);
    watch(pidfd);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (!shared->ended) /* it was killed, or has told why */
        _exit(EXIT_NOT_DONE);
    struct ending ending = describe(shared);
    report_end(&ending);
    end_as(ending.status);
}

static bool read_descriptor(const char *text, int *descriptor)
{
    char *end;
    long number = strtol(text, &end, 10);
    *descriptor = (int)number;
    return *text && !*end && number > 2 && number < 1 << 20 && fcntl(*descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

int main(int argc, char **argv)
{
    struct network network = {-1, -1};
    int spec, status;
    if (argc == 2 && strcmp(argv[1], "hold") == 0)
        hold_network();
    if ((argc != 4 && argc != 6) || strcmp(argv[1], "run") != 0)
        return EXIT_USAGE;
    if (!read_descriptor(argv[2], &spec) || !read_descriptor(argv[3], &status))
        return EXIT_USAGE;
    if (argc == 6 && !(read_descriptor(argv[4], &network.user) && read_descriptor(argv[5], &network.net)))
        return EXIT_USAGE;
    report_to(status);
    run(spec, &network);
}
