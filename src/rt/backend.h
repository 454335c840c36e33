/* rt/backend.h - what a loop waits with. A backend is this table of functions; both pass the same tests.
 *
 * A wait for readiness is a cordi_arm on the waiting task's stack. arm() sees to it that cordi_io_event() is called
 * with the descriptor's handle once it may be ready; disarm() ends that, and after it nothing refers to the arm any
 * more: a backend whose kernel still holds it waits for the completion there. Events may be spurious: the task tries
 * again. All functions are called on the loop's thread, but forget().
 */
#ifndef CORDI_RT_BACKEND_H
#define CORDI_RT_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "rt/io.h"

struct cordi_loop;

struct cordi_arm {
    struct cordi_io *io;
    uint64_t handle; /* of the socket; told to cordi_io_event() */
    enum cordi_direction direction;
    void *buf;                   /* not NULL: read into it; only for a backend that receives */
    size_t size;                 /* of buf */
    int result;                  /* of that read, once not pending; -EAGAIN: none was made */
    bool pending;                /* the backend's: the kernel holds a request that names this arm */
    struct cord_task *canceller; /* the backend's: parked until then */
};

struct cordi_backend {
    const char *name;
    bool receives;                        /* it can make the read itself (arm->buf), which saves a system call */
    int (*open)(struct cordi_loop *loop); /* -errno: the next backend is tried */
    void (*close)(struct cordi_loop *loop);
    int (*arm)(struct cordi_loop *loop, struct cordi_arm *arm); /* under io's spin bit. -errno: it cannot be waited for
                                                                    (-EPERM: a file, which is always ready) */
    void (*disarm)(struct cordi_loop *loop, struct cordi_arm *arm);
    void (*forget)(struct cordi_io *io); /* before its descriptor is closed; any thread, nobody waits */
    void (*wait)(struct cordi_loop *loop, int64_t timeout); /* ns, 0: look only, < 0: for ever. Ends when the loop's
                                                               wake_fd is written */
};

extern const struct cordi_backend cordi_backend_epoll, cordi_backend_uring;

enum { CORDI_EVENT_READ = 1, CORDI_EVENT_WRITE = 2, CORDI_EVENT_END = 4 /* with READ: the peer has finished */ };

/* From backends: something may go on. Stale handles are ignored. */
void cordi_io_event(uint64_t handle, int events);

/* Picks and opens one: what CORD_BACKEND asks for, else the best that works. Its reason is kept for cord_backend(). */
int cordi_backend_open(struct cordi_loop *loop);

#endif
