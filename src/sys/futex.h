/* sys/futex.h - futex(2): sleeping until a word changes.
 *
 * A wake is a hint: the word decides, so every wait sits in a loop that looks at it again.
 */
#ifndef CORDI_SYS_FUTEX_H
#define CORDI_SYS_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleeps while *word == expected, at most until `deadline` on the monotonic clock (0: for ever). shared: the word is
 * used by several processes. 0, -EAGAIN (it differs), -ETIMEDOUT, -EINTR. */
int cordi_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared);

/* Sleeps while each of several words (at most CORDI_FUTEX_WORDS) has its value. Answers as above, without saying which
 * differed; -ENOSYS: not known here (before Linux 5.16, some sandboxes). */
enum { CORDI_FUTEX_WORDS = 128 };
struct cordi_futex_word {
    _Atomic uint32_t *word;
    uint32_t expected;
    bool shared;
};
int cordi_futex_wait_several(const struct cordi_futex_word *words, unsigned count, int64_t deadline);

/* Wakes at most count sleepers. Async-signal-safe; the word may be gone already. */
void cordi_futex_wake(_Atomic uint32_t *word, int count, bool shared);

#endif
