/* base/heap.c - the radix heap of heap.h. */
#include "base/heap.h"

#define NODE(item) CORDI_ITEM(item, struct cordi_heap_node, link)

void cordi_heap_init(struct cordi_heap *heap, int64_t now)
{
    *heap = (struct cordi_heap){ .floor = now };
    cordi_list_init(&heap->due);
    for (int i = 0; i < CORDI_HEAP_SLOTS; i++)
        cordi_list_init(&heap->slots[i].nodes);
}

static void add_due(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    struct cordi_list *before = heap->due.prev; /* from the end: most are equal or come in order */
    while (before != &heap->due && NODE(before)->key > node->key)
        before = before->prev;
    cordi_list_append(before->next, &node->link);
}

void cordi_heap_add(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    if (node->key <= heap->floor) {
        add_due(heap, node);
        return;
    }
    int slot = 63 - __builtin_clzll((uint64_t)(node->key ^ heap->floor));
    if (cordi_list_empty(&heap->slots[slot].nodes) || node->key < heap->slots[slot].least)
        heap->slots[slot].least = node->key;
    cordi_list_append(&heap->slots[slot].nodes, &node->link);
    heap->occupied |= UINT64_C(1) << slot;
}

void cordi_heap_remove(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    bool alone = node->link.next == node->link.prev; /* then both are its list, if it is in one */
    uintptr_t offset = (uintptr_t)node->link.next - (uintptr_t)heap->slots;
    cordi_list_remove(&node->link);
    if (alone && offset < sizeof heap->slots)
        heap->occupied &= ~(UINT64_C(1) << offset / sizeof heap->slots[0]);
}

struct cordi_heap_node *cordi_heap_due(struct cordi_heap *heap, int64_t now)
{
    while (cordi_list_empty(&heap->due)) {
        if (heap->occupied == 0)
            return NULL;
        int slot = __builtin_ctzll(heap->occupied);
        if (heap->slots[slot].least > now)
            return NULL;
        struct cordi_list all, *item;
        cordi_list_init(&all);
        cordi_list_move(&all, &heap->slots[slot].nodes);
        heap->occupied &= heap->occupied - 1;
        heap->floor = heap->slots[slot].least;
        while ((item = cordi_list_take(&all)) != NULL)
            cordi_heap_add(heap, NODE(item));
    }
    return NODE(heap->due.next);
}

int64_t cordi_heap_next(const struct cordi_heap *heap)
{
    if (!cordi_list_empty(&heap->due))
        return NODE(heap->due.next)->key;
    return heap->slots[__builtin_ctzll(heap->occupied)].least;
}
