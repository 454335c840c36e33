/* bench/switch.c - the bare switch between two stacks: `switch CASE [SECONDS]`, nanoseconds for each switch.
 *
 *   minimal      the least that the ABI asks for: six registers, the stack pointer, a return
 *   ours         cordage's own, as its scheduler calls it. The one program here that sees a private header: the public
 *                calls have no switch without a scheduler around it
 *   swapcontext  the C library's
 */
#include "micro.h"
#include "sys/ctx.h"

#include <limits.h>
#include <stdint.h>
#include <ucontext.h>

enum { STACK = 65536 };

static _Alignas(64) char stack[STACK];

#if defined __x86_64__
void minimal_switch(void **from, void **to);
/* At `from` and `to` lie stack pointers; a stack that waits has six registers and where to go on. */
__asm__(".text\n"
        ".type minimal_switch, @function\n"
        ".p2align 4\n"
        "minimal_switch:\n"
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov (%rsi), %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret\n");
enum { FRAME_WORDS = 8, FRAME_RESUME = 6 }; /* and a word that aligns the stack as after a call */
#elif defined __aarch64__
void minimal_switch(void **from, void **to);
__asm__(".text\n"
        ".type minimal_switch, @function\n"
        ".p2align 4\n"
        "minimal_switch:\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n stp x25, x26, [sp, #48]\n"
        "stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
        "mov x9, sp\n str x9, [x0]\n ldr x9, [x1]\n mov sp, x9\n"
        "ldp x19, x20, [sp]\n ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n"
        "ldp x27, x28, [sp, #64]\n ldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\n"
        "ret\n");
enum { FRAME_WORDS = 20, FRAME_RESUME = 11 };
#endif

#if defined __x86_64__ || defined __aarch64__
static void *main_sp, *other_sp;

/* For both sides: there is one place that switches, so that returns are predicted. */
static __attribute__((noinline)) void minimal_pass(void **from, void **to, long count)
{
    for (long i = 0; i < count; i += 2)
        minimal_switch(from, to);
}

static void minimal_other(void)
{
    minimal_pass(&other_sp, &main_sp, LONG_MAX);
}

static void minimal(long count)
{
    void **frame = (void **)(void *)(stack + STACK) - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof *frame);
    frame[FRAME_RESUME] = (void *)(uintptr_t)minimal_other;
    other_sp = frame;
    minimal_pass(&main_sp, &other_sp, count);
}
#endif

static struct cordi_ctx main_ctx, other_ctx;

/* The same; sys/ctx.h says why. */
static __attribute__((noinline)) void pass(struct cordi_ctx *from, struct cordi_ctx *to, long count)
{
    for (long i = 0; i < count; i += 2)
        cordi_ctx_switch(from, to);
}

static struct cordi_ctx *ours_other(void *arg)
{
    (void)arg;
    pass(&other_ctx, &main_ctx, LONG_MAX);
    return &main_ctx;
}

static void ours(long count)
{
    cordi_ctx_adopt(&main_ctx);
    cordi_ctx_make(&other_ctx, stack, STACK);
    cordi_ctx_begin(&other_ctx, stack, stack + STACK, ours_other, NULL);
    pass(&main_ctx, &other_ctx, count);
    cordi_ctx_done(&other_ctx);
}

static ucontext_t main_uc, other_uc;

static void swapcontext_other(void)
{
    for (;;)
        swapcontext(&other_uc, &main_uc);
}

static void with_swapcontext(long count)
{
    getcontext(&other_uc);
    other_uc.uc_stack.ss_sp = stack;
    other_uc.uc_stack.ss_size = STACK;
    makecontext(&other_uc, swapcontext_other, 0);
    for (long i = 0; i < count; i += 2)
        swapcontext(&main_uc, &other_uc);
}

int main(int argc, char **argv)
{
    static const struct micro_case cases[] = {
#if defined __x86_64__ || defined __aarch64__
        { "minimal", minimal },
#endif
        { "ours", ours },
        { "swapcontext", with_swapcontext },
        { NULL, NULL },
    };
    return micro_main(cases, argc, argv);
}
