/* sys/identity.c - the start time is field 22 of /proc/PID/stat, in ticks since boot (proc(5)). The inode of a pidfd
 * would be simpler and is unique, but only since Linux 6.9. */
#include "sys/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/proc.h"
#include "sys/shm.h"

/* The second field is the program's name in brackets, and may contain anything: we count from its end. */
static uint64_t identity_of(int pid)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : cordi_fd_read(fd, text, sizeof text - 1);
    if (fd >= 0)
        cordi_fd_close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; field < 22 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    uint64_t start = at == NULL ? 0 : strtoull(at, NULL, 10);
    return start << 32 | (uint64_t)pid;
}

uint64_t cordi_identity_self(void)
{
    _Atomic uint64_t *kept = cordi_shm_process_word();
    uint64_t mine = atomic_load_explicit(kept, memory_order_relaxed);
    if (mine == 0) {
        mine = identity_of(cordi_proc_pid());
        atomic_store_explicit(kept, mine, memory_order_relaxed);
    }
    return mine;
}

int cordi_identity_open(uint64_t identity)
{
    int pidfd = cordi_proc_pidfd((int)(uint32_t)identity);
    if (pidfd < 0)
        return pidfd;
    /* The descriptor came first: if the pid has changed hands by now, the start times differ. */
    uint64_t start = identity_of((int)(uint32_t)identity) >> 32;
    struct pollfd ended = { .fd = pidfd, .events = POLLIN };
    bool other = start != 0 && identity >> 32 != 0 && start != identity >> 32;
    if (!other && cordi_fd_poll(&ended, 1, -1) <= 0)
        return pidfd;
    cordi_fd_close(pidfd);
    return -ESRCH;
}
