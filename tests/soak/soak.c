/* soak.c - everything in great numbers, and afterwards everything as it was: see tests/soak/run.
 *
 * Each trial runs twice. The first time leaves what is kept for re-use (stacks, room in tables);
 * what the second leaves is a leak. */
#include "duel.h"
#include "trials.h"
#include <dirent.h>
#include <green/deadline.h>
#include <green/hub.h>
#include <green/thread.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_COUNTS = 0 }; /* sanitizers keep what was freed for a while */
#else
enum { MEMORY_COUNTS = 1 };
#endif
enum { GROWTH_MOST = 4096 /* KiB */, HUBS = 2 };

struct trial {
    const char *name;
    int (*run)(long n);
    long n;
    const struct duel *duel; /* instead of run */
};
static const struct trial trials[] = {
    {"threads started and ended", trial_spawns, 1000000, NULL},
    {"a chain, each starts the next", trial_chain, 1000000, NULL},
    {"nested, each waits for the next", trial_nest, 10000, NULL},
    {"deadlines fired, disarmed", trial_timers, 1000000, NULL},
    {"hubs made and destroyed", trial_hubs, 1000, NULL},
};
enum { ROUNDS = 10000 };

/* What must be as before. */
struct usage {
    long memory; /* KiB */
    long fds, os_threads;
    long threads, timers, watches; /* of the hubs */
};

static long entries(const char *directory)
{
    long n = 0;
    DIR *d = opendir(directory);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static long memory_used(void)
{
    long size, resident = 0;
    malloc_trim(0); /* what malloc keeps of freed memory is no leak */
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL || fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return resident * 4;
}

static struct usage usage_now(void)
{
    struct usage u = {memory_used(), entries("/proc/self/fd"), entries("/proc/self/task"), 0, 0, 0};
    for (unsigned i = 0; i < HUBS; i++) {
        green_hub_stats s;
        if (green_hub_stats_get(green_hub_nth(i), &s) < 0)
            continue;
        u.threads += (long)s.threads;
        u.timers += (long)s.timers;
        u.watches += (long)s.watches;
    }
    return u;
}

/* An OS thread that was joined is still listed for a moment: there may have been more before. */
static bool as_before(const struct usage *a, const struct usage *b)
{
    return b->fds <= a->fds && b->os_threads <= a->os_threads && b->threads <= a->threads &&
           b->timers <= a->timers && b->watches <= a->watches;
}

/* That moment, at most. */
static struct usage usage_after(const struct usage *before)
{
    struct usage u = usage_now();
    for (int i = 0; i < 1000 && !as_before(before, &u); i++) {
        green_sleep(5 * GREEN_MS);
        u = usage_now();
    }
    return u;
}

/* ---- the table ---- */

static void head(void)
{
    printf("%-32s %9s %8s %10s %9s %8s %10s %8s %7s %8s\n", "", "times", "seconds", "a second",
           "memory", "growth", "threads of", "timers", "watches", "open");
    printf("%-32s %9s %8s %10s %9s %8s %10s %8s %7s %8s\n", "", "", "", "", "KiB", "KiB",
           "OS, green", "", "", "files");
}

static bool row(long n, int64_t took, const struct usage *before, const struct usage *after)
{
    double seconds = (double)took / 1e9;
    bool same = as_before(before, after);
    bool grew = MEMORY_COUNTS && after->memory - before->memory > GROWTH_MOST;
    printf(" %9ld %8.2f %10.0f %9ld %+8ld %+5ld%+5ld %+8ld %+7ld %+8ld%s%s\n", n, seconds,
           (double)n / seconds, after->memory, after->memory - before->memory,
           after->os_threads - before->os_threads, after->threads - before->threads,
           after->timers - before->timers, after->watches - before->watches,
           after->fds - before->fds, same ? "" : "  NOT AS BEFORE", grew ? "  GREW" : "");
    fflush(stdout);
    return same && !grew;
}

static struct duel_score score; /* of the latest duel */

static int run(const struct trial *t, long n)
{
    return t->duel != NULL ? duel_run(t->duel, n, &score) : t->run(n);
}

static bool try(const struct trial *t, long n)
{
    printf("%-32s", t->name);
    fflush(stdout);
    if (run(t, n) < 0)
        return false;
    struct usage before = usage_now();
    int64_t start = green_now();
    if (run(t, n) < 0)
        return false;
    int64_t took = green_now() - start;
    struct usage after = usage_after(&before);
    bool fine = row(n, took, &before, &after);
    if (t->duel != NULL)
        printf("%32s %9ld done, %ld ended by a deadline, %ld by cancellation\n", "", score.done,
               score.gave_up, score.killed);
    return fine;
}

static bool wanted(const char *name, char **names)
{
    if (*names == NULL)
        return true;
    for (; *names != NULL; names++)
        if (strstr(name, *names) != NULL)
            return true;
    return false;
}

static void usage(FILE *to)
{
    fprintf(to,
            "usage: soak [--quick | --times N] [NAME]...\n"
            "Everything in great numbers, for seconds; --times: so many times as often, --quick:\n"
            "a fiftieth of it. NAME: only what has that in its name (duel, deadline, queue, ...).\n"
            "The exit status is 0 if each left memory, descriptors, threads and timers as they\n"
            "were.\n");
}

/* The duels behind the others; false: no such name. */
static bool soak(char **names, long times, long share)
{
    size_t others = sizeof trials / sizeof trials[0];
    bool fine = true, any = false;
    head();
    for (size_t i = 0; i < others + (size_t)duels_count; i++) {
        char name[64];
        struct trial t = i < others ? trials[i] : (struct trial){.n = ROUNDS};
        if (i >= others) {
            t.duel = duels[i - others];
            snprintf(name, sizeof name, "duel: %s", t.duel->name);
            t.name = name;
        }
        if (!wanted(t.name, names))
            continue;
        any = true;
        fine = try(&t, t.n * times / share) && fine;
    }
    printf("%s\n", !any ? "nothing has such a name" : fine ? "all is as it was" : "it failed");
    return any && fine;
}

int main(int argc, char **argv)
{
    long times = 1, share = 1;
    char **names = argv + 1;
    (void)argc;
    for (; *names != NULL && (*names)[0] == '-'; names++) {
        if (strcmp(*names, "--quick") == 0) {
            share = 50;
        } else if (strcmp(*names, "--times") == 0 && names[1] != NULL) {
            times = strtol(*++names, NULL, 10);
        } else {
            bool help = strcmp(*names, "--help") == 0 || strcmp(*names, "-h") == 0;
            usage(help ? stdout : stderr);
            return help ? 0 : 2;
        }
    }
    if (times < 1 || green_hubs(HUBS) < HUBS) {
        fprintf(stderr, "soak: %s\n", times < 1 ? "--times wants a number" : green_errmsg());
        return 2;
    }
    return soak(names, times, share) ? 0 : 1;
}
