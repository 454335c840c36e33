/* sync/rlock.c - the recursive lock, local and shared: a lock, and how often its owner has taken it.
 *
 * Only the owner reads or writes the depth, and the lock itself orders one owner's use of it before the next one's. So
 * there is no word of its own here: who asks whether it is the owner asks the lock, which notes the task that holds it.
 * A shared lock is larger than a local one, so its depth lies behind it; whether it does is seen from the lock's word.
 *
 * The wait of a condition with a recursive lock is here too, since it is an ordinary wait with the depth kept aside:
 * whoever has the lock meanwhile counts from 1.
 *
 * Unlike a lock it is released only by its owner: somebody else could not tell how often.
 */
#include <cordage/lock.h>

#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/shared.h"

struct shared_rlock {
    struct cordi_shared_lock lock;
    uint64_t depth;
};

static uint64_t *depth_of(cord_rlock *rlock)
{
    return cordi_is_shared(&rlock->lock.word) ? &((struct shared_rlock *)rlock)->depth : &rlock->depth;
}

int cord_rlock_acquire(cord_rlock *rlock, cord_deadline deadline)
{
    if (cordi_lock_mine(&rlock->lock)) {
        ++*depth_of(rlock);
        return 0;
    }
    int rc = cord_lock_acquire(&rlock->lock, deadline);
    if (rc >= 0)
        *depth_of(rlock) = 1; /* also after an owner that died */
    return rc;
}

int cord_rlock_release(cord_rlock *rlock)
{
    if (!cordi_lock_mine(&rlock->lock))
        return cordi_fail(-EPERM, "recursive lock: released, and the calling task does not hold it");
    if (--*depth_of(rlock) > 0)
        return 0;
    return cord_lock_release(&rlock->lock);
}

bool cord_rlock_held(const cord_rlock *rlock)
{
    return cord_lock_held(&rlock->lock);
}

uint64_t cord_rlock_depth(const cord_rlock *rlock)
{
    return cordi_lock_mine(&rlock->lock) ? *depth_of((cord_rlock *)(uintptr_t)rlock) : 0;
}

int cord_condition_wait_rlock(cord_condition *condition, cord_rlock *rlock, cord_deadline deadline)
{
    uint64_t depth = cord_rlock_depth(rlock);
    int rc = cord_condition_wait(condition, &rlock->lock, deadline);
    if (depth > 0) /* else the wait has refused */
        *depth_of(rlock) = depth;
    return rc;
}

static int shared_rlock_new(cord_rlock **ret)
{
    void *rlock;
    int rc = cordi_shared_object_new(&rlock, sizeof(struct shared_rlock), "recursive lock");
    if (rc < 0)
        return rc;
    cordi_shared_lock_init(rlock);
    *ret = rlock;
    return 0;
}

int cord_rlock_new(cord_rlock **ret, int flags)
{
    if (flags & CORD_SHARED)
        return shared_rlock_new(ret);
    cord_rlock *rlock = calloc(1, sizeof *rlock);
    if (rlock == NULL)
        return cordi_fail_code(-ENOMEM, "recursive lock");
    *ret = rlock;
    return 0;
}

void cord_rlock_free(cord_rlock *rlock)
{
    if (rlock != NULL && cordi_is_shared(&rlock->lock.word))
        cordi_shared_lock_free(&rlock->lock);
    else
        free(rlock);
}
