/* test_pool.c - pools and streams (green/pool.h). */
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

static green_thread *squared_on;

static int square(void *item)
{
    int *n = item;
    squared_on = green_self();
    green_sleep((*n * 7 % 5) * 100 * GREEN_US);
    if (*n == 13) {
        errno = ERANGE;
        return -1;
    }
    *n *= *n;
    return 0;
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

struct source {
    int next, end;
    int fail_at; /* < 0: nowhere */
};

static int draw(void *arg, void *item)
{
    struct source *s = arg;
    if (s->next == s->fail_at) {
        errno = EIO;
        return -1;
    }
    if (s->next == s->end)
        return 0;
    *(int *)item = s->next++;
    return 1;
}

/* Scenarios 108, 109, 110: order, back-pressure, failures at their place. */
static void test_ordered_stream(void **state)
{
    struct source source = {0, 30, -1};
    green_stream_options options = {
        .next = draw, .source = &source, .fn = square, .size = sizeof(int), .limit = 4};
    int n, r, expected = 0, furthest = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_stream *s = green_stream_open(&options);
    assert_non_null(s);
    while ((r = green_stream_next(s, &n)) != 0) {
        if (expected == 13) {
            assert_int_equal(r, -1);
            assert_int_equal(errno, ERANGE);
        } else {
            assert_int_equal(r, 1);
            assert_int_equal(n, expected * expected);
        }
        expected++;
        assert_true(source.next <= expected + 4); /* never further ahead, but so far */
        furthest = source.next - expected > furthest ? source.next - expected : furthest;
    }
    assert_int_equal(expected, 30);
    assert_int_equal(furthest, 3); /* beside the one that was just handed out */
    assert_int_equal(green_stream_next(s, &n), 0);
    green_stream_close(s);
    assert_nothing_left(before);
}

static int finished[20], finished_count;

static int nap_by_number(void *item)
{
    int *n = item;
    for (int i = *n * 7 % 5; i > 0; i--)
        green_yield();
    finished[finished_count++] = *n;
    return 0;
}

/* Scenario 108: in the very order of their ends. */
static void test_unordered_is_by_the_ends(void **state)
{
    struct source source = {0, 20, -1};
    green_stream_options options = {.next = draw,
                                    .source = &source,
                                    .fn = nap_by_number,
                                    .size = sizeof(int),
                                    .limit = 6,
                                    .unordered = true};
    int n, moved = 0;
    (void)state;
    finished_count = 0;
    green_stream *s = green_stream_open(&options);
    assert_non_null(s);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(green_stream_next(s, &n), 1);
        assert_int_equal(n, finished[i]);
        moved += n != i;
    }
    assert_int_equal(green_stream_next(s, &n), 0);
    assert_true(moved > 0);
    green_stream_close(s);
}

/* Scenarios 108, 110: as they are done; the source fails, too. */
static void test_unordered_stream(void **state)
{
    struct source source = {0, 100, 60};
    green_stream_options options = {.next = draw,
                                    .source = &source,
                                    .fn = square,
                                    .size = sizeof(int),
                                    .limit = 7,
                                    .unordered = true};
    bool seen[100] = {false};
    int n, r, count = 0, failures = 0, jumps = 0, last = -1;
    (void)state;
    green_hub_stats before = stats_now();
    green_stream *s = green_stream_open(&options);
    while ((r = green_stream_next(s, &n)) != 0) {
        if (r < 0) {
            failures++;
            continue;
        }
        int root = 0;
        while (root * root < n)
            root++;
        assert_false(seen[root]);
        seen[root] = true;
        jumps += root < last;
        last = root;
        count++;
    }
    assert_int_equal(count, 59);   /* 60 drawn, one failed in fn */
    assert_int_equal(failures, 2); /* that one, and the source's own */
    assert_true(jumps > 0);        /* as they were done, not as they were drawn */
    green_stream_close(s);
    assert_nothing_left(before);
}

static int take_five_ms(void *item)
{
    return green_sleep(5 * GREEN_MS) < 0 ? -1 : *(int *)item;
}

/* Scenario 109: a consumer in a hurry does not hurry the work. */
static void test_impatient_consumer(void **state)
{
    struct source source = {0, 12, -1};
    green_stream_options options = {
        .next = draw, .source = &source, .fn = take_five_ms, .size = sizeof(int), .limit = 4};
    int n, r = 1, items = 0, late = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_stream *s = green_stream_open(&options);
    assert_non_null(s);
    while (r != 0) {
        green_within(GREEN_MS)
            r = green_stream_next(s, &n);
        items += r > 0;
        late += r < 0 && green_expired();
        assert_true(r >= 0 || green_expired());
    }
    assert_int_equal(items, 12);
    assert_true(late > 0);
    green_stream_close(s);
    while (stats_now().timers > before.timers) /* of the last deadline: it is left to pass */
        assert_int_equal(green_yield(), 0);
    assert_nothing_left(before);
}

static int fail_at_minus(void *item)
{
    int *n = item;
    if (*n % 3 == 0)
        green_yield();
    if (*n < 0) {
        errno = ERANGE;
        return -1;
    }
    return 0;
}

