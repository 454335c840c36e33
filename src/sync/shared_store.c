/* sync/shared_store.c - where the items of a shared queue lie; see shared_queue.h.
 *
 * In order: a ring of slots. Last in first out: a stack. Sorted: slots with a number each, 0 for a free one; to put is
 * to fill a free slot and store its number, to get is to look at all and store 0. (A heap would be left in the middle
 * of a change by who is killed there.) Messages: a ring of bytes, each message with its length in front and rounded up
 * to 8; a position runs through twice the ring, so that full and empty differ.
 */
#include "sync/shared_queue.h"

#include <errno.h>
#include <string.h>

#include "sys/ctx.h" /* CORDI_TSAN */

#define BYTES ((uint64_t)36)
#define BYTE_MASK (((uint64_t)1 << BYTES) - 1)
#define LOW ((uint64_t)UINT32_MAX)
#define NUMBERED (LOW + 1)

static uint64_t position(const struct cordi_shared_queue *queue, enum cordi_side side)
{
    return atomic_load_explicit(&queue->side[side].position, memory_order_acquire);
}

static void move_to(struct cordi_shared_queue *queue, enum cordi_side side, uint64_t where)
{
    atomic_store_explicit(&queue->side[side].position, where, memory_order_release);
}

static unsigned char *slot(struct cordi_shared_queue *queue, uint64_t index)
{
    return queue->slots + index * queue->base.item_size;
}

/* --- in order ---
 *
 * What was seen last may be what another process saw, and ThreadSanitizer knows no order that another process made:
 * with it each call looks itself. */

static int put_in_order(struct cordi_shared_queue *queue, const void *item)
{
    struct cordi_queue_side *mine = &queue->side[CORDI_PUTTERS];
    uint64_t at = atomic_load_explicit(&mine->position, memory_order_relaxed);
    if (CORDI_TSAN || at - mine->seen == queue->base.capacity) {
        mine->seen = position(queue, CORDI_GETTERS);
        if (at - mine->seen == queue->base.capacity)
            return -EAGAIN;
    }
    memcpy(slot(queue, at % queue->base.capacity), item, queue->base.item_size);
    move_to(queue, CORDI_PUTTERS, at + 1);
    return 0;
}

static ssize_t get_in_order(struct cordi_shared_queue *queue, void *item)
{
    struct cordi_queue_side *mine = &queue->side[CORDI_GETTERS];
    uint64_t at = atomic_load_explicit(&mine->position, memory_order_relaxed);
    if (CORDI_TSAN || at == mine->seen) {
        mine->seen = position(queue, CORDI_PUTTERS);
        if (at == mine->seen)
            return -EAGAIN;
    }
    memcpy(item, slot(queue, at % queue->base.capacity), queue->base.item_size);
    move_to(queue, CORDI_GETTERS, at + 1);
    return (ssize_t)queue->base.item_size;
}

/* --- last in first out, and sorted --- */

/* Of a sorted queue's slots: NUMBERED and how many had been put with this one; 0: free. */
static uint64_t *numbers(const struct cordi_shared_queue *queue)
{
    size_t bytes = (queue->base.item_size * queue->base.capacity + 7) & ~(size_t)7;
    return (uint64_t *)(uintptr_t)(queue->slots + bytes);
}

static int put_at_top(struct cordi_shared_queue *queue, const void *item)
{
    uint64_t now = position(queue, CORDI_PUTTERS), count = now & LOW, at = count;
    if (count == queue->base.capacity)
        return -EAGAIN;
    if (queue->order == CORDI_SORTED)
        for (at = 0; numbers(queue)[at] != 0; at++)
            ;
    memcpy(slot(queue, at), item, queue->base.item_size);
    if (queue->order == CORDI_SORTED)
        atomic_store((_Atomic uint64_t *)&numbers(queue)[at], NUMBERED | (((now >> 32) + 1) & LOW));
    move_to(queue, CORDI_PUTTERS, (((now >> 32) + 1) << 32) | (count + 1));
    return 0;
}

