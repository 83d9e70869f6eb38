/* test_hub_made.c - hubs made and ended by the number: on OS threads of the program, by green_hubs.
 */
#include "hubs.h"

#include <green/event.h>
#include <green/fd.h>
#include <green/link.h>
#include <pthread.h>
#include <stdatomic.h>

static void assert_os_threads(int n)
{
    for (int i = 0; i < 10000 && os_threads() > n; i++)
        green_sleep(GREEN_MS); /* an emulator's may take longer to its end */
    assert_in_range(os_threads(), 1, n);
}

struct life {
    int pipe;
    bool ok;
};

/* What it leaves alive, asleep and waiting for a descriptor, ends with the OS thread. */
static void *short_life(void *arg)
{
    struct life *l = arg;
    green_thread *sleeper = green_spawn(sleep_errno, NULL);
    green_thread *reader = green_spawn(wait_for_byte, &l->pipe);
    l->ok = sleeper != NULL && reader != NULL && green_sleep(GREEN_US) == 0;
    return NULL;
}

/* Scenario 63: hubs come and go with their OS threads, and leave nothing. */
static void test_thousand_hubs(void **state)
{
    struct life life;
    int fds = 0, tasks = os_threads(), pipes[2];
    (void)state;
    int hubs = green_hubs(1);
    assert_int_equal(pipe(pipes), 0);
    life.pipe = pipes[0];
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        life.ok = false;
        assert_int_equal(pthread_create(&thread, NULL, short_life, &life), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(life.ok);
        if (i == 0)
            fds = fds_open();
    }
    assert_int_equal(fds_open(), fds);
    assert_os_threads(tasks);
    assert_int_equal(green_hubs(1), hubs);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- the hubs that green_hubs makes ---- */

static bool spawns_nothing(void)
{
    green_group g = GREEN_GROUP_INIT;
    errno = 0;
    bool refused = green_spawn(sleep_errno, NULL) == NULL && errno == ESRCH;
    errno = 0;
    return refused && green_group_spawn(&g, sleep_errno, NULL) < 0 && errno == ESRCH;
}

/* Where nothing is asked of it any more. */
static int clean_up_and_spawn(void *count)
{
    green_sleep(3600 * GREEN_SEC);
    green_shield()
        green_yield();
    atomic_fetch_add((atomic_int *)count, spawns_nothing());
    return 0;
}

/* On each of the hubs but the caller's: asleep, waiting for a descriptor, not yet started. */
static void populate(int hubs, int *pipe, atomic_int *ended)
{
    green_spawn_options options = {.detached = true};
    for (int i = 1; i < hubs; i++) {
        options.hub = green_hub_nth((unsigned)i);
        options.delay = 0;
        assert_non_null(green_spawn_with(&options, clean_up_and_spawn, ended));
        assert_non_null(green_spawn_with(&options, wait_for_byte, pipe));
        options.delay = 3600 * GREEN_SEC;
        assert_non_null(green_spawn_with(&options, wait_for_byte, pipe));
    }
}

/* Scenario 63: made and ended a thousand times, with what lives there; nothing is left. */
static void test_made_and_ended(void **state)
{
    enum { HUBS = 3 };
    int pipes[2], fds = 0, rounds = fewer(1000);
    atomic_int ended = 0;
    (void)state;
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(pipe(pipes), 0);
    green_hub_stats before = stats_now();
    int tasks = os_threads();
    for (int i = 1; i <= rounds; i++) {
        assert_int_equal(green_hubs(HUBS), HUBS);
        populate(HUBS, &pipes[0], &ended);
        assert_int_equal(green_hubs_end(), 0);
        assert_int_equal(ended, i * (HUBS - 1));
        assert_ptr_equal(green_hub_next(), green_hub_self());
        assert_int_equal(green_hubs(1), 1);
        if (i == 1)
            fds = fds_open();
    }
    assert_int_equal(fds_open(), fds);
    assert_os_threads(tasks);
    assert_nothing_left(before);
    close(pipes[0]);
    close(pipes[1]);
}

static void *end_hubs(void *arg)
{
    (void)arg;
    return green_hubs_end() == 0 ? NULL : "failed";
}

static int end_own_hub(void *arg)
{
    (void)arg;
    return green_hubs_end() < 0 ? errno : 0;
}

static void end_in_callback(green_link *link)
{
    *(int *)link->arg = green_hubs_end() < 0 ? errno : 0;
}

/* Scenario 63: by another OS thread, by two at once; not by a thread that lives there, nor by a
 * callback. */
static void test_ended_by_others(void **state)
{
    pthread_t others[2];
    green_link link = GREEN_LINK_INIT;
    void *why = NULL;
    int result = 0;
    (void)state;
    for (int i = 0; i < 20; i++) {
        green_spawn_options there = {.hub = other_hub()};
        assert_int_equal(green_join(green_spawn_with(&there, end_own_hub, NULL), &result), 0);
        assert_int_equal(result, EDEADLK);
        green_thread *t = green_spawn(nap, NULL);
        assert_int_equal(green_link_to(&link, t, end_in_callback, &result), 0);
        result = 0;
        assert_int_equal(green_join(t, NULL), 0);
        assert_int_equal(result, EDEADLK);
        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&others[k], NULL, end_hubs, NULL), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(pthread_join(others[k], &why), 0);
            assert_null(why);
        }
        assert_fails(green_hub_stats_get(there.hub, &(green_hub_stats){0}), ESRCH);
        assert_int_equal(green_hubs(1), 1);
    }
}

