/* What the sandbox is tested with: a program that does one bad or curious thing, and says what came of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int told(const char *what, long result)
{
    printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
    return 0;
}

static int write_text(const char *path, const char *text)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor < 0 || write(descriptor, text, strlen(text)) < 0)
        return told("write", -1);
    return close(descriptor);
}

static int list(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return told("opendir", -1);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            puts(entry->d_name);
    return 0;
}

static int forbidden(void)
{
    static char stack[4096];
    told("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
    told("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
    told("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}));
    told("unshare-user", unshare(CLONE_NEWUSER));
    told("clone-user", clone((int (*)(void *))abort, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, NULL));
    told("clone3", syscall(435, NULL, 0));
    told("mount", mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
    told("remount", mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL));
    told("umount", umount2("/proc", MNT_DETACH));
    told("chroot", chroot("/tmp"));
    told("io_uring", syscall(425, 1, NULL));
    told("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    told("mknod", mknod("/tmp/sda", S_IFBLK | 0600, 8 << 8));
    told("setuid", setuid(0));
    told("sethostname", sethostname("x", 1));
    told("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    told("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    told("proc", open("/proc/self/oom_score_adj", O_WRONLY));
    told("descriptors-of-1", open("/proc/1/fd/1", O_WRONLY));
    told("folder-of-1", open("/proc/1/cwd/", O_RDONLY | O_DIRECTORY));
    told("memory-of-1", open("/proc/1/mem", O_RDWR));
    told("root-of-1", open("/proc/1/root/", O_RDONLY | O_DIRECTORY));
    told("ptrace-1", ptrace(PTRACE_ATTACH, 1, 0, 0));
    told("kill-1", kill(1, SIGKILL)); /* may be said, is not done */
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    return told("rlimit", setrlimit(RLIMIT_FSIZE, &more));
}

static int identity(void)
{
    struct utsname system;
    char line[256];
    uname(&system);
    printf("uid %u %u\ngid %u %u\npid %d\ngroup %d\nhost %s\nnnp %d\n", getuid(), geteuid(), getgid(), getegid(),
           getpid(), getpgrp() == getpid(), system.nodename, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "Groups", 6) == 0 || strncmp(line, "Seccomp:", 8) == 0)
            fputs(line, stdout);
    return 0;
}

/* Forks one that ignores everything, in a session of its own, and ends before it. */
static int leave_daemon(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int number = 1; number < NSIG; number++)
                signal(number, SIG_IGN);
            for (;;)
                pause();
        }
        _exit(0);
    }
    wait(NULL);
    puts("left");
    return 0;
}

static int family(void)
{
    fork();
    fork();
    setsid();
    write_text("/work/dir/ready", "1");
    printf("here\n");
    fflush(stdout);
    for (;;)
        pause();
}

static int bomb(void)
{
    int count = 0;
    for (pid_t child; count < 100000 && (child = fork()) >= 0; count++)
        if (child == 0)
            for (;;)
                pause();
    printf("%d %s\n", count, strerrorname_np(errno));
    return 0;
}

static int fill(const char *path, long megabytes)
{
    static char block[1 << 20];
    int descriptor = open(path, O_WRONLY | O_CREAT, 0666);
    for (long i = 0; i < megabytes; i++)
        if (write(descriptor, block, sizeof block) < (ssize_t)sizeof block)
            return told("fill", -1) + 1;
    return told("fill", 0);
}

static int eat(long megabytes)
{
    for (long i = 0; i < megabytes; i++) {
        char *block = malloc(1 << 20);
        if (!block)
            return told("eat", -1);
        memset(block, 1, 1 << 20);
    }
    return told("eat", 0);
}

/* What may not be followed, read or named by whoever collects it. */
static int mischief(void)
{
    write_text("plain", "plain");
    write_text("secret", "secret");
    chmod("secret", 0);
    mkdir("closed", 0777);
    write_text("closed/inside", "inside");
    chmod("closed", 0);
    (void)!symlink("/etc/passwd", "link");
    (void)!symlink("/etc", "folder-link");
    mkfifo("pipe", 0666);
    (void)!unlink("/work/dir/input");
    for (int depth = 0; depth < 3000; depth++)
        if (mkdir("deep", 0777) || chdir("deep"))
            return told("deep", -1);
    write_text("bottom", "bottom");
    chmod("/work/dir", 0);
    chmod("/work", 0);
    chmod("/", 0);
    return 0;
}

static int descriptors(void)
{
    for (int descriptor = 0; descriptor < 1024; descriptor++)
        if (fcntl(descriptor, F_GETFD) >= 0)
            printf("%d ", descriptor);
    char byte;
    printf("stdin %zd\n", read(0, &byte, 1));
    return 0;
}

static int devices(void)
{
    char byte = 1;
    printf("full %d ", write(open("/dev/full", O_WRONLY), "x", 1) < 0 && errno == ENOSPC);
    printf("zero %d ", read(open("/dev/zero", O_RDONLY), &byte, 1) == 1 && byte == 0);
    printf("random %d ", read(open("/dev/urandom", O_RDONLY), &byte, 1) == 1);
    printf("null %d ", write(open("/dev/null", O_WRONLY), "x", 1) == 1);
    printf("stdout %d ", access("/dev/stdout", W_OK) == 0);
    printf("tty %d\n", open("/dev/tty", O_RDWR) >= 0);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "exit") == 0)
        return atoi(argv[2]);
    if (strcmp(verb, "signal") == 0)
        return raise(atoi(argv[2]));
    if (strcmp(verb, "write") == 0)
        return write_text(argv[2], argv[3]);
    if (strcmp(verb, "list") == 0)
        return list(argv[2]);
    if (strcmp(verb, "forbidden") == 0)
        return forbidden();
    if (strcmp(verb, "identity") == 0)
        return identity();
    if (strcmp(verb, "daemon") == 0)
        return leave_daemon();
    if (strcmp(verb, "family") == 0)
        return family();
    if (strcmp(verb, "bomb") == 0)
        return bomb();
    if (strcmp(verb, "fill") == 0)
        return fill(argv[2], atol(argv[3]));
    if (strcmp(verb, "eat") == 0)
        return eat(atol(argv[2]));
    if (strcmp(verb, "mischief") == 0)
        return mischief();
    if (strcmp(verb, "descriptors") == 0)
        return descriptors();
    if (strcmp(verb, "devices") == 0)
        return devices();
    if (strcmp(verb, "words") == 0) {
        for (int i = 0; i < argc; i++)
            fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
        puts("--");
        for (char **variable = environ; *variable; variable++)
            fwrite(*variable, 1, strlen(*variable) + 1, stdout);
        return 0;
    }
    fprintf(stderr, "no such verb: %s\n", verb);
    return 64;
}
