/* select.h - what a kind of case has to bring along to be waited for. The kinds stand beside their
 * nouns: channel.c, queue.c, semaphore.c, ...; net/ has some of its own. */
#pragma once
#include "shared.h"
#include <green/select.h>

/* All return negative errno on failure; then the whole wait fails with it.
 *
 * A case with a guard has a line, too, and look and won. It stands in the line while the thread
 * waits; c->item is what is handed over. Cases without a guard belong to the running hub, are
 * looked at before the others, and have look, enter and leave. Times have no kind. */
struct case_kind {
    /* Has it happened? If so it is done. 1 or 0. Inside the guard. */
    int (*look)(struct green_hub *hub, green_case *c);
    /* It was claimed in the line and has this outcome: 0 or a negative errno. Outside the guard.
     * NULL: the outcome is all that is to be said, and an error ends the wait. */
    int (*won)(green_case *c, int outcome);
    /* Have choice->line woken when it is to be looked at again (then it is entered again). */
    int (*enter)(struct green_hub *hub, green_case *c, struct choice *choice);
    void (*leave)(struct green_hub *hub, green_case *c);
};

/* What an object that is NULL gives: it never comes up. */
#define CASE_NEVER ((green_case){.number = INT64_MAX})
