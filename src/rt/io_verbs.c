/* rt/io_verbs.c - the calls on descriptors that wait: each tries without blocking, and waits for readiness when it
 * must. A call that goes well too many times in a row lets the loop's other coroutines run. */
#include "rt/io.h"

#include <errno.h>

#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/fd.h"

enum { READY_IN_A_ROW = 128, PIPE_PIECE = 4096 /* what a pipe that is ready takes without blocking */ };

/* Also counts the datagrams of one call: each has its price. */
static int done_many(struct cord_task *self, int answer)
{
    self->ready_streak += answer > 0 ? (uint32_t)answer : 1;
    if (self->loop != NULL && self->ready_streak >= READY_IN_A_ROW)
        cordi_loop_yield(self);
    return answer;
}

static ssize_t done(struct cord_task *self, ssize_t answer)
{
    (void)done_many(self, 1);
    return answer;
}

static int not_ready(void)
{
    return cordi_fail(-EAGAIN, "not ready");
}

/* Before another try, after one that found the descriptor not ready: waits, *rc is how that ended. 0, or the call's
 * answer. Out of time it is tried once more. */
static int wait_again(struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline, int *rc)
{
    if (deadline.at == CORD_NOWAIT.at)
        return not_ready();
    if (*rc < 0)
        return *rc;
    *rc = cordi_io_wait(io, direction, deadline);
    return *rc == -ETIMEDOUT ? 0 : *rc;
}

static bool ready_now(int fd, short events)
{
    struct pollfd poll = { .fd = fd, .events = events };
    return cordi_fd_poll(&poll, 1, -1) > 0;
}

/* Descriptors that were given to us stay in the mode they are in; one in blocking mode is asked first. */
static bool patient(struct cordi_io *io)
{
    if (io->patient < 0)
        io->patient = !cordi_fd_is_nonblocking(io->fd);
    return io->patient;
}

/* One piece and nothing besides: the kernel then need not read a struct msghdr. */
static bool plain(const struct msghdr *message)
{
    return message->msg_iovlen == 1 && message->msg_name == NULL && message->msg_control == NULL;
}

static ssize_t try_read(struct cordi_io *io, struct msghdr *message, int flags)
{
    if (io->type == SOCK_STREAM && plain(message)) {
        message->msg_flags = 0;
        return cordi_fd_recv(io->fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags | MSG_DONTWAIT);
    }
    if (io->type != 0)
        return cordi_fd_recvmsg(io->fd, message, flags | MSG_DONTWAIT);
    if (patient(io) && !ready_now(io->fd, POLLIN))
        return -EAGAIN;
    message->msg_flags = 0;
    message->msg_namelen = 0;
    return cordi_fd_readv(io->fd, message->msg_iov, (int)message->msg_iovlen);
}

static bool took_all(const struct cordi_io *io, const struct msghdr *message, int flags, ssize_t count)
{
    size_t room = 0;
    if (io->type != SOCK_STREAM || flags != 0 || count <= 0)
        return false;
    for (size_t i = 0; i < (size_t)message->msg_iovlen; i++)
        room += message->msg_iov[i].iov_len;
    return (size_t)count < room;
}

/* A datagram socket whose reading side was shut down: a blocking recv(2) answers 0 there, but one that does not block
 * says EAGAIN for ever, while poll(2) calls it readable. */
static bool shut_down(const struct cordi_io *io)
{
    struct pollfd poll = { .fd = io->fd, .events = POLLRDHUP };
    return io->type == SOCK_DGRAM && cordi_fd_poll(&poll, 1, -1) > 0 && (poll.revents & POLLRDHUP);
}

