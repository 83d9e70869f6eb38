/* intercept_sites.S - system-call sites of every form, for test_intercept.c to make calls from. */
    .text

.macro function name
    .balign 32
    .globl  \name
    .type   \name, @function
\name:
    .cfi_startproc
.endm
.macro done name
    .cfi_endproc
    .size   \name, . - \name
.endm

/* Rewritten by its one instruction. */
function site_mov
    mov     $110, %eax
    syscall
    ret
done site_mov

/* read(fd, buf, n): four bytes, so the comparison behind has to move too. */
    .globl  site_xor_back
function site_xor
    xor     %eax, %eax
    syscall
site_xor_back:
    cmp     $-4096, %rax
    ja      1f
    ret
1:  or      $-1, %rax
    ret
done site_xor

/* (nr): two instructions before the `syscall` make room. */
function site_two
    mov     %rdi, %rax
    xor     %edi, %edi
    syscall
    ret
done site_two

/* (nr): no room at all: must go on trapping. */
function site_tight
    mov     %edi, %eax
    syscall
    ret
done site_tight

/* (nr, again): room only in a window that a jump leads into: must go on trapping. */
function site_jumped
    mov     %rdi, %rax
1:  xor     %edi, %edi
    syscall
    dec     %rsi
    jns     2f
    ret
2:  mov     $110, %al
    jmp     1b
done site_jumped

/* The prefix addresses relative to itself: returns that address, and the word there. */
function site_relative
    mov     $110, %eax
    lea     site_relative_word(%rip), %rsi
    mov     site_relative_word(%rip), %edx
    syscall
    mov     %rsi, %rax
    ret
done site_relative

/* (out[64]): all registers before and after a call; see struct machine. */
function site_registers
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    push    %rdi
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups  \i*16+site_vectors(%rip), %xmm\i
    .endr
    .irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    movq    $0x1000+\i, -8*\i(%rsp)
    .endr
    .irp r, rbx, rbp, r12, r13, r14, r15, rdi, rsi, rdx, r10, r8, r9
    lea     site_\r(%rip), %\r
    .endr
    mov     %rsp, %rcx
    mov     (%rsp), %r11
    mov     %rcx, 8*44(%r11)
    mov     $110, %eax
    syscall
    mov     (%rsp), %rcx
    mov     %rsp, 8*45(%rcx)
    mov     %rax, (%rcx)
    .set at, 8
    .irp r, rbx, rbp, r12, r13, r14, r15, rdi, rsi, rdx, r10, r8, r9
    lea     site_\r(%rip), %r11
    sub     %r11, %\r
    mov     %\r, at(%rcx)
    .set at, at + 8
    .endr
    .irp i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    mov     -8*\i(%rsp), %r11
    mov     %r11, 8*12+8*\i(%rcx)
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups  %xmm\i, 8*46+16*\i(%rcx)
    .endr
    pop     %rdi
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret
done site_registers

/* (fn): calls getpid(); where that returns 0, on whatever stack, calls fn(rbp). */
function site_begin
    push    %rbx
    push    %rbp
    mov     %rdi, %rbx
    lea     site_relative_word(%rip), %rbp
    mov     $39, %eax
    syscall
    test    %rax, %rax
    jz      1f
    pop     %rbp
    pop     %rbx
    ret
1:  mov     %rbp, %rdi
    call    *%rbx
    hlt
done site_begin

/* (sp, pc): the plainest of context switches. */
function site_switch
    mov     %rdi, %rsp
    jmp     *%rsi
done site_switch

/* Fresh sites for threads to meet at once, eight bytes each. */
function site_many
    .rept 512
    mov     $110, %eax
    syscall
    ret
    .endr
done site_many

    .data
    .globl  site_relative_word, site_vectors
    .irp r, rbx, rbp, r12, r13, r14, r15, rdi, rsi, rdx, r10, r8, r9
site_\r:
    .quad   0
    .endr
site_relative_word:
    .long   0x12345678
    .balign 16
site_vectors:
    .set i, 0
    .rept 32
    .quad   0x0101010101010101 * i + 0x8000000000000000
    .set i, i + 1
    .endr

    .section .note.GNU-stack, "", @progbits
