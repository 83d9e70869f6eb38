/* pairs.h - two threads with a channel each way, for the benches that measure words there and
 * back: of one hub, of several, beside other libraries. */
#pragma once
#include <green/channel.h>
#include <green/hub.h>
#include <green/thread.h>
#include <stdio.h>
#include <stdlib.h>

struct pair {
    green_chan *there, *back;
};

static int echo_values(void *arg)
{
    struct pair *p = arg;
    long v;
    while (green_chan_recv(p->there, &v) > 0)
        green_chan_send(p->back, &v);
    return 0;
}

static inline green_thread *spawn_on(green_hub *hub, int (*fn)(void *), void *arg)
{
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = hub}, fn, arg);
    if (t == NULL) {
        perror("bench: a thread");
        exit(1);
    }
    return t;
}

/* The other thread lives on this hub; NULL: on the caller's. */
static inline void round_trips(green_hub *hub, long n, size_t capacity)
{
    struct pair p = {green_chan_make(sizeof n, capacity), green_chan_make(sizeof n, capacity)};
    green_thread *t = spawn_on(hub, echo_values, &p);
    for (long v = 0; v < n; v++) {
        green_chan_send(p.there, &v);
        green_chan_recv(p.back, &v);
    }
    green_chan_close(p.there);
    green_join(t, NULL);
    green_chan_free(p.there);
    green_chan_free(p.back);
}
