/* rt/process.c - kind process: fork, and an end that is seen through a pidfd.
 *
 * The control block lies in memory that both sides share. The child runs on it as a thread runs on its own block, so
 * that the parent cancels it, and the child answers with value, sentence and result, without any message between them.
 * The child's function runs on the thread's own stack, also when a coroutine started it: the fork happens there.
 * fork is taken with its handlers (and not clone) because the C library's own locks need them in the child.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "rt/dump.h"
#include "rt/loop.h"
#include "rt/overflow.h"
#include "rt/runtime.h"
#include "rt/task.h"
#include "rt/watch.h"
#include "rt/words.h"
#include "sys/fault.h"
#include "sys/fd.h"
#include "sys/proc.h"

struct start {
    struct cord_task *task;
    int pid;
};

static _Noreturn void child(struct cord_task *task)
{
    struct cordi_thread *thread = cordi_thread();
    struct cordi_stack alternate;
    thread->own = thread->current = task;
    cordi_runtime.own = task;
    task->pid = cordi_proc_pid();
    cordi_run_signals_after_fork(task);
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_dump_start();
    cordi_overflow_thread(task);
    cordi_fault_thread_begin(&alternate);
    cordi_task_run(task);
    cordi_proc_exit(task->value < 0 ? 1 : 0);
}

static void fork_here(void *arg)
{
    struct start *start = arg;
    start->pid = cordi_proc_fork();
    if (start->pid == 0)
        child(start->task);
}

static void note_end(struct cord_task *task)
{
    int status = 0;
    bool signaled = false;
    int rc = cordi_proc_reap(task->pidfd, &status, &signaled);
    if (atomic_load(&task->left) && (rc < 0 || !signaled))
        return; /* its function answered */
    task->value = status;
    task->how = signaled ? CORD_SIGNALED : status == 0 ? CORD_RETURNED : CORD_FAILED;
    if (rc < 0) {
        task->how = CORD_FAILED;
        task->value = rc;
        snprintf(task->detail, sizeof task->detail, "process %d was reaped by others", task->pid);
    } else if (signaled)
        snprintf(task->detail, sizeof task->detail, "process %d was killed by signal %d (%s)", task->pid, status,
                 strsignal(status));
    else
        snprintf(task->detail, sizeof task->detail, "process %d left with exit status %d", task->pid, status);
}

static void ended(void *arg)
{
    struct cord_task *task = arg;
    note_end(task);
    cordi_words_process_ended();
    cordi_tasks_remove(task);
    cordi_task_end(task);
    cordi_task_drop(task);
}

int cordi_process_start(struct cord_task *task)
{
    struct start start = { .task = task };
    int rc = cordi_thread_wake_fd(task); /* both sides have it: the parent's cancel ends the child's poll */
    if (rc < 0)
        return rc;
    cordi_loop_on_host(fork_here, &start);
    if (start.pid < 0)
        return start.pid;
    task->pid = start.pid;
    task->pidfd = cordi_proc_pidfd(start.pid);
    cordi_tasks_add(task);
    rc = task->pidfd < 0 ? task->pidfd : cordi_watch_pidfd(task->pidfd, ended, task);
    if (rc < 0) { /* nobody would see its end */
        cordi_tasks_remove(task);
        cordi_proc_discard(start.pid);
    }
    return rc;
}
