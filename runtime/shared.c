/* shared.c - see shared.h. */
#include "shared.h"
#include "hub_switch.h"
#include <sched.h>

/* Held so briefly that only an OS thread that lost its CPU makes others wait: then give it ours. */
void guard_take(green_guard *guard)
{
    for (int spins = 0; __atomic_exchange_n(&guard->taken, 1, __ATOMIC_ACQUIRE) != 0; spins++)
        if (spins >= 100)
            sched_yield();
}

int shared_hand(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                void *item, const char *why, const void *object)
{
    struct green_thread *t = hub->current;
    struct standing standing = {.guard = guard, .tag = (uint8_t)tag, .item = item};
    int err = UNLIKELY(park_may_fail(hub)) ? park_refused(hub) : 0;
    if (UNLIKELY(err < 0)) {
        guard_leave(hub, guard);
        return err;
    }
    t->waiter.standing = &standing;
    park_begin(hub, queue_of(waiters), WAIT_BACK, INT64_MAX, why, (long)object);
    guard_leave(hub, guard);
    hub_switch(hub, false);
    t->waiter.standing = NULL;
    return t->waiter.outcome == 0 ? 0 : park_failed(t);
}

int shared_wait(struct green_hub *hub, green_guard *guard, green_waiters *waiters, int tag,
                const char *why, const void *object)
{
    return shared_hand(hub, guard, waiters, tag, NULL, why, object);
}

void place_enter(struct place *p, green_waiters *waiters)
{
    p->waiter.standing = &p->standing;
    wait_enqueue(queue_of(waiters), &p->waiter, WAIT_BACK);
}

void place_leave(struct place *p)
{
    wait_dequeue(&p->waiter);
}

static struct green_thread *thread_of(struct waiter *w)
{
    struct choice *choice = w->standing->choice;
    return choice != NULL ? choice->thread : CONTAINER(w, struct green_thread, waiter);
}

/* Its thread is the parent's: this is a forked child. */
static bool left_behind(const struct green_hub *hub, struct waiter *w)
{
    const struct green_hub *home = thread_of(w)->hub;
    return UNLIKELY(home != hub) && home->gone;
}

struct green_thread *shared_first(struct green_hub *hub, green_waiters *waiters, int *tag)
{
    struct waiter *w;
    while ((w = queue_of(waiters)->head) != NULL && left_behind(hub, w))
        wait_dequeue(w);
    if (w == NULL)
        return NULL;
    *tag = w->standing->tag;
    return thread_of(w);
}

unsigned shared_count(struct green_hub *hub, green_waiters *waiters)
{
    unsigned count = 0;
    for (struct waiter *w = queue_of(waiters)->head; w != NULL; w = w->next)
        count += !left_behind(hub, w);
    return count;
}

