/* rt/pending.c - stands in for parts that land next; each goes with its own file. */
#include <errno.h>

#include "rt/backend.h"

static int not_yet(struct cordi_loop *loop)
{
    (void)loop;
    return -ENOSYS;
}

__attribute__((weak)) const struct cordi_backend cordi_backend_uring = { .name = "uring", .open = not_yet };
