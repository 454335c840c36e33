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

int cordi_futex_wait_two(_Atomic uint32_t *first, uint32_t first_expected, bool shared, _Atomic uint32_t *second,
                         uint32_t second_expected, int64_t deadline)
{
#ifdef SYS_futex_waitv
    struct timespec until = { .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
    struct futex_waitv words[2] = {
        { .val = first_expected, .uaddr = (uintptr_t)first, .flags = FUTEX_32 | (shared ? 0 : FUTEX_PRIVATE_FLAG) },
        { .val = second_expected, .uaddr = (uintptr_t)second, .flags = FUTEX_32 },
    };
    long rc = syscall(SYS_futex_waitv, words, 2, 0, deadline ? &until : NULL, CLOCK_MONOTONIC);
    if (rc >= 0)
        return 0;
    return errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR ? -errno : -ENOSYS;
#else
    (void)first, (void)first_expected, (void)shared, (void)second, (void)second_expected, (void)deadline;
    return -ENOSYS;
#endif
}

void cordi_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
    int saved = errno; /* signal handlers come here */
    syscall(SYS_futex, word, FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG), count, NULL, NULL, 0);
    errno = saved;
}
