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
#include "sys/fd.h"

enum { BURST = 16, REFUSED_BURST = 256 };

static const cord_span pause_span = 100 * CORD_MILLISECOND;

/* Words never fill the pair: one at a time is ours, and a child's that finds it full was not the first. */
int cordi_server_post(cord_server *server, int64_t word)
{
    return cordi_fd_post(server->wake_fd, &word, sizeof word);
}

void cordi_server_wake(cord_server *server)
{
    if (!atomic_exchange(&server->poked, true) && cordi_server_post(server, CORDI_SERVER_POKE) < 0) {
        /* it is about to look anyway */
    }
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

int cordi_server_await(const cord_socket *sockets, int count, cord_deadline deadline)
{
    struct cordi_io *waits[CORDI_IO_ANY];
    int entered = 0, rc = 0;
    while (entered < count && (rc = enter(&waits[entered], sockets[entered])) >= 0)
        entered++;
    if (rc >= 0 && deadline.at == CORD_NOWAIT.at)
        rc = cordi_fail(-EAGAIN, "server: no request is there");
    else if (rc >= 0)
        rc = cordi_io_wait_any(waits, count, CORDI_READ, deadline);
    while (entered--) {
        cordi_io_turn_end(waits[entered], CORDI_READ);
        cordi_io_put(waits[entered]);
    }
    return rc;
}

/* Which listeners are worth a look: without room only those whose connections are refused. */
static bool is_open(const cord_server *server, const struct cordi_listener *listener, uint32_t room)
{
    return room > 0 || (listener->stream && server->how.refusal);
}

/* Waits for the wake pair and, if asked, the listeners. 0, -ETIMEDOUT, -EAGAIN, -ECANCELED, -EBADF. */
static int await_any(cord_server *server, bool listeners, uint32_t room, cord_deadline deadline)
{
    cord_socket sockets[CORDI_IO_ANY] = { server->wake[0] };
    int count = 1;
    for (size_t i = 0; listeners && i < server->count; i++)
        if (is_open(server, &server->listeners[i], room))
            sockets[count++] = server->listeners[i].socket;
    int rc = cordi_server_await(sockets, count, deadline);
    return rc < 0 ? rc : 0;
}

/* Waits for a stop, for a listener (if asked), and where there is no room for the end of a job after the first `seen`.
 */
static int await(cord_server *server, bool listeners, uint32_t room, uint64_t seen, cord_deadline deadline)
{
    bool for_end = !listeners || room == 0;
    atomic_store(&server->waiting, for_end);
    int rc = 0;
    if (!for_end || atomic_load(&server->ended) == seen)
        rc = await_any(server, listeners, room, deadline);
    atomic_store(&server->waiting, false);
    hear(server);
    return rc;
}

bool cordi_server_admit(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    if (server->peers && job->listener->stream) {
        cordi_server_hold(server);
        job->counted = cordi_peers_enter(server->peers, &job->request.peer, server->how.max_per_peer);
        cordi_server_let_go(server);
        if (!job->counted)
            return false;
    }
    return !server->how.verify || server->how.verify(&job->request) >= 0;
}

/* Tells a peer so; what it has sent is read away, because closing over it would take the refusal away from the peer. */
static void send_refusal(cord_socket socket, const char *text)
{
    char buf[4096];
    if (cord_send(socket, text, strlen(text), CORD_NOWAIT) < 0 || cord_shutdown(socket, SHUT_WR) < 0)
        return;
    for (int i = 0; i < 4 && cord_recv(socket, buf, sizeof buf, CORD_NOWAIT) > 0; i++) {
    }
}

void cordi_server_turn_away(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    const char *text = server->how.refusal;
    atomic_fetch_add(&server->refused, 1);
    if (text && text[0] && job->listener->stream)
        send_refusal(job->request.socket, text);
    cordi_job_free(job);
}

/* The rest answer 1 when they took a request, 0 when there was none. */
static int take_connection(cord_server *server, const struct cordi_listener *listener, uint32_t room)
{
    cord_socket socket;
    cord_address peer;
    int rc = cord_accept(listener->socket, &socket, &peer, CORD_NOWAIT);
    if (rc < 0)
        return rc == -EAGAIN ? 0 : rc;
    struct cordi_job *job = cordi_job_new(server, listener, 0);
    if (!job) {
        cord_close(&socket);
        return -ENOMEM;
    }
    job->request.socket = socket;
    job->request.peer = peer;
    if (room == 0 || !cordi_server_admit(job)) {
        cordi_server_turn_away(job);
        return 1;
    }
    rc = cordi_job_start(job);
    return rc < 0 ? rc : 1;
}

/* How many requests more may be handled; none before the one that waits for a task. */
static uint32_t room_for(const cord_server *server, uint64_t ended)
{
    if (server->pending)
        return 0;
    uint64_t active = atomic_load(&server->started) - ended, most = server->how.max_connections;
    uint64_t room = active < most ? most - active : 0;
    return (uint32_t)(room < server->left ? room : server->left);
}

/* The one that waits for a task. 1: it has one; 0: there was none, or no room. */
static int start_pending(cord_server *server)
{
    struct cordi_job *job = server->pending;
    server->pending = NULL;
    if (job && room_for(server, atomic_load(&server->ended)) == 0)
        server->pending = job;
    if (!job || server->pending)
        return 0;
    int rc = cordi_job_start(job);
    return rc < 0 ? rc : 1;
}

/* One connection, or one batch of datagrams, of each listener at most, so that a busy one does not shut out the others.
 * How many. */
static int take_round(cord_server *server)
{
    int taken = start_pending(server);
    if (taken < 0)
        return taken;
    int rc = cordi_batch_start(server, room_for(server, atomic_load(&server->ended)));
    for (size_t i = 0; rc >= 0 && i < server->count && !cordi_server_stopping(server) && server->left; i++) {
        const struct cordi_listener *listener = &server->listeners[i];
        taken += rc;
        uint32_t room = room_for(server, atomic_load(&server->ended));
        rc = 0;
        if (is_open(server, listener, room))
            rc = listener->stream ? take_connection(server, listener, room) : cordi_batch_take(server, listener, room);
    }
    return rc < 0 ? rc : taken + rc;
}

/* What cannot get better by waiting. */
static bool is_final(int rc)
{
    return rc == -ECANCELED || rc == -EBADF || rc == -EINVAL || rc == -EOPNOTSUPP || rc == -ENOTSOCK;
}

static cord_deadline next_lull(const cord_server *server)
{
    return server->how.idled && server->how.lull ? cord_in(server->how.lull) : CORD_FOREVER;
}

/* Nothing is there. -ETIMEDOUT: the one request that was waited for did not come. */
static int wait_for_more(cord_server *server, uint64_t seen, cord_deadline *lull)
{
    int rc = await(server, true, room_for(server, seen), seen, cordi_earlier(*lull, server->until));
    if (rc != -ETIMEDOUT)
        return rc;
    if (lull->at && cord_left(*lull) == 0) {
        server->how.idled(server, server->how.state);
        *lull = next_lull(server);
    }
    return server->until.at && cord_left(server->until) == 0 ? cordi_fail(rc, "server: no request came in time") : 0;
}

/* Requests that are taken before others run. Who refuses looks at all that wait before it lets handlers run: handlers
 * that only compute have ended when it looks again, and then there always seems to be room, whatever waited meanwhile.
 */
static unsigned burst_of(const cord_server *server)
{
    return server->how.refusal ? server->how.max_connections + REFUSED_BURST : BURST;
}

int cordi_server_accept(cord_server *server)
{
    unsigned taken = 0;
    cord_deadline lull = next_lull(server);
    while (!cordi_server_stopping(server) && server->left) {
        uint64_t seen = atomic_load(&server->ended);
        server->taking = true;
        int rc = take_round(server);
        server->taking = false;
        if (rc < 0 && !is_final(rc)) {
            if (rc == -EMFILE || rc == -ENFILE)
                atomic_fetch_add(&server->paused, 1);
            rc = await(server, false, 0, seen, cord_in(pause_span));
            if (rc == -ETIMEDOUT)
                rc = 0;
        } else if (rc == 0) {
            rc = wait_for_more(server, seen, &lull);
        } else if (rc > 0) {
            lull = next_lull(server);
            if ((taken += (unsigned)rc) >= burst_of(server)) {
                taken = 0;
                rc = cord_yield(); /* nothing above waits while requests keep coming */
            }
        }
        if (rc < 0)
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
    int rc = 0;
    if (cordi_server_stopping(server))
        cordi_server_refuse(server);
    while (rc >= 0 || rc == -ETIMEDOUT) {
        uint64_t seen = atomic_load(&server->ended);
        cord_deadline at = { atomic_load(&server->stop_at) };
        if (cord_left(at) == 0)
            break;
        if (start_pending(server) < 0 && server->pending) /* it was taken: it is served yet */
            at = cordi_earlier(at, cord_in(pause_span));
        if (!server->pending && atomic_load(&server->started) == seen)
            break;
        rc = await(server, false, 0, seen, at);
    }
    if (server->pending)
        cordi_job_free(server->pending);
    server->pending = NULL;
}
