/* select.h - what a kind of case has to bring along to be selected (net/ has kinds of its own). */
#pragma once
#include "shared.h"
#include <green/select.h>

/* All return negative errno on failure. For a case with a guard all are called inside of it, so
 * look and enter are one step; the others belong to the running hub and are looked at first. */
struct case_kind {
    /* Has it happened? If so it is done. 1 or 0. */
    int (*look)(struct green_hub *hub, green_case *c);
    /* Stand in line. One of the hub's own wakes choice->line and is looked at again, then entered
     * again. */
    int (*enter)(struct green_hub *hub, green_case *c, struct choice *choice);
    void (*leave)(struct green_hub *hub, green_case *c);
    /* The case was claimed and has this outcome. 0. Outside the guard. NULL: has no guard. */
    int (*won)(green_case *c, int outcome);
};

static inline struct place *case_place(green_case *c)
{
    _Static_assert(sizeof(struct place) <= sizeof c->room, "there is room");
    return (struct place *)(void *)c->room;
}

/* Its place in a line, for the kinds with a guard. */
void case_enter(green_case *c, struct choice *choice, green_waiters *waiters, void *item);
