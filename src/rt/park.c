/* rt/park.c - the state machine of a wait; see park.h for the protocol and its invariant.
 *
 * No system call is made here: how a task sleeps is the loop's (coroutines) or the thread's business. The claim word
 * is one compare-and-swap away from every racing answer:
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
#include "rt/park.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "rt/loop.h"
#include "rt/task.h"
#include "sys/proc.h"

_Thread_local struct cordi_section cordi_section;

void cordi_section_finish(void)
{
    uint64_t late = atomic_exchange(&cordi_section.late, 0);
    if (late != 0)
        cordi_section.finish(late);
}

static int state_of(uint64_t wait)
{
    return (int)(wait & ((1 << CORDI_WAIT_BITS) - 1));
}

static bool waiting(uint64_t wait)
{
    return state_of(wait) == CORDI_WAITING || state_of(wait) == CORDI_WAITING_FIRM;
}

/* The word of a task with a thread of its own is changed by signal handlers, and a process's by its parent. */
static inline __attribute__((always_inline)) bool swap_wait(struct cord_task *task, uint64_t *seen, uint64_t value)
{
    return task->loop != NULL ? cordi_word_swap_at_once(&task->wait, seen, value)
                              : atomic_compare_exchange_weak(&task->wait, seen, value);
}

/* One exit from WAITING; `firm` says whether an uncancellable wait may be left this way. */
static inline __attribute__((always_inline)) bool leave(struct cord_task *task, uint64_t number, int state, bool firm)
{
    uint64_t seen = atomic_load(&task->wait);
    while (seen >> CORDI_WAIT_BITS == number && waiting(seen) && (firm || state_of(seen) == CORDI_WAITING))
        if (swap_wait(task, &seen, number << CORDI_WAIT_BITS | (uint64_t)state))
            return true;
    return false;
}

bool cordi_wait_end(struct cord_task *self, int state)
{
    return leave(self, atomic_load(&self->wait) >> CORDI_WAIT_BITS, state, true);
}

bool cordi_wait_claim(void)
{
    return cordi_wait_end(cordi_task_self(), CORDI_ENDED_ITSELF);
}

bool cordi_wait_is_on(const struct cord_task *task)
{
    return waiting(atomic_load(&task->wait));
}

bool cordi_wait_over(const struct cord_task *self)
{
    return state_of(atomic_load(&self->wait)) == CORDI_ENDED_ITSELF;
}

bool cordi_self_cancelled(void)
{
    return cordi_task_cancelled(cordi_task_self());
}

