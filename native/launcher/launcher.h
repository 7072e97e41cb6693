/* What the launcher's files share. The theory of operation is in main.c. */
#ifndef FLEETCC_LAUNCHER_H
#define FLEETCC_LAUNCHER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* distcc's exit statuses: above 100, so that they never look like a compiler's. */
enum {
    EXIT_ARGUMENTS = 101,
    EXIT_OUT_OF_MEMORY = 105,
    EXIT_COMPILER_MISSING = 110,
    EXIT_RECURSION = 111,
    EXIT_NO_FILE = 115,
    EXIT_NO_HOSTS = 116,
};

#ifndef AGENT_TIMEOUT_MS
#define AGENT_TIMEOUT_MS 10000 /* a Python agent listens after 0.3 s; a full machine is slower */
#endif
enum { NAP_MS = 5 };

/* ---- messages.c: words to the user, and what the user's variables say */
void write_fully(int descriptor, const char *data, size_t size);
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail_without_memory(void);
void say_if_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *variable(const char *name); /* NULL when unset or empty */
bool is_enabled(const char *ours, const char *theirs, bool otherwise);
const char *base_name(const char *path);
bool is_one_of(const char *word, const char *const *table);
void nap(void);

/* ---- program.c: the real compiler, and how it is started */
struct invocation {
    char **argv;         /* what the compiler gets */
    const char *program; /* the real compiler's path */
    long level;          /* how many launchers are above us */
};
long read_level(void);
void find_program(struct invocation *invocation, bool masquerade);
void raise_level(const struct invocation *invocation);
_Noreturn void exec_compiler(const struct invocation *invocation);
_Noreturn void fall_back(const struct invocation *invocation, const char *why);
void exec_cli(char **argv); /* returns when there is none */

/* ---- agent.c: a connection with the agent, which is started when there is none */
int reach_agent(const char **why);
int wait_for(pid_t child);

/* ---- stream.c: frames to and from the agent; src/fleetcc/wire/launcher.py is normative */
struct request {
    char *data;
    size_t size;
};
struct answer {
    uint8_t kind, flag;
    uint16_t count;
    uint32_t length;
};
bool build_request(const struct invocation *invocation, struct request *request);
bool send_request(int connection, const struct request *request);
int agent_connection(void);
bool receive(void *target, size_t size);
size_t receive_some(const char **data, size_t wanted); /* 0 at the end */
char *receive_payload(const struct answer *answer);    /* with a NUL behind it; NULL when it does not come */
bool send_answer(char kind, const void *payload, size_t size, const int *descriptors, size_t count);

/* ---- preprocess.c: the answer P */
bool preprocess(const struct invocation *invocation, const struct answer *answer);
int dependencies(void); /* what the last preprocessor wrote to descriptor 3; -1 when there is nothing */

/* ---- outputs.c: the answers O, D and R */
bool receive_output(const struct answer *answer);
bool keep_dependencies(const struct answer *answer);
bool finish(const struct answer *answer);
void drop_outputs(void);

#endif
