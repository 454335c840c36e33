/* rt/words.c - the threads that sleep on shared words for coroutines; see words.h.
 *
 * Each sleeps with one futex_waitv(2) on its words, on the count of deaths and on a word that says that its list has
 * changed. It comes with the first wait and goes after five idle seconds. Where the kernel has no such call (before
 * 5.16) it looks every 2 ms.
 *
 * The spin bit is over all lists: under it a wait is claimed and taken out. A word may be looked at after its wait was
 * removed: the shared window stays mapped, whatever becomes of the block.
 *
 * io_uring's FUTEX_WAIT was left: it would serve one of the two backends. A helper thread for each sleeping coroutine
 * was used before: a cancelled one left a thread asleep, which had to be disturbed.
 */
#include "rt/words.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "rt/runtime.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/proc.h"
#include "sys/shm.h"

enum { WATCHERS = 32, WORDS = CORDI_FUTEX_WORDS - 2 };
static const int64_t IDLE = 5 * CORD_SECOND, TICK = 2 * CORD_MILLISECOND, SOON = CORD_MILLISECOND;

struct cordi_watcher {
    struct cordi_list waits;
    unsigned count;
    bool running;
    _Atomic uint32_t changed;
};

static struct {
    _Atomic uint64_t bits; /* bit 0: spin, over all of it */
    struct cordi_watcher watchers[WATCHERS];
} words;

uint32_t cordi_deaths(void)
{
    return atomic_load(cordi_shm_deaths());
}

void cordi_word_wake(_Atomic uint32_t *word)
{
    cordi_futex_wake(word, INT_MAX, true);
}

static bool due(const struct cordi_word_wait *wait)
{
    return atomic_load(wait->sleep.word) != wait->sleep.expected || cordi_deaths() != wait->sleep.deaths;
}

/* With the bit. */
static void take_due(struct cordi_watcher *watcher, struct cordi_list *claimed)
{
    for (struct cordi_list *at = watcher->waits.next, *next; at != &watcher->waits; at = next) {
        struct cordi_word_wait *wait = CORDI_ITEM(at, struct cordi_word_wait, link);
        next = at->next;
        if (!due(wait))
            continue;
        cordi_list_remove(at);
        watcher->count--;
        if (cordi_waiter_claim(wait->node)) /* else it is on its way out */
            cordi_list_append(claimed, &wait->node->link);
    }
}

/* With the bit: what to sleep on; how many. */
static unsigned gather(struct cordi_watcher *watcher, struct cordi_futex_word *list)
{
    unsigned count = 0;
    list[count++] = (struct cordi_futex_word){ &watcher->changed, atomic_load(&watcher->changed), false };
    for (struct cordi_list *at = watcher->waits.next; at != &watcher->waits; at = at->next) {
        const struct cordi_sleep *sleep = &CORDI_ITEM(at, struct cordi_word_wait, link)->sleep;
        if (count == 1)
            list[count++] = (struct cordi_futex_word){ cordi_shm_deaths(), sleep->deaths, true };
        list[count++] = (struct cordi_futex_word){ sleep->word, sleep->expected, true };
    }
    return count;
}

static void *run(void *arg)
{
    struct cordi_watcher *watcher = arg;
    int64_t idle_until = 0;
    cordi_proc_signals_block(); /* they are the program's */
    cordi_proc_thread_name("cord-words");
    for (;;) {
        struct cordi_futex_word list[CORDI_FUTEX_WORDS];
        struct cordi_list claimed;
        cordi_list_init(&claimed);
        cordi_spin_lock(&words.bits, 1);
        take_due(watcher, &claimed);
        unsigned count = gather(watcher, list);
        if (count > 1 || !cordi_list_empty(&claimed))
            idle_until = 0;
        else if (idle_until == 0)
            idle_until = cordi_clock_now() + IDLE;
        else if (cordi_clock_now() >= idle_until)
            watcher->running = false;
        bool go_on = watcher->running;
        cordi_spin_unlock(&words.bits, 1);
        cordi_wake_list(&claimed);
        if (!go_on)
            return NULL;
        if (cordi_futex_wait_several(list, count, idle_until) == -ENOSYS)
            (void)cordi_futex_wait(&watcher->changed, list[0].expected, cordi_clock_now() + TICK, false);
    }
}

/* With the bit: one with room; NULL. */
static struct cordi_watcher *find_watcher(void)
{
    for (int i = 0; i < WATCHERS; i++) {
        struct cordi_watcher *watcher = &words.watchers[i];
        if (watcher->waits.next == NULL)
            cordi_list_init(&watcher->waits);
        if (watcher->count == WORDS)
            continue;
        if (!watcher->running)
            watcher->running = cordi_proc_thread(run, watcher, 0) == 0;
        return watcher->running ? watcher : NULL;
    }
    return NULL;
}

int cordi_words_add(struct cordi_word_wait *wait)
{
    cordi_list_init(&wait->link);
    cordi_runtime_start();
    cordi_spin_lock(&words.bits, 1);
    struct cordi_watcher *watcher = find_watcher();
    if (watcher != NULL) {
        wait->watcher = watcher;
        cordi_list_append(&watcher->waits, &wait->link);
        watcher->count++;
        atomic_fetch_add(&watcher->changed, 1);
    }
    cordi_spin_unlock(&words.bits, 1);
    if (watcher == NULL)
        return -EAGAIN;
    cordi_futex_wake(&watcher->changed, 1, false);
    return 0;
}

void cordi_words_remove(struct cordi_word_wait *wait)
{
    cordi_spin_lock(&words.bits, 1);
    if (!cordi_list_empty(&wait->link)) {
        cordi_list_remove(&wait->link);
        wait->watcher->count--;
    }
    cordi_spin_unlock(&words.bits, 1);
}

int cordi_sleep_on(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    if (self->loop == NULL)
        return cordi_thread_sleep(sleep, cancellable, deadline);
    struct cordi_waiter node;
    struct cordi_word_wait wait = { .sleep = *sleep, .node = &node };
    cordi_wait_begin(&node, cancellable, sleep->what);
    bool watched = cordi_words_add(&wait) == 0;
    int rc = cordi_park(watched || cord_left(deadline) < SOON ? deadline : cord_in(SOON));
    cordi_words_remove(&wait);
    return rc == -ETIMEDOUT && !watched && cord_left(deadline) > 0 ? 0 : rc;
}

void cordi_words_process_ended(void)
{
    _Atomic uint32_t *deaths = cordi_shm_deaths();
    if (deaths == NULL)
        return;
    atomic_fetch_add(deaths, 1);
    cordi_word_wake(deaths);
}

void cordi_words_after_fork(void)
{
    memset(&words, 0, sizeof words);
}
