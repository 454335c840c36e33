/* rt/park.h - park and wake: the one primitive under every lock, queue and I/O wait.
 *
 * THE PROTOCOL
 *   waiter                                        waker
 *   1 cordi_wait_begin()                          1 take the object's spin bit
 *   2 take the object's spin bit, look again,     2 for a listed waiter: unlink, cordi_waiter_claim()
 *     link the waiter node, let the bit go        3 let the bit go
 *   3 cordi_park(deadline)                        4 cordi_wake() each task whose claim was won
 *   4 rc < 0: take the bit, unlink if linked
 * or, when step 2 finds that there is nothing to wait for: cordi_wait_abandon() in place of 2-4.
 * Who does 2 right after 1 may use cordi_wait_begin_at_bit(), which leaves it to the bit to make the wait visible.
 *
 * THE INVARIANT. A task waits for at most one thing at a time (of several objects: one of them). Each wait has a
 * number; {number, state} is one word in the task, and the state leaves WAITING exactly once, by one
 * compare-and-swap: to WOKEN (a waker), TIMED_OUT (its own timer) or CANCELLED. Who wins the claim for WOKEN owes
 * exactly one cordi_wake(), and the task does not go on before that wake has come: so the node on its stack is
 * valid between claim and wake, and the wake is the waker's last touch. A claim lost means the waiter is on its way
 * out and unlinks itself under the spin bit. Several nodes with the same number share one claim: that is select.
 *
 * Nothing here or above knows how a task runs: sync and net see this file, io.h and offload.h of rt, and no more.
 */
#ifndef CORDI_RT_PARK_H
#define CORDI_RT_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/time.h>

#include "base/alone.h"
#include "base/list.h"
#include "rt/debug.h"

struct cord_task;
struct cordi_loop;

/* One wait at one object; lives on the waiting task's stack. */
struct cordi_waiter {
    _Alignas(16) struct cordi_list link; /* the object's list, under the object's spin bit; self-linked when in none */
    struct cord_task *task;              /* who waits */
    struct cordi_loop *loop;             /* and where, if it is a coroutine */
    uint64_t number;                     /* of the wait */
    void *item; /* the object's own use: where a value goes, or a flag of the waker to the waiter */
};

enum { CORDI_CANCELLABLE = 0, CORDI_UNCANCELLABLE = 1 };

/* Starts a wait and fills the first node of it. what: a word for reports ("lock"), static.
 * A task that is cancelled already is claimed at once, so that park answers -ECANCELED. */
void cordi_wait_begin(struct cordi_waiter *node, int cancellable, const char *what);

/* The same for who takes the object's spin bit next, and then parks by cordi_park(): a locked instruction less. */
void cordi_wait_begin_at_bit(struct cordi_waiter *node, int cancellable, const char *what);

/* For reports, during the wait: it is for the lock whose holder that word names (a task's address, 0: not known). With
 * NULL the wait is over, and the word may go. */
void cordi_wait_note_lock(const uint64_t *owner);

/* A further node of the wait that `first` began. */
void cordi_wait_join(struct cordi_waiter *node, const struct cordi_waiter *first);

/* Suspends until woken. 0, -ETIMEDOUT, -ECANCELED. CORD_NOWAIT is not for here. After 0, *cordi_wait_winner() is the
 * node that was claimed. */
int cordi_park(cord_deadline deadline);
struct cordi_waiter *cordi_wait_winner(void);

/* Ends a wait that was begun and is not needed. The node must be in no list. A further node of the wait may be in one,
 * and may have been claimed meanwhile: then it is *cordi_wait_winner(), and what it was given is to be passed on. */
void cordi_wait_abandon(void);

/* The waiting task ends its own wait, to use an object that can be used: true, unless somebody has claimed it before,
 * which cordi_park() then tells. Under the object's spin bit, before anything is taken from it; after it neither park
 * nor abandon. So a task with further nodes in lists takes from one object or is given something by one, never both. */
bool cordi_wait_claim(void);

/* For the waker, under the object's spin bit: true when the wait was won; then cordi_wake(task) is owed. The node
 * must be unlinked by the caller. The task is read before, since the node is the waiter's again once woken. */
bool cordi_waiter_claim(struct cordi_waiter *node);
void cordi_wake(struct cord_task *task);

