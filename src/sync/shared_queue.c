/* sync/shared_queue.c - the bounded queue of several processes: who may act, and waiting. Where the items lie is
 * shared_store.c; what a killed process leaves behind is told in shared_queue.h.
 *
 * Each side rings a bell for the other: a word whose bit 0 says that somebody sleeps there. It is changed with the
 * ringing side's lock: who wants to sleep takes that lock, looks once more, and sets the bit. So a ringer needs no
 * fence and, when nobody sleeps, no more than a look. It rings after it has counted its item; if it is killed in
 * between, its death wakes the sleepers (rt/words.h).
 *
 * The tasks of one process wait first come, first served (the gates of shared.h); between processes, and against one
 * who does not need to wait, the fastest wins.
 */
#include "sync/shared_queue.h"

#include <errno.h>

static struct cordi_shared_queue *shared(const cord_queue *queue)
{
    return (struct cordi_shared_queue *)(uintptr_t)queue;
}

/* What one call moves: get has room in `out`, put has `in`. */
struct move {
    enum cordi_side side;
    const void *in;
    void *out;
    size_t size; /* of a message; of the room for one */
};

/* In order each side has its lock, else all have one. */
static struct cordi_queue_side *locked_by(struct cordi_shared_queue *queue, enum cordi_side side)
{
    bool one = queue->order == CORDI_LAST || queue->order == CORDI_SORTED;
    return &queue->side[one ? CORDI_PUTTERS : side];
}

static int lock_side(struct cordi_shared_queue *queue, enum cordi_side side, cord_deadline deadline)
{
    int rc = cordi_shared_lock_acquire(&locked_by(queue, side)->lock, cordi_nowait(deadline) ? CORD_FOREVER : deadline);
    if (rc == CORD_OWNER_DIED)
        cordi_store_repair(queue);
    return rc < 0 ? rc : 0;
}

static void unlock_side(struct cordi_shared_queue *queue, enum cordi_side side)
{
    (void)cordi_shared_lock_release(&locked_by(queue, side)->lock);
}

/* With the side's lock; true: the sleepers are to be woken. */
static bool ring(struct cordi_queue_side *side)
{
    uint64_t bell = atomic_load_explicit(&side->bell, memory_order_relaxed);
    if (!(bell & 1))
        return false;
    atomic_store(&side->bell, bell + 1);
    return true;
}

static bool closed(const struct cordi_shared_queue *queue)
{
    return atomic_load_explicit(&queue->closed, memory_order_relaxed) != CORDI_OPEN;
}

static bool dropped(const struct cordi_shared_queue *queue)
{
    return atomic_load(&queue->closed) == CORDI_DROPPED;
}

static ssize_t act(struct cordi_shared_queue *queue, struct move *move)
{
    uint32_t closed = atomic_load_explicit(&queue->closed, memory_order_relaxed);
    if (closed == CORDI_DROPPED || (closed && move->side == CORDI_PUTTERS))
        return -EPIPE;
    if (move->side == CORDI_PUTTERS)
        return cordi_store_put(queue, move->in, move->size);
    ssize_t rc = cordi_store_get(queue, move->out, &move->size);
    return rc == -EAGAIN && closed ? -EPIPE : rc;
}

/* One try. -EAGAIN: full or empty. */
static ssize_t once(struct cordi_shared_queue *queue, struct move *move, cord_deadline deadline)
{
    int rc = lock_side(queue, move->side, deadline);
    if (rc < 0)
        return rc;
    ssize_t done = act(queue, move);
    bool woken = done >= 0 && ring(&queue->side[move->side]);
    unlock_side(queue, move->side);
    if (woken)
        cordi_shared_wake(&queue->side[move->side].bell);
    return done;
}

/* A look, with any lock or none. */
static bool could(const struct cordi_shared_queue *queue, enum cordi_side side, size_t size)
{
    return closed(queue) || (side == CORDI_PUTTERS ? cordi_store_has_room(queue, size) : cordi_store_has_items(queue));
}

