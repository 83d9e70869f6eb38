/* deadlock.c - see deadlock.h: the graph of who waits for whom, and the search for a ring. */
#include "deadlock.h"
#include "error.h"
#include "fork.h"
#include "shared.h"
#include "state.h"
#include <errno.h>
#include <pthread.h>

enum {
    LINES = 256,   /* of the graph, by hash */
    REACH = 1000,  /* how many ties a search looks at: hubs stand still meanwhile */
    SENTENCE = 220 /* what an errmsg holds, or so */
};
/* Waits that are over sooner cost nothing. The hub's clock may be as much behind (hub.c). */
static const int64_t patience = 20 * GREEN_MS;

static pthread_mutex_t graph = PTHREAD_MUTEX_INITIALIZER;
static struct list threads[LINES], groups[LINES];
static uint64_t searches;

/* ---- the graph: with the lock held ---- */

static struct list *line_of(struct list *lines, const void *of)
{
    struct list *line = &lines[(uint64_t)(uintptr_t)of * 0x9e3779b97f4a7c15 >> 56];
    if (line->next == NULL)
        list_init(line);
    return line;
}

static void put_in(struct tie *tie)
{
    tie->group = tie->thread->group;
    tie->search = 0;
    list_append(line_of(threads, tie->thread), &tie->by_thread);
    list_init(&tie->by_group);
    if (tie->group != NULL)
        list_append(line_of(groups, tie->group), &tie->by_group);
}

static void take_out(struct tie *tie)
{
    list_remove(&tie->by_thread);
    list_remove(&tie->by_group);
}

/* Whom a tie leads to: a thread, or a group for all of its threads. NULL: to nobody. */
static const void *leads_to(struct green_hub *hub, const struct tie *tie)
{
    if (tie->joins != NULL)
        return tie->joins;
    if (tie->guard != NULL)
        guard_enter(hub, tie->guard);
    const struct green_thread *t = __atomic_load_n(tie->whom, __ATOMIC_RELAXED);
    if (tie->guard != NULL)
        guard_leave(hub, tie->guard);
    return t != tie->thread ? t : NULL;
}

/* ---- the search: nearest first ---- */

struct search {
    struct tie *last;
    unsigned seen;
};

static void come_by(struct search *s, struct tie *tie, struct tie *from)
{
    if (tie->search == searches)
        return;
    tie->search = searches;
    tie->from = from;
    tie->next_seen = NULL;
    s->last->next_seen = tie;
    s->last = tie;
    s->seen++;
}

static void come_by_all(struct search *s, struct tie *from, const void *to)
{
    struct list *line = line_of(threads, to);
    for (struct list *l = line->next; l != line; l = l->next)
        if (CONTAINER(l, struct tie, by_thread)->thread == to)
            come_by(s, CONTAINER(l, struct tie, by_thread), from);
    line = line_of(groups, to);
    for (struct list *l = line->next; l != line; l = l->next)
        if (CONTAINER(l, struct tie, by_group)->group == to)
            come_by(s, CONTAINER(l, struct tie, by_group), from);
}

/* The tie that leads back to the thread of `start`, or its group; NULL: there is no ring. */
static struct tie *find_ring(struct green_hub *hub, struct tie *start)
{
    struct search s = {start, 0};
    start->search = ++searches;
    start->from = start->next_seen = NULL;
    for (struct tie *tie = start; tie != NULL && s.seen < REACH; tie = tie->next_seen) {
        const void *to = leads_to(hub, tie);
        if (to != NULL && (to == start->thread || to == start->group))
            return tie;
        if (to != NULL)
            come_by_all(&s, tie, to);
    }
    return NULL;
}

