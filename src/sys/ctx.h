/* sys/ctx.h - one thread, several stacks: making a context and switching between them.
 *
 * A switch saves the callee-saved registers on the stack that is left and nothing else: no signal mask and no floating
 * point control words. On x86-64 it leaves by a jump: a `ret` would miss the return predictor every time (8 ns in
 * place of 3). The first frame of a context has no return address and says so to the unwinder, so that backtraces end
 * there. For the same reason the code does not go with a hardware shadow stack, and its object file says that too.
 *
 * Tools that follow stacks are told of each switch: AddressSanitizer (bounds and fake stack), ThreadSanitizer (fibres)
 * and valgrind (stack ranges). Their fields exist only in builds that need them. swapcontext(3) was rejected: it makes
 * a system call for the signal mask each time (170 ns).
 */
#ifndef CORDI_SYS_CTX_H
#define CORDI_SYS_CTX_H

#include <stddef.h>

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

struct cordi_ctx {
    void *sp; /* where its registers are saved, while it does not run; must be first */
    unsigned valgrind_stack;
#if CORDI_ASAN
    const void *stack_low; /* bounds of the whole stack */
    size_t stack_size;
    void *fake_stack; /* ASan's, while it does not run */
    void (*entry)(void *);
    void *arg;
#endif
#if CORDI_TSAN
    void *fibre;
#endif
};

/* A context that starts in entry(arg) at the first switch to it. The first frame lies below `top`, which is 16-aligned
 * and within [stack_low, stack_low + stack_size]. entry never returns: it ends by cordi_ctx_last_switch(). */
void cordi_ctx_make(struct cordi_ctx *ctx, void *stack_low, size_t stack_size, void *top, void (*entry)(void *),
                    void *arg);

/* The calling thread, on its own stack, as a context to leave and to come back to. */
void cordi_ctx_adopt(struct cordi_ctx *ctx);

/* After a made context has ended, from another one: gives back what the tools hold for it. */
void cordi_ctx_done(struct cordi_ctx *ctx);

/* The assembly below the switch. */
void cordi_ctx_swap(struct cordi_ctx *from, struct cordi_ctx *to);

#if CORDI_ASAN || CORDI_TSAN
/* Leaves `from`, which runs, and goes on in `to`; returns when something switches to `from` again. */
void cordi_ctx_switch(struct cordi_ctx *from, struct cordi_ctx *to);
/* The same for a `from` that has ended. */
_Noreturn void cordi_ctx_last_switch(struct cordi_ctx *from, struct cordi_ctx *to);
#else
static inline void cordi_ctx_switch(struct cordi_ctx *from, struct cordi_ctx *to)
{
    cordi_ctx_swap(from, to);
}
static inline _Noreturn void cordi_ctx_last_switch(struct cordi_ctx *from, struct cordi_ctx *to)
{
    cordi_ctx_swap(from, to);
    __builtin_unreachable();
}
#endif

#endif
