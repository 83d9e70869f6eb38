/* dump.c - green_dump: see green/state.h. Each hub writes down its own threads; the caller collects
 * and prints. */
#include "error.h"
#include "memory.h"
#include "self.h"
#include "state.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One hub's lines. */
struct part {
    struct message message; /* there and back */
    struct part *next;
    struct dump *dump;
    struct green_hub *hub;
    char *text;
    size_t length, room;
    bool cut; /* no memory for all of it */
};

/* A dump of all hubs under way. */
struct dump {
    struct green_hub *from;
    struct part *parts;
    unsigned open; /* parts that are not back yet */
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

static void write_down(void *arg)
{
    struct part *p = arg;
    char line[64];
    snprintf(line, sizeof line, "hub %u, threads: %u\n", p->hub->number, p->hub->live);
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

/* ---- all hubs ---- */

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
    message->run = come_back;
    hub_post(p->dump->from, message);
}

/* A hub in the list takes messages, even if it is just being destroyed. */
static void send(struct green_hub *hub, void *arg)
{
    struct dump *d = arg;
    struct part *p = memory_get(sizeof *p);
    d->cut = d->cut || p == NULL;
    if (p == NULL)
        return;
    *p = (struct part){.message.run = run_there, .next = d->parts, .dump = d, .hub = hub};
    d->parts = p;
    d->open++;
    hub_post(hub, &p->message);
}

static int dump_all(struct green_hub *hub, int fd)
{
    struct dump d = {.from = hub};
    int err = 0;
    if (hub->current == &hub->loop)
        return -EDEADLK;
    hubs_each(send, &d);
    green_shield()
        while (d.open > 0)
            park(hub, &d.caller, WAIT_BACK, INT64_MAX, "a dump", 0);
    while (d.parts != NULL) {
        struct part *p = d.parts;
        d.parts = p->next;
        if (err == 0)
            err = print(p, fd);
        memory_put(p->text);
        memory_put(p);
    }
    return err == 0 && d.cut ? -ENOMEM : err;
}

GREEN_API int green_dump(green_hub *of, int fd)
{
    struct green_hub *hub = hub_here();
    struct part p = {.hub = of};
    if (hub == NULL)
        return -1;
    if (of == NULL)
        return (int)returned(dump_all(hub, fd));
    int err = hub_call(of, write_down, &p);
    if (err == 0)
        err = print(&p, fd);
    memory_put(p.text);
    return (int)returned(err);
}