/* "a waits for the end of b, which waits for a mutex of a" */
static void tell_ring(struct tie *last, struct words *words)
{
    struct tie *next = NULL, *first = last;
    for (struct tie *tie = last, *from; tie != NULL; tie = from) { /* turn the way round */
        from = tie->from;
        tie->from = next;
        next = first = tie;
    }
    words_add(words, state_name(first->thread));
    for (struct tie *tie = first; tie != NULL; tie = tie->from) {
        words_add(words, tie == first ? " waits for " : ", which waits for ");
        words_add(words, tie->what);
        words_add(words, " ");
        words_add(words, state_name((tie->from != NULL ? tie->from : first)->thread));
    }
}

/* Is this the wait that is to give way? Else the hub of the one that is shall look. */
static bool gives_way(struct tie *tie, struct tie *last)
{
    struct tie *lock = last;
    while (lock != NULL && lock->guard == NULL)
        lock = lock->from;
    if (tie->guard != NULL || lock == NULL)
        return true;
    atomic_store(&lock->thread->hub->in_ring, true);
    hub_ring(lock->thread->hub);
    return false;
}

/* ---- for the tie's hub ---- */

void tie_cut(struct tie *tie)
{
    pthread_mutex_lock(&graph);
    take_out(tie);
    pthread_mutex_unlock(&graph);
    tie->shown = false;
}

enum { NO_RING, OTHERS_GIVE_WAY, GIVES_WAY };

/* If it gives way it leaves the graph, so that nobody else finds this ring. */
static int look(struct green_hub *hub, struct tie *tie, struct words *words)
{
    int found = NO_RING;
    pthread_mutex_lock(&graph);
    if (!tie->shown)
        put_in(tie);
    tie->shown = true;
    struct tie *last = find_ring(hub, tie);
    if (last != NULL)
        found = gives_way(tie, last) ? GIVES_WAY : OTHERS_GIVE_WAY;
    if (found == GIVES_WAY) {
        tell_ring(last, words);
        take_out(tie);
        tie->shown = false;
    }
    pthread_mutex_unlock(&graph);
    return found;
}

/* True: look again, whether the others have given way and there is no second ring. */
static bool look_and_end(struct green_hub *hub, struct tie *tie)
{
    struct green_thread *t = tie->thread;
    char text[SENTENCE];
    struct words words = {text, sizeof text, 0};
    int found = look(hub, tie, &words);
    if (found == GIVES_WAY) {
        wake_early(t, -EDEADLK);
        if (t->state == THREAD_READY) /* and not, just now, another hub's to wake */
            error_note(t, EDEADLK, "deadlock: %s", text);
    }
    return found == OTHERS_GIVE_WAY;
}

/* Another wait has closed a ring in which a lock of this hub's threads is to give way. */
static void look_again(struct green_hub *hub)
{
    for (struct list *l = hub->shown.next, *next; l != &hub->shown; l = next) {
        struct tie *tie = CONTAINER(l, struct tie, link);
        next = l->next;
        if (tie->thread->state == THREAD_PARKED && tie->guard != NULL)
            look_and_end(hub, tie);
    }
}

int64_t ties_show(struct green_hub *hub)
{
    if (atomic_exchange(&hub->in_ring, false))
        look_again(hub);
    while (!list_empty(&hub->ties)) {
        struct tie *tie = CONTAINER(hub->ties.next, struct tie, link);
        if (hub->now - tie->since < patience)
            return tie->since + 2 * patience;
        list_remove(&tie->link);
        if (tie->thread->state != THREAD_PARKED)
            continue;
        list_append(&hub->shown, &tie->link);
        if (look_and_end(hub, tie)) {
            list_remove(&tie->link);
            list_append(&hub->ties, &tie->link);
            tie->since = hub->now;
        }
    }
    return INT64_MAX;
}

/* ---- forks (fork.h) ---- */

void deadlock_fork_begin(void)
{
    pthread_mutex_lock(&graph);
}

void deadlock_fork_end(void)
{
    pthread_mutex_unlock(&graph);
}

/* Who was waiting is gone. */
void deadlock_forked(void)
{
    for (int i = 0; i < LINES; i++)
        threads[i].next = groups[i].next = NULL;
    pthread_mutex_unlock(&graph);
}
