/* sys/fd.h - descriptors: what rt does with them. Each call answers -errno and restarts after EINTR unless it says so.
 */
#ifndef CORDI_SYS_FD_H
#define CORDI_SYS_FD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

ssize_t cordi_fd_read(int fd, void *buf, size_t size);
ssize_t cordi_fd_write(int fd, const void *buf, size_t size);
ssize_t cordi_fd_readv(int fd, const struct iovec *pieces, int count);
ssize_t cordi_fd_writev(int fd, const struct iovec *pieces, int count); /* never raises SIGPIPE */
ssize_t cordi_fd_recv(int fd, void *buf, size_t size, int flags);
ssize_t cordi_fd_send(int fd, const void *buf, size_t size, int flags); /* never raises SIGPIPE */
ssize_t cordi_fd_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t cordi_fd_sendmsg(int fd, const struct msghdr *message, int flags); /* never raises SIGPIPE */
int cordi_fd_recvmmsg(int fd, struct mmsghdr *list, unsigned count, int flags);
int cordi_fd_sendmmsg(int fd, struct mmsghdr *list, unsigned count, int flags); /* never raises SIGPIPE */
int cordi_fd_accept(int fd, struct sockaddr *peer, socklen_t *length);          /* close-on-exec, blocking mode */
int cordi_fd_connect(int fd, const struct sockaddr *to, socklen_t length);      /* -EINPROGRESS after EINTR too */
int cordi_fd_post(int fd, const void *buf, size_t size); /* one send that does not wait. Async-signal-safe */
void cordi_fd_close(int fd);

/* Until `deadline` on the monotonic clock (0: for ever, < 0: do not wait). EINTR answers 0 ready ones. */
int cordi_fd_poll(struct pollfd *fds, unsigned count, int64_t deadline);

int cordi_fd_event(void);        /* eventfd(2), non-blocking, close-on-exec */
void cordi_fd_event_set(int fd); /* async-signal-safe */
void cordi_fd_event_clear(int fd);

int cordi_fd_epoll(void);
int cordi_fd_epoll_add(int epoll, int fd, uint32_t events, uint64_t data);
int cordi_fd_epoll_remove(int epoll, int fd);
int cordi_fd_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t timeout); /* ns; < 0: for ever */

/* SOCK_STREAM, SOCK_DGRAM..., 0 for what is no socket. -EBADF */
int cordi_fd_socket_type(int fd);
bool cordi_fd_is_nonblocking(int fd);

#endif
