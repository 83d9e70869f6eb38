/* select.c - see green/select.h.
 *
 * The guards of all cases are held together, taken in the order of their addresses, while the cases
 * are looked at and lined up: so nothing happens in between, and since a thread that looks stands
 * nowhere yet, nobody has to be claimed twice (once for each end) when both ends select. What
 * belongs to the hub itself (descriptors) is looked at before: it cannot change meanwhile in a
 * way that the loop would not tell later. */
#include "select.h"
#include "error.h"
#include <errno.h>

enum { NOTHING = -1 }; /* number of no case */

struct selection {
    struct green_hub *hub;
    green_case *cases;
    int count;
    int start;           /* where to look first: any */
    int after;           /* the case whose time comes first; NOTHING: none */
    int64_t until;       /* then */
    green_case *guarded; /* by the address of their guards */
    struct choice choice;
};

static const struct case_kind *kind_of(const green_case *c)
{
    return c->kind;
}

/* Belongs to this hub. Time is no such kind, nor is a channel that is NULL. */
static bool is_own(const green_case *c)
{
    return c->kind != NULL && kind_of(c)->won == NULL;
}

/* ---- guards ---- */

static void sort_in(struct selection *s, green_case *c)
{
    green_case **at = &s->guarded;
    while (*at != NULL && (uintptr_t)(*at)->guard < (uintptr_t)c->guard)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
}

static green_case *next_guard(green_case *c)
{
    green_guard *guard = c->guard;
    while (c != NULL && c->guard == guard)
        c = c->next;
    return c;
}

static void enter_all(struct selection *s)
{
    for (green_case *c = s->guarded; c != NULL; c = next_guard(c))
        guard_enter(s->hub, c->guard);
}

static void leave_all(struct selection *s)
{
    for (green_case *c = s->guarded; c != NULL; c = next_guard(c))
        guard_leave(s->hub, c->guard);
}

/* ---- looking ---- */

/* A cheap die of this hub: which case is looked at first. */
static int roll(struct green_hub *hub, int count)
{
    hub->die = hub->die * 1664525U + 1013904223U;
    return (int)((uint64_t)hub->die * (uint64_t)count >> 32);
}

static void prepare(struct selection *s)
{
    int64_t shortest = INT64_MAX;
    s->start = s->count > 1 ? roll(s->hub, s->count) : 0;
    for (int i = 0; i < s->count; i++) {
        green_case *c = &s->cases[i];
        c->ready = false;
        if (c->guard != NULL)
            sort_in(s, c);
        else if (c->kind == NULL && c->number < shortest) {
            shortest = c->number;
            s->after = i;
        }
    }
    if (s->after == NOTHING || shortest == 0)
        return;
    int64_t now = hub_clock();
    s->until = shortest < INT64_MAX - now ? now + shortest : INT64_MAX;
}

/* The cases of this hub: are there any that happened? 1, 0, or a negative errno. */
static int look_own(struct selection *s)
{
    int any = 0;
    for (int i = 0; i < s->count; i++) {
        green_case *c = &s->cases[i];
        if (!is_own(c))
            continue;
        int ready = kind_of(c)->look(s->hub, c);
        if (ready < 0)
            return ready;
        c->ready = ready > 0;
        any |= ready;
    }
    return any;
}

static int enter_own(struct selection *s)
{
    int err = 0;
    for (int i = 0; i < s->count && err == 0; i++)
        if (is_own(&s->cases[i]))
            err = kind_of(&s->cases[i])->enter(s->hub, &s->cases[i], &s->choice);
    return err;
}

/* Inside the guards, or with `own` only those of this hub: one that happened, its number in *which;
 * 0, or a negative errno. */
static int pick(struct selection *s, bool own, int *which)
{
    for (int k = 0, i = s->start; k < s->count; k++, i = i + 1 < s->count ? i + 1 : 0) {
        green_case *c = &s->cases[i];
        int r = c->ready;
        if (c->guard != NULL && !own)
            r = kind_of(c)->look(s->hub, c);
        if (r < 0)
            return r;
        if (r > 0) {
            *which = i;
            return 0;
        }
    }
    return 0;
}

