/* sync/queue.c - the bounded queue for tasks of one process, of every kind.
 *
 * A ring of items and lists of waiters, all under the spin bit of one word; waiter.item is where the waiter's item
 * is or goes. Who finds a waiter on the other side serves it at once: put copies its item straight to the first
 * getter, and get, having made room, copies the first putter's item into the ring. So a claimed waiter has nothing
 * left to do when it runs again, a waiter that was not claimed has taken and lost nothing, and nobody who comes by can
 * be faster than one who waits. A shutdown claims those who wait and takes waiter.item away: that tells them.
 *
 * THE INVARIANT: when the spin bit is free, getters that can be claimed wait only while the ring is empty, putters
 * only while it is full, both only while it was not shut down; joiners only while something is unfinished.
 *
 * Who must wait looks once with the bit: the look before it is a load. (With two, a hand-over between coroutines of
 * two threads cost a locked instruction more.)
 */
#include <cordage/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/queue_private.h"
#include "sync/select.h"

static struct cordi_queue_local *local(cord_queue *queue)
{
    return (struct cordi_queue_local *)queue;
}

/* Most items are a word: no call for that. */
static inline void copy_item(const struct cordi_queue_local *queue, void *to, const void *from)
{
    if (queue->base.item_size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, queue->base.item_size);
}

static void push(struct cordi_queue_local *queue, const void *item)
{
    size_t count = cordi_queue_count(queue);
    queue->unfinished++;
    if (queue->order == CORDI_QUEUE_SORTED) {
        cordi_queue_push_sorted(queue, item);
        return;
    }
    size_t at = queue->first + count;
    if (at >= queue->base.capacity)
        at -= queue->base.capacity;
    copy_item(queue, queue->items + at * queue->base.item_size, item);
    cordi_queue_count_set(queue, count + 1);
}

static void pop(struct cordi_queue_local *queue, void *item)
{
    if (queue->order != CORDI_QUEUE_FIFO) {
        cordi_queue_pop_ordered(queue, item);
        return;
    }
    copy_item(queue, item, queue->items + queue->first * queue->base.item_size);
    queue->first = queue->first + 1 == queue->base.capacity ? 0 : queue->first + 1;
    cordi_queue_count_set(queue, cordi_queue_count(queue) - 1);
}

/* The two halves, when there is room or an item. With the spin bit; who is to be woken once the bit is free. */
static struct cord_task *put_now(struct cordi_queue_local *queue, const void *item)
{
    struct cordi_waiter *getter = cordi_queue_claim_first(&queue->getters);
    if (getter == NULL) {
        push(queue, item);
        return NULL;
    }
    queue->unfinished++;
    copy_item(queue, getter->item, item);
    return getter->task;
}

static struct cord_task *get_now(struct cordi_queue_local *queue, void *item)
{
    pop(queue, item);
    struct cordi_waiter *putter = cordi_queue_claim_first(&queue->putters);
    if (putter == NULL)
        return NULL;
    push(queue, putter->item);
    return putter->task;
}

/* One try, as select.h says. */
static int once(struct cordi_queue_local *queue, void *item, bool put, struct cordi_waiter *node)
{
    struct cord_task *woken = NULL;
    int rc = -EAGAIN;
    cordi_queue_lock(queue);
    bool can = put ? cordi_queue_count(queue) < queue->limit : cordi_queue_count(queue) > 0;
    if (!can && queue->limit > 0) {
        if (node != NULL) {
            node->item = item;
            cordi_list_append(put ? &queue->putters : &queue->getters, &node->link);
        }
    } else if (node == NULL || cordi_wait_claim()) {
        rc = can ? 0 : -EPIPE;
        if (can)
            woken = put ? put_now(queue, item) : get_now(queue, item);
    }
    cordi_queue_unlock(queue);
    if (woken != NULL)
        cordi_wake(woken);
    return rc;
}

static int shut_down(bool put)
{
    return cordi_fail(-EPIPE, put ? "queue: it was shut down" : "queue: it was shut down, and is empty");
}

/* A look without the bit: whether a try could answer now. */
static bool may_answer(const struct cordi_queue_local *queue, bool put)
{
    size_t count = cordi_queue_count(queue);
    return put ? count < queue->base.capacity : count > 0;
}

