/* net/listen.c - listeners: bound sockets that accept or receive.
 *
 * SO_REUSEADDR is on for TCP, so that a server restarts at once although the port is in TIME_WAIT; it is left off for
 * UDP, where it would let a second server take half of the first one's datagrams. A UNIX path that exists is tried
 * by a connect: only when nobody answers is it removed and bound anew. (A lock file beside the socket was refused: it
 * stays behind, and other programs do not know it.) close removes the path only in the process that bound it and only
 * while it is still the same file.
 *
 * Sizes of buffers are set before the socket listens: a TCP connection inherits them, and its window is agreed on by
 * them when it is made, before anyone accepts it. A UNIX connection inherits nothing; accept gives it the listener's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cordage/time.h>

#include "net/address.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "rt/park.h"
#include "sys/fd.h"

enum { BACKLOG = 4096, PATIENCE = 20 * CORD_MILLISECOND };

static bool is_unix(const cord_address *address)
{
    return address->transport == CORD_UNIX || address->transport == CORD_UNIXGRAM;
}

static int fail(int rc, const cord_address *address, const char *remedy)
{
    char name[CORD_ADDRESS_TEXT];
    cord_address_text(address, name, sizeof name);
    if (remedy == NULL)
        return cordi_fail_code(rc, "%s", name);
    return cordi_fail(rc, "%s: %s; %s", name, cord_strerror(rc), remedy);
}

static int bind_failed(int rc, const cord_address *address)
{
    bool inet = !is_unix(address);
    unsigned port = cord_address_port(address);
    switch (rc) {
    case -EADDRINUSE:
        return fail(rc, address, inet ? "port 0 picks a free one" : "another program listens there");
    case -ENOTSOCK:
        return fail(-EADDRINUSE, address, "a file that is no socket has this path");
    case -EADDRNOTAVAIL:
        return fail(rc, address, "no interface here has it; * stands for all of them");
    case -ENOENT:
        return fail(rc, address, "the folder of a socket has to be there");
    case -EACCES:
        return fail(rc, address, inet && port < 1024 ? "ports below 1024 need a privilege; choose a higher one" : NULL);
    default:
        return fail(rc, address, NULL);
    }
}

static int set_buffers(int fd, const cord_listen_options *options)
{
    int rc = 0;
    if (options->recv_buffer > 0)
        rc = cordi_net_set(fd, SOL_SOCKET, SO_RCVBUF, (int)options->recv_buffer);
    if (rc == 0 && options->send_buffer > 0)
        rc = cordi_net_set(fd, SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer);
    return rc;
}

/* The sizes of the listener's buffers for a connection; what is told of them is the double of what was set. */
static void hand_on_buffers(int listener, int fd)
{
    static const int options[] = { SO_RCVBUF, SO_SNDBUF };
    int size;
    for (int i = 0; i < 2; i++)
        if (cordi_net_get(listener, SOL_SOCKET, options[i], &size) == 0)
            (void)cordi_net_set(fd, SOL_SOCKET, options[i], size / 2);
}

static int set_options(int fd, const cord_address *address, const cord_listen_options *options)
{
    int rc = 0;
    if (address->transport == CORD_TCP && !options->exclusive)
        rc = cordi_net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && address->transport == CORD_TCP) /* the connections inherit it */
        rc = cordi_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0 && options->reuse_port)
        rc = cordi_net_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (rc == 0 && cordi_address_family(address) == AF_INET6)
        rc = cordi_net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->v6_only);
    return rc == 0 ? set_buffers(fd, options) : rc;
}

/* A listener at one address whose numbers are known. -errno, without a sentence. */
static int listen_at(int *ret, const cord_address *address, const cord_listen_options *options)
{
    int type = cordi_address_type((cord_transport)address->transport),
        fd = cordi_net_socket(cordi_address_family(address), type);
    if (fd < 0)
        return fd;
    int rc = set_options(fd, address, options);
    if (rc == 0)
        rc = cordi_socket_bind(fd, address);
    if (rc == 0 && type == SOCK_STREAM)
        rc = cordi_net_listen(fd, options->backlog > 0 ? options->backlog : BACKLOG);
    if (rc < 0) {
        cordi_fd_close(fd);
        return rc;
    }
    *ret = fd;
    return 0;
}

/* Makes the socket, named by where it really is bound. */
static int finish(cord_socket *ret, int fd, const cord_address *address)
{
    struct cordi_socket *data;
    cord_address name;
    if (cordi_socket_name(fd, (cord_transport)address->transport, cordi_net_local, &name) < 0)
        name = *address;
    int rc =
        cordi_socket_open(ret, &data, fd, &name, cordi_address_type((cord_transport)address->transport) == SOCK_DGRAM);
    if (rc < 0)
        return rc;
    data->is_ours = true;
    cordi_socket_bound(data, &name);
    return 0;
}