static inline __attribute__((always_inline)) void begin(struct cord_task *self, struct cordi_waiter *node,
                                                        int cancellable, const char *what, bool at_bit)
{
    uint64_t number = (atomic_load_explicit(&self->wait, memory_order_relaxed) >> CORDI_WAIT_BITS) + 1;
    bool firm = cancellable == CORDI_UNCANCELLABLE || self->shielded > 0;
    cordi_list_init(&node->link);
    node->task = self;
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

static __attribute__((noinline)) void begin_rarely(struct cordi_waiter *node, int cancellable, const char *what,
                                                   bool at_bit)
{
    struct cord_task *self = cordi_task_self();
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_debug_wait_begins(self);
    begin(self, node, cancellable, what, at_bit);
}

/* In two, so that the usual way makes no call and saves no registers. */
void cordi_wait_begin(struct cordi_waiter *node, int cancellable, const char *what)
{
    struct cord_task *self = cordi_thread()->current;
    if (self == NULL || cordi_debug(CORDI_DEBUG_DUMP))
        begin_rarely(node, cancellable, what, false);
    else
        begin(self, node, cancellable, what, false);
}

void cordi_wait_begin_at_bit(struct cordi_waiter *node, int cancellable, const char *what)
{
    struct cord_task *self = cordi_thread()->current;
    if (self == NULL || cordi_debug(CORDI_DEBUG_DUMP))
        begin_rarely(node, cancellable, what, true);
    else
        begin(self, node, cancellable, what, true);
}

void cordi_wait_note_lock(const uint64_t *owner)
{
    struct cord_task *self = cordi_task_self();
    self->lock_owner = owner;
    if (cordi_debug(CORDI_DEBUG_DUMP))
        atomic_store(&self->note.lock, owner);
}

void cordi_wait_join(struct cordi_waiter *node, const struct cordi_waiter *first)
{
    *node = *first;
    cordi_list_init(&node->link);
    node->item = NULL;
}

bool cordi_waiter_claim(struct cordi_waiter *node)
{
    struct cord_task *task = node->task;
    if (!leave(task, node->number, CORDI_WOKEN, true))
        return false;
    task->winner = node;
    return true;
}

struct cordi_waiter *cordi_wait_winner(void)
{
    return cordi_task_self()->winner;
}

int cordi_wait_result(struct cord_task *self)
{
    switch (state_of(atomic_load(&self->wait))) {
    case CORDI_WOKEN:
        return 0;
    case CORDI_TIMED_OUT:
        return cordi_fail(-ETIMEDOUT, "timed out waiting for %s", self->waits_for);
    default:
        return cordi_fail(-ECANCELED, "cancelled while waiting for %s", self->waits_for);
    }
}

/* Cancelled when its wait could not be seen yet: the task ends it, unless it is claimed. */
static inline bool cancelled_late(struct cord_task *self)
{
    return atomic_load(&self->cancelled) && state_of(atomic_load(&self->wait)) == CORDI_WAITING &&
           cordi_wait_end(self, CORDI_ENDED_ITSELF);
}

int cordi_park(cord_deadline deadline)
{
    struct cord_task *self = cordi_task_self();
    if (cordi_wait_over(self) || cancelled_late(self))
        return cordi_wait_result(self);
    if (self->loop != NULL)
        return cordi_loop_park(self, deadline);
    (void)cordi_thread_park(self, NULL, 0, deadline);
    return cordi_wait_result(self);
}

void cordi_wait_abandon(void)
{
    struct cord_task *self = cordi_task_self();
    if (cordi_wait_over(self) || cordi_wait_end(self, CORDI_ENDED_ITSELF))
        return;
    if (self->loop != NULL) /* claimed meanwhile: take the wake that is owed */
        cordi_loop_suspend(self);
    else
        (void)cordi_thread_park(self, NULL, 0, CORD_FOREVER);
}

static inline void wake(struct cord_task *task)
{
    if (task->loop != NULL)
        cordi_loop_wake(task);
    else
        cordi_thread_wake(task);
}

void cordi_wake(struct cord_task *task)
{
    cordi_section_begin();
    wake(task);
    cordi_section_end();
}

void cordi_wake_list_end_section(struct cordi_list *claimed)
{
    struct cordi_list *item;
    while ((item = cordi_list_pop(claimed)) != NULL)
        wake(CORDI_ITEM(item, struct cordi_waiter, link)->task);
    cordi_section_end();
}

void cordi_wake_list(struct cordi_list *claimed)
{
    cordi_section_begin();
    cordi_wake_list_end_section(claimed);
}

static void pause_for(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
#if defined __x86_64__ || defined __i386__
        __builtin_ia32_pause();
#elif defined __aarch64__
        __asm__ volatile("isb" ::: "memory");
#else
        __asm__ volatile("" ::: "memory");
#endif
}

bool cordi_look_again(unsigned *looks, bool in_a_coroutine_too)
{
    enum { LOOKS = 3 };
    if (*looks == LOOKS || cordi_runtime.cpus <= 1 || (!in_a_coroutine_too && cordi_task_self()->loop != NULL))
        return false;
    pause_for(128u << (*looks)++);
    return true;
}

/* Whoever holds the bit has a few instructions to go, unless it lost its CPU: then spinning only delays it. */
void cordi_spin_wait(_Atomic uint64_t *word, uint64_t bit)
{
    unsigned spins = 0;
    do
        while (atomic_load_explicit(word, memory_order_relaxed) & bit) {
            pause_for(64);
            if (++spins % 64 == 0)
                cordi_proc_yield();
        }
    while (atomic_fetch_or_explicit(word, bit, memory_order_acquire) & bit);
}

/* --- cancelling, which is the other claimer --- */

void cord_task_cancel(cord_task *task)
{
    uint64_t seen;
    atomic_store(&task->cancelled, 1);
    seen = atomic_load(&task->wait);
    if (state_of(seen) == CORDI_WAITING && leave(task, seen >> CORDI_WAIT_BITS, CORDI_WAS_CANCELLED, false))
        cordi_wake(task);
}

void cordi_task_cancel_from_signal(struct cord_task *task)
{
    assert(task->loop == NULL); /* a coroutine's wake is not for signal handlers */
    cord_task_cancel(task);
}
