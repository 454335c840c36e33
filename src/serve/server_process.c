/* serve/server_process.c - kind process: each request in a child of its own.
 *
 * The serving task forks, and the child has the connection with everything else; the parent closes its copy at once,
 * so that the peer sees the end when the child ends, however it does. A coroutine in the parent waits for the child
 * and tells how it ended. When the requests are cancelled a child is asked first, gets SIGTERM a second later and
 * SIGKILL another second later, so that no handler outlives its server.
 */
#include "serve/server_private.h"

#include <assert.h>
#include <errno.h>

#include "rt/park.h"

/* In the child. The listeners are closed first: a port must not stay taken because a handler is slow. */
static int handle_in_child(void *arg)
{
    struct cordi_job *job = *(struct cordi_job **)arg;
    cord_server *server = job->request.server;
    server->in_child = true;
    for (size_t i = 0; i < server->count; i++)
        if (server->listeners[i].socket.id != job->request.socket.id)
            cord_close(&server->listeners[i].socket);
    cord_close(&server->wake[0]);
    int rc = cordi_job_handle(job);
    return rc < 0 ? cordi_fail(rc, "%s", job->error) : 0;
}

static int end_child(void *arg)
{
    struct cordi_job *job = arg;
    cord_task_cancel(job->child);
    int rc = cord_task_join(job->child, cord_in(CORD_SECOND), NULL);
    if (rc < 0) {
        cord_task_terminate(job->child, CORD_SECOND);
        rc = cord_task_join(job->child, CORD_FOREVER, NULL);
    }
    return rc;
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
        cordi_job_failed(job, outcome.error);
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
        cordi_job_failed(job, cord_error_detail());
        cord_task_terminate(job->child, 0);
        cord_shield(end_child, job);
        cord_task_free(job->child);
        cordi_job_end(job);
    }
    return 0;
}
