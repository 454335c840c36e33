/* cordage/socket.h - sockets: one carrier of bytes (TCP, UNIX, stdin) or of datagrams (UDP, UNIX).
 *
 * A socket is a handle of 8 bytes, slot and generation: a copy is not a second owner, and use after close is -EBADF,
 * never another connection. Every call may be made by any task of any kind; several tasks may wait on one socket in
 * each direction and are served first come, first served. A call that waits suspends its task only. With a deadline
 * that passes it answers -ETIMEDOUT, with CORD_NOWAIT -EAGAIN; when the socket is closed meanwhile, -EBADF; when the
 * task is cancelled, -ECANCELED. EINTR and SIGPIPE are never seen.
 * From Python's socket module (docs/python.md has the table), recv(2), send(2), RFC 8305.
 */
#ifndef CORDAGE_SOCKET_H
#define CORDAGE_SOCKET_H

#include <sys/uio.h>

#include <cordage/address.h>
#include <cordage/error.h>

CORD_BEGIN

typedef struct {
    uint64_t id; /* 0: none */
} cord_socket;

typedef struct {
    uint32_t size;   /* 0: the layout of this version */
    int backlog;     /* connections the kernel holds until they are accepted; 0: 4096 (capped by somaxconn) */
    bool exclusive;  /* without SO_REUSEADDR: a port in TIME_WAIT is then taken */
    bool reuse_port; /* SO_REUSEPORT: several processes may listen */
    bool v6_only;    /* tcp:[::]:N takes no IPv4 */
    bool trains;     /* datagrams: cord_recv_many takes whole trains, and the recv of this header is refused */
    uint32_t recv_buffer, send_buffer; /* bytes, SO_RCVBUF and SO_SNDBUF of the socket and, for streams, of each
                                          connection; 0: the system's. The kernel doubles and bounds them */
} cord_listen_options;

typedef struct {
    uint32_t size;     /* 0: the layout of this version */
    const char *local; /* address to connect from; NULL: the system's choice. close removes a unix path */
    bool nagle;        /* leave Nagle's algorithm on; off (TCP_NODELAY) is the default */
    bool trains;       /* as in cord_listen_options */
} cord_connect_options;

/* A socket that accepts (tcp, unix) or receives (udp, unixgram) there. A stale unix path that nobody listens on is
 * replaced; close removes the path. A name is looked up. "udp:" alone is a datagram socket on a port of the system's
 * choice. A port in use is tried for 20 ms: that of a killed program is free a moment after its end.
 * Fails: -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, CORD_EADDRESS, CORD_ERESOLVE, -EMFILE. */
CORD_API CORD_MUST_CHECK int cord_listen(cord_socket *ret, const char *address, const cord_listen_options *options);

/* A connection; of several addresses of a name the first that answers (RFC 8305, a new attempt each 250 ms). The
 * deadline covers the look-up too. Datagram sockets only note the peer.
 * Fails: -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -ENOENT (unix), CORD_EADDRESS, CORD_ERESOLVE, -EMFILE. */
CORD_API CORD_MUST_CHECK int cord_connect(cord_socket *ret, const char *address, const cord_connect_options *options,
                                          cord_deadline deadline);

/* The next connection; peer may be NULL. At the limit of open files (-EMFILE, -ENFILE) it is up to the caller to
 * pause; connections that died in the queue are passed over. Fails: -EMFILE, -ENFILE, -EINVAL (not a listener). */
CORD_API CORD_MUST_CHECK int cord_accept(cord_socket listener, cord_socket *ret, cord_address *peer,
                                         cord_deadline deadline);

/* At most size bytes as soon as there are some, or one datagram (what does not fit is cut off: cord_recv_from tells).
 * 0: the peer has finished (a datagram: an empty one; size 0: nothing was asked for). Fails: -ECONNRESET, -ECONNREFUSED
 * (udp), -EOPNOTSUPP (opened for trains: datagram.h). */
CORD_API CORD_MUST_CHECK ssize_t cord_recv(cord_socket socket, void *buf, size_t size, cord_deadline deadline);

enum { CORD_TRUNCATED = 1, CORD_PEEK = 2 };

/* As recv, and says who sent it (from, or NULL) and in *flags (or NULL) whether a datagram was cut (CORD_TRUNCATED).
 * CORD_PEEK in *flags on entry leaves the data there for the next recv. */
CORD_API CORD_MUST_CHECK ssize_t cord_recv_from(cord_socket socket, void *buf, size_t size, cord_address *from,
                                                int *flags, cord_deadline deadline);

