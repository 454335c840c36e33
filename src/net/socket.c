/* net/socket.c - the life of a socket: made of a descriptor, entered by calls, closed.
 *
 * The handle names a slot of rt/io.h; what belongs to net hangs on the slot in one struct cordi_socket, freed by
 * whoever closes, when the last call has left. Each call takes its direction's turn first, so that calls of several
 * tasks are served in order and never mix. Refused: a lock of its own beside the turn (two waits for each call), and
 * a table of sockets in net (the slot table is one already).
 */
#include "net/socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "net/address.h"
#include "rt/park.h"
#include "sys/fd.h"

/* ---- calls ---- */

int cordi_socket_fail(const struct cordi_socket *socket, int rc)
{
    char name[CORD_ADDRESS_TEXT];
    cord_address_text(&socket->name, name, sizeof name);
    switch (rc) {
    case -EBADF:
        return cordi_fail(rc, "%s: the socket was closed by this side", name);
    case -EPIPE:
        return cordi_fail(rc, "%s: broken pipe; the peer has closed the connection", name);
    case -EDESTADDRREQ:
        return cordi_fail(rc, "%s: no peer yet; connect it or use cord_send_to", name);
    case -EMSGSIZE:
        return cordi_fail(rc, "%s: message too long; a datagram has at most 65507 bytes", name);
    case -EOPNOTSUPP:
        if (socket->trains)
            return cordi_fail(rc, "%s: opened with .trains; receive with cord_recv_many", name);
        return cordi_fail_code(rc, "%s", name);
    default:
        return cordi_fail_code(rc, "%s", name);
    }
}

struct cordi_io *cordi_socket_get(cord_socket socket)
{
    struct cordi_io *io = cordi_io_get(socket.id);
    if (io == NULL)
        (void)cordi_fail(-EBADF, socket.id == 0 ? "no socket" : "the socket is closed");
    return io;
}

int cordi_socket_enter(struct cordi_call *call, cord_socket socket, enum cordi_direction direction,
                       cord_deadline deadline)
{
    struct cordi_io *io = cordi_socket_get(socket);
    if (io == NULL)
        return -EBADF;
    struct cordi_socket *data = cordi_socket_of(io);
    cord_span timeout = atomic_load_explicit(&data->timeout, memory_order_relaxed);
    call->io = io;
    call->socket = data;
    call->direction = direction;
    call->deadline = deadline;
    call->limited = 0; /* what follows is only for limits */
    int rc = timeout != 0 ? cordi_limit_enter(call, timeout) : cordi_io_turn(io, direction, deadline);
    if (rc < 0) {
        (void)cordi_limit_fail(call, rc);
        cordi_io_put(io);
    }
    return rc;
}

static ssize_t leave_slowly(struct cordi_call *call, ssize_t rc)
{
    if (call->limited != 0)
        cordi_limit_note(call, rc);
    cordi_io_turn_end(call->io, call->direction);
    if (rc < 0)
        (void)cordi_limit_fail(call, (int)rc);
    cordi_io_put(call->io);
    return rc;
}

ssize_t cordi_socket_leave(struct cordi_call *call, ssize_t rc)
{
    if ((rc | call->limited) < 0)
        return leave_slowly(call, rc);
    cordi_io_turn_end(call->io, call->direction);
    cordi_io_put(call->io);
    return rc;
}

int cordi_socket_nap(cord_span *span, cord_deadline deadline)
{
    cord_span left = cord_left(deadline);
    if (deadline.at == CORD_NOWAIT.at)
        return -EAGAIN;
    if (left == 0)
        return -ETIMEDOUT;
    *span = *span == 0 ? CORD_MILLISECOND : *span < 16 * CORD_MILLISECOND ? *span * 2 : *span;
    return cord_sleep(*span < left ? *span : left);
}

/* ---- birth ---- */

static size_t name_size(const cord_address *name)
{
    return offsetof(cord_address, raw) + name->length;
}

void cordi_socket_name_copy(cord_address *ret, const struct cordi_socket *socket)
{
    *ret = (cord_address){ 0 };
    memcpy(ret, &socket->name, name_size(&socket->name));
}

