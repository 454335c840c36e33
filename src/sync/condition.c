/* sync/condition.c - the condition for tasks of one process, of every kind.
 *
 * One word holds the ring of waiters (ring.h); beside it, the lock that they gave up. A waiter enters the ring before
 * it gives up the lock, so a notify with the lock held finds everybody who waited when the lock was taken. It claims
 * the first ones under the spin bit and wakes them after; each takes the lock again by itself, uncancellably and
 * without a deadline. A waiter that was claimed answers 0, so no notify is spent on one that answers something else.
 *
 * THE INVARIANT: while there are waiters in the ring, `lock` is the one that all of them gave up. Both are read and
 * written only under the spin bit.
 *
 * Rejected: moving the waiters of a notify straight into the ring of the lock, which the notifier still holds. It saves
 * a switch for each, and ties the waiter's two waits, with their different ways to end, into one.
 */
#include <cordage/lock.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/ring.h"
#include "sync/shared.h"

static _Atomic uint64_t *ring_of(cord_condition *condition)
{
    return (_Atomic uint64_t *)&condition->word;
}

/* False: those who wait gave up another lock. */
static bool queue_up(cord_condition *condition, struct cordi_waiter *node, cord_lock *lock)
{
    uint64_t now = cordi_ring_lock(ring_of(condition));
    bool fits = cordi_ring_first(now) == NULL || condition->lock == (uint64_t)(uintptr_t)lock;
    if (fits) {
        condition->lock = (uint64_t)(uintptr_t)lock;
        now = cordi_ring_append(now, node);
    }
    cordi_ring_unlock(ring_of(condition), now);
    return fits;
}

static int wait_local(cord_condition *condition, cord_lock *lock, cord_deadline deadline, const char *what)
{
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a condition");
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "condition: the call may not wait for a notify");
    struct cordi_waiter node;
    cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, what);
    if (!queue_up(condition, &node, lock)) {
        cordi_wait_abandon();
        return cordi_fail(-EINVAL, "condition: those who wait for it gave up another lock");
    }
    (void)cord_lock_release(lock);
    int rc = cordi_park(deadline);
    if (rc < 0)
        cordi_ring_leave(ring_of(condition), &node);
    int again = cord_lock_acquire(lock, CORD_FOREVER);
    assert(again == 0); /* a local lock that is not ours is had in the end */
    return rc;
}

int cordi_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline, const char *what)
{
    bool shared = cordi_is_shared(&condition->word);
    if (shared != cordi_is_shared(&lock->word))
        return cordi_fail(-EINVAL, "condition: one of it and the lock is shared, the other is local");
    if (!cordi_lock_mine(lock))
        return cordi_fail(-EPERM, "condition: the calling task does not hold the lock");
    return shared ? cordi_shared_condition_wait(condition, lock, deadline)
                  : wait_local(condition, lock, deadline, what);
}

int cord_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline)
{
    return cordi_condition_wait(condition, lock, deadline, "a condition");
}

int cord_condition_wait_for(cord_condition *condition, cord_lock *lock, cord_fn *predicate, void *arg,
                            cord_deadline deadline)
{
    if (!cordi_lock_mine(lock))
        return cordi_fail(-EPERM, "condition: the calling task does not hold the lock");
    for (int rc = 0;;) {
        int answer = predicate(arg);
        if (answer != 0)
            return answer;
        if (rc == -ETIMEDOUT)
            return cordi_fail(rc, "timed out waiting for a condition");
        rc = cord_condition_wait(condition, lock, deadline);
        if (rc < 0 && rc != -ETIMEDOUT)
            return rc;
    }
}

int cord_condition_notify(cord_condition *condition, uint32_t count)
{
    if (cordi_is_shared(&condition->word))
        return cordi_shared_condition_notify(condition, count);
    /* Who waited when the caller took the lock is seen here, without the bit. */
    if (cordi_ring_first(atomic_load_explicit(ring_of(condition), memory_order_acquire)) == NULL)
        return 0;
    struct cordi_list claimed;
    struct cordi_waiter *first;
    uint32_t woken = 0;
    cordi_list_init(&claimed);
    uint64_t now = cordi_ring_lock(ring_of(condition));
    bool may = cordi_ring_first(now) == NULL || cordi_lock_mine((const cord_lock *)(uintptr_t)condition->lock);
    while (may && woken < count && (first = cordi_ring_first(now)) != NULL) {
        now = cordi_ring_remove(now, first);
        if (!cordi_waiter_claim(first)) /* it is on its way out, and its node is no longer ours */
            continue;
        cordi_list_append(&claimed, &first->link);
        woken++;
    }
    cordi_ring_unlock(ring_of(condition), now);
    cordi_wake_list(&claimed);
    return may ? (int)woken : cordi_fail(-EPERM, "condition: notified without the lock that its waiters gave up");
}

int cord_condition_notify_all(cord_condition *condition)
{
    return cord_condition_notify(condition, UINT32_MAX);
}

int cord_condition_new(cord_condition **ret, int flags)
{
    if (flags & CORD_SHARED)
        return cordi_shared_condition_new(ret);
    cord_condition *condition = calloc(1, sizeof *condition);
    if (condition == NULL)
        return cordi_fail_code(-ENOMEM, "condition");
    *ret = condition;
    return 0;
}

void cord_condition_free(cord_condition *condition)
{
    if (condition != NULL && cordi_is_shared(&condition->word))
        cordi_shared_condition_free(condition);
    else
        free(condition);
}
