/* cordage/timer.h - runs a function later, once or again and again.
 *
 * A timer is a task that sleeps: a coroutine of its starter's loop (the background loop where there is none), so it
 * takes no thread of the system. From Python: threading.Timer, which takes one.
 */
#ifndef CORDAGE_TIMER_H
#define CORDAGE_TIMER_H

#include <cordage/task.h>

CORD_BEGIN

typedef struct cord_timer cord_timer;

typedef struct {
    uint32_t size;          /* 0: the layout of this version */
    cord_span after;        /* from now until the function runs; 0 or less: at once */
    cord_span every;        /* then again at after + every, after + 2 * every ...; 0: once. A time that has passed while
                               the function ran is left out */
    cord_task_options task; /* how the function runs: .kind, .name, .stack_size. With .daemon, or started without ret,
                               the end of cord_run() cancels it; else that waits for it */
} cord_timer_options;

/* Starts it; arg and arg_size as for cord_task_start(). A function that answers below 0 ends a timer that repeats.
 * Any task. Fails: as cord_task_start(). */
CORD_API CORD_MUST_CHECK int cord_timer_start(cord_timer **ret, cord_fn *fn, const void *arg, size_t arg_size,
                                              const cord_timer_options *options);

/* What became of it. CANCELLED: it will not run (again), and does not now. RUNNING: it runs, and not again after that.
 * FIRED: it had run for the last time already. */
typedef enum { CORD_TIMER_CANCELLED = 0, CORD_TIMER_RUNNING, CORD_TIMER_FIRED } cord_timer_end;

/* Calls it off. Does not wait and does not cancel a function that runs. Any thread. Python: Timer.cancel. */
CORD_API cord_timer_end cord_timer_cancel(cord_timer *timer);

/* Waits until it will not run any more: what the function answered last, 0 if it never ran. Python: Timer.join.
 * Fails: -ETIMEDOUT, -EAGAIN, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_timer_join(cord_timer *timer, cord_deadline deadline);

/* How often the function was begun. */
CORD_API uint64_t cord_timer_runs(const cord_timer *timer);

/* Drops the handle, NULL is allowed. Neither waits nor stops the timer. */
CORD_API void cord_timer_free(cord_timer *timer);

CORD_END

#endif
