/* rt/task.h - the control block of a task, of any kind; rt's own.
 *
 * A coroutine's block lies at the top of its stack, so that a parked one costs one page. A thread's is on the heap, a
 * foreign thread's in its thread-local storage. A process's lies in memory that parent and child share: the child runs
 * on it like a thread on its own block, and the parent cancels it there as it cancels a thread.
 *
 * Lifetime: `references` counts the handle and the run itself; who drops the last one frees the block.
 */
#ifndef CORDI_RT_TASK_H
#define CORDI_RT_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cordage/task.h>

#include "base/alone.h"
#include "base/heap.h"
#include "base/list.h"
#include "rt/debug.h"
#include "rt/group.h"
#include "rt/park.h"
#include "sys/ctx.h"
#include "sys/stack.h"

struct cordi_loop;
struct cord_group;

/* The low bits of cord_task.wait; above them is the number of the wait. */
enum {
    CORDI_WOKEN = 0,        /* claimed by a waker (or no wait is on): one cordi_wake() is owed or has come */
    CORDI_WAITING = 1,      /* and may be cancelled */
    CORDI_WAITING_FIRM = 2, /* and may not */
    CORDI_TIMED_OUT = 3,
    CORDI_WAS_CANCELLED = 4, /* claimed by cord_task_cancel(): one wake is owed */
    CORDI_ENDED_ITSELF = 5,  /* claimed by the waiting task: nobody owes a wake */
    CORDI_WAIT_BITS = 3
};

/* cord_task.permit: how a task that has a thread of its own sleeps. */
enum { CORDI_AWAKE = 0, CORDI_PERMIT, CORDI_IN_FUTEX, CORDI_IN_POLL, CORDI_IN_LOOP, CORDI_WRITTEN };

/* cord_task.end: its spin bit, and whether it has ended. */
#define CORDI_END_SPIN ((uint64_t)1)
#define CORDI_ENDED ((uint64_t)2)

struct cord_task {
    /* What every wait needs comes first: two cache lines. */
    struct cordi_list link;      /* run queue or inbox of its loop; the list of threads and processes */
    _Atomic uint64_t wait;       /* number and state of its wait */
    struct cordi_waiter *winner; /* the node that was claimed; by the claimer, before the wake */
    struct cordi_loop *loop;     /* a coroutine's; NULL: it has a thread of its own */
    struct cordi_ctx ctx;
    const char *waits_for;        /* a word for reports; written by the task, read by all */
    struct cordi_heap_node timer; /* of its wait, in its loop's heap */
    int wake_fd;                  /* eventfd that ends its poll(2), and its loop's sleep; -1 until needed */
    uint8_t kind;
    bool shared, adopted;
    bool usual; /* a coroutine's stack: of the default size, with a guard */

    /* Zeroed at each start, up to `block`; what is before and behind that stays as it is when a coroutine's block is
     * used for another one. */
    _Atomic uint32_t cancelled;
    uint32_t shielded;          /* depth of cord_shield() */
    uint32_t ready_streak;      /* I/O calls that did not wait, since the last one that did */
    _Atomic uint32_t permit;    /* see above; a futex word */
    size_t sent;                /* cord_socket_sent() */
    struct cordi_local *locals; /* its values of local.h, by itself */
    _Atomic uint64_t end;       /* see above */
    struct cord_group *group;   /* told of its end */
    const uint64_t *lock_owner; /* while it waits for a lock: the word that names who holds it; else NULL */
    struct cordi_wait_note note;
    uint32_t result_used;
    _Atomic uint32_t left; /* a process: its function has answered `value` */
    cord_how how;          /* the outcome, once ended */
    int value;
    int detail_code; /* the answer that detail belongs to */
    bool roamed;     /* a coroutine that its loop took from the team */
    bool orphan;     /* nobody holds its handle: its failure is logged; under end's spin bit */
    _Atomic bool joined;

