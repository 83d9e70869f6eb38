/* test_stream.c - streams (green/pool.h). */
#include "items.h"
#include "unit.h"

#include <green/pool.h>

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
        cmocka_unit_test(test_ordered_stream),
        cmocka_unit_test(test_unordered_stream),
        cmocka_unit_test(test_unordered_is_by_the_ends),
        cmocka_unit_test(test_impatient_consumer),
        cmocka_unit_test(test_failures_at_any_place),
        cmocka_unit_test(test_sentences_of_failures),
        cmocka_unit_test(test_stream_closed_early),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
