/* cordage/run.h - a loop of one's own, signals, and calls that block.
 *
 * cord_run() is not needed: any call may block a plain thread. It makes the calling thread the loop, which saves
 * the background loop, waits for the tasks that fn left running, and can take care of Ctrl-C.
 *
 * With .loops above 1 further threads each drive a loop beside the calling one while it runs. A coroutine still runs on
 * its starter's loop, unless it is started with .loop = CORD_LOOP_ANY, as servers and pools of kind coroutine start
 * theirs: it begins on whichever loop has time for it, and stays there. What such tasks share needs a lock.
 *
 * CORD_DEBUG in the environment helps when a program stands still or misbehaves; a list with commas between:
 *   dump    SIGQUIT (Ctrl-\) logs every task: what it waits for and how long, who holds that lock and where it was
 *           taken, where the task was started; the program goes on
 *   turns   a coroutine that kept its loop for more than 100 ms without waiting is logged
 *   stacks  how deep the stacks were used is logged at the end of cord_run()
 */
#ifndef CORDAGE_RUN_H
#define CORDAGE_RUN_H

#include <cordage/task.h>

CORD_BEGIN

typedef enum {
    CORD_SIGNALS_NONE = 0, /* signals stay the program's business */
    CORD_SIGNALS_DEFAULT   /* the first SIGINT or SIGTERM cancels fn's task and all that were started under the run, of
                              every kind (a process that still runs a second later is sent SIGTERM); a second signal
                              ends the process with 130 */
} cord_signals;

typedef struct {
    uint32_t size;        /* 0: the layout of this version */
    cord_signals signals; /* handlers are put back at the end */
    size_t stack_size;    /* for fn, which runs as a coroutine; 0: 256 KiB */
    uint32_t loops;       /* the calling thread and as many more as make this number, at most 256; 0: one */
    cord_span spin;       /* how long a loop looks for work before it sleeps, at most a second; 0: it sleeps at once.
                             50 us take 40 % off a round trip where CPUs are to spare, at the price of a CPU that
                             is busy meanwhile. A loop for which it does not pay soon stops looking */
} cord_run_options;

/* Runs fn as a coroutine of the calling thread's own loop, then cancels the daemons and waits for all other tasks
 * that were started meanwhile (as Python waits for non-daemon threads and processes). fn's answer.
 * Plain threads only. Fails: -EDEADLK (called in a coroutine; or all tasks were asleep and nothing could wake them:
 * each is logged with what it waits for, and cancelled), -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_run(cord_fn *fn, void *arg, const cord_run_options *options);

/* The signal that CORD_SIGNALS_DEFAULT caught, 0 if none. */
CORD_API int cord_run_signal(void);

/* Runs fn(arg) on a helper thread while the calling task waits: for calls that block and know nothing of cordage.
 * With CORD_FOREVER fn works on arg itself and the wait is not a cancellation point. With a deadline arg_size bytes
 * of arg are copied for fn and copied back when it answers in time; a call that is given up runs on unseen.
 * fn's answer. Fails: -ETIMEDOUT, -ECANCELED, -EINVAL (a deadline without arg_size), -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_call_blocking(cord_fn *fn, void *arg, size_t arg_size, cord_deadline deadline);

/* Where the library's own lines go (failures that nobody joined, connections that failed). NULL: stderr. Called from
 * any thread, with one line without its newline. Set it before first use. */
typedef void cord_log_fn(const char *line);
CORD_API void cord_log_set(cord_log_fn *log);

/* "epoll" or "uring": what loops wait with, and in why (or NULL) a sentence of why it was chosen.
 * CORD_BACKEND=epoll|uring in the environment forces one. */
CORD_API const char *cord_backend(char *why, size_t size);

/* The library's version, "0.1.0". */
CORD_API const char *cord_version(void);

CORD_END

#endif