    void *block; /* what to free, or unmap when shared */
    cord_fn *fn;
    void *arg;
    void *result; /* result_size bytes */
    _Atomic uint64_t references;
    uint64_t root;          /* the cord_run() it was started under, 0: none */
    const void *started_at; /* the return address of the call that started it; NULL: an adopted thread */
    uint32_t result_size;
    uint32_t number; /* its name is made of it when asked for; 0: it has one */
    bool daemon;
    bool sheltered;            /* see cord_task_options, and whose starter was */
    struct cordi_list peers;   /* all coroutines of its loop */
    struct cordi_list joiners; /* waiters, under end's spin bit */
    struct cordi_list sibling; /* in the group's list, under its spin bit */
    struct cordi_stack stack;  /* of a thread or a process: a place in it, and the size that was asked for */
    int pid, pidfd;            /* a process's */
    _Atomic int thread_id;     /* of a task with a thread of its own, while it runs */
    char name[32];             /* from here on not zeroed when a block is made */
    char detail[160];
};

/* The calling thread. */
struct cordi_thread {
    struct cord_task *current;
    struct cordi_loop *loop; /* that this thread drives, or NULL */
    struct cord_task *own;   /* the task that is the thread itself */
};

/* At a fixed place from the thread's pointer, also in a shared library. A compiler may keep its address over a switch:
 * a coroutine that has begun stays on its thread. */
extern _Thread_local struct cordi_thread cordi_this_thread __attribute__((tls_model("initial-exec")));

static inline struct cordi_thread *cordi_thread(void)
{
    return &cordi_this_thread;
}

/* A thread that cordage did not start becomes a task when it first calls. */
struct cord_task *cordi_task_adopt(void);

/* cordi_self(), for rt. */
static inline struct cord_task *cordi_task_self(void)
{
    struct cord_task *current = cordi_this_thread.current;
    return current != NULL ? current : cordi_task_adopt();
}

static inline bool cordi_task_cancelled(const struct cord_task *task)
{
    return atomic_load(&task->cancelled) && task->shielded == 0;
}

static inline uint32_t cordi_task_number(unsigned of) /* among those of its kind, from 1 */
{
    return (uint32_t)cordi_word_add(&cordi_runtime.numbers[of], 1) + 1;
}

/* A block that is made: what no start changes. */
void cordi_task_init(struct cord_task *task, cord_kind kind);
void cordi_task_name_it(struct cord_task *task, const char *name); /* or by its kind and number, with NULL */

/* Of block, argument and result, which follow each other. */
static inline size_t cordi_task_rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

/* A block that is to be used, for the first time or again. What it runs: the argument is copied to place, and behind it
 * is the room for the result. */
static inline void cordi_task_load(struct cord_task *task, cord_fn *fn, void *place, const void *arg, size_t arg_size,
                                   const cord_task_options *options)
{
    enum { FROM = offsetof(struct cord_task, cancelled), TO = offsetof(struct cord_task, block), PIECE = 64 };
    for (size_t at = FROM; at < TO; at += PIECE) /* in place of all of it compilers put what takes 14 ns more */
        memset((char *)task + at, 0, TO - at < PIECE ? TO - at : PIECE);
    task->name[0] = task->detail[0] = '\0';
    if (__builtin_expect(options->name != NULL || task->kind == CORD_PROCESS, 0))
        cordi_task_name_it(task, options->name);
    else
        task->number = cordi_task_number(task->kind);
    task->daemon = options->daemon;
    task->sheltered = options->sheltered;
    atomic_store_explicit(&task->references, 1, memory_order_relaxed);
    task->fn = fn;
    task->arg = arg_size > 0 ? place : (void *)(uintptr_t)arg;
    task->result = (char *)place + cordi_task_rounded(arg_size);
    task->result_size = (uint32_t)options->result_size;
    if (arg_size > 0)
        memcpy(task->arg, arg, arg_size);
}

struct cord_task *cordi_task_new(cord_kind kind, cord_fn *fn, const void *arg, size_t arg_size,
                                 const cord_task_options *options);

void cordi_task_free_block(struct cord_task *task);
static inline void cordi_task_hold(struct cord_task *task)
{
    (void)cordi_word_add(&task->references, 1);
}
static inline void cordi_task_drop(struct cord_task *task)
{
    if (cordi_word_add(&task->references, UINT64_MAX) == 1)
        cordi_task_free_block(task);
}

/* Notes what fn answered in its own block; then, from the loop, thread or watcher that ran it: wakes the joiners, tells
 * the group, logs what nobody will see. The run's reference is the caller's to drop. */
