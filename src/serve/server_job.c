/* serve/server_job.c - one request from start to end, in any kind.
 *
 * The order is that of Python's socketserver: setup, handle, finish; finish also after a handle that failed, neither
 * after a setup that failed. Then the connection is shut down and closed: the shutdown lets the peer see the end also
 * where a child process of the program holds a copy of the descriptor.
 */
#include "serve/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "rt/park.h"

struct cordi_job *cordi_job_new(cord_server *server, const struct cordi_listener *listener, size_t data_size)
{
    struct cordi_job *job = calloc(1, sizeof *job + server->how.user_size + data_size + 1);
    if (!job)
        return NULL;
    char *behind = (char *)(job + 1);
    cord_request *request = &job->request;
    job->listener = listener;
    request->local = listener->address;
    request->server = server;
    request->state = server->how.state;
    if (server->how.user_size)
        request->user = behind;
    if (!listener->stream) {
        request->data = behind + server->how.user_size;
        request->size = data_size;
    }
    return job;
}

void cordi_job_free(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    if (!job->request.data)
        cord_close(&job->request.socket);
    if (job->counted) {
        cordi_server_hold(server);
        cordi_peers_leave(server->peers, &job->request.peer);
        cordi_server_let_go(server);
    }
    if (!job->copied)
        free(job);
}

void cordi_job_end(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    cordi_job_free(job);
    atomic_fetch_add(&server->ended, 1);
    if (atomic_exchange(&server->waiting, false))
        cordi_server_wake(server);
}

void cordi_job_failed(struct cordi_job *job, int rc, const char *sentence)
{
    const cord_request *request = &job->request;
    const cord_server_options *how = &request->server->how;
    char peer[CORD_ADDRESS_TEXT], local[CORD_ADDRESS_TEXT];
    atomic_fetch_add(&request->server->failed, 1);
    if (how->failed) {
        how->failed(request, rc, sentence);
        return;
    }
    if (how->quiet)
        return;
    cord_address_text(&request->local, local, sizeof local);
    if (request->peer.length)
        cord_address_text(&request->peer, peer, sizeof peer);
    else
        snprintf(peer, sizeof peer, "an unnamed peer");
    cordi_log("%s: request from %s failed: %s", local, peer, sentence);
}

static void note_failure(struct cordi_job *job, int rc)
{
    snprintf(job->error, sizeof job->error, "%s", cordi_detail(rc));
}

static int set_limits(cord_socket socket, const cord_socket_limits *limit)
{
    bool any = limit->idle || limit->first || limit->stalled || limit->whole;
    return any ? cord_socket_limit(socket, limit) : 0;
}

/* Setup, handler, finish, as far as they are to run. */
static int call_all(struct cordi_job *job)
{
    cord_request *request = &job->request;
    const cord_server_options *how = &request->server->how;
    int rc = how->setup ? how->setup(request) : 0;
    if (rc < 0) {
        note_failure(job, rc);
        return rc;
    }
    rc = request->server->handle ? request->server->handle(request) : 0;
    if (rc < 0)
        note_failure(job, rc);
    int end = how->finish ? how->finish(request) : 0;
    if (rc >= 0 && end < 0) {
        rc = end;
        note_failure(job, rc);
    }
    return rc;
}

int cordi_job_handle(struct cordi_job *job)
{
    cord_request *request = &job->request;
    const cord_server_options *how = &request->server->how;
    bool connection = !request->data;
    int rc = connection ? set_limits(request->socket, &how->limit) : 0;
    if (connection && how->opened)
        how->opened(request);
    if (rc < 0)
        note_failure(job, rc);
    else
        rc = call_all(job);
    if (connection && how->closed)
        how->closed(request, rc);
    if (connection && cord_shutdown(request->socket, SHUT_WR) < 0) {
        /* The peer was faster, or the handler closed it; the close below is what counts. */
    }
    if (connection)
        cord_close(&request->socket);
    return rc < 0 ? rc : 0;
}

void cordi_job_do(struct cordi_job *job)
{
    int rc = cordi_job_handle(job);
    if (rc < 0 && rc != -ECANCELED) /* that is the server ending */
        cordi_job_failed(job, rc, job->error);
}

int cordi_job_run(void *arg)
{
    struct cordi_job *job = arg;
    if (job->copied && job->request.user)
        job->request.user = job + 1;
    cordi_job_do(job);
    cordi_job_end(job);
    return 0;
}

/* False: a stop came first, and nobody would see to it that this request ends. */
static bool note_running(cord_server *server, cord_socket socket)
{
    cordi_server_hold(server);
    server->running = socket;
    bool go = !cordi_server_stopping(server);
    cordi_server_let_go(server);
    return go;
}

static void run_serial(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    if (note_running(server, job->request.data ? (cord_socket){ 0 } : job->request.socket))
        cordi_job_run(job);
    else
        cordi_job_end(job);
    note_running(server, (cord_socket){ 0 });
}

static int start(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    switch (server->how.kind) {
    case CORD_SERIAL:
        run_serial(job);
        return 0;
    case CORD_THREAD:
        return cordi_thread_give(job);
    case CORD_PROCESS:
        return server->how.per_connection ? cordi_server_fork(job) : cordi_worker_give(job);
    case CORD_COROUTINE:
        break;
    }
    if (job->request.data)
        return cord_group_start(server->group, cordi_job_run, job, 0);
    job->copied = true; /* into the task's own memory, so that a connection needs no other beside */
    int rc = cord_group_start(server->group, cordi_job_run, job, sizeof *job + server->how.user_size);
    job->copied = false;
    if (rc >= 0)
        free(job);
    return rc;
}

int cordi_job_start(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    atomic_fetch_add(&server->started, 1);
    atomic_fetch_add(&server->accepted, 1);
    int rc = start(job);
    if (rc >= 0) {
        server->left--;
        return 0;
    }
    atomic_fetch_sub(&server->accepted, 1);
    /* No memory, files, threads or processes for it: it waits until a job of ours has ended, or a worker is ready. */
    uint64_t others = atomic_fetch_sub(&server->started, 1) - 1 - atomic_load(&server->ended);
    if (others || rc == -ECANCELED || server->worker_count) {
        server->pending = job;
        return rc;
    }
    note_failure(job, rc);
    cordi_job_failed(job, rc, job->error);
    cordi_job_free(job);
    return rc;
}
