/* sync/timer.c - a timer is a coroutine that waits for an event, with the time as its deadline, and then runs the
 * function: in place, or as a thread or process that it joins. So what a timer does with loops, cancelling and the end
 * of cord_run() is what any coroutine does, and it costs a page of memory.
 *
 * One word says how it stands, and each change is one compare-and-swap:
 *
 *     ARMED -> RUNNING                   the coroutine, when the time has come: the function will run
 *     ARMED -> CANCELLED                 cord_timer_cancel(), or the coroutine when its task was cancelled; the end
 *     RUNNING -> ARMED, FIRED            the coroutine, when the function has answered: there is a next time or not
 *     RUNNING -> RUNNING_LAST -> FIRED   cord_timer_cancel(); then the coroutine
 *
 * INVARIANT: only the coroutine leaves RUNNING and RUNNING_LAST, and it runs the function only between entering the one
 * and leaving them. So what a cancel answers is what happens. The event only ends the sleep early.
 *
 * A table of timers in one task was rejected: the loop has a heap of deadlines already, and a function that waits would
 * hold up the other timers.
 */
#include <cordage/timer.h>

#include <cordage/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/park.h"
#include "sys/shm.h"

enum { ARMED, RUNNING, RUNNING_LAST, CANCELLED, FIRED };

struct cord_timer {
    _Atomic uint32_t state;
    _Atomic uint32_t references; /* the handle, the coroutine */
    _Atomic uint64_t runs;       /* begun; by the coroutine */
    cord_event called_off;
    cord_task *task; /* the coroutine; NULL: without a handle */
    cord_fn *fn;
    void *arg;
    size_t arg_size;
    int64_t first; /* when */
    cord_span every;
    cord_task_options options;
    char name[32];                     /* of these */
    _Alignas(max_align_t) char copy[]; /* of the argument */
};

static void drop(cord_timer *timer)
{
    if (atomic_fetch_sub(&timer->references, 1) == 1)
        free(timer);
}

static bool change(cord_timer *timer, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&timer->state, &from, to);
}

/* --- one run --- */

static int join(void *task)
{
    return cord_task_join(task, CORD_FOREVER, NULL);
}

static int answer_of(cord_task *task)
{
    cord_outcome outcome;
    (void)cord_task_status(task, &outcome);
    if (outcome.how == CORD_SIGNALED)
        outcome.value = -EOWNERDEAD;
    return outcome.value < 0 ? cordi_fail(outcome.value, "%s", outcome.error) : outcome.value;
}

/* As a task of its own. The timer waits for it, so that a thread may work on the timer's own copy. */
static int run_elsewhere(cord_timer *timer)
{
    cord_task *task;
    bool copied = timer->options.kind == CORD_PROCESS;
    int rc = cord_task_start(&task, timer->fn, timer->arg, copied ? timer->arg_size : 0, &timer->options);
    if (rc < 0)
        return rc;
    if (join(task) < 0) { /* the timer's task was cancelled */
        cord_task_cancel(task);
        (void)cord_shield(join, task);
    }
    rc = answer_of(task);
    cord_task_free(task);
    return rc;
}

static int run_once(cord_timer *timer)
{
    atomic_fetch_add(&timer->runs, 1);
    bool here = timer->options.kind == CORD_COROUTINE || timer->options.kind == CORD_SERIAL;
    return here ? timer->fn(timer->arg) : run_elsewhere(timer);
}

/* --- the coroutine --- */

/* The first place of the grid after `at` that has not passed. */
static int64_t next_after(const cord_timer *timer, int64_t at)
{
    int64_t late = cord_now() - at, next;
    int64_t steps = late > 0 ? late / timer->every + 1 : 1;
    if (__builtin_mul_overflow(steps, timer->every, &steps) || __builtin_add_overflow(at, steps, &next))
        return INT64_MAX;
    return next;
}

