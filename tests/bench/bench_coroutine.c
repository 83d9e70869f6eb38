/* bench_coroutine.c - what coroutines and generators cost: medians over several runs, CPU time.
 * Prints a line a figure. Makes no hub. */
#include "bench.h"
#include <green/coroutine.h>
#include <green/generator.h>
#include <stdio.h>

static int yield_always(green_coroutine *self, void *arg)
{
    while (green_coroutine_yield(self, arg) == 0)
        ;
    return 0;
}

static void round_trips(long n)
{
    green_coroutine *co = green_coroutine_create(yield_always, NULL);
    for (long i = 0; i < n; i++)
        green_coroutine_resume(co, NULL, NULL);
    green_coroutine_destroy(co);
}

enum { RING = 1000 };
static green_coroutine *ring[RING];
static long hops;

static int pass_on(green_coroutine *self, void *arg)
{
    long at = (long)arg;
    while (hops-- > 0)
        if (green_coroutine_transfer(self, ring[(at + 1) % RING], NULL) < 0)
            return -1;
    return 0;
}

static void transfers(long n)
{
    hops = n;
    for (long i = 0; i < RING; i++)
        ring[i] = green_coroutine_create(pass_on, (void *)i);
    green_coroutine_resume(ring[0], NULL, NULL);
    for (long i = 0; i < RING; i++)
        green_coroutine_destroy(ring[i]);
}

static void lives(long n)
{
    for (long i = 0; i < n; i++) {
        green_coroutine *co = green_coroutine_create(yield_always, NULL);
        green_coroutine_resume(co, NULL, NULL);
        green_coroutine_destroy(co);
    }
}

static int count_up(green_generator *g, void *arg)
{
    for (long i = 0; i < (long)arg; i++)
        if (green_generator_yield(g, &i) < 0)
            return -1;
    return 0;
}

static void items(long n)
{
    long sum = 0;
    green_for(long, i, green_generator_create(sizeof(long), count_up, (void *)n))
        sum += i;
    if (sum != n * (n - 1) / 2)
        abort();
}

int main(void)
{
    measure("resume + yield", round_trips, 10000000);
    measure("transfer, ring of 1,000", transfers, 4000000);
    measure("create + resume + yield + close + destroy", lives, 1000000);
    measure("item of a generator (green_for)", items, 10000000);
    return 0;
}
