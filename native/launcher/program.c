/* Which file is the real compiler, and how it is started. */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *text, size_t length, const char *ending)
{
    size_t size = strlen(ending);
    return length >= size && memcmp(text + length - size, ending, size) == 0;
}

static bool is_in_masquerade_folder(const char *path)
{
    size_t length = (size_t)(base_name(path) - path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    return ends_with(path, length, "/lib/distcc") || ends_with(path, length, "/lib/fleetcc");
}

/* Is this file the launcher, or another one that would come back to it? */
static bool is_launcher(const char *path, const struct stat *file)
{
    static const char *const names[] = {"distcc", "fleetcc", NULL};
    struct stat self;
    char resolved[PATH_MAX];
    if (stat("/proc/self/exe", &self) == 0 && self.st_dev == file->st_dev && self.st_ino == file->st_ino)
        return true;
    if (is_in_masquerade_folder(path))
        return true;
    return realpath(path, resolved) && is_one_of(base_name(resolved), names);
}

static bool is_program(const char *path, struct stat *file)
{
    return stat(path, file) == 0 && S_ISREG(file->st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* The first program of that name on PATH that is not us; notes whether one of us came before it. */
static const char *find_on_path(const char *name, bool *passed_launcher)
{
    const char *path = variable("PATH");
    for (const char *entry = path ? path : "/usr/bin:/bin"; entry; ) {
        const char *colon = strchrnul(entry, ':');
        int length = (int)(colon - entry);
        char *candidate = format_text("%.*s/%s", length ? length : 1, length ? entry : ".", name);
        struct stat file;
        if (is_program(candidate, &file)) {
            if (!is_launcher(candidate, &file))
                return candidate;
            *passed_launcher = true;
        }
        free(candidate);
        entry = *colon ? colon + 1 : NULL;
    }
    return NULL;
}

/* Decides invocation->program. gcc and clang look argv[0] up on PATH to find their own files; where they would
 * find a launcher, argv[0] becomes the path. */
void find_program(struct invocation *invocation, bool masquerade)
{
    const char *name = invocation->argv[0];
    struct stat file;
    if (!masquerade && strchr(name, '/') && !(is_program(name, &file) && is_launcher(name, &file))) {
        invocation->program = name;
        return;
    }
    bool passed_launcher = masquerade || strchr(name, '/');
    invocation->program = find_on_path(base_name(name), &passed_launcher);
    if (!invocation->program)
        fail(EXIT_COMPILER_MISSING, "%s: command not found", base_name(name));
    if (passed_launcher)
        invocation->argv[0] = (char *)(uintptr_t)invocation->program;
}

long read_level(void)
{
    const char *value = getenv("_DISTCC_SAFEGUARD");
    char *end;
    if (!value)
        return 0;
    long level = strtol(value, &end, 10);
    return end == value || *end || level < 0 || level > 1000 ? 1 : level;
}

/* Every compiler that we start learns that a launcher is above it. */
void raise_level(const struct invocation *invocation)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", invocation->level + 1);
    if (setenv("_DISTCC_SAFEGUARD", text, 1))
        fail_without_memory();
}

_Noreturn void exec_compiler(const struct invocation *invocation)
{
    raise_level(invocation);
    execv(invocation->program, invocation->argv);
    if (errno == ENOEXEC) { /* a script without #!; shells and make run it, so do we */
        size_t count = 0;
        while (invocation->argv[count])
            count++;
        char **shell = calloc(count + 2, sizeof *shell);
        if (!shell)
            fail_without_memory();
        memcpy(shell + 1, invocation->argv, (count + 1) * sizeof *shell);
        shell[0] = (char[]){"sh"};
        shell[1] = (char *)(uintptr_t)invocation->program;
        execv("/bin/sh", shell);
    }
    fail(EXIT_COMPILER_MISSING, "%s: %s", invocation->program, strerror(errno));
}

/* Something is not as expected: the compiler itself, unless the user would rather hear about it. */
_Noreturn void fall_back(const struct invocation *invocation, const char *why)
{
    if (!is_enabled("FLEETCC_FALLBACK", "DISTCC_FALLBACK", true))
        fail(EXIT_NO_HOSTS, "%s, and compiling here instead is switched off (FLEETCC_FALLBACK=0)", why);
    say_if_verbose("%s: running %s here", why, invocation->argv[0]);
    exec_compiler(invocation);
}

/* Executes fleetcc-cli, which is installed beside us. Returns when there is none. */
void exec_cli(char **argv)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    static char name[] = "fleetcc-cli";
    setenv("FLEETCC_LAUNCHER", "c", 1);
    argv[0] = name;
    if (length > 0) {
        self[length] = '\0';
        char *path = format_text("%.*s%s", (int)(base_name(self) - self), self, name);
        execv(path, argv);
        free(path);
    }
    execvp(name, argv);
}
