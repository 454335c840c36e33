/* rt/io.c - the table of descriptors and the waits for them; see io.h and handle.h.
 *
 * A direction has a turn (who may make calls) and at most one waiter for readiness, the holder of the turn. What a
 * loop's backend reports is given to that waiter, of whatever kind it is and on whatever loop, or noted in `ready`
 * for the next one: an edge is never lost. A thread waits in poll(2) instead and needs no edge.
 *
 * `drained` remembers that the last read of a stream took all there was: the next read then waits first instead of
 * asking the kernel in vain. It is a hint for coroutines only, whose backends report what comes after it.
 */
#include "rt/io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt/backend.h"
#include "rt/handle.h"
#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/park.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/fd.h"

enum { CHUNK = 256, CHUNKS = 4096 };

static struct {
    _Atomic uint64_t lock; /* spin bit over free and made */
    struct cordi_list free;
    uint32_t made;
    _Atomic(struct cordi_io *) chunks[CHUNKS]; /* never moved, never freed */
} table;

static struct cordi_io *slot_of(uint64_t handle)
{
    uint32_t index = (uint32_t)handle - 1;
    if (index >= CHUNK * CHUNKS)
        return NULL;
    struct cordi_io *chunk = atomic_load_explicit(&table.chunks[index / CHUNK], memory_order_acquire);
    return chunk != NULL ? &chunk[index % CHUNK] : NULL;
}

static struct cordi_io *take_slot(void)
{
    struct cordi_io *io = NULL;
    cordi_spin_lock(&table.lock, 1);
    if (table.free.next == NULL)
        cordi_list_init(&table.free);
    if (cordi_list_empty(&table.free) && table.made < CHUNKS) {
        struct cordi_io *chunk = aligned_alloc(_Alignof(struct cordi_io), CHUNK * sizeof *chunk);
        if (chunk != NULL)
            memset(chunk, 0, CHUNK * sizeof *chunk);
        for (uint32_t i = 0; chunk != NULL && i < CHUNK; i++) {
            chunk[i].index = table.made * CHUNK + i;
            atomic_init(&chunk[i].word, (uint64_t)1 << 32 | CORDI_CLOSING);
            cordi_list_append(&table.free, &chunk[i].direction[0].queue);
        }
        if (chunk != NULL)
            atomic_store_explicit(&table.chunks[table.made++], chunk, memory_order_release);
    }
    struct cordi_list *item = cordi_list_take(&table.free);
    if (item != NULL)
        io = CORDI_ITEM(item, struct cordi_io, direction[0].queue);
    cordi_spin_unlock(&table.lock, 1);
    return io;
}

int cordi_io_open(uint64_t *ret, int own_fd)
{
    int type = cordi_fd_socket_type(own_fd);
    if (type < 0)
        return type;
    struct cordi_io *io = take_slot();
    if (io == NULL) {
        cordi_fd_close(own_fd);
        return -ENOMEM;
    }
    io->fd = own_fd;
    io->type = (int16_t)type;
    cordi_io_data_set(io, NULL);
    io->patient = -1;
    for (int i = 0; i < 2; i++) {
        struct cordi_direction_state *d = &io->direction[i];
        cordi_list_init(&d->queue);
        d->waiter = NULL;
        d->ready = d->drained = false;
        d->ended = false;
        atomic_store(&d->turn, TURN_FREE);
    }
    cordi_handle_renew(&io->word);
    *ret = cordi_io_handle(io);
    return 0;
}

struct cordi_io *cordi_io_get(uint64_t handle)
{
    struct cordi_io *io = slot_of(handle);
    return io != NULL && cordi_handle_enter(&io->word, (uint32_t)(handle >> 32)) ? io : NULL;
}

int cordi_io_fd(const struct cordi_io *io)
{
    return io->fd;
}

bool cordi_io_is_socket(const struct cordi_io *io)
{
    return io->type != 0;
}

void *cordi_io_data(const struct cordi_io *io)
{
    return atomic_load_explicit(&io->data, memory_order_relaxed);
}

void cordi_io_data_set(struct cordi_io *io, void *data)
{
    atomic_store_explicit(&io->data, data, memory_order_relaxed);
}

/* --- closing --- */

/* `item` of a node tells why its wait ended. */
static char closed_mark;

static void claim_for_close(struct cordi_waiter *node, struct cordi_list *claimed)
{
    node->item = &closed_mark;
    if (cordi_waiter_claim(node))
        cordi_list_append(claimed, &node->link);
}

