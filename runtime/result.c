/* result.c - see green/result.h. */
#include "error.h"
#include "select.h"
#include <errno.h>
#include <green/result.h>

static int give(green_result *r, void *value, int error)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &r->guard);
    bool first = !r->given;
    if (first) {
        r->given = true;
        r->value = value;
        r->error = error;
        shared_wake_all(hub, &r->waiters, 0);
    }
    guard_leave(hub, &r->guard);
    return (int)returned(first ? 0 : -EALREADY);
}

GREEN_API int green_result_set(green_result *r, void *value)
{
    return give(r, value, 0);
}

GREEN_API int green_result_fail(green_result *r, int error)
{
    return error > 0 ? give(r, NULL, error) : (int)returned(-EINVAL);
}

GREEN_API int green_result_get(green_result *r, void **value)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &r->guard);
    if (!r->given)
        err = shared_wait(hub, &r->guard, &r->waiters, 0, "result", r);
    else
        guard_leave(hub, &r->guard);
    if (err < 0)
        return (int)returned(err);
    if (value != NULL)
        *value = r->value;
    return (int)returned(-r->error);
}

/* ---- as a case of green_select ---- */

static int look_if_given(struct green_hub *hub, green_case *c)
{
    (void)hub;
    return ((green_result *)c->object)->given;
}

GREEN_API green_case green_case_ready(green_result *r)
{
    static const struct case_kind kind = {.look = look_if_given};
    if (r == NULL)
        return CASE_NEVER;
    return (green_case){.kind = &kind, .object = r, .guard = &r->guard, .line = &r->waiters};
}
