/* serve/server_private.h - what the files of the server share.
 *
 * One task serves: the caller of cord_server_run(). It accepts from all listeners, hands each connection or datagram as
 * a job to a task of the chosen kind, and waits in one place for what comes next: a listener that is ready, or a word
 * through the wake pair. Stop and the end of a job come that way, and a stop from a child process does too. One task
 * per listener was rejected: it needs a lock around the limits, and kind serial would run in a task nobody asked for.
 *
 *   server.c          open, run, stop, close
 *   server_accept.c   the loop: limits, pauses, waiting, draining
 *   server_datagram.c datagrams become jobs
 *   server_job.c      one request from start to end, in any kind
 *   server_process.c  kind process: the child, and the coroutine that waits for it
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

struct cordi_io;

struct cordi_listener {
    cord_socket socket;
    cord_address address; /* with the port that was picked */
    bool stream;          /* accepts connections; else it receives datagrams */
};

/* One request under way. Behind it lie the handler's user bytes and the datagram. */
struct cordi_job {
    _Alignas(max_align_t) cord_request request;
    cord_task *child; /* kind process: who handles it */
    char error[128];  /* the sentence of its failure */
    bool copied;      /* a task's own copy, which ends with the task */
};

struct cord_server {
    cord_handle *handle;
    cord_server_options how; /* the caller's, with the defaults filled in */
    struct cordi_listener *listeners;
    size_t count;              /* of listeners */
    struct cordi_io **waits;   /* room for the wait: count + 1 */
    struct cordi_batch *batch; /* received datagrams; NULL without a datagram listener */
    cord_socket wake[2];       /* a stream of 8-byte words: written to [1], read by the serving task from [0] */
    struct cordi_job *pending; /* accepted, but no task could be started for it yet */
    bool in_child;             /* this copy of the server belongs to a child process */

    _Atomic int64_t stop_at;  /* 0: nobody said stop; else when requests under way are cancelled */
    _Atomic uint64_t started; /* jobs; written by the serving task only */
    _Atomic uint64_t ended;   /* jobs; started - ended are under way */
    _Atomic uint64_t accepted, failed, paused;
    _Atomic bool waiting; /* the serving task wants to be woken at the next end of a job */
    _Atomic bool poked;   /* a word to wake it is on its way */

    cord_lock lock;         /* guards what follows */
    cord_group *group;      /* the jobs' tasks; NULL when it does not serve */
    cord_socket running;    /* kind serial: the connection that is handled now */
    cord_task *timekeeper;  /* kind serial: shuts it down when the grace is over */
    cord_event keeper_wake; /* for the timekeeper: look again */
};

/* Words through the wake pair: a span >= 0 is a stop with that grace. */
enum { CORDI_SERVER_POKE = -1 };

void cordi_server_hold(cord_server *server); /* the lock */
void cordi_server_let_go(cord_server *server);
bool cordi_server_stopping(const cord_server *server);
void cordi_server_shorten(cord_server *server, cord_span grace); /* sets or shortens the time until stop_at */
void cordi_server_wake(cord_server *server);                     /* the serving task looks again; never waits long */

/* Serves until it is stopped: 0; -ECANCELED, or the failure of a listener. */
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

/* NULL when there is no memory. */
struct cordi_job *cordi_job_new(cord_server *server, const struct cordi_listener *listener, size_t data_size);

/* Starts a task for it, which owns it from then on (serial: it has ended when this returns). */
int cordi_job_start(struct cordi_job *job);

/* Setup, handler, finish, close; the handler's answer, 0 if it was positive, and its sentence in job->error. */
int cordi_job_handle(struct cordi_job *job);

/* Counts and logs a failure. */
void cordi_job_failed(struct cordi_job *job, const char *sentence);

/* Closes what the job has and frees it; end also counts it as ended and lets the serving task know. */
void cordi_job_free(struct cordi_job *job);
void cordi_job_end(struct cordi_job *job);

/* Kind process: cordi_job_start()'s part. */
int cordi_server_fork(struct cordi_job *job);

#endif
