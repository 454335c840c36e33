/* sys/ctx_x86_64.S - the switch for x86-64 (System V ABI); see ctx.h.
 *
 * A saved stack holds, from its stack pointer up: r15 r14 r13 r12 rbx rbp and the address to go on at.
 * A context that has not run has bit 0 of its stack pointer set; there lie its function and its argument.
 */
#if defined __x86_64__ && !CORDAGE_UCONTEXT

    .text

/* void cordi_ctx_swap(struct cordi_ctx *from [rdi], struct cordi_ctx *to [rsi]) */
    .globl cordi_ctx_swap
    .hidden cordi_ctx_swap
    .type cordi_ctx_swap, @function
    .p2align 4
cordi_ctx_swap:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    movq %rsp, (%rdi)
    movq (%rsi), %rsp               /* the frame has the same shape, so the notes above hold for it too */
.Lgo_on:
    testb $1, %spl
    jnz .Lbegin
    .cfi_remember_state
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    ret                             /* predicted: to the one place that switches, and its callers follow suit */

.Lbegin:                            /* nothing called what begins here, so unwinding ends */
    .cfi_restore_state
    .cfi_undefined rip
    decq %rsp
    popq %rax
    popq %rdi
    xorl %ebp, %ebp
    call *%rax
    movq (%rax), %rsp               /* it has ended, and answers who goes on */
    jmp .Lgo_on
    .cfi_endproc
    .size cordi_ctx_swap, . - cordi_ctx_swap

/* GNU property note: fit for IBT, not for a shadow stack. */
    .section .note.gnu.property, "a", @note
    .p2align 3
    .long 4, 16, 5                  /* name size, descriptor size, NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000002, 4, 1, 0       /* GNU_PROPERTY_X86_FEATURE_1_AND, size, IBT, padding */

#endif

    .section .note.GNU-stack, "", @progbits
