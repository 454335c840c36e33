/* sync/barrier.c - the barrier, local and shared: a lock, a condition, and the count of those who have come.
 *
 * Rounds are numbered. Whoever comes notes the number and waits until it is over; the last one to come runs the action,
 * with the lock, and ends the round. A wait that ends by itself ends it too: as a broken one. After a round nobody
 * looks at its count any more, so the next one begins at once.
 *
 * Python lets the old round drain first: who comes for the next one waits until all of the last have gone. That was
 * rejected, since a process that was killed never goes, and the barrier would stand still for ever. What it is for,
 * that a late waiter can tell how its round ended, is done by the numbers of the last rounds that broke. To keep how
 * the last rounds ended was too little: while a thread wakes, coroutines go through hundreds of them, of which few
 * break. Who is later than TORN breaks is told CORD_EBROKEN, whatever it was.
 *
 * THE INVARIANT: with the lock, `waiting` tasks (or processes that were killed) wait for the end of `round`, fewer than
 * there are parties unless the action runs, and none when it is broken. All who wait for an earlier round have been
 * notified.
 *
 * A process that dies with the lock may have left half of that: who takes it next breaks the barrier, notifies all and
 * lets no late waiter pass.
 */
#include <cordage/event.h>

#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/shared.h"

enum { TORN = 64 };

/* All but the fields that never change are written with the lock; atomic is what is also read without it. */
struct cord_barrier {
    cord_lock *lock;
    cord_condition *condition; /* a round is over */
    cord_fn *action;           /* or NULL */
    void *arg;                 /* the action's */
    uint64_t round;            /* that is going on; from 1 */
    uint64_t torn[TORN];       /* the last ones that broke while somebody waited */
    uint64_t breaks;           /* how often that was; the next goes to torn[breaks % TORN] */
    uint32_t parties;          /* never changes */
    _Atomic uint32_t waiting;  /* in this round */
    _Atomic bool broken;
    cord_lock own_lock; /* of a local one */
    cord_condition own_condition;
};

static void end_round(cord_barrier *barrier, bool whole)
{
    if (!whole && atomic_load(&barrier->waiting) > 0)
        barrier->torn[barrier->breaks++ % TORN] = barrier->round;
    barrier->round++;
    atomic_store(&barrier->waiting, 0);
    (void)cord_condition_notify_all(barrier->condition);
}

static void break_it(cord_barrier *barrier)
{
    if (!atomic_load(&barrier->broken))
        end_round(barrier, false);
    atomic_store(&barrier->broken, true);
}

/* An earlier round has not broken. */
static bool was_whole(const cord_barrier *barrier, uint64_t round)
{
    for (int i = 0; i < TORN; i++)
        if (barrier->torn[i] == round)
            return false;
    return round > barrier->torn[barrier->breaks % TORN]; /* else its number may have been there */
}

/* After the lock was taken, with that answer. */
static void look_for_death(cord_barrier *barrier, int rc)
{
    if (rc != CORD_OWNER_DIED)
        return;
    for (int i = 0; i < TORN; i++)
        barrier->torn[i] = barrier->round;
    end_round(barrier, false);
    atomic_store(&barrier->broken, true);
}

/* Until the round is over, or the wait has ended by itself, with that answer. */
static int stay(cord_barrier *barrier, uint64_t round, cord_deadline deadline)
{
    int rc;
    do {
        rc = cordi_condition_wait(barrier->condition, barrier->lock, deadline, "a barrier");
        look_for_death(barrier, rc);
    } while (rc >= 0 && barrier->round == round);
    if (rc == -ETIMEDOUT || rc == -ECANCELED)
        return cordi_fail(rc, "barrier: %s waiting for the others", rc == -ETIMEDOUT ? "timed out" : "cancelled while");
    return rc;
}

