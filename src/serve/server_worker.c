/* serve/server_worker.c - kind process: workers, child processes that handle one job after the other.
 *
 * A worker is a coroutine of the serving task's loop that keeps one child alive. The serving task gives a job to the
 * worker that became free last: over a pair of sockets goes an order, with the connection itself as a descriptor, and
 * back comes the handler's answer. So all limits are kept in one place, and when a child dies it is known which
 * connection it held. As many workers as there are CPUs stay; more are started while jobs wait, and leave when they
 * had none for some seconds. A child that died is replaced at once; one that died within a second of its start, after a
 * pause that doubles each time.
 * Rejected: children that all wait at the listeners (see server_private.h); a separate process that does nothing but
 * fork (one hop more for each stop, answer and death; a fork costs what the server's own memory costs).
 */
#include "serve/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cordage/stream.h>

#include "net/socket.h"
#include "rt/park.h"
#include "sys/fd.h"
#include "sys/proc.h"

static const cord_span stays = 10 * CORD_SECOND, short_life = CORD_SECOND;
static const cord_span first_pause = CORD_MILLISECOND, longest_pause = CORD_SECOND;

struct worker {
    struct cordi_list link;  /* of all */
    struct cordi_list ready; /* of those without a job */
    cord_server *server;
    cord_task *child;
    cord_task *watch;      /* waits for the child's end */
    cord_socket line;      /* to the child */
    struct cordi_job *job; /* what the child handles; NULL: none */
};

/* To the child, with the connection beside it, or the datagram's bytes behind. Where there are connections too, which
 * may last, the child has no listener of its own, and the datagram's comes beside it as well: a server that was killed
 * can be started again though a connection of it goes on. */
struct order {
    uint32_t listener; /* its number */
    bool truncated;
    size_t size; /* of the datagram */
    cord_address peer;
};

struct answer {
    int rc;
    char error[128];
};

union room_for_fd {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the child ---- */

static ssize_t receive(cord_socket line, struct order *order, int *fd)
{
    union room_for_fd room;
    struct iovec piece = { order, sizeof *order };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room };
    struct cordi_call call;
    int rc = cordi_socket_enter(&call, line, CORDI_READ, CORD_FOREVER);
    if (rc < 0)
        return rc;
    ssize_t n = cordi_socket_leave(&call, cordi_io_recvmsg(call.io, &message, MSG_CMSG_CLOEXEC, CORD_FOREVER));
    const struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    *fd = -1;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return n;
}

/* Its connection or its datagram becomes the job's. */
static int fetch(cord_socket line, struct cordi_job *job, int own_fd)
{
    struct cordi_socket *data;
    cord_request *request = &job->request;
    bool stream = job->listener->stream;
    const cord_address *name = stream && request->peer.length ? &request->peer : &job->listener->address;
    ssize_t n = stream ? 0 : cord_read_exact(line, (void *)(uintptr_t)request->data, request->size, CORD_FOREVER);
    if (n < 0)
        return (int)n;
    if (own_fd >= 0)
        return cordi_socket_open(&request->socket, &data, own_fd, name, !stream);
    if (request->server->streams)
        return cordi_fail(-EMFILE, "no descriptor is free in the worker process");
    request->socket = job->listener->socket;
    return 0;
}

static int handle_order(cord_server *server, cord_socket line, const struct order *order, int own_fd)
{
    struct answer answer = { 0 };
    struct cordi_job *job = cordi_job_new(server, &server->listeners[order->listener], order->size);
    if (!job)
        return -ENOMEM;
    job->request.peer = order->peer;
    job->request.truncated = order->truncated;
    answer.rc = fetch(line, job, own_fd);
    if (answer.rc < 0)
        snprintf(job->error, sizeof job->error, "%s", cordi_detail(answer.rc));
    else
        answer.rc = cordi_job_handle(job);
    memcpy(answer.error, job->error, sizeof answer.error);
    if (own_fd >= 0)
        cord_close(&job->request.socket);
    cordi_job_free(job);
    ssize_t n = cord_send_all(line, &answer, sizeof answer, CORD_FOREVER);
    return n < 0 ? (int)n : 0;
}

struct birth {
    cord_server *server;
    cord_socket ends[2]; /* the parent's, the child's */
    int parent;          /* its process */
};

/* Until the server ends, which its process tells: the line may have been copied to others that it forked. */
static int work(cord_server *server, cord_socket line, cord_socket parent)
{
    struct order order;
    int fd, rc = 0;
    while (rc >= 0 && cordi_server_await((cord_socket[]){ line, parent }, 2, CORD_FOREVER) == 0 &&
           receive(line, &order, &fd) == sizeof order)
        rc = handle_order(server, line, &order, fd);
    return rc == -EPIPE || rc == -ECONNRESET || rc == -ECANCELED ? 0 : rc; /* the server ends */
}

