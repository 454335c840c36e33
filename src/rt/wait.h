/* rt/wait.h - the state machine of a wait, inline: rt's own side of park.h, for park.c and for the joining and the end
 * of a task, which go through it each time.
 *
 * The claim word is one compare-and-swap away from every racing answer:
 *
 *     WAITING, WAITING_FIRM -> WOKEN           by a waker, under the object's spin bit; it owes a wake
 *     WAITING               -> WAS_CANCELLED   by cord_task_cancel(); it owes a wake
 *     WAITING, WAITING_FIRM -> TIMED_OUT       by the task itself or its loop's timer; no wake is owed
 *     WAITING, WAITING_FIRM -> ENDED_ITSELF    by the task itself; no wake is owed
 *
 * Cancelling is a store to `cancelled` and then a look at the wait; beginning a wait is a store to the wait and then a
 * look at `cancelled`; both are sequentially consistent, so one of the two sees the other. A wait that begins at a bit
 * is stored without that. Taking the bit then makes the store visible, and the look that counts comes after it, when
 * the task parks.
 */
#ifndef CORDI_RT_WAIT_H
#define CORDI_RT_WAIT_H

#include "base/alone.h"
#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/park.h"
#include "rt/task.h"

static inline int cordi_wait_state(uint64_t wait)
{
    return (int)(wait & ((1 << CORDI_WAIT_BITS) - 1));
}

static inline bool cordi_wait_on(uint64_t wait)
{
    return cordi_wait_state(wait) == CORDI_WAITING || cordi_wait_state(wait) == CORDI_WAITING_FIRM;
}

/* The word of a task with a thread of its own is changed by signal handlers, and a process's by its parent. */
static inline __attribute__((always_inline)) bool cordi_wait_swap(struct cord_task *task, uint64_t *seen,
                                                                  uint64_t value)
{
    return task->loop != NULL ? cordi_word_swap_at_once(&task->wait, seen, value)
                              : atomic_compare_exchange_weak(&task->wait, seen, value);
}

/* One exit from WAITING; `firm` says whether an uncancellable wait may be left this way. */
static inline __attribute__((always_inline)) bool cordi_wait_leave(struct cord_task *task, uint64_t number, int state,
                                                                   bool firm)
{
    uint64_t seen = atomic_load(&task->wait);
    while (seen >> CORDI_WAIT_BITS == number && cordi_wait_on(seen) &&
           (firm || cordi_wait_state(seen) == CORDI_WAITING))
        if (cordi_wait_swap(task, &seen, number << CORDI_WAIT_BITS | (uint64_t)state))
            return true;
    return false;
}

/* cordi_wait_begin(), or cordi_wait_begin_at_bit(), of the calling task. */
static inline __attribute__((always_inline)) void cordi_wait_enter(struct cord_task *self, struct cordi_waiter *node,
                                                                   int cancellable, const char *what, bool at_bit)
{
    uint64_t number = (atomic_load_explicit(&self->wait, memory_order_relaxed) >> CORDI_WAIT_BITS) + 1;
    bool firm = cancellable == CORDI_UNCANCELLABLE || self->shielded > 0;
    cordi_list_init(&node->link);
    node->task = self;
    node->loop = self->loop;
    node->number = number;
    node->item = NULL;
    self->winner = NULL;
    __atomic_store_n(&self->waits_for, what, __ATOMIC_RELAXED); /* records.c reads it from other threads */
    uint64_t wait = number << CORDI_WAIT_BITS | (uint64_t)(firm ? CORDI_WAITING_FIRM : CORDI_WAITING);
    if (CORDI_ALONE ? self->loop != NULL : CORDI_CHANGES_ARE_FENCES && at_bit)
        atomic_store_explicit(&self->wait, wait, memory_order_release);
    else
        atomic_store(&self->wait, wait);
    if (!firm && !at_bit && atomic_load(&self->cancelled))
        (void)cordi_wait_end(self, CORDI_ENDED_ITSELF);
}

static inline bool cordi_wait_was_woken(const struct cord_task *self)
{
    return cordi_wait_state(atomic_load_explicit(&self->wait, memory_order_relaxed)) == CORDI_WOKEN;
}

/* cordi_waiter_claim() */
static inline bool cordi_wait_win(struct cordi_waiter *node)
{
    struct cord_task *task = node->task;
    if (node->loop != NULL)
        cordi_word_expect(&node->loop->inbox.last); /* now, and not after the next line has come */
    cordi_word_expect(&task->wait);
    if (!cordi_wait_leave(task, node->number, CORDI_WOKEN, true))
        return false;
    task->winner = node;
    return true;
}

/* Over already, or cancelled when its wait could not be seen yet: then the task ends it, unless it is claimed. */
static inline bool cordi_wait_over_or_late(struct cord_task *self)
{
    int state = cordi_wait_state(atomic_load(&self->wait));
    return state == CORDI_ENDED_ITSELF || (__builtin_expect(atomic_load(&self->cancelled) != 0, 0) &&
                                           state == CORDI_WAITING && cordi_wait_end(self, CORDI_ENDED_ITSELF));
}

/* cordi_park() */
static inline int cordi_wait_park(struct cord_task *self, cord_deadline deadline)
{
    if (__builtin_expect(cordi_wait_over_or_late(self), 0))
        return cordi_wait_result(self);
    if (self->loop != NULL)
        return cordi_loop_park(self, deadline);
    (void)cordi_thread_park(self, NULL, 0, deadline);
    return cordi_wait_result(self);
}

/* cordi_wake(), within a section */
static inline void cordi_wait_wake(struct cord_task *task)
{
    if (task->loop != NULL)
        cordi_loop_wake(task);
    else
        cordi_thread_wake(task);
}

/* cordi_wake_list(), within a section */
static inline void cordi_wait_wake_all(struct cordi_list *claimed)
{
    struct cordi_list *item;
    while ((item = cordi_list_pop(claimed)) != NULL)
        cordi_wait_wake(CORDI_ITEM(item, struct cordi_waiter, link)->task);
}

/* cordi_task_end(), within a section. True: nobody will ask how it ended, so a failure is the caller's to log. */
static inline bool cordi_task_end_in_section(struct cord_task *task)
{
    if (task->group != NULL)
        cordi_group_ended(task->group, task);
    cordi_spin_begin(&task->end, CORDI_END_SPIN);
    bool orphan = task->orphan && task->group == NULL;
    for (struct cordi_list *item = task->joiners.next, *next; item != &task->joiners; item = next) {
        next = item->next;
        if (!cordi_wait_win(CORDI_ITEM(item, struct cordi_waiter, link)))
            cordi_list_remove(item); /* it is on its way out */
    }
    atomic_store_explicit(&task->end, CORDI_ENDED, memory_order_release); /* lets the bit go; nobody enters any more */
    cordi_wait_wake_all(&task->joiners);
    return orphan;
}

#endif
