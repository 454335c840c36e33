/* rt/task.c - what all kinds have in common: the calling thread, the control block, start, join, status, end.
 *
 * The end of a task happens in two steps. Its function's answer is noted in the block by whoever ran it
 * (cordi_task_answer; for a process that is the child). Then the end is made known in the process that started it
 * (cordi_task_end): joiners wake, the group is told, a failure nobody can see any more is logged.
 */
#include "rt/task.h"

#include <cordage/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/group.h"
#include "rt/loop.h"
#include "rt/runtime.h"
#include "rt/wait.h"
#include "sys/fd.h"
#include "sys/proc.h"
#include "sys/shm.h"

_Thread_local struct cordi_thread cordi_this_thread __attribute__((tls_model("initial-exec")));
enum { FOREIGN = CORD_SERIAL + 1 };            /* in numbers */
static _Thread_local struct cord_task foreign; /* the block of a thread that cordage did not start */

static void thread_ends(void *arg)
{
    struct cordi_thread *thread = arg;
    if (foreign.locals != NULL)
        cordi_locals_end(&foreign);
    if (foreign.wake_fd >= 0)
        cordi_fd_close(foreign.wake_fd);
    foreign.wake_fd = -1;
    cordi_tasks_remove(&foreign);
    thread->own = thread->current = NULL;
}

/* In a forked child the thread that forked is the only one, and a new task. */
void cordi_task_after_fork(void)
{
    struct cordi_thread *thread = cordi_thread();
    if (thread->own != NULL && !thread->own->shared && thread->own->wake_fd >= 0)
        cordi_fd_close(thread->own->wake_fd); /* the parent's, in copy */
    cordi_list_init(&foreign.link);
    cordi_section = (struct cordi_section){ 0 };
    thread->loop = NULL;
    thread->own = thread->current = NULL;
}

struct cord_task *cordi_task_adopt(void)
{
    struct cordi_thread *thread = cordi_thread();
    char name[32] = "main";
    int thread_id = cordi_proc_thread_id();
    cordi_runtime_start();
    if (thread_id != cordi_proc_pid())
        snprintf(name, sizeof name, "foreign-%u", (unsigned)atomic_fetch_add(&cordi_runtime.numbers[FOREIGN], 1) + 1);
    cordi_task_init(&foreign, CORD_THREAD);
    memcpy(foreign.name, name, sizeof name);
    foreign.adopted = true;
    foreign.thread_id = thread_id;
    thread->own = thread->current = &foreign;
    cordi_proc_thread_end_call(thread_ends, thread);
    cordi_tasks_add(&foreign);
    return &foreign;
}

struct cord_task *cordi_self(void)
{
    return cordi_task_self();
}

cord_task *cord_task_self(void)
{
    return cordi_self();
}

size_t *cordi_self_sent(void)
{
    return &cordi_self()->sent;
}

/* --- the threads and processes that run --- */

void cordi_tasks_add(struct cord_task *task)
{
    cordi_spin_lock(&cordi_runtime.lock, 1);
    cordi_list_append(&cordi_runtime.tasks, &task->link);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
}

void cordi_tasks_remove(struct cord_task *task)
{
    cordi_spin_lock(&cordi_runtime.lock, 1);
    cordi_list_remove(&task->link);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
}

void cordi_tasks_each(uint64_t root, void (*visit)(struct cord_task *, void *), void *arg)
{
    cordi_spin_lock(&cordi_runtime.lock, 1);
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        if (CORDI_ITEM(at, struct cord_task, link)->root == root)
            visit(CORDI_ITEM(at, struct cord_task, link), arg);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
}

/* --- the block --- */

/* "coroutine-17" */
static void make_name(struct cord_task *task, uint32_t number)
{
    snprintf(task->name, sizeof task->name, "%s-%u", cord_kind_name((cord_kind)task->kind), number);
}

const char *cord_task_name(const cord_task *asked)
{
    struct cord_task *task = (struct cord_task *)(uintptr_t)asked;
    if (task->number == 0)
        return task->name;
    cordi_spin_lock(&task->end, CORDI_END_SPIN);
    if (task->name[0] == '\0')
        make_name(task, task->number);
    cordi_spin_unlock(&task->end, CORDI_END_SPIN);
    return task->name;
}

void cordi_task_init(struct cord_task *task, cord_kind kind)
{
    size_t size = offsetof(struct cord_task, name);
    __asm__("" : "+r"(size)); /* a call of memset: what compilers put in its place here takes 14 ns more */
    memset(task, 0, size);
    task->name[0] = task->detail[0] = '\0';
    cordi_list_init(&task->link);
    cordi_list_init(&task->peers);
    cordi_list_init(&task->sibling);
    cordi_list_init(&task->joiners);
    task->kind = (uint8_t)kind;
    task->wake_fd = task->pidfd = -1;
    atomic_init(&task->references, 1);
}

