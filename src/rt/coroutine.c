/* rt/coroutine.c - kind coroutine: a stack with the control block at its top.
 *
 *     top of the stack   struct cord_task | argument | result      (small ones; large ones are on the heap)
 *                        first frame, growing down
 *     low end            the guard
 *
 * so that a coroutine that is parked with little on its stack costs one page in all.
 */
#include <errno.h>
#include <stdlib.h>

#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/overflow.h"
#include "rt/runtime.h"
#include "rt/stacks.h"
#include "rt/task.h"
#include "rt/team.h"

enum { DEFAULT_STACK = 64 * 1024, LARGEST_STACK = 1 << 30, SMALL = 2048 };

static struct cordi_ctx *run(void *arg)
{
    struct cord_task *task = arg;
    cordi_section_end(); /* of who switched here */
    cordi_task_run(task);
    if (!task->stack.guarded)
        cordi_overflow_check(task);
    if (cordi_debug(CORDI_DEBUG_STACKS))
        cordi_stacks_note(task);
    return cordi_loop_leave(task);
}

static char *below(char *top, size_t size)
{
    return (char *)((uintptr_t)(top - size) & ~(uintptr_t)63);
}

/* Of the calling thread, if it drives a loop. */
static struct cordi_stack_cache *cache(void)
{
    struct cordi_loop *loop = cordi_thread()->loop;
    return loop != NULL ? &loop->stacks : NULL;
}

int cordi_coroutine_new(struct cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                        const cord_task_options *options)
{
    struct cordi_stack stack;
    size_t extra = arg_size + options->result_size + 32;
    void *block = NULL;
    int rc;
    if (options->stack_size > LARGEST_STACK || options->result_size > UINT32_MAX || extra < arg_size)
        return -EINVAL;
    if (extra > SMALL && (block = malloc(extra)) == NULL)
        return -ENOMEM;
    rc = cordi_stack_get(&stack, options->stack_size > 0 ? options->stack_size : DEFAULT_STACK, cache());
    if (rc < 0) {
        free(block);
        return rc;
    }
    if (!stack.guarded && !atomic_exchange(&cordi_runtime.unguarded, 1))
        cordi_log("a coroutine's stack has no guard, overflowing it is seen when it is over; raise vm.max_map_count");
    struct cord_task *task = (struct cord_task *)(void *)below(stack.top, sizeof *task);
    char *place = block != NULL ? block : below((char *)task, extra);
    cordi_task_init(task, CORD_COROUTINE, options);
    task->stack = stack;
    task->block = block;
    cordi_task_load(task, fn, place, arg, arg_size, options);
    if (cordi_debug(CORDI_DEBUG_STACKS))
        cordi_stacks_clear(stack.low, block != NULL ? (char *)task : place);
    cordi_ctx_make(&task->ctx, stack.low, stack.usable, block != NULL ? (char *)task : place, run, task);
    *ret = task;
    return 0;
}

void cordi_coroutine_start_on(struct cordi_loop *loop, struct cord_task *task)
{
    task->loop = loop;
    (void)cordi_word_add(&loop->alive, 1);
    cordi_section_begin();
    if (cordi_thread()->loop == loop)
        cordi_list_append(&loop->tasks, &task->peers);
    cordi_loop_wake(task);
    cordi_section_end();
}

int cordi_coroutine_start(struct cord_task *task, cord_loop where)
{
    struct cordi_loop *own = cordi_thread()->loop;
    if (own == NULL)
        return cordi_background_start(task);
    if (where == CORD_LOOP_ANY && own->team != NULL) {
        cordi_team_put(own->team, task);
        own->budget = 0; /* when this one waits or yields, the loop looks what it may take itself */
        return 0;
    }
    cordi_coroutine_start_on(own, task);
    return 0;
}

void cordi_coroutine_free(struct cord_task *task)
{
    cordi_ctx_done(&task->ctx);
    free(task->block);
    cordi_stack_put(&task->stack, cache());
}
