/* cordage/lock.h - lock and event for every kind at once.
 *
 * A coroutine, a thread and, when it was made with CORD_SHARED, another process can wait for the same object with the
 * same calls. Local objects may also live in the caller's own memory, zeroed. Waiters queue first in, first out.
 * From Python: threading.Lock, threading.Event, multiprocessing.Lock, Event.
 */
#ifndef CORDAGE_LOCK_H
#define CORDAGE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <cordage/attributes.h>
#include <cordage/error.h>
#include <cordage/shared.h>
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

typedef struct {
    uint64_t word;    /* the flag and the first waiter; the library's */
    uint64_t changes; /* of a shared one: how often it was set, and whether it is */
} cord_event;

#define CORD_EVENT_INIT                                                                                                \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

/* As for locks. */
CORD_API CORD_MUST_CHECK int cord_event_new(cord_event **ret, int flags);
CORD_API void cord_event_free(cord_event *event);

/* set wakes everyone who waits now, also when clear follows at once. Neither waits. */
CORD_API void cord_event_set(cord_event *event);
CORD_API void cord_event_clear(cord_event *event);
CORD_API bool cord_event_is_set(const cord_event *event);

/* Until it is set. Fails: -EAGAIN, -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_event_wait(cord_event *event, cord_deadline deadline);

CORD_END

#endif