static int be_born(void *arg)
{
    struct birth *birth = arg;
    cord_server *server = birth->server;
    cord_socket parent;
    cord_close(&birth->ends[0]);
    for (struct cordi_list *at = server->workers.next; at != &server->workers; at = at->next)
        cord_close(&CORDI_ITEM(at, struct worker, link)->line);
    cordi_server_in_child(server, NULL);
    int fd = cordi_proc_pidfd(birth->parent);
    if (fd < 0)
        return fd == -ESRCH ? 0 : cordi_fail_code(fd, "server: a worker process");
    int rc = cord_adopt(&parent, fd);
    return rc < 0 ? rc : work(server, birth->ends[1], parent);
}

/* A child has a copy of each descriptor that is open when it is forked, of a connection in hand too: its peer would not
 * see the end. So a worker that begins lets the serving task finish what it has in hand. */
static int start_child(struct worker *me)
{
    cord_task_options how = {
        .kind = CORD_PROCESS, .stack_size = me->server->how.stack_size, .name = "server-worker", .sheltered = true
    };
    struct birth birth = { .server = me->server, .parent = cordi_proc_pid() };
    int rc = 0;
    while (rc == 0 && me->server->taking)
        rc = cord_yield();
    if (rc == 0)
        rc = cord_socket_pair(birth.ends, CORD_UNIX);
    if (rc < 0)
        return rc;
    rc = cord_task_start(&me->child, be_born, &birth, sizeof birth, &how);
    cord_close(&birth.ends[1]);
    if (rc < 0)
        cord_close(&birth.ends[0]);
    me->line = birth.ends[0];
    return rc;
}

/* A coroutine beside the worker's: the line of a child that has ended comes to its end, though a process that the
 * handler left behind may hold a copy of the child's side. What was sent before can still be read. */
static int watch(void *arg)
{
    struct worker *me = arg;
    if (cord_task_join(me->child, CORD_FOREVER, NULL) == 0 && cord_shutdown(me->line, SHUT_RDWR) < 0) {
        /* it is closed already */
    }
    return 0;
}

static int start_watch(struct worker *me)
{
    return cord_task_start(&me->watch, watch, me, 0, &(cord_task_options){ .name = "server-watch", .sheltered = true });
}

/* ---- the worker's coroutine ---- */

static void be_ready(struct worker *me)
{
    cordi_list_append(me->server->ready.next, &me->ready); /* in front */
    if (me->server->pending)
        cordi_server_wake(me->server);
}

static void end_job(struct cordi_job *job, int rc, const char *sentence)
{
    if (rc < 0 && rc != -ECANCELED) /* that is the server ending */
        cordi_job_failed(job, rc, sentence);
    cordi_job_end(job);
}

/* After the child's. In a shield. */
static int end_watch(void *arg)
{
    struct worker *me = arg;
    int rc = me->watch ? cord_task_join(me->watch, CORD_FOREVER, NULL) : 0;
    cord_task_free(me->watch);
    me->watch = NULL;
    return rc;
}

/* Takes answers until the child has ended (0), or is to: -ETIMEDOUT (it is not needed), -ECANCELED. */
static int attend(struct worker *me)
{
    struct answer answer;
    for (;;) {
        bool surplus = !me->job && me->server->worker_count > me->server->spare;
        ssize_t n = cord_read_exact(me->line, &answer, sizeof answer, surplus ? cord_in(stays) : CORD_FOREVER);
        if (n == -ETIMEDOUT && me->job) /* it was given one meanwhile */
            continue;
        if (n == -ETIMEDOUT || n == -ECANCELED)
            return (int)n;
        if (n != sizeof answer)
            return 0;
        struct cordi_job *job = me->job;
        me->job = NULL;
        be_ready(me); /* before the end of the job wakes the serving task */
        end_job(job, answer.rc, answer.error);
    }
}

static int end_child(void *arg)
{
    struct worker *me = arg;
    cord_outcome outcome;
    cord_close(&me->line); /* who waits for an order ends now */
    return cordi_child_end(me->child, &outcome);
}

/* The child has hung up, so that it has ended or is about to. */
static int bury(void *arg)
{
    struct worker *me = arg;
    cord_outcome outcome;
    cord_close(&me->line);
    int rc = cord_task_join(me->child, cord_in(CORD_SECOND), &outcome);
    if (rc < 0)
        rc = cordi_child_end(me->child, &outcome);
    const char *sentence = outcome.error[0] ? outcome.error : "the worker process ended in the middle of it";
    if (me->job)
        end_job(me->job, -EOWNERDEAD, sentence);
    else if (!me->server->how.quiet)
        cordi_log("server: a worker without a request died: %s", sentence);
    me->job = NULL;
    return rc;
}