int cordi_socket_hang(uint64_t handle, struct cordi_socket **data, const cord_address *name, bool is_datagram)
{
    char text[CORD_ADDRESS_TEXT];
    struct cordi_socket *this = calloc(1, offsetof(struct cordi_socket, name) + name_size(name));
    if (this == NULL)
        return cordi_fail_code(-ENOMEM, "%s", cord_address_text(name, text, sizeof text));
    memcpy((char *)this + offsetof(struct cordi_socket, name), name, name_size(name));
    this->is_datagram = is_datagram;
    struct cordi_io *io = cordi_io_get(handle);
    cordi_io_data_set(io, this);
    cordi_io_put(io);
    *data = this;
    return 0;
}

int cordi_socket_open(cord_socket *ret, struct cordi_socket **data, int own_fd, const cord_address *name,
                      bool is_datagram)
{
    char text[CORD_ADDRESS_TEXT];
    uint64_t handle;
    void *none;
    int rc = cordi_io_open(&handle, own_fd);
    if (rc < 0)
        return cordi_fail_code(rc, "%s", cord_address_text(name, text, sizeof text));
    rc = cordi_socket_hang(handle, data, name, is_datagram);
    if (rc < 0) {
        cordi_fd_close(cordi_io_close(handle, &none));
        return rc;
    }
    ret->id = handle;
    return 0;
}

int cordi_socket_name(int fd, cord_transport transport, int (*end)(int, struct sockaddr *, socklen_t *),
                      cord_address *ret)
{
    cord_address this = { .transport = (uint16_t)transport };
    socklen_t length = sizeof this.raw;
    int rc = end(fd, (struct sockaddr *)(void *)this.raw, &length);
    if (rc < 0)
        return rc;
    this.length = (uint16_t)(length <= sizeof(sa_family_t) ? 0 : length);
    *ret = this;
    return 0;
}

/* Binds to a path that exists already: 0 when nobody was there. -ENOTSOCK: it is no socket. */
static int replace_stale(int fd, const cord_address *address)
{
    const struct sockaddr *to = (const struct sockaddr *)(const void *)address->raw;
    char path[CORD_ADDRESS_TEXT];
    struct cordi_net_file before;
    cord_address_host(address, path, sizeof path);
    if (path[0] == '@')
        return -EADDRINUSE;
    int rc = cordi_net_file_note(&before, path);
    if (rc == -ENOTSOCK)
        return rc;
    if (rc == 0 &&
        cordi_net_probe(cordi_address_type((cord_transport)address->transport), to, address->length) != -ECONNREFUSED)
        return -EADDRINUSE;
    if (rc == 0)
        cordi_net_file_remove(&before, path);
    return cordi_net_bind(fd, to, address->length);
}

int cordi_socket_bind(int fd, const cord_address *to)
{
    int rc = cordi_net_bind(fd, (const struct sockaddr *)(const void *)to->raw, to->length);
    return rc == -EADDRINUSE && cordi_address_family(to) == AF_UNIX ? replace_stale(fd, to) : rc;
}

void cordi_socket_bound(struct cordi_socket *socket, const cord_address *to)
{
    struct cordi_bound bound;
    cord_address_host(to, bound.path, sizeof bound.path);
    if (cordi_address_family(to) != AF_UNIX || bound.path[0] == '@' ||
        cordi_net_file_note(&bound.file, bound.path) != 0)
        return;
    socket->bound = malloc(sizeof bound);
    if (socket->bound != NULL) /* without memory the file stays there, and the next one to bind replaces it */
        *socket->bound = bound;
}

/* What a descriptor from elsewhere is: CORD_FD for all but the four transports known here. */
static cord_transport transport_of(int fd, bool *is_datagram)
{
    int domain, type = cordi_fd_socket_type(fd);
    *is_datagram = type == SOCK_DGRAM;
    if (type <= 0 || cordi_net_get(fd, SOL_SOCKET, SO_DOMAIN, &domain) < 0)
        return CORD_FD;
    if (domain == AF_UNIX)
        return type == SOCK_DGRAM ? CORD_UNIXGRAM : CORD_UNIX;
    if (domain == AF_INET || domain == AF_INET6)
        return type == SOCK_DGRAM ? CORD_UDP : CORD_TCP;
    return CORD_FD;
}

int cordi_socket_adopt(cord_socket *ret, int own_fd, const cord_address *name)
{
    bool is_datagram;
    struct cordi_socket *data;
    cord_transport transport = transport_of(own_fd, &is_datagram);
    cord_address found = { .transport = CORD_FD, .fd = (uint32_t)own_fd };
    if (name == NULL) {
        bool named = transport != CORD_FD &&
                     (cordi_socket_name(own_fd, transport, cordi_net_peer, &found) == 0 && found.length > 0);
        if (transport != CORD_FD && !named)
            (void)cordi_socket_name(own_fd, transport, cordi_net_local, &found);
        name = &found;
    }
    return cordi_socket_open(ret, &data, own_fd, name, is_datagram);
}