/* Until `let_go` nobody else takes the waiter out: held still more briefly than a guard. */
static void keep(struct waiter *w)
{
    while (__atomic_exchange_n(&w->standing->kept, true, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void let_go(struct waiter *w)
{
    __atomic_store_n(&w->standing->kept, false, __ATOMIC_RELEASE);
}

/* Another hub's: as soon as it is out, and before that hub hears of it, the object may be freed.
 * False: it is left behind in the parent. */
static __attribute__((cold)) bool take_out_far(struct green_hub *hub, struct waiter *w)
{
    bool there = !left_behind(hub, w);
    if (there)
        keep(w);
    wait_dequeue(w);
    if (there)
        let_go(w);
    return there;
}

static inline struct waiter *claim(struct green_hub *hub, green_waiters *waiters)
{
    struct waiter *w;
    while ((w = queue_of(waiters)->head) != NULL) {
        struct choice *choice = w->standing->choice;
        if (LIKELY(thread_of(w)->hub == hub))
            wait_dequeue(w);
        else if (!take_out_far(hub, w))
            continue;
        int ticket = choice != NULL ? choice_claim(choice) : 0;
        if (ticket > 0)
            w->standing->ticket = ticket; /* without one its thread may be leaving already */
        if (LIKELY(choice == NULL) || ticket > 0)
            return w;
    }
    return NULL;
}

struct waiter *shared_claim_first(struct green_hub *hub, green_waiters *waiters)
{
    return claim(hub, waiters);
}

/* Into the object's guard, as long as the waiter stands in the line: then the object is there. Who
 * is inside may want the waiter, so it is let go before the next try. */
static bool enter_early(struct waiter *w)
{
    green_guard *guard = w->standing->guard;
    bool there = true, in = false;
    while (there && !in) {
        keep(w);
        there = w->queue != NULL;
        in = there && __atomic_exchange_n(&guard->taken, 1, __ATOMIC_ACQUIRE) == 0;
        let_go(w);
        if (there && !in)
            sched_yield();
    }
    return in;
}

bool shared_retract(struct green_hub *hub, struct waiter *w)
{
    guarding_begin(hub);
    if (!alone() && !enter_early(w)) {
        guarding_end(hub);
        return false;
    }
    wait_dequeue(w);
    guard_leave(hub, w->standing->guard);
    return true;
}

/* ---- the word that a thread was delivered something, at its own hub ---- */

static void come_home(struct message *message)
{
    struct green_thread *t = CONTAINER(message, struct green_thread, woken);
    hub_ready(t->hub, t);
}

static void choice_told(struct choice *choice)
{
    choice->told = true;
    wake_first(&choice->line, 0); /* unless it runs already, for another reason */
}

static void choice_home(struct message *message)
{
    choice_told(CONTAINER(message, struct choice, home));
}

/* True: that was the last thing its choice waited for. */
static bool choice_served(struct choice *choice, const struct waiter *w)
{
    int tickets = 1;
    if (w->outcome < 0 && w->standing->vital)
        tickets += atomic_exchange(&choice->tickets, 0);
    return choice_used(choice, tickets);
}

int choice_take(struct choice *choice)
{
    struct green_hub *hub = choice->thread->hub;
    guarding_begin(hub);
    int ticket = choice_claim(choice);
    if (ticket > 0 && choice_used(choice, 1))
        choice->told = true;
    guarding_end(hub);
    return ticket;
}

bool choice_withdraw(struct choice *choice, bool time)
{
    choice->taken = choice_take(choice);
    if (!time)
        choice_close(choice);
    return choice->taken > 0;
}

void choice_close(struct choice *choice)
{
    struct green_hub *hub = choice->thread->hub;
    guarding_begin(hub);
    int left = atomic_load(&choice->tickets) > 0 ? atomic_exchange(&choice->tickets, 0) : 0;
    if (left > 0 && choice_used(choice, left))
        choice->told = true;
    guarding_end(hub);
}

/* In the order in which they were served; the waiter's own link is free now. */
static void serve_later(struct green_hub *hub, struct waiter *w)
{
    w->next = NULL;
    *(hub->served != NULL ? &hub->served_last->next : &hub->served) = w;
    hub->served_last = w;
}

void shared_tell(struct green_hub *hub)
{
    if (hub->guarding != 0)
        return;
    struct waiter *w = hub->served;
    hub->served = NULL;
    while (w != NULL) {
        struct waiter *next = w->next;
        struct choice *choice = w->standing->choice;
        struct green_thread *t = thread_of(w);
        struct message *message = choice != NULL ? &choice->home : &t->woken;
        if (choice == NULL || choice_served(choice, w)) {
            message->run = choice != NULL ? choice_home : come_home;
            hub_post(t->hub, message);
        }
        w = next;
    }
}

struct green_thread *shared_deliver(struct green_hub *hub, struct waiter *w, int outcome)
{
    struct green_thread *t = thread_of(w);
    struct choice *choice = w->standing->choice;
    w->outcome = outcome;
    if (UNLIKELY(t->hub != hub))
        serve_later(hub, w);
    else if (choice == NULL)
        hub_ready(hub, t);
    else if (choice_served(choice, w))
        choice_told(choice);
    return t;
}

struct green_thread *shared_wake_first(struct green_hub *hub, green_waiters *waiters, int outcome)
{
    struct waiter *w = claim(hub, waiters);
    return w != NULL ? shared_deliver(hub, w, outcome) : NULL;
}

void shared_wake_all(struct green_hub *hub, green_waiters *waiters, int outcome)
{
    while (shared_wake(hub, waiters, outcome) != NULL)
        continue;
}