static void wake_all(struct cordi_io *io)
{
    struct cordi_list claimed, *item;
    cordi_list_init(&claimed);
    cordi_spin_lock(&io->bits, 1);
    for (int i = 0; i < 2; i++) {
        struct cordi_direction_state *d = &io->direction[i];
        while ((item = cordi_list_take(&d->queue)) != NULL)
            claim_for_close(CORDI_ITEM(item, struct cordi_waiter, link), &claimed);
        if (d->waiter != NULL)
            claim_for_close(d->waiter, &claimed);
        d->waiter = NULL;
    }
    cordi_spin_unlock(&io->bits, 1);
    cordi_wake_list(&claimed);
}

/* Takes the descriptor out of its home's backend; that may take until the loop's next turn. */
static void leave_home(struct cordi_io *io)
{
    bool asked = false, wait = true;
    while (wait) {
        struct cordi_waiter node;
        cordi_wait_begin(&node, CORDI_UNCANCELLABLE, "its loop, to let a descriptor go");
        cordi_spin_lock(&io->bits, 1);
        if (io->home != NULL && !asked && io->home->backend->forget(io)) /* the loop is there while it is home */
            io->home = NULL;
        asked = true;
        wait = io->home != NULL;
        if (wait)
            io->closer = &node;
        cordi_spin_unlock(&io->bits, 1);
        if (wait)
            (void)cordi_park(CORD_FOREVER);
        else
            cordi_wait_abandon();
    }
}

int cordi_io_close(uint64_t handle, void **data)
{
    struct cordi_io *io = slot_of(handle);
    if (io == NULL || !cordi_handle_close(&io->word, (uint32_t)(handle >> 32)))
        return -EBADF;
    wake_all(io);
    cordi_io_wait_for_users(io);
    leave_home(io);
    int fd = io->fd;
    *data = cordi_io_data(io);
    cordi_spin_lock(&table.lock, 1);
    cordi_list_append(&table.free, &io->direction[0].queue);
    cordi_spin_unlock(&table.lock, 1);
    return fd;
}

/* --- turns --- */

static int closed(void)
{
    return cordi_fail(-EBADF, "closed");
}

static int wait_for_turn(struct cordi_io *io, struct cordi_direction_state *d, cord_deadline deadline)
{
    struct cordi_waiter node;
    uint32_t turn;
    int rc;
    cordi_wait_begin(&node, CORDI_CANCELLABLE, "its turn on a socket");
    cordi_spin_lock(&io->bits, 1);
    turn = atomic_exchange(&d->turn, TURN_WANTED);
    bool closing = cordi_handle_closing(&io->word);
    if (turn != TURN_FREE && !closing)
        cordi_list_append(&d->queue, &node.link);
    cordi_spin_unlock(&io->bits, 1);
    if (turn == TURN_FREE || closing) {
        cordi_wait_abandon();
        if (turn == TURN_FREE && closing)
            cordi_io_turn_end(io, d == &io->direction[CORDI_READ] ? CORDI_READ : CORDI_WRITE);
        return closing ? closed() : 0;
    }
    rc = cordi_park(deadline);
    if (rc < 0) {
        cordi_spin_lock(&io->bits, 1);
        cordi_list_remove(&node.link);
        cordi_spin_unlock(&io->bits, 1);
    } else if (node.item == &closed_mark)
        rc = closed();
    return rc;
}

int cordi_io_turn(struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline)
{
    struct cordi_direction_state *d = &io->direction[direction];
    uint32_t free = TURN_FREE;
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled");
    if (atomic_compare_exchange_strong(&d->turn, &free, TURN_TAKEN))
        return 0;
    if (deadline.at == CORD_NOWAIT.at)
        return cordi_fail(-EAGAIN, "another task's call is under way");
    return wait_for_turn(io, d, deadline);
}

void cordi_io_turn_end(struct cordi_io *io, enum cordi_direction direction)
{
    struct cordi_direction_state *d = &io->direction[direction];
    struct cord_task *wake = NULL;
    struct cordi_list *item;
    uint32_t taken = TURN_TAKEN;
    if (atomic_compare_exchange_strong(&d->turn, &taken, TURN_FREE))
        return;
    cordi_spin_lock(&io->bits, 1);
    while (wake == NULL && (item = cordi_list_take(&d->queue)) != NULL) {
        struct cordi_waiter *node = CORDI_ITEM(item, struct cordi_waiter, link);
        struct cord_task *task = node->task;
        if (cordi_waiter_claim(node))
            wake = task; /* the turn is handed over: it stays taken */
    }
    if (wake == NULL)
        atomic_store(&d->turn, TURN_FREE);
    cordi_spin_unlock(&io->bits, 1);
    if (wake != NULL)
        cordi_wake(wake);
}