/* Says that somebody sleeps, and on what: the other side's bell. 0: it could be done now. */
static int listen(struct cordi_shared_queue *queue, enum cordi_side side, size_t size, struct cordi_sleep *sleep,
                  cord_deadline deadline)
{
    enum cordi_side other = side == CORDI_PUTTERS ? CORDI_GETTERS : CORDI_PUTTERS;
    uint32_t deaths = cordi_deaths();
    int rc = lock_side(queue, other, deadline);
    if (rc < 0)
        return rc;
    bool can = could(queue, side, size);
    uint64_t bell = atomic_load_explicit(&queue->side[other].bell, memory_order_relaxed) | 1;
    if (!can)
        atomic_store(&queue->side[other].bell, bell);
    unlock_side(queue, other);
    *sleep = cordi_shared_sleep_on(&queue->side[other].bell, bell, deaths,
                                   side == CORDI_PUTTERS ? "room in a queue" : "an item of a queue");
    return can ? 0 : -EAGAIN;
}

static ssize_t look_and_do(struct cordi_shared_queue *queue, struct move *move, cord_deadline deadline)
{
    ssize_t rc = -EAGAIN;
    for (unsigned looks = 0; rc == -EAGAIN && cordi_look_again(&looks, false);)
        if (could(queue, move->side, move->size))
            rc = once(queue, move, deadline);
    return rc;
}

static ssize_t wait_and_do(struct cordi_shared_queue *queue, struct move *move, cord_deadline deadline)
{
    cord_lock *gate = &cordi_shared_own(queue)->gate[move->side];
    ssize_t rc = cordi_lock_take(gate, deadline, CORDI_CANCELLABLE);
    if (rc < 0)
        return rc;
    while ((rc = look_and_do(queue, move, deadline)) == -EAGAIN && (rc = once(queue, move, deadline)) == -EAGAIN) {
        struct cordi_sleep sleep;
        rc = listen(queue, move->side, move->size, &sleep, deadline);
        if (rc == -EAGAIN)
            rc = cordi_sleep_on(&sleep, CORDI_CANCELLABLE, deadline);
        if (rc < 0)
            break;
    }
    cordi_lock_give(gate);
    return rc;
}

static ssize_t fail(ssize_t rc, const struct move *move)
{
    bool put = move->side == CORDI_PUTTERS;
    const char *what = put ? "room in a queue" : "an item of a queue";
    switch (rc) {
    case -EAGAIN:
        return cordi_fail(-EAGAIN, "queue: it is %s, and the call may not wait", put ? "full" : "empty");
    case -ETIMEDOUT:
        return cordi_fail(-ETIMEDOUT, "timed out waiting for %s", what);
    case -ECANCELED:
        return cordi_fail(-ECANCELED, "cancelled while waiting for %s", what);
    case -EPIPE:
        return cordi_fail(-EPIPE, "queue: it was shut down%s", put ? "" : " and is empty");
    case CORD_ETOOLONG:
        return cordi_fail(CORD_ETOOLONG, "queue: the next message has %zu bytes, more than there is room for",
                          move->size);
    default:
        return rc;
    }
}

static ssize_t transfer(struct cordi_shared_queue *queue, struct move *move, cord_deadline deadline)
{
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue");
    ssize_t rc = once(queue, move, deadline);
    if (rc == -EAGAIN && !cordi_nowait(deadline))
        rc = wait_and_do(queue, move, deadline);
    return rc < 0 ? fail(rc, move) : rc;
}

int cordi_shared_queue_put(cord_queue *queue, const void *item, cord_deadline deadline)
{
    return (int)transfer(shared(queue), &(struct move){ CORDI_PUTTERS, item, NULL, 0 }, deadline);
}

int cordi_shared_queue_get(cord_queue *queue, void *item, cord_deadline deadline)
{
    ssize_t rc = transfer(shared(queue), &(struct move){ CORDI_GETTERS, NULL, item, 0 }, deadline);
    return rc < 0 ? (int)rc : 0;
}

