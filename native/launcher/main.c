/* The launcher: one invocation of a compiler, handed to the agent over a Unix socket.
 *
 * It is started once per compile, so it is small: no option of any compiler is known here. It says what was
 * typed and where (src/fleetcc/wire/launcher.py is the normative description of the frames), does the
 * work that needs the user's own directory, umask and terminal, and ends as the compiler would have.
 *
 * Two rules decide every doubtful case. When anything is not as expected, the compiler itself is executed.
 * Nothing of ours goes to stdout, and nothing to stderr unless it was asked for or we are about to fail.
 *
 * program.c finds the real compiler, agent.c a connection, stream.c frames; preprocess.c and outputs.c do what
 * the agent asks for. src/fleetcc/launcher.py is the same in Python, for machines without a C compiler: what
 * one does the other must do, and tests/e2e/test_launcher.py holds both to it.
 */
#include "launcher.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LEVEL = 8 }; /* no wrapper of a wrapper of a wrapper is this deep on purpose */

static _Noreturn void lease(const struct invocation *invocation)
{
    fcntl(agent_connection(), F_SETFD, 0); /* the slot is free again when the compiler has ended */
    exec_compiler(invocation);
}

/* Until the agent leaves: true when it said so, false when it broke off. */
static bool converse(const struct invocation *invocation)
{
    struct answer answer;
    bool going = true;
    while (going && receive(&answer, sizeof answer)) {
        char *text = NULL;
        switch (answer.kind) {
        case 'X': lease(invocation);
        case 'A': return true;
        case 'P': going = preprocess(invocation, &answer); break;
        case 'O': going = receive_output(&answer); break;
        case 'D': going = keep_dependencies(&answer); break;
        case 'R': going = finish(&answer); break;
        case 'V':
        case 'F':
            going = (text = receive_payload(&answer));
            if (going && answer.kind == 'F')
                fail(answer.flag, "%s", text);
            if (going)
                write_fully(STDERR_FILENO, text, answer.length);
            free(text);
            break;
        default: return false;
        }
    }
    return false;
}

static _Noreturn void hand_over(const struct invocation *invocation)
{
    struct request request;
    const char *why = NULL;
    if (!build_request(invocation, &request))
        fall_back(invocation, "the current directory has no name");
    for (int attempt = 0; attempt < 2; attempt++) {
        int connection = reach_agent(&why);
        if (connection < 0)
            fall_back(invocation, why);
        bool left = send_request(connection, &request) && converse(invocation);
        drop_outputs();
        close(connection);
        if (!left)
            fall_back(invocation, "the agent broke off");
    }
    fall_back(invocation, "the agent is leaving");
}

static bool is_for_cli(const char *word)
{
    static const char *const words[] = {
        "--help", "--scan-includes", "--show-hosts", "--version", "-h", "-j",
        "agent", "config", "doctor", "events", "explain", "help", "hosts", "log", "report", "run", "scan",
        "simulate", "stats", "status", "top", "trace", "verify", "web", NULL};
    return is_one_of(word, words);
}

/* `fleetcc x.c -o x` means cc, as in distcc. */
static bool is_source_or_object(const char *word)
{
    static const char *const suffixes[] = {"C", "M", "c", "c++", "cc", "cp", "cpp", "cxx",
                                           "i", "ii", "m", "mi", "mii", "mm", "o", NULL};
    const char *dot = strrchr(base_name(word), '.');
    return dot && is_one_of(dot + 1, suffixes);
}

/* A closed descriptor 0, 1 or 2 becomes /dev/null until the exec, so that no file of ours gets a number that
 * messages are written to. */
static void fill_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) != descriptor)
            _exit(EXIT_NO_FILE);
}

/* `fleetcc ...`: verbs and our own options leave here; what comes back is a compiler's argv. */
static char **read_own_arguments(char **argv)
{
    static const char priority[] = "--priority=";
    for (; argv[1]; argv++) {
        if (strcmp(argv[1], "--no-fallback") == 0)
            setenv("FLEETCC_FALLBACK", "0", 1);
        else if (strncmp(argv[1], priority, sizeof priority - 1) == 0)
            setenv("FLEETCC_PRIORITY", argv[1] + sizeof priority - 1, 1);
        else
            break;
    }
    if (!argv[1])
        fail(EXIT_ARGUMENTS,
             "no compiler was named; use `fleetcc COMPILER ARGUMENTS...`, or see `fleetcc --help`");
    if (is_for_cli(argv[1])) {
        exec_cli(argv);
        fail(EXIT_NO_FILE, "fleetcc-cli is neither beside this program nor on PATH; reinstall fleetcc");
    }
    if (argv[1][0] == '-' || is_source_or_object(argv[1])) {
        static char compiler[] = "cc";
        argv[0] = compiler;
        return argv;
    }
    return argv + 1;
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    if (argc < 1)
        return EXIT_ARGUMENTS;
    struct invocation invocation = {.argv = argv, .level = read_level()};
    const char *name = base_name(argv[0]);
    bool masquerade = !strstr(name, "fleetcc") && !strstr(name, "distcc");
    if (!masquerade)
        invocation.argv = read_own_arguments(argv);
    if (invocation.level > MAX_LEVEL)
        fail(EXIT_RECURSION,
             "%ld launchers call each other; a compiler on PATH is a wrapper that leads back here",
             invocation.level);
    find_program(&invocation, masquerade);
    if (invocation.level > 0 || !is_enabled("FLEETCC_AGENT", NULL, true))
        exec_compiler(&invocation);
    hand_over(&invocation);
}
