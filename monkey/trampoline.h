/* trampoline.h - what trampoline_x86_64.S offers to the rest of the interception. */
#pragma once

/* Entered by a jump, with r11 = the address behind the `syscall`, rcx = where to go on, and all
 * other registers the program's. */
extern const char trampoline_enter[];

/* Where a thread prepared by call_on_stack() starts, the stack pointer at its struct call. */
extern const char trampoline_begin[];

/* A page of text for stub_native(), zero at first, the only one it writes to. */
extern const char native_page[];

/* What the trampoline calls: the value for rax. c->back says where to go on. */
struct call;
long intercept_dispatch(struct call *c);
