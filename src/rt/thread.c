/* rt/thread.c - tasks with a thread of their own: how they sleep and are woken, and kind thread.
 *
 * A sleeping thread says in `permit` how it sleeps; the waker exchanges in the permit and, by what was there, wakes a
 * futex, writes the eventfd or does nothing. A thread that slept in poll(2) does not go on before it has taken that
 * write out of the eventfd, so that no write can come after the descriptor was closed. A futex wake that comes late
 * touches no memory. Signals are not used to end a poll. At the limit of open files there may be no eventfd: then a
 * poll ends every 10 ms to look at the permit, so that a thread can wait for its socket there too.
 */
#include "rt/task.h"

#include <errno.h>

#include "rt/overflow.h"
#include "rt/runtime.h"
#include "rt/words.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/proc.h"
#include "sys/shm.h"

int cordi_thread_wake_fd(struct cord_task *self)
{
    if (self->wake_fd < 0) {
        int fd = cordi_fd_event();
        if (fd < 0)
            return fd;
        self->wake_fd = fd;
    }
    return self->wake_fd;
}

void cordi_thread_wake(struct cord_task *task)
{
    bool shared = task->shared; /* once the permit is there the block may go */
    switch (atomic_exchange(&task->permit, CORDI_PERMIT)) {
    case CORDI_IN_FUTEX:
        cordi_futex_wake(&task->permit, 1, shared);
        break;
    case CORDI_IN_POLL:
        cordi_fd_event_set(task->wake_fd); /* the task waits for this write */
        break;
    case CORDI_IN_LOOP:
        cordi_fd_event_set(task->wake_fd); /* its loop may take the write, so it is told apart */
        atomic_store(&task->permit, CORDI_WRITTEN);
        break;
    }
}

static bool passed(cord_deadline deadline)
{
    return deadline.at != 0 && cordi_clock_now() >= deadline.at;
}

/* The wait was claimed by another: its wake comes for certain. Without descriptors of interest. */
static void take_wake(struct cord_task *self, bool in_poll)
{
    while (atomic_load(&self->permit) != CORDI_PERMIT)
        if (!in_poll)
            (void)cordi_futex_wait(&self->permit, CORDI_IN_FUTEX, 0, self->shared);
        else {
            struct pollfd wake = { .fd = self->wake_fd, .events = POLLIN };
            (void)cordi_fd_poll(&wake, 1, 0);
        }
    if (in_poll) {
        struct pollfd wake = { .fd = self->wake_fd, .events = POLLIN };
        while (cordi_fd_poll(&wake, 1, 0) == 0) {
        }
        cordi_fd_event_clear(self->wake_fd);
    }
    atomic_store(&self->permit, CORDI_AWAKE);
}

static int64_t look_again(cord_deadline deadline)
{
    int64_t soon = cordi_clock_now() + 10 * CORD_MILLISECOND;
    return deadline.at != 0 && deadline.at < soon ? deadline.at : soon;
}

/* fds has room for one more than count. */
int cordi_thread_park(struct cord_task *self, struct pollfd *fds, unsigned count, cord_deadline deadline)
{
    bool blind = count > 0 && self->wake_fd < 0;
    bool in_poll = count > 0 && !blind;
    uint32_t permit = CORDI_AWAKE;
    if (!atomic_compare_exchange_strong(&self->permit, &permit, in_poll ? CORDI_IN_POLL : CORDI_IN_FUTEX)) {
        atomic_store(&self->permit, CORDI_AWAKE); /* the wake was faster */
        return 0;
    }
    if (in_poll)
        fds[count] = (struct pollfd){ .fd = self->wake_fd, .events = POLLIN };
    for (;;) {
        int ready = 0;
        if (in_poll)
            ready = cordi_fd_poll(fds, count + 1, deadline.at);
        else if (blind)
            ready = cordi_fd_poll(fds, count, look_again(deadline));
        else
            (void)cordi_futex_wait(&self->permit, CORDI_IN_FUTEX, deadline.at, self->shared);
        if (atomic_load(&self->permit) == CORDI_PERMIT)
            break;
        bool useful = blind ? ready > 0 : in_poll && ready > (fds[count].revents != 0);
        if (!useful && !passed(deadline))
            continue;
        if (!cordi_wait_end(self, useful ? CORDI_ENDED_ITSELF : CORDI_TIMED_OUT))
            break;
        atomic_store(&self->permit, CORDI_AWAKE);
        return useful ? 1 : 0;
    }
    take_wake(self, in_poll);
    return 0;
}