/* One look at all, and if nothing has happened and `stay`, into all lines. */
static int look(struct selection *s, bool stay, int *which)
{
    int any = look_own(s), err = any < 0 ? any : 0;
    if (err == 0 && any == 0 && stay)
        err = enter_own(s);
    if (err < 0)
        return err;
    enter_all(s);
    err = pick(s, false, which);
    if (err == 0 && *which == NOTHING && stay)
        for (green_case *c = s->guarded; c != NULL; c = c->next)
            kind_of(c)->enter(s->hub, c, &s->choice);
    leave_all(s);
    return err;
}

/* ---- waiting ---- */

/* Somebody has claimed a case and hands over: until that is done there is no way back. */
static int be_handed(struct selection *s, const struct waiter *winner, int *which)
{
    struct green_shield_scope scope;
    green_shield_enter(&scope);
    while (!s->choice.told)
        park(s->hub, &s->choice.line, WAIT_BACK, INT64_MAX, "select", s->count);
    green_shield_leave(&scope);
    for (int i = 0; i < s->count; i++)
        if (&case_place(&s->cases[i])->waiter == winner && s->cases[i].guard != NULL)
            *which = i;
    return kind_of(&s->cases[*which])->won(&s->cases[*which], winner->outcome);
}

/* Parked in all lines; an edge that was for nothing does not cost the places. */
static int wait_in_lines(struct selection *s, int *which)
{
    bool timed = s->until < s->hub->current->deadline;
    int err = 0;
    while (err == 0 && *which == NOTHING && s->choice.winner == NULL) {
        err = park(s->hub, &s->choice.line, WAIT_BACK, s->until, "select", s->count);
        if (err == 0 && s->choice.winner == NULL) {
            err = look_own(s);
            if (err == 0)
                err = enter_own(s);
            else if (err > 0)
                err = pick(s, true, which);
        } else if (err == -ETIMEDOUT && timed) {
            *which = s->after;
            err = 0;
        }
    }
    return err;
}

/* Until a case is claimed, or there is another reason to go. */
static int wait(struct selection *s, int *which)
{
    struct standing standing = {.choice = &s->choice};
    struct waiter *own = &s->hub->current->waiter;
    own->standing = &standing;
    int err = wait_in_lines(s, which);
    own->standing = NULL;
    if (choice_claim(&s->choice, &s->choice) || s->choice.winner == &s->choice)
        return err;
    *which = NOTHING;
    return be_handed(s, s->choice.winner, which);
}

static void leave_own(struct selection *s)
{
    for (int i = 0; i < s->count; i++)
        if (is_own(&s->cases[i]))
            kind_of(&s->cases[i])->leave(s->hub, &s->cases[i]);
}

static void leave_guarded(struct selection *s)
{
    for (green_case *c = s->guarded; c != NULL; c = c->next) {
        guard_enter(s->hub, c->guard);
        kind_of(c)->leave(s->hub, c);
        guard_leave(s->hub, c->guard);
    }
}

static int choose(struct selection *s)
{
    int which = NOTHING;
    int err = s->hub->current->refused != 0 ? park_refused(s->hub) : 0;
    if (err < 0)
        return err;
    prepare(s);
    bool stay = s->after == NOTHING || s->cases[s->after].number > 0;
    err = look(s, stay, &which);
    if (err == 0 && which == NOTHING && stay) {
        err = wait(s, &which);
        leave_guarded(s);
    } else if (err == 0) {
        hub_spend(s->hub);
        which = which == NOTHING ? s->after : which;
    }
    leave_own(s);
    return err < 0 ? err : which;
}

GREEN_API int green_select_cases(green_case *cases, int count)
{
    struct selection s = {.cases = cases, .count = count, .after = NOTHING, .until = INT64_MAX};
    s.hub = hub_here();
    if (s.hub == NULL)
        return -1;
    if (count < 1)
        return fail(EINVAL, "green_select: no cases");
    s.choice.thread = s.hub->current;
    return (int)returned(choose(&s));
}
