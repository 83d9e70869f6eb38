/* wait_some.c - the ends of threads as cases of green_select, and waiting for many of them: see
 * green/link.h. A thread that has ended may be freed at once, and its hub may end: the guard is
 * one that stays. */
#include "error.h"
#include "memory.h"
#include "select.h"
#include <errno.h>
#include <green/link.h>

static int look_if_over(struct green_hub *hub, green_case *c)
{
    struct green_thread *t = c->object;
    (void)hub;
    return t->over ? 1 : t->hub->gone ? -ESRCH : 0;
}

/* Fill in a case that is all zeroes. */
static void fill(green_case *c, green_thread *t)
{
    static const struct case_kind kind = {.look = look_if_over};
    if (t == NULL) {
        *c = CASE_NEVER;
        return;
    }
    c->kind = &kind;
    c->object = t;
    c->guard = t->hub->ends;
    c->line = &t->watchers;
}

GREEN_API green_case green_case_ended(green_thread *t)
{
    green_case c = {0};
    fill(&c, t);
    return c;
}

/* The ends of n threads, to wait for so many of them; NULL and errno. */
static green_case *ends_of(green_thread *const *threads, int n, int wanted)
{
    struct green_hub *hub = self_hub();
    int some = 0, err = 0;
    for (int i = 0; i < n; i++) {
        some += threads[i] != NULL;
        if (hub != NULL && threads[i] == hub->current)
            err = -EDEADLK;
    }
    if (err == 0 && (wanted < 0 || some < wanted))
        err = -EINVAL;
    green_case *cases = err == 0 ? memory_get((size_t)n * sizeof *cases) : NULL;
    if (cases == NULL)
        failed(err < 0 ? err : -ENOMEM);
    for (int i = 0; cases != NULL && i < n; i++)
        fill(&cases[i], threads[i]);
    return cases;
}

GREEN_API int green_wait_some(green_thread *const *threads, int n, int wanted, int *order)
{
    if (n <= 0 && wanted == 0)
        return 0;
    green_case *cases = ends_of(threads, n, wanted);
    int happened = cases != NULL ? green_wait_cases(cases, n, wanted, order) : -1;
    memory_put(cases);
    return happened;
}

GREEN_API int green_wait_any(green_thread *const *threads, int n)
{
    green_case *cases = ends_of(threads, n, 1);
    int first = cases != NULL ? green_select_cases(cases, n) : -1;
    memory_put(cases);
    return first;
}

GREEN_API int green_wait_all(green_thread *const *threads, int n)
{
    int some = 0;
    for (int i = 0; i < n; i++)
        some += threads[i] != NULL;
    return green_wait_some(threads, n, some, NULL) < 0 ? -1 : 0;
}