int cordi_shared_queue_put_bytes(cord_queue *queue, const void *bytes, size_t size, cord_deadline deadline)
{
    if (size > queue->capacity || queue->capacity - size < 16)
        return cordi_fail(-EMSGSIZE, "queue: a message of %zu bytes never fits into %zu", size, queue->capacity);
    return (int)transfer(shared(queue), &(struct move){ CORDI_PUTTERS, bytes, NULL, size }, deadline);
}

ssize_t cordi_shared_queue_get_bytes(cord_queue *queue, void *buf, size_t size, cord_deadline deadline)
{
    return transfer(shared(queue), &(struct move){ CORDI_GETTERS, NULL, buf, size }, deadline);
}

ssize_t cordi_shared_queue_next_size(const cord_queue *asked)
{
    struct cordi_shared_queue *queue = shared(asked);
    struct move move = { CORDI_GETTERS, NULL, NULL, 0 };
    int rc = lock_side(queue, CORDI_GETTERS, CORD_FOREVER);
    if (rc < 0)
        return rc;
    ssize_t size = dropped(queue) ? -EAGAIN : cordi_store_next_size(queue);
    unlock_side(queue, CORDI_GETTERS);
    return size == -EAGAIN ? fail(closed(queue) ? -EPIPE : -EAGAIN, &move) : size;
}

size_t cordi_shared_queue_size(const cord_queue *queue)
{
    return dropped(shared(queue)) ? 0 : (size_t)cordi_store_size(shared(queue));
}

int cordi_shared_queue_try(cord_queue *queue, void *item, bool put)
{
    struct move move = { put ? CORDI_PUTTERS : CORDI_GETTERS, item, item, 0 };
    ssize_t rc = once(shared(queue), &move, CORD_NOWAIT);
    return rc < 0 ? (int)rc : 0;
}

int cordi_shared_queue_listen(cord_queue *queue, bool put, struct cordi_sleep *sleep)
{
    return listen(shared(queue), put ? CORDI_PUTTERS : CORDI_GETTERS, 0, sleep, CORD_FOREVER);
}

/* --- done and join --- */

/* How many were put, beyond `done`. What a shutdown dropped stays in its place and does not count: so to drop is one
 * store, and nobody can be killed in the middle of it. */
static uint64_t left(const struct cordi_shared_queue *queue, uint64_t done)
{
    uint64_t lost = dropped(queue) ? cordi_store_size(queue) : 0;
    return (cordi_store_total(queue) - lost - done) & cordi_store_count_mask(queue);
}

static uint64_t unfinished(const struct cordi_shared_queue *queue)
{
    uint64_t done = atomic_load(&queue->done);
    return left(queue, done);
}

static void ring_all_done(struct cordi_shared_queue *queue)
{
    uint64_t bell = atomic_load(&queue->all_done);
    while (bell & 1)
        if (atomic_compare_exchange_weak(&queue->all_done, &bell, bell + 1)) {
            cordi_shared_wake(&queue->all_done);
            return;
        }
}

int cordi_shared_queue_task_done(cord_queue *asked)
{
    struct cordi_shared_queue *queue = shared(asked);
    uint64_t mask = cordi_store_count_mask(queue), done = atomic_load(&queue->done);
    do
        if (left(queue, done) == 0)
            return cordi_fail(-EINVAL, "queue: said to be done more often than items were put");
    while (!atomic_compare_exchange_weak(&queue->done, &done, (done + 1) & mask));
    if (unfinished(queue) == 0)
        ring_all_done(queue);
    return 0;
}

static int join_in_turn(struct cordi_shared_queue *queue, cord_deadline deadline)
{
    int rc = 0;
    while (rc == 0) {
        uint32_t deaths = cordi_deaths();
        uint64_t bell = atomic_fetch_or(&queue->all_done, 1) | 1;
        if (unfinished(queue) == 0)
            return 0;
        rc = cordi_shared_sleep(&queue->all_done, (uint32_t)bell, deaths, "a queue to be done", CORDI_CANCELLABLE,
                                deadline);
    }
    return unfinished(queue) == 0 ? 0 : rc;
}

