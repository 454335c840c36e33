/* rt/loop_epoll.c - the epoll backend.
 *
 * A descriptor is registered edge-triggered, and EPOLL_CTL_DEL comes before close, always: a copy of the descriptor in
 * a forked child would keep the registration alive. Level-triggered with one EPOLL_CTL_MOD a wait was rejected: it
 * costs a system call each time.
 */
#include <errno.h>
#include <stdlib.h>

#include "rt/backend.h"
#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/fd.h"

struct state {
    int epoll;
    struct epoll_event events[CORDI_BACKEND_EVENTS];
};

static void close_state(struct cordi_loop *loop, bool forked)
{
    struct state *state = loop->state;
    (void)forked;
    cordi_fd_close(state->epoll);
    free(state);
    loop->state = NULL;
}

static int open_state(struct cordi_loop *loop)
{
    struct state *state = malloc(sizeof *state);
    int rc;
    if (state == NULL)
        return -ENOMEM;
    state->epoll = cordi_fd_epoll();
    if (state->epoll < 0) {
        rc = state->epoll;
        free(state);
        return rc;
    }
    loop->state = state;
    rc = cordi_fd_epoll_add(state->epoll, loop->host->wake_fd, EPOLLIN, 0); /* no handle is 0 */
    if (rc < 0)
        close_state(loop, false);
    return rc;
}

static int arm(struct cordi_loop *loop, struct cordi_io *io)
{
    const struct state *state = loop->state;
    return cordi_fd_epoll_add(state->epoll, io->fd, CORDI_EVENTS | EPOLLET, cordi_io_handle(io));
}

static bool forget(struct cordi_io *io)
{
    const struct state *state = io->home->state;
    (void)cordi_fd_epoll_remove(state->epoll, io->fd);
    return true;
}

static void wait(struct cordi_loop *loop, int64_t timeout)
{
    struct state *state = loop->state;
    cordi_loop_sleeps(loop);
    int count = cordi_fd_epoll_wait(state->epoll, state->events, CORDI_BACKEND_EVENTS, timeout);
    cordi_loop_awake(loop);
    for (int i = 0; i < count; i++) /* the memory of many sleepers is cold: fetch it side by side */
        cordi_io_expect(state->events[i].data.u64);
    for (int i = 0; i < count; i++)
        cordi_io_expect_waiter(state->events[i].data.u64);
    for (int i = 0; i < count; i++) {
        uint64_t handle = state->events[i].data.u64;
        if (handle == 0) {
            cordi_fd_event_clear(loop->host->wake_fd);
            loop->called = true;
            continue;
        }
        cordi_io_event(handle, cordi_backend_events(state->events[i].events));
    }
}

const struct cordi_backend cordi_backend_epoll = {
    .name = "epoll",
    .open = open_state,
    .close = close_state,
    .arm = arm,
    .forget = forget,
    .wait = wait,
};
