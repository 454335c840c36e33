/* serve/server_thread.c - kind thread: a thread that has handled its request waits a while for the next one.
 *
 * A job goes to the thread that became free last, whose caches are warm; only when none is free a thread is started.
 * A thread is in the list before its job counts as ended: so whoever may have the next one finds it there, and there
 * are never more threads than requests may be handled at one time. Who is not needed for some seconds ends. All under
 * the server's lock; a thread that was given a job takes the lock once more before it leaves the wait, because the
 * giver still touches the event on its stack until then.
 */
#include "serve/server_private.h"

#include "rt/park.h"

static const cord_span stays = 10 * CORD_SECOND;

struct waiting {
    struct cordi_list link;
    struct cordi_job *job; /* what it was given; then it is in no list */
    cord_event given;
};

/* Ends the one that is done. NULL: the thread is to end. */
static struct cordi_job *next_job(cord_server *server, struct cordi_job *done)
{
    struct waiting me = { 0 };
    cordi_list_init(&me.link);
    cordi_server_hold(server);
    cordi_list_append(server->threads.next, &me.link); /* in front */
    cordi_server_let_go(server);
    cordi_job_end(done);
    if (cordi_server_stopping(server) || cord_event_wait(&me.given, cord_in(stays)) < 0) {
        /* given or not is told by the job */
    }
    cordi_server_hold(server);
    cordi_list_remove(&me.link);
    cordi_server_let_go(server);
    return me.job;
}

static int work(void *arg)
{
    struct cordi_job *job = arg;
    cord_server *server = job->request.server;
    while (job) {
        cordi_job_do(job);
        job = next_job(server, job);
    }
    return 0;
}

int cordi_thread_give(struct cordi_job *job)
{
    cord_server *server = job->request.server;
    cordi_server_hold(server);
    struct cordi_list *first = cordi_list_take(&server->threads);
    if (first) {
        struct waiting *waiting = CORDI_ITEM(first, struct waiting, link);
        waiting->job = job;
        cord_event_set(&waiting->given);
    }
    cordi_server_let_go(server);
    return first ? 0 : cord_group_start(server->group, work, job, 0);
}
