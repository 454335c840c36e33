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

enum {
    LARGEST_STACK = 1 << 30,
    SMALL = 2048, /* what of argument and result lies on the stack */
    KEPT = 32     /* blocks of ended coroutines, with their stacks, that a loop keeps for the next ones */
};

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

/* At the top of a new stack. */
static __attribute__((noinline)) int make_block(struct cord_task **ret, size_t stack_size)
{
    struct cordi_stack stack;
    int rc = cordi_stack_get(&stack, stack_size, cache());
    if (rc < 0)
        return rc;
    if (!stack.guarded && !atomic_exchange(&cordi_runtime.unguarded, 1))
        cordi_log("a coroutine's stack has no guard, overflowing it is seen when it is over; raise vm.max_map_count");
    struct cord_task *task = (struct cord_task *)(void *)below(stack.top, sizeof *task);
    cordi_task_init(task, CORD_COROUTINE);
    task->stack = stack;
    task->usual = stack.guarded && stack.usable == CORDI_STACK_DEFAULT;
    cordi_ctx_make(&task->ctx, stack.low, stack.usable);
    *ret = task;
    return 0;
}

/* Argument and result have a place of their own. */
static __attribute__((noinline)) int make_large(struct cord_task **ret, size_t stack_size, size_t extra)
{
    void *block = malloc(extra);
    int rc = block == NULL ? -ENOMEM : make_block(ret, stack_size);
    if (rc < 0)
        free(block);
    else
        (*ret)->block = block;
    return rc;
}

static inline __attribute__((always_inline)) int make(struct cord_task **ret, struct cordi_loop *loop, cord_fn *fn,
                                                      const void *arg, size_t arg_size,
                                                      const cord_task_options *options)
{
    size_t extra = arg_size + options->result_size + 32;
    struct cord_task *task;
    int rc;
    if (options->stack_size > LARGEST_STACK || options->result_size > UINT32_MAX || extra < arg_size)
        return -EINVAL;
    bool usual = extra <= SMALL && options->stack_size == 0;
    if (__builtin_expect(usual && loop != NULL && !cordi_list_empty(&loop->kept), 1)) {
        task = CORDI_ITEM(cordi_list_pop(&loop->kept), struct cord_task, link);
        loop->keep++;
    } else {
        rc = extra > SMALL ? make_large(&task, options->stack_size, extra) : make_block(&task, options->stack_size);
        if (rc < 0)
            return rc;
    }
    char *top = task->block != NULL ? (char *)task : below((char *)task, extra);
    cordi_task_load(task, fn, task->block != NULL ? task->block : top, arg, arg_size, options);
    if (cordi_debug(CORDI_DEBUG_STACKS))
        cordi_stacks_clear(task->stack.low, top);
    cordi_ctx_begin(&task->ctx, task->stack.low, top, run, task);
    *ret = task;
    return 0;
}

int cordi_coroutine_new(struct cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                        const cord_task_options *options)
{
    return make(ret, cordi_thread()->loop, fn, arg, arg_size, options);
}

/* here: the calling thread drives that loop. */
static inline void start_on(struct cordi_loop *loop, struct cord_task *task, bool here)
{
    task->loop = loop;
    (void)cordi_word_add(&loop->alive, 1);
    cordi_section_begin();
    if (here) {
        cordi_list_append(&loop->tasks, &task->peers);
        cordi_list_append(&loop->ready, &task->link);
    } else
        cordi_loop_send(task);
    cordi_section_end();
}

void cordi_coroutine_start_on(struct cordi_loop *loop, struct cord_task *task)
{
    start_on(loop, task, cordi_thread()->loop == loop);
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
    start_on(own, task, true);
    return 0;
}

int cordi_coroutine_launch(struct cord_task **ret, cord_fn *fn, const void *arg, size_t arg_size,
                           const void *started_at)
{
    static const cord_task_options options;
    struct cordi_loop *loop = cordi_thread()->loop;
    struct cord_task *task;
    int rc = make(&task, loop, fn, arg, arg_size, &options);
    if (rc < 0)
        return cordi_task_cannot_start(rc, NULL, false, &options);
    cordi_task_hand_over(task, ret != NULL, true, started_at);
    start_on(loop, task, true);
    if (ret != NULL)
        *ret = task;
    return 0;
}

static __attribute__((noinline)) void free_block(struct cord_task *task)
{
    cordi_ctx_done(&task->ctx);
    cordi_stack_put(&task->stack, cache());
}

void cordi_coroutine_free(struct cord_task *task)
{
    struct cordi_loop *loop = cordi_thread()->loop;
    if (__builtin_expect(task->block != NULL, 0)) {
        free(task->block);
        task->block = NULL;
    }
    if (loop != NULL && loop->keep > 0 && task->usual) {
        cordi_list_prepend(&loop->kept, &task->link);
        loop->keep--;
    } else
        free_block(task);
}

/* Nothing, under a tool that follows stacks, since it has to be told of each. */
void cordi_coroutine_keep(struct cordi_loop *loop)
{
    cordi_list_init(&loop->kept);
    loop->keep = cordi_ctx_followed() ? 0 : KEPT;
}

void cordi_coroutine_forget(struct cordi_loop *loop)
{
    struct cordi_list *item;
    while ((item = cordi_list_take(&loop->kept)) != NULL)
        free_block(CORDI_ITEM(item, struct cord_task, link));
}
