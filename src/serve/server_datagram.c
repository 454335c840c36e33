/* serve/server_datagram.c - datagrams become jobs: received in batches, handed out one by one.
 *
 * One kernel call takes what is there, up to 16 datagrams and never more than may be handled now (max_connections):
 * what cannot be handled stays in the kernel's queue. When a task cannot be started the rest of the batch waits here.
 * Of a train (options.listen.trains) each datagram is a job of its own. Measured with an echo in coroutines beside one
 * receive for each: CPU time of a datagram 0.89, speed 1.12.
 * Replies are not gathered: cord_reply() tells its caller whether the kernel took the datagram, and a handler that
 * waits for something else after it must not hold it back.
 */
#include "serve/server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/datagram.h>

#include "rt/park.h"

enum { BATCH = 16, DATAGRAM_MOST = 65507 };

struct cordi_batch {
    const struct cordi_listener *listener;
    int count, next; /* of list; those before next are handed out */
    size_t offset;   /* and of list[next], a train, so many bytes */
    cord_datagram list[BATCH];
    char bytes[]; /* their buffers; a page that nothing was received into takes no memory */
};

struct cordi_batch *cordi_batch_new(const cord_server_options *how)
{
    size_t room = how->listen.trains ? DATAGRAM_MOST : how->max_datagram;
    struct cordi_batch *batch = malloc(sizeof *batch + BATCH * room);
    if (!batch)
        return NULL;
    batch->count = batch->next = 0;
    batch->offset = 0;
    for (size_t i = 0; i < BATCH; i++)
        batch->list[i] = (cord_datagram){ .data = batch->bytes + i * room, .room = room };
    return batch;
}

/* The next datagram's job. */
static int start_next(cord_server *server)
{
    struct cordi_batch *batch = server->batch;
    const cord_datagram *this = &batch->list[batch->next];
    const char *data = (const char *)this->data + batch->offset;
    size_t size = this->size - batch->offset, most = server->how.max_datagram;
    if (this->segment < size)
        size = this->segment;
    batch->offset += size;
    if (batch->offset >= this->size) {
        batch->next++;
        batch->offset = 0;
    }
    size_t kept = size < most ? size : most;
    struct cordi_job *job = cordi_job_new(server, batch->listener, kept);
    if (!job)
        return -ENOMEM;
    if (kept > 0)
        memcpy((void *)(uintptr_t)job->request.data, data, kept);
    job->request.socket = batch->listener->socket;
    job->request.peer = this->peer;
    job->request.truncated = this->truncated || kept < size;
    if (!cordi_server_admit(job)) {
        cordi_server_turn_away(job);
        return 0;
    }
    return cordi_job_start(job);
}

int cordi_batch_start(cord_server *server, uint32_t room)
{
    struct cordi_batch *batch = server->batch;
    int started = 0;
    for (; batch && batch->next < batch->count && room > 0 && !cordi_server_stopping(server); started++, room--) {
        int rc = start_next(server);
        if (rc < 0)
            return rc;
    }
    return started;
}

int cordi_batch_take(cord_server *server, const struct cordi_listener *listener, uint32_t room)
{
    struct cordi_batch *batch = server->batch;
    if (batch->next < batch->count)
        return cordi_batch_start(server, room);
    int n = cord_recv_many(listener->socket, batch->list, room < BATCH ? room : BATCH, CORD_NOWAIT);
    if (n == -ECONNREFUSED) /* an earlier reply did not arrive */
        return 1;
    if (n <= 0)
        return n == -EAGAIN ? 0 : n;
    batch->listener = listener;
    batch->next = 0;
    batch->count = n;
    return cordi_batch_start(server, room);
}
