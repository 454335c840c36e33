/* base/heap.h - timers in order: a pairing heap with its links inside the items.
 *
 * Adding is one comparison, and most timers (the deadlines of calls that answer in time) are removed again while they
 * are leaves or nearly so: a few stores. A binary heap in an array was rejected because it allocates, and a timing
 * wheel because it rounds, and has to be turned when nothing is due.
 */
#ifndef CORDI_BASE_HEAP_H
#define CORDI_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cordi_heap_node {
    int64_t key;                   /* set by its owner before it is added */
    struct cordi_heap_node *child; /* the first of those that are not smaller */
    struct cordi_heap_node *next;  /* its next sibling */
    struct cordi_heap_node **link; /* what points to it: the root, its parent's child or a sibling's next; NULL: in no
                                      heap */
};

struct cordi_heap {
    struct cordi_heap_node *root; /* the smallest key; NULL when empty. {0} is an empty heap */
};

static inline struct cordi_heap_node *cordi_heap_first(const struct cordi_heap *heap)
{
    return heap->root;
}

static inline bool cordi_heap_holds(const struct cordi_heap_node *node)
{
    return node->link != NULL;
}

void cordi_heap_add(struct cordi_heap *heap, struct cordi_heap_node *node);

/* Takes the node out, wherever it is; harmless for one in no heap (zeroed, or removed before). */
void cordi_heap_remove(struct cordi_heap *heap, struct cordi_heap_node *node);

/* The number of nodes, or -1 when the order or a link is wrong: for tests. */
long cordi_heap_validate(const struct cordi_heap *heap);

#endif
