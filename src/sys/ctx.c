/* sys/ctx.c - what the tools want to be told of contexts; the design is in ctx.h. */
#include "sys/ctx.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if CORDI_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#endif
#if CORDI_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

static _Atomic int listens; /* whether valgrind is there: 1: yes, -1: no, 0: not asked yet */

static __attribute__((noinline)) int ask(void)
{
    int answer = RUNNING_ON_VALGRIND ? 1 : -1;
    atomic_store_explicit(&listens, answer, memory_order_relaxed);
    return answer;
}

/* Asked once: a request takes 2 ns also where nobody listens. */
static inline bool valgrind_listens(void)
{
    int known = atomic_load_explicit(&listens, memory_order_relaxed);
    return (known != 0 ? known : ask()) > 0;
}

bool cordi_ctx_followed(void)
{
    return CORDI_ASAN || CORDI_TSAN || valgrind_listens();
}

static __attribute__((noinline)) void register_stack(struct cordi_ctx *ctx, char *low, size_t size)
{
    ctx->valgrind_stack = VALGRIND_STACK_REGISTER(low, low + size);
}

static __attribute__((noinline)) void deregister_stack(const struct cordi_ctx *ctx)
{
    VALGRIND_STACK_DEREGISTER(ctx->valgrind_stack);
}

#if CORDI_ASAN || CORDI_TSAN
/* Not instrumented: between the call to ThreadSanitizer and the swap its state is that of the other stack. (To clang
 * no_sanitize means memory accesses only: enter() would tell of its end in the wrong one.) */
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNTRACKED __attribute__((disable_sanitizer_instrumentation, noinline))
#else
#define UNTRACKED __attribute__((no_sanitize("address", "thread"), noinline))
#endif

/* The first function on a new stack: the tools are told of its first moment and of its last. */
UNTRACKED static struct cordi_ctx *enter(void *arg)
{
    struct cordi_ctx *ctx = arg;
#if CORDI_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    struct cordi_ctx *next = ctx->entry(ctx->arg);
#if CORDI_ASAN
    __sanitizer_start_switch_fiber(NULL, next->stack_low, next->stack_size); /* NULL: it does not come back */
#endif
#if CORDI_TSAN
    __tsan_switch_to_fiber(next->fibre, 0);
#endif
    return next;
}
#endif

void cordi_ctx_make(struct cordi_ctx *ctx, void *stack_low, size_t stack_size)
{
    *ctx = (struct cordi_ctx){ 0 };
    if (valgrind_listens())
        register_stack(ctx, stack_low, stack_size);
#if CORDI_ASAN
    __asan_unpoison_memory_region(stack_low, stack_size); /* of the frames that ended here without returning */
    ctx->stack_low = stack_low;
    ctx->stack_size = stack_size;
#endif
#if CORDI_TSAN
    ctx->fibre = __tsan_create_fiber(0);
#endif
}

#if CORDI_ASAN || CORDI_TSAN
void cordi_ctx_begin(struct cordi_ctx *ctx, void *stack_low, void *top, cordi_ctx_entry *entry, void *arg)
{
    ctx->entry = entry;
    ctx->arg = arg;
    ctx->sp = cordi_ctx_frame(stack_low, top, enter, ctx);
}
#endif

void cordi_ctx_adopt(struct cordi_ctx *ctx)
{
    *ctx = (struct cordi_ctx){ 0 };
#if CORDI_ASAN
    pthread_attr_t attributes;
    void *low = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &ctx->stack_size);
        pthread_attr_destroy(&attributes);
    }
    ctx->stack_low = low;
#endif
#if CORDI_TSAN
    ctx->fibre = __tsan_get_current_fiber();
#endif
}

void cordi_ctx_done(struct cordi_ctx *ctx)
{
    if (valgrind_listens())
        deregister_stack(ctx);
#if CORDI_TSAN
    __tsan_destroy_fiber(ctx->fibre);
#endif
    ctx->sp = NULL;
}

#if CORDI_ASAN || CORDI_TSAN
UNTRACKED void cordi_ctx_switch(struct cordi_ctx *from, struct cordi_ctx *to)
{
#if CORDI_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_low, to->stack_size);
#endif
#if CORDI_TSAN
    __tsan_switch_to_fiber(to->fibre, 0);
#endif
    cordi_ctx_swap(from, to);
#if CORDI_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}
#endif
