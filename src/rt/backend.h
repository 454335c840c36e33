/* rt/backend.h - what a loop waits with. A backend is this table of functions; both pass the same tests.
 *
 * A descriptor is registered once, at its first wait, with the loop that waits: its home. From then on the backend
 * calls cordi_io_event() whenever something about it changes (edges, not levels), until the registration is taken back;
 * tasks of other loops are served from there too. Events may be spurious: the task tries again. A registration is
 * always taken back before the descriptor is closed: in epoll a copy in a forked child would keep it alive, in io_uring
 * it holds the open file. All functions are called on the loop's thread, but forget().
 */
#ifndef CORDI_RT_BACKEND_H
#define CORDI_RT_BACKEND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "rt/io.h"

struct cordi_loop;

/* Taken in one look, about as many as a turn resumes: those that come sooner than they are run push each other's memory
 * out of the caches. The rest stays in the kernel. */
enum { CORDI_BACKEND_EVENTS = 32 };

struct cordi_backend {
    const char *name;
    int (*open)(struct cordi_loop *loop);                /* -errno: the next backend is tried */
    void (*close)(struct cordi_loop *loop, bool forked); /* forked: in a child, which closes its copies only */

    /* Registers a descriptor that has no home; under io's spin bit. -errno: it cannot be waited for (-EPERM: a file,
     * which is always ready). */
    int (*arm)(struct cordi_loop *loop, struct cordi_io *io);

    /* Takes a registration back; under io's spin bit, any thread, nobody waits. True: at once. False: by a
     * CORDI_EVENT_GONE from its loop's next turn. */
    bool (*forget)(struct cordi_io *io);

    void (*wait)(struct cordi_loop *loop, int64_t timeout); /* ns, 0: look only, < 0: for ever. Ends when the loop's
                                                               wake_fd is written */
};

extern const struct cordi_backend cordi_backend_epoll, cordi_backend_uring;

/* What is asked for at a registration; the same bits for poll(2), epoll(7) and io_uring(7). */
enum { CORDI_EVENTS = POLLIN | POLLOUT | POLLRDHUP };

enum {
    CORDI_EVENT_READ = 1,
    CORDI_EVENT_WRITE = 2,
    CORDI_EVENT_END = 4, /* with READ: the peer has finished */
    CORDI_EVENT_GONE = 8 /* the registration is no more */
};

/* Of poll(2)'s bits. */
static inline int cordi_backend_events(unsigned bits)
{
    return (bits & (POLLIN | POLLRDHUP | POLLHUP | POLLERR) ? CORDI_EVENT_READ : 0) |
           (bits & (POLLRDHUP | POLLHUP | POLLERR) ? CORDI_EVENT_END : 0) |
           (bits & (POLLOUT | POLLHUP | POLLERR) ? CORDI_EVENT_WRITE : 0);
}

/* From backends: something may go on. Stale handles are ignored. */
void cordi_io_event(uint64_t handle, int events);

/* Picks and opens one: what CORD_BACKEND asks for, else the best that works. Its reason is kept for cord_backend(). */
int cordi_backend_open(struct cordi_loop *loop);

#endif
