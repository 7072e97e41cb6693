/* What the compiler leaves: files, streams, a status. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_OUTPUTS = 1000 }; /* object and dependencies, or a file for each of the compiler's passes */

/* What O and D wrote, until R puts all of it in place. A file without a name is beside its target already;
 * where the file system has none such, and for devices, the bytes wait in memory. So nothing has a temporary
 * name before the commit, and a launcher that is killed leaves nothing behind. */
enum waiting { UNNAMED, IN_MEMORY, FOR_DEVICE };

static struct output {
    char path[PATH_MAX], temporary[PATH_MAX];
    int descriptor;
    enum waiting waiting;
    bool has_temporary;
} *outputs;
static size_t output_count, output_room;
static bool outputs_failed; /* f has been sent: what follows until X or F is skipped */

void drop_outputs(void)
{
    outputs_failed = false;
    for (size_t i = 0; i < output_count; i++)
        close(outputs[i].descriptor);
    output_count = 0;
}

/* Room for one more output; NULL when there are too many. */
static struct output *next_output(void)
{
    if (output_count == MAX_OUTPUTS)
        return NULL;
    if (output_count == output_room) {
        output_room = output_room ? 2 * output_room : 4;
        outputs = realloc(outputs, output_room * sizeof *outputs);
        if (!outputs)
            fail_without_memory();
    }
    return &outputs[output_count];
}

static bool send_failure(const char *path, int reason)
{
    char report[4 + PATH_MAX];
    size_t length = strlen(path);
    if (outputs_failed)
        return true;
    drop_outputs();
    outputs_failed = true;
    memcpy(report, &(uint32_t){(uint32_t)reason}, 4);
    memcpy(report + 4, path, length);
    return send_answer('f', report, 4 + length, NULL, 0);
}

/* A device is written, not replaced, and so is what stands for an open descriptor. */
static bool is_device(const char *path)
{
    struct stat target;
    return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ||
           (stat(path, &target) == 0 && !S_ISREG(target.st_mode) && !S_ISDIR(target.st_mode));
}

