/* tests/interleave/runner/family.c - what several processes share, in small; see family.h. */
#include "family.h"

#include <errno.h>

#include "explore.h"
#include "sys/fd.h"
#include "sys/identity.h"
#include "sys/shm.h"

#define WEAK __attribute__((weak))

static struct model_family *family;

void model_family_begin(struct model_family *of_model, struct cord_task *tasks)
{
    family = of_model;
    model_tasks_begin(tasks);
    for (uint64_t i = 0; i < MODEL_TASKS; i++)
        family->process[i] = i;
}

bool model_is_asleep(int task)
{
    return family->asleep[task] != NULL;
}

void model_end_process(uint64_t process)
{
    for (int i = 0; i < run.count; i++)
        if (family->process[i] == process) {
            family->asleep[i] = NULL;
            model_kill(i);
        }
    family->killed[process] = 1;
}

void model_count_death(void)
{
    atomic_fetch_add(&family->deaths, 1);
    cordi_word_wake(&family->deaths);
}

void model_killer(void *arg)
{
    model_step("kills the process");
    model_end_process(*(const uint64_t *)arg);
    model_count_death();
}

void model_canceller(void *arg)
{
    model_step("cancels the task");
    model_tasks[*(const uint64_t *)arg].cancelled = 1;
}

WEAK bool cordi_self_cancelled(void)
{
    return model_tasks[model_me()].cancelled != 0;
}

WEAK bool cordi_look_again(unsigned *looks, bool in_a_coroutine_too)
{
    (void)looks, (void)in_a_coroutine_too;
    return false;
}

static bool is_cancelled(int task, int cancellable)
{
    return cancellable == CORDI_CANCELLABLE && model_tasks[task].cancelled != 0;
}

/* --- words --- */

WEAK uint32_t cordi_deaths(void)
{
    return atomic_load(&family->deaths);
}

WEAK void cordi_word_wake(_Atomic uint32_t *word)
{
    if (atomic_load(&family->mute))
        return;
    for (int i = 0; i < MODEL_TASKS; i++)
        if (family->asleep[i] == word || word == &family->deaths)
            family->asleep[i] = NULL;
}

struct wait {
    int task, cancellable;
};

static bool is_woken(void *arg)
{
    const struct wait *wait = arg;
    return !model_is_asleep(wait->task) || is_cancelled(wait->task, wait->cancellable);
}

WEAK int cordi_sleep_on(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline)
{
    struct wait wait = { model_me(), cancellable };
    model_step("looks at the word and goes to sleep");
    if (is_cancelled(wait.task, cancellable))
        return -ECANCELED;
    if (*sleep->word != sleep->expected || family->deaths != sleep->deaths)
        return 0;
    family->asleep[wait.task] = sleep->word;
    if (deadline.at == 0)
        model_wait(is_woken, &wait, "sleeps at the word");
    else
        model_step("sleeps at the word for some time");
    bool woken = !model_is_asleep(wait.task);
    family->asleep[wait.task] = NULL;
    return is_cancelled(wait.task, cancellable) ? -ECANCELED : woken ? 0 : -ETIMEDOUT;
}

/* --- processes --- */

static uint64_t my_process(void)
{
    return family->process[model_me()];
}

WEAK void *cordi_shm_own(const void *block)
{
    (void)block; /* a model has one object */
    return &family->own[my_process()];
}

WEAK uint64_t cordi_identity_self(void)
{
    return my_process() + 1;
}

WEAK int cordi_identity_open(uint64_t identity)
{
    return family->killed[identity - 1] ? -ESRCH : (int)identity;
}

WEAK void cordi_fd_close(int fd)
{
    (void)fd;
}

/* --- gates: local locks, of one process --- */

struct pass {
    cord_lock *gate;
    struct wait wait;
};

static bool may_pass(void *arg)
{
    const struct pass *pass = arg;
    return pass->gate->word == 0 || is_cancelled(pass->wait.task, pass->wait.cancellable);
}

WEAK int cordi_lock_take(cord_lock *gate, cord_deadline deadline, int cancellable)
{
    struct pass pass = { gate, { model_me(), cancellable } };
    if (deadline.at == 0)
        model_wait(may_pass, &pass, "takes the gate");
    else
        model_step("takes the gate, or its time is up");
    if (gate->word != 0)
        return is_cancelled(pass.wait.task, cancellable) ? -ECANCELED : -ETIMEDOUT;
    gate->word = 1;
    return 0;
}

WEAK void cordi_lock_give(cord_lock *gate)
{
    must(atomic_exchange((_Atomic uint64_t *)&gate->word, 0) == 1);
}

WEAK bool cord_lock_held(const cord_lock *gate)
{
    return atomic_load((const _Atomic uint64_t *)&gate->word) != 0;
}

/* --- the lock of several processes: its state is the task that holds it, from 1 --- */

static bool is_free(void *arg)
{
    const struct cordi_shared_lock *lock = arg;
    return lock->state == 0 || family->killed[family->process[lock->state - 1]];
}

WEAK int cordi_shared_lock_acquire(struct cordi_shared_lock *lock, cord_deadline deadline)
{
    if (deadline.at != 0) {
        model_step("waits for the lock, or its time is up");
        if (!is_free(lock))
            return deadline.at == INT64_MIN ? -EAGAIN : -ETIMEDOUT;
    }
    run.self->at.ready = is_free; /* of the step that follows */
    run.self->at.arg = lock;
    return atomic_exchange(&lock->state, (uint64_t)model_me() + 1) != 0 ? CORD_OWNER_DIED : 0;
}

WEAK int cordi_shared_lock_release(struct cordi_shared_lock *lock)
{
    must(atomic_exchange(&lock->state, 0) == (uint64_t)model_me() + 1);
    return 0;
}

WEAK bool cordi_shared_lock_mine(const struct cordi_shared_lock *lock)
{
    return lock->state == (uint64_t)model_me() + 1;
}

WEAK int cord_lock_acquire(cord_lock *lock, cord_deadline deadline)
{
    return cordi_shared_lock_acquire((struct cordi_shared_lock *)lock, deadline);
}

WEAK int cord_lock_release(cord_lock *lock)
{
    return cordi_shared_lock_release((struct cordi_shared_lock *)lock);
}
