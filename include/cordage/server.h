/* cordage/server.h - servers: one handler, run in the kind you choose.
 *
 *   kind            a connection is handled by                     a handler that crashes takes with it
 *   CORD_COROUTINE  a coroutine, of whichever loop of the run      the server
 *   CORD_THREAD     a thread                                       the server
 *   CORD_PROCESS    a child process; memory changes stay in it     its own connection
 *   CORD_SERIAL     the server's own task, one after the other     the server
 *
 * For stream listeners (tcp, unix) the handler runs once for each connection, with request->socket; the server closes
 * it afterwards. For datagram listeners (udp, unixgram) it runs once for each datagram, with request->data.
 * In a run of one loop, the default, handlers of kind coroutine need no lock for what they share; in one of several
 * (cord_run() with .loops) they are spread over these, and do. The callbacks below may then come from any of them.
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
    const char *const *addresses; /* more listeners, ended by NULL, 7 in all; they share the handler and the limits */
    void *state;                  /* for the handler */
    cord_handle *setup;           /* before the handler, in its task; when it fails neither handle nor finish runs */
    cord_handle *finish;          /* after it, also when it failed */
    size_t user_size;             /* zeroed bytes for each request */
    uint32_t max_connections;     /* requests handled at one time; further ones wait in the kernel's queue.
                                     0: 10000 coroutines, 256 threads, 64 processes */
    cord_span idle;               /* a call with CORD_FOREVER on a connection waits this long at most; 0: for ever */
    cord_span grace;     /* how long a cancel lets requests finish before they are cancelled too; 0: not at all */
    size_t max_datagram; /* 0: 65507 */
    size_t stack_size;   /* of each handler's task; 0: the kind's default */
    cord_listen_options listen;                              /* for every listener */
    bool quiet;                                              /* do not log failed handlers */
    void (*ready)(const cord_address *address, void *state); /* once for each listener, when it accepts */
    void (*opened)(const cord_request *request);             /* a connection was accepted, in the handler's task */
    void (*closed)(const cord_request *request, int rc);     /* and its handler answered rc */
} cord_server_options;

/* The short form: listens at `address`, serves until it is stopped, closes. 0 after cord_server_stop(); a cancel lets
 * requests finish for .grace and answers -ECANCELED. Any kind of task; a plain thread becomes the loop (run.h).
 * Fails: as cord_listen(), CORD_EADDRESS, -EINVAL (no address, or too many). */
CORD_API CORD_MUST_CHECK int cord_serve(const char *address, cord_handle *handle, const cord_server_options *options);

/* The same in steps. open listens (the port is known after it), run serves, close ends what is left. */
CORD_API CORD_MUST_CHECK int cord_server_open(cord_server **ret, const char *address, cord_handle *handle,
                                              const cord_server_options *options);
CORD_API CORD_MUST_CHECK int cord_server_run(cord_server *server);
CORD_API void cord_server_close(cord_server *server);

/* Makes run return: no new requests; those under way get `grace` to finish and are then cancelled (serial: the
 * connection is shut down; process: SIGTERM and SIGKILL follow, a second apart). At once, from any task or thread, also
 * from a handler, in each kind; a later run answers 0 at once. Never waits. Answers 0; again: the shorter grace counts.
 */
CORD_API int cord_server_stop(cord_server *server, cord_span grace);

/* The address of listener number i, in the order they were given, with the port that was picked. Fails: -ENOENT. */
CORD_API CORD_MUST_CHECK int cord_server_address(const cord_server *server, size_t i, cord_address *ret);

typedef struct {
    uint64_t accepted; /* connections and datagrams taken */
    uint64_t active;   /* handled now */
    uint64_t failed;   /* handlers that answered < 0 or died */
    uint64_t paused;   /* times accepting paused at the limit of open files */
} cord_server_counts;

/* What it has done so far. Any thread. */
CORD_API void cord_server_stats(const cord_server *server, cord_server_counts *ret);

/* For datagram handlers: one datagram back to the peer. Fails: as cord_send_to(). */
CORD_API CORD_MUST_CHECK ssize_t cord_reply(cord_request *request, const void *buf, size_t size);

CORD_END

#endif
