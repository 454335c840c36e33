/* sync/queue_private.h - the queue for tasks of one process: what queue.c (put, get, join, shutdown), queue_order.c (in
 * which order items come out) and queue_message.c (messages) have in common. */
#ifndef CORDI_SYNC_QUEUE_PRIVATE_H
#define CORDI_SYNC_QUEUE_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/queue.h>

#include "rt/park.h"
#include "sync/ring.h"
#include "sync/shared.h"

enum { CORDI_QUEUE_FIFO = 0, CORDI_QUEUE_LIFO, CORDI_QUEUE_SORTED };

/* A place of the heap of a sorted queue. Behind the heap the ranks name the slots that are free. */
struct cordi_queue_rank {
    uint64_t number; /* in the order of coming */
    size_t slot;
};

/* All under the spin bit of base.word. What put and get of items need comes first. */
struct cordi_queue_local {
    struct cord_queue base;
    _Atomic size_t count; /* items or messages that are there; read without the bit, too */
    size_t limit;         /* items or bytes that may be there: the capacity, and 0 once it was shut down */
    size_t first;         /* index of the oldest item; 0 if not in FIFO order */
    uint64_t unfinished;  /* put, and not said to be done */
    uint8_t order;
    struct cordi_list getters, putters; /* waiters */
    struct cordi_list joiners;
    int (*compare)(const void *, const void *); /* of a sorted queue */
    struct cordi_queue_rank *ranks;             /* `capacity` of them */
    uint64_t numbers;                           /* given to items */
    struct cordi_list messages;
    size_t bytes;          /* that the messages take */
    unsigned char items[]; /* `capacity` of them */
};

static inline bool cordi_queue_is_shared(const cord_queue *queue)
{
    return (atomic_load_explicit(&queue->word, memory_order_relaxed) & CORDI_RING_SHARED) != 0;
}

static inline bool cordi_queue_of_messages(const cord_queue *queue)
{
    return queue->item_size == 0;
}

static inline void cordi_queue_lock(struct cordi_queue_local *queue)
{
    cordi_spin_begin(&queue->base.word, CORDI_RING_SPIN);
}

static inline void cordi_queue_unlock(struct cordi_queue_local *queue)
{
    atomic_store_explicit(&queue->base.word, 0, memory_order_release); /* of a local queue it holds nothing else */
}

/* The two that look at an item's count are the holder's: nobody else changes it. */
static inline size_t cordi_queue_count(const struct cordi_queue_local *queue)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

static inline void cordi_queue_count_set(struct cordi_queue_local *queue, size_t count)
{
    atomic_store_explicit(&queue->count, count, memory_order_relaxed);
}

/* The first waiter of the list that could be claimed, or NULL; those that could not are on their way out. */
static inline struct cordi_waiter *cordi_queue_claim_first(struct cordi_list *list)
{
    struct cordi_list *item;
    while ((item = cordi_list_take(list)) != NULL) {
        struct cordi_waiter *node = CORDI_ITEM(item, struct cordi_waiter, link);
        if (cordi_waiter_claim(node))
            return node;
    }
    return NULL;
}

/* queue_order.c: into a sorted queue that has room; the next item of a queue that is not FIFO and has one. */
void cordi_queue_push_sorted(struct cordi_queue_local *queue, const void *item);
void cordi_queue_pop_ordered(struct cordi_queue_local *queue, void *item);

/* queue_message.c */
void cordi_queue_messages_free(struct cordi_list *messages);

#endif
