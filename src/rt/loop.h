/* rt/loop.h - a loop: an OS thread that drives coroutines.
 *
 * A turn takes in what other threads sent, fires timers and resumes coroutines until none is ready or the scheduler has
 * something to do: after every 8 of them it is looked whether something was sent, and now and then, so that it
 * costs nothing that counts, what the clock says (see look_at_clock() in loop.c). So turns of short resumes are long,
 * and of long ones short. Between turns it looks at the backend, and sleeps when nothing is ready.
 * Coroutines of one loop hand over to each other directly; the scheduler itself runs on the thread's own stack and is
 * switched to at the end of a turn.
 *
 * Other threads wake a coroutine by sending it to the loop's inbox: see inbox.h.
 */
#ifndef CORDI_RT_LOOP_H
#define CORDI_RT_LOOP_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "rt/backend.h"
#include "rt/debug.h"
#include "rt/inbox.h"
#include "rt/task.h"
#include "sys/ctx.h"
#include "sys/stack.h"

struct cordi_team;

struct cordi_loop {
    struct cordi_list ready; /* coroutines that can go on, first come first served */
    struct cordi_list tasks; /* all of its coroutines */
    struct cordi_heap timers;
    unsigned budget;        /* resumes left until the next look */
    unsigned looks;         /* left until the next one at the clock */
    unsigned span;          /* of looks, from one at the clock to the next */
    unsigned resumed;       /* since the last look at the backend, about */
    int64_t clock;          /* what it said last */
    int64_t looked;         /* the clock at the last look at the backend, or somewhat earlier; 0: not known yet */
    int64_t spin;           /* how long it may look for work before it sleeps */
    int64_t spin_now;       /* and does, as long as that pays */
    unsigned outside;       /* coroutines that wait for a descriptor */
    unsigned quiet;         /* sleeps in a row that brought nothing, while only a task could wake a task; 2: more */
    bool called;            /* the backend has seen that wake_fd was written: somebody wants the loop to look */
    bool forsaken;          /* its coroutines can never go on */
    uint32_t id;            /* never used again; what a descriptor's registration names */
    struct cordi_ctx ctx;   /* the scheduler */
    struct cord_task *host; /* the thread's own task; its wake_fd ends the loop's sleep */
    struct cordi_thread *thread; /* that drives it */
    int thread_id;               /* its number in the kernel */
    struct cord_task *leaving;   /* has ended; its stack is free once another one runs */
    void (*on_host)(void *);     /* to be run on the thread's stack, for `caller` */
    void *on_host_arg;
    struct cord_task *caller;
    struct cordi_stack alternate;    /* of the thread, for the report of an overflow */
    struct cordi_stack_cache stacks; /* of coroutines that were freed on this thread */
    struct cordi_list kept;          /* blocks of such coroutines, with their stacks, by `link`; coroutine.c's */
    unsigned keep;                   /* how many more it would keep */
    const struct cordi_backend *backend;
    void *state;             /* the backend's */
    struct cordi_list link;  /* in the runtime's list */
    struct cordi_team *team; /* the loops of its run, when it has several */

    _Atomic uint64_t alive; /* coroutines started and not ended */
    _Atomic uint32_t taken; /* of these, from the team; written by the loop */
    struct cordi_loop_debug debug;
    struct cordi_inbox inbox; /* from other threads: tasks to make ready, by `link` */
};

int cordi_loop_open(struct cordi_loop *loop);
void cordi_loop_close(struct cordi_loop *loop);

/* Turns until no coroutine is alive and stay(arg), called each turn, is false; or until the loop is forsaken. */
void cordi_loop_run(struct cordi_loop *loop, bool (*stay)(void *arg), void *arg);

/* The calling coroutine: suspends it until its wait is over, and answers how; until it is woken; lets others go first;
 * ends it, and answers who goes on. */
int cordi_loop_park(struct cord_task *self, cord_deadline deadline);
void cordi_loop_suspend(struct cord_task *self);
int cordi_loop_yield(struct cord_task *self); /* 0 */
struct cordi_ctx *cordi_loop_leave(struct cord_task *self);

/* Makes a coroutine runnable. Any thread, within a section; one that does not drive its loop sends it there. */
void cordi_loop_send(struct cord_task *task);
static inline void cordi_loop_wake(struct cord_task *task)
{
    if (cordi_thread()->loop == task->loop)
        cordi_list_append(&task->loop->ready, &task->link);
    else
        cordi_loop_send(task);
}

/* Around a backend's call to the kernel: a signal handler meets no lists that are being changed, and what it wakes goes
 * to the inbox, which ends the sleep. */
static inline void cordi_loop_sleeps(struct cordi_loop *loop)
{
    loop->thread->loop = NULL;
    cordi_section_end();
}
static inline void cordi_loop_awake(struct cordi_loop *loop)
{
    cordi_section_begin();
    loop->thread->loop = loop;
}

/* Runs fn(arg) on the thread's own stack, as the calling coroutine: for what needs more stack, and for fork. In a
 * thread it is a plain call. */
void cordi_loop_on_host(void (*fn)(void *), void *arg);

/* Starts a coroutine from a plain thread, on the background loop; that is made when needed, and ends when it has had no
 * coroutines for a while. */
int cordi_background_start(struct cord_task *task);

/* Takes the coroutines of a forsaken loop to where nobody resumes them, whoever wakes them: the loop may end. */
void cordi_loop_forsake(struct cordi_loop *loop);

/* In a forked child: the loops of the parent are not its own. */
void cordi_loops_after_fork(void);

#endif
