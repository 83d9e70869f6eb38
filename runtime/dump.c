/* dump.c - green_dump: see green/state.h. Each hub writes down its own threads; the caller collects
 * and prints. A hub that does not answer in time keeps its part, and frees it when it does. */
#include "error.h"
#include "memory.h"
#include "self.h"
#include "state.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int64_t patience = 2 * GREEN_SEC;

/* One hub's lines. */
struct part {
    struct message message; /* there and back */
    struct part *next;
    struct dump *dump; /* not to be touched once the part is left */
    struct green_hub *hub;
    uint32_t number; /* the hub's */
    _Atomic(enum {ASKED, ANSWERED, LEFT}) state;
    char *text;
    size_t length, room;
    bool cut; /* no memory for all of it */
};

/* A dump under way. */
struct dump {
    struct green_hub *from;
    struct green_hub *of; /* NULL: of all hubs */
    struct part *parts;
    struct part late; /* a line for each hub that did not answer */
    unsigned open;    /* parts that are not back yet */
    bool found;       /* any hub at all */
    bool cut;
    struct wait_queue caller;
};

static void add(struct part *p, const char *line)
{
    size_t n = strlen(line);
    if (p->length + n > p->room) {
        size_t room = p->room == 0 ? 4096 : 2 * p->room;
        char *more = memory_resize(p->text, room);
        p->cut = p->cut || more == NULL;
        if (more == NULL)
            return;
        p->text = more;
        p->room = room;
    }
    memcpy(p->text + p->length, line, n);
    p->length += n;
}

static void add_thread(struct part *p, const struct green_thread *t)
{
    char line[192], wait[100] = "", parent[40] = "";
    green_thread_info i;
    state_of(t, &i);
    if (i.waits_for[0] != '\0')
        snprintf(wait, sizeof wait, " for %s, %lld.%03d s", i.waits_for,
                 (long long)(i.waited / GREEN_SEC), (int)(i.waited % GREEN_SEC / GREEN_MS));
    if (i.parent != 0 && i.parent_hub == i.hub)
        snprintf(parent, sizeof parent, ", of %u", i.parent);
    else if (i.parent != 0)
        snprintf(parent, sizeof parent, ", of %u on hub %u", i.parent, i.parent_hub);
    snprintf(line, sizeof line, "%6u %-15s %s%s%s%s\n", i.ident, i.name, state_word(i.state), wait,
             i.cancelled && i.state < GREEN_DONE ? ", to be cancelled" : "", parent);
    add(p, line);
}

static void write_down(struct part *p)
{
    char line[64];
    snprintf(line, sizeof line, "hub %u, threads: %u\n", p->number, p->hub->live);
    add(p, line);
    for (struct list *l = p->hub->threads.next; l != &p->hub->threads; l = l->next)
        add_thread(p, CONTAINER(l, struct green_thread, all));
}

static int print(const struct part *p, int fd)
{
    for (size_t done = 0; done < p->length;) {
        long n = SYS3(SYS_write, fd, p->text + done, p->length - done);
        if (n < 0 && n != -EINTR)
            return (int)n;
        done += n > 0 ? (size_t)n : 0;
    }
    return p->cut ? -ENOMEM : 0;
}

static void part_free(struct part *p)
{
    memory_put(p->text);
    memory_put(p);
}

/* ---- asking the hubs ---- */

static void come_back(struct message *message)
{
    struct part *p = CONTAINER(message, struct part, message);
    p->dump->open--;
    wake_first(&p->dump->caller, 0);
}

static void run_there(struct message *message)
{
    struct part *p = CONTAINER(message, struct part, message);
    write_down(p);
    if (atomic_exchange(&p->state, ANSWERED) == LEFT) {
        part_free(p);
        return;
    }
    message->run = come_back;
    hub_post(p->dump->from, message);
}

/* A hub in the list takes messages, even if it is just being destroyed. */
static bool ask(struct green_hub *hub, void *arg)
{
    struct dump *d = arg;
    if (d->of != NULL && d->of != hub)
        return true;
    struct part *p = memory_get(sizeof *p);
    d->found = true;
    d->cut = d->cut || p == NULL;
    if (p == NULL)
        return true;
    p->message.run = run_there;
    p->next = d->parts;
    p->dump = d;
    p->hub = hub;
    p->number = hub->number;
    d->parts = p;
    if (hub == d->from) {
        write_down(p);
        return true;
    }
    d->open++;
    hub_post(hub, &p->message);
    return true;
}

/* Leave the parts that nobody has written yet. */
static void leave(struct dump *d)
{
    for (struct part **at = &d->parts; *at != NULL;) {
        struct part *p = *at;
        struct part *next = p->next;
        char line[64];
        snprintf(line, sizeof line, "hub %u does not answer\n", p->number);
        if (p->hub == d->from || atomic_exchange(&p->state, LEFT) == ANSWERED) {
            at = &p->next;
            continue;
        }
        *at = next; /* p is the other hub's now */
        d->open--;
        add(&d->late, line);
    }
}

static void await(struct dump *d)
{
    int64_t until = hub_clock() + patience;
    int err = 0;
    green_shield() {
        while (d->open > 0 && err == 0)
            err = park(d->from, &d->caller, WAIT_BACK, until, "a dump", 0);
        if (d->open > 0)
            leave(d);
        while (d->open > 0) /* on its way */
            park(d->from, &d->caller, WAIT_BACK, INT64_MAX, "a dump", 0);
    }
}

static int print_all(struct dump *d, int fd)
{
    int err = 0;
    while (d->parts != NULL) {
        struct part *p = d->parts;
        d->parts = p->next;
        if (err == 0)
            err = print(p, fd);
        part_free(p);
    }
    if (err == 0)
        err = print(&d->late, fd);
    if (err == 0)
        err = d->cut ? -ENOMEM : d->late.length > 0 ? -ETIMEDOUT : 0;
    memory_put(d->late.text);
    return err;
}

GREEN_API int green_dump(green_hub *of, int fd)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    struct dump d = {.from = hub, .of = of};
    if (of != hub && hub->current == &hub->loop)
        return (int)returned(park_in_callback(hub));
    hubs_each(ask, &d);
    await(&d);
    return (int)returned(d.found ? print_all(&d, fd) : -ESRCH);
}
