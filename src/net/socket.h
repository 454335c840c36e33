/* net/socket.h - what net hangs on a slot, and how each call enters and leaves.
 *
 * A call is: cordi_socket_enter() (the slot, its turn, the socket's own time-out), its work, cordi_socket_leave().
 * Within the turn of a direction its buffer is the calling task's alone, so nothing here needs a lock. Limits: limit.c.
 */
#ifndef CORDI_NET_SOCKET_H
#define CORDI_NET_SOCKET_H

#include <stdatomic.h>

#include <cordage/socket.h>

#include "rt/io.h"
#include "sys/net.h"

/* Bytes that arrived and were not asked for yet; at the first read_*. Under the read turn. */
struct cordi_reader {
    size_t start, end, capacity;
    char bytes[];
};

enum { CORDI_WRITER_SIZE = 16 * 1024 };

/* Bytes kept by cord_write(). Under the write turn. */
struct cordi_writer {
    size_t size;
    char bytes[CORDI_WRITER_SIZE];
};

/* A path of the file system that we bound, and what we made there. */
struct cordi_bound {
    struct cordi_net_file file;
    char path[CORD_ADDRESS_TEXT];
};

/* Small, since there may be one for each of very many connections: what few have is elsewhere. */
struct cordi_socket {
    _Atomic int64_t timeout;               /* a cord_span; 0: none. With limits besides it is ~that, below 0 */
    struct cordi_reader *reader;           /* or NULL */
    struct cordi_writer *writer;           /* or NULL */
    _Atomic(struct cordi_limits *) limits; /* or NULL; from the first cord_socket_limit() on that needs it */
    int8_t cuts;               /* the kernel cuts trains on the way out: 1, -1 not, 0 unknown. Under the write turn */
    bool is_datagram;          /* the rest is set at birth */
    bool is_ours;              /* we made the descriptor non-blocking */
    bool trains;               /* may receive trains: only cord_recv_many reads it */
    bool hands_on;             /* a UNIX listener: its connections get the sizes of its buffers */
    struct cordi_bound *bound; /* or NULL */
    cord_address name; /* for sentences: the peer, else where it is bound. Only as much of it as its length says was
                          allocated: cordi_socket_name_copy() */
};
void cordi_socket_name_copy(cord_address *ret, const struct cordi_socket *socket);

/* What a call's deadline comes from. */
enum cordi_bound_by { CORDI_BY_CALL, CORDI_BY_FIRST, CORDI_BY_STALLED, CORDI_BY_WHOLE };

struct cordi_call {
    struct cordi_io *io;
    struct cordi_socket *socket;
    enum cordi_direction direction;
    cord_deadline deadline; /* for the next piece; of a sender with limits CORD_NOWAIT: cordi_limit_wait() */
    ssize_t limited;        /* -1: the socket has limits, and the rest is set; else 0 */
    cord_deadline asked;    /* the caller's, or that of idle */
    enum cordi_bound_by bound;
    int64_t since; /* a sender: the peer took nothing since; 0: it has just taken something */
    int queued;    /* and so much was on its way to it then */
};

/* Makes a socket of own_fd (closed on failure). name is for sentences. The slot's data is *data, for the caller to
 * fill in before he gives the handle out. Fails: -ENOMEM, -EBADF, with a sentence. */
int cordi_socket_open(cord_socket *ret, struct cordi_socket **data, int own_fd, const cord_address *name,
                      bool is_datagram);

/* The same for a slot that was opened already and whose handle nobody else knows; it stays open on failure. */
int cordi_socket_hang(uint64_t handle, struct cordi_socket **data, const cord_address *name, bool is_datagram);

/* Binds fd. A UNIX path that nobody listens on any more is replaced. -errno, without a sentence; -ENOTSOCK: a file that
 * is no socket has that path. */
int cordi_socket_bind(int fd, const cord_address *to);

/* Notes that the socket was bound there, so that close removes a UNIX path. */
void cordi_socket_bound(struct cordi_socket *socket, const cord_address *to);

/* Asks for trains; nobody else knows the socket yet. */
void cordi_socket_take_trains(cord_socket socket);

/* As it stands, of a descriptor from elsewhere: the type is found out, the name is `name` or its peer's. */
int cordi_socket_adopt(cord_socket *ret, int own_fd, const cord_address *name);

/* Fails with a sentence; then nothing is to be left. */
int cordi_socket_enter(struct cordi_call *call, cord_socket socket, enum cordi_direction direction,
                       cord_deadline deadline);
/* Ends the call; of a failure (rc < 0) makes the sentence. Answers rc. */
ssize_t cordi_socket_leave(struct cordi_call *call, ssize_t rc);

/* Between the pieces of a call, after so many bytes (or a failure): answers that, or -ETIMEDOUT when limits end it. */
ssize_t cordi_limit_more(struct cordi_call *call, ssize_t came);
static inline ssize_t cordi_call_more(struct cordi_call *call, ssize_t came)
{
    return (came | call->limited) < 0 ? cordi_limit_more(call, came) : came;
}

/* A try to send failed. 0: try again, there may be room now; else the call's answer. */
int cordi_limit_wait(struct cordi_call *call, ssize_t failed);

/* cordi_socket_nap() for a sender. */
int cordi_limit_nap(struct cordi_call *call, cord_span *nap);

/* Whether it was a limit that ended the call. */
bool cordi_limit_cut(const struct cordi_call *call, ssize_t rc);

/* For socket.c: the turn of a socket whose timeout is not 0; that something was received; the sentence of a failure. */
int cordi_limit_enter(struct cordi_call *call, cord_span timeout);
void cordi_limit_note(const struct cordi_call *call, ssize_t came);
int cordi_limit_fail(const struct cordi_call *call, int rc);

/* The slot without a turn, for calls that do not wait; put it with cordi_io_put(). NULL leaves a sentence (-EBADF). */
struct cordi_io *cordi_socket_get(cord_socket socket);
static inline struct cordi_socket *cordi_socket_of(const struct cordi_io *io)
{
    return cordi_io_data(io);
}

/* The sentence of a failure that has none yet: "NAME: words". Answers rc. */
int cordi_socket_fail(const struct cordi_socket *socket, int rc);

/* The address of one end of a descriptor: ends are cordi_net_local, cordi_net_peer. -errno, without a sentence. */
int cordi_socket_name(int fd, cord_transport transport, int (*end)(int, struct sockaddr *, socklen_t *),
                      cord_address *ret);

/* Sleeps 1 ms, then ever longer up to 16: for the few things that the kernel gives no readiness for. *span begins at 0.
 * Fails: -EAGAIN (CORD_NOWAIT), -ETIMEDOUT, -ECANCELED. */
int cordi_socket_nap(cord_span *span, cord_deadline deadline);

/* Within a write turn: sends what cord_write() kept, then the pieces; how much of the pieces went is counted in *sent.
 * 0 or -errno. A stream's pieces all go; a datagram goes whole. */
int cordi_send_pieces(struct cordi_call *call, const struct iovec *pieces, int count, size_t *sent);
int cordi_send_kept(struct cordi_call *call);

/* Within a read turn: takes at most size bytes out of the reader; 0: it is empty. */
size_t cordi_recv_kept(struct cordi_socket *socket, void *buf, size_t size, bool peek);

#endif
