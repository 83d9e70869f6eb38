/* state.c - what a thread is doing, and that there is a new one: see green/state.h. */
#include "state.h"
#include "error.h"
#include "hub_switch.h"
#include <stdio.h>
#include <string.h>

const char *state_word(green_state state)
{
    static const char *const words[] = {
        [GREEN_FRESH] = "fresh",     [GREEN_READY] = "ready", [GREEN_RUNNING] = "running",
        [GREEN_WAITING] = "waiting", [GREEN_DONE] = "done",   [GREEN_CANCELLED] = "cancelled",
    };
    return words[state];
}

const char *state_name(const struct green_thread *t)
{
    return t->name[0] != '\0' ? t->name : "a thread";
}

void words_add(struct words *w, const char *word)
{
    int n = snprintf(w->text + w->length, w->size - w->length, "%s", word);
    size_t room = w->size - w->length - 1;
    w->length += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

static green_state word_for(const struct green_thread *t)
{
    if (t->state == THREAD_DONE)
        return t->cancelled ? GREEN_CANCELLED : GREEN_DONE;
    if (t->fresh)
        return GREEN_FRESH;
    if (t->state == THREAD_PARKED)
        return GREEN_WAITING;
    return t->state == THREAD_RUNNING ? GREEN_RUNNING : GREEN_READY;
}

void state_describe(const char *why, long object, char *text, size_t size)
{
    const char *mark = strchr(why, '%');
    if (mark != NULL)
        snprintf(text, size, "%.*s%ld%s", (int)(mark - why), why, object, mark + 1);
    else if (object > 0xffff)
        snprintf(text, size, "%s %#lx", why, (unsigned long)object);
    else
        snprintf(text, size, "%s", why);
}

/* What a thread waits for. */
static void describe(const struct green_thread *t, char *text, size_t size)
{
    const struct green_thread *other = (const struct green_thread *)t->object;
    if (t->why == why_join && other->hub == t->hub) /* it is still there: t joins it */
        snprintf(text, size, "%s, %u %s", t->why, other->ident, other->name);
    else
        state_describe(t->why, t->object, text, size);
}

void state_of(const struct green_thread *t, green_thread_info *info)
{
    *info = (green_thread_info){
        .state = word_for(t),
        .cancelled = t->cancelled,
        .hub = t->hub->number,
        .ident = t->ident,
        .parent_hub = t->parent_hub,
        .parent = t->parent,
    };
    memcpy(info->name, t->name, sizeof info->name);
    if (t->state == THREAD_PARKED) {
        uint32_t ticks = wait_ticks(hub_clock()) - t->waiter.since;
        info->waited = (int64_t)ticks * WAIT_TICK;
        describe(t, info->waits_for, sizeof info->waits_for);
    } else if (t->state == THREAD_DONE) {
        info->result = t->result;
        info->error = t->error;
    }
}

/* ---- for everybody ---- */

struct question {
    const struct green_thread *thread;
    green_thread_info *info;
};

static void ask(void *arg)
{
    struct question *q = arg;
    state_of(q->thread, q->info);
}

GREEN_API int green_thread_info_get(green_thread *t, green_thread_info *info)
{
    if (t == NULL)
        return thread_none();
    if (hub_here() == NULL)
        return -1;
    return (int)returned(hub_call(t->hub, ask, &(struct question){t, info}));
}

GREEN_API int green_thread_state(green_thread *t)
{
    green_thread_info info;
    return green_thread_info_get(t, &info) < 0 ? -1 : (int)info.state;
}

GREEN_API unsigned green_ident(green_thread *t)
{
    if (t == NULL)
        t = green_self();
    return t != NULL ? t->ident : 0;
}

/* ---- hooks: a line that only its hub touches ---- */

void hooks_run(struct green_hub *hub, struct green_thread *t)
{
    struct green_thread *caller = hub->current;
    hub->current = &hub->loop; /* they must not block */
    for (green_spawn_hook *h = hub->hooks; h != NULL; h = hub->hook_next) {
        hub->hook_next = h->next; /* unless that one is cut meanwhile */
        h->fn(h, t);
    }
    hub->current = caller;
}

static void hook_add(void *arg)
{
    green_spawn_hook *hook = arg;
    green_spawn_hook **at = &hook->hub->hooks;
    while (*at != NULL)
        at = &(*at)->next;
    *at = hook;
}

static void hook_cut(void *arg)
{
    green_spawn_hook *hook = arg;
    green_spawn_hook **at = &hook->hub->hooks;
    while (*at != NULL && *at != hook)
        at = &(*at)->next;
    if (*at == hook)
        *at = hook->next;
    if (hook->hub->hook_next == hook)
        hook->hub->hook_next = hook->next;
}

GREEN_API int green_spawn_hook_add(green_spawn_hook *hook, green_hub *of,
                                   void (*fn)(green_spawn_hook *hook, green_thread *thread),
                                   void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    if (fn == NULL)
        return fail(EINVAL, "green_spawn_hook_add: no function");
    *hook = (green_spawn_hook){.fn = fn, .arg = arg, .hub = of != NULL ? of : hub};
    int err = hub_call(hook->hub, hook_add, hook);
    if (err < 0)
        hook->hub = NULL;
    return (int)returned(err);
}

GREEN_API int green_spawn_hook_cut(green_spawn_hook *hook)
{
    if (hook->hub == NULL)
        return 0;
    if (hub_here() == NULL)
        return -1;
    int err = hub_call(hook->hub, hook_cut, hook);
    if (err == 0)
        hook->hub = NULL;
    return (int)returned(err);
}
