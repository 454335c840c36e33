/* sync/lock.c - the lock for tasks of one process, of every kind.
 *
 * One word holds the flag LOCKED and the ring of waiters (ring.h). Taking a free lock and giving back one that nobody
 * waits for are one compare-and-swap each. Otherwise a release frees the lock, takes the first waiter that can still
 * be claimed out of the ring and wakes it; that one competes with whoever comes by, and goes back to the front when it
 * lost. One that has lost often or waited long is *starving*: to it the release hands the lock over. Handing over
 * always was rejected: each hand-over costs a switch between threads, and with more threads than CPUs the lock spends
 * its time waiting for them. Never was rejected too: a coroutine that releases and takes again without a wait between
 * would keep the others of its loop out for ever.
 *
 * THE INVARIANT (no lost wake-up): while there are waiters in the ring, the lock is held, or a waiter that was claimed
 * by a release is on its way to take it: WOKEN says so, and then a release wakes no other. It holds because
 *  - a waiter enters the ring only when it sees LOCKED, both under the spin bit, so the holder's release finds it;
 *  - a release with waiters claims one, or finds under the spin bit that one is on its way or all of them are leaving;
 *  - the claimed one has the lock (it was handed over, LOCKED never went), takes it, or sees it LOCKED again: then the
 *    new holder's release does the same, since WOKEN goes when it looks;
 *  - a waiter that timed out was not claimed, so it takes no wake and no lock with it.
 * While the spin bit is set only its owner writes the word.
 *
 * waiter.item: NULL, in no ring; the waiter itself, in the ring; the lock, in the ring and starving, and once claimed:
 * the lock is yours.
 *
 * `owner` says whether the calling task holds the lock: for the recursive lock, the condition, and for -EDEADLK to a
 * task that would wait for it for ever. With a deadline it waits, since another task may release it. The owner is a
 * task's address: one that ended while holding the lock can be mistaken for a later task in the same memory.
 */
#include <cordage/lock.h>

#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/ring.h"
#include "sync/shared.h"

#define LOCKED CORDI_RING_FLAG
#define WOKEN CORDI_RING_WOKEN

static _Atomic uint64_t *word_of(cord_lock *lock)
{
    return (_Atomic uint64_t *)&lock->word;
}

static _Atomic uint64_t *owner_of(cord_lock *lock)
{
    return (_Atomic uint64_t *)&lock->owner;
}

/* Guesses that nobody is there: to look first would fetch the cache line twice. */
static bool try_take(cord_lock *lock)
{
    uint64_t now = 0;
    while (!(now & (LOCKED | CORDI_RING_SPIN)))
        if (cordi_word_swap(word_of(lock), &now, now | LOCKED))
            return true;
    return false;
}

enum { LOSSES = 8 };
#define LONG CORD_MILLISECOND

/* Takes the lock if it is free: true. Otherwise links the node, if there is one, in front when it has lost before. */
static bool take_or_queue(cord_lock *lock, struct cordi_waiter *node, int losses, bool starving)
{
    uint64_t now = cordi_ring_lock(word_of(lock));
    bool taken = !(now & LOCKED);
    if (losses > 0)
        now &= ~WOKEN;
    if (taken)
        now |= LOCKED;
    else if (node != NULL) {
        now = losses > 0 ? cordi_ring_push(now, node) : cordi_ring_append(now, node);
        if (starving)
            node->item = lock;
    }
    cordi_ring_unlock(word_of(lock), now);
    return taken;
}

int cordi_lock_take(cord_lock *lock, cord_deadline deadline, int cancellable)
{
    unsigned looks = 0;
    if (try_take(lock))
        return 0;
    while (!cordi_nowait(deadline) && cordi_look_again(&looks, false))
        if (!cord_lock_held(lock) && try_take(lock))
            return 0;
    if (cordi_nowait(deadline))
        return take_or_queue(lock, NULL, 0, false) ? 0
                                                   : cordi_fail(-EAGAIN, "lock: it is held, and the call may not wait");
    int64_t start = cord_now();
    for (int losses = 0;; losses++) {
        struct cordi_waiter node;
        bool starving = losses >= LOSSES || (losses > 0 && cord_now() - start >= LONG);
        cordi_wait_begin_at_bit(&node, cancellable, "a lock");
        if (take_or_queue(lock, &node, losses, starving)) {
            cordi_wait_abandon();
            return 0;
        }
        cordi_wait_note_lock(&lock->owner);
        int rc = cordi_park(deadline);
        cordi_wait_note_lock(NULL);
        if (rc < 0)
            cordi_ring_leave(word_of(lock), &node);
        if (rc < 0 || node.item == lock)
            return rc;
    }
}

