/* deadlock.c - see deadlock.h. */
#include "deadlock.h"
#include "error.h"
#include "hub_event.h"
#include "mutex.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

const char why_join[] = "the end of a thread";
const char why_mutex[] = "mutex";

/* Whom a thread waits for without end: NULL if it does not, or nobody can say. */
static struct green_thread *waits_for(struct green_hub *hub, struct green_thread *t)
{
    struct green_thread *other = NULL;
    if (t->hub != hub || t->state != THREAD_PARKED || t->until != INT64_MAX)
        return NULL;
    if (t->why == why_join)
        other = (struct green_thread *)t->object;
    else if (t->why == why_mutex && !hubs_others(hub)) /* else its owner may be anybody */
        other = ((green_mutex *)t->object)->owner;
    return other != NULL && other->hub == hub ? other : NULL;
}

static size_t append(char *text, size_t size, size_t at, const char *word, const char *name)
{
    int n = at < size ? snprintf(text + at, size - at, "%s%s", word, name) : 0;
    return n > 0 ? at + (size_t)n : at;
}

static const char *name_of(const struct green_thread *t)
{
    return t->name[0] != '\0' ? t->name : "a thread";
}

/* "a waits for the end of b, which waits for a mutex of a" */
static void tell_cycle(struct green_hub *hub, struct green_thread *holder, const char *why)
{
    struct green_thread *self = hub->current;
    char text[200];
    size_t at = append(text, sizeof text, 0, name_of(self), " waits for ");
    for (struct green_thread *t = holder;; t = waits_for(hub, t)) {
        at = append(text, sizeof text, at, why == why_mutex ? "a mutex of " : "the end of ",
                    name_of(t));
        if (t == self)
            break;
        at = append(text, sizeof text, at, ", which waits for ", "");
        why = t->why;
    }
    error_note(self, EDEADLK, "deadlock: %s", text);
}

bool deadlock_cycle(struct green_hub *hub, struct green_thread *holder, const char *why)
{
    struct green_thread *self = hub->current, *t = holder;
    if (self->deadline != INT64_MAX) /* it will end */
        return false;
    if (why == why_mutex && hubs_others(hub)) /* the holder may be another hub's, and gone */
        return false;
    for (unsigned steps = 0; t != NULL && t != self && steps < hub->live; steps++)
        t = waits_for(hub, t);
    if (t != self)
        return false;
    tell_cycle(hub, holder, why);
    return true;
}

/* How many OS threads the process has, by the links of their directory; 0: unknown. */
static unsigned long os_threads(void)
{
    struct stat st;
    if (SYS4(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &st, 0) < 0 || st.st_nlink < 3)
        return 0;
    return st.st_nlink - 2;
}

static void report(struct green_hub *hub)
{
    char text[220];
    size_t at = 0;
    for (struct list *l = hub->threads.next; l != &hub->threads; l = l->next) {
        struct green_thread *t = CONTAINER(l, struct green_thread, all);
        if (t->state != THREAD_PARKED)
            continue;
        at = append(text, sizeof text, at, at > 0 ? ", " : "", name_of(t));
        at = append(text, sizeof text, at, " waits for ", t->why);
    }
    error_note(&hub->main, EDEADLK, "nothing can end this wait: %s", at > 0 ? text : "");
}

bool deadlock_break(struct green_hub *hub)
{
    struct green_thread *main = &hub->main;
    if (main->state != THREAD_PARKED || hub->ending || hubs_others(hub) ||
        hub_has_foreign_events(hub) || !self_alone() || os_threads() != 1 || hub->inbox != NULL)
        return false;
    report(hub);
    wake_early(main, -EDEADLK);
    return main->state == THREAD_READY;
}
