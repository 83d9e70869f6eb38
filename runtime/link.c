/* link.c - being told of a thread's end: see green/link.h.
 *
 * A thread has its links in a line: `next` ends with NULL, `prev` of the first is the last. Only
 * the thread's hub touches them. A link is out of the line before it is called, so what the called
 * function does to the line does no harm. */
#include "error.h"
#include "links.h"
#include "self.h"
#include <errno.h>
#include <green/link.h>

static void append(struct green_thread *t, green_link *link)
{
    green_link *first = t->links;
    link->next = NULL;
    link->prev = first != NULL ? first->prev : link;
    if (first != NULL)
        first->prev->next = link;
    *(first != NULL ? &first->prev : &t->links) = link;
}

static void take_out(struct green_thread *t, green_link *link)
{
    (link->next != NULL ? link->next : t->links)->prev = link->prev;
    *(link == t->links ? &t->links : &link->prev->next) = link->next;
    link->thread = NULL;
}

void links_run(struct green_thread *t)
{
    struct green_hub *hub = t->hub;
    struct green_thread *caller = hub->current;
    hub->current = &hub->loop; /* the functions are callbacks: they must not block */
    while (t->links != NULL) {
        green_link *link = t->links;
        take_out(t, link);
        link->result = t->result;
        link->error = t->error;
        link->fn(link);
    }
    hub->current = caller;
}

void links_move(struct green_thread *t)
{
    for (green_link *link = t->links; link != NULL; link = link->next)
        link->hub = t->hub;
}

static void link_here(void *arg)
{
    green_link *link = arg;
    struct green_thread *t = link->thread;
    append(t, link);
    if (t->state == THREAD_DONE)
        links_run(t);
}

static void cut_here(void *arg)
{
    green_link *link = arg;
    if (link->thread != NULL)
        take_out(link->thread, link);
}

GREEN_API int green_link_to(green_link *link, green_thread *thread, void (*fn)(green_link *link),
                            void *arg)
{
    if (hub_here() == NULL)
        return -1;
    if (thread == NULL)
        return thread_none();
    if (fn == NULL)
        return fail(EINVAL, "green_link_to: no function");
    *link = (green_link){.fn = fn, .arg = arg, .thread = thread, .hub = thread->hub};
    int err = hub_call(thread->hub, link_here, link);
    if (err < 0)
        *link = (green_link)GREEN_LINK_INIT;
    return (int)returned(err);
}

GREEN_API int green_link_cut(green_link *link)
{
    if (link->hub == NULL)
        return 0;
    if (hub_here() == NULL)
        return -1;
    int err = hub_call(link->hub, cut_here, link);
    return (int)returned(err == -ESRCH ? 0 : err); /* with its hub the thread has ended, too */
}
