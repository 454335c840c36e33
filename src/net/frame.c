/* net/frame.c - messages with their length in front, as Python's multiprocessing.connection sends them: 4 bytes, big
 * endian, signed; -1 is followed by 8 bytes. Head and body leave in one system call. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "net/stream.h"
#include "rt/park.h"

enum { HEAD_SHORT = 4, HEAD_LONG = 12 };

ssize_t cord_send_frame(cord_socket socket, const void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    char head[HEAD_LONG];
    size_t *sent = cordi_self_sent(), width = size > INT32_MAX ? HEAD_LONG : HEAD_SHORT;
    uint32_t small = size > INT32_MAX ? UINT32_MAX : htonl((uint32_t)size);
    uint64_t large = htobe64((uint64_t)size);
    memcpy(head, &small, sizeof small);
    memcpy(head + sizeof small, &large, sizeof large);
    *sent = 0;
    int rc = cordi_stream_enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    rc = cordi_send_pieces(&call, (struct iovec[]){ { head, width }, { (void *)(uintptr_t)buf, size } }, 2, sent);
    *sent -= *sent < width ? *sent : width;
    return cordi_socket_leave(&call, rc < 0 ? rc : (ssize_t)size);
}

/* Waits until `size` bytes are kept. 0, CORD_EENDED, -errno. */
static int await(struct cordi_call *call, size_t size)
{
    while (cordi_stream_kept(call) < size) {
        ssize_t rc = cordi_stream_fill(call);
        if (rc <= 0)
            return rc == 0 ? CORD_EENDED : (int)rc;
    }
    return 0;
}

/* The length of the frame that comes next, its head in *width and still kept. */
static int64_t read_head(struct cordi_call *call, size_t *width)
{
    uint32_t small;
    uint64_t large;
    int rc = await(call, HEAD_SHORT);
    if (rc < 0)
        return rc;
    memcpy(&small, cordi_stream_bytes(call), sizeof small);
    small = ntohl(small);
    *width = HEAD_SHORT;
    if (small <= INT32_MAX)
        return small;
    if (small != UINT32_MAX)
        return -EPROTO;
    rc = await(call, HEAD_LONG);
    if (rc < 0)
        return rc;
    memcpy(&large, cordi_stream_bytes(call) + HEAD_SHORT, sizeof large);
    large = be64toh(large);
    *width = HEAD_LONG;
    return large > INT64_MAX ? -EPROTO : (int64_t)large;
}

ssize_t cord_recv_frame(cord_socket socket, void *buf, size_t size, cord_deadline deadline)
{
    struct cordi_call call;
    size_t width;
    int rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    int64_t length = read_head(&call, &width);
    if (length >= 0)
        length = (uint64_t)length > size ? CORD_ETOOLONG : cordi_stream_take(&call, width, buf, (size_t)length);
    return cordi_socket_leave(&call, (ssize_t)length);
}

int64_t cord_frame_size(cord_socket socket, cord_deadline deadline)
{
    struct cordi_call call;
    size_t width;
    int rc = cordi_stream_enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    return cordi_socket_leave(&call, (ssize_t)read_head(&call, &width));
}