/* --- readiness --- */

static struct cord_task *report(struct cordi_direction_state *d)
{
    struct cordi_waiter *node = d->waiter;
    struct cord_task *task = node != NULL ? node->task : NULL;
    d->waiter = NULL;
    if (node != NULL && cordi_waiter_claim(node))
        return task;
    d->ready = true;
    return NULL;
}

void cordi_io_expect(uint64_t handle)
{
    const struct cordi_io *io = slot_of(handle);
    if (io == NULL) /* the answer to a removal */
        return;
    __builtin_prefetch(io, 1);
    __builtin_prefetch(&io->direction[CORDI_WRITE], 1); /* who is told that something came mostly answers */
}

void cordi_io_expect_waiter(uint64_t handle)
{
    struct cordi_io *io = slot_of(handle);
    if (io == NULL)
        return;
    __builtin_prefetch(atomic_load_explicit(&io->direction[CORDI_READ].waiter, memory_order_relaxed), 1);
    __builtin_prefetch(cordi_io_data(io));
}

static void wake_each(struct cord_task *const wake[3])
{
    for (int i = 0; i < 3; i++)
        if (wake[i] != NULL)
            cordi_wake(wake[i]);
}

static struct cord_task *lose_home(struct cordi_io *io)
{
    io->home = NULL;
    return cordi_io_claim_closer(io);
}

void cordi_io_event(uint64_t handle, int events)
{
    struct cordi_io *io = slot_of(handle);
    struct cord_task *wake[3] = { NULL, NULL, NULL };
    cordi_spin_lock(&io->bits, 1);
    if (cordi_io_handle(io) == handle) {
        if (events & CORDI_EVENT_GONE)
            wake[2] = lose_home(io);
        if (events & CORDI_EVENT_END)
            io->direction[CORDI_READ].ended = true;
        if (events & CORDI_EVENT_READ)
            wake[0] = report(&io->direction[CORDI_READ]);
        if (events & CORDI_EVENT_WRITE)
            wake[1] = report(&io->direction[CORDI_WRITE]);
    }
    cordi_spin_unlock(&io->bits, 1);
    wake_each(wake);
}