/* Starts the child and takes its answers: as attend(), or why there is no child. */
static int live(struct worker *me)
{
    cord_server *server = me->server;
    int rc = start_child(me);
    if (rc < 0) {
        if (rc == -EMFILE || rc == -ENFILE)
            atomic_fetch_add(&server->paused, 1);
        return rc;
    }
    rc = start_watch(me);
    if (rc == 0) {
        be_ready(me);
        rc = attend(me);
        cordi_list_remove(&me->ready);
    }
    cord_shield(rc == 0 ? bury : end_child, me);
    cord_shield(end_watch, me);
    cord_task_free(me->child);
    atomic_fetch_add(&server->replaced, rc == 0);
    return rc;
}

/* Keeps a child alive until the server ends, or it is not needed any more. */
static int keep(void *arg)
{
    struct worker *me = arg;
    cord_server *server = me->server;
    cord_span pause = 0;
    int rc = 0;
    while (rc == 0 && (!cordi_server_stopping(server) || server->pending)) {
        int64_t born = cord_now();
        rc = live(me);
        bool again = rc == 0 || (rc != -ETIMEDOUT && rc != -ECANCELED && server->worker_count <= server->spare);
        if (rc < 0 && again && pause == 0)
            cordi_log("server: no worker process: %s; it is tried again", cordi_detail(rc));
        pause = cord_now() - born > short_life ? 0 : pause ? 2 * pause : first_pause;
        pause = pause < longest_pause ? pause : longest_pause;
        if (again)
            rc = pause ? cord_sleep(pause) : 0;
    }
    if (me->job)
        end_job(me->job, -ECANCELED, "");
    cordi_list_remove(&me->link);
    server->worker_count--;
    free(me);
    return 0;
}

/* ---- the serving task's ---- */

static int start_worker(cord_server *server)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return cordi_fail(-ENOMEM, "server: out of memory");
    worker->server = server;
    cordi_list_init(&worker->ready);
    cordi_list_append(&server->workers, &worker->link);
    int rc = cord_group_start(server->group, keep, worker, 0);
    if (rc < 0) {
        cordi_list_remove(&worker->link);
        free(worker);
    } else {
        server->worker_count++;
    }
    return rc;
}

int cordi_workers_start(cord_server *server)
{
    uint32_t cpus = (uint32_t)cordi_proc_cpus(), most = server->how.max_connections;
    int rc = 0;
    if (server->left < most)
        most = (uint32_t)server->left;
    server->spare = cpus < most ? cpus : most;
    while (rc == 0 && server->worker_count < server->spare)
        rc = start_worker(server);
    return rc;
}

static int send_order(const struct worker *worker, const struct cordi_job *job)
{
    const cord_request *request = &job->request;
    struct order order = { .listener = (uint32_t)(job->listener - request->server->listeners),
                           .truncated = request->truncated,
                           .size = request->size,
                           .peer = request->peer };
    union room_for_fd room = { .header = {
                                   .cmsg_len = CMSG_LEN(sizeof(int)),
                                   .cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS,
                               } };
    struct iovec piece = { &order, sizeof order };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    struct cordi_call call;
    if (request->server->streams) {
        int fd = cord_fileno(request->socket);
        if (fd < 0)
            return fd;
        memcpy(CMSG_DATA(&room.header), &fd, sizeof fd);
        message.msg_control = &room;
        message.msg_controllen = sizeof room;
    }
    int rc = cordi_socket_enter(&call, worker->line, CORDI_WRITE, CORD_FOREVER);
    ssize_t n = rc < 0 ? rc : cordi_socket_leave(&call, cordi_io_sendmsg(call.io, &message, 0, CORD_FOREVER));
    if (n > 0 && !job->listener->stream)
        n = cord_send_all(worker->line, request->data, request->size, CORD_FOREVER);
    return n < 0 ? (int)n : 0;
}

static int give(void *arg)
{
    struct cordi_job *job = arg;
    cord_server *server = job->request.server;
    struct cordi_list *first;
    while ((first = cordi_list_take(&server->ready))) {
        struct worker *worker = CORDI_ITEM(first, struct worker, ready);
        worker->job = job;
        int rc = send_order(worker, job);
        if (rc >= 0 && job->listener->stream)
            cord_close(&job->request.socket); /* so that the peer sees the end when the child makes it */
        if (rc >= 0)
            return 0;
        worker->job = NULL; /* it has just died, and its coroutine will see that */
    }
    int rc = server->worker_count < server->how.max_connections ? start_worker(server) : 0;
    return rc < 0 ? rc : cordi_fail(-EAGAIN, "server: no worker process is ready");
}

int cordi_worker_give(struct cordi_job *job)
{
    return cord_shield(give, job); /* half an order would be the worker's end */
}
