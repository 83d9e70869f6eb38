/* bench_time.c - how late sleepers and hubs wake, beside clock_nanosleep, and what many timers
 * cost. `bench_time N`: so many timers instead of a million. */
#include "bench.h"
#include <errno.h>
#include <green/deadline.h>
#include <green/event.h>
#include <green/group.h>
#include <green/hub.h>
#include <green/thread.h>
#include <sys/prctl.h>

/* ---- lateness ---- */

enum { SLEEPS_MOST = 4000 };

static int sleep_os(int64_t ns)
{
    struct timespec t = {ns / GREEN_SEC, ns % GREEN_SEC};
    return clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* The kernel may let ordinary sleeps wait 50 us for company. It does not with a timerfd, which is
 * what the hub sleeps by. */
static int sleep_os_precise(int64_t ns)
{
    prctl(PR_SET_TIMERSLACK, 1UL);
    sleep_os(ns);
    return prctl(PR_SET_TIMERSLACK, 0UL); /* as it was */
}

static int sleep_green(int64_t ns)
{
    return green_sleep(ns);
}

static void print_row(const char *what, int64_t ns, double *late, long n)
{
    qsort(late, (size_t)n, sizeof late[0], by_value);
    printf("%-36s %8.0f us %8.1f %8.1f %8.1f %8.1f\n", what, (double)ns / 1e3, late[n / 2],
           late[n * 9 / 10], late[n * 99 / 100], late[n - 1]);
    fflush(stdout);
}

/* Sleeps for a second or two in all and prints how late it woke, in microseconds. */
static void lateness(const char *what, int (*sleeper)(int64_t), int64_t ns)
{
    static double late[SLEEPS_MOST];
    long n = 1500 * GREEN_MS / ns < SLEEPS_MOST ? 1500 * GREEN_MS / ns : SLEEPS_MOST;
    for (long i = 0; i < n; i++) {
        int64_t due = green_now() + ns;
        sleeper(ns);
        late[i] = (double)(green_now() - due) / 1e3;
    }
    print_row(what, ns, late, n);
}

static void note_now(void *at)
{
    *(int64_t *)at = green_now();
}

/* How long it takes until a hub that sleeps does what another one asks. */
static void wake_ups(void)
{
    static double late[1000];
    const long n = sizeof late / sizeof late[0];
    int64_t at = 0;
    if (green_hubs(2) < 2)
        return;
    for (long i = 0; i < n; i++) {
        green_sleep(GREEN_MS);
        int64_t start = green_now();
        green_hub_run(green_hub_nth(1), note_now, &at);
        late[i] = (double)(at - start) / 1e3;
    }
    print_row("another hub, asleep", GREEN_MS, late, n);
    green_hubs_end();
}

static int nap_on(void *ns)
{
    while (green_sleep((int64_t)(intptr_t)ns) == 0)
        continue;
    return 0;
}

static void table(const char *what, int (*sleeper)(int64_t))
{
    static const int64_t spans[] = {100 * GREEN_US, GREEN_MS, 10 * GREEN_MS};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        lateness(what, sleeper, spans[i]);
}

static void latenesses(void)
{
    green_group others = GREEN_GROUP_INIT;
    printf("%-36s %11s %8s %8s %8s %8s\n", "late by, us", "sleep", "median", "90 %", "99 %",
           "most");
    table("clock_nanosleep, an OS thread", sleep_os);
    table("clock_nanosleep, no timer slack", sleep_os_precise);
    table("green_sleep", sleep_green);
    for (intptr_t i = 0; i < 100; i++)
        green_group_spawn(&others, nap_on, (void *)(10 * GREEN_MS + i * 7 * GREEN_US));
    table("green_sleep, 100 others asleep", sleep_green);
    green_group_cancel(&others);
    green_group_join(&others);
    wake_ups();
}

/* ---- many timers: threads that wait again and again, in deadline scopes or not ---- */

static green_event go = GREEN_EVENT_INIT;
static int64_t span = INT64_MAX; /* the deadline of the next waits */
static long fired;

static int wait_again(void *number)
{
    int64_t spread = (intptr_t)number * 7919 % GREEN_MS; /* so that they come in no order */
    for (;;) {
        int err = 0;
        green_within(span < INT64_MAX ? span + spread : INT64_MAX)
            err = green_event_wait(&go);
        if (err < 0 && errno != ETIMEDOUT)
            return 0;
        fired += err < 0;
    }
}

/* All threads wake, and wait anew. */
static void round_of(int64_t next)
{
    span = next;
    green_event_set(&go);
    green_event_clear(&go);
    green_yield();
}

static void wait_plainly(long n)
{
    (void)n;
    round_of(INT64_MAX);
}

static void wait_within(long n)
{
    (void)n;
    round_of(3600 * GREEN_SEC);
}

static void wait_until_it_fires(long n)
{
    round_of(GREEN_MS);
    span = INT64_MAX;
    for (fired = 0; fired < n;)
        green_sleep(GREEN_MS);
}

static void many(long n)
{
    green_group g = GREEN_GROUP_INIT;
    for (intptr_t i = 0; i < n; i++)
        if (green_group_spawn(&g, wait_again, (void *)i) < 0)
            perror("bench_time: cannot start all threads");
    green_yield();
    printf("\n%ld threads, a thread's round (CPU time):\n", n);
    measure("woken, wait again", wait_plainly, n);
    measure("woken, wait again in a deadline scope", wait_within, n);
    measure("the same, and the deadline passes", wait_until_it_fires, n);
    green_group_cancel(&g);
    green_group_join(&g);
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    if (n <= 0) {
        fprintf(stderr, "usage: bench_time [THREADS]\n");
        return 2;
    }
    latenesses();
    many(n);
    return 0;
}