static int draw_marked(void *arg, void *item)
{
    struct source *s = arg;
    if (s->next == s->end)
        return 0;
    *(int *)item = s->next == s->fail_at ? -1 : s->next;
    s->next++;
    return 1;
}

/* What a stream gives: how many items, and how many failures of each kind. */
static void count_stream(green_stream_options options, int *items, int *source, int *worker)
{
    int n, r;
    green_stream *s = green_stream_open(&options);
    assert_non_null(s);
    *items = *source = *worker = 0;
    while ((r = green_stream_next(s, &n)) != 0) {
        *items += r > 0;
        *source += r < 0 && errno == EIO;
        *worker += r < 0 && errno == ERANGE;
    }
    assert_int_equal(green_stream_next(s, &n), 0);
    green_stream_close(s);
}

/* Scenario 110: at any place the source ends the stream, the work fails its item only. */
static void test_failures_at_any_place(void **state)
{
    enum { N = 9 };
    int items, from_source, from_work;
    (void)state;
    green_hub_stats before = stats_now();
    for (int unordered = 0; unordered <= 1; unordered++)
        for (int at = 0; at < N; at++) {
            struct source a = {0, N, at}, b = {0, N, at}, none = {0, 0, -1};
            green_stream_options o = {.next = draw,
                                      .source = &a,
                                      .fn = fail_at_minus,
                                      .size = sizeof(int),
                                      .limit = 3,
                                      .unordered = unordered};
            count_stream(o, &items, &from_source, &from_work);
            assert_int_equal(items, at);
            assert_int_equal(from_source, 1);
            assert_int_equal(from_work, 0);
            o.next = draw_marked;
            o.source = &b;
            count_stream(o, &items, &from_source, &from_work);
            assert_int_equal(items, N - 1);
            assert_int_equal(from_source, 0);
            assert_int_equal(from_work, 1);
            o.source = &none;
            count_stream(o, &items, &from_source, &from_work);
            assert_int_equal(items + from_source + from_work, 0);
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
            assert_int_equal(stats_now().threads, before.threads);
            assert_int_equal(green_pool_map(&p, fail_at_minus, items, (size_t)at, sizeof(int)), 0);
        }
    assert_nothing_left(before);
}

static int fail_with_a_sentence(void *item)
{
    (void)item;
    return green_spawn(NULL, NULL) != NULL ? 0 : -1;
}

static int draw_with_a_sentence(void *source, void *item)
{
    (void)item;
    return ++*(int *)source < 3 ? 1 : fail_with_a_sentence(NULL);
}

/* Scenario 110: what failed has said why, also to who takes the item later, or none of it. */
static void test_sentences_of_failures(void **state)
{
    static const char why[] = "green_spawn: no function";
    green_pool p = GREEN_POOL_INIT(2);
    int drawn = 0, item[3];
    green_stream_options options = {.next = draw_with_a_sentence,
                                    .source = &drawn,
                                    .fn = fail_with_a_sentence,
                                    .size = sizeof item[0]};
    (void)state;
    green_hub_stats before = stats_now();
    green_stream *s = green_stream_open(&options);
    for (int i = 0; i < 3; i++) { /* two items, and their source */
        errno = 0;
        assert_fails(green_stream_next(s, item), EINVAL);
        assert_string_equal(green_errmsg(), why);
    }
    assert_int_equal(green_stream_next(s, item), 0);
    green_stream_close(s);
    drawn = 0;
    s = green_stream_open(&options);
    assert_fails(green_stream_next(s, item), EINVAL);
    green_stream_close(s);
    assert_fails(green_pool_map(&p, fail_with_a_sentence, item, 3, sizeof item[0]), EINVAL);
    assert_string_equal(green_errmsg(), why);
    assert_nothing_left(before);
}

/* Left early: what is at work is cancelled and waited for. */
static void test_stream_closed_early(void **state)
{
    struct source source = {0, 1000, -1};
    green_stream_options options = {
        .next = draw, .source = &source, .fn = square, .size = sizeof(int)};
    int n;
    (void)state;
    green_hub_stats before = stats_now();
    green_stream *s = green_stream_open(&options);
    assert_int_equal(green_stream_next(s, &n), 1);
    green_within(0)
        while (green_stream_next(s, &n) == 1)
            continue;
    green_stream_close(s);
    green_stream_close(NULL);
    options.fn = NULL;
    errno = 0;
    assert_null(green_stream_open(&options));
    assert_int_equal(errno, EINVAL);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nobody_overtakes),
        cmocka_unit_test(test_join_with_others_in_line),
        cmocka_unit_test(test_join_with_one_let_in),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_cancelled_while_spawning),
        cmocka_unit_test(test_cancelled_at_once),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_ordered_stream),
        cmocka_unit_test(test_unordered_stream),
        cmocka_unit_test(test_unordered_is_by_the_ends),
        cmocka_unit_test(test_impatient_consumer),
        cmocka_unit_test(test_failures_at_any_place),
        cmocka_unit_test(test_map_fails_at_any_place),
        cmocka_unit_test(test_sentences_of_failures),
        cmocka_unit_test(test_stream_closed_early),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
