/* net/datagram.c - many datagrams a call, and trains.
 *
 * One recvmmsg(2) or sendmmsg(2) for up to 64 datagrams; its headers lie on the stack (6.5 KiB) and last for one call.
 * A train is one packet for the kernel: UDP_SEGMENT tells it on the way out where to cut, UDP_GRO on the way in where
 * it was cut. Nothing is told of what a kernel can: it is asked once for each socket (one that does not know
 * UDP_SEGMENT would send a train as one datagram), and a train that it refuses, because a datagram is longer than the
 * path's packets or the device cannot, is sent again as single datagrams.
 * Receiving takes 64 in one kernel call and no more, because a second call that fails would swallow the socket's error.
 * Left: headers kept in each socket (a page and a half for each socket; filling them anew is part of the 0.5 % of an
 * echo's time that is spent outside the kernel), and io_uring's multishot receive (6 to 20 % slower than recvmmsg).
 */
#include <cordage/datagram.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "net/socket.h"
#include "rt/park.h"

enum { BATCH = 64, CUTS_MOST = 64, DATAGRAM_MOST = 65507 };

/* The headers of one kernel call. */
struct batch {
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } controls[BATCH];
};

static int enter(struct cordi_call *call, cord_socket socket, enum cordi_direction direction, cord_deadline deadline)
{
    int rc = cordi_socket_enter(call, socket, direction, deadline);
    return rc == 0 && !call->socket->is_datagram ? (int)cordi_socket_leave(call, -EOPNOTSUPP) : rc;
}

static struct msghdr *header(struct batch *batch, unsigned i, void *data, size_t size)
{
    batch->pieces[i] = (struct iovec){ data, size };
    batch->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &batch->pieces[i], .msg_iovlen = 1 };
    return &batch->messages[i].msg_hdr;
}

/* ---- receiving ---- */

void cordi_socket_take_trains(cord_socket socket)
{
    struct cordi_io *io = cordi_io_get(socket.id);
    struct cordi_socket *data = cordi_socket_of(io);
    if (data->is_datagram) {
        data->trains = true;
        (void)cordi_net_set(cordi_io_fd(io), SOL_UDP, UDP_GRO, 1); /* without it each train is of one */
    }
    cordi_io_put(io);
}

static void ask(struct batch *batch, cord_datagram *list, unsigned count, bool trains)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *message = header(batch, i, list[i].data, list[i].room);
        message->msg_name = list[i].peer.raw;
        message->msg_namelen = sizeof list[i].peer.raw;
        if (trains) {
            message->msg_control = &batch->controls[i];
            message->msg_controllen = sizeof batch->controls[i];
        }
    }
}

/* The size of a train's datagrams; 0: it came alone. */
static size_t cut_at(struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int size = 0;
    if (control != NULL && control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO)
        memcpy(&size, CMSG_DATA(control), sizeof size);
    return size > 0 ? (size_t)size : 0;
}

static void tell(struct batch *batch, cord_datagram *list, unsigned count, cord_transport transport)
{
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *message = &batch->messages[i].msg_hdr;
        cord_datagram *this = &list[i];
        size_t cut = cut_at(message), length = message->msg_namelen;
        this->size = batch->messages[i].msg_len;
        this->segment = cut > 0 && cut < this->size ? cut : this->size;
        this->truncated = (message->msg_flags & MSG_TRUNC) != 0;
        this->peer.transport = (uint16_t)transport;
        this->peer.length = (uint16_t)(length <= sizeof(sa_family_t) ? 0 : length);
        this->peer.fd = 0;
    }
}

int cord_recv_many(cord_socket socket, cord_datagram *list, size_t count, cord_deadline deadline)
{
    struct batch batch;
    struct cordi_call call;
    if (count == 0)
        return cordi_fail(-EINVAL, "cord_recv_many: a list of 0 datagrams has no room for one");
    int rc = enter(&call, socket, CORDI_READ, deadline);
    if (rc < 0)
        return rc;
    unsigned most = count < BATCH ? (unsigned)count : BATCH;
    ask(&batch, list, most, call.socket->trains);
    rc = cordi_io_recvmmsg(call.io, batch.messages, most, call.deadline);
    if (rc > 0)
        tell(&batch, list, (unsigned)rc, (cord_transport)call.socket->name.transport);
    return (int)cordi_socket_leave(&call, rc);
}

/* ---- sending ---- */

/* How far a list has gone. */
struct cursor {
    const cord_datagram *list;
    size_t count, index, offset; /* list[index] is out up to offset */
    bool cuts;                   /* the kernel cuts trains */
    bool one_by_one;             /* but not this one */
};

