/* bench_runtime.c - what the runtime's moves cost: medians over several runs, CPU time.
 * Prints a line a figure. What threads share is in bench_sync, other hubs are in bench_hubs. For
 * memory at a million threads there is examples/sleepers. */
#include "bench.h"
#include "pairs.h"
#include <green/deadline.h>
#include <green/group.h>
#include <green/select.h>

static int yield_often(void *n)
{
    for (long i = (long)n; i > 0; i--)
        green_yield();
    return 0;
}

static void yields(long n, int threads)
{
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < threads; i++)
        green_group_spawn(&g, yield_often, (void *)(n / threads));
    green_group_join(&g);
}

static void two_yield(long n)
{
    yields(n, 2);
}

static void thousand_yield(long n)
{
    yields(n, 1000);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_join(long n)
{
    for (long i = 0; i < n; i++)
        green_join(green_spawn(nothing, NULL), NULL);
}

static void spawn_join_many(long n)
{
    green_group g = GREEN_GROUP_INIT;
    for (long i = 0; i < n; i++)
        green_group_spawn(&g, nothing, NULL);
    green_group_join(&g);
}

static void sleep_briefly(long n)
{
    for (long i = 0; i < n; i++)
        green_sleep(1);
}

static void scopes(long n)
{
    for (long i = 0; i < n; i++)
        green_within(GREEN_SEC)
            green_yield();
}

static void rendezvous(long n)
{
    round_trips(NULL, n, 0);
}

static void buffered(long n)
{
    round_trips(NULL, n, 8);
}

static int echo_either(void *arg)
{
    struct pair *p = arg;
    int got = 1;
    for (long v; got > 0;) {
        if (green_select(GREEN_RECV_OK(p->there, &v, &got), GREEN_RECV(p->back, &v)) == 0 &&
            got > 0)
            green_chan_send(p->back, &v);
    }
    return 0;
}

/* As round_trips, but both ends wait on both channels. */
static void selects(long n)
{
    struct pair p = {green_chan_make(sizeof n, 0), green_chan_make(sizeof n, 0)};
    green_thread *t = green_spawn(echo_either, &p);
    for (long v = 0; v < n; v++) {
        green_select(GREEN_SEND(p.there, &v), GREEN_RECV(p.back, &v));
        green_chan_recv(p.back, &v);
    }
    green_chan_close(p.there);
    green_join(t, NULL);
    green_chan_free(p.there);
    green_chan_free(p.back);
}

int main(void)
{
    measure("switch (green_yield, 2 threads)", two_yield, 4000000);
    measure("switch (green_yield, 1,000 threads)", thousand_yield, 4000000);
    measure("spawn + run + join", spawn_join, 1000000);
    measure("spawn + run + join, 1,000 in a group", spawn_join_many, 1000);
    measure("deadline scope around a yield", scopes, 1000000);
    measure("sleep of 1 ns", sleep_briefly, 100000);
    measure("channel round trip, rendezvous", rendezvous, 1000000);
    measure("channel round trip, buffered", buffered, 1000000);
    measure("channel round trip, by green_select", selects, 300000);
    return 0;
}
