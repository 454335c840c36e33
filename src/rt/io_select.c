/* rt/io_select.c - descriptors among the several things of one wait; see io.h and net/select.c.
 *
 * What ends the wait here is a hint, as for every reader: who waits looks again. So an event may be used up although
 * another thing of the same wait was faster, and nobody is told of it: then the next read must not wait for an edge
 * first, and `drained` is off from the first look on.
 */
#include "rt/io.h"

#include <assert.h>
#include <errno.h>

#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/fd.h"

static short events_of(enum cordi_direction direction)
{
    return direction == CORDI_READ ? POLLIN | POLLRDHUP : POLLOUT;
}

int cordi_io_turn_list(struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
{
    struct cordi_direction_state *d = &io->direction[direction];
    int rc = -EAGAIN;
    cordi_spin_lock(&io->bits, 1);
    if (atomic_exchange(&d->turn, TURN_WANTED) == TURN_FREE)
        rc = 0;
    else if (cordi_handle_closing(&io->word))
        rc = -EBADF;
    else
        cordi_list_append(&d->queue, &node->link);
    cordi_spin_unlock(&io->bits, 1);
    return rc;
}

void cordi_io_turn_unlist(struct cordi_io *io, struct cordi_waiter *node)
{
    cordi_spin_lock(&io->bits, 1);
    cordi_list_remove(&node->link);
    cordi_spin_unlock(&io->bits, 1);
}

int cordi_io_look(struct cordi_io *io, enum cordi_direction direction)
{
    struct pollfd poll = { .fd = io->fd, .events = events_of(direction) };
    io->direction[direction].drained = false;
    if (cordi_handle_closing(&io->word))
        return -EBADF;
    return cordi_fd_poll(&poll, 1, -1) > 0 ? 0 : -EAGAIN;
}

int cordi_io_park(const struct cordi_io_watch *watches, unsigned count, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    struct pollfd fds[CORDI_IO_WATCHES + 1];
    assert(count <= CORDI_IO_WATCHES);
    if (count == 0 || (self->loop == NULL && cordi_wait_over(self)))
        return cordi_park(deadline);
    if (self->loop != NULL) {
        self->loop->outside++;
        int rc = cordi_park(deadline);
        self->loop->outside--;
        return rc;
    }
    (void)cordi_thread_wake_fd(self); /* without one it looks from time to time */
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){ .fd = watches[i].io->fd, .events = events_of(watches[i].direction) };
    return cordi_thread_park(self, fds, count, deadline) ? 1 : cordi_wait_result(self);
}
