/* cordage/queue.h - a bounded queue of items of one size, or of messages of any size.
 *
 * For tasks of every kind at once; made with CORD_SHARED, for child processes too. An item is copied in by put and
 * out by get, in the caller: no thread feeds it, so what put has taken the next get finds, and size is exact. Whoever
 * is killed in the middle of a call has put nothing or a whole item, and has taken nothing or a whole item.
 * From Python: queue.Queue, LifoQueue, PriorityQueue; multiprocessing.Queue (whose feeder thread this does without),
 * JoinableQueue.
 */
#ifndef CORDAGE_QUEUE_H
#define CORDAGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <cordage/attributes.h>
#include <cordage/shared.h>
#include <cordage/time.h>

CORD_BEGIN

typedef struct cord_queue cord_queue;

enum { CORD_LIFO = 2 }; /* for cord_queue_new: the last item put is the first to come out */

/* Of `capacity` items of `item_size` bytes each, first in first out. item_size 0: a queue of messages, with room for
 * `capacity` bytes; each message takes its own size and up to 16 more. flags: 0, or CORD_SHARED and CORD_LIFO (which
 * messages do not have). Fails: -EINVAL (no capacity, no such flag), -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags);

/* Nobody may wait on it any more. NULL is allowed. */
CORD_API void cord_queue_free(cord_queue *queue);

/* Makes it a priority queue: get takes the item that compare (as for qsort(3)) puts first, and of equal ones the
 * oldest. compare only compares: it may not wait or use the queue. Before the first put. In a shared one get looks at
 * every item that is there. Fails: -EBUSY (it has items), -EINVAL (messages, CORD_LIFO), -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_queue_sort_by(cord_queue *queue, int (*compare)(const void *a, const void *b));

/* Copies an item in; waits while it is full. Fails: -EAGAIN (Python: queue.Full), -ETIMEDOUT, -ECANCELED, -EPIPE (it
 * was shut down), -EINVAL (a queue of messages). */
CORD_API CORD_MUST_CHECK int cord_queue_put(cord_queue *queue, const void *item, cord_deadline deadline);

/* Copies the next item out; waits while it is empty. Fails: -EAGAIN (Python: queue.Empty), -ETIMEDOUT, -ECANCELED,
 * -EPIPE (shut down and empty), -EINVAL (a queue of messages). */
CORD_API CORD_MUST_CHECK int cord_queue_get(cord_queue *queue, void *item, cord_deadline deadline);

/* The same for messages: of `size` bytes; get answers the message's size, which may be 0. A large message that waits
 * for room is not overtaken by small ones. Fails: as put and get, -ENOMEM, -EMSGSIZE (put: never fits), CORD_ETOOLONG
 * (get: the next message is larger than size and stays; cord_queue_next_size() tells how large), -EINVAL (a queue of
 * items). */
CORD_API CORD_MUST_CHECK int cord_queue_put_bytes(cord_queue *queue, const void *bytes, size_t size,
                                                  cord_deadline deadline);
CORD_API CORD_MUST_CHECK ssize_t cord_queue_get_bytes(cord_queue *queue, void *buf, size_t size,
                                                      cord_deadline deadline);

/* The size of the message that comes next, without taking it or waiting. Fails: -EAGAIN (empty), -EPIPE, -EINVAL. */
CORD_API CORD_MUST_CHECK ssize_t cord_queue_next_size(const cord_queue *queue);

/* Items or messages that are there: exact at the moment of the call; another task may change it right after. capacity:
 * as it was made. Full: size == capacity. */
CORD_API size_t cord_queue_size(const cord_queue *queue);
CORD_API size_t cord_queue_capacity(const cord_queue *queue);

/* For who has got an item: that it is dealt with. 0, or -EINVAL: said more often than items were put. Never waits. */
CORD_API int cord_queue_task_done(cord_queue *queue);

/* Waits until every item that was put was said to be done. Fails: -EAGAIN, -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_queue_join(cord_queue *queue, cord_deadline deadline);

/* No further puts, and gets until it is empty; those who wait are told. immediate: what is there is dropped, and counts
 * as done. Again does no harm. Never waits. Python: Queue.shutdown (3.13). */
CORD_API void cord_queue_shutdown(cord_queue *queue, bool immediate);

CORD_END

#endif
