/* cordage/event.h - event and barrier, for every kind at once; see lock.h for what all such objects have in common.
 *
 * From Python: threading.Event, threading.Barrier, multiprocessing's of the same names.
 */
#ifndef CORDAGE_EVENT_H
#define CORDAGE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <cordage/attributes.h>
#include <cordage/error.h>
#include <cordage/shared.h>
#include <cordage/task.h>
#include <cordage/time.h>

CORD_BEGIN

typedef struct {
    uint64_t word;    /* the flag and the first waiter; the library's */
    uint64_t changes; /* of a shared one: how often it was set, and whether it is; the library's */
} cord_event;

#define CORD_EVENT_INIT                                                                                                \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

/* On the heap, or with CORD_SHARED in memory that child processes share. Fails: -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_event_new(cord_event **ret, int flags);
CORD_API void cord_event_free(cord_event *event);

/* set wakes everyone who waits now, also when clear follows at once. Neither waits. set may be called in a signal
 * handler. */
CORD_API void cord_event_set(cord_event *event);
CORD_API void cord_event_clear(cord_event *event);
CORD_API bool cord_event_is_set(const cord_event *event);

/* Until it is set. Fails: -EAGAIN, -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_event_wait(cord_event *event, cord_deadline deadline);

/* --- the barrier: so many tasks wait for each other, again and again --- */

typedef struct cord_barrier cord_barrier;

/* Fails: -ENOMEM, -EINVAL (no parties, or over 2^31 - 1). */
CORD_API CORD_MUST_CHECK int cord_barrier_new(cord_barrier **ret, uint32_t parties, int flags);
CORD_API void cord_barrier_free(cord_barrier *barrier); /* nobody may wait there any more */

/* What the last to come runs before all go on. When it answers below 0 the barrier breaks. No wait ends while it runs,
 * and its own wait there is -EDEADLK; it may abort and reset. Before the first wait. With CORD_SHARED, arg is NULL or
 * shared memory. */
CORD_API void cord_barrier_action(cord_barrier *barrier, cord_fn *action, void *arg);

/* Waits until all parties have come: 0 for the first of them, parties - 1 for the last. A wait that ends otherwise
 * breaks the barrier for all: those who waited there answer CORD_EBROKEN, as does everybody until a reset. A process
 * that was killed there counts as one that came; killed in the action, it breaks the barrier.
 * Fails: CORD_EBROKEN, -ETIMEDOUT, -ECANCELED, what the action answered, -EAGAIN (not the last one: then it has
 * not come, and nothing breaks). A shared one also: -ENOMEM, -EMFILE, -ENOSPC. */
CORD_API CORD_MUST_CHECK int cord_barrier_wait(cord_barrier *barrier, cord_deadline deadline);

/* abort breaks it. reset makes it whole and empty; whoever waits there answers CORD_EBROKEN. */
CORD_API void cord_barrier_abort(cord_barrier *barrier);
CORD_API void cord_barrier_reset(cord_barrier *barrier);

CORD_API bool cord_barrier_broken(const cord_barrier *barrier);
CORD_API uint32_t cord_barrier_parties(const cord_barrier *barrier);
CORD_API uint32_t cord_barrier_waiting(const cord_barrier *barrier); /* how many wait there; a snapshot */

CORD_END

#endif
