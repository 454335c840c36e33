/* rt/io_users.c - who closes a slot waits here for those who use it. No OS calls: tests/interleave drives this file and
 * handle.h through every schedule.
 *
 * INVARIANT. A closer that waits has put its node into `closer` under the spin bit, and found users there after that;
 * whoever takes the users to 0 while closing looks at `closer` under the same bit: so it finds the node, or the closer
 * finds no users. The last user touches the slot once more after it has left, when the slot may be another socket's
 * already, with a closer of its own: that one is woken for nothing, so a closer always looks again.
 */
#include "rt/io_slot.h"

#include "rt/handle.h"
#include "rt/io.h"
#include "rt/park.h"

struct cord_task *cordi_io_claim_closer(struct cordi_io *io)
{
    struct cordi_waiter *closer = io->closer;
    if (closer == NULL)
        return NULL;
    struct cord_task *task = closer->task;
    io->closer = NULL;
    return cordi_waiter_claim(closer) ? task : NULL;
}

void cordi_io_put(struct cordi_io *io)
{
    if (!cordi_handle_leave(&io->word))
        return;
    cordi_spin_lock(&io->bits, 1);
    struct cord_task *wake = cordi_io_claim_closer(io);
    cordi_spin_unlock(&io->bits, 1);
    if (wake != NULL)
        cordi_wake(wake);
}

void cordi_io_wait_for_users(struct cordi_io *io)
{
    while (!cordi_handle_empty(&io->word)) {
        struct cordi_waiter node;
        cordi_wait_begin(&node, CORDI_UNCANCELLABLE, "the last user of a socket");
        cordi_spin_lock(&io->bits, 1);
        bool wait = !cordi_handle_empty(&io->word);
        if (wait)
            io->closer = &node;
        cordi_spin_unlock(&io->bits, 1);
        if (wait)
            (void)cordi_park(CORD_FOREVER);
        else
            cordi_wait_abandon();
    }
}
