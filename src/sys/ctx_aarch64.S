/* sys/ctx_aarch64.S - the switch for aarch64 (AAPCS64); see ctx.h.
 *
 * A saved stack holds, from its stack pointer up: x19..x28, x29, x30 (the address to go on at), d8..d15.
 * A context that has not run has bit 0 of its stack pointer set; there lie its function and its argument.
 */
#if defined __aarch64__ && !CORDAGE_UCONTEXT

    .text

/* void cordi_ctx_swap(struct cordi_ctx *from [x0], struct cordi_ctx *to [x1]) */
    .globl cordi_ctx_swap
    .hidden cordi_ctx_swap
    .type cordi_ctx_swap, %function
    .p2align 4
cordi_ctx_swap:
    .cfi_startproc
    hint #34                        /* bti c */
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    stp x21, x22, [sp, #16]
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    stp x23, x24, [sp, #32]
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    stp x25, x26, [sp, #48]
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    stp x27, x28, [sp, #64]
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
.Lgo_on:
    tbnz x9, #0, .Lbegin
    mov sp, x9                      /* the frame has the same shape, so the notes above hold for it too */
    .cfi_remember_state
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    ret

.Lbegin:                            /* nothing called what begins here, so unwinding ends */
    .cfi_restore_state
    .cfi_undefined x30
    sub x9, x9, #1
    ldp x10, x0, [x9], #16
    mov sp, x9
    mov x29, xzr
    mov x30, xzr
    blr x10
    ldr x9, [x0]                    /* it has ended, and answers who goes on */
    b .Lgo_on
    .cfi_endproc
    .size cordi_ctx_swap, . - cordi_ctx_swap

/* GNU property note: fit for BTI. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long 4, 16, 5                  /* name size, descriptor size, NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000000, 4, 1, 0       /* GNU_PROPERTY_AARCH64_FEATURE_1_AND, size, BTI, padding */

#endif

    .section .note.GNU-stack, "", %progbits
