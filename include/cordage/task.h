/* cordage/task.h - tasks of every kind: start, join, cancel.
 *
 * What changes with the kind, and nothing else does:
 *
 *   kind            memory          argument   a crash ends   start+join   choose it for
 *   CORD_COROUTINE  shared          any        the process    ~0.1 us      waiting: sockets, queues, sleep
 *   CORD_THREAD     shared          any        the process    ~20 us       computing; libraries that block
 *   CORD_PROCESS    a copy (fork)   see below  that task      ~500 us      isolation; code that may crash
 *   CORD_SERIAL     shared          any        the process    a call       gdb; one thing at a time
 *
 * A coroutine stays on the loop (the OS thread) it was started on, and runs until it waits or yields, so two
 * coroutines of one loop need no lock for n++. Started from a plain thread, it runs on a background loop that
 * comes with the first of them. Coroutines of different loops (CORD_LOOP_ANY) do need one, as threads do.
 * A process is given NULL, copied bytes or a pointer into shared memory (shared.h) as its argument; any other
 * pointer is -EINVAL.
 *
 * A task that overflows its stack ends the process by SIGSEGV, after a line on stderr with its name, its stack_size and
 * where it was started (unless the program handles SIGSEGV itself). A frame larger than the guard of 64 KiB may miss
 * it. The kernel, given a buffer that reaches into a guard, answers -EFAULT, and nothing is reported.
 *
 * Cancelling is a request, seen at the task's next wait, which answers -ECANCELED, as every later one does
 * until the task ends. Taking a lock is not such a wait. Nothing is ever stopped in the middle.
 */
#ifndef CORDAGE_TASK_H
#define CORDAGE_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/attributes.h>
#include <cordage/time.h>

CORD_BEGIN

typedef enum { CORD_COROUTINE = 0, CORD_THREAD, CORD_PROCESS, CORD_SERIAL } cord_kind;

/* On which loop a coroutine runs: its starter's, or whichever loop of the run has time for it when it begins. Where
 * there is one loop (run.h), and from a plain thread, ANY means HERE. */
typedef enum { CORD_LOOP_HERE = 0, CORD_LOOP_ANY } cord_loop;

typedef struct cord_task cord_task;

/* What a task runs: its answer >= 0 is its value, < 0 is -errno: the task failed. */
typedef int cord_fn(void *arg);

typedef struct {
    uint32_t size;      /* 0: the layout of this version */
    cord_kind kind;     /* 0: CORD_COROUTINE */
    size_t stack_size;  /* bytes; 0: 64 KiB for a coroutine, the system's default for a thread */
    size_t result_size; /* room for cord_task_return(); 0: none */
    const char *name;   /* copied, cut at 31 bytes; NULL: "KIND-N" */
    bool daemon;        /* cord_run() does not wait for it but cancels it */
    cord_loop loop;     /* a coroutine's; 0: CORD_LOOP_HERE */
    bool sheltered; /* a signal that cord_run() catches does not cancel it, nor what it starts: its starter does when
                       the time has come, as a server with its requests */
} cord_task_options;

typedef enum { CORD_RUNNING = 0, CORD_RETURNED, CORD_FAILED, CORD_CANCELLED, CORD_SIGNALED } cord_how;

typedef struct {
    cord_how how;    /* CANCELLED: it answered -ECANCELED after it was cancelled; SIGNALED: a process was killed */
    int value;       /* what the function answered, or the signal's number */
    char error[128]; /* the sentence that the failure left, "" if none */
} cord_outcome;

/* Starts a task. arg_size > 0: that many bytes are copied for it; 0: it gets the pointer itself. With ret NULL
 * it is a daemon that nobody joins, and its failure is logged. Serial: it has ended when this returns.
 * Any task. Fails: -ENOMEM, -EINVAL (a process given a pointer of its own), -EAGAIN (no more threads, processes). */
CORD_API CORD_MUST_CHECK int cord_task_start(cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                                             const cord_task_options *options);

/* Waits for its end; out (or NULL) says how it ended. May be repeated and called by several tasks. The answer is
 * about the wait, not the task. Python: Thread.join, Process.join. Fails: -ETIMEDOUT, -ECANCELED, -EDEADLK (itself). */
CORD_API CORD_MUST_CHECK int cord_task_join(cord_task *task, cord_deadline deadline, cord_outcome *out);

/* How it stands, without waiting: CORD_RUNNING while it runs. Python: is_alive, exitcode. */
CORD_API cord_how cord_task_status(const cord_task *task, cord_outcome *out);

/* Asks it to end; see above. For a process the request reaches it across the border. Any thread; never waits. */
CORD_API void cord_task_cancel(cord_task *task);

/* A process: SIGTERM now and SIGKILL when `grace` has passed and it still runs (grace 0: SIGKILL at once). Any other
 * kind: cord_task_cancel(). Does not wait. Python: Process.terminate, kill. */
CORD_API void cord_task_terminate(cord_task *task, cord_span grace);

/* Drops the handle, NULL is allowed. Never waits and never stops the task; a failure nobody joined is logged. */
CORD_API void cord_task_free(cord_task *task);

/* Inside a task: the bytes its starter reads with cord_task_result(); at most result_size (else -EMSGSIZE). */
CORD_API CORD_MUST_CHECK int cord_task_return(const void *bytes, size_t size);

/* After its end: copies at most `size` bytes of what it returned; the number copied. Fails: -EBUSY (still running). */
CORD_API CORD_MUST_CHECK int cord_task_result(const cord_task *task, void *buf, size_t size);

CORD_API const char *cord_task_name(const cord_task *task);
CORD_API cord_kind cord_task_kind(const cord_task *task);
CORD_API int cord_task_pid(const cord_task *task); /* of a process; this process's own for the other kinds */

/* The calling task: any thread is one, also where cordage did not start it ("main", or "foreign-N"). Never NULL; do not
 * free. Python: current_thread. */
CORD_API cord_task *cord_task_self(void);

/* The thread's number in the kernel (gettid(2)) that runs it: of a coroutine its loop's, of a process its pid. 0: none
 * yet, or it has ended. Python: native_id. */
CORD_API int cord_task_thread_id(const cord_task *task);

/* A task as cord_task_list() tells of it. */
typedef struct {
    char name[32];
    cord_kind kind;
    int pid, thread_id; /* as cord_task_pid(), cord_task_thread_id() */
    bool daemon, waits; /* waits: it waits for `what`; else it runs or is ready */
    char what[32];
} cord_task_info;

/* The tasks of this process that are alive: the calling one, threads (of others too, once they have called cordage),
 * child processes and coroutines. At most max are told of; how many there are. A loop that does not come round within
 * 200 ms leaves its coroutines out. Python: threading.enumerate, active_count, multiprocessing.active_children.
 * Fails: -ENOMEM. */
CORD_API int cord_task_list(cord_task_info *list, size_t max);

/* Lets the other tasks of the loop run (a thread: sched_yield). Fails: -ECANCELED. */
CORD_API int cord_yield(void);

/* Runs fn here and now with cancelling held off: for clean-up that must wait. Its answer. */
CORD_API int cord_shield(cord_fn *fn, void *arg);

/* "coroutine", "thread", "process" or "serial", also by first letters: lets a program take its kind from argv.
 * Fails: -EINVAL, with the choices in the sentence. */
CORD_API CORD_MUST_CHECK int cord_kind_parse(cord_kind *ret, const char *text);
CORD_API const char *cord_kind_name(cord_kind kind);

CORD_END

#endif
