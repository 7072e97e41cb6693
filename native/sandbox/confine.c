/* Limits and privileges: what is left of them. */
#include "sandbox.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Never above what this process has itself: to raise that takes a capability outside. */
static void limit(unsigned resource, uint64_t wanted)
{
    struct rlimit now;
    if (getrlimit(resource, &now))
        give_up(STAGE_LIMITS);
    if (now.rlim_max == RLIM_INFINITY || wanted < now.rlim_max)
        now.rlim_max = wanted;
    now.rlim_cur = now.rlim_max;
    if (setrlimit(resource, &now))
        give_up(STAGE_LIMITS);
}

void set_limits(const struct limits *limits)
{
    limit(RLIMIT_CORE, 0);
    if (limits->file_bytes)
        limit(RLIMIT_FSIZE, limits->file_bytes);
    if (limits->memory_bytes)
        limit(RLIMIT_AS, limits->memory_bytes);
    if (limits->processes) /* of this user namespace alone, since Linux 5.14 */
        limit(RLIMIT_NPROC, limits->processes);
    if (limits->descriptors)
        limit(RLIMIT_NOFILE, limits->descriptors);
}

void drop_privileges(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};
    for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
        continue; /* until there is no such capability */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &header, nothing) ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        give_up(STAGE_PRIVILEGES);
}
