/* fuzz.h - what random programs share: dice, requirements, a watch over their progress, options. */
#pragma once
#include <errno.h>
#include <getopt.h>
#include <green.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *program;
static int seconds = 10, hubs = 2, count = 40;
static uint64_t seed;
static atomic_bool stop;
static atomic_long steps; /* made by all threads so far */

static inline void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s (seed %llu)\n", program, what, (unsigned long long)seed);
    green_dump(NULL, 2);
    abort();
}

/* A number below `below`. */
static inline uint32_t draw(uint64_t *die, uint32_t below)
{
    *die = *die * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)((*die >> 33) * below >> 31);
}

/* Of the time of one step: none in half of them. */
static inline int64_t draw_bound(uint64_t *die)
{
    atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);
    return draw(die, 2) == 0 ? INT64_MAX : draw(die, 400) * GREEN_US;
}

/* Has anything happened? Asked by an OS thread of its own. */
static _Noreturn void *watch(void *arg)
{
    (void)arg;
    for (long seen = -1;;) {
        require(seen != steps, "nothing happens any more");
        seen = steps;
        sleep(20);
    }
}

/* Read the options, say what is going to happen, make the hubs. `what` is counted by --threads. */
static void fuzz_begin(int argc, char **argv, const char *usage)
{
    static const struct option options[] = {{"seconds", 1, NULL, 's'}, {"hubs", 1, NULL, 'H'},
                                            {"threads", 1, NULL, 't'}, {"seed", 1, NULL, 'S'},
                                            {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0}};
    int c;
    program = argv[0];
    seed = (uint64_t)green_now();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int n = optarg != NULL ? atoi(optarg) : 0;
        if (c == 's' && n > 0)
            seconds = n;
        else if (c == 'H' && n > 0)
            hubs = n;
        else if (c == 't' && n > 0)
            count = n;
        else if (c == 'S')
            seed = strtoull(optarg, NULL, 0);
        else {
            fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    printf("seed %llu, %d hubs, %d threads, %d s\n", (unsigned long long)seed, hubs, count,
           seconds);
    fflush(stdout);
    require(green_hubs(hubs) == hubs, "the hubs cannot be made");
    pthread_t watcher;
    require(pthread_create(&watcher, NULL, watch, NULL) == 0, "no OS thread");
    pthread_detach(watcher);
}

/* All is over: nothing is left on this hub. */
static void fuzz_end(void)
{
    green_hub_stats stats;
    green_sleep(GREEN_MS); /* the timer of a deadline that was met goes, too */
    require(green_hub_stats_get(NULL, &stats) == 0 && stats.threads == 1, "threads are left");
    require(stats.timers == 0, "timers are left");
    printf("%ld steps\n", (long)steps);
}
