/* base/heap.c - the pairing heap of heap.h. Nothing recurses but the check for tests: a heap may be a long chain. */
#include "base/heap.h"

/* Of two trees, the one with the larger root goes below the other. The answer's own links are not set. */
static struct cordi_heap_node *meld(struct cordi_heap_node *a, struct cordi_heap_node *b)
{
    if (b->key < a->key) {
        struct cordi_heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next != NULL)
        b->next->link = &b->next;
    b->link = &a->child;
    a->child = b;
    return a;
}

/* One tree of a chain of siblings: melds them in pairs, then the pairs from the last one back. */
static struct cordi_heap_node *meld_all(struct cordi_heap_node *node)
{
    struct cordi_heap_node *pairs = NULL, *all;
    while (node != NULL) {
        struct cordi_heap_node *first = node, *second = node->next;
        node = second == NULL ? NULL : second->next;
        if (second != NULL)
            first = meld(first, second);
        first->next = pairs;
        pairs = first;
    }
    if ((all = pairs) == NULL)
        return NULL;
    for (pairs = all->next; pairs != NULL;) {
        struct cordi_heap_node *rest = pairs->next;
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

static void set_root(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    heap->root = node;
    if (node != NULL) {
        node->link = &heap->root;
        node->next = NULL;
    }
}

void cordi_heap_add(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    node->child = NULL;
    set_root(heap, heap->root == NULL ? node : meld(heap->root, node));
}

void cordi_heap_remove(struct cordi_heap *heap, struct cordi_heap_node *node)
{
    if (node->link == NULL)
        return;
    struct cordi_heap_node *below = meld_all(node->child);
    *node->link = node->next;
    if (node->next != NULL)
        node->next->link = node->link;
    if (below != NULL)
        set_root(heap, heap->root == NULL ? below : meld(heap->root, below));
    node->child = node->next = NULL;
    node->link = NULL;
}

static long validate(const struct cordi_heap_node *node, struct cordi_heap_node *const *link, int64_t least)
{
    long count = 0;
    for (; node != NULL; link = &node->next, node = node->next) {
        long below = validate(node->child, &node->child, node->key);
        if (node->link != link || node->key < least || below < 0)
            return -1;
        count += below + 1;
    }
    return count;
}

long cordi_heap_validate(const struct cordi_heap *heap)
{
    if (heap->root != NULL && heap->root->next != NULL)
        return -1;
    return validate(heap->root, &heap->root, INT64_MIN);
}