/* The index of the item that comes first: of equal ones the oldest. */
static uint64_t find_first(struct cordi_shared_queue *queue)
{
    uint64_t best = UINT64_MAX;
    for (uint64_t i = 0; i < queue->base.capacity; i++) {
        if (numbers(queue)[i] == 0)
            continue;
        int order = best == UINT64_MAX ? -1 : queue->compare(slot(queue, i), slot(queue, best));
        if (order < 0 || (order == 0 && numbers(queue)[i] < numbers(queue)[best]))
            best = i;
    }
    return best;
}

static ssize_t get_from_top(struct cordi_shared_queue *queue, void *item)
{
    uint64_t now = position(queue, CORDI_PUTTERS), count = now & LOW;
    if (count == 0)
        return -EAGAIN;
    uint64_t at = queue->order == CORDI_SORTED ? find_first(queue) : count - 1;
    memcpy(item, slot(queue, at), queue->base.item_size);
    if (queue->order == CORDI_SORTED)
        atomic_store((_Atomic uint64_t *)&numbers(queue)[at], 0);
    move_to(queue, CORDI_PUTTERS, (now & ~LOW) | (count - 1));
    return (ssize_t)queue->base.item_size;
}

/* What was put before counts on, as far as the position counts then. */
void cordi_store_sort(struct cordi_shared_queue *queue, int (*compare)(const void *a, const void *b))
{
    if (queue->order == CORDI_IN_ORDER) {
        move_to(queue, CORDI_PUTTERS, position(queue, CORDI_PUTTERS) << 32);
        atomic_store(&queue->done, atomic_load(&queue->done) & LOW);
    }
    queue->compare = compare;
    queue->order = CORDI_SORTED;
}

/* A number may have been stored or cleared, and the count not changed any more. */
void cordi_store_repair(struct cordi_shared_queue *queue)
{
    uint64_t count = 0, total = position(queue, CORDI_PUTTERS) >> 32;
    if (queue->order != CORDI_SORTED)
        return;
    for (uint64_t i = 0; i < queue->base.capacity; i++) {
        count += numbers(queue)[i] != 0;
        if ((numbers(queue)[i] & LOW) > total)
            total = numbers(queue)[i] & LOW;
    }
    move_to(queue, CORDI_PUTTERS, total << 32 | count);
}

/* --- messages --- */

static uint64_t taken_by(size_t size)
{
    return 8 + (((uint64_t)size + 7) & ~(uint64_t)7);
}

static uint64_t used(const struct cordi_shared_queue *queue)
{
    uint64_t put = position(queue, CORDI_PUTTERS) & BYTE_MASK, got = position(queue, CORDI_GETTERS) & BYTE_MASK;
    return put >= got ? put - got : put + 2 * queue->ring - got;
}

static uint64_t after(const struct cordi_shared_queue *queue, uint64_t where, uint64_t bytes)
{
    uint64_t byte = (where & BYTE_MASK) + bytes;
    return (((where >> BYTES) + 1) << BYTES) | (byte >= 2 * queue->ring ? byte - 2 * queue->ring : byte);
}

/* Copies into and out of the ring, in two pieces where it goes round. */
static size_t until_round(const struct cordi_shared_queue *queue, uint64_t at, size_t size)
{
    return size < queue->ring - at ? size : queue->ring - at;
}

static void copy_in(struct cordi_shared_queue *queue, uint64_t at, const void *bytes, size_t size)
{
    size_t first = until_round(queue, at %= queue->ring, size);
    memcpy(queue->slots + at, bytes, first);
    memcpy(queue->slots, (const char *)bytes + first, size - first);
}

static void copy_out(struct cordi_shared_queue *queue, uint64_t at, void *bytes, size_t size)
{
    size_t first = until_round(queue, at %= queue->ring, size);
    memcpy(bytes, queue->slots + at, first);
    memcpy((char *)bytes + first, queue->slots, size - first);
}

