/* sync/select.h - what cord_select() needs of a local queue, event and semaphore; each in the file of its object.
 *
 * try: does it if that is possible now: 0, or how it failed (-EPIPE, a queue that was shut down); neither leaves a
 * sentence. Else -EAGAIN, and the node, if there is one, is linked. With a node of a wait that is on, the try first
 * ends that wait, under the spin bit and before it takes anything (cordi_wait_claim()): so of several objects only one
 * gives or takes. When somebody has claimed the wait before, nothing is done and nothing linked, and the answer is
 * -EAGAIN: cordi_park() then tells. leave: unlinks the node. Harmless for one that is not linked.
 */
#ifndef CORDI_SYNC_SELECT_H
#define CORDI_SYNC_SELECT_H

#include <stdbool.h>

#include <cordage/event.h>
#include <cordage/lock.h>
#include <cordage/queue.h>

struct cordi_waiter;

/* A queue of items. node->item is NULL after a wake when the queue was shut down meanwhile. */
int cordi_queue_try(cord_queue *queue, void *item, bool put, struct cordi_waiter *node);
void cordi_queue_leave(cord_queue *queue, struct cordi_waiter *node);

int cordi_event_try(cord_event *event, struct cordi_waiter *node);
void cordi_event_leave(cord_event *event, struct cordi_waiter *node);

int cordi_sem_try(cord_sem *sem, struct cordi_waiter *node);
void cordi_sem_leave(cord_sem *sem, struct cordi_waiter *node);

#endif
