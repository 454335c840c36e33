/* sync/semaphore.c - the semaphore for tasks of one process, of every kind.
 *
 * A word with the ring of waiters (ring.h) and the number of permits that are there. A release gives its permits to the
 * first waiters at once and adds to the number only what nobody waits for. So a waiter that was claimed has its permit,
 * one that was not has none to give back, and nobody who comes by can be faster than one who waits.
 *
 * THE INVARIANT: when the spin bit is free, waiters that can be claimed are in the ring only while `value` is 0. A
 * waiter enters when it sees 0, and a release that leaves a permit has emptied the ring, both under the bit; `value` is
 * written only under it.
 *
 * The limit is looked at before anybody is served, as Python does: a release of more than would fit gives none, however
 * many wait.
 */
#include <cordage/lock.h>

#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/late.h"
#include "sync/ring.h"
#include "sync/select.h"
#include "sync/shared.h"

static _Atomic uint64_t *word_of(cord_sem *sem)
{
    return (_Atomic uint64_t *)&sem->word;
}

static _Atomic uint32_t *value_of(const cord_sem *sem)
{
    return (_Atomic uint32_t *)(uintptr_t)&sem->value;
}

static uint32_t most(uint32_t limit)
{
    return limit == 0 || limit > INT32_MAX ? INT32_MAX : limit;
}

/* One try, as select.h says. */
int cordi_sem_try(cord_sem *sem, struct cordi_waiter *node)
{
    if (node == NULL && atomic_load_explicit(value_of(sem), memory_order_relaxed) == 0)
        return -EAGAIN;
    int rc = -EAGAIN;
    uint64_t now = cordi_ring_lock(word_of(sem));
    uint32_t value = atomic_load_explicit(value_of(sem), memory_order_relaxed);
    if (value == 0) {
        if (node != NULL)
            now = cordi_ring_append(now, node);
    } else if (node == NULL || cordi_wait_claim()) {
        atomic_store_explicit(value_of(sem), value - 1, memory_order_relaxed);
        rc = 0;
    }
    cordi_ring_unlock(word_of(sem), now);
    return rc;
}

void cordi_sem_leave(cord_sem *sem, struct cordi_waiter *node)
{
    cordi_ring_leave(word_of(sem), node);
}

int cord_sem_acquire(cord_sem *sem, cord_deadline deadline)
{
    if (cordi_is_shared(&sem->word))
        return cordi_shared_sem_acquire(sem, deadline);
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a semaphore");
    if (cordi_sem_try(sem, NULL) == 0)
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "semaphore: there is no permit, and the call may not wait");
    struct cordi_waiter node;
    cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, "a semaphore");
    if (cordi_sem_try(sem, &node) == 0)
        return 0;
    int rc = cordi_park(deadline);
    if (rc < 0)
        cordi_sem_leave(sem, &node);
    return rc;
}

int cord_sem_release(cord_sem *sem, uint32_t count)
{
    if (count == 0)
        return cordi_fail(-EINVAL, "semaphore: at least one permit must be given");
    if (cordi_is_shared(&sem->word))
        return cordi_shared_sem_release(sem, count);
    if (cordi_in_section()) { /* this is a signal handler */
        cordi_late_release(sem, count);
        return 0;
    }
    struct cordi_list claimed;
    struct cordi_waiter *first;
    cordi_list_init(&claimed);
    uint64_t now = cordi_ring_lock(word_of(sem));
    uint32_t value = atomic_load_explicit(value_of(sem), memory_order_relaxed);
    bool fits = (uint64_t)value + count <= most(sem->limit);
    while (fits && count > 0 && (first = cordi_ring_first(now)) != NULL) {
        now = cordi_ring_remove(now, first);
        if (!cordi_waiter_claim(first)) /* it is on its way out, and its node is no longer ours */
            continue;
        cordi_list_append(&claimed, &first->link);
        count--;
    }
    if (fits)
        atomic_store_explicit(value_of(sem), value + count, memory_order_relaxed);
    cordi_ring_let_go(word_of(sem), now);
    cordi_wake_list_end_section(&claimed);
    return fits ? 0 : cordi_fail(-EOVERFLOW, "semaphore: released more often than its limit allows");
}

uint32_t cord_sem_value(const cord_sem *sem)
{
    if (cordi_is_shared(&sem->word))
        return cordi_shared_sem_value(sem);
    return atomic_load_explicit(value_of(sem), memory_order_relaxed);
}

int cord_sem_new(cord_sem **ret, uint32_t value, uint32_t limit, int flags)
{
    if (value > most(limit))
        return cordi_fail(-EINVAL, "semaphore: %u permits are more than its limit", value);
    if (flags & CORD_SHARED)
        return cordi_shared_sem_new(ret, value, most(limit));
    cord_sem *sem = malloc(sizeof *sem);
    if (sem == NULL)
        return cordi_fail_code(-ENOMEM, "semaphore");
    *sem = (cord_sem)CORD_SEM_INIT(value, limit);
    *ret = sem;
    return 0;
}

void cord_sem_free(cord_sem *sem)
{
    if (sem != NULL && cordi_is_shared(&sem->word))
        cordi_shared_sem_free(sem);
    else
        free(sem);
}
