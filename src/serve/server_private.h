/* serve/server_private.h - what the files of the server share.
 *
 * One task serves: the caller of cord_server_run(). It accepts from all listeners, decides who is let in, hands each
 * connection or datagram as a job to a task of the chosen kind, and waits in one place for what comes next: a listener
 * that is ready, or a word through the wake pair. Stop and the end of a job come that way, and a stop from a child
 * process does too. One task per listener was rejected: it needs a lock around the limits, and kind serial would run
 * in a task nobody asked for. Workers that accept by themselves were rejected too: each would know only its own part
 * of the limits, and a handler's death would not be known by its peer.
 *
 *   server_open.c     options and listeners; close
 *   server.c          run, stop
 *   server_accept.c   the loop: limits, refusals, pauses, waiting, draining
 *   server_peers.c    how many connections each peer has
 *   server_datagram.c datagrams become jobs
 *   server_job.c      one request from start to end, in any kind
 *   server_thread.c   kind thread: threads that are kept
 *   server_worker.c   kind process: workers that are kept, and what goes to them and back
 *   server_process.c  kind process, .per_connection: a child for one job
 */
#ifndef CORDI_SERVE_SERVER_PRIVATE_H
#define CORDI_SERVE_SERVER_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/group.h>
#include <cordage/event.h>
#include <cordage/lock.h>
#include <cordage/server.h>

#include "base/list.h"
#include "rt/io.h"

struct cordi_peers;

enum { CORDI_LISTENERS = CORDI_IO_ANY - 1 }; /* the wake pair is waited for too */

struct cordi_listener {
    cord_socket socket;
    cord_address address; /* with the port that was picked */
    bool stream;          /* accepts connections; else it receives datagrams */
};

/* One request under way. Behind it lie the handler's user bytes and the datagram. */
struct cordi_job {
    _Alignas(max_align_t) cord_request request;
    const struct cordi_listener *listener;
    cord_task *child; /* .per_connection: who handles it */
    char error[128];  /* the sentence of its failure */
    bool copied;      /* a task's own copy, which ends with the task */
    bool counted;     /* among those of its peer */
};

struct cord_server {
    cord_handle *handle;
    cord_server_options how; /* the caller's, with the defaults filled in */
    struct cordi_listener listeners[CORDI_LISTENERS];
    size_t count;              /* of listeners */
    bool streams;              /* one of them accepts connections */
    struct cordi_batch *batch; /* received datagrams; NULL without a datagram listener */
    cord_socket wake[2];       /* a stream of 8-byte words: written to [1], read by the serving task from [0] */
    int wake_fd;               /* the descriptor of wake[1], for signal handlers */
    struct cordi_job *pending; /* accepted, but no task could be started for it yet */
    struct cordi_peers *peers; /* NULL without max_per_peer; under the lock */
    cord_deadline until;       /* of run_one: for the one request to come */
    uint64_t left;             /* requests that this run still takes */
    bool taking;               /* the serving task has a connection in hand: no worker is forked meanwhile */
    bool in_child;             /* this copy of the server belongs to a child process */

    _Atomic int64_t stop_at;  /* 0: nobody said stop; else when requests under way are cancelled */
    _Atomic uint32_t stops;   /* calls of stop under way */
    _Atomic uint64_t started; /* jobs; written by the serving task only */
    _Atomic uint64_t ended;   /* jobs; started - ended are under way */
    _Atomic uint64_t accepted, failed, refused, paused, replaced;
    _Atomic bool waiting; /* the serving task wants to be woken at the next end of a job */
    _Atomic bool poked;   /* a word to wake it is on its way */

    struct cordi_list workers, ready; /* kind process: all, and those without a job; the serving task's loop only */
    uint32_t worker_count, spare;     /* of workers; so many stay without a job */

    cord_lock lock;            /* guards what follows */
    cord_group *group;         /* the jobs' tasks; NULL when it does not serve */
    struct cordi_list threads; /* kind thread: those without a job, the last one that had one first */
    cord_socket running;       /* kind serial: the connection that is handled now */
    cord_task *timekeeper;     /* kind serial: shuts it down when the grace is over */
    cord_event keeper_wake;    /* for the timekeeper: look again */
};