/* As much as the system takes now, at least one byte; how much that was. Datagrams go whole or not at all.
 * Fails: -EPIPE, -ECONNRESET, -EMSGSIZE (a datagram over 65507 bytes), -ENOTCONN, -EDESTADDRREQ. */
CORD_API CORD_MUST_CHECK ssize_t cord_send(cord_socket socket, const void *buf, size_t size, cord_deadline deadline);

/* All of it: size, or a failure; cord_socket_sent() then tells how far it came. Two tasks' calls do not mix. */
CORD_API CORD_MUST_CHECK ssize_t cord_send_all(cord_socket socket, const void *buf, size_t size,
                                               cord_deadline deadline);

/* As send_all, of several pieces in one system call where the socket takes them. At most 1024 pieces (-EINVAL). */
CORD_API CORD_MUST_CHECK ssize_t cord_send_vector(cord_socket socket, const struct iovec *pieces, int count,
                                                  cord_deadline deadline);

/* As send_all, of formatted text; at most 64 KiB (-EMSGSIZE). */
CORD_API CORD_MUST_CHECK ssize_t cord_sendf(cord_socket socket, cord_deadline deadline, const char *format, ...)
    CORD_PRINTF(3, 4);

/* One datagram to an address. Fails: -EMSGSIZE, -ENETUNREACH. */
CORD_API CORD_MUST_CHECK ssize_t cord_send_to(cord_socket socket, const void *buf, size_t size, const cord_address *to,
                                              cord_deadline deadline);

/* Bytes that the calling task's last send_all, send_vector, sendf, write, flush or send_frame (of its message) handed
 * over; of send_many: the datagrams and trains. */
CORD_API size_t cord_socket_sent(void);

/* Ends one direction or both: the peer's recv answers 0. how: SHUT_RD, SHUT_WR, SHUT_RDWR. Fails: -ENOTCONN. */
CORD_API CORD_MUST_CHECK int cord_shutdown(cord_socket socket, int how);

/* Closes and sets it to {0}. Who waits on it gets -EBADF; when this returns the descriptor is gone. Twice, or of {0},
 * is harmless. Waits for calls under way to leave; not a cancellation point. */
CORD_API void cord_close(cord_socket *socket);

/* A connected pair of streams (CORD_UNIX) or datagram sockets (CORD_UNIXGRAM). Fails: -EMFILE, -EINVAL. */
CORD_API CORD_MUST_CHECK int cord_socket_pair(cord_socket ret[2], cord_transport transport);

/* Makes a socket of a descriptor, which moves in (on failure it is closed). No flag of it is changed.
 * Fails: -EBADF, -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_adopt(cord_socket *ret, int own_fd);

/* The opposite: the descriptor moves out and the handle ends, as close does. Fails: -EBADF. */
CORD_API CORD_MUST_CHECK int cord_detach(cord_socket *socket);

/* The descriptor, which stays the socket's. Fails: -EBADF (Python's fileno gives -1). */
CORD_API CORD_MUST_CHECK int cord_fileno(cord_socket socket);

/* Where it is bound, and to whom it is connected. Fails: -ENOTCONN, -EBADF. */
CORD_API CORD_MUST_CHECK int cord_local(cord_socket socket, cord_address *ret);
CORD_API CORD_MUST_CHECK int cord_peer(cord_socket socket, cord_address *ret);

/* What calls with CORD_FOREVER wait at most on this socket (Python: settimeout); 0: as long as it takes. A call that
 * runs out of it answers -ETIMEDOUT. Fails: -EINVAL (negative). */
CORD_API CORD_MUST_CHECK int cord_socket_timeout(cord_socket socket, cord_span timeout);

/* What a peer may take its time for; 0: no such limit. */
typedef struct {
    cord_span idle;    /* as cord_socket_timeout(): what a call with CORD_FOREVER waits at most */
    cord_span first;   /* until the first byte has come (a listener's first connection): from the call below on */
    cord_span stalled; /* what a call that sends waits until the peer takes more; each piece it takes begins it anew */
    cord_span whole;   /* all calls together, whatever their deadlines: from the call below on */
} cord_socket_limits;

/* Sets all four at once, for calls that begin later. Out of a limit, a call answers -ETIMEDOUT; its sentence says which
 * limit. After `whole`, calls fail though data is there; CORD_NOWAIT never does. Fails: -EINVAL (negative), -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_socket_limit(cord_socket socket, const cord_socket_limits *limits);

CORD_END

#endif
