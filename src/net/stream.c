/* net/stream.c - lines, exact amounts and gathered writes on a stream.
 *
 * One buffer for each socket, made at the first read_*, holds what arrived and was not asked for yet. A line or a
 * delimited piece is looked for inside it and copied out in one go, so a call that runs out of time has taken
 * nothing. Large exact reads go straight into the caller's memory; only when such a call fails is what had arrived put
 * back. The buffer starts at 8 KiB and grows up to the size that the caller allows for one line.
 */
#include "net/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt/park.h"

enum { READER_SIZE = 8 * 1024 };

int cordi_stream_enter(struct cordi_call *call, cord_socket socket, enum cordi_direction direction,
                       cord_deadline deadline)
{
    int rc = cordi_socket_enter(call, socket, direction, deadline);
    if (rc == 0 && call->socket->is_datagram)
        rc = (int)cordi_socket_leave(call, -EOPNOTSUPP);
    return rc;
}

size_t cordi_stream_kept(const struct cordi_call *call)
{
    const struct cordi_reader *reader = call->socket->reader;
    return reader == NULL ? 0 : reader->end - reader->start;
}

const char *cordi_stream_bytes(const struct cordi_call *call)
{
    const struct cordi_reader *reader = call->socket->reader;
    return reader->bytes + reader->start;
}

void cordi_stream_drop(struct cordi_call *call, size_t size)
{
    if (size > 0)
        call->socket->reader->start += size;
}

/* Room behind what is kept for `size` bytes at least. -ENOMEM. */
static int make_room(struct cordi_call *call, size_t size)
{
    struct cordi_reader *reader = call->socket->reader;
    size_t kept = cordi_stream_kept(call);
    if (reader != NULL && reader->capacity - reader->end >= size)
        return 0;
    if (reader != NULL && reader->start > 0) {
        memmove(reader->bytes, reader->bytes + reader->start, kept);
        reader->start = 0;
        reader->end = kept;
    }
    if (reader != NULL && reader->capacity - kept >= size)
        return 0;
    size_t capacity = reader == NULL ? READER_SIZE : reader->capacity * 2;
    while (capacity - kept < size)
        capacity *= 2;
    reader = realloc(reader, sizeof *reader + capacity);
    if (reader == NULL)
        return -ENOMEM;
    if (call->socket->reader == NULL)
        reader->start = reader->end = 0;
    reader->capacity = capacity;
    call->socket->reader = reader;
    return 0;
}

ssize_t cordi_stream_fill(struct cordi_call *call)
{
    ssize_t rc = cordi_call_more(call, make_room(call, 1));
    if (rc < 0)
        return rc;
    struct cordi_reader *reader = call->socket->reader;
    if (reader->start == reader->end)
        reader->start = reader->end = 0;
    struct iovec piece = { reader->bytes + reader->end, reader->capacity - reader->end };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    ssize_t count = cordi_io_recvmsg(call->io, &message, 0, call->deadline);
    if (count > 0)
        reader->end += (size_t)count;
    return count;
}

/* Puts `size` bytes behind what is kept: they came in after it, for a call that failed. */
static int put_back(struct cordi_call *call, const char *bytes, size_t size)
{
    int rc = size == 0 ? 0 : make_room(call, size);
    if (rc == 0 && size > 0) {
        memcpy(call->socket->reader->bytes + call->socket->reader->end, bytes, size);
        call->socket->reader->end += size;
    }
    return rc;
}

ssize_t cordi_stream_take(struct cordi_call *call, size_t skip, void *buf, size_t size)
{
    size_t kept = cordi_stream_kept(call) - skip, have = kept < size ? kept : size, from_kept = have;
    char *to = buf;
    if (have > 0)
        memcpy(to, cordi_stream_bytes(call) + skip, have);
    while (have < size) {
        struct iovec piece = { to + have, size - have };
        struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
        ssize_t count = cordi_call_more(call, (ssize_t)(have - from_kept));
        if (count >= 0)
            count = cordi_io_recvmsg(call->io, &message, 0, call->deadline);
        if (count < 0) {
            int rc = put_back(call, to + from_kept, have - from_kept);
            return rc < 0 ? rc : count;
        }
        if (count == 0) {
            cordi_stream_drop(call, skip + from_kept);
            return skip + have == 0 ? 0 : CORD_EENDED;
        }
        have += (size_t)count;
    }
    cordi_stream_drop(call, skip + from_kept);
    return (ssize_t)size;
}

/* ---- reading ---- */

/* The newline's place in what is kept, looked for from `from` on; CORD_ETOOLONG: the line does not fit into size bytes
 * with its NUL; -EAGAIN: more has to come. */
static ssize_t find_line(const struct cordi_call *call, size_t from, size_t size)
{
    size_t kept = cordi_stream_kept(call);
    const char *bytes = kept > 0 ? cordi_stream_bytes(call) : NULL;
    const char *newline = kept > from ? memchr(bytes + from, '\n', kept - from) : NULL;
    size_t length = newline != NULL ? (size_t)(newline - bytes) : kept;
    bool return_fits = length == size && length > 0 && bytes[length - 1] == '\r'; /* the \r of \r\n takes no room */
    if (length >= size && !return_fits)
        return CORD_ETOOLONG;
    return newline != NULL ? (ssize_t)length : -EAGAIN;
}

