/* sync/shared_queue.h - the parts of a queue of several processes; for shared_queue.c (who may act, and waiting) and
 * shared_store.c (where items and messages lie).
 *
 * Each side has a lock, and a position that only the holder of that lock moves: an item is there when one store to the
 * putters' position has counted it, and gone when one to the getters' has. So whoever dies in the middle leaves nothing
 * half done, and the next holder goes on as if nothing had been begun. In order of arrival the two sides touch
 * different lines, and a putter and a getter copy at the same time. A last-in-first-out or a sorted queue has one
 * position and one lock, the putters'.
 */
#ifndef CORDI_SYNC_SHARED_QUEUE_H
#define CORDI_SYNC_SHARED_QUEUE_H

#include "sync/shared.h"

enum cordi_side { CORDI_GETTERS = 0, CORDI_PUTTERS = 1 };

/* How the items lie, and with it what a position is. */
enum cordi_order {
    CORDI_IN_ORDER, /* items put, items taken */
    CORDI_LAST,     /* {items put, items there}: 32 bits each */
    CORDI_SORTED,   /* the same */
    CORDI_MESSAGES  /* {messages: 28 bits, byte: 36 bits, from 0 to twice the ring} */
};

/* Whether it was shut down; DROPPED: and what was there then does not count any more. */
enum { CORDI_OPEN, CORDI_CLOSED, CORDI_DROPPED };

struct cordi_queue_side {
    _Alignas(64) struct cordi_shared_lock lock;
    _Atomic uint64_t position;
    uint64_t seen;         /* the other side's position, some time ago; with the lock held */
    _Atomic uint64_t bell; /* rung by this side for the other: {rings, bit 0: somebody sleeps}; with the lock held */
};

struct cordi_shared_queue {
    struct cord_queue base;
    enum cordi_order order;
    uint64_t ring; /* of messages: its bytes */
    int (*compare)(const void *a, const void *b);
    _Atomic uint32_t closed;            /* changes with all locks held */
    _Alignas(64) _Atomic uint64_t done; /* items said to be done: as many bits as the position counts */
    _Atomic uint64_t all_done;          /* a bell as those of the sides, changed without a lock */
    struct cordi_queue_side side[2];
    _Alignas(64) unsigned char slots[]; /* items, and of a sorted queue the number of each; or the ring of bytes */
};

/* The store, with the side's lock held (for get with CORDI_LAST, CORDI_SORTED the putters'). -EAGAIN: no room, nothing
 * there. get answers the size; CORD_ETOOLONG: a message that does not fit, *size is how large it is. */
int cordi_store_put(struct cordi_shared_queue *queue, const void *item, size_t size);
ssize_t cordi_store_get(struct cordi_shared_queue *queue, void *item, size_t *size);

/* The size of the next message; -EAGAIN: there is none. With the getters' lock. */
ssize_t cordi_store_next_size(struct cordi_shared_queue *queue);

/* Could it be done now? With the lock of either side. */
bool cordi_store_has_room(const struct cordi_shared_queue *queue, size_t size);
bool cordi_store_has_items(const struct cordi_shared_queue *queue);

/* Items there, and items ever put as far as the position counts. */
uint64_t cordi_store_size(const struct cordi_shared_queue *queue);
uint64_t cordi_store_total(const struct cordi_shared_queue *queue);
uint64_t cordi_store_count_mask(const struct cordi_shared_queue *queue);

/* With the putters' lock, and it is empty and nobody else uses it yet. */
void cordi_store_sort(struct cordi_shared_queue *queue, int (*compare)(const void *a, const void *b));

/* With the lock, whose last holder has died: counts anew. */
void cordi_store_repair(struct cordi_shared_queue *queue);

size_t cordi_store_bytes(enum cordi_order order, size_t item_size, size_t capacity);

#endif
