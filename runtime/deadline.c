/* deadline.c - deadline scopes: see green/deadline.h. Arming costs nothing but a clock reading:
 * the thread's timer is set when it parks, and only if it would fire too late (wait.c). */
#include "error.h"
#include "self.h"
#include <errno.h>
#include <green/deadline.h>

GREEN_API green_scope *green_scope_enter(green_scope *scope, int64_t nanoseconds)
{
    struct green_hub *hub = hub_here();
    *scope = (green_scope){0};
    if (hub == NULL)
        return scope;
    struct green_thread *t = scope->thread = hub->current;
    int64_t own = 0; /* long ago: what would block fails without yielding */
    if (nanoseconds > 0) {
        int64_t now = hub_clock();
        own = nanoseconds > INT64_MAX - now ? INT64_MAX : now + nanoseconds;
    }
    scope->outer = t->scope;
    scope->shields = t->shields;
    scope->outer_deadline = t->deadline;
    scope->rules = own < t->deadline;
    if (scope->rules)
        t->deadline = own;
    t->scope = scope;
    return scope;
}

GREEN_API void green_scope_leave(green_scope *scope)
{
    struct green_thread *t = scope->thread;
    if (t == NULL)
        return;
    t->scope = scope->outer;
    t->deadline = scope->outer_deadline;
    t->scope_expired = scope->expired;
    t->refused &= (uint8_t)~REFUSED_LATE;
    scope->thread = NULL;
}

GREEN_API int green_scope_restart(green_scope *scope, int64_t nanoseconds)
{
    struct green_hub *hub = self_hub();
    struct green_thread *t = scope->thread;
    if (t == NULL || hub == NULL || t != hub->current || t->scope != scope ||
        t->shields != scope->shields)
        return fail(EINVAL, "not the innermost scope of this thread, or shielded from it");
    green_scope_leave(scope);
    green_scope_enter(scope, nanoseconds);
    return 0;
}

GREEN_API bool green_expired(void)
{
    struct green_hub *hub = self_hub();
    return hub != NULL && hub->current->scope_expired;
}

GREEN_API int64_t green_remaining(void)
{
    struct green_hub *hub = self_hub();
    if (hub == NULL || hub->current->deadline == INT64_MAX)
        return INT64_MAX;
    int64_t left = hub->current->deadline - hub_clock();
    return left > 0 ? left : 0;
}

GREEN_API int64_t green_now(void)
{
    return hub_clock();
}
