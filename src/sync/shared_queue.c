/* sync/shared_queue.c - the bounded queue of several processes.
 *
 * A ring of items in shared memory under a shared lock, and two counters that only grow: items put, items taken. An
 * item is there when the one store to `put` has counted it, and gone when the one store to `taken` has; so whoever
 * dies in the middle leaves nothing half done, and the next holder needs to repair nothing (it ignores
 * CORD_OWNER_DIED).
 *
 * Who finds the ring empty or full sleeps on a bell: a word whose bit 0 says that somebody sleeps there. The bell is
 * rung before the change is counted, with the lock held. The sleepers then wait for the lock, and should the ringer
 * die at any point they get that lock and look: no order of wake and death leaves them asleep beside an item.
 *
 * The tasks of one process wait first come, first served (the gates of shared.h); between processes, and against one
 * who does not need to wait, the fastest wins.
 */
#include "sync/shared.h"

#include <errno.h>
#include <string.h>

struct own {
    struct cordi_shared_own lock;
    cord_lock put_gate, get_gate;
};

struct shared_queue {
    struct cord_queue base;
    struct cordi_shared_lock lock;
    struct own *own;
    _Atomic uint64_t put, taken;  /* counts; changed with the lock held */
    _Atomic uint64_t items, room; /* bells: for those who wait for an item, for room */
    unsigned char slots[];        /* capacity of them */
};

static struct shared_queue *shared(cord_queue *queue)
{
    return (struct shared_queue *)queue;
}

/* The bell's word changes, and says that nobody sleeps. */
static void ring(_Atomic uint64_t *bell)
{
    uint64_t now = atomic_load(bell);
    while (!atomic_compare_exchange_weak(bell, &now, (now | 1) + 1))
        ;
    cordi_shared_wake(bell);
}

static void ring_sleepers(_Atomic uint64_t *bell)
{
    if (atomic_load(bell) & 1)
        ring(bell);
}

/* One try. -EAGAIN: full or empty, and *heard is the bell's value to sleep on. */
static int once(struct shared_queue *queue, void *item, bool put, cord_deadline deadline, uint64_t *heard)
{
    int rc = cordi_shared_lock_acquire(&queue->lock, cordi_nowait(deadline) ? CORD_FOREVER : deadline);
    if (rc < 0)
        return rc;
    uint64_t count = atomic_load(put ? &queue->put : &queue->taken);
    uint64_t size = atomic_load(&queue->put) - atomic_load(&queue->taken);
    if (size == (put ? queue->base.capacity : 0)) {
        *heard = atomic_fetch_or(put ? &queue->room : &queue->items, 1) | 1;
        rc = -EAGAIN;
    } else {
        unsigned char *slot = queue->slots + count % queue->base.capacity * queue->base.item_size;
        ring_sleepers(put ? &queue->items : &queue->room);
        memcpy(put ? slot : item, put ? item : slot, queue->base.item_size);
        atomic_store(put ? &queue->put : &queue->taken, count + 1);
        rc = 0;
    }
    (void)cordi_shared_lock_release(&queue->lock);
    return rc;
}

static int wait_and_do(struct shared_queue *queue, void *item, bool put, cord_deadline deadline)
{
    cord_lock *gate = put ? &queue->own->put_gate : &queue->own->get_gate;
    _Atomic uint64_t *bell = put ? &queue->room : &queue->items;
    uint64_t heard;
    int rc = cordi_lock_take(gate, deadline, CORDI_CANCELLABLE);
    if (rc < 0)
        return rc;
    while ((rc = once(queue, item, put, deadline, &heard)) == -EAGAIN) {
        rc = cordi_shared_sleep(bell, (uint32_t)heard, CORDI_CANCELLABLE, deadline);
        if (rc == -ECANCELED)
            ring(bell); /* a helper thread may be asleep there, or about to be */
        if (rc < 0)
            break;
    }
    cordi_lock_give(gate);
    return rc;
}

static int transfer(cord_queue *queue, void *item, bool put, cord_deadline deadline)
{
    uint64_t heard;
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue");
    int rc = once(shared(queue), item, put, deadline, &heard);
    if (rc != -EAGAIN)
        return rc;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, put ? "queue: it is full, and the call may not wait"
                                       : "queue: it is empty, and the call may not wait");
    rc = wait_and_do(shared(queue), item, put, deadline);
    if (rc == -ETIMEDOUT || rc == -ECANCELED)
        return cordi_fail(rc, "%s waiting for %s", rc == -ETIMEDOUT ? "timed out" : "cancelled while",
                          put ? "room in a queue" : "an item of a queue");
    return rc;
}

int cordi_shared_queue_put(cord_queue *queue, const void *item, cord_deadline deadline)
{
    return transfer(queue, (void *)(uintptr_t)item, true, deadline);
}

int cordi_shared_queue_get(cord_queue *queue, void *item, cord_deadline deadline)
{
    return transfer(queue, item, false, deadline);
}

size_t cordi_shared_queue_size(const cord_queue *queue)
{
    const struct shared_queue *from = (const struct shared_queue *)queue;
    uint64_t taken, put;
    do { /* both of the same moment */
        taken = atomic_load(&from->taken);
        put = atomic_load(&from->put);
    } while (taken != atomic_load(&from->taken));
    return (size_t)(put - taken);
}

int cordi_shared_queue_new(cord_queue **ret, size_t item_size, size_t capacity)
{
    void *made, *own;
    int rc =
        cordi_shared_object_new(&made, sizeof(struct shared_queue) + item_size * capacity, &own, sizeof(struct own));
    if (rc < 0)
        return rc;
    struct shared_queue *queue = made;
    queue->base.word = CORDI_RING_SHARED;
    queue->base.item_size = item_size;
    queue->base.capacity = capacity;
    queue->own = own;
    cordi_shared_lock_init(&queue->lock, &queue->own->lock);
    *ret = &queue->base;
    return 0;
}

void cordi_shared_queue_free(cord_queue *queue)
{
    cordi_shared_object_free(queue, shared(queue)->own, sizeof(struct own));
}
