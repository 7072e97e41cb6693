/* Runs the preprocessor into memory files. */
#include "launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPENDENCY_DESCRIPTOR = 3 };

static int dependency_file = -1;

int dependencies(void)
{
    return dependency_file;
}

/* Between vfork and exec the parent's memory is shared: nothing here may touch it. */
static _Noreturn void become_preprocessor(const char *program, char **argv, pid_t parent, const int *streams)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a killed build leaves nobody at work */
    if (getppid() != parent)
        _exit(127);
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (dup2(streams[descriptor], descriptor) < 0)
            _exit(127);
    int dependency = streams[DEPENDENCY_DESCRIPTOR];
    if (dependency == DEPENDENCY_DESCRIPTOR)
        fcntl(dependency, F_SETFD, 0);
    else if (dependency >= 0 && dup2(dependency, DEPENDENCY_DESCRIPTOR) < 0)
        _exit(127);
    execv(program, argv);
    _exit(127);
}

static int run_preprocessor(const struct invocation *invocation, char **argv, const int *streams)
{
    struct sigaction before, standard = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &standard, &before);
    raise_level(invocation);
    pid_t parent = getpid();
    pid_t child = vfork();
    if (child == 0)
        become_preprocessor(invocation->program, argv, parent, streams);
    int status = child < 0 ? -1 : wait_for(child);
    sigaction(SIGCHLD, &before, NULL);
    return status;
}

static bool send_preprocessed(int status, const int *streams)
{
    char report[20];
    int32_t wait_status = status;
    memcpy(report, &wait_status, 4);
    for (int stream = 1; stream <= 2; stream++) {
        struct stat file;
        if (fstat(streams[stream], &file) || lseek(streams[stream], 0, SEEK_SET))
            return false;
        memcpy(report + 8 * stream - 4, &(uint64_t){(uint64_t)file.st_size}, 8);
    }
    return send_answer('p', report, sizeof report, streams + 1, 2);
}

/* False when it could not be done or told. */
bool preprocess(const struct invocation *invocation, const struct answer *answer)
{
    char *payload = receive_payload(answer), **argv = calloc((size_t)answer->count + 1, sizeof *argv);
    if (!payload || !argv || answer->count == 0)
        return false;
    char *next = payload;
    for (size_t i = 0; i < answer->count; i++, next += strlen(next) + 1) {
        if (next >= payload + answer->length)
            return false;
        argv[i] = next;
    }
    if (dependency_file >= 0)
        close(dependency_file);
    dependency_file = answer->flag & 1 ? memfd_create("dependencies", MFD_CLOEXEC) : -1;
    int streams[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), memfd_create("stdout", MFD_CLOEXEC),
                     memfd_create("stderr", MFD_CLOEXEC), dependency_file};
    bool ready = streams[0] >= 0 && streams[1] >= 0 && streams[2] >= 0;
    ready = ready && (dependency_file >= 0 || !(answer->flag & 1));
    int status = ready ? run_preprocessor(invocation, argv, streams) : -1;
    bool told = status != -1 && send_preprocessed(status, streams);
    for (int descriptor = 0; descriptor < 3; descriptor++)
        close(streams[descriptor]);
    free(argv);
    free(payload);
    return told;
}
