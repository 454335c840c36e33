/* net/send.c - sending. Each call holds the write turn until all of its bytes are out, so two tasks' calls never mix;
 * what cord_write() kept goes first. How far a call came is counted in the task, because after a failure the peer may
 * have had any part of it (Python's sendall does not say). */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket.h"
#include "rt/park.h"

enum { PIECES_MOST = 1024, FORMATTED_MOST = 64 * 1024, FORMATTED_SMALL = 1024 };

/* Sends all of a stream's pieces. The caller's array stays as it is: the rest of a piece that went in part goes
 * alone, then the array goes on behind it. */
static int send_stream(struct cordi_call *call, const struct iovec *pieces, int count, size_t *sent)
{
    size_t part = 0; /* of pieces[0] is out */
    while (count > 0) {
        struct iovec rest = { (char *)pieces->iov_base + part, pieces->iov_len - part };
        struct msghdr message = { .msg_iov = part > 0 ? &rest : (struct iovec *)(uintptr_t)pieces,
                                  .msg_iovlen = part > 0 ? 1 : (size_t)count };
        if (part == 0 && rest.iov_len == 0) {
            pieces++, count--;
            continue;
        }
        ssize_t done = cordi_io_sendmsg(call->io, &message, 0, call->deadline);
        if (done < 0) {
            int rc = cordi_limit_wait(call, done);
            if (rc < 0)
                return rc;
            continue;
        }
        call->since = 0;
        *sent += (size_t)done;
        part += (size_t)done;
        for (; count > 0 && part >= pieces->iov_len; pieces++, count--)
            part -= pieces->iov_len;
        if (count > 0 && (done = cordi_call_more(call, done)) < 0)
            return (int)done;
    }
    return 0;
}

int cordi_send_kept(struct cordi_call *call)
{
    struct cordi_writer *writer = call->socket->writer;
    size_t sent = 0;
    if (writer == NULL || writer->size == 0)
        return 0;
    int rc = send_stream(call, &(struct iovec){ writer->bytes, writer->size }, 1, &sent);
    writer->size -= sent;
    memmove(writer->bytes, writer->bytes + sent, writer->size);
    return rc;
}

int cordi_send_pieces(struct cordi_call *call, const struct iovec *pieces, int count, size_t *sent)
{
    if (call->socket->is_datagram) {
        struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count };
        ssize_t done;
        do
            done = cordi_io_sendmsg(call->io, &message, 0, call->deadline);
        while (done < 0 && (done = cordi_limit_wait(call, done)) == 0);
        *sent += done > 0 ? (size_t)done : 0;
        return done < 0 ? (int)done : 0;
    }
    int rc = cordi_send_kept(call);
    return rc < 0 ? rc : send_stream(call, pieces, count, sent);
}

ssize_t cord_send(cord_socket socket, const void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    int rc = cordi_socket_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    struct iovec piece = { (void *)(uintptr_t)buf, size };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    ssize_t done;
    do {
        done = cordi_send_kept(&call);
        if (done == 0 && (size > 0 || call.socket->is_datagram))
            done = cordi_io_sendmsg(call.io, &message, 0, call.deadline);
    } while (done < 0 && (done = cordi_limit_wait(&call, done)) == 0);
    return cordi_socket_leave(&call, done);
}

ssize_t cord_send_vector(cord_socket socket, const struct iovec *pieces, int count, cord_deadline deadline)
{
    struct cordi_call call;
    size_t *sent = cordi_self_sent();
    *sent = 0;
    if (count < 0 || count > PIECES_MOST)
        return cordi_fail(-EINVAL, "%d pieces; one call sends at most %d", count, PIECES_MOST);
    int rc = cordi_socket_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    rc = cordi_send_pieces(&call, pieces, count, sent);
    return cordi_socket_leave(&call, rc < 0 ? rc : (ssize_t)*sent);
}

ssize_t cord_send_all(cord_socket socket, const void *buf, size_t size, cord_deadline deadline)
{
    return cord_send_vector(socket, &(struct iovec){ (void *)(uintptr_t)buf, size }, 1, deadline);
}

ssize_t cord_sendf(cord_socket socket, cord_deadline deadline, const char *format, ...)
{
    char small[FORMATTED_SMALL], *text = small;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (size < 0 || size > FORMATTED_MOST)
        return cordi_fail(-EMSGSIZE, "formatted text of %d bytes; cord_sendf sends at most %d", size, FORMATTED_MOST);
    if ((size_t)size >= sizeof small) {
        text = malloc((size_t)size + 1);
        if (text == NULL)
            return cordi_fail_code(-ENOMEM, "cord_sendf");
        va_start(args, format);
        vsnprintf(text, (size_t)size + 1, format, args);
        va_end(args);
    }
    ssize_t rc = cord_send_all(socket, text, (size_t)size, deadline);
    if (text != small)
        free(text);
    return rc;
}

/* One datagram to an address. Linux says of a UNIX datagram socket without a peer that it is writable although the
 * receiver's queue is full, so there is nothing to wait for and it is tried again after a while. */
static ssize_t send_datagram(struct cordi_call *call, const struct msghdr *message)
{
    bool naps = call->socket->name.transport == CORD_UNIXGRAM;
    cord_span nap = 0;
    ssize_t done;
    do {
        done = cordi_io_sendmsg(call->io, message, 0, naps ? CORD_NOWAIT : call->deadline);
    } while (done == -EAGAIN && (done = naps ? cordi_limit_nap(call, &nap) : cordi_limit_wait(call, done)) == 0);
    return done;
}

ssize_t cord_send_to(cord_socket socket, const void *buf, size_t size, const cord_address *to, cord_deadline deadline)
{
    struct cordi_call call;
    char name[CORD_ADDRESS_TEXT];
    int rc = cordi_socket_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    struct iovec piece = { (void *)(uintptr_t)buf, size };
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)to->raw, .msg_namelen = to->length, .msg_iov = &piece, .msg_iovlen = 1
    };
    ssize_t done = send_datagram(&call, &message);
    bool is_about_peer =
        done < 0 && done != -EBADF && done != -EMSGSIZE && done != -ECANCELED && !cordi_limit_cut(&call, done);
    cordi_socket_leave(&call, done);
    if (is_about_peer)
        return cordi_fail_code((int)done, "%s", cord_address_text(to, name, sizeof name));
    return done;
}