static int transfer(struct cordi_queue_local *queue, void *item, bool put, cord_deadline deadline)
{
    int rc = -EAGAIN;
    unsigned looks = 0;
    __builtin_prefetch(queue, 1); /* to write: the look below would fetch the line a first time, the lock a second */
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue");
    if (may_answer(queue, put) || cordi_nowait(deadline))
        rc = once(queue, item, put, NULL);
    /* with one thread nobody comes meanwhile */
    while (rc == -EAGAIN && !CORDI_ALONE && !cordi_nowait(deadline) && cordi_look_again(&looks, false))
        if (may_answer(queue, put))
            rc = once(queue, item, put, NULL);
    if (rc == 0)
        return 0;
    if (rc == -EAGAIN && cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, put ? "queue: it is full, and the call may not wait"
                                       : "queue: it is empty, and the call may not wait");
    struct cordi_waiter node;
    if (rc == -EAGAIN) {
        cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, put ? "room in a queue" : "an item of a queue");
        rc = once(queue, item, put, &node);
    }
    if (rc == -EAGAIN) {
        rc = cordi_park(deadline);
        if (rc < 0)
            cordi_queue_leave(&queue->base, &node);
        else if (node.item == NULL)
            rc = -EPIPE;
    }
    return rc == -EPIPE ? shut_down(put) : rc;
}

static int wrong_sort(void)
{
    return cordi_fail(-EINVAL, "queue: it is one of messages; use cord_queue_put_bytes, cord_queue_get_bytes");
}

int cord_queue_put(cord_queue *queue, const void *item, cord_deadline deadline)
{
    if (cordi_queue_of_messages(queue))
        return wrong_sort();
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_put(queue, item, deadline);
    return transfer(local(queue), (void *)(uintptr_t)item, true, deadline);
}

int cord_queue_get(cord_queue *queue, void *item, cord_deadline deadline)
{
    if (cordi_queue_of_messages(queue))
        return wrong_sort();
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_get(queue, item, deadline);
    return transfer(local(queue), item, false, deadline);
}

/* --- for select --- */

int cordi_queue_try(cord_queue *queue, void *item, bool put, struct cordi_waiter *node)
{
    return once(local(queue), item, put, node);
}

void cordi_queue_leave(cord_queue *queue, struct cordi_waiter *node)
{
    cordi_queue_lock(local(queue));
    cordi_list_remove(&node->link);
    cordi_queue_unlock(local(queue));
}

/* --- what is done, and the end --- */

/* Claims all waiters of the list; those that failed find no waiter.item. */
static void claim_all(struct cordi_list *list, bool failed, struct cordi_list *claimed)
{
    struct cordi_waiter *node;
    while ((node = cordi_queue_claim_first(list)) != NULL) {
        if (failed)
            node->item = NULL;
        cordi_list_append(claimed, &node->link);
    }
}

int cord_queue_task_done(cord_queue *given)
{
    struct cordi_queue_local *queue = local(given);
    struct cordi_list claimed;
    if (cordi_queue_is_shared(given))
        return cordi_shared_queue_task_done(given);
    cordi_list_init(&claimed);
    cordi_queue_lock(queue);
    bool was_put = queue->unfinished > 0;
    if (was_put && --queue->unfinished == 0)
        claim_all(&queue->joiners, false, &claimed);
    cordi_queue_unlock(queue);
    cordi_wake_list(&claimed);
    return was_put ? 0 : cordi_fail(-EINVAL, "queue: said to be done more often than items were put");
}

static int join_once(struct cordi_queue_local *queue, struct cordi_waiter *node)
{
    int rc = -EAGAIN;
    cordi_queue_lock(queue);
    if (queue->unfinished > 0) {
        if (node != NULL)
            cordi_list_append(&queue->joiners, &node->link);
    } else if (node == NULL || cordi_wait_claim())
        rc = 0;
    cordi_queue_unlock(queue);
    return rc;
}