static int wait_in_turn(cord_barrier *barrier, cord_deadline deadline)
{
    uint32_t index = atomic_load(&barrier->waiting);
    uint64_t round = barrier->round;
    bool last = index + 1 == barrier->parties;
    int rc = 0;
    if (cordi_self_cancelled()) {
        break_it(barrier);
        return cordi_fail(-ECANCELED, "cancelled before waiting at a barrier");
    }
    if (atomic_load(&barrier->broken))
        return cordi_fail(CORD_EBROKEN, "barrier: it is broken");
    if (!last && cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "barrier: others have yet to come, and the call may not wait");
    atomic_store(&barrier->waiting, index + 1);
    if (!last)
        rc = stay(barrier, round, deadline);
    else if (barrier->action != NULL)
        rc = barrier->action(barrier->arg);
    if (barrier->round != round) /* somebody has ended it, whatever became of our wait */
        return was_whole(barrier, round) ? (int)index : cordi_fail(CORD_EBROKEN, "barrier: it was broken");
    if (rc < 0)
        break_it(barrier);
    else
        end_round(barrier, true);
    return rc < 0 ? rc : (int)index;
}

int cord_barrier_wait(cord_barrier *barrier, cord_deadline deadline)
{
    int rc = cord_lock_acquire(barrier->lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    look_for_death(barrier, rc);
    rc = wait_in_turn(barrier, deadline);
    (void)cord_lock_release(barrier->lock);
    return rc;
}

static int let_others_run(void *arg)
{
    (void)arg;
    return cord_yield();
}

/* For what must not fail. False: the action of this barrier calls, which has the lock. */
static bool enter(cord_barrier *barrier)
{
    int rc;
    if (cordi_lock_mine(barrier->lock))
        return false;
    while ((rc = cord_lock_acquire(barrier->lock, CORD_FOREVER)) < 0) /* a shared one, for want of memory */
        (void)cord_shield(let_others_run, NULL);
    look_for_death(barrier, rc);
    return true;
}

void cord_barrier_abort(cord_barrier *barrier)
{
    bool entered = enter(barrier);
    break_it(barrier);
    if (entered)
        (void)cord_lock_release(barrier->lock);
}

void cord_barrier_reset(cord_barrier *barrier)
{
    bool entered = enter(barrier);
    if (!atomic_load(&barrier->broken)) /* else nobody waits */
        end_round(barrier, false);
    atomic_store(&barrier->broken, false);
    if (entered)
        (void)cord_lock_release(barrier->lock);
}

void cord_barrier_action(cord_barrier *barrier, cord_fn *action, void *arg)
{
    barrier->action = action;
    barrier->arg = arg;
}

bool cord_barrier_broken(const cord_barrier *barrier)
{
    return atomic_load(&barrier->broken);
}

uint32_t cord_barrier_parties(const cord_barrier *barrier)
{
    return barrier->parties;
}

uint32_t cord_barrier_waiting(const cord_barrier *barrier)
{
    return atomic_load(&barrier->waiting);
}

static int shared_barrier_new(cord_barrier **ret)
{
    void *made;
    int rc = cord_shared_new(&made, sizeof **ret);
    if (rc < 0)
        return rc;
    cord_barrier *barrier = made;
    rc = cord_lock_new(&barrier->lock, CORD_SHARED);
    if (rc == 0)
        rc = cord_condition_new(&barrier->condition, CORD_SHARED);
    if (rc < 0) {
        cord_lock_free(barrier->lock);
        cord_shared_free(barrier);
        return rc;
    }
    *ret = barrier;
    return 0;
}

static int local_barrier_new(cord_barrier **ret)
{
    cord_barrier *barrier = calloc(1, sizeof *barrier);
    if (barrier == NULL)
        return cordi_fail_code(-ENOMEM, "barrier");
    barrier->lock = &barrier->own_lock;
    barrier->condition = &barrier->own_condition;
    *ret = barrier;
    return 0;
}

int cord_barrier_new(cord_barrier **ret, uint32_t parties, int flags)
{
    cord_barrier *barrier = NULL;
    if (parties == 0 || parties > INT32_MAX)
        return cordi_fail(-EINVAL, "barrier: the parties must be 1 to 2^31 - 1");
    int rc = flags & CORD_SHARED ? shared_barrier_new(&barrier) : local_barrier_new(&barrier);
    if (rc < 0)
        return rc;
    barrier->round = 1;
    barrier->parties = parties;
    *ret = barrier;
    return 0;
}

void cord_barrier_free(cord_barrier *barrier)
{
    if (barrier == NULL)
        return;
    if (barrier->lock == &barrier->own_lock) {
        free(barrier);
        return;
    }
    cord_condition_free(barrier->condition);
    cord_lock_free(barrier->lock);
    cord_shared_free(barrier);
}
