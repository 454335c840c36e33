/* cordage/select.h - waits for the first of several things: queues, events, semaphores, sockets.
 *
 *     int next(cord_queue *jobs, int *job, cord_event *stop, cord_socket control)
 *     {
 *         cord_choice choices[] = { { .get = jobs, .item = job }, { .event = stop }, { .readable = control } };
 *         return cord_select(choices, 3, cord_in(CORD_SECOND));
 *     }
 *
 * Only the first one happens: of the others nothing is taken and nothing lost. Of several that are ready when the call
 * begins it is the first in the list. Python has this for sockets (selectors) and for asyncio tasks (asyncio.wait with
 * FIRST_COMPLETED); from Go: select.
 */
#ifndef CORDAGE_SELECT_H
#define CORDAGE_SELECT_H

#include <cordage/event.h>
#include <cordage/lock.h>
#include <cordage/queue.h>
#include <cordage/socket.h>

CORD_BEGIN

enum { CORD_CHOICES = 16 }; /* at most so many in one call */

/* One thing to wait for: exactly one of get, put, event, sem, task, readable, writable is set. Queues have items of one
 * size. */
typedef struct {
    cord_queue *get;      /* takes an item into `item` */
    cord_queue *put;      /* puts `item` */
    void *item;           /* for get and put */
    cord_event *event;    /* is set */
    cord_sem *sem;        /* takes a permit */
    cord_task *task;      /* has ended */
    cord_socket readable; /* has data, a connection or an end: a hint, as another task may be faster */
    cord_socket writable; /* has room */
    int result;           /* of the first one: 0, or how it failed: -EPIPE (a queue was shut down), -EBADF (a socket was
                             closed) */
} cord_choice;

/* The index of the first that happened; its result says how. With no choices it waits for the deadline. A socket whose
 * direction another task is using counts once that has ended. Waits; any kind.
 * Fails: -ETIMEDOUT, -EAGAIN (CORD_NOWAIT), -ECANCELED, -EINVAL (more than CORD_CHOICES; not exactly one set;
 * messages).
 */
CORD_API CORD_MUST_CHECK int cord_select(cord_choice *choices, size_t count, cord_deadline deadline);

CORD_END

#endif
