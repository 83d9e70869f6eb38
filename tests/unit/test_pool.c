/* test_pool.c - pools (green/pool.h). */
#include "items.h"
#include "unit.h"

#include <green/pool.h>

static int running, most;

static int work(void *arg)
{
    (void)arg;
    if (++running > most)
        most = running;
    green_sleep(100 * GREEN_US);
    running--;
    return 0;
}

/* Scenario 106: one, two, three, ten, none. */
static void test_limits(void **state)
{
    static const int limits[] = {1, 2, 3, 10, 0};
    (void)state;
    green_hub_stats before = stats_now();
    for (size_t k = 0; k < COUNT(limits); k++) {
        green_pool p = GREEN_POOL_INIT(limits[k]);
        running = most = 0;
        for (int i = 0; i < 50; i++)
            assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
        assert_int_equal(green_pool_join(&p), 0);
        assert_int_equal(most, limits[k] > 0 ? limits[k] : 50);
        assert_int_equal(running, 0);
    }
    assert_nothing_left(before);
}

/* Scenario 107: tried, given up, more room. */
static void test_full(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    (void)state;
    assert_int_equal(green_pool_spawn(&p, sleep_long, NULL), 0);
    assert_fails(green_pool_try_spawn(&p, work, NULL), EBUSY);
    green_within(GREEN_MS)
        assert_fails(green_pool_spawn(&p, work, NULL), ETIMEDOUT);
    assert_null(p.first); /* who gave up stands in no line */
    green_pool_resize(&p, 2);
    assert_int_equal(green_pool_try_spawn(&p, work, NULL), 0);
    green_pool_cancel(&p);
    assert_fails(green_pool_join(&p), ECANCELED);
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0); /* and it can be used again */
    assert_int_equal(green_pool_join(&p), 0);
}

static int spawn_work(void *pool)
{
    return green_pool_spawn(pool, work, NULL) < 0 ? -errno : 0;
}

/* Scenario 106: the room of one that was let in and has not run yet is not given away. */
static void test_nobody_overtakes(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    int result = -1;
    (void)state;
    running = most = 0;
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
    green_thread *t = green_spawn(spawn_work, &p);
    while (p.group.live > 0) /* until the first ends, and lets t in */
        assert_int_equal(green_yield(), 0);
    assert_null(p.first);
    assert_fails(green_pool_try_spawn(&p, work, NULL), EBUSY);
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_pool_join(&p), 0);
    assert_int_equal(most, 1);
}

/* Scenario 37: whom the last thread's end lets in starts another: the join waits for that, too. */
static void test_join_with_others_in_line(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    (void)state;
    running = most = 0;
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
    green_thread *t = green_spawn(spawn_work, &p);
    while (p.first == NULL)
        assert_int_equal(green_yield(), 0);
    assert_int_equal(green_pool_join(&p), 0);
    assert_int_equal(p.group.live, 0);
    assert_int_equal(running, 0);
    assert_int_equal(green_join(t, NULL), 0);
}

/* Scenarios 37, 112: nor is the pool empty while one that was let in has not run yet. */
static void test_join_with_one_let_in(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
    green_thread *t = green_spawn(spawn_work, &p);
    while (p.group.live > 0)
        assert_int_equal(green_yield(), 0);
    assert_int_equal(p.promised, 1);
    assert_int_equal(green_pool_join(&p), 0);
    assert_int_equal(stats_now().spawned - before.spawned, 3);
    assert_int_equal(p.group.live + p.promised, 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_nothing_left(before);
}

/* Its last turn is the last of the pool, too. */
static int cancel_joiner(void *joiner)
{
    for (int i = 0; i < 3; i++)
        green_yield();
    return green_cancel(*(green_thread **)joiner);
}

/* How many are in the pool, or let in, after a join that was given up. */
static int left_by_join(void *pool)
{
    green_pool *p = pool;
    return green_pool_join(p) < 0 && errno == ECANCELED ? p->group.live + p->promised : -1;
}

/* Scenarios 37, 112: nor is it after a join that is cancelled just as the last thread's end lets
 * one in. */
static void test_join_given_up_with_one_let_in(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    green_thread *joiner;
    int left = -1;
    (void)state;
    assert_int_equal(green_pool_spawn(&p, cancel_joiner, &joiner), 0);
    joiner = green_spawn(left_by_join, &p);
    green_thread *t = green_spawn(spawn_work, &p);
    assert_int_equal(green_join(joiner, &left), 0);
    assert_int_equal(left, 0);
    assert_int_equal(green_join(t, NULL), 0);
}

/* Scenario 112: who waits for room in a pool that is cancelled, or is cancelled itself, spawns
 * nothing; and the pool is empty after the join. */
static void test_cancelled_while_spawning(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    green_thread *t[3];
    int result;
    (void)state;
    green_hub_stats before = stats_now();
    running = most = 0;
    assert_int_equal(green_pool_spawn(&p, sleep_long, NULL), 0);
    for (int i = 0; i < 3; i++)
        t[i] = green_spawn(spawn_work, &p);
    green_yield();
    assert_int_equal(green_kill(t[0], &result), 0);
    assert_int_equal(result, -ECANCELED);
    green_pool_cancel(&p);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, -ECANCELED);
    }
    assert_fails(green_pool_join(&p), ECANCELED);
    assert_int_equal(p.group.live, 0);
    assert_int_equal(most, 0); /* none of theirs has run */
    assert_nothing_left(before);
}

