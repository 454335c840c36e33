/* sys/ctx.h - one thread, several stacks: making a context and switching between them.
 *
 * A switch saves the callee-saved registers on the stack that is left and nothing else: no signal mask and no floating
 * point control words. All switches are made in one place, so the processor's list of return addresses stays right:
 * between two coroutines that wait in the same function every return is predicted, and a context that ends without a
 * wait is a call that returns, on another stack. A wrong guess costs 5 ns, and there would be one for each function
 * between the switch and the user's own. To leave by a jump was rejected: it leaves that list one entry too long, and
 * every return after it goes wrong (18 ns for a yield, 11 with `ret`).
 * The first frame of a context has no return address and says so to the unwinder, so that backtraces end there. The
 * code does not go with a hardware shadow stack, and its object file says that too.
 *
 * Tools that follow stacks are told of each switch: AddressSanitizer (bounds and fake stack), ThreadSanitizer (fibres)
 * and valgrind (stack ranges). Their fields exist only in builds that need them. For processors that have no switch
 * here, and in builds with -DCORDAGE_UCONTEXT=ON, swapcontext(3) serves (ctx_ucontext.c). It makes a system call for
 * the signal mask each time: 170 ns.
 */
#ifndef CORDI_SYS_CTX_H
#define CORDI_SYS_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#define CORDI_HAS_FEATURE(name) __has_feature(name)
#else
#define CORDI_HAS_FEATURE(name) 0
#endif
#if defined __SANITIZE_ADDRESS__ || CORDI_HAS_FEATURE(address_sanitizer)
#define CORDI_ASAN 1
#else
#define CORDI_ASAN 0
#endif
#if defined __SANITIZE_THREAD__ || CORDI_HAS_FEATURE(thread_sanitizer)
#define CORDI_TSAN 1
#else
#define CORDI_TSAN 0
#endif

#if CORDAGE_UCONTEXT || !(defined __x86_64__ || defined __aarch64__)
#define CORDI_UCONTEXT 1
#else
#define CORDI_UCONTEXT 0
#endif

struct cordi_ctx;

/* What a context runs. It answers who goes on when it has ended, and its stack is free once that one runs. */
typedef struct cordi_ctx *cordi_ctx_entry(void *arg);

struct cordi_ctx {
    void *sp; /* where its registers are saved, while it does not run; bit 0: it has not begun; must be first */
    unsigned valgrind_stack;
#if CORDI_ASAN
    const void *stack_low; /* bounds of the whole stack */
    size_t stack_size;
    void *fake_stack; /* ASan's, while it does not run */
#endif
#if CORDI_ASAN || CORDI_TSAN
    cordi_ctx_entry *entry;
    void *arg;
#endif
#if CORDI_TSAN
    void *fibre;
#endif
};

/* A context on that stack, which is given to it before it is switched to. */
void cordi_ctx_make(struct cordi_ctx *ctx, void *stack_low, size_t stack_size);

/* The calling thread, on its own stack, as a context to leave and to come back to. */
void cordi_ctx_adopt(struct cordi_ctx *ctx);

/* After a made context has ended, from another one: gives back what the tools hold for it. */
void cordi_ctx_done(struct cordi_ctx *ctx);

/* Whether a tool follows stacks: then each context is to be made anew. */
bool cordi_ctx_followed(void);

/* Below the switch, in assembly or with ucontext: the switch itself, and the first thing on a stack, to be `sp`. */
void cordi_ctx_swap(struct cordi_ctx *from, struct cordi_ctx *to);
#if CORDI_UCONTEXT
void *cordi_ctx_frame(void *stack_low, void *top, cordi_ctx_entry *entry, void *arg);
#else
static inline void *cordi_ctx_frame(void *stack_low, void *top, cordi_ctx_entry *entry, void *arg)
{
    void **frame = (void **)top - 4;
    (void)stack_low;
    frame[0] = (void *)(uintptr_t)entry;
    frame[1] = arg;
    frame[2] = frame[3] = NULL; /* they end walks by frame pointers */
    return (char *)frame + 1;
}
#endif

/* One that was made or has ended starts in entry(arg) at the next switch to it. The first frame lies below `top`, which
 * is 16-aligned and within the stack. */
#if CORDI_ASAN || CORDI_TSAN
void cordi_ctx_begin(struct cordi_ctx *ctx, void *stack_low, void *top, cordi_ctx_entry *entry, void *arg);
#else
static inline void cordi_ctx_begin(struct cordi_ctx *ctx, void *stack_low, void *top, cordi_ctx_entry *entry, void *arg)
{
    ctx->sp = cordi_ctx_frame(stack_low, top, entry, arg);
}
#endif

/* Leaves `from`, which runs, and goes on in `to`; returns when something switches to `from` again. */
#if CORDI_ASAN || CORDI_TSAN
void cordi_ctx_switch(struct cordi_ctx *from, struct cordi_ctx *to);
#else
static inline void cordi_ctx_switch(struct cordi_ctx *from, struct cordi_ctx *to)
{
    cordi_ctx_swap(from, to);
}
#endif

#endif
