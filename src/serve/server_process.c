/* serve/server_process.c - kind process with .per_connection: each request in a child of its own.
 *
 * The serving task forks, and the child has the connection with everything else; the parent closes its copy at once,
 * so that the peer sees the end when the child ends, however it does. A coroutine in the parent waits for the child
 * and tells how it ended.
 */
#include "serve/server_private.h"

#include <assert.h>
#include <errno.h>

#include "rt/park.h"

void cordi_server_in_child(cord_server *server, const struct cordi_job *job)
{
    server->in_child = true;
    for (size_t i = 0; i < server->count; i++) { /* a port must not stay taken because a handler is slow */
        struct cordi_listener *listener = &server->listeners[i];
        if (job ? job->listener != listener || listener->stream : server->streams)
            cord_close(&listener->socket);
    }
    cord_close(&server->wake[0]);
    if (server->pending && server->pending != job && server->pending->listener->stream)
        cord_close(&server->pending->request.socket);
}

static int handle_in_child(void *arg)
{
    struct cordi_job *job = *(struct cordi_job **)arg;
    cordi_server_in_child(job->request.server, job);
    int rc = cordi_job_handle(job);
    return rc < 0 ? cordi_fail(rc, "%s", job->error) : 0;
}

int cordi_child_end(cord_task *child, cord_outcome *outcome)
{
    cord_task_cancel(child);
    int rc = cord_task_join(child, cord_in(CORD_SECOND), outcome);
    if (rc < 0) {
        cord_task_terminate(child, CORD_SECOND);
        rc = cord_task_join(child, CORD_FOREVER, outcome);
    }
    return rc;
}

static int end_child(void *arg)
{
    struct cordi_job *job = arg;
    cord_outcome outcome;
    return cordi_child_end(job->child, &outcome);
}

/* The job's task in the parent. */
static int watch(void *arg)
{
    struct cordi_job *job = arg;
    cord_outcome outcome;
    int rc = cord_task_join(job->child, CORD_FOREVER, &outcome);
    if (rc < 0) /* cancelled: the server ends */
        cord_shield(end_child, job);
    else if (outcome.how == CORD_FAILED || outcome.how == CORD_SIGNALED)
        cordi_job_failed(job, outcome.how == CORD_FAILED && outcome.value < 0 ? outcome.value : -EOWNERDEAD,
                         outcome.error);
    cord_task_free(job->child);
    cordi_job_end(job);
    return 0;
}

static int start_watch(void *arg)
{
    struct cordi_job *job = arg;
    return cord_group_start(job->request.server->group, watch, job, 0);
}

int cordi_server_fork(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    cord_task_options how = { .kind = CORD_PROCESS, .stack_size = server->how.stack_size, .sheltered = true };
    int rc = cord_task_start(&job->child, handle_in_child, &job, sizeof job, &how);
    if (rc < 0)
        return rc;
    if (!job->request.data)
        cord_close(&job->request.socket);
    rc = cord_shield(start_watch, job); /* the serving task may have been cancelled meanwhile */
    if (rc < 0) {                       /* no memory, and too late to try again: the child has begun */
        cordi_job_failed(job, rc, cord_error_detail());
        cord_task_terminate(job->child, 0);
        cord_shield(end_child, job);
        cord_task_free(job->child);
        cordi_job_end(job);
    }
    return 0;
}
