/* test_wait_cases_many.c - green_wait_cases on thousands of things, and of two hubs: nothing is
 * lost, nothing is doubled. */
#include "hubs.h"
#include "wait_cases.h"

#include <green/link.h>
#include <green/state.h>

static int take_turns(void *rounds)
{
    for (intptr_t i = (intptr_t)rounds; i > 0; i--)
        green_yield();
    return 0;
}

/* Scenario 40: thousands, and in order. */
static void test_thousands(void **state)
{
    int n = fewer(5000);
    green_thread **t = calloc((size_t)n, sizeof(green_thread *));
    int *order = calloc((size_t)n, sizeof(int));
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < n; i++)
        t[i] = green_spawn(take_turns, (void *)(intptr_t)(i < 100 ? 0 : 1 + i % 2));
    assert_int_equal(green_wait_some(t, n, n / 2, order), n / 2);
    for (int i = 0; i < n; i++) /* those of few rounds, in the order of their start */
        assert_int_equal(order[i], i < 100 ? i : i < n / 2 ? 100 + 2 * (i - 100) : -1);
    assert_int_equal(green_wait_all(t, n), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(result_of(t[i]), 0);
    free(t);
    free(order);
    assert_nothing_left(before);
}

/* Scenario 40: one that nobody will join, one that is joined and freed meanwhile, one of another
 * hub that is. */
static void test_ends_of_freed_threads(void **state)
{
    green_spawn_options far = {.hub = other_hub()}, loose = {.detached = true};
    green_case cases[4];
    int order[4];
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 20; i++) {
        green_thread *t[3];
        t[2] = green_spawn_with(&far, take_turns, (void *)2); /* may yield: first */
        t[0] = green_spawn_with(&loose, take_turns, (void *)3);
        t[1] = green_spawn(take_turns, (void *)1);
        struct wait w = {cases, 4, i % 2 ? 3 : 4, order};
        for (int k = 0; k < 3; k++)
            cases[k] = GREEN_ENDED(t[k]);
        cases[3] = GREEN_ENDED(green_self());
        green_thread *waits = green_spawn(wait_for, &w);
        green_yield();
        assert_int_equal(result_of(t[1]), 0);
        assert_int_equal(result_of(t[2]), 0);
        while (stats_now().threads > before.threads + 1 &&
               green_thread_state(waits) == GREEN_WAITING)
            green_yield();
        green_cancel(waits);
        assert_int_equal(result_of(waits), i % 2 ? 3 : -ECANCELED);
        assert_int_equal(order[3], -1);
        assert_true(order[0] >= 0 && order[1] >= 0 && order[2] >= 0);
    }
    assert_nothing_left(before);
}

/* Many objects in any order, each twice, while guards have to be taken. */
static void test_guards_in_order(void **state)
{
    enum { N = 50 };
    green_event e[N];
    green_case cases[2 * N];
    int order[2 * N];
    (void)state;
    assert_true(green_hubs(2) >= 2);
    for (int i = 0; i < N; i++)
        e[i] = (green_event)GREEN_EVENT_INIT;
    for (int i = 0; i < 2 * N; i++)
        cases[i] = GREEN_SET(&e[i * 37 % N]);
    struct wait w = {cases, 2 * N, 2 * N, order};
    green_thread *t = green_spawn(wait_for, &w);
    let_run();
    for (int i = 0; i < N; i++)
        green_event_set(&e[i]);
    assert_int_equal(result_of(t), 2 * N);
    for (int i = 0; i < 2 * N; i++) /* an event a pair */
        assert_int_equal(order[i] * 37 % N, i / 2);
    assert_int_equal(green_wait_cases(cases, 2 * N, 2 * N, order), 2 * N);
    for (int i = 0; i < 2 * N; i++)
        assert_int_equal(order[i], i);
}

/* ---- two hubs: nothing is lost, nothing is doubled ---- */

enum { ROUNDS = 1500, THREADS = 3, OBJECTS = 3, MOST = 300 };
static green_semaphore permits[OBJECTS];
static int inside[OBJECTS];
static green_queue *queues[OBJECTS];
static long put_count, put_sum, got_count, got_sum;

/* Two of three permits, piece by piece: a deadline ends what would be a deadlock. */
static int hold_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        green_case cases[OBJECTS];
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_ACQUIRE(&permits[k]);
        green_within(20 * GREEN_US)
            n = green_wait_cases(cases, OBJECTS, 2, order);
        if ((n < 0 && errno != ETIMEDOUT) || (n >= 0) != (order[1] >= 0) || order[2] >= 0)
            return -1;
        for (int k = 0; k < 2 && order[k] >= 0; k++)
            if (__atomic_add_fetch(&inside[order[k]], 1, __ATOMIC_SEQ_CST) > 1)
                return -1;
        if (i % 8 == 0)
            green_yield();
        for (int k = 0; k < 2 && order[k] >= 0; k++) {
            __atomic_sub_fetch(&inside[order[k]], 1, __ATOMIC_SEQ_CST);
            green_semaphore_release(&permits[order[k]]);
        }
    }
    return 0;
}

