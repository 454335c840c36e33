/* rt/loop_epoll.c - the epoll backend.
 *
 * A descriptor is registered once, edge-triggered, at its first wait, with the loop that waits: its home. Waits of
 * tasks on other loops are served from there. EPOLL_CTL_DEL comes before close, always: a copy of the descriptor in
 * a forked child would keep the registration alive.
 * Level-triggered with one EPOLL_CTL_MOD a wait was rejected: it costs a system call each time.
 */
#include <errno.h>
#include <stdlib.h>

#include "rt/backend.h"
#include "rt/io_slot.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/fd.h"

enum { EVENTS = 256 };

struct state {
    int epoll;
    struct epoll_event events[EVENTS];
};

static void close_state(struct cordi_loop *loop)
{
    struct state *state = loop->state;
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
        close_state(loop);
    return rc;
}

static int arm(struct cordi_loop *loop, struct cordi_arm *arm)
{
    struct state *state = loop->state;
    struct cordi_io *io = arm->io;
    int rc;
    if (io->home != 0) /* a home that ends wakes its waiters */
        return 0;
    rc = cordi_fd_epoll_add(state->epoll, io->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, arm->handle);
    if (rc < 0)
        return rc;
    io->home = loop->id;
    io->home_epoll = state->epoll;
    return 0;
}

static void disarm(struct cordi_loop *loop, struct cordi_arm *arm)
{
    (void)loop; /* the registration stays; io.c has taken the waiter out */
    (void)arm;
}

static void forget(struct cordi_io *io)
{
    (void)cordi_fd_epoll_remove(io->home_epoll, io->fd);
}

static void wait(struct cordi_loop *loop, int64_t timeout)
{
    struct state *state = loop->state;
    int count = cordi_fd_epoll_wait(state->epoll, state->events, EVENTS, timeout);
    for (int i = 0; i < count; i++) /* the memory of many sleepers is cold: fetch it side by side */
        cordi_io_expect(state->events[i].data.u64);
    for (int i = 0; i < count; i++)
        cordi_io_expect_waiter(state->events[i].data.u64);
    for (int i = 0; i < count; i++) {
        uint32_t events = state->events[i].events;
        uint64_t handle = state->events[i].data.u64;
        if (handle == 0) {
            cordi_fd_event_clear(loop->host->wake_fd);
            continue;
        }
        int report = 0;
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            report |= CORDI_EVENT_READ;
        if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            report |= CORDI_EVENT_END;
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            report |= CORDI_EVENT_WRITE;
        cordi_io_event(handle, report);
    }
}

const struct cordi_backend cordi_backend_epoll = {
    .name = "epoll",
    .open = open_state,
    .close = close_state,
    .arm = arm,
    .disarm = disarm,
    .forget = forget,
    .wait = wait,
};