static pthread_key_t slow;

static void end_slowly(void *ended)
{
    nanosleep(&(struct timespec){0, 20 * GREEN_MS}, NULL);
    atomic_store((atomic_bool *)ended, true);
}

static void be_slow(void *ended)
{
    pthread_setspecific(slow, ended);
}

static void *end_and_look(void *ended)
{
    return green_hubs_end() == 0 && atomic_load((atomic_bool *)ended) ? NULL : "too early";
}

/* Scenario 63: the OS threads are gone for whoever has called, not only for who called first. */
static void test_gone_for_all(void **state)
{
    pthread_t others[2];
    atomic_bool ended = false;
    void *why = NULL;
    (void)state;
    assert_int_equal(pthread_key_create(&slow, end_slowly), 0);
    assert_int_equal(green_hub_run(other_hub(), be_slow, &ended), 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_create(&others[k], NULL, end_and_look, &ended), 0);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(pthread_join(others[k], &why), 0);
        assert_null(why);
    }
    assert_int_equal(pthread_key_delete(slow), 0);
}

static green_event shielded = GREEN_EVENT_INIT, go_on = GREEN_EVENT_INIT;

static int refuse_to_end(void *arg)
{
    (void)arg;
    green_shield() {
        green_event_set(&shielded);
        green_event_wait(&go_on);
    }
    return 0;
}

/* Scenario 63: who waits no longer leaves them ending; the next call waits for what is left. */
static void test_end_takes_too_long(void **state)
{
    int tasks;
    (void)state;
    assert_int_equal(green_hubs_end(), 0);
    tasks = os_threads();
    green_spawn_options there = {.hub = other_hub(), .detached = true};
    assert_non_null(green_spawn_with(&there, refuse_to_end, NULL));
    assert_int_equal(green_event_wait(&shielded), 0);
    green_within(GREEN_MS)
        assert_fails(green_hubs_end(), ETIMEDOUT);
    assert_int_equal(green_hubs(2), 2);
    for (unsigned i = 0; i < 4; i++) /* it is another one */
        assert_ptr_not_equal(green_hub_nth(i), there.hub);
    green_event_set(&go_on);
    assert_int_equal(green_hubs_end(), 0);
    assert_os_threads(tasks);
}

struct churn {
    int rounds;
    atomic_int begun, ended;
};

static int count_and_nap(void *arg)
{
    struct churn *c = arg;
    atomic_fetch_add(&c->begun, 1);
    green_sleep(20 * GREEN_US);
    atomic_fetch_add(&c->ended, 1);
    return 0;
}

/* Hubs that were chosen a moment ago may be ending, or have ended. */
static void *churn(void *arg)
{
    struct churn *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        green_spawn_options options = {.hub = green_hub_next(), .detached = true};
        for (int k = 0; k < 3; k++)
            if (green_spawn_with(&options, count_and_nap, c) == NULL && errno != ESRCH)
                return "cannot spawn";
        if (i % 3 == 0 && green_hubs(3) < 0)
            return "cannot make hubs";
        green_within(i % 2 != 0 ? 10 * GREEN_US : INT64_MAX)
            if (i % 5 == 0 && green_hubs_end() < 0 && errno != ETIMEDOUT)
                return "cannot end hubs";
    }
    return NULL;
}

/* Scenario 63: while others make them, and put work there. */
static void test_made_and_ended_by_many(void **state)
{
    struct churn c = {.rounds = fewer(320)};
    pthread_t os_thread[3];
    void *why = NULL;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&os_thread[i], NULL, churn, &c), 0);
    for (int i = 0; i < 3; i++) {
        while (pthread_tryjoin_np(os_thread[i], &why) != 0)
            green_sleep(GREEN_MS); /* this hub is one of those that get work */
        assert_null(why);
    }
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_true(c.begun > 0);
    assert_int_equal(c.ended, c.begun);
    assert_int_equal(green_hubs(1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousand_hubs),      cmocka_unit_test(test_made_and_ended),
        cmocka_unit_test(test_ended_by_others),    cmocka_unit_test(test_gone_for_all),
        cmocka_unit_test(test_end_takes_too_long), cmocka_unit_test(test_made_and_ended_by_many),
    };
    return cmocka_run_group_tests_name("hub_made", tests, NULL, NULL);
}
