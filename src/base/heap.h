/* base/heap.h - timers in order: a radix heap with its links inside the items. Arming one and cancelling it is a few
 * stores, however many there are.
 *
 * `floor` is the last key that fell due; it only rises. An item lies in the slot of the highest bit in which its key
 * differs from the floor. So all of a slot comes before all of the next one, and nothing is rounded. When the least key
 * of the first slot is due, it becomes the floor, and the others of that slot move to lower ones. What is cancelled in
 * time, as nearly every timer is, does not move. Each slot notes the least key that came in, so that a loop can sleep
 * until the exact time; where that one was cancelled, the loop wakes once for nothing.
 *
 * Rejected, with what it costs to replace the oldest of 100 / 10,000 / 1,000,000 timers by a new one; this: 3 / 3 /
 * 10 ns. A pairing heap: 9 / 14 / 170 ns, and twice this to fire one of 10,000. A binary heap in an array: it
 * allocates. A timing wheel: it rounds, or sorts what it finds in a tick; this with 64 slots a level is one, and fires
 * one of 10,000 in 36 ns in place of 58, for 17 KiB in each loop in place of 1.5. The kernel: a timerfd 466 ns a
 * setting, a timeout of io_uring 118 us with 10,000, because its removal walks a list.
 */
#ifndef CORDI_BASE_HEAP_H
#define CORDI_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum { CORDI_HEAP_SLOTS = 63 }; /* one for each bit of a key that is not negative */

struct cordi_heap_node {
    struct cordi_list link;
    int64_t key; /* set by its owner before it is added */
};

struct cordi_heap {
    int64_t floor;
    struct cordi_list due; /* keys up to the floor, in order */
    uint64_t occupied;     /* a bit for each slot that holds something */
    struct {
        struct cordi_list nodes;
        int64_t least; /* of the keys since it was empty */
    } slots[CORDI_HEAP_SLOTS];
};

/* `now`: where to begin; keys before it are fine. */
void cordi_heap_init(struct cordi_heap *heap, int64_t now);

static inline bool cordi_heap_empty(const struct cordi_heap *heap)
{
    return heap->occupied == 0 && cordi_list_empty(&heap->due);
}

/* Behind those of the same key. */
void cordi_heap_add(struct cordi_heap *heap, struct cordi_heap_node *node);

/* Takes the node out, wherever it is; harmless for one that was taken out before. */
void cordi_heap_remove(struct cordi_heap *heap, struct cordi_heap_node *node);

/* The node with the least key, if that is not after `now`, which never goes back. The node stays in. */
struct cordi_heap_node *cordi_heap_due(struct cordi_heap *heap, int64_t now);

/* When to ask for what is due: the least key, or an earlier one that was removed. The heap is not empty. */
int64_t cordi_heap_next(const struct cordi_heap *heap);

#endif