static int unwilling(void *stop)
{
    green_shield()
        while (!*(bool *)stop)
            green_yield();
    return 0;
}

/* Scenario 112: they need not wait for the pool's threads to heed it. */
static void test_cancelled_at_once(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    bool stop = false;
    int result = 0;
    (void)state;
    assert_int_equal(green_pool_spawn(&p, unwilling, &stop), 0);
    green_thread *t = green_spawn(spawn_work, &p);
    green_yield();
    assert_non_null(p.first);
    green_pool_cancel(&p);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, -ECANCELED);
    assert_fails(green_pool_spawn(&p, work, NULL), ECANCELED);
    assert_fails(green_pool_try_spawn(&p, work, NULL), ECANCELED);
    assert_int_equal(p.group.live, 1);
    stop = true;
    assert_fails(green_pool_join(&p), ECANCELED);
}

static int fail_soon(void *arg)
{
    (void)arg;
    green_yield();
    errno = ERANGE;
    return -7;
}

/* Scenario 112: one that fails cancels the others, lets nobody in any more, and is the error of the
 * join, with its sentence; then the pool can be used again. */
static void test_failure(void **state)
{
    green_pool p = GREEN_POOL_INIT(2);
    green_thread *t[3];
    int result;
    (void)state;
    green_hub_stats before = stats_now();
    running = most = 0;
    assert_int_equal(green_pool_spawn(&p, fail_soon, NULL), 0);
    assert_int_equal(green_pool_spawn(&p, sleep_long, NULL), 0);
    for (int i = 0; i < 3; i++)
        t[i] = green_spawn(spawn_work, &p);
    assert_fails(green_pool_join(&p), ERANGE);
    assert_int_equal(p.group.result, -7);
    assert_non_null(strstr(green_errmsg(), strerror(ERANGE)));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, -ECANCELED);
    }
    assert_int_equal(most, 0);
    assert_int_equal(p.promised, 0);
    assert_int_equal(green_pool_spawn(&p, work, NULL), 0);
    assert_int_equal(green_pool_join(&p), 0);
    assert_int_equal(most, 1);
    assert_nothing_left(before);
}

static int spawn_nested(void *pool)
{
    green_yield();
    return green_pool_spawn(pool, work, NULL) < 0 ? -1 : 0;
}

/* Scenario 113: all threads of the pool wait for room in it. */
static void test_nested(void **state)
{
    green_pool p = GREEN_POOL_INIT(2);
    (void)state;
    green_pool_spawn(&p, spawn_nested, &p);
    green_pool_spawn(&p, spawn_nested, &p);
    assert_fails(green_pool_join(&p), EDEADLK);
    /* one that can wait for another to end is not refused */
    green_pool_spawn(&p, work, NULL);
    green_pool_spawn(&p, spawn_nested, &p);
    assert_int_equal(green_pool_join(&p), 0);
}

struct nest {
    green_pool *pool;
    int numbers[3];
};

static int map_inside(void *arg)
{
    struct nest *n = arg;
    int err = green_pool_map(n->pool, square, n->numbers, 3, sizeof n->numbers[0]);
    return squared_on == green_self() ? err : -1;
}

/* Scenarios 108, 110, 111: in place; a failure; from inside of the pool, by the caller itself. */
static void test_map(void **state)
{
    int numbers[30];
    green_pool p = GREEN_POOL_INIT(4);
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 10; i++)
        numbers[i] = i;
    assert_int_equal(green_pool_map(&p, square, numbers, 10, sizeof numbers[0]), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(numbers[i], i * i);
    for (int i = 0; i < 30; i++)
        numbers[i] = i;
    assert_fails(green_pool_map(&p, square, numbers, 30, sizeof numbers[0]), ERANGE);
    assert_int_equal(green_pool_map(&p, square, numbers, 0, sizeof numbers[0]), 0);
    struct nest n = {&p, {1, 2, 3}};
    p.limit = 1;
    green_pool_spawn(&p, map_inside, &n); /* does not wait for its own room */
    assert_int_equal(green_pool_join(&p), 0);
    assert_int_equal(n.numbers[2], 9);
    p.limit = 2;
    green_within(0) {
        int big[] = {1, 2, 3, 4, 6};
        assert_fails(green_pool_map(&p, square, big, 5, sizeof big[0]), ETIMEDOUT);
    }
    assert_nothing_left(before);
}

/* Scenario 110: the same with a map: whichever fails is its error, and all have ended by then. */
static void test_map_fails_at_any_place(void **state)
{
    enum { N = 9 };
    (void)state;
    green_hub_stats before = stats_now();
    for (int limit = 0; limit <= 3; limit++)
        for (int at = 0; at < N; at++) {
            green_pool p = GREEN_POOL_INIT(limit);
            int items[N];
            for (int i = 0; i < N; i++)
                items[i] = i == at ? -1 : i;
            assert_fails(green_pool_map(&p, fail_at_minus, items, N, sizeof items[0]), ERANGE);
            assert_true(stats_now().threads <= before.threads);
            assert_int_equal(green_pool_map(&p, fail_at_minus, items, (size_t)at, sizeof(int)), 0);
        }
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nobody_overtakes),
        cmocka_unit_test(test_join_with_others_in_line),
        cmocka_unit_test(test_join_with_one_let_in),
        cmocka_unit_test(test_join_given_up_with_one_let_in),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_cancelled_while_spawning),
        cmocka_unit_test(test_cancelled_at_once),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_fails_at_any_place),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
