/* sync/shared_semaphore.c - the semaphore of several processes.
 *
 * The permits and the flag WAITERS are one word, the futex. To take one is one compare-and-swap, to give some one more,
 * and a wake when somebody sleeps. So whoever is killed has taken or given all of it or nothing; killed between giving
 * and waking, its death wakes the sleepers (rt/words.h). What a killed process had taken stays taken: any task may give
 * permits, so nobody knows whose they were.
 *
 * THE INVARIANT: who sleeps does so on the exact value {0 permits, WAITERS}, and every giving changes that value and
 * wakes all sleepers, one a process (the gates of shared.h). The tasks of one process are served first come, first
 * served; between processes, and against one who does not wait, the fastest wins.
 */
#include "sync/shared.h"

#include <errno.h>

#define WAITERS ((uint32_t)1 << 31)
#define MOST (WAITERS - 1)

struct shared_sem {
    cord_sem base; /* the word with CORDI_RING_SHARED, the limit */
    _Atomic uint64_t state;
};

static _Atomic uint64_t *state_of(cord_sem *sem)
{
    return &((struct shared_sem *)sem)->state;
}

static bool try_take(cord_sem *sem)
{
    uint64_t now = atomic_load_explicit(state_of(sem), memory_order_relaxed);
    while ((now & MOST) != 0)
        if (atomic_compare_exchange_weak(state_of(sem), &now, now - 1))
            return true;
    return false;
}

/* With the gate. */
static int take_in_turn(cord_sem *sem, cord_deadline deadline)
{
    for (;;) {
        uint32_t deaths = cordi_deaths();
        if (try_take(sem))
            return 0;
        uint64_t none = 0;
        if (!atomic_compare_exchange_strong(state_of(sem), &none, WAITERS) && none != WAITERS)
            continue;
        int rc = cordi_shared_sleep(state_of(sem), WAITERS, deaths, "a semaphore", CORDI_CANCELLABLE, deadline);
        if (rc < 0)
            return try_take(sem) ? 0 : rc; /* what is there wins */
    }
}

int cordi_shared_sem_acquire(cord_sem *sem, cord_deadline deadline)
{
    cord_lock *gate = &cordi_shared_own(sem)->gate[0];
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a semaphore");
    if ((cordi_nowait(deadline) || !cord_lock_held(gate)) && try_take(sem))
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "semaphore: no permit is there, and the call may not wait");
    int rc = cordi_lock_take(gate, deadline, CORDI_CANCELLABLE);
    if (rc == 0) {
        rc = take_in_turn(sem, deadline);
        cordi_lock_give(gate);
    }
    if (rc == -ETIMEDOUT || rc == -ECANCELED)
        return cordi_fail(rc, "%s waiting for a semaphore", rc == -ETIMEDOUT ? "timed out" : "cancelled while");
    return rc;
}

int cordi_shared_sem_release(cord_sem *sem, uint32_t count)
{
    uint64_t limit = sem->limit != 0 ? sem->limit : MOST, now = atomic_load(state_of(sem));
    if (count == 0)
        return cordi_fail(-EINVAL, "semaphore: 0 permits to give");
    do
        if ((now & MOST) + count > limit)
            return cordi_fail(-EOVERFLOW, "semaphore: %u more permits than its limit allows",
                              (unsigned)((now & MOST) + count - limit));
    while (!atomic_compare_exchange_weak(state_of(sem), &now, (now & MOST) + count));
    if (now & WAITERS)
        cordi_shared_wake(state_of(sem));
    return 0;
}

int cordi_shared_sem_try(cord_sem *sem)
{
    return try_take(sem) ? 0 : -EAGAIN;
}

int cordi_shared_sem_listen(cord_sem *sem, struct cordi_sleep *sleep)
{
    uint32_t deaths = cordi_deaths();
    uint64_t none = 0;
    bool empty = atomic_compare_exchange_strong(state_of(sem), &none, WAITERS) || none == WAITERS;
    *sleep = cordi_shared_sleep_on(state_of(sem), WAITERS, deaths, "a semaphore");
    return empty ? -EAGAIN : 0;
}

uint32_t cordi_shared_sem_value(const cord_sem *sem)
{
    return (uint32_t)atomic_load(&((const struct shared_sem *)sem)->state) & MOST;
}

int cordi_shared_sem_new(cord_sem **ret, uint32_t value, uint32_t limit)
{
    void *made;
    int rc = cordi_shared_object_new(&made, sizeof(struct shared_sem), "semaphore");
    if (rc < 0)
        return rc;
    struct shared_sem *sem = made;
    sem->base = (cord_sem){ .word = CORDI_RING_SHARED, .limit = limit };
    atomic_store(&sem->state, value);
    *ret = &sem->base;
    return 0;
}

void cordi_shared_sem_free(cord_sem *sem)
{
    cordi_shm_free(sem);
}
