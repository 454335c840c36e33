/* rt/park.c - the state machine of a wait; park.h has the protocol and its invariant, wait.h the parts that are inline.
 *
 * No system call is made here: how a task sleeps is the loop's (coroutines) or the thread's business.
 */
#include "rt/park.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "rt/loop.h"
#include "rt/task.h"
#include "rt/wait.h"
#include "sys/proc.h"

_Thread_local struct cordi_section cordi_section __attribute__((tls_model("initial-exec")));

void cordi_section_finish(void)
{
    uint64_t late = atomic_exchange(&cordi_section.late, 0);
    if (late != 0)
        cordi_section.finish(late);
}

bool cordi_wait_end(struct cord_task *self, int state)
{
    return cordi_wait_leave(self, atomic_load(&self->wait) >> CORDI_WAIT_BITS, state, true);
}

bool cordi_wait_claim(void)
{
    return cordi_wait_end(cordi_task_self(), CORDI_ENDED_ITSELF);
}

bool cordi_wait_is_on(const struct cord_task *task)
{
    return cordi_wait_on(atomic_load(&task->wait));
}

bool cordi_wait_over(const struct cord_task *self)
{
    return cordi_wait_state(atomic_load(&self->wait)) == CORDI_ENDED_ITSELF;
}

bool cordi_self_cancelled(void)
{
    return cordi_task_cancelled(cordi_task_self());
}

static __attribute__((noinline)) void begin_rarely(struct cordi_waiter *node, int cancellable, const char *what,
                                                   bool at_bit)
{
    struct cord_task *self = cordi_task_self();
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_debug_wait_begins(self);
    cordi_wait_enter(self, node, cancellable, what, at_bit);
}

/* In two, so that the usual way makes no call and saves no registers. */
void cordi_wait_begin(struct cordi_waiter *node, int cancellable, const char *what)
{
    struct cord_task *self = cordi_thread()->current;
    if (self == NULL || cordi_debug(CORDI_DEBUG_DUMP))
        begin_rarely(node, cancellable, what, false);
    else
        cordi_wait_enter(self, node, cancellable, what, false);
}

void cordi_wait_begin_at_bit(struct cordi_waiter *node, int cancellable, const char *what)
{
    struct cord_task *self = cordi_thread()->current;
    if (self == NULL || cordi_debug(CORDI_DEBUG_DUMP))
        begin_rarely(node, cancellable, what, true);
    else
        cordi_wait_enter(self, node, cancellable, what, true);
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
    return cordi_wait_win(node);
}

struct cordi_waiter *cordi_wait_winner(void)
{
    return cordi_task_self()->winner;
}

int cordi_wait_result(struct cord_task *self)
{
    switch (cordi_wait_state(atomic_load(&self->wait))) {
    case CORDI_WOKEN:
        return 0;
    case CORDI_TIMED_OUT:
        return cordi_fail(-ETIMEDOUT, "timed out waiting for %s", self->waits_for);
    default:
        return cordi_fail(-ECANCELED, "cancelled while waiting for %s", self->waits_for);
    }
}

int cordi_park(cord_deadline deadline)
{
    return cordi_wait_park(cordi_task_self(), deadline);
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

void cordi_wake(struct cord_task *task)
{
    cordi_section_begin();
    cordi_wait_wake(task);
    cordi_section_end();
}

void cordi_wake_list_end_section(struct cordi_list *claimed)
{
    cordi_wait_wake_all(claimed);
    cordi_section_end();
}

void cordi_wake_list(struct cordi_list *claimed)
{
    cordi_section_begin();
    cordi_wake_list_end_section(claimed);
}

void cordi_pause(unsigned turns)
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
    cordi_pause(128u << (*looks)++);
    return true;
}

/* Whoever holds the bit has a few instructions to go, unless it lost its CPU: then spinning only delays it. */
void cordi_spin_wait(_Atomic uint64_t *word, uint64_t bit)
{
    unsigned spins = 0;
    do
        while (atomic_load_explicit(word, memory_order_relaxed) & bit) {
            cordi_pause(64);
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
    if (cordi_wait_state(seen) == CORDI_WAITING &&
        cordi_wait_leave(task, seen >> CORDI_WAIT_BITS, CORDI_WAS_CANCELLED, false))
        cordi_wake(task);
}

void cordi_task_cancel_from_signal(struct cord_task *task)
{
    assert(task->loop == NULL); /* a coroutine's wake is not for signal handlers */
    cord_task_cancel(task);
}
