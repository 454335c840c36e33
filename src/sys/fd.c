/* sys/fd.c - the border where -1 and errno become -errno, and where EINTR ends. */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/ctx.h"
#include "sys/output.h"

#define RESTART(call)                                                                                                  \
    __extension__({                                                                                                    \
        ssize_t rc_;                                                                                                   \
        do                                                                                                             \
            rc_ = (call);                                                                                              \
        while (rc_ < 0 && errno == EINTR);                                                                             \
        rc_ < 0 ? -errno : rc_;                                                                                        \
    })

ssize_t cordi_fd_read(int fd, void *buf, size_t size)
{
    return RESTART(read(fd, buf, size));
}

ssize_t cordi_fd_write(int fd, const void *buf, size_t size)
{
    return RESTART(write(fd, buf, size));
}

ssize_t cordi_fd_readv(int fd, const struct iovec *pieces, int count)
{
    return RESTART(readv(fd, pieces, count));
}

ssize_t cordi_fd_writev(int fd, const struct iovec *pieces, int count)
{
    struct cordi_output_hold hold;
    cordi_output_hold(&hold);
    ssize_t rc = RESTART(writev(fd, pieces, count));
    cordi_output_release(&hold, rc == -EPIPE);
    return rc;
}

ssize_t cordi_fd_recv(int fd, void *buf, size_t size, int flags)
{
    return RESTART(recv(fd, buf, size, flags));
}

ssize_t cordi_fd_send(int fd, const void *buf, size_t size, int flags)
{
    return RESTART(send(fd, buf, size, flags | MSG_NOSIGNAL));
}

int cordi_fd_post(int fd, const void *buf, size_t size)
{
    int saved = errno;
    int rc = send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
    errno = saved;
    return rc;
}

ssize_t cordi_fd_recvmsg(int fd, struct msghdr *message, int flags)
{
    return RESTART(recvmsg(fd, message, flags));
}

ssize_t cordi_fd_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return RESTART(sendmsg(fd, message, flags | MSG_NOSIGNAL));
}

int cordi_fd_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags)
{
    return (int)RESTART(recvmmsg(fd, list, count, flags, NULL));
}

int cordi_fd_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags)
{
    return (int)RESTART(sendmmsg(fd, list, count, flags | MSG_NOSIGNAL));
}

int cordi_fd_accept(int fd, struct sockaddr *peer, socklen_t *length)
{
    return (int)RESTART(accept4(fd, peer, length, SOCK_CLOEXEC));
}

int cordi_fd_connect(int fd, const struct sockaddr *to, socklen_t length)
{
    if (connect(fd, to, length) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno; /* an interrupted connect goes on by itself */
}

void cordi_fd_close(int fd)
{
    close(fd); /* Linux frees the descriptor whatever it answers; a restart could close another's */
}

int cordi_fd_poll(struct pollfd *fds, unsigned count, int64_t deadline)
{
    struct timespec left = { 0 };
    if (deadline > 0) {
        int64_t ns = deadline - cordi_clock_now();
        if (ns > 0)
            left = (struct timespec){ ns / 1000000000, ns % 1000000000 };
    }
    int rc = ppoll(fds, count, deadline == 0 ? NULL : &left, NULL);
    if (rc >= 0)
        return rc;
    return errno == EINTR ? 0 : -errno;
}

int cordi_fd_event(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void cordi_fd_event_set(int fd)
{
    int saved = errno;
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = saved;
}

void cordi_fd_event_clear(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

int cordi_fd_epoll(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int cordi_fd_epoll_add(int epoll, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int cordi_fd_epoll_remove(int epoll, int fd)
{
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

/* Before Linux 5.11 there are only whole milliseconds, rounded up. TSan, too, knows the old call only: it runs a
 * signal's handler late in those that it does not know. */
int cordi_fd_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t timeout)
{
    static atomic_bool old = CORDI_TSAN;
    struct timespec left = { timeout / 1000000000, timeout % 1000000000 };
    int64_t whole = timeout / 1000000 + (timeout % 1000000 > 0);
    int rc = -1;
    if (!atomic_load_explicit(&old, memory_order_relaxed)) {
        rc = epoll_pwait2(epoll, events, count, timeout < 0 ? NULL : &left, NULL);
        if (rc < 0 && errno == ENOSYS)
            atomic_store_explicit(&old, true, memory_order_relaxed);
    }
    if (atomic_load_explicit(&old, memory_order_relaxed))
        rc = epoll_wait(epoll, events, count, timeout < 0 ? -1 : whole < INT_MAX ? (int)whole : INT_MAX);
    if (rc >= 0)
        return rc;
    return errno == EINTR ? 0 : -errno;
}

int cordi_fd_socket_type(int fd)
{
    int type;
    socklen_t length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0)
        return type;
    return errno == ENOTSOCK ? 0 : -errno;
}

bool cordi_fd_is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK);
}