static int put_message(struct cordi_shared_queue *queue, const void *bytes, size_t size)
{
    uint64_t where = position(queue, CORDI_PUTTERS), at = where & BYTE_MASK, length = size;
    if (!cordi_store_has_room(queue, size))
        return -EAGAIN;
    copy_in(queue, at, &length, sizeof length);
    if (size > 0)
        copy_in(queue, at + sizeof length, bytes, size);
    move_to(queue, CORDI_PUTTERS, after(queue, where, taken_by(size)));
    return 0;
}

ssize_t cordi_store_next_size(struct cordi_shared_queue *queue)
{
    uint64_t length;
    if (used(queue) == 0)
        return -EAGAIN;
    copy_out(queue, position(queue, CORDI_GETTERS) & BYTE_MASK, &length, sizeof length);
    return (ssize_t)length;
}

static ssize_t get_message(struct cordi_shared_queue *queue, void *buf, size_t *size)
{
    uint64_t where = position(queue, CORDI_GETTERS);
    ssize_t length = cordi_store_next_size(queue);
    if (length < 0)
        return length;
    bool fits = (size_t)length <= *size;
    *size = (size_t)length;
    if (!fits)
        return CORD_ETOOLONG;
    if (length > 0)
        copy_out(queue, (where & BYTE_MASK) + sizeof(uint64_t), buf, (size_t)length);
    move_to(queue, CORDI_GETTERS, after(queue, where, taken_by((size_t)length)));
    return length;
}

/* --- all of them --- */

int cordi_store_put(struct cordi_shared_queue *queue, const void *item, size_t size)
{
    switch (queue->order) {
    case CORDI_IN_ORDER:
        return put_in_order(queue, item);
    case CORDI_MESSAGES:
        return put_message(queue, item, size);
    default:
        return put_at_top(queue, item);
    }
}

ssize_t cordi_store_get(struct cordi_shared_queue *queue, void *item, size_t *size)
{
    switch (queue->order) {
    case CORDI_IN_ORDER:
        return get_in_order(queue, item);
    case CORDI_MESSAGES:
        return get_message(queue, item, size);
    default:
        return get_from_top(queue, item);
    }
}

uint64_t cordi_store_count_mask(const struct cordi_shared_queue *queue)
{
    return queue->order == CORDI_IN_ORDER ? UINT64_MAX : queue->order == CORDI_MESSAGES ? UINT64_MAX >> BYTES : LOW;
}

static uint64_t counted(const struct cordi_shared_queue *queue, enum cordi_side side)
{
    uint64_t where = position(queue, side);
    return queue->order == CORDI_IN_ORDER ? where : queue->order == CORDI_MESSAGES ? where >> BYTES : where >> 32;
}

uint64_t cordi_store_total(const struct cordi_shared_queue *queue)
{
    return counted(queue, CORDI_PUTTERS);
}

uint64_t cordi_store_size(const struct cordi_shared_queue *queue)
{
    uint64_t put, taken;
    if (queue->order == CORDI_LAST || queue->order == CORDI_SORTED)
        return position(queue, CORDI_PUTTERS) & LOW;
    do { /* both of the same moment */
        taken = counted(queue, CORDI_GETTERS);
        put = counted(queue, CORDI_PUTTERS);
    } while (taken != counted(queue, CORDI_GETTERS));
    return (put - taken) & cordi_store_count_mask(queue);
}

bool cordi_store_has_items(const struct cordi_shared_queue *queue)
{
    return cordi_store_size(queue) > 0;
}

bool cordi_store_has_room(const struct cordi_shared_queue *queue, size_t size)
{
    if (queue->order == CORDI_MESSAGES)
        return used(queue) + taken_by(size) <= queue->ring;
    return cordi_store_size(queue) < queue->base.capacity;
}

/* A queue may be sorted after it was made, so each has room for the numbers. */
size_t cordi_store_bytes(enum cordi_order order, size_t item_size, size_t capacity)
{
    return order == CORDI_MESSAGES ? (capacity + 7) & ~(size_t)7 : item_size * capacity + 8 * (capacity + 1);
}
