/* cordage/server.h - servers: one handler, run in the kind you choose.
 *
 *   kind            a connection is handled by                       a handler that crashes takes with it
 *   CORD_COROUTINE  a coroutine, of whichever loop of the run        the server
 *   CORD_THREAD     a thread, kept for the next one                  the server
 *   CORD_PROCESS    a worker process, kept for the next one          its own connection
 *                   (.per_connection: a child of its own)
 *   CORD_SERIAL     the server's own task, one after the other       the server
 *
 * For stream listeners (tcp, unix) the handler runs once for each connection, with request->socket; the server closes
 * it afterwards. For datagram listeners (udp, unixgram) it runs once for each datagram, with request->data.
 * In a run of one loop, the default, handlers of kind coroutine need no lock for what they share; in one of several
 * (cord_run() with .loops) they are spread over these, and do. Callbacks then may come from any of them.
 * A worker process has the memory of the moment it was started, and what its handlers change stays in it: what workers
 * share is in shared memory (shared.h). One that dies is replaced, at once or, when it dies soon again, after a growing
 * pause (1 ms to 1 s).
 * From Python: socketserver's BaseServer, BaseRequestHandler and mixins. What it does better: no unbounded threads,
 * restart at once (SO_REUSEADDR), stop works from anywhere at once, no spinning at the limit of open files.
 */
#ifndef CORDAGE_SERVER_H
#define CORDAGE_SERVER_H

#include <cordage/socket.h>
#include <cordage/task.h>

CORD_BEGIN

typedef struct cord_server cord_server;

typedef struct {
    cord_socket socket;  /* the connection; for datagrams the server's socket */
    const void *data;    /* the datagram; NULL for connections */
    size_t size;         /* its bytes; may be 0 */
    bool truncated;      /* the datagram was longer than max_datagram */
    cord_address peer;   /* who */
    cord_address local;  /* the listener's address */
    cord_server *server; /* for cord_server_stop() */
    void *state;         /* the options' */
    void *user;          /* user_size zeroed bytes of this request's own; NULL if none were asked for */
} cord_request;

/* Answers >= 0, or -errno: the failure is logged with the peer and closes only this connection. */
typedef int cord_handle(cord_request *request);

typedef struct {
    uint32_t size;                /* 0: the layout of this version */
    cord_kind kind;               /* 0: CORD_COROUTINE */
    bool per_connection;          /* kind process: a new child for each request, as Python's ForkingMixIn */
    const char *const *addresses; /* more listeners, ended by NULL, 7 in all; they share the handler and the limits.
                                     "systemd:" stands for those that systemd passed, "systemd:NAME" for one of them */
    void *state;                  /* for the handler */
    cord_handle *setup;           /* before the handler, in its task; when it fails neither handle nor finish runs */
    cord_handle *finish;          /* after it, also when it failed */
    size_t user_size;             /* zeroed bytes for each request */
    size_t stack_size;            /* of each handler's task; 0: the kind's default */
    size_t max_datagram;          /* 0: 65507 */
    cord_listen_options listen;   /* for every listener */

    /* Limits. Who is refused is sent .refusal and closed. */
    uint32_t max_connections; /* requests handled at one time. 0: 10000 coroutines, 256 threads, 64 processes */
    uint32_t max_per_peer;    /* connections of one IP address (IPv6: one /64) at one time; 0: no bound */
    const char *refusal;      /* NULL: beyond max_connections they wait in the kernel's queue. Else they are refused at
                                 once, with this text or "" */
    cord_socket_limits limit; /* of each connection, from its accept: idle, first byte, stalled write, in all */
    cord_span grace;          /* how long a cancel lets requests finish before they are cancelled too; 0: not at all */

    /* Hooks. The first three run in the serving task and must not wait. */
    cord_handle *verify;                                     /* < 0: refuses the connection, drops the datagram */
    void (*idled)(cord_server *server, void *state);         /* no request came for .lull, and again after each */
    void (*ready)(const cord_address *address, void *state); /* once for each listener, when it accepts */
    void (*opened)(const cord_request *request);             /* a connection is handled now, in the handler's task */
    void (*closed)(const cord_request *request, int rc);     /* and its handler answered rc */
    void (*failed)(const cord_request *request, int rc, const char *sentence); /* in place of the line in the log; kind
                                                             process: in the serving process, also after a crash */
    cord_span lull;
    bool quiet;  /* do not log failed handlers */
    bool notify; /* tell systemd READY=1 when all listeners accept and STOPPING=1 at the stop (sd_notify(3)) */
} cord_server_options;

/* The short form: listens at `address`, serves until it is stopped, closes. 0 after cord_server_stop(); a cancel lets
 * requests finish for .grace and answers -ECANCELED. Any kind of task; a plain thread becomes the loop (run.h).
 * Fails: as cord_listen(), CORD_EADDRESS, -EINVAL (no address, or too many). */
CORD_API CORD_MUST_CHECK int cord_serve(const char *address, cord_handle *handle, const cord_server_options *options);

/* The same in steps. open listens (the port is known after it), run serves, close ends what is left. run_one takes one
 * request and waits until it was handled (Python: handle_request); the listeners stay, and it may be called again.
 * It also fails with -ETIMEDOUT: none came. */
CORD_API CORD_MUST_CHECK int cord_server_open(cord_server **ret, const char *address, cord_handle *handle,
                                              const cord_server_options *options);
CORD_API CORD_MUST_CHECK int cord_server_run(cord_server *server);
CORD_API CORD_MUST_CHECK int cord_server_run_one(cord_server *server, cord_deadline deadline);
CORD_API void cord_server_close(cord_server *server);

/* Makes run return: no new requests; those under way get `grace` to finish and are then cancelled (serial: the
 * connection is shut down; process: SIGTERM and SIGKILL follow, a second apart). At once, from any task, thread or
 * signal handler, also from a handler, in each kind; a later run answers 0 at once. Never waits. Answers 0; again: the
 * shorter grace counts. */
CORD_API int cord_server_stop(cord_server *server, cord_span grace);

/* The address of listener number i, in the order they were given, with the port that was picked. Fails: -ENOENT. */
CORD_API CORD_MUST_CHECK int cord_server_address(const cord_server *server, size_t i, cord_address *ret);

typedef struct {
    uint64_t accepted; /* connections and datagrams that were handled or are */
    uint64_t active;   /* handled now */
    uint64_t failed;   /* handlers that answered < 0 or died */
    uint64_t refused;  /* connections and datagrams that were not: by .verify, .max_per_peer or .refusal */
    uint64_t paused;   /* times accepting paused at the limit of open files */
    uint64_t replaced; /* worker processes that died and were started anew */
} cord_server_counts;

/* What it has done so far. Any thread. */
CORD_API void cord_server_stats(const cord_server *server, cord_server_counts *ret);

/* For datagram handlers: one datagram back to the peer. Fails: as cord_send_to(). */
CORD_API CORD_MUST_CHECK ssize_t cord_reply(cord_request *request, const void *buf, size_t size);

CORD_END

#endif
