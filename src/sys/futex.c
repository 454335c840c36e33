/* sys/futex.c - the futex operations we use, with absolute monotonic deadlines. */
#include "sys/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int cordi_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared)
{
    struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
    int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long rc = syscall(SYS_futex, word, operation, expected, deadline ? &until : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
    return rc < 0 ? -errno : 0;
}

int cordi_futex_wait_several(const struct cordi_futex_word *words, unsigned count, int64_t deadline)
{
#ifdef SYS_futex_waitv
    struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
    struct futex_waitv list[CORDI_FUTEX_WORDS];
    for (unsigned i = 0; i < count; i++)
        list[i] = (struct futex_waitv){ .val = words[i].expected,
                                        .uaddr = (uintptr_t)words[i].word,
                                        .flags = FUTEX_32 | (words[i].shared ? 0 : FUTEX_PRIVATE_FLAG) };
    long rc = syscall(SYS_futex_waitv, list, count, 0, deadline ? &until : NULL, CLOCK_MONOTONIC);
    if (rc >= 0)
        return 0;
    return errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR ? -errno : -ENOSYS;
#else
    (void)words, (void)count, (void)deadline;
    return -ENOSYS;
#endif
}

void cordi_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
    int saved = errno; /* signal handlers come here */
    syscall(SYS_futex, word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, NULL, NULL, 0);
    errno = saved;
}
