/* select_case.c - the kinds of cases that the runtime knows: channels, ends of threads, time. */
#include "channel.h"
#include "select.h"
#include <errno.h>
#include <string.h>

void case_enter(green_case *c, struct choice *choice, green_waiters *waiters, void *item)
{
    struct place *p = case_place(c);
    p->standing = (struct standing){.guard = c->guard, .item = item, .choice = choice};
    place_enter(p, waiters);
}

static void leave(struct green_hub *hub, green_case *c)
{
    (void)hub;
    place_leave(case_place(c));
}

/* ---- send ---- */

static int send_look(struct green_hub *hub, green_case *c)
{
    int err = channel_put(hub, c->object, c->item);
    return err == -EAGAIN ? 0 : err < 0 ? err : 1;
}

static int send_enter(struct green_hub *hub, green_case *c, struct choice *choice)
{
    (void)hub;
    case_enter(c, choice, &((green_chan *)c->object)->senders, c->item);
    return 0;
}

static int send_won(green_case *c, int outcome)
{
    (void)c;
    return outcome;
}

static const struct case_kind send_kind = {send_look, send_enter, leave, send_won};

GREEN_API green_case green_case_send(green_chan *chan, const void *item)
{
    return (green_case){
        .kind = &send_kind,
        .object = chan,
        .item = (void *)(uintptr_t)item,
        .guard = chan != NULL ? &chan->guard : NULL,
    };
}

/* ---- receive ---- */

static int received(green_case *c, int got)
{
    if (got == 0 && c->item != NULL)
        memset(c->item, 0, ((green_chan *)c->object)->size);
    if (c->got != NULL)
        *c->got = got;
    return 1;
}

static int recv_look(struct green_hub *hub, green_case *c)
{
    int got = channel_take(hub, c->object, c->item);
    return got == -EAGAIN ? 0 : received(c, got);
}

static int recv_enter(struct green_hub *hub, green_case *c, struct choice *choice)
{
    (void)hub;
    case_enter(c, choice, &((green_chan *)c->object)->receivers, c->item);
    return 0;
}

static int recv_won(green_case *c, int outcome)
{
    received(c, outcome == 0);
    return 0;
}

static const struct case_kind recv_kind = {recv_look, recv_enter, leave, recv_won};

GREEN_API green_case green_case_recv(green_chan *chan, void *item, int *got)
{
    return (green_case){
        .kind = &recv_kind,
        .object = chan,
        .item = item,
        .got = got,
        .guard = chan != NULL ? &chan->guard : NULL,
    };
}

/* ---- the end of a thread ---- */

static int ended_look(struct green_hub *hub, green_case *c)
{
    (void)hub;
    return ((struct green_thread *)c->object)->over;
}

static int ended_enter(struct green_hub *hub, green_case *c, struct choice *choice)
{
    (void)hub;
    case_enter(c, choice, &((struct green_thread *)c->object)->watchers, NULL);
    return 0;
}

static int ended_won(green_case *c, int outcome)
{
    (void)c;
    return outcome;
}

static const struct case_kind ended_kind = {ended_look, ended_enter, leave, ended_won};

GREEN_API green_case green_case_ended(green_thread *thread)
{
    return (green_case){
        .kind = &ended_kind,
        .object = thread,
        .guard = thread != NULL ? &thread->guard : NULL,
    };
}

/* ---- time: select.c does it ---- */

GREEN_API green_case green_case_after(int64_t nanoseconds)
{
    return (green_case){.number = nanoseconds > 0 ? nanoseconds : 0};
}
