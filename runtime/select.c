/* select.c - see green/select.h.
 *
 * The guards of all cases are held together, taken in the order of their addresses, while the cases
 * are looked at and lined up: so nothing happens in between, and since a thread that looks stands
 * nowhere yet, nobody has to be claimed twice (once for each end) when both ends select. What
 * belongs to the hub itself (descriptors) is looked at before: it cannot change meanwhile in a
 * way that the loop would not tell later.
 *
 * Whatever happens gets a ticket, counted down from `wanted` to 1: at the first look, then from the
 * choice (shared.h), which hands out the rest. So tickets say what happened, and in which order. */
#include "select.h"
#include "error.h"
#include <errno.h>

struct selection {
    struct green_hub *hub;
    green_case *cases;
    int count;
    int wanted;          /* so many are to happen */
    int left;            /* so many had not when the thread stood in line */
    int start;           /* where to look first */
    int at_once;         /* how many cases have the time 0 */
    bool timed;          /* others have a time, too */
    bool own;            /* some belong to this hub */
    int64_t begun;       /* when it began to count */
    green_case *time;    /* the one that comes first; NULL: none */
    int64_t until;       /* then */
    green_case *guarded; /* by the address of their guards */
    struct choice choice;
};

static const struct case_kind *kind_of(const green_case *c)
{
    return c->kind;
}

static bool is_time(const green_case *c)
{
    return c->kind == NULL;
}

/* Belongs to this hub. */
static bool is_own(const green_case *c)
{
    return c->kind != NULL && kind_of(c)->enter != NULL;
}

/* Its place in the line. */
static struct place *place_of(green_case *c)
{
    _Static_assert(sizeof(struct place) <= sizeof c->room, "there is room");
    return (struct place *)(void *)c->room;
}

/* ---- guards ---- */

static green_case *merge(green_case *a, green_case *b)
{
    green_case *first, **end = &first;
    while (a != NULL && b != NULL) {
        green_case **next = (uintptr_t)b->guard < (uintptr_t)a->guard ? &b : &a;
        *end = *next;
        end = &(*next)->next;
        *next = *end;
    }
    *end = a != NULL ? a : b;
    return first;
}

static green_case *insert(green_case *first, green_case *c)
{
    green_case **at = &first;
    while (*at != NULL && (uintptr_t)(*at)->guard < (uintptr_t)c->guard)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
    return first;
}