static int produce(void *arg)
{
    (void)arg;
    for (long i = 1; i <= ROUNDS; i++) {
        green_case cases[OBJECTS];
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_PUT(queues[k], (void *)i);
        green_within(i % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            n = green_wait_cases(cases, OBJECTS, 2, order);
        if (n < 0 && errno != ETIMEDOUT)
            return -1;
        for (int k = 0; k < OBJECTS && order[k] >= 0; k++) {
            __atomic_add_fetch(&put_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&put_sum, i, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* Until a queue is shut down and empty; what was got is counted, whether enough or not. */
static int consume(void *arg)
{
    (void)arg;
    for (int i = 0, open = 1; open;) {
        green_case cases[OBJECTS];
        void *items[OBJECTS] = {NULL};
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_GET(queues[k], &items[k]);
        green_within(++i % 3 == 0 ? 20 * GREEN_US : INT64_MAX)
            n = green_wait_cases(cases, OBJECTS, 1 + i % OBJECTS, order);
        if (n < 0 && errno != ETIMEDOUT)
            return -1;
        for (int k = 0; k < OBJECTS && order[k] >= 0; k++) {
            if (items[order[k]] == NULL) {
                open = 0;
                continue;
            }
            __atomic_add_fetch(&got_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&got_sum, (long)items[order[k]], __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* THREADS of a function on each of two hubs. */
static void spawn_on_both(green_thread **threads, int (*fn)(void *))
{
    green_spawn_options there = {.hub = other_hub()};
    for (int i = 0; i < 2 * THREADS; i++) {
        threads[i] = i % 2 ? green_spawn(fn, NULL) : green_spawn_with(&there, fn, NULL);
        assert_non_null(threads[i]);
    }
}

/* Scenarios 5, 81, 84: permits and items, in waits that want several, many of them in vain. */
static void test_two_hubs(void **state)
{
    green_thread *holders[2 * THREADS], *putters[2 * THREADS], *getters[2 * THREADS];
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < OBJECTS; i++) {
        permits[i] = (green_semaphore)GREEN_SEMAPHORE_BOUNDED_INIT(1);
        queues[i] = green_queue_make(&(green_queue_options){.limit = 2});
        assert_non_null(queues[i]);
    }
    spawn_on_both(holders, hold_two);
    spawn_on_both(putters, produce);
    spawn_on_both(getters, consume);
    for (int i = 0; i < 2 * THREADS; i++) {
        assert_int_equal(result_of(holders[i]), 0);
        assert_int_equal(result_of(putters[i]), 0);
    }
    for (int i = 0; i < OBJECTS; i++)
        green_queue_shutdown(queues[i], false);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(result_of(getters[i]), 0);
    for (int i = 0; i < OBJECTS; i++) { /* consumers end at the first that is empty */
        for (void *rest; green_queue_get(queues[i], &rest) > 0;) {
            got_count++;
            got_sum += (long)rest;
        }
        assert_int_equal(permits[i].count, 1);
        assert_null(permits[i].waiters.first);
        green_queue_free(queues[i]);
    }
    assert_int_equal(put_count, got_count);
    assert_int_equal(put_sum, got_sum);
    assert_true(put_count > ROUNDS);
    assert_nothing_left(before);
}

/* Scenario 40: ends on two hubs, asked for again and again until all are there. */
static void test_ends_on_two_hubs(void **state)
{
    green_spawn_options far = {.hub = other_hub()};
    green_thread *t[MOST];
    int order[MOST], n = -1;
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < MOST; i++) {
        void *rounds = (void *)(intptr_t)(i % 17);
        t[i] = i % 2 ? green_spawn(take_turns, rounds) : green_spawn_with(&far, take_turns, rounds);
    }
    while (n < 0) {
        green_within(20 * GREEN_US)
            n = green_wait_some(t, MOST, MOST, order);
        if (n < 0)
            assert_int_equal(errno, ETIMEDOUT);
    }
    bool seen[MOST] = {false};
    for (int i = 0; i < MOST; i++) {
        assert_in_range(order[i], 0, MOST - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        assert_int_equal(result_of(t[i]), 0);
    }
    let_run(); /* the deadline's timer fires */
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousands),        cmocka_unit_test(test_ends_of_freed_threads),
        cmocka_unit_test(test_guards_in_order),  cmocka_unit_test(test_two_hubs),
        cmocka_unit_test(test_ends_on_two_hubs),
    };
    return cmocka_run_group_tests_name("wait_cases_many", tests, NULL, NULL);
}
