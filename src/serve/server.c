/* serve/server.c - servers: run, stop, counts. server_private.h has the plan.
 *
 * Stopping is one number, the time at which requests under way are cancelled; each stop can only make it earlier. The
 * serving task sees it at its next turn and is woken for it, by a write that a signal handler may make. In kind serial
 * the serving task is inside a handler, so that a thread of its own keeps the time.
 * A server that was stopped stays stopped: run then answers 0 at once, so that a stop that comes early is not lost.
 */
#include <cordage/server.h>

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include <cordage/run.h>

#include "net/systemd.h"
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

/* In kind serial the handler runs in the serving task, which a cancel would stay with for good. So when the time is
 * over its connection is shut down: what the handler waits for there ends. Under the lock. */
static void shut_running(cord_server *server)
{
    if (server->running.id && cord_shutdown(server->running, SHUT_RDWR) < 0) {
        /* the peer was faster */
    }
}

/* Kind serial: a thread beside the serving task. */
static int keep_time(void *arg)
{
    cord_server *server = arg;
    for (bool over = false; !over;) {
        cord_event_clear(&server->keeper_wake);
        cord_deadline at = { atomic_load(&server->stop_at) };
        cordi_server_hold(server);
        over = !server->group || (at.at && cord_left(at) == 0);
        if (over)
            shut_running(server);
        cordi_server_let_go(server);
        if (!over && cord_event_wait(&server->keeper_wake, at) == -ECANCELED)
            break;
    }
    return 0;
}

static int start_timekeeper(cord_server *server)
{
    cord_task_options how = { .kind = CORD_THREAD, .name = "server-timekeeper", .sheltered = true };
    return cord_task_start(&server->timekeeper, keep_time, server, 0, &how);
}

static void end_timekeeper(cord_server *server)
{
    cord_event_set(&server->keeper_wake);
    int rc = cord_task_join(server->timekeeper, CORD_FOREVER, NULL);
    assert(rc == 0);
    (void)rc;
    cord_task_free(server->timekeeper);
    server->timekeeper = NULL;
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
    if (server->timekeeper)
        end_timekeeper(server);
    cord_group_cancel(group);
    return cord_group_join(group, CORD_FOREVER);
}

/* What serves beside the serving task, before the first request. */
static int start_helpers(cord_server *server)
{
    switch (server->how.kind) {
    case CORD_SERIAL:
        return start_timekeeper(server);
    case CORD_PROCESS:
        return server->how.per_connection ? 0 : cordi_workers_start(server);
    case CORD_COROUTINE:
    case CORD_THREAD:
        break;
    }
    return 0;
}

static int start_group(cord_server *server)
{
    /* In kind process a job's task in this process is the coroutine that waits for the child; all of them are on the
     * serving task's loop, so that what they share needs no lock. */
    bool process = server->how.kind == CORD_PROCESS;
    cord_group_options how = { .task = { .kind = process ? CORD_COROUTINE : server->how.kind,
                                         .loop = process ? CORD_LOOP_HERE : CORD_LOOP_ANY,
                                         .stack_size = process ? 0 : server->how.stack_size,
                                         .sheltered = true },
                               .keep_going = true };
    cord_group *group;
    int rc = cord_group_new(&group, &how);
    if (rc < 0)
        return rc;
    cordi_server_hold(server);
    server->group = group;
    cordi_server_let_go(server);
    return 0;
}

static void notify(const cord_server *server, const char *state)
{
    if (server->how.notify && cordi_systemd_notify(state) < 0)
        cordi_log("%s", cord_error_detail());
}

static int serve(void *arg)
{
    cord_server *server = arg;
    int rc = start_group(server);
    if (rc < 0)
        return rc;
    rc = start_helpers(server);
    for (size_t i = 0; rc == 0 && server->how.ready && i < server->count; i++)
        server->how.ready(&server->listeners[i].address, server->how.state);
    if (rc == 0) {
        notify(server, "READY=1");
        rc = cordi_server_accept(server);
    }
    if (rc < 0 && rc != -ETIMEDOUT && rc != -EAGAIN)
        cordi_server_shorten(server, server->how.grace);
    if (cordi_server_stopping(server))
        notify(server, "STOPPING=1");
    cord_shield(end_all, server);
    return rc;
}

static int run(cord_server *server, uint64_t requests, cord_deadline until)
{
    if (server->group)
        return cordi_fail(-EBUSY, "server: another task runs it already");
    if (cordi_server_stopping(server)) { /* before it began */
        cordi_server_refuse(server);
        return 0;
    }
    server->left = requests;
    server->until = until;
    bool loop = server->how.kind == CORD_COROUTINE || server->how.kind == CORD_PROCESS;
    return loop && !cordi_must_offload() ? cord_run(serve, server, NULL) : serve(server);
}

int cord_server_run(cord_server *server)
{
    return run(server, UINT64_MAX, CORD_FOREVER);
}

int cord_server_run_one(cord_server *server, cord_deadline deadline)
{
    return run(server, 1, deadline);
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
    if (server->in_child)
        return cordi_server_post(server, grace) == -EPIPE ? -EPIPE : 0;
    atomic_fetch_add(&server->stops, 1); /* close waits for it: run may return at any time from here on */
    cordi_server_shorten(server, grace);
    if (server->how.kind == CORD_SERIAL)
        cord_event_set(&server->keeper_wake);
    cordi_server_wake(server);
    atomic_fetch_sub(&server->stops, 1);
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
        .refused = atomic_load(&server->refused),
        .paused = atomic_load(&server->paused),
        .replaced = atomic_load(&server->replaced),
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
