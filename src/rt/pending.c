/* rt/pending.c - stands in for parts that land next; each goes with its own file. */
#include <errno.h>

#include "rt/backend.h"
#include "rt/offload.h"
#include "rt/task.h"

static int not_yet(struct cordi_loop *loop)
{
    (void)loop;
    return -ENOSYS;
}

__attribute__((weak)) const struct cordi_backend cordi_backend_uring = { .name = "uring", .open = not_yet };

__attribute__((weak)) void cordi_offload_after_fork(void)
{
}

__attribute__((weak)) int cordi_offload(enum cordi_offload_class class, cord_fn *fn, void *arg, size_t arg_size,
                                        void (*drop)(void *copy), cord_deadline deadline)
{
    (void)class;
    (void)arg_size;
    (void)drop;
    (void)deadline;
    return fn(arg);
}

__attribute__((weak)) bool cordi_must_offload(void)
{
    return cordi_self()->loop != NULL;
}
