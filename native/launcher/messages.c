/* Words to the user, and what the user's variables say. Knows no agent and no compiler. */
#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void write_fully(int descriptor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);
        if (written >= 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) { /* somebody made the terminal or the pipe non-blocking */
            struct pollfd ready = {.fd = descriptor, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return; /* nobody reads any more; the compiler could not tell anyone either */
        }
    }
}

static void say_list(const char *format, va_list arguments)
{
    char line[2 * PATH_MAX] = "fleetcc: ";
    const size_t prefix = strlen(line);
    int length = vsnprintf(line + prefix, sizeof line - prefix - 1, format, arguments);
    size_t end = prefix + (length < 0 ? 0 : (size_t)length);
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    line[end] = '\n';
    write_fully(STDERR_FILENO, line, end + 1);
}

_Noreturn void fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
    _exit(status);
}

const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Only 0 and 1 are understood, as in distcc; our variable wins over its twin. */
bool is_enabled(const char *ours, const char *theirs, bool otherwise)
{
    const char *names[] = {ours, theirs};
    for (size_t i = 0; i < 2; i++) {
        const char *value = names[i] ? variable(names[i]) : NULL;
        if (value)
            return strcmp(value, "1") == 0 || (strcmp(value, "0") != 0 && otherwise);
    }
    return otherwise;
}

void say_if_verbose(const char *format, ...)
{
    if (!is_enabled("FLEETCC_VERBOSE", "DISTCC_VERBOSE", false))
        return;
    va_list arguments;
    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
}

_Noreturn void fail_without_memory(void)
{
    fail(EXIT_OUT_OF_MEMORY, "out of memory");
}

char *format_text(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        fail_without_memory();
    va_end(arguments);
    return text;
}

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool is_one_of(const char *word, const char *const *table)
{
    for (; *table; table++)
        if (strcmp(word, *table) == 0)
            return true;
    return false;
}

void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
}
