/* rt/words.h - waiting for a word that several processes share; what sync's shared objects sleep on.
 *
 * Who looks at such an object and finds that it has to wait sleeps while the word has the value it saw. Every change
 * that matters changes the word, then wakes. Whoever is killed between the two leaves sleepers behind: so each sleep
 * also ends when a process of the family ends (which the process that started it sees, and counts in one more word of
 * shared memory). The count is taken before the look, like the word:
 *
 *     deaths = cordi_deaths()
 *     seen = the word
 *     the object has what is wanted? done
 *     sleep on {word, seen, deaths}; look again
 *
 * A thread sleeps in the kernel on all of it at once. For coroutines, and for a wait at several objects, a thread of
 * the library does that, for up to 126 words each.
 */
#ifndef CORDI_RT_WORDS_H
#define CORDI_RT_WORDS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "rt/park.h"

struct cordi_sleep {
    _Atomic uint32_t *word;
    uint32_t expected;
    uint32_t deaths;
    const char *what; /* a word for reports: "a lock", static */
};

/* Of the family's processes, how many have ended; there must be shared memory. */
uint32_t cordi_deaths(void);

/* Sleeps in the way of the calling task's kind. 0: look again. Fails: -ETIMEDOUT; when cancellable: -ECANCELED. */
int cordi_sleep_on(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline);

/* Wakes all who sleep on the word, in every process. Async-signal-safe. */
void cordi_word_wake(_Atomic uint32_t *word);

/* One node of a wait that was begun (park.h), to be claimed and woken when it is time to look again. The memory is the
 * caller's until remove. Fails: -EAGAIN (too many words: look again soon). */
struct cordi_word_wait {
    struct cordi_list link;
    struct cordi_sleep sleep;
    struct cordi_waiter *node;
    struct cordi_watcher *watcher; /* words.c */
};
int cordi_words_add(struct cordi_word_wait *wait);
void cordi_words_remove(struct cordi_word_wait *wait); /* one that could not be added, too */

/* For rt: a thread's way to sleep; a child process of this one has ended; in a forked child, where no such thread is.
 */
int cordi_thread_sleep(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline);
void cordi_words_process_ended(void);
void cordi_words_after_fork(void);

#endif