ssize_t cordi_io_recvmsg(struct cordi_io *io, struct msghdr *message, int flags, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    struct cordi_direction_state *d = &io->direction[CORDI_READ];
    bool wait_first = d->drained && !d->ended && deadline.at != CORD_NOWAIT.at;
    for (;;) {
        int rc = 0;
        ssize_t count = -EAGAIN;
        if (wait_first)
            rc = cordi_io_wait(io, CORDI_READ, deadline);
        if (rc == 0 || rc == -ETIMEDOUT) /* out of time, but never without having tried */
            count = try_read(io, message, flags);
        d->drained = took_all(io, message, flags, count);
        if (count != -EAGAIN)
            return done(self, count);
        if ((wait_first || d->ended) && shut_down(io))
            return done(self, 0);
        if (rc < 0)
            return rc;
        if (deadline.at == CORD_NOWAIT.at)
            return not_ready();
        wait_first = true;
    }
}

int cordi_io_recvmmsg(struct cordi_io *io, struct mmsghdr *list, unsigned count, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    struct cordi_direction_state *d = &io->direction[CORDI_READ];
    bool wait_first = d->drained && !d->ended && deadline.at != CORD_NOWAIT.at;
    for (;;) {
        int rc = wait_first ? cordi_io_wait(io, CORDI_READ, deadline) : 0, got = -EAGAIN;
        if (rc == 0 || rc == -ETIMEDOUT)
            got = cordi_fd_recvmmsg(io->fd, list, count, MSG_DONTWAIT);
        d->drained = got > 0 && (unsigned)got < count;
        if (got != -EAGAIN)
            return done_many(self, got);
        if ((wait_first || d->ended) && shut_down(io))
            return done_many(self, 0);
        if (rc < 0)
            return rc;
        if (deadline.at == CORD_NOWAIT.at)
            return not_ready();
        wait_first = true;
    }
}

int cordi_io_sendmmsg(struct cordi_io *io, struct mmsghdr *list, unsigned count, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    for (int rc = 0;;) {
        int sent = cordi_fd_sendmmsg(io->fd, list, count, MSG_DONTWAIT);
        if (sent != -EAGAIN)
            return done_many(self, sent);
        int answer = wait_again(io, CORDI_WRITE, deadline, &rc);
        if (answer < 0)
            return answer;
    }
}

static ssize_t try_write(struct cordi_io *io, const struct msghdr *message, int flags)
{
    if (io->type != 0 && plain(message))
        return cordi_fd_send(io->fd, message->msg_iov->iov_base, message->msg_iov->iov_len, flags | MSG_DONTWAIT);
    if (io->type != 0)
        return cordi_fd_sendmsg(io->fd, message, flags | MSG_DONTWAIT);
    if (!patient(io))
        return cordi_fd_writev(io->fd, message->msg_iov, (int)message->msg_iovlen);
    if (!ready_now(io->fd, POLLOUT))
        return -EAGAIN;
    struct iovec piece = message->msg_iov[0];
    piece.iov_len = piece.iov_len < PIPE_PIECE ? piece.iov_len : PIPE_PIECE;
    return cordi_fd_writev(io->fd, &piece, 1);
}

ssize_t cordi_io_sendmsg(struct cordi_io *io, const struct msghdr *message, int flags, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    for (int rc = 0;;) {
        ssize_t count = try_write(io, message, flags);
        if (count != -EAGAIN)
            return done(self, count);
        int answer = wait_again(io, CORDI_WRITE, deadline, &rc);
        if (answer < 0)
            return answer;
    }
}

int cordi_io_accept(struct cordi_io *io, struct sockaddr *peer, socklen_t *length, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    for (int rc = 0;;) {
        int fd = patient(io) && !ready_now(io->fd, POLLIN) ? -EAGAIN : cordi_fd_accept(io->fd, peer, length);
        if (fd != -EAGAIN)
            return (int)done(self, fd);
        int answer = wait_again(io, CORDI_READ, deadline, &rc);
        if (answer < 0)
            return answer;
    }
}

int cordi_io_connect(struct cordi_io *io, const struct sockaddr *to, socklen_t length)
{
    return cordi_fd_connect(io->fd, to, length);
}
