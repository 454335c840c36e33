/* sys/uring.c - io_uring through liburing; the design is in uring.h. */
#include "sys/uring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

#include "sys/clock.h"
#include "sys/ctx.h"
#include "sys/fd.h"

enum {
    SUBMISSIONS = 256,
    COMPLETIONS = 4096, /* more than that are kept by the kernel */
    BATCH = 64,
    SUBMIT_TRIES = 3
};

struct cordi_uring {
    struct io_uring ring;
};

/* From the best to what Linux 5.11 has. DEFER_TASKRUN: completions are made in our own waits and interrupt nothing
 * (without it or COOP_TASKRUN a half idle loop costs 40 % more). TASKRUN_FLAG: a look at memory tells that some wait.
 */
static const unsigned flag_sets[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

/* One request there and back. */
static int try_out(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe;
    if (sqe == NULL)
        return -EBUSY;
    io_uring_prep_nop(sqe);
    sqe->user_data = 0;
    int rc = io_uring_submit_and_wait(ring, 1);
    if (rc >= 0)
        rc = io_uring_peek_cqe(ring, &cqe);
    if (rc < 0)
        return rc;
    rc = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return rc < 0 ? rc : 0;
}

static int set_up(struct io_uring *ring)
{
    int rc = -EINVAL;
    for (size_t i = 0; i < sizeof flag_sets / sizeof *flag_sets && rc == -EINVAL; i++) {
        struct io_uring_params params = { .flags = flag_sets[i] | IORING_SETUP_CQSIZE, .cq_entries = COMPLETIONS };
        rc = io_uring_queue_init_params(SUBMISSIONS, ring, &params);
        if (rc == 0 && (params.features & (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) !=
                           (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP)) {
            io_uring_queue_exit(ring);
            return -EINVAL;
        }
    }
    return rc;
}

int cordi_uring_open(struct cordi_uring **ret)
{
    struct cordi_uring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return -ENOMEM;
    int rc = set_up(&ring->ring);
    if (rc == 0) {
        (void)io_uring_register_ring_fd(&ring->ring); /* saves looking the descriptor up at each wait */
        rc = try_out(&ring->ring);
        if (rc < 0)
            io_uring_queue_exit(&ring->ring);
    }
    if (rc < 0) {
        free(ring);
        return rc;
    }
    *ret = ring;
    return 0;
}

void cordi_uring_close(struct cordi_uring *ring)
{
    if (ring == NULL)
        return;
    io_uring_queue_exit(&ring->ring);
    free(ring);
}

/* A free entry; when there is none, what is queued goes to the kernel first. */
static int get_entry(struct cordi_uring *ring, struct io_uring_sqe **ret)
{
    int rc = -EBUSY;
    for (int i = 0; i < SUBMIT_TRIES; i++) {
        *ret = io_uring_get_sqe(&ring->ring);
        if (*ret != NULL)
            return 0;
        rc = io_uring_submit(&ring->ring);
    }
    return rc < 0 ? rc : -EBUSY;
}

int cordi_uring_poll(struct cordi_uring *ring, int fd, unsigned events, uint64_t data)
{
    struct io_uring_sqe *sqe;
    int rc = get_entry(ring, &sqe);
    if (rc < 0)
        return rc;
    io_uring_prep_poll_multishot(sqe, fd, events);
    sqe->user_data = data;
    return 0;
}

static int cancel(struct cordi_uring *ring, uint64_t data, int flags)
{
    struct io_uring_sqe *sqe;
    int rc = get_entry(ring, &sqe);
    if (rc < 0)
        return rc;
    io_uring_prep_cancel64(sqe, data, flags);
    sqe->user_data = 0;
    return 0;
}

int cordi_uring_cancel(struct cordi_uring *ring, uint64_t data)
{
    return cancel(ring, data, 0);
}

int cordi_uring_cancel_all(struct cordi_uring *ring)
{
    return cancel(ring, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
}

/* TSan runs a signal's handler only in a system call that it knows: there the sleep is a poll(2) of the ring. The
 * kernel need not wake it for work that is deferred to this thread (DEFER_TASKRUN), so it looks every few ms. */
static void sleep_in_poll(struct io_uring *r, int64_t timeout)
{
    const int64_t most = 5 * 1000 * 1000;
    struct pollfd fd = { .fd = r->ring_fd, .events = POLLIN };
    (void)io_uring_submit(r);
    (void)cordi_fd_poll(&fd, 1, cordi_clock_now() + (timeout < 0 || timeout > most ? most : timeout));
}

void cordi_uring_wait(struct cordi_uring *ring, int64_t timeout)
{
    struct io_uring *r = &ring->ring;
    if (CORDI_TSAN && timeout != 0) {
        sleep_in_poll(r, timeout);
        timeout = 0;
    }
    struct io_uring_cqe *cqe;
    struct __kernel_timespec time = { timeout / 1000000000, timeout % 1000000000 };
    if (timeout < 0)
        (void)io_uring_submit_and_wait(r, 1);
    else if (timeout > 0)
        (void)io_uring_submit_and_wait_timeout(r, &cqe, 1, &time, NULL);
    else if (io_uring_sq_ready(r) > 0 ||
             (IO_URING_READ_ONCE(*r->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
        (void)io_uring_submit_and_get_events(r);
}

unsigned cordi_uring_take(struct cordi_uring *ring, struct cordi_uring_event *events, unsigned count)
{
    unsigned taken = 0;
    while (taken < count) {
        struct io_uring_cqe *cqes[BATCH];
        unsigned want = count - taken < BATCH ? count - taken : BATCH;
        unsigned got = io_uring_peek_batch_cqe(&ring->ring, cqes, want);
        for (unsigned i = 0; i < got; i++)
            events[taken + i] = (struct cordi_uring_event){ cqes[i]->user_data, cqes[i]->res,
                                                            (cqes[i]->flags & IORING_CQE_F_MORE) != 0 };
        io_uring_cq_advance(&ring->ring, got);
        taken += got;
        if (got < want)
            break;
    }
    return taken;
}
