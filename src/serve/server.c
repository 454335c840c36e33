/* serve/server.c - servers: open, run, stop, close. server_private.h has the plan.
 *
 * Stopping is one number, the time at which requests under way are cancelled; each stop can only make it earlier. The
 * serving task sees it at its next turn and is woken for it. In kind serial the serving task is inside a handler, so
 * that a thread of its own keeps the time; it lives only between a stop with a grace and the end.
 * A server that was stopped stays stopped: run then answers 0 at once, so that a stop that comes early is not lost.
 */
#include <cordage/server.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cordage/option.h>
#include <cordage/run.h>

#include "rt/io.h"
#include "rt/offload.h"
#include "rt/park.h"
#include "serve/server_private.h"

void cordi_server_hold(cord_server *server)
{
    int rc = cord_lock_acquire(&server->lock, CORD_FOREVER);
    assert(rc >= 0);
    (void)rc;
}

void cordi_server_let_go(cord_server *server)
{
    cord_lock_release(&server->lock);
}

static uint32_t default_connections(cord_kind kind)
{
    switch (kind) {
    case CORD_COROUTINE:
        return 10000;
    case CORD_THREAD:
        return 256;
    case CORD_PROCESS:
        return 64;
    case CORD_SERIAL:
        break;
    }
    return 1;
}

static int read_options(cord_server *server, const cord_server_options *options)
{
    cord_server_options *how = &server->how;
    if (options)
        memcpy(how, options, options->size && options->size < sizeof *how ? options->size : sizeof *how);
    if ((unsigned)how->kind > CORD_SERIAL)
        return cordi_fail(-EINVAL, "server: no kind has number %d", (int)how->kind);
    if (how->idle < 0 || how->grace < 0)
        return cordi_fail(-EINVAL, "server: idle and grace are spans of 0 or more");
    if (!how->max_connections)
        how->max_connections = default_connections(how->kind);
    if (!how->max_datagram)
        how->max_datagram = 65507;
    return 0;
}

static int add_listener(cord_server *server, const char *address)
{
    struct cordi_listener *listener = &server->listeners[server->count];
    int64_t accepts = 0;
    int rc = cord_listen(&listener->socket, address, &server->how.listen);
    if (rc < 0)
        return rc;
    server->count++;
    rc = cord_local(listener->socket, &listener->address);
    if (rc == 0)
        rc = cord_option_get(listener->socket, CORD_LISTENING, &accepts);
    listener->stream = accepts;
    if (rc == 0 && !listener->stream && !server->batch) {
        server->batch = cordi_batch_new(&server->how);
        if (!server->batch)
            rc = cordi_fail(-ENOMEM, "%s: out of memory", address);
    }
    return rc;
}

static int open_all(cord_server *server, const char *address, const cord_server_options *options)
{
    int rc = read_options(server, options);
    if (rc < 0)
        return rc;
    const char *const *more = server->how.addresses;
    size_t count = address ? 1 : 0;
    for (size_t i = 0; more && more[i]; i++)
        count++;
    server->listeners = calloc(count + 1, sizeof *server->listeners);
    server->waits = calloc(count + 1, sizeof(struct cordi_io *));
    if (!server->listeners || !server->waits)
        return cordi_fail(-ENOMEM, "server: out of memory");
    if (!count)
        return cordi_fail(-EINVAL, "server: no address; write tcp:127.0.0.1:0 for a free port");
    if (count >= CORDI_IO_ANY) /* the wake pair is waited for too */
        return cordi_fail(-EINVAL, "server: %zu addresses; at most %d", count, CORDI_IO_ANY - 1);
    if (address)
        rc = add_listener(server, address);
    for (size_t i = 0; rc == 0 && more && more[i]; i++)
        rc = add_listener(server, more[i]);
    return rc < 0 ? rc : cord_socket_pair(server->wake, CORD_UNIX);
}

int cord_server_open(cord_server **ret, const char *address, cord_handle *handle, const cord_server_options *options)
{
    cord_server *server = calloc(1, sizeof *server);
    if (!server)
        return cordi_fail(-ENOMEM, "server: out of memory");
    server->handle = handle;
    int rc = open_all(server, address, options);
    if (rc < 0)
        cord_server_close(server);
    else
        *ret = server;
    return rc < 0 ? rc : 0;
}

void cord_server_close(cord_server *server)
{
    if (!server)
        return;
    assert(!server->group); /* it serves: stop it and let run return first */
    for (size_t i = 0; i < server->count; i++)
        cord_close(&server->listeners[i].socket);
    cord_close(&server->wake[0]);
    cord_close(&server->wake[1]);
    free(server->batch);
    free(server->waits);
    free(server->listeners);
    free(server);
}

/* In a shield: waits for the jobs, cancels what is left of them when the time is over. */
static int end_all(void *arg)
{
    cord_server *server = arg;
    cord_group *group = server->group;
    cordi_server_drain(server);
    cordi_server_hold(server);
    server->group = NULL;
    cordi_server_let_go(server);
    if (server->timekeeper) {
        cord_event_set(&server->keeper_wake);
        int rc = cord_task_join(server->timekeeper, CORD_FOREVER, NULL);
        assert(rc == 0);
        (void)rc;
        cord_task_free(server->timekeeper);
        server->timekeeper = NULL;
    }
    cord_group_cancel(group);
    return cord_group_join(group, CORD_FOREVER);
}

