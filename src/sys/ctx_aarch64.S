/* sys/ctx_aarch64.S - the switch for aarch64 (AAPCS64); see ctx.h.
 *
 * A saved stack holds, from its stack pointer up: x19..x28, x29, x30 (the address to go on at), d8..d15.
 * cordi_ctx_make() in ctx.c writes such a frame for a context that has not run.
 */
#ifdef __aarch64__

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
    mov sp, x9                      /* the frame has the same shape, so the notes above hold for it too */
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
    .cfi_endproc
    .size cordi_ctx_swap, . - cordi_ctx_swap

/* Where a made context begins: x19 is the function, x20 its argument. Nothing called this, so unwinding ends here. */
    .globl cordi_ctx_begin
    .hidden cordi_ctx_begin
    .type cordi_ctx_begin, %function
    .p2align 4
cordi_ctx_begin:
    .cfi_startproc
    .cfi_undefined x30
    hint #36                        /* bti j */
    mov x0, x20
    blr x19
    brk #1                          /* it must not return */
    .cfi_endproc
    .size cordi_ctx_begin, . - cordi_ctx_begin

/* GNU property note: fit for BTI. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .long 4, 16, 5                  /* name size, descriptor size, NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000000, 4, 1, 0       /* GNU_PROPERTY_AARCH64_FEATURE_1_AND, size, BTI, padding */

#endif

    .section .note.GNU-stack, "", %progbits