/* With the spin bit: takes the one to be woken out of the ring, or NULL. One is enough: while it is on its way only one
 * that starves is woken, and that one gets the lock. */
static struct cord_task *claim_next(cord_lock *lock, uint64_t *now)
{
    struct cordi_waiter *first;
    while ((first = cordi_ring_first(*now)) != NULL) {
        struct cord_task *task = first->task;
        bool starving = first->item == lock;
        if (!starving && *now & WOKEN)
            return NULL;
        *now = cordi_ring_remove(*now, first);
        if (!cordi_waiter_claim(first))
            continue;
        if (starving)
            first->item = lock;
        *now |= starving ? LOCKED : WOKEN;
        return task;
    }
    return NULL;
}

static bool give_at_once(cord_lock *lock)
{
    uint64_t now = LOCKED;
    return cordi_word_swap(word_of(lock), &now, 0);
}

/* False: nobody holds it. */
static bool give(cord_lock *lock)
{
    uint64_t now = cordi_ring_lock(word_of(lock));
    bool held = (now & LOCKED) != 0;
    now &= ~LOCKED;
    struct cord_task *woken = held ? claim_next(lock, &now) : NULL;
    cordi_ring_unlock(word_of(lock), now);
    if (woken != NULL)
        cordi_wake(woken);
    return held;
}

void cordi_lock_give(cord_lock *lock)
{
    if (!give_at_once(lock))
        (void)give(lock);
}

/* A local one there would be taken for a shared one, which is larger. Fetched to be written: the look would fetch the
 * line a first time, the taking a second. */
static inline bool is_made(const cord_lock *lock)
{
    __builtin_prefetch(lock, 1);
    return cordi_is_shared(&lock->word);
}

static int not_made(void)
{
    return cordi_fail(-EINVAL, "lock: in shared memory it is one that cord_lock_new() has made with CORD_SHARED");
}

int cord_lock_acquire(cord_lock *lock, cord_deadline deadline)
{
    if (cordi_shm_is_there(lock))
        return is_made(lock) ? cordi_shared_lock_acquire((struct cordi_shared_lock *)lock, deadline) : not_made();
    uint64_t self = (uint64_t)(uintptr_t)cordi_self();
    if (!try_take(lock)) {
        /* A release by another task clears owner before it frees the word, which is looked at first here. */
        if (deadline.at == 0 && atomic_load_explicit(word_of(lock), memory_order_acquire) & LOCKED &&
            atomic_load_explicit(owner_of(lock), memory_order_relaxed) == self)
            return cordi_fail(-EDEADLK, "lock: the calling task holds it already and would wait for ever");
        int rc = cordi_lock_take(lock, deadline, CORDI_UNCANCELLABLE);
        if (rc < 0)
            return rc;
    }
    atomic_store_explicit(owner_of(lock), self, memory_order_relaxed);
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_debug_lock_taken(&lock->owner, __builtin_return_address(0));
    return 0;
}

int cord_lock_release(cord_lock *lock)
{
    if (cordi_shm_is_there(lock))
        return is_made(lock) ? cordi_shared_lock_release((struct cordi_shared_lock *)lock) : not_made();
    atomic_store_explicit(owner_of(lock), 0, memory_order_relaxed); /* of a free one it is 0 */
    if (give_at_once(lock) || give(lock))
        return 0;
    return cordi_fail(-EPERM, "lock: released, and nobody holds it");
}

bool cord_lock_held(const cord_lock *lock)
{
    if (cordi_is_shared(&lock->word))
        return cordi_shared_lock_held((const struct cordi_shared_lock *)lock);
    return (atomic_load_explicit((const _Atomic uint64_t *)&lock->word, memory_order_relaxed) & LOCKED) != 0;
}

/* Each release clears the owner before it frees the word, so it names the holder or nobody. */
bool cordi_lock_mine(const cord_lock *lock)
{
    cord_lock *own = (cord_lock *)(uintptr_t)lock;
    if (cordi_is_shared(&lock->word))
        return cordi_shared_lock_mine((struct cordi_shared_lock *)own);
    return atomic_load_explicit(owner_of(own), memory_order_relaxed) == (uint64_t)(uintptr_t)cordi_self();
}

int cord_lock_new(cord_lock **ret, int flags)
{
    if (flags & CORD_SHARED)
        return cordi_shared_lock_new(ret);
    cord_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL)
        return cordi_fail_code(-ENOMEM, "lock");
    *ret = lock;
    return 0;
}

void cord_lock_free(cord_lock *lock)
{
    if (lock != NULL && cordi_is_shared(&lock->word))
        cordi_shared_lock_free(lock);
    else
        free(lock);
}
