/* stub.h - the code a rewritten site jumps to.
 *
 * A stub executes the site's prefix, loads the two addresses the trampoline wants (r11: the site,
 * rcx: where to go on; the kernel clobbers both anyhow) and jumps there; if the site has a tail, it
 * goes on in the stub, which executes the tail and jumps behind it. Stubs stand in small arenas
 * within reach of a 32-bit displacement from their site, and are never freed: someone may be
 * about to return into one. Callers hold the interception's lock, with signals blocked. */
#pragma once
#include "site.h"

struct stub {
    const uint8_t *site; /* key of the table; NULL in a free entry */
    const uint8_t *window;
    const uint8_t *code; /* where the site jumps; NULL: looked at, cannot be rewritten */
    uint8_t prefix;
    uint8_t tail;
    uint8_t tail_at; /* offset of the tail in code */
    bool single;
};

/* The record of a site, or NULL. */
struct stub *stub_find(const uint8_t *site);

/* Makes the stub of a plan, with room for `more` others in the same go. -errno when there is no
 * memory near enough. The stub is executable only after stub_flush(). */
int stub_make(const struct plan *p, int more, bool alone);
int stub_flush(void);

/* Remembers that a site cannot be rewritten, or no longer stands. */
void stub_none(const uint8_t *site);

/* Where the program goes on after the site's call. */
uintptr_t stub_back(const struct stub *s);

/* Code that executes `syscall` and goes on at `back`, needing neither register nor memory of the
 * caller; NULL when there are too many. stub_native_found() only finds it, and needs no lock. */
const void *stub_native(uintptr_t back);
const void *stub_native_found(uintptr_t back);
