/* hubs.c - all hubs of the process, and which of them work is put on. */
#include "error.h"
#include "fork.h"
#include "hub_event.h"
#include "shared.h"
#include "standstill.h"
#include "sys.h"
#include <errno.h>
#include <green/hub.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = {&all, &all};
static atomic_int count;
static uint32_t numbers;          /* given to hubs so far */
static int shared;                /* how many green_hub_next may choose */
static struct green_hub *next_up; /* whose turn green_hub_next is */

/* What hubs look at who wait for the ends of others' threads, perhaps when those hubs are no more.
 * Some share one. */
static struct {
    _Alignas(64) green_guard guard;
} ends[64];

/* ---- guards (shared.h): taken only once there are several hubs ---- */

atomic_bool hubs_many;

/* The first hub: can the others be told, later? */
static void guards_prepare(void)
{
    if (SYS3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
        hubs_many = true;
}

/* The second hub, before it does anything: after the barrier every hub either sees that guards
 * have to be taken, or has announced that it is inside one; then it is out in a moment. */
static void guards_begin(void)
{
    hubs_many = true;
    SYS3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    for (struct list *l = all.next; l != &all; l = l->next)
        while (CONTAINER(l, struct green_hub, hubs)->guarding != 0)
            sched_yield();
}

void hubs_add(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    if (count == 0)
        guards_prepare();
    else if (!hubs_many)
        guards_begin();
    list_append(&all, &hub->hubs);
    hub->number = ++numbers;
    hub->ends = &ends[hub->number % (sizeof ends / sizeof ends[0])].guard;
    count++;
    pthread_mutex_unlock(&lock);
}

void hubs_remove(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    if (next_up == hub)
        next_up = NULL;
    list_remove(&hub->hubs);
    shared -= hub->shared;
    count--;
    pthread_mutex_unlock(&lock);
    standstill_again(); /* the others may have waited for it */
}

bool hubs_others(struct green_hub *hub)
{
    return count > (hub != NULL);
}

void hubs_each(bool (*visit)(struct green_hub *hub, void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    struct list *l = all.next;
    while (l != &all && visit(CONTAINER(l, struct green_hub, hubs), arg))
        l = l->next;
    pthread_mutex_unlock(&lock);
}

bool hubs_post(struct green_hub *hub, struct message *message)
{
    pthread_mutex_lock(&lock);
    struct list *l = all.next;
    while (l != &all && CONTAINER(l, struct green_hub, hubs) != hub)
        l = l->next;
    if (l != &all)
        hub_post(hub, message);
    pthread_mutex_unlock(&lock);
    return l != &all;
}

/* ---- forks (fork.h) ---- */

static struct list gone = {&gone, &gone}; /* hubs of the parent: leak checkers find them */

void hubs_fork_begin(void)
{
    pthread_mutex_lock(&lock);
}

void hubs_fork_end(void)
{
    pthread_mutex_unlock(&lock);
}

void hubs_forked(void)
{
    while (!list_empty(&all)) {
        struct green_hub *hub = CONTAINER(all.next, struct green_hub, hubs);
        list_remove(&hub->hubs);
        list_append(&gone, &hub->hubs);
        hub->gone = true;
        hub->rung = true; /* the bell is the parent's */
        hub_events_forget(hub);
        *hub->ends = (green_guard){0};
    }
    count = 0;
    shared = 0;
    next_up = NULL;
    hubs_many = false;
    pthread_mutex_unlock(&lock);
}

/* ---- hubs that share the work: those of hub_worker.c, and the first caller's ---- */

/* With the lock held: let green_hub_next choose this hub, if there is no other yet. */
static void share_first(struct green_hub *hub)
{
    if (shared > 0)
        return;
    hub->shared = true;
    shared = 1;
}

void hubs_share(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    hub->shared = hub->worker = true;
    shared++;
    pthread_mutex_unlock(&lock);
}

void hubs_unshare(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    hub->shared = false;
    shared--;
    pthread_mutex_unlock(&lock);
}

int hubs_sharing(struct green_hub *hub)
{
    pthread_mutex_lock(&lock);
    share_first(hub);
    int n = shared;
    pthread_mutex_unlock(&lock);
    return n;
}

GREEN_API green_hub *green_hub_self(void)
{
    return hub_here();
}

/* ---- where to put work ---- */

/* The one behind it in the ring of those that share the work; NULL: the first. */
static struct green_hub *behind(const struct green_hub *hub)
{
    const struct list *l = hub != NULL ? hub->hubs.next : all.next;
    while (l == &all || !CONTAINER(l, struct green_hub, hubs)->shared)
        l = l->next;
    return CONTAINER(l, struct green_hub, hubs);
}

/* Those with as few threads take turns. */
static struct green_hub *idlest(void)
{
    struct green_hub *best = behind(next_up), *hub = best;
    for (int i = 1; i < shared; i++) {
        hub = behind(hub);
        if (hub->active < best->active)
            best = hub;
    }
    return best;
}

/* The lock, and the certainty that there is one to choose. */
static bool choose_begin(void)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return false;
    pthread_mutex_lock(&lock);
    share_first(hub);
    return true;
}

GREEN_API green_hub *green_hub_next(void)
{
    if (!choose_begin())
        return NULL;
    struct green_hub *hub = next_up = behind(next_up);
    pthread_mutex_unlock(&lock);
    return hub;
}

GREEN_API green_hub *green_hub_idlest(void)
{
    if (!choose_begin())
        return NULL;
    struct green_hub *hub = next_up = idlest();
    pthread_mutex_unlock(&lock);
    return hub;
}

GREEN_API green_hub *green_hub_nth(unsigned n)
{
    if (!choose_begin())
        return NULL;
    struct green_hub *hub = behind(NULL);
    for (n %= (unsigned)shared; n > 0; n--)
        hub = behind(hub);
    pthread_mutex_unlock(&lock);
    return hub;
}

/* ---- of one hub ---- */

GREEN_API int green_hub_run(green_hub *hub, void (*fn)(void *arg), void *arg)
{
    if (hub_here() == NULL)
        return -1;
    if (fn == NULL)
        return fail(EINVAL, "green_hub_run: no function");
    return (int)returned(hub_call(hub, fn, arg));
}

/* An OS thread's main never ends, so it is not waited for either. */
GREEN_API int green_hub_wait_idle(void)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    struct green_thread *t = hub->current;
    uint32_t counts = t != &hub->main && !t->background, idled = hub->idled;
    int err = t == &hub->loop ? park_in_callback(hub) : 0;
    hub->idlers += counts;
    while (err == 0 && hub->idled == idled && hub->active > 1 + hub->idlers)
        err = park(hub, &hub->drained, WAIT_BACK, INT64_MAX, "an idle hub", 0);
    hub->idlers -= counts;
    if (err == 0 && hub->idled == idled) { /* the others have waited for the same */
        hub->idled++;
        wake_all(&hub->drained, 0);
    }
    return (int)returned(err);
}

struct figures {
    struct green_hub *hub;
    green_hub_stats *stats;
};

static void count_up(void *arg)
{
    struct figures *f = arg;
    struct green_hub *hub = f->hub;
    *f->stats = (green_hub_stats){
        .switches = hub->switches,
        .polls = hub->polls,
        .spawned = hub->spawned,
        .threads = hub->live,
        .timers = hub->timers.count,
        .watches = hub->watches,
    };
    for (int i = 0; i < STACK_CLASSES; i++) {
        f->stats->stacks += hub->pools[i].warm_count;
        f->stats->unguarded += hub->pools[i].unguarded;
    }
}

GREEN_API int green_hub_stats_get(green_hub *hub, green_hub_stats *stats)
{
    struct green_hub *here = hub_here();
    if (here == NULL)
        return -1;
    struct figures f = {hub != NULL ? hub : here, stats};
    return (int)returned(hub_call(f.hub, count_up, &f));
}
