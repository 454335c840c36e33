/* rt/loop_uring.c - the io_uring backend.
 *
 * A descriptor is registered by one repeated poll request that names its handle; all requests of a turn go to the
 * kernel with the turn's one wait. A request holds the open file, and with DEFER_TASKRUN only the loop's own thread may
 * remove it, while any thread may close a socket: a closer puts the slot into `leaving`, the loop removes the request
 * at its next wait, and the request's last answer lets the closer go on. So when a close returns, the file is closed.
 *
 * One-shot requests, which poll and receive in one, were what this backend had before: nothing is to be taken back, but
 * each costs its submission and the setting up of its poll, 7 % of the CPU of an echo of 64 bytes. A repeated receive
 * into buffers of the ring was measured too: as fast as this, but it takes bytes out of a socket before anybody has
 * asked, which are lost to a child or a library that the descriptor is passed to, and copies them once more.
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

enum { REMOVED = 0, WAKE = 1 /* no handle is so small */ };
static const int64_t SOON = CORD_MILLISECOND;

struct state {
    struct cordi_uring *ring;
    _Atomic(struct cordi_list *) leaving; /* slots to be let go, by direction[CORDI_READ].queue; any thread */
    unsigned armed;                       /* requests that have not had their last answer */
    bool wake_armed;                      /* one of them is the poll of the thread's wake_fd */
    struct cordi_uring_event events[CORDI_BACKEND_EVENTS];
};

static int arm_poll(struct state *state, int fd, unsigned events, uint64_t data)
{
    int rc = cordi_uring_poll(state->ring, fd, events, data);
    state->armed += rc == 0;
    return rc;
}

/* How many answers are in state->events. */
static unsigned take_answers(struct state *state)
{
    unsigned count = cordi_uring_take(state->ring, state->events, CORDI_BACKEND_EVENTS);
    for (unsigned i = 0; i < count; i++)
        state->armed -= !state->events[i].more && state->events[i].data != REMOVED;
    return count;
}

/* The kernel takes a ring apart some time after its close, and until then its requests would hold their files open and
 * ports taken. Where it cannot remove all at once (before Linux 5.19) there is no answer but an error. */
static void end_polls(struct state *state)
{
    bool more = state->armed > 0 && cordi_uring_cancel_all(state->ring) == 0;
    while (more && state->armed > 0) {
        cordi_uring_wait(state->ring, 100 * CORD_MILLISECOND);
        more = take_answers(state) > 0;
    }
}

static void close_state(struct cordi_loop *loop, bool forked)
{
    struct state *state = loop->state;
    if (!forked) /* the parent uses the ring */
        end_polls(state);
    cordi_uring_close(state->ring);
    free(state);
    loop->state = NULL;
}

/* A repeated poll must really answer, and stay. */
static int try_out(struct state *state, int wake_fd)
{
    cordi_fd_event_set(wake_fd);
    int rc = arm_poll(state, wake_fd, POLLIN, WAKE);
    if (rc == 0) {
        cordi_uring_wait(state->ring, CORD_SECOND);
        rc = take_answers(state) == 1 ? state->events[0].result : -ENOSYS;
        state->wake_armed = rc > 0 && state->events[0].more;
    }
    cordi_fd_event_clear(wake_fd);
    return rc < 0 ? rc : state->wake_armed ? 0 : -ENOSYS;
}

static int open_state(struct cordi_loop *loop)
{
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return -ENOMEM;
    int rc = cordi_uring_open(&state->ring);
    if (rc == 0 && (rc = try_out(state, loop->host->wake_fd)) < 0)
        cordi_uring_close(state->ring);
    if (rc < 0) {
        free(state);
        return rc;
    }
    loop->state = state;
    return 0;
}

static int arm(struct cordi_loop *loop, struct cordi_io *io)
{
    return arm_poll(loop->state, io->fd, CORDI_EVENTS, cordi_io_handle(io));
}

static void push_leaving(struct state *state, struct cordi_list *item)
{
    item->next = atomic_load(&state->leaving);
    while (!atomic_compare_exchange_weak(&state->leaving, &item->next, item))
        ;
}

static bool forget(struct cordi_io *io)
{
    struct cordi_loop *home = io->home;
    push_leaving(home->state, &io->direction[CORDI_READ].queue); /* nobody waits for a turn any more */
    if (cordi_thread()->loop != home)
        cordi_fd_event_set(home->host->wake_fd);
    return false;
}

static void remove_leaving(struct state *state)
{
    if (atomic_load_explicit(&state->leaving, memory_order_relaxed) == NULL)
        return;
    struct cordi_list *item = atomic_exchange(&state->leaving, NULL), *next;
    for (; item != NULL; item = next) {
        const struct cordi_io *io = CORDI_ITEM(item, struct cordi_io, direction[CORDI_READ].queue);
        next = item->next;
        if (cordi_uring_cancel(state->ring, cordi_io_handle(io)) < 0) /* no room in the kernel: at the next wait */
            push_leaving(state, item);
    }
}

/* A poll that ends unasked (the kernel had no memory for an answer) is armed again by who waits next. */
static void take_answer(const struct cordi_uring_event *event)
{
    int events = event->result < 0 ? 0 : cordi_backend_events((unsigned)event->result);
    if (!event->more)
        events |= CORDI_EVENT_GONE | CORDI_EVENT_READ | CORDI_EVENT_WRITE;
    cordi_io_event(event->data, events);
}

/* The memory of many sleepers is cold: fetch it side by side. */
static void expect_answers(const struct state *state, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        cordi_io_expect(state->events[i].data);
    for (unsigned i = 0; i < count; i++)
        cordi_io_expect_waiter(state->events[i].data);
}

static void wait(struct cordi_loop *loop, int64_t timeout)
{
    struct state *state = loop->state;
    if (!state->wake_armed)
        state->wake_armed = arm_poll(state, loop->host->wake_fd, POLLIN, WAKE) == 0;
    remove_leaving(state);
    bool all = state->wake_armed && atomic_load_explicit(&state->leaving, memory_order_relaxed) == NULL;
    cordi_loop_sleeps(loop);
    cordi_uring_wait(state->ring, all || timeout == 0 ? timeout : SOON);
    cordi_loop_awake(loop);
    unsigned count = take_answers(state);
    expect_answers(state, count);
    for (unsigned i = 0; i < count; i++) {
        const struct cordi_uring_event *event = &state->events[i];
        if (event->data == WAKE) {
            state->wake_armed = event->more;
            cordi_fd_event_clear(loop->host->wake_fd);
            loop->called = true;
        } else if (event->data != REMOVED) {
            take_answer(event);
        }
    }
}

const struct cordi_backend cordi_backend_uring = {
    .name = "uring",
    .open = open_state,
    .close = close_state,
    .arm = arm,
    .forget = forget,
    .wait = wait,
};