void cordi_task_name_it(struct cord_task *task, const char *name)
{
    task->number = 0;
    if (name != NULL)
        snprintf(task->name, sizeof task->name, "%s", name);
    else /* of a process at once: a child that is killed must not hold a lock which its parent takes */
        make_name(task, cordi_task_number(task->kind));
}

/* Of kinds thread, process, serial: block, argument and result in one piece. */
struct cord_task *cordi_task_new(cord_kind kind, cord_fn *fn, const void *arg, size_t arg_size,
                                 const cord_task_options *options)
{
    size_t size = cordi_task_rounded(sizeof(struct cord_task)) + cordi_task_rounded(arg_size) + options->result_size;
    struct cord_task *task;
    void *block;
    if (options->result_size > UINT32_MAX || size < arg_size)
        return NULL;
    if (kind == CORD_PROCESS) {
        if (cordi_shm_new(&block, size) < 0)
            return NULL;
    } else if ((block = malloc(size)) == NULL)
        return NULL;
    task = block;
    cordi_task_init(task, kind);
    task->shared = kind == CORD_PROCESS;
    task->block = block;
    cordi_task_load(task, fn, (char *)block + cordi_task_rounded(sizeof *task), arg, arg_size, options);
    return task;
}

void cordi_task_free_block(struct cord_task *task)
{
    if (task->kind == CORD_COROUTINE) {
        cordi_coroutine_free(task);
        return;
    }
    if (task->adopted)
        return;
    if (task->pidfd >= 0)
        cordi_fd_close(task->pidfd);
    if (task->wake_fd >= 0)
        cordi_fd_close(task->wake_fd);
    if (task->shared)
        cordi_shm_free(task->block);
    else
        free(task->block);
}

/* --- start --- */

static __attribute__((noinline)) int check_options(const cord_task_options *options, const void *arg, size_t arg_size)
{
    if (options->kind == CORD_PROCESS && arg != NULL && arg_size == 0 && !cordi_shm_contains(arg))
        return cordi_fail(-EINVAL, "a process cannot be given a pointer of this one: pass the size to have it copied, "
                                   "or memory from cord_shared_new()");
    if ((unsigned)options->kind > CORD_SERIAL)
        return cordi_fail(-EINVAL, "no such kind of task: %d", (int)options->kind);
    if ((unsigned)options->loop > CORD_LOOP_ANY)
        return cordi_fail(-EINVAL, "no such place for a task: %d; CORD_LOOP_HERE or CORD_LOOP_ANY", (int)options->loop);
    return 0;
}

int cordi_task_cannot_start(int rc, struct cord_task *task, bool handle, const cord_task_options *options)
{
    const char *name = task != NULL            ? cord_task_name(task)
                       : options->name != NULL ? options->name
                                               : cord_kind_name(options->kind);
    cordi_fail_code(rc, "task \"%s\": cannot start", name);
    if (task != NULL && task->group != NULL)
        cordi_group_remove(task->group, task);
    if (task != NULL && handle)
        cordi_task_drop(task);
    if (task != NULL)
        cordi_task_drop(task);
    return rc;
}

/* Serial: here and now, as a task of its own as far as results and sentences go, but on the caller's waits. */
static __attribute__((noinline)) void run_serial(struct cord_task *task)
{
    struct cord_task *self = cordi_self();
    void *result = self->result;
    uint32_t size = self->result_size, used = self->result_used;
    self->result = task->result; /* cord_task_return() is made by the caller, for this task */
    self->result_size = task->result_size;
    struct cordi_local *locals = self->locals;
    self->locals = NULL;
    int rc = task->fn(task->arg);
    if (self->locals != NULL)
        cordi_locals_end(self);
    self->locals = locals;
    task->result_used = self->result_used;
    self->result = result;
    self->result_size = size;
    self->result_used = used;
    memcpy(task->detail, self->detail, sizeof task->detail);
    task->detail_code = self->detail_code;
    task->cancelled = self->cancelled;
    cordi_task_answer(task, rc);
    cordi_task_end(task);
    cordi_task_drop(task);
}

int cordi_task_launch(struct cord_task **ret, struct cord_group *group, cord_fn *fn, const void *arg, size_t arg_size,
                      const cord_task_options *options, const void *started_at)
{
    struct cord_task *task = NULL;
    int rc = check_options(options, arg, arg_size);
    if (rc < 0)
        return rc;
    cordi_runtime_start();
    if (options->kind == CORD_COROUTINE)
        rc = cordi_coroutine_new(&task, fn, arg, arg_size, options);
    else if ((task = cordi_task_new(options->kind, fn, arg, arg_size, options)) == NULL)
        rc = -ENOMEM;
    if (rc < 0)
        return cordi_task_cannot_start(rc, NULL, false, options);
    cordi_task_hand_over(task, ret != NULL, group == NULL, started_at);
    task->group = group;
    if (group != NULL)
        cordi_group_add(group, task);
    if (options->kind == CORD_COROUTINE)
        rc = cordi_coroutine_start(task, options->loop);
    else if (options->kind == CORD_THREAD)
        rc = cordi_thread_start(task, options->stack_size);
    else if (options->kind == CORD_PROCESS)
        rc = cordi_process_start(task);
    else
        run_serial(task);
    if (rc < 0)
        return cordi_task_cannot_start(rc, task, ret != NULL, options);
    if (ret != NULL)
        *ret = task;
    return 0;
}