void cordi_task_failed(struct cord_task *task, int rc);
static inline void cordi_task_answer(struct cord_task *task, int rc)
{
    task->value = rc;
    if (rc >= 0) {
        task->how = CORD_RETURNED;
        task->detail[0] = '\0';
    } else
        cordi_task_failed(task, rc);
    atomic_store_explicit(&task->left, 1, memory_order_release);
}
void cordi_task_end(struct cord_task *task);
void cordi_task_log_failure(const struct cord_task *task); /* if it has failed */

/* What each kind does with a filled block, as that task: calls fn, ends its local values, notes the answer. */
void cordi_locals_end(struct cord_task *self);
static inline void cordi_task_run(struct cord_task *task)
{
    int rc = task->fn(task->arg);
    if (__builtin_expect(task->locals != NULL, 0))
        cordi_locals_end(task);
    cordi_task_answer(task, rc);
}

/* A loaded block gets who started it, to be started then. handle: it has one; alone: it is in no group. */
static inline void cordi_task_hand_over(struct cord_task *task, bool handle, bool alone, const void *started_at)
{
    const struct cord_task *self = cordi_task_self();
    task->root = self->root;
    task->started_at = started_at;
    if (self->sheltered)
        task->sheltered = true;
    if (handle)
        atomic_store_explicit(&task->references, 2, memory_order_relaxed); /* of the run and of the handle */
    else {
        task->orphan = true;
        if (alone)
            task->daemon = true;
    }
}

/* Says so and answers rc. task: none yet, or one that was handed over, which is given back; handle: with its handle. */
int cordi_task_cannot_start(int rc, struct cord_task *task, bool handle, const cord_task_options *options);

/* Kinds: each starts a block that was handed over. */
int cordi_coroutine_start(struct cord_task *task, cord_loop where);
int cordi_coroutine_new(struct cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                        const cord_task_options *options);
/* cord_task_start() without options, on a thread that drives a loop: all of it in one, as this is what programs do
 * most. */
int cordi_coroutine_launch(struct cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                           const void *started_at);
void cordi_coroutine_start_on(struct cordi_loop *loop, struct cord_task *task); /* a loop of the caller's run */
int cordi_thread_start(struct cord_task *task, size_t stack_size);
int cordi_process_start(struct cord_task *task);
void cordi_coroutine_free(struct cord_task *task);    /* or keeps it for the next one */
void cordi_coroutine_keep(struct cordi_loop *loop);   /* it begins to do so */
void cordi_coroutine_forget(struct cordi_loop *loop); /* what it kept */

/* Suspends a task with a thread of its own: in futex(2), or in poll(2) with descriptors of interest (count > 0), whose
 * readiness then ends the wait with 1. */
struct pollfd;
int cordi_thread_park(struct cord_task *self, struct pollfd *fds, unsigned count, cord_deadline deadline);
void cordi_thread_wake(struct cord_task *task);
int cordi_thread_wake_fd(struct cord_task *self); /* makes it when needed; -EMFILE */

/* A thread drives a loop: its own task counts as waiting, so that cancelling it wakes the loop. */
void cordi_thread_loop_begin(struct cord_task *self);
bool cordi_thread_loop_cancelled(const struct cord_task *self);
void cordi_thread_loop_end(struct cord_task *self);

/* The waiting task ends its own wait: true, unless somebody has claimed it and owes a wake. */
bool cordi_wait_end(struct cord_task *self, int state);
bool cordi_wait_over(const struct cord_task *self);  /* already, by itself: cancelled before it began */
bool cordi_wait_is_on(const struct cord_task *task); /* any task's, at this moment */
int cordi_wait_result(struct cord_task *self);

/* From a signal handler. */
void cordi_task_cancel_from_signal(struct cord_task *task);

/* cord_task_start(), and for a member of a group. started_at: for reports, the public call's return address. */
int cordi_task_launch(struct cord_task **ret, struct cord_group *group, cord_fn *fn, const void *arg, size_t arg_size,
                      const cord_task_options *options, const void *started_at);

/* All threads, of others too, and processes that run. */
void cordi_tasks_add(struct cord_task *task);
void cordi_tasks_remove(struct cord_task *task);
void cordi_tasks_each(uint64_t root, void (*visit)(struct cord_task *, void *), void *arg); /* under a spin bit */
void cordi_task_after_fork(void);

#endif
