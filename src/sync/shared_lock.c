/* sync/shared_lock.c - the lock of several processes, which survives the death of its holder.
 *
 * The state is one word: {start time, WAITERS, DEAD, HANDED, pid} of the owning process, see sys/identity.h; 0 when it
 * is free, DEAD alone when it is free and its last holder died. Its low half is the futex. Taking a free one is one
 * compare-and-swap, giving it back to nobody too. A process holds it, not a task: what dies is a process.
 *
 * THE INVARIANT: who sleeps on the word sleeps on the exact value of its owner, with WAITERS in it, and (after a nap,
 * since most holders need much less) watches that owner. Every change of owner goes by a release, which wakes all
 * sleepers (one a process, see shared.h), so that each looks at the new owner. The death of an owner wakes them too,
 * by the watch: also when it died between its release and its wake. Who notices the death marks the word DEAD by
 * compare-and-swap, if it is still that owner's; who then takes it answers CORD_OWNER_DIED.
 *
 * A waiter that has lost often or waited long names its process as the lock's heir: the next release makes that process
 * the owner, with HANDED in the word until the waiter has seen it. A waiter that gives up takes the name back; if it is
 * gone, the lock is on its way and the waiter stays for it. An heir that died is buried like any owner, and nobody is
 * told of it while HANDED is there: it had not begun.
 *
 * Rejected: the kernel's robust list, which knows threads, not processes, and allows no release by another; and
 * waking up from time to time to look whether the owner is alive.
 */
#include "sync/shared.h"

#include <errno.h>

#include "rt/offload.h"
#include "sys/fd.h"
#include "sys/identity.h"

#define WAITERS ((uint64_t)1 << 31)
#define DEAD ((uint64_t)1 << 30)
#define HANDED ((uint64_t)1 << 29)
#define PID (HANDED - 1)
#define IDENTITY (~(WAITERS | DEAD | HANDED))

#define NAP CORD_MILLISECOND
#ifndef LOSSES
#define LOSSES 8 /* tests/interleave has fewer */
#endif

/* Frees the lock when it is still that owner's, and wakes all that sleep on it in any case. To whom it was handed, but
 * who had not seen that, has not held it. */
static void bury(struct cordi_shared_lock *lock, uint64_t owner)
{
    uint64_t now = atomic_load(&lock->state);
    while ((now & IDENTITY) == owner && !atomic_compare_exchange_weak(&lock->state, &now, now & HANDED ? 0 : DEAD))
        ;
    cordi_shared_wake(&lock->state);
}

struct watched {
    struct cordi_shared_lock *lock;
    uint64_t owner;
};

static void owner_died(void *arg)
{
    struct watched *watched = arg;
    bury(watched->lock, watched->owner);
}

/* A pidfd of the owner in a value of the state. -ESRCH: it died, and the word says so now. */
static int open_owner(struct cordi_shared_lock *lock, uint64_t seen)
{
    int pidfd = cordi_identity_open(seen & IDENTITY);
    if (pidfd == -ESRCH)
        bury(lock, seen & IDENTITY);
    return pidfd;
}

/* 0 or CORD_OWNER_DIED: taken. -EAGAIN: held. */
static int try_take(struct cordi_shared_lock *lock)
{
    uint64_t now = 0; /* a guess: to look first would fetch the cache line twice */
    do
        if (atomic_compare_exchange_weak_explicit(&lock->state, &now, cordi_identity_self(), memory_order_acquire,
                                                  memory_order_relaxed))
            return now & DEAD ? CORD_OWNER_DIED : 0;
    while ((now & PID) == 0);
    return -EAGAIN;
}

/* As try_take, after a look whether the owner is alive: for a call that does not wait. */
static int try_hard(struct cordi_shared_lock *lock)
{
    uint64_t seen = atomic_load(&lock->state);
    int pidfd = seen & PID ? open_owner(lock, seen) : -ESRCH;
    if (pidfd >= 0)
        cordi_fd_close(pidfd);
    return try_take(lock);
}

static int sleep_while(struct cordi_shared_lock *lock, uint64_t seen, uint32_t deaths, cord_deadline deadline)
{
    return cordi_shared_sleep(&lock->state, (uint32_t)seen, deaths, "a lock", CORDI_UNCANCELLABLE, deadline);
}

/* Sleeps on the value `seen`. 0: look again. */
static int sleep_on(struct cordi_shared_lock *lock, uint64_t seen, cord_deadline deadline)
{
    uint32_t deaths = cordi_deaths();
    cord_deadline nap = cord_left(deadline) < NAP ? deadline : cord_in(NAP);
    int rc = sleep_while(lock, seen, deaths, nap);
    if (rc != -ETIMEDOUT)
        return rc;
    if ((seen & IDENTITY) == cordi_identity_self()) /* we die with it */
        return sleep_while(lock, seen, deaths, deadline);
    struct watched watched = { lock, seen & IDENTITY };
    int pidfd = open_owner(lock, seen);
    if (pidfd < 0)
        return pidfd == -ESRCH ? 0 : cordi_fail_code(pidfd, "lock: watching the process that holds it");
    if (cord_left(deadline) == 0) {
        cordi_fd_close(pidfd);
        return -ETIMEDOUT;
    }
    int watch = cordi_owner_watch(pidfd, owner_died, &watched);
    if (watch < 0)
        return cordi_fail_code(watch, "lock: watching the process that holds it");
    rc = sleep_while(lock, seen, deaths, deadline);
    cordi_owner_unwatch(watch);
    return rc;
}

