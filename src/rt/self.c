/* rt/self.c - small calls on tasks: kinds and names, results, terminating, yielding, shielding. */
#include <cordage/task.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "rt/loop.h"
#include "rt/task.h"
#include "rt/watch.h"
#include "sys/proc.h"

static const char *const kind_names[] = { "coroutine", "thread", "process", "serial" };

const char *cord_kind_name(cord_kind kind)
{
    return (unsigned)kind <= CORD_SERIAL ? kind_names[kind] : "unknown";
}

int cord_kind_parse(cord_kind *ret, const char *text)
{
    size_t length = strlen(text);
    for (int kind = CORD_COROUTINE; length > 0 && kind <= CORD_SERIAL; kind++)
        if (strncmp(kind_names[kind], text, length) == 0) {
            *ret = (cord_kind)kind;
            return 0;
        }
    return cordi_fail(-EINVAL, "kind \"%s\": choose coroutine, thread, process or serial", text);
}

cord_kind cord_task_kind(const cord_task *task)
{
    return (cord_kind)task->kind;
}

int cord_task_pid(const cord_task *task)
{
    return task->kind == CORD_PROCESS ? task->pid : cordi_proc_pid();
}

/* A task that has not ended keeps its loop there, and cannot end while its bit is held. */
static int thread_of_coroutine(struct cord_task *task)
{
    cordi_spin_lock(&task->end, CORDI_END_SPIN);
    const struct cordi_loop *loop = __atomic_load_n(&task->loop, __ATOMIC_RELAXED);
    int id = loop != NULL && cord_task_status(task, NULL) == CORD_RUNNING ? loop->thread_id : 0;
    cordi_spin_unlock(&task->end, CORDI_END_SPIN);
    return id;
}

int cord_task_thread_id(const cord_task *task)
{
    if (task->kind == CORD_COROUTINE)
        return thread_of_coroutine((struct cord_task *)(uintptr_t)task);
    if (task->kind == CORD_PROCESS)
        return cord_task_status(task, NULL) == CORD_RUNNING ? task->pid : 0;
    return atomic_load(&task->thread_id);
}

int cord_task_return(const void *bytes, size_t size)
{
    struct cord_task *self = cordi_self();
    if (size > self->result_size)
        return cordi_fail(-EMSGSIZE, "task \"%s\": %zu bytes to return, and result_size is %u", cord_task_name(self),
                          size, self->result_size);
    memcpy(self->result, bytes, size);
    self->result_used = (uint32_t)size;
    return 0;
}

int cord_task_result(const cord_task *task, void *buf, size_t size)
{
    if (cord_task_status(task, NULL) == CORD_RUNNING)
        return cordi_fail(-EBUSY, "task \"%s\" still runs; join it first", cord_task_name(task));
    if (size > task->result_used)
        size = task->result_used;
    memcpy(buf, task->result, size);
    return (int)size;
}

void cord_task_terminate(cord_task *task, cord_span grace)
{
    if (task->kind != CORD_PROCESS)
        cord_task_cancel(task);
    else if (cord_task_status(task, NULL) == CORD_RUNNING) {
        (void)cordi_proc_kill(task->pidfd, grace > 0 ? SIGTERM : SIGKILL);
        if (grace > 0)
            cordi_watch_kill(task, cord_in(grace));
    }
}

int cord_yield(void)
{
    struct cord_task *self = cordi_task_self();
    if (cordi_task_cancelled(self))
        return cordi_fail(-ECANCELED, "cancelled");
    if (self->loop != NULL)
        return cordi_loop_yield(self);
    cordi_proc_yield();
    return 0;
}

int cord_shield(cord_fn *fn, void *arg)
{
    struct cord_task *self = cordi_self();
    self->shielded++;
    int rc = fn(arg);
    self->shielded--;
    return rc;
}
