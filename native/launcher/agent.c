/* A connection with the agent: its folder, its socket, and its start by the first launcher. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_FAILED_SECONDS = 30 }; /* how long a failed start is not tried again */

/* Without getpwuid(), which a static program cannot have; HOME is unset only in services and containers. */
static char *home_folder(void)
{
    const char *home = variable("HOME");
    FILE *users = home ? NULL : fopen("/etc/passwd", "re");
    struct passwd *user = NULL;
    while (users && (user = fgetpwent(users)) && user->pw_uid != geteuid())
        continue;
    char *found = format_text("%s", home ? home : user ? user->pw_dir : "/");
    if (users)
        fclose(users);
    return found;
}

static const char *absolute_variable(const char *name)
{
    const char *value = variable(name);
    return value && *value == '/' ? value : NULL;
}

/* fleetcc.settings.places has the same rule; both must change together. */
static char *agent_folder(void)
{
    const char *folder;
    char host[256] = "";
    if ((folder = variable("FLEETCC_DIR")))
        return format_text("%s", folder);
    if ((folder = absolute_variable("XDG_RUNTIME_DIR")))
        return format_text("%s/fleetcc", folder);
    gethostname(host, sizeof host - 1); /* a home directory is shared between machines */
    if ((folder = absolute_variable("XDG_STATE_HOME")))
        return format_text("%s/fleetcc/run-%s", folder, host);
    char *home = home_folder(), *path = format_text("%s/.local/state/fleetcc/run-%s", home, host);
    free(home);
    return path;
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
}

/* A descriptor of the folder, or -1 when it is not a folder that only we can enter. */
static int open_agent_folder(char *path)
{
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat folder;
    int descriptor = open(path, flags);
    if (descriptor < 0 && errno == ENOENT) {
        make_folders(path);
        descriptor = open(path, flags);
    }
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, &folder) == 0 && folder.st_uid == geteuid() && (folder.st_mode & 077) == 0)
        return descriptor;
    close(descriptor);
    errno = EPERM;
    return -1;
}

/* Through /proc, because a socket's name has room for 107 bytes and a folder's path has more. */
static int connect_to_agent(int folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = AGENT_TIMEOUT_MS / 1000,
                                     .tv_usec = AGENT_TIMEOUT_MS % 1000 * 1000};
    struct ucred peer;
    socklen_t size = sizeof peer;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/socket", folder);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
        if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
            (peer.uid == geteuid() || peer.uid == 0))
            return descriptor;
        errno = EPERM;
    }
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

/* A parent that ignores SIGCHLD has made us ignore it too, and then waitpid() knows no status. */
int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

static void close_from(unsigned first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0U, 0U) == 0)
        return;
#endif
    for (int descriptor = (int)first; descriptor < 4096; descriptor++)
        close(descriptor);
}

/* The agent outlives the build: it must hold no terminal, no pipe of make's or ninja's, and no folder. */
static _Noreturn void become_agent(const char *folder, int ready)
{
    static char agent[] = "agent", run[] = "run", option[] = "--ready-fd", number[] = "3", where[] = "--folder";
    char *argv[] = {agent, agent, run, option, number, where, format_text("%s", folder), NULL};
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    int null = open("/dev/null", O_RDWR);
    for (int descriptor = 0; descriptor < 3; descriptor++)
        dup2(null, descriptor);
    if (ready == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(ready, 3);
    close_from(4);
    if (chdir("/") == 0)
        exec_cli(argv);
    _exit(EXIT_NO_FILE);
}

/* Starts an agent and waits until it listens. */
static bool start_agent(const char *folder)
{
    int ready[2];
    char byte;
    if (pipe2(ready, O_CLOEXEC))
        return false;
    struct sigaction before, standard = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &standard, &before);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t grandchild = fork(); /* not a session leader, so it never gets a terminal, and not our child */
        if (grandchild == 0)
            become_agent(folder, ready[1]);
        _exit(grandchild < 0);
    }
    close(ready[1]);
    if (child > 0)
        wait_for(child);
    sigaction(SIGCHLD, &before, NULL);
    struct pollfd listening = {.fd = ready[0], .events = POLLIN};
    bool started = child > 0 && poll(&listening, 1, AGENT_TIMEOUT_MS) == 1 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return started;
}

static bool start_failed_lately(int folder)
{
    struct stat mark;
    return fstatat(folder, "start-failed", &mark, 0) == 0 &&
           llabs((long long)(time(NULL) - mark.st_mtime)) < START_FAILED_SECONDS;
}

static void mark_failed_start(int folder)
{
    int mark = openat(folder, "start-failed", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (mark < 0)
        return;
    futimens(mark, NULL);
    close(mark);
}

/* Waits for the lock, or for the agent that its holder starts. Returns a connection, or -1. */
static int wait_for_agent(int folder, int lock, bool *locked)
{
    for (int waited = 0; waited < AGENT_TIMEOUT_MS; waited += NAP_MS) {
        *locked = flock(lock, LOCK_EX | LOCK_NB) == 0;
        int descriptor = connect_to_agent(folder);
        if (descriptor >= 0 || *locked)
            return descriptor;
        nap();
    }
    return -1;
}

/* One of many launchers starts the agent. The lock goes away with its descriptor, which nobody inherits. */
static int start_under_lock(int folder, const char *path, const char **why)
{
    bool locked = false;
    *why = "the agent does not start";
    if (start_failed_lately(folder) || access("/proc/self/fd", X_OK))
        return -1;
    int lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return -1;
    int descriptor = wait_for_agent(folder, lock, &locked);
    if (descriptor < 0 && locked && !start_failed_lately(folder)) {
        if (start_agent(path))
            descriptor = connect_to_agent(folder);
        if (descriptor < 0)
            mark_failed_start(folder);
    }
    close(lock);
    return descriptor;
}

int reach_agent(const char **why)
{
    char *path = agent_folder();
    int descriptor = -1, folder = *path == '/' ? open_agent_folder(path) : -1;
    *why = *path == '/' ? "the agent's folder is not private to this user" : "FLEETCC_DIR is not absolute";
    if (folder >= 0) {
        *why = "the agent's socket refuses us";
        descriptor = connect_to_agent(folder);
        if (descriptor < 0 && (errno == ENOENT || errno == ECONNREFUSED))
            descriptor = start_under_lock(folder, path, why);
        close(folder);
    }
    free(path);
    return descriptor;
}
