/* standstill.c - see standstill.h. */
#include "standstill.h"
#include "error.h"
#include "hub_event.h"
#include "self.h"
#include "state.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static const int64_t first_doubt = 10 * GREEN_MS;

static atomic_int helpers;   /* OS threads of lanes */
static atomic_int jobs;      /* of theirs */
static atomic_bool expected; /* but for these jobs somebody would have found a standstill */

/* What there is to see of all hubs at one time, or up to the first one that is awake; no later one
 * is alike if any was awake since: then `rests` is more, and with a new one in the place of another
 * `numbers` is. */
struct view {
    unsigned hubs;
    uint64_t numbers, rests; /* sums */
    bool still;              /* all rest, without mail */
    struct green_hub *teller;
};

/* Mail first: until it is taken the hub rests. */
static bool see(struct green_hub *hub, void *arg)
{
    struct view *v = arg;
    bool mail = atomic_load(&hub->inbox) != NULL || atomic_load(&hub->in_ring);
    uint64_t rests = atomic_load(&hub->rests);
    v->hubs++;
    v->numbers += hub->number;
    v->rests += rests;
    v->still = !mail && rests % 2 != 0;
    if (v->teller == NULL && !hub->worker)
        v->teller = hub;
    return v->still;
}

static struct view view_all(void)
{
    struct view v = {.still = true};
    hubs_each(see, &v);
    return v;
}

static bool alike(const struct view *a, const struct view *b)
{
    return a->still && b->still && a->hubs == b->hubs && a->numbers == b->numbers &&
           a->rests == b->rests;
}

/* How many OS threads the process has, by the links of their directory; 0: unknown. */
static unsigned long os_threads(void)
{
    struct stat st;
    if (SYS4(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0) < 0 || st.st_nlink < 3)
        return 0;
    return st.st_nlink - 2;
}

/* ---- the report ---- */

static void tell_thread(const struct green_thread *t, const struct green_hub *to, struct words *w)
{
    char number[16];
    if (t->state != THREAD_PARKED || (t->hub->worker && t == &t->hub->main))
        return;
    words_add(w, w->length > 0 ? ", " : "");
    words_add(w, state_name(t));
    if (t->hub != to) {
        snprintf(number, sizeof number, "%u", t->hub->number);
        words_add(w, " on hub ");
        words_add(w, number);
    }
    words_add(w, " waits for ");
    words_add(w, t->why);
}

struct report {
    const struct green_hub *to;
    struct words words;
};

/* They rest, and nobody changes their threads. */
static bool tell_hub(struct green_hub *hub, void *arg)
{
    struct report *r = arg;
    bool room = true;
    for (struct list *l = hub->threads.next; l != &hub->threads && room; l = l->next) {
        tell_thread(CONTAINER(l, struct green_thread, all), r->to, &r->words);
        room = r->words.length + 1 < r->words.size;
    }
    return room;
}

static void end_wait(struct green_hub *hub)
{
    struct green_thread *main = hub->heir != NULL ? hub->heir : &hub->main;
    char text[220] = "";
    struct report r = {hub, {text, sizeof text, 0}};
    if (main->state != THREAD_PARKED || main->shields > 0 || hub->ending)
        return;
    hubs_each(tell_hub, &r);
    error_note(main, EDEADLK, "nothing can end this wait: %s", text);
    wake_early(main, -EDEADLK);
    if (main->state == THREAD_READY)
        standstill_end(hub);
}

/* ---- looking ---- */

/* The program has OS threads of its own, or one is just ending. */
static int64_t doubt(struct green_hub *hub)
{
    bool again = hub->doubt > 0 && hub->doubted == hub->switches;
    hub->doubt = again ? 2 * hub->doubt : first_doubt;
    hub->doubted = hub->switches;
    return hub_clock() + hub->doubt;
}

static bool has_jobs(void)
{
    if (atomic_load(&jobs) == 0)
        return false;
    atomic_store(&expected, true);
    return atomic_load(&jobs) != 0;
}

int64_t standstill_look(struct green_hub *hub)
{
    if (!self_alone() || hub_has_foreign_events(hub))
        return INT64_MAX;
    atomic_fetch_add(&hub->rests, 1);
    struct view before = view_all();
    if (!before.still || has_jobs())
        return INT64_MAX;
    unsigned long threads = os_threads(); /* before helpers: those counted were there */
    unsigned long known = before.hubs + (unsigned long)atomic_load(&helpers);
    struct view after = view_all();
    if (!alike(&before, &after))
        return INT64_MAX;
    if (threads != known)
        return doubt(hub);
    if (after.teller == hub)
        end_wait(hub);
    else
        standstill_again();
    return INT64_MAX;
}

static bool ring_teller(struct green_hub *hub, void *arg)
{
    (void)arg;
    if (!hub->worker && atomic_load(&hub->rests) % 2 != 0)
        hub_ring(hub);
    return hub->worker;
}

void standstill_again(void)
{
    if (self_alone())
        hubs_each(ring_teller, NULL);
}

/* ---- the OS threads of lanes ---- */

void standstill_helper(int by)
{
    atomic_fetch_add(&helpers, by);
}

void standstill_job_begins(void)
{
    atomic_fetch_add(&jobs, 1);
}

void standstill_job_over(void)
{
    if (atomic_fetch_sub(&jobs, 1) == 1 && atomic_load(&expected) &&
        atomic_exchange(&expected, false))
        standstill_again();
}

void standstill_forked(void)
{
    helpers = jobs = 0;
    expected = false;
}