/* A cancel ends it by the permit, everybody else by the words; nobody but a cancel can claim the wait. */
int cordi_thread_sleep(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    struct cordi_waiter node;
    int rc = 0;
    cordi_wait_begin(&node, cancellable, sleep->what);
    if (cordi_wait_over(self))
        return cordi_wait_result(self);
    uint32_t permit = CORDI_AWAKE;
    const struct cordi_futex_word words[3] = { { &self->permit, CORDI_IN_FUTEX, self->shared },
                                               { sleep->word, sleep->expected, true },
                                               { cordi_shm_deaths(), sleep->deaths, true } };
    if (atomic_compare_exchange_strong(&self->permit, &permit, CORDI_IN_FUTEX)) {
        rc = cordi_futex_wait_several(words, 3, deadline.at);
        if (rc == -ENOSYS) /* an older kernel: it looks again every 10 ms */
            rc = cordi_futex_wait(sleep->word, sleep->expected, look_again(deadline), true);
        if (rc == -ETIMEDOUT && !passed(deadline))
            rc = 0;
    }
    if (!cordi_wait_end(self, rc == -ETIMEDOUT ? CORDI_TIMED_OUT : CORDI_ENDED_ITSELF)) {
        take_wake(self, false);
        return cordi_wait_result(self);
    }
    atomic_store(&self->permit, CORDI_AWAKE);
    return rc == -ETIMEDOUT ? cordi_wait_result(self) : 0;
}

void cordi_thread_loop_begin(struct cord_task *self)
{
    struct cordi_waiter node;
    atomic_store(&self->permit, CORDI_IN_LOOP); /* first: who cancels looks at it as soon as the wait is on */
    cordi_wait_begin(&node, CORDI_CANCELLABLE, "its loop");
}

bool cordi_thread_loop_cancelled(const struct cord_task *self)
{
    return atomic_load_explicit(&self->cancelled, memory_order_relaxed) && self->shielded == 0;
}

void cordi_thread_loop_end(struct cord_task *self)
{
    if (!cordi_wait_over(self) && !cordi_wait_end(self, CORDI_ENDED_ITSELF))
        while (atomic_load(&self->permit) != CORDI_WRITTEN)
            cordi_proc_yield(); /* the canceller has a write and a store to go */
    atomic_store(&self->permit, CORDI_AWAKE);
}

/* --- kind thread --- */

static void *run(void *arg)
{
    struct cord_task *task = arg;
    struct cordi_thread *thread = cordi_thread();
    struct cordi_stack alternate;
    thread->own = thread->current = task;
    atomic_store(&task->thread_id, cordi_proc_thread_id());
    cordi_proc_thread_name(cord_task_name(task));
    cordi_overflow_thread(task);
    cordi_fault_thread_begin(&alternate);
    cordi_task_run(task);
    cordi_fault_thread_end(&alternate);
    thread->own = thread->current = NULL;
    atomic_store(&task->thread_id, 0);
    cordi_tasks_remove(task);
    if (task->wake_fd >= 0)
        cordi_fd_close(task->wake_fd);
    task->wake_fd = -1;
    cordi_task_end(task);
    cordi_task_drop(task);
    return NULL;
}

int cordi_thread_start(struct cord_task *task, size_t stack_size)
{
    task->stack.usable = stack_size;
    cordi_tasks_add(task);
    int rc = cordi_proc_thread(run, task, stack_size);
    if (rc < 0)
        cordi_tasks_remove(task);
    return rc;
}
