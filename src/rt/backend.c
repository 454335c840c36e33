/* rt/backend.c - which backend a loop waits with, and why.
 *
 * For small messages the two tie, and epoll is slightly cheaper on a loop that is half idle, so epoll is the default
 * and io_uring is asked for. Whatever is asked for, a backend that does not open gives way to the other.
 */
#include "rt/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/error.h>
#include <cordage/run.h>

#include "rt/loop.h"
#include "rt/park.h"
#include "rt/task.h"
#include "sys/fd.h"

static const struct cordi_backend *const backends[] = {
    &cordi_backend_epoll,
#if CORDAGE_URING
    &cordi_backend_uring,
#endif
};
enum { BACKENDS = sizeof backends / sizeof *backends };

static int first_choice(void)
{
    const char *asked = getenv("CORD_BACKEND");
    for (int i = 0; asked != NULL && i < BACKENDS; i++)
        if (strcmp(asked, backends[i]->name) == 0)
            return i;
    return 0;
}

int cordi_backend_open(struct cordi_loop *loop)
{
    int choice = first_choice(), rc = 0;
    for (int i = 0; i < BACKENDS; i++) {
        loop->backend = backends[(choice + i) % BACKENDS];
        rc = loop->backend->open(loop);
        if (rc == 0)
            return 0;
    }
    return cordi_fail_code(rc, "no backend for a loop");
}

/* Opens a loop's backend to see: what would work now is the only true answer. */
const char *cord_backend(char *why, size_t size)
{
    struct cordi_loop probe = { .host = cordi_self() };
    const char *asked = getenv("CORD_BACKEND");
    int choice = first_choice();
    int rc = cordi_thread_wake_fd(probe.host);
    const struct cordi_backend *backend = backends[choice];
    if (rc >= 0)
        rc = backend->open(&probe);
    if (rc == 0)
        backend->close(&probe, false);
    else
        backend = &cordi_backend_epoll;
    if (why != NULL && rc < 0)
        snprintf(why, size, "%s does not work here: %s", backends[choice]->name, cord_strerror(rc));
    else if (why != NULL && asked != NULL && strcmp(asked, backend->name) == 0)
        snprintf(why, size, "CORD_BACKEND=%s asks for it", asked);
    else if (why != NULL && asked != NULL && !CORDAGE_URING && strcmp(asked, "uring") == 0)
        snprintf(why, size, "CORD_BACKEND=uring: this cordage is built without io_uring");
    else if (why != NULL && asked != NULL)
        snprintf(why, size, "CORD_BACKEND=%s is neither epoll nor uring; this is the default", asked);
    else if (why != NULL)
        snprintf(why, size,
                 CORDAGE_URING ? "the default; CORD_BACKEND=uring asks for io_uring" : "built without io_uring");
    return backend->name;
}
