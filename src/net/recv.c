/* net/recv.c - receiving. The path of cord_recv() is: slot, turn, recvmsg, leave; what a stream call read ahead goes
 * first. Python's recv, recvfrom (which drops a datagram's tail without a word; here CORD_TRUNCATED tells). */
#include <errno.h>
#include <string.h>

#include "net/socket.h"
#include "rt/park.h"

size_t cordi_recv_kept(struct cordi_socket *socket, void *buf, size_t size, bool peek)
{
    struct cordi_reader *reader = socket->reader;
    if (reader == NULL || reader->start == reader->end)
        return 0;
    size_t count = reader->end - reader->start;
    if (count > size)
        count = size;
    memcpy(buf, reader->bytes + reader->start, count);
    if (!peek)
        reader->start += count;
    return count;
}

/* A datagram socket that takes trains would lose all but the first datagram of one here. Handing them out one by one
 * was left: it needs a buffer of 64 KiB in each such socket and a copy, to be slower than without trains. */
static int allowed(const struct cordi_call *call)
{
    return call->socket->trains ? -EOPNOTSUPP : 0;
}

ssize_t cord_recv(cord_socket socket, void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    if (size == 0)
        return cord_fileno(socket) < 0 ? -EBADF : 0;
    int rc = cordi_socket_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    ssize_t count = allowed(&call);
    if (count == 0)
        count = (ssize_t)cordi_recv_kept(call.socket, buf, size, false);
    if (count == 0) {
        struct iovec piece = { buf, size };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        count = cordi_io_recvmsg(call.io, &message, 0, call.deadline);
    }
    return cordi_socket_leave(&call, count);
}

/* Who sent it: what recvmsg tells of a datagram, a stream's peer otherwise. */
static void sender(const struct cordi_call *call, const struct msghdr *message, cord_address *from)
{
    if (!call->socket->is_datagram) {
        cordi_socket_name_copy(from, call->socket);
        return;
    }
    from->transport = call->socket->name.transport;
    from->length = (uint16_t)(message->msg_namelen <= sizeof(sa_family_t) ? 0 : message->msg_namelen);
    from->fd = 0;
}

ssize_t cord_recv_from(cord_socket socket, void *buf, size_t size, cord_address *from, int *flags,
                       cord_deadline deadline)
{
    struct cordi_call call;
    bool peek = flags != NULL && (*flags & CORD_PEEK) != 0;
    int rc = cordi_socket_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    struct iovec piece = { buf, size };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    if (from != NULL && call.socket->is_datagram) {
        message.msg_name = from->raw;
        message.msg_namelen = sizeof from->raw;
    }
    ssize_t count = allowed(&call);
    if (count == 0)
        count = (ssize_t)cordi_recv_kept(call.socket, buf, size, peek);
    if (count == 0 && (size > 0 || call.socket->is_datagram))
        count = cordi_io_recvmsg(call.io, &message, peek ? MSG_PEEK : 0, call.deadline);
    if (count >= 0 && from != NULL)
        sender(&call, &message, from);
    if (count >= 0 && flags != NULL)
        *flags = (message.msg_flags & MSG_TRUNC) != 0 ? CORD_TRUNCATED : 0;
    return cordi_socket_leave(&call, count);
}