static int serve(void *arg)
{
    cord_server *server = arg;
    /* In kind process a job's task in this process is the coroutine that waits for the child. */
    cord_kind kind = server->how.kind == CORD_PROCESS ? CORD_COROUTINE : server->how.kind;
    cord_group_options how = { .task = { .kind = kind, .loop = CORD_LOOP_ANY, .sheltered = true }, .keep_going = true };
    cord_group *group;
    if (server->how.kind != CORD_PROCESS)
        how.task.stack_size = server->how.stack_size;
    int rc = cord_group_new(&group, &how);
    if (rc < 0)
        return rc;
    cordi_server_hold(server);
    server->group = group;
    cordi_server_let_go(server);
    for (size_t i = 0; server->how.ready && i < server->count; i++)
        server->how.ready(&server->listeners[i].address, server->how.state);
    rc = cordi_server_accept(server);
    if (rc < 0)
        cordi_server_shorten(server, server->how.grace);
    cord_shield(end_all, server);
    return rc;
}

int cord_server_run(cord_server *server)
{
    if (server->group)
        return cordi_fail(-EBUSY, "server: another task runs it already");
    if (cordi_server_stopping(server)) { /* before it began */
        cordi_server_refuse(server);
        return 0;
    }
    bool loop = server->how.kind == CORD_COROUTINE || server->how.kind == CORD_PROCESS;
    return loop && !cordi_must_offload() ? cord_run(serve, server, NULL) : serve(server);
}

int cord_serve(const char *address, cord_handle *handle, const cord_server_options *options)
{
    cord_server *server;
    int rc = cord_server_open(&server, address, handle, options);
    if (rc < 0)
        return rc;
    rc = cord_server_run(server);
    cord_server_close(server);
    return rc;
}

/* Under the lock. In kind serial the handler runs in the serving task, which a cancel would stay with for good. So
 * when the time is over its connection is shut down: what the handler waits for there ends. */
static void shut_running(cord_server *server)
{
    if (server->running.id && cord_shutdown(server->running, SHUT_RDWR) < 0) {
        /* the peer was faster */
    }
}

/* Kind serial: a thread that lives from a stop until the server has ended. */
static int keep_time(void *arg)
{
    cord_server *server = arg;
    for (bool over = false; !over;) {
        cord_event_clear(&server->keeper_wake);
        cord_deadline at = { atomic_load(&server->stop_at) };
        cordi_server_hold(server);
        over = !server->group || cord_left(at) == 0;
        if (over)
            shut_running(server);
        cordi_server_let_go(server);
        if (!over && cord_event_wait(&server->keeper_wake, at) == -ECANCELED)
            break;
    }
    return 0;
}

/* Under the lock. */
static void stop_serial(cord_server *server)
{
    cord_task_options how = { .kind = CORD_THREAD, .name = "server-timekeeper", .sheltered = true };
    if (cord_left((cord_deadline){ atomic_load(&server->stop_at) }) == 0)
        shut_running(server);
    else if (server->group && !server->timekeeper &&
             cord_task_start(&server->timekeeper, keep_time, server, 0, &how) < 0)
        shut_running(server);
    cord_event_set(&server->keeper_wake);
}

bool cordi_server_stopping(const cord_server *server)
{
    return atomic_load(&server->stop_at) != 0;
}

void cordi_server_shorten(cord_server *server, cord_span grace)
{
    int64_t at = grace > 0 ? cord_in(grace).at : cord_now();
    int64_t was = atomic_load(&server->stop_at);
    if (at == 0)
        at = INT64_MAX;
    while ((was == 0 || at < was) && !atomic_compare_exchange_weak(&server->stop_at, &was, at))
        ;
}

int cord_server_stop(cord_server *server, cord_span grace)
{
    if (grace < 0)
        grace = 0;
    if (server->in_child) {
        ssize_t rc = cord_send(server->wake[1], &(int64_t){ grace }, sizeof(int64_t), CORD_NOWAIT);
        return rc == -EPIPE ? cordi_fail(-EPIPE, "server: the process that serves has ended") : 0;
    }
    cordi_server_hold(server); /* so that run cannot return, and the server be closed, before this is done */
    cordi_server_shorten(server, grace);
    if (server->how.kind == CORD_SERIAL)
        stop_serial(server);
    cordi_server_wake(server);
    cordi_server_let_go(server);
    return 0;
}

int cord_server_address(const cord_server *server, size_t i, cord_address *ret)
{
    if (i >= server->count)
        return cordi_fail(-ENOENT, "server: no listener has number %zu; there are %zu", i, server->count);
    *ret = server->listeners[i].address;
    return 0;
}

void cord_server_stats(const cord_server *server, cord_server_counts *ret)
{
    /* ended is read first: it can only lag behind started. */
    uint64_t ended = atomic_load(&server->ended);
    *ret = (cord_server_counts){
        .accepted = atomic_load(&server->accepted),
        .active = atomic_load(&server->started) - ended,
        .failed = atomic_load(&server->failed),
        .paused = atomic_load(&server->paused),
    };
}

ssize_t cord_reply(cord_request *request, const void *buf, size_t size)
{
    if (!request->data)
        return cordi_fail(-EOPNOTSUPP, "cord_reply answers datagrams; on a connection use cord_send_all");
    if (!request->peer.length)
        return cordi_fail(-EDESTADDRREQ, "the sender has no address to reply to; it must bind one");
    return cord_send_to(request->socket, buf, size, &request->peer, CORD_FOREVER);
}
