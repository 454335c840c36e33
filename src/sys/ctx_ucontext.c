/* sys/ctx_ucontext.c - the switch by makecontext(3) and swapcontext(3), for processors without one in assembly.
 *
 * Where a context that does not run keeps its registers is on its own stack, as with the assembly: `sp` is the address
 * of its ucontext_t. A first one lies at the top of the stack, the others in the frame that switches.
 */
#include "sys/ctx.h"

#if CORDI_UCONTEXT
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

/* makecontext() hands on ints: a pointer goes in two halves. */
struct first {
    ucontext_t context;
    cordi_ctx_entry *entry;
    void *arg;
};

static void begin(unsigned high, unsigned low)
{
    const struct first *first =
        (const struct first *)(((uintptr_t)high << 16 << 16) | low); /* 0 where it has 32 bits */
    const struct cordi_ctx *next = first->entry(first->arg);
    setcontext(next->sp);
    abort(); /* it does not return */
}

void *cordi_ctx_frame(void *stack_low, void *top, cordi_ctx_entry *entry, void *arg)
{
    struct first *first = (void *)(((uintptr_t)top - sizeof *first) & ~(uintptr_t)63);
    uintptr_t address = (uintptr_t)first;
    if (getcontext(&first->context) < 0)
        abort(); /* it fails nowhere */
    first->context.uc_stack.ss_sp = stack_low;
    first->context.uc_stack.ss_size = address - (uintptr_t)stack_low;
    first->context.uc_link = NULL;
    first->entry = entry;
    first->arg = arg;
    makecontext(&first->context, (void (*)(void))(uintptr_t)begin, 2, (unsigned)(address >> 16 >> 16),
                (unsigned)address);
    return first;
}

void cordi_ctx_swap(struct cordi_ctx *from, struct cordi_ctx *to)
{
    ucontext_t here;
    from->sp = &here;
    if (swapcontext(&here, to->sp) < 0)
        abort();
}
#endif