/* Decides where the bytes for output->path wait. */
static void open_waiting(struct output *output)
{
    int length = (int)(base_name(output->path) - output->path);
    const char *folder = length ? output->path : "./";
    output->waiting = is_device(output->path) ? FOR_DEVICE : UNNAMED;
    if (output->waiting == UNNAMED) {
        snprintf(output->temporary, sizeof output->temporary, "%.*s", length ? length : 2, folder);
        output->descriptor = open(output->temporary, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
        if (output->descriptor >= 0)
            return;
        output->waiting = IN_MEMORY;
    }
    output->descriptor = memfd_create("output", MFD_CLOEXEC);
}

static int write_output(int descriptor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* The answer O: path NUL content. False when the agent broke off or broke the protocol. */
bool receive_output(const struct answer *answer)
{
    struct output *output = next_output();
    size_t left = answer->length, length = 0;
    if (!output)
        return false;
    do {
        if (length == PATH_MAX || left-- == 0 || !receive(output->path + length, 1))
            return false;
    } while (output->path[length++]);
    output->has_temporary = false;
    open_waiting(output);
    int reason = output->descriptor < 0 ? errno : 0;
    for (const char *data; left > 0; ) {
        size_t part = receive_some(&data, left);
        if (part == 0)
            return false;
        left -= part;
        if (!reason)
            reason = write_output(output->descriptor, data, part);
    }
    output_count += output->descriptor >= 0;
    return reason ? send_failure(output->path, reason) : true;
}

/* The answer D: the path for what the last P left on descriptor 3. */
bool keep_dependencies(const struct answer *answer)
{
    struct output *output = next_output();
    if (!output || dependencies() < 0 || answer->length >= PATH_MAX)
        return false;
    if (!receive(output->path, answer->length))
        return false;
    output->path[answer->length] = '\0';
    output->has_temporary = false;
    output->waiting = is_device(output->path) ? FOR_DEVICE : IN_MEMORY;
    output->descriptor = fcntl(dependencies(), F_DUPFD_CLOEXEC, 3);
    if (output->descriptor < 0)
        return send_failure(output->path, errno);
    output_count++;
    return true;
}

static int copy_into(int target, int source)
{
    off_t offset = 0;
    for (ssize_t copied = 1; copied != 0; ) {
        copied = sendfile(target, source, &offset, 1 << 30);
        if (copied < 0 && errno != EINTR)
            return errno;
    }
    return 0;
}

static int copy_to(const char *path, int flags, int source)
{
    int target = open(path, flags | O_WRONLY | O_CLOEXEC, 0666);
    if (target < 0)
        return errno;
    int reason = copy_into(target, source);
    return close(target) && !reason ? errno : reason;
}

/* Gives the bytes a name beside their target. */
static int name_temporary(struct output *output)
{
    char *unnamed = format_text("/proc/self/fd/%d", output->descriptor);
    int folder = (int)(base_name(output->path) - output->path), reason = 0;
    int length = snprintf(output->temporary, sizeof output->temporary, "%.*s.fleetcc-%d-%td.tmp", folder,
                          output->path, (int)getpid(), output - outputs);
    if (length < 0 || length >= (int)sizeof output->temporary)
        return ENAMETOOLONG;
    unlink(output->temporary); /* of a killed launcher that had our number */
    output->has_temporary = true;
    if (output->waiting == IN_MEMORY)
        reason = copy_to(output->temporary, O_CREAT | O_EXCL, output->descriptor);
    else if (linkat(AT_FDCWD, unnamed, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW))
        reason = errno;
    free(unnamed);
    return reason;
}

static int rename_temporary(struct output *output)
{
    if (rename(output->temporary, output->path))
        return errno;
    output->has_temporary = false;
    return 0;
}

static int write_device(struct output *output)
{
    return copy_to(output->path, O_TRUNC, output->descriptor);
}

/* Does one step for every file or every device; at the first failure says whose it is and why. */
static int for_each_output(int (*step)(struct output *), bool devices, const char **path)
{
    for (size_t i = 0; i < output_count; i++) {
        int reason = (outputs[i].waiting == FOR_DEVICE) == devices ? step(&outputs[i]) : 0;
        *path = outputs[i].path;
        if (reason)
            return reason;
    }
    return 0;
}

/* Puts all outputs in place, or none of the files. */
static int commit_outputs(const char **path)
{
    sigset_t ending, before;
    sigemptyset(&ending);
    sigaddset(&ending, SIGHUP);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    int reason = for_each_output(write_device, true, path);
    sigprocmask(SIG_BLOCK, &ending, &before);
    if (!reason)
        reason = for_each_output(name_temporary, false, path);
    if (!reason)
        reason = for_each_output(rename_temporary, false, path);
    for (size_t i = 0; i < output_count; i++)
        if (outputs[i].has_temporary)
            unlink(outputs[i].temporary);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return reason;
}

/* Ends as the compiler did, a signal included. */
static _Noreturn void end_as(int status)
{
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t one;
    if (!WCOREDUMP(status)) /* no core of ours where the compiler left none */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    kill(getpid(), number);
    _exit(128 + number);
}

/* The answer R. Returns false when the agent broke off, true when an output failed and more will come. */
bool finish(const struct answer *answer)
{
    int32_t status;
    uint32_t stderr_size;
    char *payload = receive_payload(answer);
    if (!payload || answer->length < 8)
        return false;
    memcpy(&status, payload, 4);
    memcpy(&stderr_size, payload + 4, 4);
    if (stderr_size > answer->length - 8)
        return false;
    const char *path = "";
    int reason = outputs_failed ? EIO : commit_outputs(&path);
    if (!reason) {
        send_answer('w', "", 0, NULL, 0);
        write_fully(STDERR_FILENO, payload + 8, stderr_size);
        write_fully(STDOUT_FILENO, payload + 8 + stderr_size, answer->length - 8 - stderr_size);
        end_as(status);
    }
    free(payload);
    return send_failure(path, reason);
}
