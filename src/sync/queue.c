/* sync/queue.c - the bounded queue for tasks of one process, of every kind.
 *
 * A ring of items and two lists of waiters, all under the spin bit of one word; waiter.item is where the waiter's item
 * is or goes. Who finds a waiter on the other side serves it at once: put copies its item straight to the first
 * getter, and get, having made room, copies the first putter's item into the ring. So a claimed waiter has nothing
 * left to do when it runs again, a waiter that was not claimed has taken and lost nothing, and nobody who comes by can
 * be faster than one who waits.
 *
 * THE INVARIANT: when the spin bit is free, getters that can be claimed wait only while the ring is empty, and putters
 * only while it is full.
 */
#include <cordage/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt/park.h"
#include "sync/ring.h"
#include "sync/shared.h"

struct local_queue {
    struct cord_queue base;
    struct cordi_list getters, putters;
    size_t first;          /* index of the oldest item */
    _Atomic size_t count;  /* items in the ring; read without the bit by size */
    unsigned char items[]; /* capacity of them */
};

static struct local_queue *local(cord_queue *queue)
{
    return (struct local_queue *)queue;
}

static void let_go(struct local_queue *queue)
{
    atomic_store_explicit(&queue->base.word, 0, memory_order_release); /* of a local queue it holds nothing else */
}

static void push(struct local_queue *queue, const void *item)
{
    size_t count = atomic_load_explicit(&queue->count, memory_order_relaxed);
    size_t at = queue->first + count;
    if (at >= queue->base.capacity)
        at -= queue->base.capacity;
    memcpy(queue->items + at * queue->base.item_size, item, queue->base.item_size);
    atomic_store_explicit(&queue->count, count + 1, memory_order_relaxed);
}

static void pop(struct local_queue *queue, void *item)
{
    memcpy(item, queue->items + queue->first * queue->base.item_size, queue->base.item_size);
    queue->first = queue->first + 1 == queue->base.capacity ? 0 : queue->first + 1;
    size_t count = atomic_load_explicit(&queue->count, memory_order_relaxed);
    atomic_store_explicit(&queue->count, count - 1, memory_order_relaxed);
}

/* The first waiter of the list that could be claimed, or NULL; those that could not are on their way out. */
static struct cordi_waiter *claim_first(struct cordi_list *list)
{
    struct cordi_list *item;
    while ((item = cordi_list_take(list)) != NULL) {
        struct cordi_waiter *node = CORDI_ITEM(item, struct cordi_waiter, link);
        if (cordi_waiter_claim(node))
            return node;
    }
    return NULL;
}

/* The two halves: true when it was done. With the spin bit; *woken is owed a wake once the bit is free. */
static bool put_now(struct local_queue *queue, const void *item, struct cord_task **woken)
{
    struct cordi_waiter *getter = claim_first(&queue->getters);
    if (getter != NULL) {
        memcpy(getter->item, item, queue->base.item_size);
        *woken = getter->task;
        return true;
    }
    if (atomic_load_explicit(&queue->count, memory_order_relaxed) == queue->base.capacity)
        return false;
    push(queue, item);
    return true;
}

static bool get_now(struct local_queue *queue, void *item, struct cord_task **woken)
{
    if (atomic_load_explicit(&queue->count, memory_order_relaxed) == 0)
        return false;
    pop(queue, item);
    struct cordi_waiter *putter = claim_first(&queue->putters);
    if (putter != NULL) {
        push(queue, putter->item);
        *woken = putter->task;
    }
    return true;
}

/* One try, and when it may not answer yet the node (if there is one) is linked. */
static bool once(struct local_queue *queue, void *item, bool put, struct cordi_waiter *node)
{
    struct cord_task *woken = NULL;
    cordi_spin_begin(&queue->base.word, CORDI_RING_SPIN);
    bool done = put ? put_now(queue, item, &woken) : get_now(queue, item, &woken);
    if (!done && node != NULL) {
        node->item = item;
        cordi_list_append(put ? &queue->putters : &queue->getters, &node->link);
    }
    let_go(queue);
    if (woken != NULL)
        cordi_wake(woken);
    return done;
}

/* A look without the bit: whether a try could answer now. */
static bool may_answer(const struct local_queue *queue, bool put)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed) != (put ? queue->base.capacity : 0);
}

static int transfer(struct local_queue *queue, void *item, bool put, cord_deadline deadline)
{
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue");
    if ((may_answer(queue, put) || cordi_nowait(deadline)) && once(queue, item, put, NULL))
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, put ? "queue: it is full, and the call may not wait"
                                       : "queue: it is empty, and the call may not wait");
    struct cordi_waiter node;
    cordi_wait_begin(&node, CORDI_CANCELLABLE, put ? "room in a queue" : "an item of a queue");
    if (once(queue, item, put, &node)) {
        cordi_wait_abandon();
        return 0;
    }
    int rc = cordi_park(deadline);
    if (rc < 0) {
        cordi_spin_lock(&queue->base.word, CORDI_RING_SPIN);
        cordi_list_remove(&node.link);
        let_go(queue);
    }
    return rc;
}

int cord_queue_put(cord_queue *queue, const void *item, cord_deadline deadline)
{
    if (atomic_load_explicit(&queue->word, memory_order_relaxed) & CORDI_RING_SHARED)
        return cordi_shared_queue_put(queue, item, deadline);
    return transfer(local(queue), (void *)(uintptr_t)item, true, deadline);
}

int cord_queue_get(cord_queue *queue, void *item, cord_deadline deadline)
{
    if (atomic_load_explicit(&queue->word, memory_order_relaxed) & CORDI_RING_SHARED)
        return cordi_shared_queue_get(queue, item, deadline);
    return transfer(local(queue), item, false, deadline);
}

size_t cord_queue_size(const cord_queue *queue)
{
    if (atomic_load_explicit(&queue->word, memory_order_relaxed) & CORDI_RING_SHARED)
        return cordi_shared_queue_size(queue);
    return atomic_load_explicit(&((const struct local_queue *)queue)->count, memory_order_relaxed);
}

size_t cord_queue_capacity(const cord_queue *queue)
{
    return queue->capacity;
}

int cord_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags)
{
    size_t bytes;
    if (item_size == 0 || capacity == 0)
        return cordi_fail(-EINVAL, "queue: the size of an item and the capacity must be at least 1");
    if (__builtin_mul_overflow(item_size, capacity, &bytes) || bytes > SIZE_MAX / 2)
        return cordi_fail_code(-ENOMEM, "queue of %zu items of %zu bytes", capacity, item_size);
    if (flags & CORD_SHARED)
        return cordi_shared_queue_new(ret, item_size, capacity, flags);
    struct local_queue *queue = calloc(1, sizeof *queue + bytes);
    if (queue == NULL)
        return cordi_fail_code(-ENOMEM, "queue of %zu items of %zu bytes", capacity, item_size);
    queue->base.item_size = item_size;
    queue->base.capacity = capacity;
    cordi_list_init(&queue->getters);
    cordi_list_init(&queue->putters);
    *ret = &queue->base;
    return 0;
}

void cord_queue_free(cord_queue *queue)
{
    if (queue != NULL && atomic_load_explicit(&queue->word, memory_order_relaxed) & CORDI_RING_SHARED)
        cordi_shared_queue_free(queue);
    else
        free(queue);
}
