/* rt/loop_uring.c - the io_uring backend.
 *
 * Each wait is a one-shot poll request whose user data is the arm on the waiting task's stack; all requests of a turn
 * go to the kernel with the turn's one wait. The kernel looks at the descriptor when it takes the request, so no event
 * that came before is missed, and nothing is registered that would have to be taken back before a close: a task that
 * leaves early removes its request and stays parked until the kernel has answered for it.
 * A plain read of a stream is asked for as such, poll and receive in one request (5 % less CPU for an echo); bytes that
 * came before the removal are the read's answer.
 *
 * One repeated poll for each descriptor, as epoll has it, was rejected: with DEFER_TASKRUN only the loop's own thread
 * may remove it, while any thread may close a socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "rt/backend.h"
#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/fd.h"
#include "sys/uring.h"

enum { EVENTS = 256, REMOVED = 0, WAKE = 1 /* no arm has such an address */ };

struct state {
    struct cordi_uring *ring;
    bool wake_armed; /* the poll of the thread's wake_fd is on */
    struct cordi_uring_event events[EVENTS];
};

static void close_state(struct cordi_loop *loop)
{
    struct state *state = loop->state;
    cordi_uring_close(state->ring);
    free(state);
    loop->state = NULL;
}

static int open_state(struct cordi_loop *loop)
{
    struct state *state = malloc(sizeof *state);
    if (state == NULL)
        return -ENOMEM;
    state->wake_armed = false;
    int rc = cordi_uring_open(&state->ring);
    if (rc < 0) {
        free(state);
        return rc;
    }
    loop->state = state;
    return 0;
}

static int arm(struct cordi_loop *loop, struct cordi_arm *arm)
{
    struct state *state = loop->state;
    unsigned events = arm->direction == CORDI_READ ? POLLIN | POLLRDHUP : POLLOUT;
    int rc = arm->buf != NULL
                 ? cordi_uring_recv(state->ring, arm->io->fd, arm->buf, arm->size, (uint64_t)(uintptr_t)arm)
                 : cordi_uring_poll(state->ring, arm->io->fd, events, false, (uint64_t)(uintptr_t)arm);
    arm->pending = rc == 0;
    arm->canceller = NULL;
    return rc;
}

/* The task that waited is back before the kernel's answer: timed out, cancelled, or another descriptor was ready. */
static void disarm(struct cordi_loop *loop, struct cordi_arm *arm)
{
    struct state *state = loop->state;
    if (!arm->pending)
        return;
    while (cordi_uring_cancel(state->ring, (uint64_t)(uintptr_t)arm) < 0)
        cordi_loop_yield(cordi_self()); /* no room in the kernel: the loop's next wait makes some */
    arm->canceller = cordi_self();
    while (arm->pending)
        cordi_loop_suspend(arm->canceller); /* no wait is on, so the answer alone wakes it */
}

static void forget(struct cordi_io *io)
{
    (void)io; /* who waited has disarmed */
}

static void take_answer(const struct cordi_uring_event *event)
{
    struct cordi_arm *arm = (struct cordi_arm *)(uintptr_t)event->data;
    arm->result = event->result;
    arm->pending = false; /* from here on the arm is the task's again */
    if (arm->canceller != NULL)
        cordi_loop_wake(arm->canceller);
    else
        cordi_io_event(arm->handle, arm->direction == CORDI_READ ? CORDI_EVENT_READ : CORDI_EVENT_WRITE);
}

/* The memory of many sleepers is cold: it is fetched side by side, first the requests on their stacks, then the slots.
 */
static void expect_answers(const struct state *state, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch((const void *)(uintptr_t)state->events[i].data, 1);
    for (unsigned i = 0; i < count; i++)
        if (state->events[i].data != WAKE && state->events[i].data != REMOVED)
            cordi_io_expect(((const struct cordi_arm *)(uintptr_t)state->events[i].data)->handle);
}

static void wait(struct cordi_loop *loop, int64_t timeout)
{
    struct state *state = loop->state;
    unsigned count;
    if (!state->wake_armed)
        state->wake_armed = cordi_uring_poll(state->ring, loop->host->wake_fd, POLLIN, true, WAKE) == 0;
    if (!state->wake_armed && timeout != 0)
        timeout = CORD_MILLISECOND; /* nobody can wake it: look again soon */
    cordi_uring_wait(state->ring, timeout);
    do {
        count = cordi_uring_take(state->ring, state->events, EVENTS);
        expect_answers(state, count);
        for (unsigned i = 0; i < count; i++) {
            const struct cordi_uring_event *event = &state->events[i];
            if (event->data == WAKE) {
                state->wake_armed = event->more;
                cordi_fd_event_clear(loop->host->wake_fd);
            } else if (event->data != REMOVED) {
                take_answer(event);
            }
        }
    } while (count == EVENTS);
}

const struct cordi_backend cordi_backend_uring = {
    .name = "uring",
    .receives = true,
    .open = open_state,
    .close = close_state,
    .arm = arm,
    .disarm = disarm,
    .forget = forget,
    .wait = wait,
};
