/* bench_hubs.c - what hubs share: the cost of a step in CPU time of both, and in time. */
#include "bench.h"
#include "pairs.h"
#include <green/event.h>
#include <green/group.h>
#include <green/mutex.h>
#include <green/offload.h>

static green_hub *other;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawns(long n)
{
    while (n-- > 0)
        green_join(spawn_on(other, nothing, NULL), NULL);
}

static void look(void *arg)
{
    (void)arg;
}

static void calls(long n)
{
    while (n-- > 0)
        green_hub_run(other, look, NULL);
}

/* One thread here and one there: both hubs fall asleep in between. */
static void rendezvous(long n)
{
    round_trips(other, n, 0);
}

static int receive_all(void *chan)
{
    long v;
    while (green_chan_recv(chan, &v) > 0)
        continue;
    return 0;
}

/* Values in one direction, through a buffer. */
static void stream(long n)
{
    green_chan *c = green_chan_make(sizeof n, 64);
    green_thread *t = spawn_on(other, receive_all, c);
    for (; n > 0; n--)
        green_chan_send(c, &n);
    green_chan_close(c);
    green_join(t, NULL);
    green_chan_free(c);
}

/* Threads on both sides keep their hubs busy: 32 pairs. */
enum { PAIRS = 32 };

static int ask(void *arg)
{
    struct pair *p = arg;
    long v;
    while (green_chan_recv(p->back, &v) > 0 && v-- > 0)
        green_chan_send(p->there, &v);
    green_chan_close(p->there);
    return 0;
}

static void many_round_trips(long n)
{
    static struct pair pairs[PAIRS];
    green_group here = GREEN_GROUP_INIT;
    green_thread *t[PAIRS];
    long each = n / PAIRS;
    for (int i = 0; i < PAIRS; i++) {
        pairs[i].there = green_chan_make(sizeof n, 0);
        pairs[i].back = green_chan_make(sizeof n, 1);
        green_chan_send(pairs[i].back, &each);
        t[i] = spawn_on(other, echo_values, &pairs[i]);
        green_group_spawn(&here, ask, &pairs[i]);
    }
    green_group_join(&here);
    for (int i = 0; i < PAIRS; i++) {
        green_join(t[i], NULL);
        green_chan_free(pairs[i].there);
        green_chan_free(pairs[i].back);
    }
}

static green_mutex mutex = GREEN_MUTEX_INIT;

static int lock_often(void *n)
{
    for (long i = (long)n; i > 0; i--) {
        green_mutex_lock(&mutex);
        green_mutex_unlock(&mutex);
    }
    return 0;
}

static void lock_alone(long n)
{
    lock_often((void *)n);
}

static void lock_both(long n)
{
    green_thread *t = spawn_on(other, lock_often, (void *)(n / 2));
    lock_often((void *)(n / 2));
    green_join(t, NULL);
}

static void offloads(long n)
{
    while (n-- > 0)
        green_offload(nothing, NULL, NULL);
}

/* As measure, and beside it the time that has passed. */
static void measure_both(const char *what, void (*run)(long n), long n)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    double cpu = median_cost(run, n);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double time = (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
    printf("%-44s %9.1f ns CPU %9.1f ns\n", what, cpu, time / (double)(RUNS * n));
    fflush(stdout);
}

int main(void)
{
    if (green_hubs(2) < 2) {
        perror("bench_hubs: second hub");
        return 1;
    }
    other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    measure_both("mutex lock + unlock, guards taken", lock_alone, 1000000);
    measure_both("mutex that two hubs want", lock_both, 20000);
    measure_both("call (green_hub_run)", calls, 10000);
    measure_both("spawn + join", spawns, 10000);
    measure_both("channel round trip, both hubs idle", rendezvous, 10000);
    measure_both("channel round trip, 32 pairs", many_round_trips, 32000);
    measure_both("value through a buffer of 64", stream, 100000);
    measure_both("green_offload and back", offloads, 10000);
    return 0;
}
