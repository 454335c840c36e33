/* sync/queue_order.c - the orders of a queue that are not first in, first out; all under the queue's spin bit.
 *
 * Last in, first out: the items lie from 0 on, and the last one comes out. Sorted: a binary heap of ranks, each of them
 * the number of a slot and of the item in the order of coming, which decides between equal ones. Items themselves do
 * not move: they may be large, and a rank is 16 bytes. The ranks behind the heap name the free slots, so that the first
 * of these is always the slot of the next item. A list of items for each priority was left: there may be as many
 * priorities as items.
 */
#include "sync/queue_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *slot(struct cordi_queue_local *queue, size_t number)
{
    return queue->items + number * queue->base.item_size;
}

static bool before(struct cordi_queue_local *queue, const struct cordi_queue_rank *a, const struct cordi_queue_rank *b)
{
    int order = queue->compare(slot(queue, a->slot), slot(queue, b->slot));
    return order != 0 ? order < 0 : a->number < b->number;
}

static void swap(struct cordi_queue_rank *a, struct cordi_queue_rank *b)
{
    struct cordi_queue_rank was = *a;
    *a = *b;
    *b = was;
}

void cordi_queue_push_sorted(struct cordi_queue_local *queue, const void *item)
{
    struct cordi_queue_rank *ranks = queue->ranks;
    size_t at = cordi_queue_count(queue);
    memcpy(slot(queue, ranks[at].slot), item, queue->base.item_size);
    ranks[at].number = queue->numbers++;
    cordi_queue_count_set(queue, at + 1);
    for (size_t above; at > 0 && before(queue, &ranks[at], &ranks[above = (at - 1) / 2]); at = above)
        swap(&ranks[at], &ranks[above]);
}

static void pop_sorted(struct cordi_queue_local *queue, void *item)
{
    struct cordi_queue_rank *ranks = queue->ranks;
    size_t count = cordi_queue_count(queue) - 1;
    memcpy(item, slot(queue, ranks[0].slot), queue->base.item_size);
    cordi_queue_count_set(queue, count);
    swap(&ranks[0], &ranks[count]); /* and now that one names a free slot */
    for (size_t at = 0, below; (below = 2 * at + 1) < count; at = below) {
        if (below + 1 < count && before(queue, &ranks[below + 1], &ranks[below]))
            below++;
        if (!before(queue, &ranks[below], &ranks[at]))
            break;
        swap(&ranks[at], &ranks[below]);
    }
}

void cordi_queue_pop_ordered(struct cordi_queue_local *queue, void *item)
{
    if (queue->order == CORDI_QUEUE_SORTED) {
        pop_sorted(queue, item);
        return;
    }
    size_t last = cordi_queue_count(queue) - 1;
    memcpy(item, slot(queue, last), queue->base.item_size);
    cordi_queue_count_set(queue, last);
}

int cord_queue_sort_by(cord_queue *given, int (*compare)(const void *a, const void *b))
{
    struct cordi_queue_local *queue = (struct cordi_queue_local *)given;
    if (cordi_queue_of_messages(given) || compare == NULL)
        return cordi_fail(-EINVAL, "queue: only items can be sorted, and by a function");
    if (cordi_queue_is_shared(given))
        return cordi_shared_queue_sort_by(given, compare);
    if (queue->order == CORDI_QUEUE_LIFO)
        return cordi_fail(-EINVAL, "queue: a CORD_LIFO one cannot be sorted");
    struct cordi_queue_rank *ranks = calloc(queue->base.capacity, sizeof *ranks);
    if (ranks == NULL)
        return cordi_fail_code(-ENOMEM, "queue of %zu items", queue->base.capacity);
    for (size_t i = 0; i < queue->base.capacity; i++)
        ranks[i].slot = i;
    cordi_queue_lock(queue);
    bool empty = cordi_queue_count(queue) == 0;
    struct cordi_queue_rank *unused = empty ? queue->ranks : ranks;
    if (empty) {
        queue->order = CORDI_QUEUE_SORTED;
        queue->compare = compare;
        queue->ranks = ranks;
        queue->first = 0;
    }
    cordi_queue_unlock(queue);
    free(unused);
    return empty ? 0 : cordi_fail(-EBUSY, "queue: it has items; sort it before the first put");
}