/* fd:N: a copy of a descriptor. What is bound but does not listen yet is made to. */
static int listen_fd(cord_socket *ret, const cord_address *address, const cord_listen_options *options)
{
    int fd = cordi_net_dup((int)address->fd), listening = 0;
    if (fd < 0)
        return fail(fd, address, fd == -EBADF ? "no such descriptor is open" : NULL);
    int type = cordi_fd_socket_type(fd), rc = type <= 0 ? -ENOTSOCK : 0;
    if (rc == 0)
        rc = set_buffers(fd, options);
    if (rc == 0 && type == SOCK_STREAM)
        rc = cordi_net_get(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening);
    if (rc == 0 && type == SOCK_STREAM && !listening)
        rc = cordi_net_listen(fd, options->backlog > 0 ? options->backlog : BACKLOG);
    if (rc < 0) {
        cordi_fd_close(fd);
        return fail(rc, address, NULL);
    }
    return cordi_socket_adopt(ret, fd, NULL);
}

/* A name may stand for several addresses: the first that can be bound, IPv4 before IPv6, because clients that know
 * only IPv4 are more common than those that know only IPv6. */
static int listen_any(int *fd, cord_address *list, int count, const cord_listen_options *options, int *which)
{
    int rc = -EADDRNOTAVAIL;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < count; i++) {
            if ((cordi_address_family(&list[i]) == AF_INET6) != (round == 1))
                continue;
            *which = i;
            rc = listen_at(fd, &list[i], options);
            if (rc != -EADDRNOTAVAIL && rc != -EAFNOSUPPORT)
                return rc;
        }
    return rc;
}

/* A killed program's port stays taken for some 5 ms after its end when an io_uring waited on it: a restart tries again
 * for a moment. */
static int listen_patiently(int *fd, cord_address *list, int count, const cord_listen_options *options, int *which)
{
    int64_t end = cord_now() + PATIENCE;
    int rc;
    do
        rc = listen_any(fd, list, count, options, which);
    while (rc == -EADDRINUSE && !is_unix(&list[*which]) && cord_now() < end && cord_sleep(CORD_MILLISECOND) == 0);
    return rc;
}

/* Nobody else knows the socket yet. */
static void note_buffers(cord_socket socket)
{
    struct cordi_io *io = cordi_io_get(socket.id);
    struct cordi_socket *data = cordi_socket_of(io);
    data->hands_on = data->name.transport == CORD_UNIX;
    cordi_io_put(io);
}

int cord_listen(cord_socket *ret, const char *address, const cord_listen_options *options)
{
    static const cord_listen_options none;
    struct cordi_address_parts parts;
    cord_address list[CORDI_RESOLVE_MOST];
    int fd = -1, which = 0, rc = cordi_address_split(&parts, address);
    if (rc < 0)
        return rc;
    if (options == NULL)
        options = &none;
    if (parts.transport == CORD_FD) {
        rc = listen_fd(ret, &parts.address, options);
    } else {
        int count = cordi_resolve_parts(list, CORDI_RESOLVE_MOST, &parts, CORD_FOREVER);
        if (count < 0)
            return count;
        rc = listen_patiently(&fd, list, count, options, &which);
        rc = rc < 0 ? bind_failed(rc, &list[which]) : finish(ret, fd, &list[which]);
    }
    if (rc == 0 && options->trains)
        cordi_socket_take_trains(*ret);
    if (rc == 0 && (options->recv_buffer > 0 || options->send_buffer > 0))
        note_buffers(*ret);
    return rc;
}

/* Errors of accept(2) that belong to one connection that died in the queue. */
static bool is_of_connection(int rc)
{
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM: /* a firewall's rule */
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENOPROTOOPT:
    case -ENONET:
        return true;
    default:
        return false;
    }
}

int cord_accept(cord_socket listener, cord_socket *ret, cord_address *peer, cord_deadline deadline)
{
    struct cordi_call call;
    struct cordi_socket *data;
    cord_address from;
    socklen_t length;
    int rc = cordi_socket_enter(&call, listener, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    do {
        length = sizeof from.raw;
        rc = cordi_io_accept(call.io, (struct sockaddr *)(void *)from.raw, &length, call.deadline);
    } while (is_of_connection(rc));
    if (rc < 0)
        return (int)cordi_socket_leave(&call, rc == -EOPNOTSUPP || rc == -ENOTSOCK ? -EINVAL : rc);
    from.transport = call.socket->name.transport;
    from.length = (uint16_t)(length <= sizeof(sa_family_t) ? 0 : length);
    from.fd = 0;
    if (call.socket->hands_on)
        hand_on_buffers(cordi_io_fd(call.io), rc);
    cord_address name = from;
    if (from.length == 0)
        cordi_socket_name_copy(&name, call.socket);
    (void)cordi_socket_leave(&call, 1); /* one came: the limit for the first is over */
    rc = cordi_socket_open(ret, &data, rc, &name, false);
    if (rc == 0 && peer != NULL)
        *peer = from;
    return rc;
}