/* The lock was handed to this process, and its waiter takes it. Only with the gate. */
static bool inherit(struct cordi_shared_lock *lock)
{
    uint64_t now = atomic_load_explicit(&lock->state, memory_order_relaxed);
    while ((now & (IDENTITY | HANDED)) == (cordi_identity_self() | HANDED))
        if (atomic_compare_exchange_weak_explicit(&lock->state, &now, now & ~HANDED, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* No more the heir: true. False: the lock is being handed over already. */
static bool renounce(struct cordi_shared_lock *lock)
{
    uint64_t heir = cordi_identity_self();
    return atomic_compare_exchange_strong(&lock->heir, &heir, 0);
}

/* With the gate. */
static int take_in_turn(struct cordi_shared_lock *lock, cord_deadline deadline)
{
    int64_t start = cord_now();
    bool heir = false;
    for (int losses = 0;; losses++) {
        int rc = inherit(lock) ? 0 : try_take(lock);
        uint64_t now = atomic_load(&lock->state);
        if (rc == -EAGAIN) {
            if (!heir && (losses >= LOSSES || (losses > 0 && cord_now() - start >= NAP)))
                heir = atomic_compare_exchange_strong(&lock->heir, &(uint64_t){ 0 }, cordi_identity_self());
            if ((now & PID) == 0 || (now & (IDENTITY | HANDED)) == (cordi_identity_self() | HANDED) ||
                (!(now & WAITERS) && !atomic_compare_exchange_strong(&lock->state, &now, now | WAITERS)))
                continue;
            rc = sleep_on(lock, now | WAITERS, deadline);
            if (rc == 0)
                continue;
        }
        if (!heir || renounce(lock) || rc >= 0)
            return rc;
        heir = false;
        deadline = CORD_FOREVER; /* it comes within a few instructions, or their executor is buried */
    }
}

static int take(struct cordi_shared_lock *lock, cord_deadline deadline)
{
    int rc = -EAGAIN;
    unsigned looks = 0;
    while (rc == -EAGAIN && cordi_look_again(&looks, true))
        if ((atomic_load_explicit(&lock->state, memory_order_relaxed) & PID) == 0)
            rc = try_take(lock);
    if (rc != -EAGAIN)
        return rc;
    rc = cordi_lock_take(&cordi_shared_own(lock)->gate[0], deadline, CORDI_UNCANCELLABLE);
    if (rc == 0) {
        rc = take_in_turn(lock, deadline);
        cordi_lock_give(&cordi_shared_own(lock)->gate[0]);
    }
    return rc;
}

/* What `owner` says of the calling task: the task and its process, since the address alone may come again in another.
 * The note of a process that died stays until the next owner's; to clear it could hit that one. */
static uint64_t me(void)
{
    return (uint64_t)(uintptr_t)cordi_self() ^ cordi_identity_self();
}

bool cordi_shared_lock_mine(const struct cordi_shared_lock *lock)
{
    return (atomic_load(&lock->state) & IDENTITY) == cordi_identity_self() &&
           atomic_load((const _Atomic uint64_t *)&lock->base.owner) == me();
}

int cordi_shared_lock_acquire(struct cordi_shared_lock *lock, cord_deadline deadline)
{
    int rc = try_take(lock);
    if (rc == -EAGAIN) {
        if (deadline.at == 0 && cordi_shared_lock_mine(lock))
            return cordi_fail(-EDEADLK, "lock: the calling task holds it already and would wait for ever");
        rc = cordi_nowait(deadline) ? try_hard(lock) : take(lock, deadline);
    }
    if (rc >= 0)
        atomic_store_explicit((_Atomic uint64_t *)&lock->base.owner, me(), memory_order_relaxed);
    else if (rc == -EAGAIN)
        return cordi_fail(rc, "lock: it is held, and the call may not wait");
    else if (rc == -ETIMEDOUT)
        return cordi_fail(rc, "timed out waiting for a lock");
    return rc;
}

int cordi_shared_lock_release(struct cordi_shared_lock *lock)
{
    uint64_t now = atomic_load_explicit(&lock->state, memory_order_relaxed);
    if (now & PID)
        atomic_store_explicit((_Atomic uint64_t *)&lock->base.owner, 0, memory_order_relaxed);
    uint64_t heir = now & WAITERS ? atomic_exchange(&lock->heir, 0) : 0;
    do
        if ((now & PID) == 0)
            return cordi_fail(-EPERM, "lock: released, and nobody holds it");
    while (!atomic_compare_exchange_weak_explicit(&lock->state, &now, heir != 0 ? heir | HANDED : 0,
                                                  memory_order_release, memory_order_relaxed));
    if (now & WAITERS)
        cordi_shared_wake(&lock->state);
    return 0;
}

bool cordi_shared_lock_held(const struct cordi_shared_lock *lock)
{
    return (atomic_load_explicit(&lock->state, memory_order_relaxed) & PID) != 0;
}

void cordi_shared_lock_init(struct cordi_shared_lock *lock)
{
    lock->base.word = CORDI_RING_SHARED;
}

int cordi_shared_lock_new(cord_lock **ret)
{
    void *lock;
    int rc = cordi_shared_object_new(&lock, sizeof(struct cordi_shared_lock), "lock");
    if (rc < 0)
        return rc;
    cordi_shared_lock_init(lock);
    *ret = lock;
    return 0;
}

void cordi_shared_lock_free(cord_lock *lock)
{
    cordi_shm_free(lock);
}
