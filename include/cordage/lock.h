/* cordage/lock.h - lock, recursive lock, condition, semaphore, event and barrier for every kind at once.
 *
 * A coroutine, a thread and, when it was made with CORD_SHARED, another process can wait for the same object with the
 * same calls. Local objects may also live in the caller's own memory: zeroed ones are ready (a barrier has no such
 * form), but not in memory from cord_shared_new(), where a lock or recursive lock answers -EINVAL. Waiters queue first
 * in, first out. Every call may be made from any thread and in every kind; what waits says so. All but the taking of a
 * lock are cancellation points.
 * From Python: threading.Lock, RLock, Condition, Semaphore, Event, Barrier, and multiprocessing's of the same names.
 */
#ifndef CORDAGE_LOCK_H
#define CORDAGE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <cordage/attributes.h>
#include <cordage/error.h>
#include <cordage/shared.h>
#include <cordage/task.h>
#include <cordage/time.h>

CORD_BEGIN

typedef struct {
    uint64_t word;  /* flags and the first waiter; the library's */
    uint64_t owner; /* the task that holds it */
} cord_lock;

#define CORD_LOCK_INIT                                                                                                 \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

/* On the heap, or with CORD_SHARED in memory that child processes share. Fails: -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_lock_new(cord_lock **ret, int flags);
CORD_API void cord_lock_free(cord_lock *lock);

/* Takes it. CORD_OWNER_DIED (1): taken, and the process that held it died; what it guards may be half done. Not a
 * cancellation point. Fails: -EAGAIN, -ETIMEDOUT, -EDEADLK (the calling task holds it already and would wait for ever;
 * with a deadline it waits, since another task may release it). A shared one also: -ENOMEM, -EMFILE. */
CORD_API CORD_MUST_CHECK int cord_lock_acquire(cord_lock *lock, cord_deadline deadline);

/* Gives it back; any task may, as in Python. 0, or -EPERM: nobody holds it. Never waits. */
CORD_API int cord_lock_release(cord_lock *lock);

CORD_API bool cord_lock_held(const cord_lock *lock); /* by anybody; a snapshot */

/* --- the recursive lock: its owner may take it again, and releases it as often --- */

typedef struct {
    cord_lock lock; /* never used directly */
    uint64_t depth; /* how often its owner has taken it; the owner's */
} cord_rlock;

#define CORD_RLOCK_INIT                                                                                                \
    {                                                                                                                  \
        CORD_LOCK_INIT, 0                                                                                              \
    }

CORD_API CORD_MUST_CHECK int cord_rlock_new(cord_rlock **ret, int flags); /* as cord_lock_new() */
CORD_API void cord_rlock_free(cord_rlock *lock);

/* As cord_lock_acquire(), and at once for the task that holds it. Fails: -EAGAIN, -ETIMEDOUT. */
CORD_API CORD_MUST_CHECK int cord_rlock_acquire(cord_rlock *lock, cord_deadline deadline);

/* 0, or -EPERM: the calling task does not hold it. */
CORD_API int cord_rlock_release(cord_rlock *lock);

CORD_API bool cord_rlock_held(const cord_rlock *lock);      /* by anybody; a snapshot */
CORD_API uint64_t cord_rlock_depth(const cord_rlock *lock); /* how often the calling task holds it */

/* --- the condition: waits until somebody says that what the lock guards has changed --- */

typedef struct {
    uint64_t word; /* flags and the first waiter; the library's */
    uint64_t lock; /* the lock that its waiters gave up */
} cord_condition;

#define CORD_CONDITION_INIT                                                                                            \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

CORD_API CORD_MUST_CHECK int cord_condition_new(cord_condition **ret, int flags); /* as cord_lock_new() */
CORD_API void cord_condition_free(cord_condition *condition);

/* Gives up the lock, waits for a notify and has taken the lock again when it returns, whatever it answers: 0 or
 * CORD_OWNER_DIED (woken), -ETIMEDOUT, -ECANCELED, -EAGAIN. Nothing else wakes it. Taking the lock again is neither
 * bounded nor cancelled. A shared condition goes with a shared lock. One condition at a time has one lock.
 * Fails: -EPERM (the calling task does not hold the lock), -EINVAL (its waiters gave up another lock, or a local and a
 * shared object). A shared one also: -ENOMEM, -ENOSPC (16,384 wait). */
CORD_API CORD_MUST_CHECK int cord_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline);

/* The same with a recursive lock, which is given up however often it is held. */
CORD_API CORD_MUST_CHECK int cord_condition_wait_rlock(cord_condition *condition, cord_rlock *lock,
                                                       cord_deadline deadline);

/* Waits until predicate(arg), called with the lock held, is not 0: that answer. When time is up the predicate is asked
 * once more. That an owner died is not told: the predicate looks at what the lock guards.
 * Fails: as wait, and what the predicate answers below 0. Python: wait_for. */
CORD_API CORD_MUST_CHECK int cord_condition_wait_for(cord_condition *condition, cord_lock *lock, cord_fn *predicate,
                                                     void *arg, cord_deadline deadline);

/* Wakes the first `count` waiters, or all; how many. With the lock held. Never waits.
 * Fails: -EPERM (somebody waits, and the calling task does not hold the lock that they gave up). */
CORD_API int cord_condition_notify(cord_condition *condition, uint32_t count);
CORD_API int cord_condition_notify_all(cord_condition *condition);

/* --- the semaphore: so many may pass --- */

typedef struct {
    uint64_t word;  /* flags and the first waiter; the library's */
    uint32_t value; /* permits that are there */
    uint32_t limit; /* more are never there (Python: BoundedSemaphore); 0: no limit but 2^31 - 1 */
    uint64_t late;  /* what a signal handler gave and the library was busy; the library's */
    uint64_t late_count;
} cord_sem;

#define CORD_SEM_INIT(value, limit)                                                                                    \
    {                                                                                                                  \
        0, (value), (limit), 0, 0                                                                                      \
    }

/* Fails: -ENOMEM, -EINVAL (value above the limit). */
CORD_API CORD_MUST_CHECK int cord_sem_new(cord_sem **ret, uint32_t value, uint32_t limit, int flags);
CORD_API void cord_sem_free(cord_sem *sem);

/* Takes a permit; waits while there is none. Fails: -EAGAIN, -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_sem_acquire(cord_sem *sem, cord_deadline deadline);

/* Gives `count` permits. Never waits; may be called in a signal handler. Fails: -EINVAL (0), -EOVERFLOW (over the
 * limit: none was given). */
CORD_API int cord_sem_release(cord_sem *sem, uint32_t count);

CORD_API uint32_t cord_sem_value(const cord_sem *sem); /* a snapshot */

CORD_END

#endif
