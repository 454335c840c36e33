/* tests/interleave/runner/tasks.c - what stands in for the rest of the runtime; see tasks.h. */
#include "tasks.h"

#include "explore.h"
#include "rt/runtime.h"
#include "sys/shm.h"
#include "sys/proc.h"

#define WEAK __attribute__((weak))

struct cord_task *model_tasks;

int model_me(void)
{
    return run.self != NULL ? (int)(run.self - run.tasks) : -1;
}

void model_tasks_begin(struct cord_task *tasks)
{
    model_tasks = tasks;
    for (int i = 0; i < MODEL_TASKS; i++)
        tasks[i].wake_fd = -1;
}

void model_tasks_check(void)
{
    for (int i = 0; i < MODEL_TASKS; i++)
        must(model_tasks[i].permit == CORDI_AWAKE);
}

_Thread_local struct cordi_thread cordi_this_thread; /* without a current task, so that the next is asked each time */

WEAK struct cord_task *cordi_task_adopt(void)
{
    return &model_tasks[model_me()];
}

WEAK struct cord_task *cordi_self(void)
{
    return cordi_task_adopt();
}

static bool woken(void *arg)
{
    return ((const struct cord_task *)arg)->permit == CORDI_PERMIT;
}

WEAK int cordi_thread_park(struct cord_task *self, struct pollfd *fds, unsigned count, cord_deadline deadline)
{
    (void)fds, (void)count;
    if (deadline.at != 0)
        model_step("sleeps, until woken or for some time");
    if (deadline.at == 0 || woken(self) || !cordi_wait_end(self, CORDI_TIMED_OUT)) {
        model_wait(woken, self, "a wake");
        self->permit = CORDI_AWAKE;
    }
    return 0;
}

WEAK void cordi_thread_wake(struct cord_task *task)
{
    model_step("wakes the task");
    must(task->permit == CORDI_AWAKE);
    task->permit = CORDI_PERMIT;
}

WEAK struct cordi_runtime cordi_runtime;       /* with no CPU to look again on */
WEAK struct cordi_shm_window cordi_shm_window; /* nothing is shared, unless a model says so */

WEAK void cordi_proc_yield(void)
{
    model_yield();
}

WEAK int cord_yield(void)
{
    model_yield();
    return 0;
}

WEAK int cordi_fail(int rc, const char *format, ...)
{
    (void)format;
    return rc;
}

WEAK int cordi_fail_code(int rc, const char *format, ...)
{
    (void)format;
    return rc;
}

WEAK int64_t cord_now(void)
{
    return 0;
}

/* Coroutines: none here, since a loop is no task of a model; loop.h is not included, so that these are only names. */
void cordi_loop_park(void), cordi_loop_suspend(void), cordi_loop_send(void);

WEAK void cordi_loop_park(void)
{
    model_fail(__FILE__, __LINE__, "a model's task has no loop");
}

WEAK void cordi_loop_suspend(void)
{
    model_fail(__FILE__, __LINE__, "a model's task has no loop");
}

WEAK void cordi_loop_send(void)
{
    model_fail(__FILE__, __LINE__, "a model's task has no loop");
}
