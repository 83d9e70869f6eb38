/* site.h - how one system-call site can be rewritten into a jump, if at all.
 *
 * A jump takes five bytes and `syscall` has two. So a *window* of whole instructions before it (the
 * prefix), if need be the `syscall` itself and instructions behind it (the tail), is chosen; prefix
 * and tail go into the stub. The best window is one instruction of five bytes or more, such as
 * `mov $nr,%eax`: nobody can stand or jump inside it, and the `syscall` stays intact for whoever
 * jumps straight to it. Any other window is taken only if no jump leads into it, as far as can be
 * known, and if no other OS thread might stand in it. */
#pragma once
#include "object.h"

struct plan {
    const uint8_t *window; /* where the jump goes */
    const uint8_t *site;   /* behind the `syscall` */
    uint8_t prefix;        /* bytes from window to the `syscall` */
    uint8_t tail;          /* bytes behind it that the jump overwrites, in whole instructions */
    uint8_t span;          /* bytes to overwrite: the jump, and nops to the end of an instruction */
    bool single;           /* the jump fits into one instruction */
    bool bad;              /* found unusable by site_check() */
    long nr;               /* the call's number, or -1 if it is not a constant here */
};

enum { SITE_JUMP = 5, SITE_PREFIX = 40, SITE_TAIL = 20 };

/* Plans the rewriting of the site behind the `syscall` that ends at `site`. Alone: this is the only
 * OS thread. False when there is no good way, or no `syscall` (two such bytes inside something
 * else). A plan that is not `single` has to pass site_check() too. */
bool site_plan(const struct object *o, const uint8_t *site, bool alone, struct plan *out);

/* Marks the plans, ascending by address, into whose window some jump of the object leads. */
void site_check(const struct object *o, struct plan *plans, int n);