int cord_task_start(cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size, const cord_task_options *options)
{
    static const cord_task_options defaults;
    const void *started_at = __builtin_return_address(0);
    if (options == NULL && cordi_thread()->loop != NULL)
        return cordi_coroutine_launch(ret, fn, arg, arg_size, started_at);
    return cordi_task_launch(ret, NULL, fn, arg, arg_size, options != NULL ? options : &defaults, started_at);
}

/* --- end --- */

void cordi_task_failed(struct cord_task *task, int rc)
{
    task->how = rc == -ECANCELED && task->cancelled ? CORD_CANCELLED : CORD_FAILED;
    if (task->detail_code != rc)
        snprintf(task->detail, sizeof task->detail, "%s", cord_strerror(rc));
}

void cordi_task_log_failure(const struct cord_task *task)
{
    bool killed = task->how == CORD_SIGNALED && !task->cancelled; /* not by us, as daemons are at the end of a run */
    if (task->how == CORD_FAILED || killed)
        cordi_log("task \"%s\": %s", cord_task_name(task), task->detail);
}

void cordi_task_end(struct cord_task *task)
{
    cordi_section_begin();
    bool orphan = cordi_task_end_in_section(task);
    cordi_section_end();
    if (orphan)
        cordi_task_log_failure(task);
}

static bool ended(const struct cord_task *task)
{
    return atomic_load(&task->end) & CORDI_ENDED;
}

cord_how cord_task_status(const cord_task *task, cord_outcome *out)
{
    bool over = ended(task);
    if (out != NULL) {
        *out = (cord_outcome){ .how = over ? task->how : CORD_RUNNING, .value = over ? task->value : 0 };
        if (over)
            snprintf(out->error, sizeof out->error, "%.*s", (int)sizeof out->error - 1, task->detail);
    }
    return over ? task->how : CORD_RUNNING;
}

static inline int end_try(struct cord_task *task, struct cordi_waiter *node)
{
    int rc = -EAGAIN;
    cordi_spin_begin(&task->end, CORDI_END_SPIN);
    bool over = ended(task);
    if (!over && node != NULL)
        cordi_list_append(&task->joiners, &node->link);
    else if (over && (node == NULL || cordi_wait_claim()))
        rc = 0;
    atomic_store_explicit(&task->end, over ? CORDI_ENDED : 0, memory_order_release); /* lets the bit go */
    return rc;
}

int cordi_task_end_try(struct cord_task *task, struct cordi_waiter *node)
{
    return end_try(task, node);
}

void cordi_task_end_leave(struct cord_task *task, struct cordi_waiter *node)
{
    cordi_spin_lock(&task->end, CORDI_END_SPIN);
    cordi_list_remove(&node->link);
    cordi_spin_unlock(&task->end, CORDI_END_SPIN);
}

static inline int wait_for_end(struct cord_task *self, struct cord_task *task, cord_deadline deadline)
{
    struct cordi_waiter node;
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_debug_wait_begins(self);
    cordi_wait_enter(self, &node, CORDI_CANCELLABLE, "a task to end", true);
    if (end_try(task, &node) == 0)
        return 0;
    int rc = cordi_wait_park(self, deadline);
    if (rc < 0)
        cordi_task_end_leave(task, &node);
    return rc;
}

int cord_task_join(cord_task *task, cord_deadline deadline, cord_outcome *out)
{
    struct cord_task *self = cordi_task_self();
    int rc = 0;
    if (task == self)
        return cordi_fail(-EDEADLK, "task \"%s\" cannot join itself", cord_task_name(task));
    if (cordi_task_cancelled(self))
        return cordi_fail(-ECANCELED, "cancelled before joining task \"%s\"", cord_task_name(task));
    if (!ended(task)) {
        if (deadline.at == CORD_NOWAIT.at)
            return cordi_fail(-EAGAIN, "task \"%s\" still runs", cord_task_name(task));
        rc = wait_for_end(self, task, deadline);
    }
    if (rc == 0) {
        atomic_store_explicit(&task->joined, true, memory_order_release);
        if (out != NULL)
            cord_task_status(task, out);
    }
    return rc;
}

void cord_task_free(cord_task *task)
{
    if (task == NULL || task->adopted)
        return;
    if (!atomic_load_explicit(&task->joined, memory_order_acquire)) {
        cordi_spin_lock(&task->end, CORDI_END_SPIN);
        bool unseen = ended(task);
        task->orphan = true;
        cordi_spin_unlock(&task->end, CORDI_END_SPIN);
        if (unseen && task->group == NULL)
            cordi_task_log_failure(task);
    }
    cordi_task_drop(task);
}