/* Wakes waiters that the caller has claimed and moved to a list of its own; he holds no spin bit. */
void cordi_wake_list(struct cordi_list *claimed);
void cordi_wake_list_end_section(struct cordi_list *claimed); /* of who is in a section (below), which then ends */

/* For select: whether a task has ended. try: 0; else -EAGAIN, and the node, if there is one, is among those who are
 * told of the end, unless its wait was claimed before. With a node, a try that answers 0 has ended the wait by
 * cordi_wait_claim(). leave: harmless for a node that is not linked. */
int cordi_task_end_try(struct cord_task *task, struct cordi_waiter *node);
void cordi_task_end_leave(struct cord_task *task, struct cordi_waiter *node);

/* The calling task, for objects that note an owner, and whether it was cancelled (its next cancellable wait fails). */
struct cord_task *cordi_self(void);
bool cordi_self_cancelled(void);

static inline cord_deadline cordi_earlier(cord_deadline a, cord_deadline b)
{
    if (a.at == 0 || b.at == 0)
        return a.at == 0 ? b : a;
    return a.at < b.at ? a : b;
}

/* What cord_socket_sent() tells the calling task. */
size_t *cordi_self_sent(void);

/* What a failing call leaves for cord_error_detail(); answers rc. The other adds ": " and the code's words. */
int cordi_fail(int rc, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cordi_fail_code(int rc, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence of the calling task's last failure if that was rc, else rc's words. */
const char *cordi_detail(int rc);

/* One line for the log (run.h). */
void cordi_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sections that a signal handler of the same thread must not meet: of lists that cord_event_set() and
 * cord_sem_release() change, which may be called there. Within one they postpone what they were to do, and its end does
 * it. Every thread that drives a loop is in a section while the scheduler runs, and a switch between coroutines lies
 * within one. */
struct cordi_section {
    uint32_t depth;
    _Atomic uint64_t late;         /* what was postponed; see sync/late.c */
    void (*finish)(uint64_t late); /* does it */
};
extern _Thread_local struct cordi_section cordi_section __attribute__((tls_model("initial-exec")));
void cordi_section_finish(void);

#ifndef CORDI_SECTIONS
#define CORDI_SECTIONS true /* false in tests/interleave, whose tasks are not of one thread each */
#endif

static inline bool cordi_in_section(void)
{
    return CORDI_SECTIONS && cordi_section.depth != 0;
}
static inline void cordi_section_begin(void)
{
    if (!CORDI_SECTIONS)
        return;
    cordi_section.depth++;
    atomic_signal_fence(memory_order_seq_cst);
}
static inline void cordi_section_end(void)
{
    if (!CORDI_SECTIONS)
        return;
    atomic_signal_fence(memory_order_seq_cst);
    uint32_t depth = --cordi_section.depth;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(atomic_load_explicit(&cordi_section.late, memory_order_relaxed) != 0, 0) && depth == 0)
        cordi_section_finish();
}

/* For who would have to wait: a while before it looks again, a little longer each time, a few microseconds in all. To
 * end the sleep of a CPU takes longer than most holders and partners do; and who looks all the time takes from them the
 * cache line that they work on. False: enough, or other coroutines of the thread can run meanwhile, unless this one is
 * to wait even so. Begin with 0 looks. */
bool cordi_look_again(unsigned *looks, bool in_a_coroutine_too);

/* So many of the processor's pauses, of some 10 to 40 ns each. */
void cordi_pause(unsigned turns);

/* A bit of a word as a short lock: spins, then lets the others of this CPU run. */
void cordi_spin_wait(_Atomic uint64_t *word, uint64_t bit);
static inline void cordi_spin_lock(_Atomic uint64_t *word, uint64_t bit)
{
    if (cordi_word_or(word, bit) & bit)
        cordi_spin_wait(word, bit);
}
/* The same for a section that starts no thread and lets the bit go by a store of the whole word: while the process has
 * one thread there is nobody to lock out. */
static inline void cordi_spin_begin(_Atomic uint64_t *word, uint64_t bit)
{
    if (!CORDI_ALONE)
        cordi_spin_lock(word, bit);
}
static inline void cordi_spin_unlock(_Atomic uint64_t *word, uint64_t bit)
{
    (void)cordi_word_and(word, ~bit);
}

#endif
