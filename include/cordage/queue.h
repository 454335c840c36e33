/* cordage/queue.h - a bounded first-in-first-out queue of items of one size.
 *
 * For tasks of every kind at once; made with CORD_SHARED, for child processes too. An item is copied in by put and
 * out by get, in the caller: no thread feeds it, so what put has taken the next get finds, and size is exact.
 * From Python: queue.Queue, multiprocessing.Queue (whose feeder thread this does without).
 */
#ifndef CORDAGE_QUEUE_H
#define CORDAGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include <cordage/attributes.h>
#include <cordage/shared.h>
#include <cordage/time.h>

CORD_BEGIN

typedef struct cord_queue cord_queue;

/* Of `capacity` items of `item_size` bytes each. flags: 0 or CORD_SHARED. Fails: -EINVAL (one of them is 0), -ENOMEM.
 */
CORD_API CORD_MUST_CHECK int cord_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags);

/* Nobody may wait on it any more. NULL is allowed. */
CORD_API void cord_queue_free(cord_queue *queue);

/* Copies an item in; waits while it is full. Fails: -EAGAIN (Python: queue.Full), -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_queue_put(cord_queue *queue, const void *item, cord_deadline deadline);

/* Copies the oldest item out; waits while it is empty. Fails: -EAGAIN (Python: queue.Empty), -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_queue_get(cord_queue *queue, void *item, cord_deadline deadline);

/* Exact at the moment of the call; another task may change it right after. Full: size == capacity. */
CORD_API size_t cord_queue_size(const cord_queue *queue);
CORD_API size_t cord_queue_capacity(const cord_queue *queue);

CORD_END

#endif
