/* Records of 40 bytes on the status descriptor, a socket that keeps them apart; fleetcc.sandbox.outcome reads
 * them. */
#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { KIND_FAILED = 1, KIND_SCRATCH, KIND_STARTED, KIND_ENDED };

struct record {
    uint32_t kind;
    int32_t number; /* stage or wait status */
    uint64_t first, second, third, fourth;
};

static int status_descriptor = -1;

void report_to(int descriptor)
{
    status_descriptor = descriptor;
}

int report_descriptor(void)
{
    return status_descriptor;
}

/* The other end may be gone: SIGPIPE ends us then, and there is nobody to miss us. */
static void report(struct record record)
{
    while (write(status_descriptor, &record, sizeof record) < 0 && errno == EINTR)
        continue;
}

_Noreturn void give_up(enum stage stage)
{
    report((struct record){.kind = KIND_FAILED, .number = (int32_t)stage, .first = (uint64_t)errno});
    _exit(EXIT_NOT_DONE);
}

void report_start(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    report((struct record){.kind = KIND_STARTED, .first = nanoseconds});
}

/* With the descriptor of what the program will have written. */
void report_scratch(int upper)
{
    struct record record = {.kind = KIND_SCRATCH};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof upper)];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof upper), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &upper, sizeof upper);
    struct iovec data = {.iov_base = &record, .iov_len = sizeof record};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (sendmsg(status_descriptor, &message, 0) < 0)
        give_up(STAGE_SCRATCH);
}

void report_end(const struct ending *ending)
{
    report((struct record){.kind = KIND_ENDED,
                           .number = ending->status,
                           .first = ending->cpu_microseconds,
                           .second = ending->peak_kilobytes,
                           .third = ending->full,
                           .fourth = ending->written_bytes});
}
