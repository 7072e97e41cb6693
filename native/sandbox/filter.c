/* System calls that no compiler needs, refused by seccomp.
 *
 * Namespaces, mounts and capabilities already contain a program; this closes what they leave open: sockets
 * (all jobs share an empty network namespace, and abstract names would be a way between them), keyrings, which
 * belong to the user outside, namespaces in namespaces, and the parts of the kernel with the worst record.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __i386__
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined __s390x__
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined __loongarch64
#define ARCHITECTURE AUDIT_ARCH_LOONGARCH64
#else
#error "add this machine's AUDIT_ARCH"
#endif

enum { NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                        CLONE_NEWPID | CLONE_NEWNET };

#ifdef __s390x__
enum { CLONE_FLAGS_ARGUMENT = 1 };
#else
enum { CLONE_FLAGS_ARGUMENT = 0 };
#endif

static const unsigned refused[] = {
#ifdef SYS_socketcall
    SYS_socketcall,
#endif
    SYS_socket,
    SYS_socketpair,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    425, /* io_uring_setup, which opens sockets too; the numbers from here on are the same everywhere */
    428, /* open_tree */
    429, /* move_mount */
    430, /* fsopen */
    432, /* fsmount */
    433, /* fspick */
    442, /* mount_setattr */
};
enum { CLONE3 = 435 };

#ifdef __x86_64__
/* The same for a compiler of 32 bits; from asm/unistd_32.h. */
static const unsigned refused_32[] = {102, 359, 360, 310, 346, 21,  52,  217, 61,  286, 287, 288,
                                      357, 336, 374, 425, 428, 429, 430, 432, 433, 442};
enum { CLONE_32 = 120, FIRST_OF_X32 = 0x40000000 };
#endif

enum { MOST = 2 * (sizeof refused / sizeof *refused) + 32 };
static struct sock_filter code[MOST];
static unsigned short length;

static void add(unsigned what, unsigned value, unsigned skip_if, unsigned skip_if_not)
{
    code[length++] = (struct sock_filter){(unsigned short)what, (unsigned char)skip_if,
                                          (unsigned char)skip_if_not, value};
}

static void answer(int error)
{
    add(BPF_RET | BPF_K, error ? SECCOMP_RET_ERRNO | (unsigned)error : SECCOMP_RET_ALLOW, 0, 0);
}

static void load(size_t offset)
{
    add(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* For one machine's numbers; the call's number is loaded. */
static void add_table(const unsigned *table, unsigned count, unsigned clone)
{
    /* clone3 has its flags in memory, where no filter sees them; libc takes clone when there is no clone3. */
    add(BPF_JMP | BPF_JEQ | BPF_K, CLONE3, 0, 1);
    answer(ENOSYS);
    add(BPF_JMP | BPF_JEQ | BPF_K, clone, 0, 4);
    load(offsetof(struct seccomp_data, args[CLONE_FLAGS_ARGUMENT])
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
         + 4
#endif
    );
    add(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
    answer(EPERM);
    answer(0);
    for (unsigned i = 0; i < count; i++)
        add(BPF_JMP | BPF_JEQ | BPF_K, table[i], count - i, 0);
    answer(0);
    answer(EACCES);
}

void refuse_calls(void)
{
    load(offsetof(struct seccomp_data, arch));
#ifdef __x86_64__
    add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, sizeof refused_32 / sizeof *refused_32 + 10);
    load(offsetof(struct seccomp_data, nr));
    add_table(refused_32, sizeof refused_32 / sizeof *refused_32, CLONE_32);
#endif
    add(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    answer(ENOSYS);
    load(offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    add(BPF_JMP | BPF_JGE | BPF_K, FIRST_OF_X32, 0, 1);
    answer(ENOSYS);
#endif
    add_table(refused, sizeof refused / sizeof *refused, SYS_clone);
    struct sock_fprog program = {.len = length, .filter = code};
    /* SPEC_ALLOW: older kernels would slow the compiler down against a leak within its own process. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        give_up(STAGE_FILTER);
}
