/* serve/server_accept.c - the serving task's loop: take what is there, else wait in one place.
 *
 * A request is taken only when it may be handled (max_connections); until then it stays in the kernel's queue. At the
 * limit of open files accept fails at once and the listener stays ready, so that taking on would spin: the loop then
 * leaves the listeners alone until a job of ours has ended or 100 ms have passed (files of others may be closed too).
 */
#include "serve/server_private.h"

#include <errno.h>
#include <string.h>

#include "rt/io.h"
#include "rt/park.h"

enum { BURST = 16 /* requests that are taken before others run */ };

static const cord_span pause_span = 100 * CORD_MILLISECOND;

/* Waits for its turn at most: there is at most one word at a time of ours, and room for many. */
static int send_poke(void *arg)
{
    cord_server *server = arg;
    const int64_t word = CORDI_SERVER_POKE;
    return cord_send(server->wake[1], &word, sizeof word, CORD_FOREVER) < 0 ? -EPIPE : 0;
}

void cordi_server_wake(cord_server *server)
{
    if (!atomic_exchange(&server->poked, true))
        cord_shield(send_poke, server); /* also in a task that was cancelled */
}

/* Reads the words that came; a stop of a child is among them. What made somebody poke is looked at after it, so that a
 * poke which found `poked` still set is not lost. */
static void hear(cord_server *server)
{
    int64_t words[64];
    ssize_t n;
    while ((n = cord_recv(server->wake[0], words, sizeof words, CORD_NOWAIT)) > 0)
        for (size_t i = 0; i < (size_t)n / sizeof *words; i++)
            if (words[i] >= 0)
                cordi_server_shorten(server, words[i]);
    atomic_store(&server->poked, false);
}

static int enter(struct cordi_io **ret, cord_socket socket)
{
    struct cordi_io *io = cordi_io_get(socket.id);
    if (!io)
        return cordi_fail_code(-EBADF, "server: the listener");
    int rc = cordi_io_turn(io, CORDI_READ, CORD_FOREVER);
    if (rc < 0)
        cordi_io_put(io);
    else
        *ret = io;
    return rc;
}

/* Waits for the wake pair and, if asked, the listeners. 0, -ETIMEDOUT, -ECANCELED, -EBADF. */
static int await_any(cord_server *server, bool listeners, cord_deadline deadline)
{
    struct cordi_io **waits = server->waits;
    int count = 0, want = 1 + (listeners ? (int)server->count : 0);
    int rc = 0;
    while (count < want && rc >= 0) {
        rc = enter(&waits[count], count ? server->listeners[count - 1].socket : server->wake[0]);
        count += rc >= 0;
    }
    if (rc >= 0)
        rc = cordi_io_wait_any(waits, count, CORDI_READ, deadline);
    while (count--) {
        cordi_io_turn_end(waits[count], CORDI_READ);
        cordi_io_put(waits[count]);
    }
    return rc < 0 ? rc : 0;
}

/* Waits for a stop, for a listener (if asked) or else for the end of a job after the first `seen`. */
static int await(cord_server *server, bool listeners, uint64_t seen, cord_deadline deadline)
{
    atomic_store(&server->waiting, !listeners);
    int rc = 0;
    if (listeners || atomic_load(&server->ended) == seen)
        rc = await_any(server, listeners, deadline);
    atomic_store(&server->waiting, false);
    hear(server);
    return rc;
}

/* The rest answer 1 when they took a request, 0 when there was none. */
static int take_connection(cord_server *server, const struct cordi_listener *listener)
{
    cord_socket socket;
    cord_address peer;
    int rc = cord_accept(listener->socket, &socket, &peer, CORD_NOWAIT);
    if (rc < 0)
        return rc == -EAGAIN ? 0 : rc;
    atomic_fetch_add(&server->accepted, 1);
    struct cordi_job *job = cordi_job_new(server, listener, 0);
    if (!job) {
        cord_close(&socket);
        return -ENOMEM;
    }
    job->request.socket = socket;
    job->request.peer = peer;
    if (server->how.idle > 0 && cord_socket_timeout(socket, server->how.idle) < 0)
        cordi_log("%s", cord_error_detail());
    rc = cordi_job_start(job);
    return rc < 0 ? rc : 1;
}

/* How many requests more may be handled. */
static uint32_t room_for(const cord_server *server, uint64_t ended)
{
    uint64_t active = atomic_load(&server->started) - ended, most = server->how.max_connections;
    return active < most ? (uint32_t)(most - active) : 0;
}

/* One connection, or one batch of datagrams, of each listener at most, so that a busy one does not shut out the others.
 * How many. */
static int take_round(cord_server *server)
{
    int taken = 0;
    if (server->pending) {
        struct cordi_job *job = server->pending;
        server->pending = NULL;
        int rc = cordi_job_start(job);
        if (rc < 0)
            return rc;
        taken++;
    }
    int rc = cordi_batch_start(server, room_for(server, atomic_load(&server->ended)));
    for (size_t i = 0; rc >= 0 && i < server->count && !cordi_server_stopping(server); i++) {
        taken += rc;
        uint32_t room = room_for(server, atomic_load(&server->ended));
        if (room == 0)
            return taken;
        const struct cordi_listener *listener = &server->listeners[i];
        rc = listener->stream ? take_connection(server, listener) : cordi_batch_take(server, listener, room);
    }
    return rc < 0 ? rc : taken + rc;
}

/* What cannot get better by waiting. */
static bool is_final(int rc)
{
    return rc == -ECANCELED || rc == -EBADF || rc == -EINVAL || rc == -EOPNOTSUPP || rc == -ENOTSOCK;
}

int cordi_server_accept(cord_server *server)
{
    unsigned taken = 0;
    while (!cordi_server_stopping(server)) {
        uint64_t seen = atomic_load(&server->ended);
        bool room = room_for(server, seen) > 0;
        int rc = room ? take_round(server) : 0;
        if (rc < 0 && !is_final(rc)) {
            if (rc == -EMFILE || rc == -ENFILE)
                atomic_fetch_add(&server->paused, 1);
            rc = await(server, false, seen, cord_in(pause_span));
        } else if (rc == 0) {
            rc = await(server, room, seen, CORD_FOREVER);
        } else if (rc > 0 && (taken += (unsigned)rc) >= BURST) {
            taken = 0;
            rc = cord_yield(); /* nothing above waits while requests keep coming */
        }
        if (rc < 0 && rc != -ETIMEDOUT)
            return rc;
    }
    return 0;
}

void cordi_server_refuse(cord_server *server)
{
    for (size_t i = 0; i < server->count; i++)
        if (server->listeners[i].stream)
            cord_close(&server->listeners[i].socket);
}

void cordi_server_drain(cord_server *server)
{
    if (server->pending)
        cordi_job_free(server->pending);
    server->pending = NULL;
    cordi_server_refuse(server);
    for (;;) {
        uint64_t seen = atomic_load(&server->ended);
        cord_deadline at = { atomic_load(&server->stop_at) };
        if (atomic_load(&server->started) == seen || cord_left(at) == 0)
            return;
        int rc = await(server, false, seen, at);
        if (rc < 0 && rc != -ETIMEDOUT)
            return;
    }
}