/* Those that have a guard. */
static green_case *sorted(green_case *cases, int count)
{
    green_case *few = NULL;
    if (count > 8)
        return merge(sorted(cases, count / 2), sorted(cases + count / 2, count - count / 2));
    for (int i = 0; i < count; i++)
        if (cases[i].guard != NULL)
            few = insert(few, &cases[i]);
    return few;
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

/* ---- time ---- */

static void next_time(struct selection *s)
{
    int64_t shortest = INT64_MAX;
    s->time = NULL;
    for (int i = 0; i < s->count; i++) {
        green_case *c = &s->cases[i];
        if (is_time(c) && c->ticket == 0 && c->number < shortest) {
            shortest = c->number;
            s->time = c;
        }
    }
    s->until = shortest < INT64_MAX - s->begun ? s->begun + shortest : INT64_MAX;
}

/* The thread was woken for it, and has a ticket; unless it was not even parked. */
static void time_comes(struct selection *s)
{
    int taken = s->choice.taken;
    s->choice.taken = 0;
    s->time->ticket = taken > 0 ? taken : choice_take(&s->choice);
    next_time(s);
}

/* ---- looking ---- */

static void prepare(struct selection *s)
{
    bool in_order = true;
    green_case **end = &s->guarded;
    uintptr_t highest = 0;
    s->left = s->wanted;
    s->until = INT64_MAX;
    for (int i = 0; i < s->count; i++) {
        green_case *c = &s->cases[i];
        c->ready = false;
        c->ticket = 0;
        if (c->guard != NULL) {
            in_order = in_order && (uintptr_t)c->guard >= highest;
            highest = (uintptr_t)c->guard;
            *end = c;
            end = &c->next;
        } else if (is_time(c)) {
            s->at_once += c->number == 0;
            s->timed |= c->number > 0;
        } else {
            s->own = true;
        }
    }
    *end = NULL;
    if (!in_order)
        s->guarded = sorted(s->cases, s->count);
}

/* The cases of this hub that have not happened: how many have now? Or a negative errno. */
static int look_own(struct selection *s)
{
    int ready = 0;
    for (int i = 0; s->own && i < s->count; i++) {
        green_case *c = &s->cases[i];
        if (!is_own(c) || c->ticket > 0)
            continue;
        int r = kind_of(c)->look(s->hub, c);
        if (r < 0)
            return r;
        c->ready = r > 0;
        ready += c->ready;
    }
    return ready;
}

static int enter_own(struct selection *s)
{
    int err = 0;
    for (int i = 0; s->own && i < s->count && err == 0; i++) {
        green_case *c = &s->cases[i];
        if (is_own(c) && !c->ready)
            err = kind_of(c)->enter(s->hub, c, &s->choice);
    }
    return err;
}

static green_case *next_in_turn(const struct selection *s, green_case *c)
{
    return c + 1 < s->cases + s->count ? c + 1 : s->cases;
}

/* Inside the guards: take what has happened; then the times of 0, if that is not enough. */
static int pick(struct selection *s)
{
    green_case *c = &s->cases[s->start];
    for (int k = 0; k < s->count && s->left > 0; k++, c = next_in_turn(s, c)) {
        int r = c->guard != NULL ? kind_of(c)->look(s->hub, c) : c->ready;
        if (r < 0)
            return r;
        if (r > 0)
            c->ticket = s->left--;
    }
    for (int i = 0; i < s->count && s->left > 0 && s->at_once > 0; i++)
        if (is_time(&s->cases[i]) && s->cases[i].number == 0)
            s->cases[i].ticket = s->left--;
    return 0;
}

/* Those of this hub, while the thread stands in lines. */
static void pick_own(struct selection *s)
{
    green_case *c = &s->cases[s->start];
    for (int k = 0; k < s->count; k++, c = next_in_turn(s, c))
        if (is_own(c) && c->ready && c->ticket == 0)
            c->ticket = choice_take(&s->choice);
}

/* Inside the guards: into the lines of what has not happened. */
static void line_up(struct selection *s)
{
    atomic_init(&s->choice.tickets, s->left);
    atomic_init(&s->choice.due, s->left);
    for (green_case *c = s->guarded; c != NULL; c = c->next) {
        struct place *p = place_of(c);
        if (c->ticket > 0)
            continue;
        p->standing = (struct standing){
            .guard = c->guard,
            .vital = kind_of(c)->won == NULL,
            .item = c->item,
            .choice = &s->choice,
        };
        place_enter(p, c->line);
    }
}

/* One look at all, and if too few have happened, into all lines. */
static int look(struct selection *s)
{
    int ready = look_own(s), err = ready < 0 ? ready : 0;
    if (err == 0 && ready + s->at_once < s->wanted)
        err = enter_own(s);
    if (err < 0)
        return err;
    enter_all(s);
    err = pick(s);
    if (err == 0 && s->left > 0)
        err = park_refused(s->hub); /* who may not wait, a callback above all, stands nowhere */
    if (err == 0 && s->left > 0)
        line_up(s);
    leave_all(s);
    return err;
}

/* ---- waiting ---- */

/* An edge that was for nothing does not cost the places. */
static int look_again(struct selection *s)
{
    int ready = look_own(s);
    if (ready > 0)
        pick_own(s);
    return ready < 0 ? ready : enter_own(s);
}

/* Parked in all lines, until all tickets are gone or there is another reason to go. */
static int wait_in_lines(struct selection *s)
{
    int err = 0;
    while (err == 0 && s->choice.tickets > 0) {
        struct green_thread *t = s->hub->current;
        bool timed = s->until < t->deadline;
        if (UNLIKELY(t->refused != 0) && (s->choice.taken = choice_take(&s->choice)) == 0)
            break; /* it is over: what was thrown at the thread is for its next */
        err = park(s->hub, &s->choice.line, WAIT_BACK, s->until, "select", s->count);
        if (err == 0 && s->choice.tickets > 0)
            err = look_again(s);
        if (err == -ETIMEDOUT && timed) {
            time_comes(s);
            err = 0;
        }
    }
    return err;
}

/* Others hold tickets and hand over: until that is done there is no way back. */
static void be_told(struct selection *s)
{
    struct green_shield_scope scope;
    green_shield_enter(&scope);
    while (!s->choice.told)
        park(s->hub, &s->choice.line, WAIT_BACK, INT64_MAX, "select", s->count);
    green_shield_leave(&scope);
}

/* Out of the lines. A guard whose case was claimed is not touched: its object may be gone. */
static int leave_lines(struct selection *s)
{
    int err = 0;
    for (green_case *c = s->guarded; c != NULL; c = c->next) {
        struct place *p = place_of(c);
        if (c->ticket > 0)
            continue; /* at the first look */
        if (p->standing.ticket == 0) {
            guard_enter(s->hub, c->guard);
            place_leave(p);
            guard_leave(s->hub, c->guard);
            continue;
        }
        int r = p->waiter.outcome;
        if (kind_of(c)->won != NULL)
            r = kind_of(c)->won(c, r);
        if (r < 0)
            err = r;
        else
            c->ticket = p->standing.ticket;
    }
    return err;
}

static int wait(struct selection *s)
{
    struct standing standing = {.choice = &s->choice};
    struct waiter *own = &s->hub->current->waiter;
    if (s->timed) {
        s->begun = hub_clock();
        next_time(s);
    }
    own->standing = &standing;
    int err = wait_in_lines(s);
    own->standing = NULL;
    choice_close(&s->choice);
    if (!s->choice.told)
        be_told(s);
    int failed = leave_lines(s);
    return failed < 0 ? failed : err;
}

/* The tickets of the cases say what has happened. 0, or why that is not enough. */
static int choose(struct selection *s)
{
    prepare(s);
    int err = shared_refused(s->hub);
    if (err < 0)
        return err;
    err = look(s);
    if (err == 0 && s->left > 0)
        err = wait(s);
    else if (err == 0)
        hub_spend(s->hub);
    for (int i = 0; s->own && i < s->count; i++)
        if (is_own(&s->cases[i]))
            kind_of(&s->cases[i])->leave(s->hub, &s->cases[i]);
    return err;
}

/* A cheap die of this hub: which case is looked at first. */
static int roll(struct green_hub *hub, int count)
{
    hub->die = hub->die * 1664525U + 1013904223U;
    return (int)((uint64_t)hub->die * (uint64_t)count >> 32);
}

GREEN_API int green_select_cases(green_case *cases, int count)
{
    struct selection s = {.hub = hub_here(), .cases = cases, .count = count, .wanted = 1};
    if (s.hub == NULL)
        return -1;
    if (count < 1)
        return fail(EINVAL, "green_select: no cases");
    s.choice.thread = s.hub->current;
    s.start = count > 1 ? roll(s.hub, count) : 0;
    int err = choose(&s);
    for (int i = 0; i < count; i++)
        if (cases[i].ticket > 0)
            return i;
    return (int)returned(err);
}

/* What has happened, in order, and -1 behind; how many. Tickets that were for nothing (time,
 * cancellation, an error) leave gaps. */
static int put_in_order(const struct selection *s, int *order)
{
    int happened = 0;
    for (int i = 0; i < s->count; i++)
        happened += s->cases[i].ticket > 0;
    if (order == NULL)
        return happened;
    for (int i = 0; i < s->count; i++)
        order[i] = -1;
    for (int i = 0; i < s->count; i++)
        if (s->cases[i].ticket > 0)
            order[s->wanted - s->cases[i].ticket] = i;
    for (int k = 0, gap = 0; k < s->wanted; k++) {
        int which = order[k];
        order[k] = -1;
        if (which >= 0)
            order[gap++] = which;
    }
    return happened;
}

GREEN_API int green_wait_cases(green_case *cases, int count, int wanted, int *order)
{
    struct selection s = {.hub = hub_here(), .cases = cases, .count = count, .wanted = wanted};
    if (s.hub == NULL)
        return -1;
    if (wanted < 0 || wanted > count)
        return fail(EINVAL, "green_wait_cases: %d of %d cases", wanted, count);
    if (count == 0)
        return 0;
    s.choice.thread = s.hub->current;
    int err = choose(&s);
    return put_in_order(&s, order) == wanted ? wanted : (int)returned(err);
}

GREEN_API green_case green_case_after(int64_t nanoseconds)
{
    return (green_case){.number = nanoseconds > 0 ? nanoseconds : 0};
}
