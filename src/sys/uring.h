/* sys/uring.h - io_uring(7) as a loop needs it: polls of descriptors, their removal, one wait.
 *
 * Requests are batched: nothing is submitted before the wait, which is one system call for all of them and for the
 * sleep, and none when there is nothing to submit and nothing has come. The ring belongs to the thread that opened it.
 * What a kernel lacks is probed downwards, and a request really goes through the ring before it counts as open:
 * containers often let the set-up pass and forbid the rest.
 */
#ifndef CORDI_SYS_URING_H
#define CORDI_SYS_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cordi_uring;

struct cordi_uring_event {
    uint64_t data; /* of the request */
    int result;    /* a poll: its events, or -errno; -ECANCELED after a removal */
    bool more;     /* the request stays and will answer again */
};

/* Fails: -ENOSYS, -EPERM (forbidden here), -EINVAL (this kernel's is too old), -ENOMEM, -EMFILE. */
int cordi_uring_open(struct cordi_uring **ret);

/* What is armed ends with it. In a forked child: closes the child's copy only. NULL is allowed. */
void cordi_uring_close(struct cordi_uring *ring);

/* poll(2)'s events once, or (repeated) at each change until an answer without `more`. Data 0 is not for users.
 * Fails: -EBUSY, -EAGAIN (no room in the kernel). */
int cordi_uring_poll(struct cordi_uring *ring, int fd, unsigned events, bool repeated, uint64_t data);

/* Waits until the stream has something, and receives it. -EAGAIN is the answer for a descriptor in non-blocking mode.
 * As poll, and -ENOSYS. */
int cordi_uring_recv(struct cordi_uring *ring, int fd, void *buf, size_t size, uint64_t data);

/* Ends the poll or receive with that data, which then answers -ECANCELED, unless its answer has come already. */
int cordi_uring_cancel(struct cordi_uring *ring, uint64_t data);

/* Submits, and sleeps until something comes, at most `timeout` ns (0: only looks, < 0: for ever), or a signal. */
void cordi_uring_wait(struct cordi_uring *ring, int64_t timeout);

/* Takes at most `count` answers out; how many. */
unsigned cordi_uring_take(struct cordi_uring *ring, struct cordi_uring_event *events, unsigned count);

#endif
