/* cordage/option.h - socket options, typed. From socket(7), tcp(7), udp(7); Python: setsockopt, getsockopt. */
#ifndef CORDAGE_OPTION_H
#define CORDAGE_OPTION_H

#include <cordage/socket.h>

CORD_BEGIN

typedef enum {
    CORD_NO_DELAY = 1,  /* bool: TCP_NODELAY */
    CORD_KEEP_ALIVE,    /* bool: SO_KEEPALIVE */
    CORD_BROADCAST,     /* bool: SO_BROADCAST */
    CORD_REUSE_ADDRESS, /* bool: SO_REUSEADDR */
    CORD_REUSE_PORT,    /* bool: SO_REUSEPORT */
    CORD_RECV_BUFFER,   /* bytes: SO_RCVBUF; the kernel doubles what it is given and tells the double */
    CORD_SEND_BUFFER,   /* bytes: SO_SNDBUF, likewise */
    CORD_LINGER,        /* seconds: SO_LINGER; -1 off, 0: close resets the connection (the peer sees -ECONNRESET) */
    CORD_USER_TIMEOUT,  /* milliseconds that sent data may stay unacknowledged: TCP_USER_TIMEOUT */
    CORD_PENDING_ERROR, /* get only, an errno, and clears it: SO_ERROR */
    CORD_LISTENING      /* get only, bool: SO_ACCEPTCONN */
} cord_option;

/* Sets one. Fails: -EINVAL (not one that can be set, or out of range), -ENOPROTOOPT, -EOPNOTSUPP (not this transport).
 */
CORD_API CORD_MUST_CHECK int cord_option_set(cord_socket socket, cord_option option, int64_t value);

/* Reads one. Fails: as set. */
CORD_API CORD_MUST_CHECK int cord_option_get(cord_socket socket, cord_option option, int64_t *value);

CORD_END

#endif