/* Words through the wake pair: a span >= 0 is a stop with that grace. */
enum { CORDI_SERVER_POKE = -1 };

void cordi_server_hold(cord_server *server); /* the lock */
void cordi_server_let_go(cord_server *server);
bool cordi_server_stopping(const cord_server *server);
void cordi_server_shorten(cord_server *server, cord_span grace); /* sets or shortens the time until stop_at */
void cordi_server_wake(cord_server *server); /* the serving task looks again; never waits, async-signal-safe */
int cordi_server_post(cord_server *server, int64_t word); /* likewise. -EPIPE: nobody serves any more */

/* Waits until one of several sockets (at most CORDI_IO_ANY) is readable; which. -EAGAIN: CORD_NOWAIT. */
int cordi_server_await(const cord_socket *sockets, int count, cord_deadline deadline);

/* Serves until it is stopped or has taken what it was to take: 0; -ECANCELED, -ETIMEDOUT or -EAGAIN (the one request
 * did not come), or the failure of a listener. */
int cordi_server_accept(cord_server *server);

/* New clients are refused from here on. The datagram sockets stay: handlers reply with them. */
void cordi_server_refuse(cord_server *server);

/* Waits until all jobs have ended or the time to cancel them has come. */
void cordi_server_drain(cord_server *server);

/* Of datagrams: the serving task's. new: NULL when there is no memory. take receives from a listener when nothing is
 * left of the last batch; both start at most `room` jobs and answer how many. */
struct cordi_batch *cordi_batch_new(const cord_server_options *how);
int cordi_batch_start(cord_server *server, uint32_t room);
int cordi_batch_take(cord_server *server, const struct cordi_listener *listener, uint32_t room);

/* Whether a request is let in, by its peer's count and the verify hook; else it is told so, counted and freed. */
bool cordi_server_admit(struct cordi_job *job);
void cordi_server_turn_away(struct cordi_job *job);

/* Under the lock. enter: false when the peer has as many connections as it may, or there is no memory. */
int cordi_peers_new(struct cordi_peers **ret, uint32_t most);
void cordi_peers_free(struct cordi_peers *peers);
bool cordi_peers_enter(struct cordi_peers *peers, const cord_address *peer, uint32_t most);
void cordi_peers_leave(struct cordi_peers *peers, const cord_address *peer);

/* NULL when there is no memory. */
struct cordi_job *cordi_job_new(cord_server *server, const struct cordi_listener *listener, size_t data_size);

/* Starts a task for it, which owns it from then on (serial: it has ended when this returns). */
int cordi_job_start(struct cordi_job *job);

/* Setup, handler, finish, close; the handler's answer, 0 if it was positive, and its sentence in job->error. */
int cordi_job_handle(struct cordi_job *job);

/* Counts a failure and tells it: the failed hook, or else the log. */
void cordi_job_failed(struct cordi_job *job, int rc, const char *sentence);

/* Closes what the job has and frees it; end also counts it as ended and lets the serving task know. */
void cordi_job_free(struct cordi_job *job);
void cordi_job_end(struct cordi_job *job);

/* Handles it and tells its failure. */
void cordi_job_do(struct cordi_job *job);

/* The body of a task that owns the job: handles and ends it. */
int cordi_job_run(void *job);

/* cordi_job_start()'s parts. give: -EAGAIN while there is no worker for it. */
int cordi_thread_give(struct cordi_job *job);
int cordi_worker_give(struct cordi_job *job);
int cordi_server_fork(struct cordi_job *job);

/* Starts those that stay without a job. */
int cordi_workers_start(cord_server *server);

/* In the child, at its start: what only the parent uses is closed. Of connections job's stays; of datagram listeners
 * its own or, in a worker of a server without connections, all. */
void cordi_server_in_child(cord_server *server, const struct cordi_job *job);

/* Asks a child to end, then SIGTERM after a second and SIGKILL after another; how it ended is in *outcome. In a shield.
 */
int cordi_child_end(cord_task *child, cord_outcome *outcome);

#endif
