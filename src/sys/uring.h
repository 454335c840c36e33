/* sys/uring.h - io_uring(7) as a loop needs it: repeated polls of descriptors, their removal, one wait.
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

/* Answers with poll(2)'s events at once, if there are some, and at each change, until an answer without `more`. Data 0
 * is not for users. Fails: -EBUSY, -EAGAIN (no room in the kernel). */
int cordi_uring_poll(struct cordi_uring *ring, int fd, unsigned events, uint64_t data);

/* Ends the poll with that data, or all polls, whose last answer is then -ECANCELED. That of the removal itself has data
 * 0. Fails: as poll. */
int cordi_uring_cancel(struct cordi_uring *ring, uint64_t data);
int cordi_uring_cancel_all(struct cordi_uring *ring);

/* Submits, and sleeps until something comes, at most `timeout` ns (0: only looks, < 0: for ever), or a signal. */
void cordi_uring_wait(struct cordi_uring *ring, int64_t timeout);

/* Takes at most `count` answers out; how many. */
unsigned cordi_uring_take(struct cordi_uring *ring, struct cordi_uring_event *events, unsigned count);

#endif
