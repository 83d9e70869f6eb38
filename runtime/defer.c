/* defer.c - clean-up handlers of a thread: see green/defer.h. */
#include "defer.h"
#include "error.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/defer.h>

struct handler {
    struct handler *next;
    void (*fn)(void *arg);
    void *arg;
};

GREEN_API int green_defer(void (*fn)(void *arg), void *arg)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    struct green_thread *t = hub->current;
    if (fn == NULL)
        return fail(EINVAL, "green_defer: no function");
    if (t == &hub->loop)
        return (int)returned(-EDEADLK); /* a callback has no end of its own */
    struct handler *h = memory_get(sizeof *h);
    if (h == NULL)
        return (int)returned(-ENOMEM);
    *h = (struct handler){t->handlers, fn, arg};
    t->handlers = h;
    return 0;
}

void defer_run(struct green_thread *t)
{
    struct handler *h;
    while ((h = t->handlers) != NULL) {
        struct handler own = *h;
        t->handlers = h->next;
        memory_put(h);
        own.fn(own.arg);
    }
}
