/* rt/runtime.c - the global state, and what a fork does to it.
 *
 * A forked child has one thread, and of the parent's tasks only the one that forked: it starts as an adopted thread
 * without loops, helpers or other tasks. Sockets keep their handles; a loop comes anew with the first coroutine. The
 * handlers hold the runtime's locks over the fork, so that the child finds every list whole.
 */
#include "rt/runtime.h"

#include "rt/debug.h"
#include "rt/dump.h"
#include "rt/io.h"
#include "rt/loop.h"
#include "rt/offload.h"
#include "rt/overflow.h"
#include "rt/stacks.h"
#include "rt/task.h"
#include "rt/watch.h"
#include "rt/words.h"
#include "sys/proc.h"
#include "sys/stack.h"

struct cordi_runtime cordi_runtime = {
    .tasks = { &cordi_runtime.tasks, &cordi_runtime.tasks },
    .loops = { &cordi_runtime.loops, &cordi_runtime.loops },
    .signal_fd = -1,
};

static void before_fork(void)
{
    cordi_watch_before_fork();
    cordi_spin_lock(&cordi_runtime.lock, 1);
    cordi_io_before_fork();
    cordi_stack_before_fork();
}

static void after_fork(bool child)
{
    cordi_stack_after_fork();
    cordi_io_after_fork(child);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    cordi_watch_after_fork(child);
}

static void in_parent(void)
{
    after_fork(false);
}

static void in_child(void)
{
    after_fork(true);
    cordi_list_init(&cordi_runtime.tasks);
    cordi_runtime.own = NULL;
    cordi_loops_after_fork();
    cordi_offload_after_fork();
    cordi_words_after_fork();
    cordi_stacks_after_fork();
    cordi_task_after_fork();
    cordi_dump_after_fork();
    cordi_debug_after_fork();
}

void cordi_runtime_begin(void)
{
    uint32_t fresh = 0;
    if (atomic_compare_exchange_strong(&cordi_runtime.ready, &fresh, 1)) {
        (void)cordi_proc_at_fork(before_fork, in_parent, in_child);
        cordi_runtime.cpus = (uint32_t)cordi_proc_cpus();
        cordi_debug_start();
        cordi_overflow_start();
    }
}

const char *cord_version(void)
{
    return CORDAGE_VERSION;
}