int cord_queue_join(cord_queue *queue, cord_deadline deadline)
{
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_join(queue, deadline);
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before joining a queue");
    if (cordi_nowait(deadline))
        return join_once(local(queue), NULL) == 0 ? 0 : cordi_fail(-EAGAIN, "queue: not everything is done");
    struct cordi_waiter node;
    cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, "a queue to be done");
    if (join_once(local(queue), &node) == 0)
        return 0;
    int rc = cordi_park(deadline);
    if (rc < 0)
        cordi_queue_leave(queue, &node);
    return rc;
}

void cord_queue_shutdown(cord_queue *given, bool immediate)
{
    struct cordi_queue_local *queue = local(given);
    struct cordi_list claimed, dropped;
    if (cordi_queue_is_shared(given)) {
        cordi_shared_queue_shutdown(given, immediate);
        return;
    }
    cordi_list_init(&claimed);
    cordi_list_init(&dropped);
    cordi_queue_lock(queue);
    queue->limit = 0;
    claim_all(&queue->putters, true, &claimed);
    claim_all(&queue->getters, true, &claimed); /* there are none unless it is empty */
    if (immediate) {
        size_t count = cordi_queue_count(queue);
        queue->unfinished -= count < queue->unfinished ? count : queue->unfinished;
        if (queue->unfinished == 0)
            claim_all(&queue->joiners, false, &claimed);
        cordi_list_move(&dropped, &queue->messages);
        queue->bytes = 0;
        cordi_queue_count_set(queue, 0);
    }
    cordi_queue_unlock(queue);
    cordi_wake_list(&claimed);
    cordi_queue_messages_free(&dropped);
}

/* --- the object --- */

size_t cord_queue_size(const cord_queue *queue)
{
    if (cordi_queue_is_shared(queue))
        return cordi_shared_queue_size(queue);
    return cordi_queue_count((const struct cordi_queue_local *)queue);
}

size_t cord_queue_capacity(const cord_queue *queue)
{
    return queue->capacity;
}

/* Also where the positions of a shared one end (shared_queue.h), which is far beyond what there is room for. */
static bool too_large(size_t item_size, size_t capacity, int flags)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_size != 0 ? item_size : 1, capacity, &bytes) || bytes > SIZE_MAX / 2)
        return true;
    return flags & CORD_SHARED && (bytes > (size_t)1 << 35 || (item_size != 0 && capacity > UINT32_MAX));
}

int cord_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags)
{
    if (capacity == 0)
        return cordi_fail(-EINVAL, "queue: the capacity must be at least 1");
    if ((flags & ~(CORD_SHARED | CORD_LIFO)) != 0)
        return cordi_fail(-EINVAL, "queue: its flags are CORD_SHARED and CORD_LIFO");
    if (item_size == 0 && (flags & CORD_LIFO))
        return cordi_fail(-EINVAL, "queue: messages come out first in first out");
    if (too_large(item_size, capacity, flags))
        return cordi_fail_code(-ENOMEM, "queue of %zu items of %zu bytes", capacity, item_size);
    if (flags & CORD_SHARED)
        return cordi_shared_queue_new(ret, item_size, capacity, flags);
    struct cordi_queue_local *queue =
        aligned_alloc(64, (sizeof *queue + item_size * capacity + 63) & ~(size_t)63); /* its lines only */
    if (queue == NULL)
        return cordi_fail_code(-ENOMEM, "queue of %zu items of %zu bytes", capacity, item_size);
    memset(queue, 0, sizeof *queue);
    queue->base.item_size = item_size;
    queue->base.capacity = queue->limit = capacity;
    queue->order = flags & CORD_LIFO ? CORDI_QUEUE_LIFO : CORDI_QUEUE_FIFO;
    cordi_list_init(&queue->getters);
    cordi_list_init(&queue->putters);
    cordi_list_init(&queue->joiners);
    cordi_list_init(&queue->messages);
    *ret = &queue->base;
    return 0;
}

void cord_queue_free(cord_queue *queue)
{
    if (queue != NULL && cordi_queue_is_shared(queue)) {
        cordi_shared_queue_free(queue);
        return;
    }
    if (queue != NULL) {
        cordi_queue_messages_free(&local(queue)->messages);
        free(local(queue)->ranks);
    }
    free(queue);
}