int cord_adopt(cord_socket *ret, int own_fd)
{
    if (own_fd < 0 || cordi_fd_socket_type(own_fd) < 0)
        return cordi_fail(-EBADF, "fd:%d: no open descriptor", own_fd);
    return cordi_socket_adopt(ret, own_fd, NULL);
}

int cord_socket_pair(cord_socket ret[2], cord_transport transport)
{
    int fds[2];
    cord_socket pair[2];
    struct cordi_socket *data;
    const cord_address name = { .transport = (uint16_t)transport };
    if (transport != CORD_UNIX && transport != CORD_UNIXGRAM)
        return cordi_fail(-EINVAL, "a socket pair is CORD_UNIX or CORD_UNIXGRAM");
    bool is_datagram = transport == CORD_UNIXGRAM;
    int rc = cordi_net_pair(fds, cordi_address_type(transport));
    if (rc < 0)
        return cordi_fail_code(rc, "socket pair");
    rc = cordi_socket_open(&pair[0], &data, fds[0], &name, is_datagram);
    if (rc < 0) {
        cordi_fd_close(fds[1]);
        return rc;
    }
    data->is_ours = true;
    rc = cordi_socket_open(&pair[1], &data, fds[1], &name, is_datagram);
    if (rc < 0) {
        cord_close(&pair[0]);
        return rc;
    }
    data->is_ours = true;
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;
}

/* ---- death ---- */

/* Ends the handle; the descriptor, or -EBADF. */
static int end(cord_socket *socket, bool detach)
{
    void *found = NULL;
    int fd = cordi_io_close(socket->id, &found);
    struct cordi_socket *data = found;
    socket->id = 0;
    if (fd < 0)
        return fd;
    if (data != NULL && data->bound != NULL && !detach)
        cordi_net_file_remove(&data->bound->file, data->bound->path);
    if (data != NULL && data->is_ours && detach)
        (void)cordi_net_blocking(fd);
    if (data != NULL) {
        free(data->bound);
        free(data->limits);
        free(data->reader);
        free(data->writer);
    }
    free(data);
    return fd;
}

void cord_close(cord_socket *socket)
{
    if (socket == NULL || socket->id == 0)
        return;
    int fd = end(socket, false);
    if (fd >= 0)
        cordi_fd_close(fd);
}

int cord_detach(cord_socket *socket)
{
    int fd = end(socket, true);
    return fd >= 0 ? fd : cordi_fail(fd, "the socket is closed");
}

/* ---- small questions ---- */

int cord_fileno(cord_socket socket)
{
    struct cordi_io *io = cordi_socket_get(socket);
    if (io == NULL)
        return -EBADF;
    int fd = cordi_io_fd(io);
    cordi_io_put(io);
    return fd;
}

static int one_end(cord_socket socket, cord_address *ret, int (*which)(int, struct sockaddr *, socklen_t *))
{
    struct cordi_io *io = cordi_socket_get(socket);
    if (io == NULL)
        return -EBADF;
    struct cordi_socket *data = cordi_socket_of(io);
    int fd = cordi_io_fd(io), rc;
    bool is_datagram;
    if (cordi_io_is_socket(io)) {
        rc = cordi_socket_name(fd, transport_of(fd, &is_datagram), which, ret);
    } else { /* a pipe or file has one end */
        rc = which == cordi_net_local ? 0 : -ENOTCONN;
        if (rc == 0)
            cordi_socket_name_copy(ret, data);
    }
    if (rc < 0)
        (void)cordi_socket_fail(data, rc);
    cordi_io_put(io);
    return rc;
}

int cord_local(cord_socket socket, cord_address *ret)
{
    return one_end(socket, ret, cordi_net_local);
}

int cord_peer(cord_socket socket, cord_address *ret)
{
    return one_end(socket, ret, cordi_net_peer);
}

int cord_shutdown(cord_socket socket, int how)
{
    struct cordi_io *io = cordi_socket_get(socket);
    if (io == NULL)
        return -EBADF;
    int rc = cordi_net_shutdown(cordi_io_fd(io), how);
    if (rc < 0)
        (void)cordi_socket_fail(cordi_socket_of(io), rc);
    cordi_io_put(io);
    return rc;
}

size_t cord_socket_sent(void)
{
    return *cordi_self_sent();
}