/* Copies out a line of `length` bytes, with its newline (count 1) or at the end of the stream (0). */
static ssize_t take_line(struct cordi_call *call, char *buf, size_t length, size_t newline)
{
    size_t text = length;
    if (newline > 0 && text > 0 && cordi_stream_bytes(call)[text - 1] == '\r')
        text--;
    if (text > 0)
        memcpy(buf, cordi_stream_bytes(call), text);
    buf[text] = 0;
    cordi_stream_drop(call, length + newline);
    return (ssize_t)(text + newline);
}

ssize_t cord_read_line(cord_socket socket, char *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    size_t seen = 0;
    if (size == 0)
        return cordi_fail(-EINVAL, "cord_read_line: no room for a line");
    ssize_t rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    for (;;) {
        ssize_t length = find_line(&call, seen, size);
        if (length != -EAGAIN) {
            rc = length < 0 ? length : take_line(&call, buf, (size_t)length, 1);
            break;
        }
        seen = cordi_stream_kept(&call);
        rc = cordi_stream_fill(&call);
        if (rc < 0)
            break;
        if (rc == 0) {
            rc = seen >= size ? CORD_ETOOLONG : take_line(&call, buf, seen, 0);
            break;
        }
    }
    return cordi_socket_leave(&call, rc);
}

ssize_t cord_read_exact(cord_socket socket, void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    int rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    return cordi_socket_leave(&call, cordi_stream_take(&call, 0, buf, size));
}

ssize_t cord_read_until(cord_socket socket, void *buf, size_t size, const char *delimiter, cord_deadline deadline)
{
    struct cordi_call call;
    size_t seen = 0, width = strlen(delimiter);
    if (width == 0)
        return cordi_fail(-EINVAL, "cord_read_until: an empty delimiter");
    ssize_t rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    for (;;) {
        size_t kept = cordi_stream_kept(&call), from = seen < width ? 0 : seen - width + 1;
        size_t within = kept < size ? kept : size;
        const char *bytes = kept > 0 ? cordi_stream_bytes(&call) : NULL;
        const char *found = within > from ? memmem(bytes + from, within - from, delimiter, width) : NULL;
        if (found != NULL) {
            rc = (ssize_t)cordi_recv_kept(call.socket, buf, (size_t)(found - bytes) + width, false);
            break;
        }
        rc = kept >= size ? CORD_ETOOLONG : cordi_stream_fill(&call);
        if (rc <= 0) {
            rc = rc == 0 && kept > 0 ? CORD_EENDED : rc;
            break;
        }
        seen = kept;
    }
    return cordi_socket_leave(&call, rc);
}

ssize_t cord_peek(cord_socket socket, void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    ssize_t rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    if (size > 0 && cordi_stream_kept(&call) == 0)
        rc = cordi_stream_fill(&call);
    if (rc >= 0)
        rc = (ssize_t)cordi_recv_kept(call.socket, buf, size, true);
    return cordi_socket_leave(&call, rc);
}

/* ---- writing ---- */

/* Sends what is kept and buf together. What of it did not go stays kept or is counted as not sent. */
static int write_through(struct cordi_call *call, const void *buf, size_t size, size_t *sent)
{
    struct cordi_writer *writer = call->socket->writer;
    size_t kept = writer->size, both = 0;
    const struct iovec pieces[2] = { { writer->bytes, kept }, { (void *)(uintptr_t)buf, size } };
    writer->size = 0; /* so that the first piece is not sent twice */
    int rc = cordi_send_pieces(call, pieces, 2, &both);
    size_t gone = both < kept ? both : kept;
    writer->size = kept - gone;
    memmove(writer->bytes, writer->bytes + gone, writer->size);
    *sent += both - gone;
    return rc;
}

ssize_t cord_write(cord_socket socket, const void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    size_t *sent = cordi_self_sent();
    *sent = 0;
    int rc = cordi_stream_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    struct cordi_writer *writer = call.socket->writer;
    if (writer == NULL) {
        writer = call.socket->writer = malloc(sizeof *writer);
        if (writer == NULL)
            return cordi_socket_leave(&call, -ENOMEM);
        writer->size = 0;
    }
    if (size > sizeof writer->bytes - writer->size) {
        rc = write_through(&call, buf, size, sent);
    } else if (size > 0) {
        memcpy(writer->bytes + writer->size, buf, size);
        writer->size += size;
        *sent = size;
    }
    return cordi_socket_leave(&call, rc < 0 ? rc : (ssize_t)size);
}

int cord_flush(cord_socket socket, cord_deadline deadline)
{
    struct cordi_call call;
    size_t *sent = cordi_self_sent();
    *sent = 0;
    int rc = cordi_stream_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    size_t before = call.socket->writer == NULL ? 0 : call.socket->writer->size;
    rc = cordi_send_kept(&call);
    *sent = before - (call.socket->writer == NULL ? 0 : call.socket->writer->size);
    return (int)cordi_socket_leave(&call, rc);
}