int cordi_io_list(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
{
    struct cordi_loop *loop = node->task->loop;
    struct cordi_direction_state *d = &io->direction[direction];
    int answer = -EAGAIN;
    cordi_spin_lock(&io->bits, 1);
    if (cordi_handle_closing(&io->word))
        answer = -EBADF;
    else if (d->ready) {
        d->ready = false;
        answer = 0;
    } else {
        d->waiter = node;
        int rc = loop != NULL && io->home == NULL ? loop->backend->arm(loop, io) : 0;
        if (rc == 0 && loop != NULL && io->home == NULL)
            io->home = loop; /* one that ends wakes its waiters */
        if (rc < 0) {
            d->waiter = NULL;
            answer = rc == -EPERM ? 0 : -ENOSPC; /* EPERM: a file, always ready */
        }
    }
    cordi_spin_unlock(&io->bits, 1);
    return answer;
}

void cordi_io_unlist(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
{
    cordi_spin_lock(&io->bits, 1);
    if (io->direction[direction].waiter == node)
        io->direction[direction].waiter = NULL;
    else if (node->task->winner == node) /* an event that came while the wait was given up: it is the next one's */
        io->direction[direction].ready = true;
    cordi_spin_unlock(&io->bits, 1);
}

static int park_thread(struct cord_task *self, struct cordi_io *const *ios, int count, enum cordi_direction direction,
                       cord_deadline deadline)
{
    struct pollfd fds[CORDI_IO_ANY + 1];
    for (int i = 0; i < count; i++)
        fds[i] = (struct pollfd){ .fd = ios[i]->fd, .events = direction == CORDI_READ ? POLLIN | POLLRDHUP : POLLOUT };
    if (cordi_thread_park(self, fds, (unsigned)count, deadline) == 0)
        return -1; /* woken, timed out or cancelled: the wait's state tells */
    for (int i = 0; i < count; i++)
        if (fds[i].revents != 0)
            return i;
    return -1;
}

static int wait_listed(struct cordi_io *const *ios, int count, enum cordi_direction direction,
                       struct cordi_waiter *nodes, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    int listed = 0, answer = -EAGAIN, index = -1, rc = 0;
    if (deadline.at == CORD_NOWAIT.at)
        return cordi_fail(-EAGAIN, "not ready");
    if (deadline.at != 0 && cordi_clock_now() >= deadline.at) /* and what is ready brings nothing, again and again */
        return cordi_fail(-ETIMEDOUT, "timed out");
    if (self->loop == NULL)
        (void)cordi_thread_wake_fd(self); /* without one it waits all the same */
    cordi_wait_begin(&nodes[0], CORDI_CANCELLABLE, direction == CORDI_READ ? "data" : "room to send");
    if (cordi_debug(CORDI_DEBUG_DUMP))
        cordi_debug_wait_fd(self, ios[0]->fd);
    for (int i = 0; i < count && answer == -EAGAIN; i++) {
        if (i > 0)
            cordi_wait_join(&nodes[i], &nodes[0]);
        answer = cordi_io_list(ios[i], direction, &nodes[i]);
        if (answer == -EAGAIN)
            listed++;
        else
            index = i;
    }
    if (answer != -EAGAIN)
        cordi_wait_abandon();
    else if (self->loop != NULL) {
        self->loop->outside++;
        rc = cordi_park(deadline);
        self->loop->outside--;
    } else if (cordi_wait_over(self))
        rc = cordi_park(deadline);
    else {
        index = park_thread(self, ios, count, direction, deadline);
        rc = index >= 0 ? 0 : cordi_wait_result(self);
    }
    struct cordi_waiter *winner = rc == 0 && index < 0 ? self->winner : NULL;
    for (int i = 0; i < listed; i++) {
        if (winner == &nodes[i])
            index = i;
        else
            cordi_io_unlist(ios[i], direction, &nodes[i]);
    }
    if (answer == -ENOSPC) /* in the kernel, for one more: look again soon, and let the others run meanwhile */
        rc = cord_sleep(CORD_MILLISECOND);
    if (answer == -EBADF || (winner != NULL && winner->item == &closed_mark))
        return closed();
    return rc < 0 ? rc : index;
}

int cordi_io_wait_any(struct cordi_io *const *ios, int count, enum cordi_direction direction, cord_deadline deadline)
{
    struct cordi_waiter nodes[CORDI_IO_ANY];
    assert(count > 0 && count <= CORDI_IO_ANY);
    return wait_listed(ios, count, direction, nodes, deadline);
}

int cordi_io_wait(struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline)
{
    struct cordi_waiter node;
    int rc = wait_listed(&io, 1, direction, &node, deadline);
    return rc < 0 ? rc : 0;
}

/* --- all slots --- */

static void each_slot(void (*visit)(struct cordi_io *, const struct cordi_loop *), const struct cordi_loop *loop)
{
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        struct cordi_io *slots = atomic_load_explicit(&table.chunks[chunk], memory_order_acquire);
        for (uint32_t i = 0; slots != NULL && i < CHUNK; i++)
            visit(&slots[i], loop);
    }
}

/* Whoever waits on another loop, or reads next, tries again and registers anew. */
static void end_home(struct cordi_io *io, const struct cordi_loop *loop)
{
    struct cord_task *wake[3] = { NULL, NULL, NULL };
    cordi_spin_lock(&io->bits, 1);
    if (io->home == loop) {
        wake[2] = lose_home(io);
        for (int i = 0; i < 2; i++)
            wake[i] = report(&io->direction[i]);
    }
    cordi_spin_unlock(&io->bits, 1);
    wake_each(wake);
}

void cordi_io_loop_ends(const struct cordi_loop *loop)
{
    each_slot(end_home, loop);
}

static void forked(struct cordi_io *io, const struct cordi_loop *loop)
{
    (void)loop;
    uint64_t word = atomic_load(&io->word);
    if (word & CORDI_CLOSING)
        return; /* free, and in the table's list */
    atomic_store(&io->bits, 0);
    atomic_store(&io->word, word & ~CORDI_USERS);
    io->home = NULL;
    io->closer = NULL;
    for (int i = 0; i < 2; i++) {
        struct cordi_direction_state *d = &io->direction[i];
        atomic_store(&d->turn, TURN_FREE);
        cordi_list_init(&d->queue);
        d->waiter = NULL;
        d->ready = true;
    }
}

void cordi_io_before_fork(void)
{
    cordi_spin_lock(&table.lock, 1);
}

void cordi_io_after_fork(bool child)
{
    cordi_spin_unlock(&table.lock, 1);
    if (child)
        each_slot(forked, NULL);
}
