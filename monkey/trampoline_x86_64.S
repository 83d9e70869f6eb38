/* trampoline_x86_64.S - from an intercepted site to monkey_call() and back.
 *
 * Entered by a jump from a stub, or from the SIGSYS handler's doctored context, with
 *     r11 = the address behind the `syscall`, rcx = where to go on, the rest the program's.
 * A struct call is filled in below the red zone; rbp holds it across the C call, and the C stack
 * below is aligned. The way out reads everything back from the frame, so that monkey_call() may
 * have put other values there.
 *
 * To an unwinder the trampoline is a signal frame: the program was interrupted at the site, with
 * all registers as they were. So backtraces, debuggers, exceptions and thread cancellation go on
 * into the program. */
#include "call_layout.h"

    .text
    .hidden trampoline_enter, trampoline_begin, native_page, intercept_dispatch

/* The rules by which an unwinder finds the program's registers in the frame. */
.macro saved reg, at
    .cfi_offset \reg, \at - CALL_SP
.endm
.macro frame_rules
    saved rip, CALL_SITE
    saved rdi, CALL_RDI
    saved rsi, CALL_RSI
    saved rdx, CALL_RDX
    saved r10, CALL_R10
    saved r8, CALL_R8
    saved r9, CALL_R9
    saved rbx, CALL_RBX
    saved rbp, CALL_RBP
    saved r12, CALL_R12
    saved r13, CALL_R13
    saved r14, CALL_R14
    saved r15, CALL_R15
.endm

/* Stores or loads xmm0-15 at the stack pointer. */
.macro vectors store
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .if \store
    movaps  %xmm\i, \i*16(%rsp)
    .else
    movaps  \i*16(%rsp), %xmm\i
    .endif
    .endr
.endm

    .balign 64
    .globl  trampoline_enter
    .type   trampoline_enter, @function
trampoline_enter:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    .cfi_register rip, r11
    endbr64
    lea     -CALL_SP(%rsp), %rsp
    .cfi_def_cfa_offset CALL_SP
    mov     %rax, CALL_NR(%rsp)
    mov     %rdi, CALL_RDI(%rsp)
    mov     %rsi, CALL_RSI(%rsp)
    mov     %rdx, CALL_RDX(%rsp)
    mov     %r10, CALL_R10(%rsp)
    mov     %r8, CALL_R8(%rsp)
    mov     %r9, CALL_R9(%rsp)
    mov     %rbx, CALL_RBX(%rsp)
    mov     %rbp, CALL_RBP(%rsp)
    mov     %r12, CALL_R12(%rsp)
    mov     %r13, CALL_R13(%rsp)
    mov     %r14, CALL_R14(%rsp)
    mov     %r15, CALL_R15(%rsp)
    mov     %r11, CALL_SITE(%rsp)
    mov     %rcx, CALL_BACK(%rsp)
    movq    $0, CALL_NATIVE(%rsp)
    frame_rules
    mov     %rsp, %rbp
    .cfi_def_cfa_register rbp
    sub     $256, %rsp
    and     $-16, %rsp
    vectors 1
    cld
    mov     %rbp, %rdi
    call    intercept_dispatch
    vectors 0
    mov     %rbp, %rsp
    .cfi_def_cfa_register rsp

/* The stack pointer at the frame, rax the result (or the number, on the way to native code). */
.Lleave:
    mov     CALL_RDI(%rsp), %rdi
    mov     CALL_RSI(%rsp), %rsi
    mov     CALL_RDX(%rsp), %rdx
    mov     CALL_R10(%rsp), %r10
    mov     CALL_R8(%rsp), %r8
    mov     CALL_R9(%rsp), %r9
    mov     CALL_RBX(%rsp), %rbx
    mov     CALL_R12(%rsp), %r12
    mov     CALL_R13(%rsp), %r13
    mov     CALL_R14(%rsp), %r14
    mov     CALL_R15(%rsp), %r15
    mov     CALL_SITE(%rsp), %r11
    mov     CALL_BACK(%rsp), %rcx
    mov     CALL_RBP(%rsp), %rbp
    .cfi_restore rbp
    lea     CALL_SP(%rsp), %rsp
    .cfi_def_cfa_offset 0
    .cfi_register rip, r11
    .irp r, rdi, rsi, rdx, r10, r8, r9, rbx, r12, r13, r14, r15
    .cfi_restore \r
    .endr
    notrack jmp *%rcx
    .cfi_endproc
    .size   trampoline_enter, . - trampoline_enter

    .globl  trampoline_begin
    .type   trampoline_begin, @function
trampoline_begin:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa rsp, CALL_SP
    frame_rules
    endbr64
    xor     %eax, %eax
    jmp     .Lleave
    .cfi_endproc
    .size   trampoline_begin, . - trampoline_begin

/* The signal return. Debuggers and unwinders know this very sequence, and look for it where there
 * is no unwind information, at the return address and one byte before it; gdb also wants the name.
 * See intercept_restorer. */
    .balign 16
    .skip   16, 0x90
    .globl  __restore_rt
    .hidden __restore_rt
    .type   __restore_rt, @function
__restore_rt:
    mov     $15, %rax
    syscall
    .size   __restore_rt, . - __restore_rt

/* See stub_native(). */
    .balign 4096
    .globl  native_page
native_page:
    .skip   4096, 0
    .size   native_page, 4096

    .section .note.GNU-stack, "", @progbits