static int run(void *arg)
{
    cord_timer *timer = arg;
    int64_t at = timer->first;
    int rc = 0;
    for (;;) {
        if (cord_event_wait(&timer->called_off, (cord_deadline){ at }) != -ETIMEDOUT) {
            (void)change(timer, ARMED, CANCELLED); /* unless that is what ended the wait */
            break;
        }
        if (!change(timer, ARMED, RUNNING))
            break;
        rc = run_once(timer);
        if (timer->every <= 0 || rc < 0 || !change(timer, RUNNING, ARMED)) {
            atomic_store(&timer->state, FIRED);
            break;
        }
        at = next_after(timer, at);
    }
    drop(timer);
    return rc;
}

/* --- the calls --- */

static cord_timer *timer_new(cord_fn *fn, const void *arg, size_t arg_size, const cord_timer_options *options)
{
    cord_timer *timer = arg_size < SIZE_MAX / 2 ? calloc(1, sizeof *timer + arg_size) : NULL;
    if (timer == NULL)
        return NULL;
    timer->fn = fn;
    timer->arg_size = arg_size;
    timer->first = cord_in(options->after > 0 ? options->after : 0).at;
    timer->every = options->every;
    timer->options = options->task;
    if (options->task.name != NULL) {
        snprintf(timer->name, sizeof timer->name, "%s", options->task.name);
        timer->options.name = timer->name;
    }
    memcpy(&timer->arg, &arg, sizeof arg);
    if (arg_size > 0)
        timer->arg = memcpy(timer->copy, arg, arg_size);
    return timer;
}

/* A coroutine whatever the function runs as; the size of the stack is for the latter. */
static cord_task_options coroutine_options(const cord_task_options *task, bool daemon)
{
    cord_task_options options = *task;
    if (options.kind == CORD_THREAD || options.kind == CORD_PROCESS)
        options.stack_size = 0;
    options.kind = CORD_COROUTINE;
    options.daemon = options.daemon || daemon;
    return options;
}

int cord_timer_start(cord_timer **ret, cord_fn *fn, const void *arg, size_t arg_size, const cord_timer_options *given)
{
    static const cord_timer_options defaults;
    const cord_timer_options *options = given != NULL ? given : &defaults;
    if ((unsigned)options->task.kind > CORD_SERIAL)
        return cordi_fail(-EINVAL, "no such kind of task: %d", (int)options->task.kind);
    if (options->task.kind == CORD_PROCESS && arg != NULL && arg_size == 0 && !cordi_shm_contains(arg))
        return cordi_fail(-EINVAL, "a process cannot be given a pointer of this one: pass the size to have it copied, "
                                   "or memory from cord_shared_new()");
    cord_timer *timer = timer_new(fn, arg, arg_size, options);
    if (timer == NULL)
        return cordi_fail_code(-ENOMEM, "a timer");
    atomic_init(&timer->references, ret != NULL ? 2 : 1);
    cord_task_options how = coroutine_options(&options->task, ret == NULL);
    int rc = cord_task_start(ret != NULL ? &timer->task : NULL, run, timer, 0, &how);
    if (rc < 0)
        free(timer);
    else if (ret != NULL)
        *ret = timer;
    return rc;
}

cord_timer_end cord_timer_cancel(cord_timer *timer)
{
    uint32_t seen = atomic_load(&timer->state);
    while ((seen == ARMED || seen == RUNNING) &&
           !atomic_compare_exchange_weak(&timer->state, &seen, seen == ARMED ? CANCELLED : RUNNING_LAST)) {
    }
    cord_event_set(&timer->called_off);
    if (seen == ARMED || seen == CANCELLED)
        return CORD_TIMER_CANCELLED;
    return seen == FIRED ? CORD_TIMER_FIRED : CORD_TIMER_RUNNING;
}

int cord_timer_join(cord_timer *timer, cord_deadline deadline)
{
    int rc = cord_task_join(timer->task, deadline, NULL);
    return rc < 0 ? rc : answer_of(timer->task);
}

uint64_t cord_timer_runs(const cord_timer *timer)
{
    return atomic_load(&timer->runs);
}

void cord_timer_free(cord_timer *timer)
{
    if (timer == NULL)
        return;
    cord_task_free(timer->task);
    drop(timer);
}
