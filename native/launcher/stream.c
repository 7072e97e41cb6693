/* Frames to and from the agent; src/fleetcc/wire/launcher.py is normative. */
#include "launcher.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef FLEETCC_VERSION
#define FLEETCC_VERSION "unknown"
#endif

enum { MAX_PAYLOAD = 1 << 30 }; /* argv of a preprocessor, or the two streams of a compiler */

struct request_header {
    char magic[4];
    uint32_t length;
    uint8_t kind, descriptors;
    uint16_t is_terminal;
    uint32_t umask, argument_count, environment_count;
    uint64_t cwd_device, cwd_inode;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct request_header) == 48, "the header is 48 bytes on the wire");

static size_t size_of(char *const *strings, uint32_t *count)
{
    size_t size = 0;
    for (*count = 0; strings[*count]; (*count)++)
        size += strlen(strings[*count]) + 1;
    return size;
}

static char *put(char *end, const char *text)
{
    return stpcpy(end, text) + 1;
}

/* False when the current directory has no name.
 *
 * The standard descriptors are not sent, although the frame has room for them: while an agent that hangs leaves
 * them unread, make and ninja would wait for the pipes that they stand for. */
bool build_request(const struct invocation *invocation, struct request *request)
{
    struct request_header header = {.magic = {'F', 'L', 'C', '1'}, .kind = 'J'};
    struct stat here;
    char *cwd = getcwd(NULL, 0);
    if (!cwd || stat(".", &here))
        return false;
    size_t size = sizeof FLEETCC_VERSION + strlen(invocation->program) + 1 + strlen(cwd) + 1;
    size += size_of(invocation->argv, &header.argument_count);
    size += size_of(environ, &header.environment_count);
    header.length = (uint32_t)size;
    header.is_terminal = (uint16_t)isatty(STDERR_FILENO);
    header.umask = umask(0);
    umask(header.umask);
    header.cwd_device = here.st_dev;
    header.cwd_inode = here.st_ino;
    request->size = sizeof header + size;
    request->data = malloc(request->size);
    if (!request->data)
        fail_without_memory();
    memcpy(request->data, &header, sizeof header);
    char *end = put(request->data + sizeof header, FLEETCC_VERSION);
    end = put(put(end, invocation->program), cwd);
    for (char **argument = invocation->argv; *argument; argument++)
        end = put(end, *argument);
    for (char **setting = environ; *setting; setting++)
        end = put(end, *setting);
    free(cwd);
    return true;
}

/* Sends everything; the descriptors go with the first byte. */
static bool send_fully(int peer, const void *data, size_t size, const int *descriptors, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    for (int refused = 0; part.iov_len > 0; ) {
        ssize_t sent = sendmsg(peer, &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            part.iov_base = (char *)part.iov_base + sent;
            part.iov_len -= (size_t)sent;
            message.msg_control = NULL;
            message.msg_controllen = 0;
        } else if (errno == ETOOMANYREFS && refused++ < AGENT_TIMEOUT_MS / NAP_MS) {
            nap(); /* other launchers' descriptors are waiting to be taken */
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

_Static_assert(sizeof(struct answer) == 8, "an answer's header is 8 bytes on the wire");

static struct {
    int descriptor;
    size_t start, end;
    char data[1 << 16];
} agent;

int agent_connection(void)
{
    return agent.descriptor;
}

bool send_request(int connection, const struct request *request)
{
    agent.descriptor = connection;
    agent.start = agent.end = 0;
    return send_fully(connection, request->data, request->size, NULL, 0);
}

/* At least one byte, or false at the end. */
static bool fill(void)
{
    while (agent.start == agent.end) {
        ssize_t size = recv(agent.descriptor, agent.data, sizeof agent.data, 0);
        if (size > 0) {
            agent.start = 0;
            agent.end = (size_t)size;
        } else if (size == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

size_t receive_some(const char **data, size_t wanted)
{
    if (!fill())
        return 0;
    size_t size = agent.end - agent.start;
    *data = agent.data + agent.start;
    size = size < wanted ? size : wanted;
    agent.start += size;
    return size;
}

bool receive(void *target, size_t size)
{
    for (char *end = target; size > 0; ) {
        const char *data;
        size_t part = receive_some(&data, size);
        if (part == 0)
            return false;
        memcpy(end, data, part);
        end += part;
        size -= part;
    }
    return true;
}

char *receive_payload(const struct answer *answer)
{
    char *payload = answer->length > MAX_PAYLOAD ? NULL : malloc((size_t)answer->length + 1);
    if (!payload || !receive(payload, answer->length)) {
        free(payload);
        return NULL;
    }
    payload[answer->length] = '\0';
    return payload;
}

bool send_answer(char kind, const void *payload, size_t size, const int *descriptors, size_t count)
{
    char frame[sizeof(struct answer) + PATH_MAX + 8];
    struct answer header = {.kind = (uint8_t)kind, .length = (uint32_t)size};
    memcpy(frame, &header, sizeof header);
    memcpy(frame + sizeof header, payload, size);
    return send_fully(agent.descriptor, frame, sizeof header + size, descriptors, count);
}