/* How much of list[index] one message takes. */
static size_t next_piece(const struct cursor *at)
{
    const cord_datagram *this = &at->list[at->index];
    size_t left = this->size - at->offset, segment = this->segment;
    if (segment == 0 || segment >= left)
        return left;
    if (!at->cuts || at->one_by_one || segment > DATAGRAM_MOST / 2)
        return segment;
    size_t most = segment * (DATAGRAM_MOST / segment < CUTS_MOST ? DATAGRAM_MOST / segment : CUTS_MOST);
    return left < most ? left : most;
}

static void advance(struct cursor *at, size_t size)
{
    at->offset += size;
    if (at->offset < at->list[at->index].size)
        return;
    at->index++;
    at->offset = 0;
    at->one_by_one = false;
}

static void set_cut(struct msghdr *message, void *control, size_t segment)
{
    uint16_t size = (uint16_t)segment;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof size);
    memset(control, 0, CMSG_SPACE(sizeof size)); /* the kernel reads the padding too */
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(head), &size, sizeof size);
}

/* The messages that come next; how many. */
static unsigned fill(struct batch *batch, struct cursor at)
{
    unsigned count = 0;
    for (; count < BATCH && at.index < at.count; count++) {
        const cord_datagram *this = &at.list[at.index];
        size_t size = next_piece(&at);
        struct msghdr *message = header(batch, count, (char *)this->data + at.offset, size);
        if (this->peer.length > 0) {
            message->msg_name = (void *)(uintptr_t)this->peer.raw;
            message->msg_namelen = this->peer.length;
        }
        if (this->segment > 0 && size > this->segment)
            set_cut(message, &batch->controls[count], this->segment);
        advance(&at, size);
    }
    return count;
}

/* A full queue of a UNIX datagram socket without a peer: there is nothing to wait on (send.c). */
static int send_batch(struct cordi_call *call, struct batch *batch, unsigned count)
{
    cord_span nap = 0;
    if (call->socket->name.transport != CORD_UNIXGRAM || batch->messages[0].msg_hdr.msg_name == NULL)
        return cordi_io_sendmmsg(call->io, batch->messages, count, call->deadline);
    for (;;) {
        int sent = cordi_io_sendmmsg(call->io, batch->messages, count, CORD_NOWAIT);
        int rc = sent == -EAGAIN ? cordi_limit_nap(call, &nap) : 0;
        if (sent != -EAGAIN || rc < 0)
            return rc < 0 ? rc : sent;
    }
}

/* What a kernel answers that will not cut this train. */
static bool is_refused_train(int rc, const struct batch *batch)
{
    return batch->messages[0].msg_hdr.msg_control != NULL &&
           (rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO || rc == -EOPNOTSUPP);
}

static int send_list(struct cordi_call *call, struct cursor *at)
{
    struct batch batch;
    while (at->index < at->count) {
        int sent = send_batch(call, &batch, fill(&batch, *at));
        if (sent < 0 && is_refused_train(sent, &batch)) {
            at->one_by_one = true;
            continue;
        }
        if (sent < 0 && (sent = cordi_limit_wait(call, sent)) < 0)
            return sent;
        for (int i = 0; i < sent; i++)
            advance(at, batch.pieces[i].iov_len);
        if (sent > 0)
            call->since = 0;
        if (at->index < at->count && (sent = (int)cordi_call_more(call, 0)) < 0)
            return sent;
    }
    return 0;
}

static bool kernel_cuts(const struct cordi_call *call)
{
    struct cordi_socket *socket = call->socket;
    int size;
    if (socket->cuts == 0)
        socket->cuts = cordi_net_get(cordi_io_fd(call->io), SOL_UDP, UDP_SEGMENT, &size) == 0 ? 1 : -1;
    return socket->cuts > 0;
}

int cord_send_many(cord_socket socket, const cord_datagram *list, size_t count, cord_deadline deadline)
{
    struct cordi_call call;
    size_t *sent = cordi_self_sent();
    *sent = 0;
    if (count > INT_MAX)
        return cordi_fail(-EINVAL, "cord_send_many: %zu datagrams; one call sends at most %d", count, INT_MAX);
    int rc = enter(&call, socket, CORDI_WRITE, deadline);
    if (rc < 0)
        return rc;
    struct cursor at = { .list = list, .count = count, .cuts = kernel_cuts(&call) };
    rc = send_list(&call, &at);
    *sent = at.index;
    (void)cordi_socket_leave(&call, rc);
    bool is_about_peer = rc < 0 && rc != -EBADF && rc != -EMSGSIZE && rc != -ECANCELED &&
                         list[at.index].peer.length > 0 && !cordi_limit_cut(&call, rc);
    char name[CORD_ADDRESS_TEXT];
    if (is_about_peer)
        return cordi_fail_code(rc, "%s", cord_address_text(&list[at.index].peer, name, sizeof name));
    return rc < 0 ? rc : (int)count;
}
