/* What the sandbox helper's files share. The theory of operation is in main.c. */
#ifndef FLEETCC_SANDBOX_H
#define FLEETCC_SANDBOX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    EXIT_USAGE = 101,    /* as the launcher: nothing of ours was asked for */
    EXIT_NOT_DONE = 125, /* the program did not end by itself; the record on the status descriptor says why */
};

/* ---- spec.c: what to run, as fleetcc.sandbox.command wrote it */
struct limits {
    uint64_t file_bytes, memory_bytes, processes, descriptors, scratch_bytes, scratch_files; /* 0: no limit */
};
struct spec {
    const char *tree, *cwd, *program; /* an empty program: write a file and end with 0 */
    mode_t umask;
    struct limits limits;
    char **argv, **environment;
    char **existing; /* outputs that the client has already */
    char **own;      /* of this machine, to be seen in there too */
};
void read_spec(int descriptor, struct spec *spec);

/* ---- report.c: records for fleetcc.sandbox.outcome; its tables have the same order */
enum stage {
    STAGE_SPEC = 1,
    STAGE_NETWORK,
    STAGE_NAMESPACES,
    STAGE_IDENTITY,
    STAGE_SCRATCH,
    STAGE_EXISTING,
    STAGE_TREE,
    STAGE_OVERLAY,
    STAGE_OWN,
    STAGE_PROC,
    STAGE_DEVICES,
    STAGE_ROOT,
    STAGE_CWD,
    STAGE_LIMITS,
    STAGE_PRIVILEGES,
    STAGE_FILTER,
    STAGE_PROCESS,
    STAGE_EXEC,
};
struct ending {
    int status; /* as wait() gives it */
    uint64_t cpu_microseconds, peak_kilobytes;
    uint64_t written_bytes; /* by all its processes, to files, pipes and whatever */
    bool full;              /* nothing more could have been written */
};
void report_to(int descriptor);
int report_descriptor(void);
_Noreturn void give_up(enum stage stage); /* tells errno, and ends this process */
void report_start(void);
void report_scratch(int upper);
void report_end(const struct ending *ending);

/* ---- namespaces.c: of whom and of what the program sees nothing */
struct network { /* descriptors of the namespaces that `hold` made; -1: make a network of its own */
    int user, net;
};
_Noreturn void hold_network(void);
bool join_network(const struct network *network);
pid_t clone_into_namespaces(bool with_network, int *pidfd);
void keep_identity(uid_t user, gid_t group);
bool write_file(const char *path, const char *text);

/* ---- root.c: the tree with a scratch above it becomes `/` */
int change_root(const struct spec *spec);
bool is_full(int upper);
bool mount_layers(const char *target, const char *options);

/* ---- below.c: what stands in the scratch before the program begins; `upper` is in the current directory */
bool make_way(int tree, const char *path, size_t length, bool missing);
void make_existing(int tree, const struct spec *spec);

/* ---- own.c: parts of this machine's own root in the new one */
struct place; /* one of them */
struct place *make_places(int tree, char *const *own);
void mount_places(struct place *places, int tree);

/* ---- confine.c and filter.c: what the program cannot do */
void set_limits(const struct limits *limits);
void drop_privileges(void);
void refuse_calls(void);

/* ---- inside.c: the first process in there, and the program */
struct shared { /* between the first process and the one outside */
    volatile int status;
    volatile bool ended, full;
    volatile uint64_t written;
};
struct outside {
    int process; /* a pidfd of the outer process */
    bool root;   /* it is root, whatever the numbers below say */
    uid_t user;  /* as the user namespace around the new one has them */
    gid_t group;
};
_Noreturn void run_inside(const struct spec *spec, struct shared *shared, const struct outside *outside);

#endif