int cordi_shared_queue_join(cord_queue *asked, cord_deadline deadline)
{
    struct cordi_shared_queue *queue = shared(asked);
    cord_lock *gate = &cordi_shared_own(queue)->gate[2];
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a queue to be done");
    if (unfinished(queue) == 0)
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "queue: not all is done, and the call may not wait");
    int rc = cordi_lock_take(gate, deadline, CORDI_CANCELLABLE);
    if (rc == 0) {
        rc = join_in_turn(queue, deadline);
        cordi_lock_give(gate);
    }
    if (rc < 0)
        return cordi_fail(rc, "%s waiting for a queue to be done", rc == -ETIMEDOUT ? "timed out" : "cancelled while");
    return 0;
}

/* --- the whole queue --- */

void cordi_shared_queue_shutdown(cord_queue *asked, bool immediate)
{
    struct cordi_shared_queue *queue = shared(asked);
    bool two = locked_by(queue, CORDI_GETTERS) != locked_by(queue, CORDI_PUTTERS);
    while (lock_side(queue, CORDI_PUTTERS, CORD_FOREVER) < 0) /* no descriptor to watch its holder with: again */
        (void)cord_yield();
    while (two && lock_side(queue, CORDI_GETTERS, CORD_FOREVER) < 0)
        (void)cord_yield();
    if (immediate || !closed(queue))
        atomic_store(&queue->closed, immediate ? CORDI_DROPPED : CORDI_CLOSED);
    bool wake[2] = { ring(&queue->side[0]), ring(&queue->side[1]) };
    if (two)
        unlock_side(queue, CORDI_GETTERS);
    unlock_side(queue, CORDI_PUTTERS);
    for (int i = 0; i < 2; i++)
        if (wake[i])
            cordi_shared_wake(&queue->side[i].bell);
    if (unfinished(queue) == 0)
        ring_all_done(queue);
}

int cordi_shared_queue_sort_by(cord_queue *asked, int (*compare)(const void *a, const void *b))
{
    struct cordi_shared_queue *queue = shared(asked);
    int rc = lock_side(queue, CORDI_PUTTERS, CORD_FOREVER);
    if (rc < 0)
        return rc;
    if (queue->order == CORDI_LAST || queue->order == CORDI_MESSAGES)
        rc = cordi_fail(-EINVAL, "queue: messages and CORD_LIFO have an order of their own");
    else if (cordi_shared_queue_size(asked) != 0)
        rc = cordi_fail(-EBUSY, "queue: it has items, which are not sorted");
    else if (!dropped(queue))
        cordi_store_sort(queue, compare);
    unlock_side(queue, CORDI_PUTTERS);
    return rc;
}

int cordi_shared_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags)
{
    enum cordi_order order = item_size == 0 ? CORDI_MESSAGES : flags & CORD_LIFO ? CORDI_LAST : CORDI_IN_ORDER;
    size_t bytes = cordi_store_bytes(order, item_size, capacity);
    void *made;
    int rc = cordi_shared_object_new(&made, sizeof(struct cordi_shared_queue) + bytes, "queue");
    if (rc < 0)
        return rc;
    struct cordi_shared_queue *queue = made;
    queue->base.word = CORDI_RING_SHARED;
    queue->base.item_size = item_size;
    queue->base.capacity = capacity;
    queue->order = order;
    queue->ring = order == CORDI_MESSAGES ? bytes : 0;
    cordi_shared_lock_init(&queue->side[0].lock);
    cordi_shared_lock_init(&queue->side[1].lock);
    *ret = &queue->base;
    return 0;
}

void cordi_shared_queue_free(cord_queue *queue)
{
    cordi_shm_free(queue);
}
