/* test_group.c - groups own their threads (green/group.h). */
#include "unit.h"
#include <green/pool.h>

static int add_one(void *sum)
{
    green_yield();
    ++*(int *)sum;
    return 1;
}

static void test_all_succeed(void **state)
{
    int sum = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 100; i++)
        assert_int_equal(green_group_spawn(&g, add_one, &sum), 0);
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(sum, 100);
    assert_int_equal(green_group_join(&g), 0); /* empty, and usable again */
    assert_int_equal(green_group_spawn(&g, add_one, &sum), 0);
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(sum, 101);
    assert_nothing_left(before);
}

static int fail_soon(void *arg)
{
    (void)arg;
    green_sleep(GREEN_MS);
    errno = EIO;
    return -3;
}

static int count_cancelled(void *count)
{
    if (green_sleep(3600 * GREEN_SEC) < 0 && errno == ECANCELED)
        ++*(int *)count;
    return -1;
}

/* Scenarios 37, 43: the siblings are cancelled, and fail, too: the first is the error. */
static void test_first_failure_cancels(void **state)
{
    int cancelled = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 10; i++)
        green_group_spawn(&g, count_cancelled, &cancelled);
    green_group_spawn(&g, fail_soon, NULL);
    assert_fails(green_group_join(&g), EIO);
    assert_int_equal(g.result, -3);
    assert_int_equal(cancelled, 10);
    assert_int_equal(green_group_spawn(&g, add_one, &cancelled), 0); /* a new round */
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(g.result, 0);
    assert_nothing_left(before);
}

static int ask_for_too_much(void *arg)
{
    green_spawn_options huge = {.stack_size = (size_t)1 << 40};
    green_thread *t = green_spawn_with(&huge, add_one, arg);
    return t != NULL ? green_join(t, NULL) : -1;
}

/* Scenario 16: the sentence about a failure is the join's, once. */
static void test_sentence(void **state)
{
    green_group g = GREEN_GROUP_INIT;
    int cancelled = 0;
    (void)state;
    assert_int_equal(green_group_spawn(&g, count_cancelled, &cancelled), 0);
    assert_int_equal(green_group_spawn(&g, ask_for_too_much, NULL), 0);
    assert_fails(green_group_join(&g), EINVAL);
    assert_non_null(strstr(green_errmsg(), "stack size"));
    assert_int_equal(green_group_spawn(&g, fail_soon, NULL), 0);
    assert_fails(green_group_join(&g), EIO);
    assert_string_equal(green_errmsg(), strerror(EIO));
}

static void test_spawn_after_failure(void **state)
{
    int cancelled = 0;
    (void)state;
    green_group g = GREEN_GROUP_INIT;
    green_group_spawn(&g, count_cancelled, &cancelled);
    green_group_cancel(&g);
    assert_fails(green_group_spawn(&g, count_cancelled, &cancelled), ECANCELED);
    assert_fails(green_group_join(&g), ECANCELED);
    assert_int_equal(cancelled, 0); /* it had never run */
}

static int count_late(void *count)
{
    if (green_sleep(3600 * GREEN_SEC) < 0 && errno == ETIMEDOUT)
        ++*(int *)count;
    return -1;
}

/* Scenario 37: the children inherit the deadline; the join ends by it, too, and leaves no child
 * behind. */
static void test_deadline(void **state)
{
    int late = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_within(5 * GREEN_MS) {
        green_group g = GREEN_GROUP_INIT;
        for (int i = 0; i < 10; i++)
            green_group_spawn(&g, count_late, &late);
        assert_fails(green_group_join(&g), ETIMEDOUT);
    }
    assert_int_equal(late, 10);
    assert_nothing_left(before);
}

struct nest {
    int finished;
    int cancelled;
};

static int clean_up(void *arg)
{
    struct nest *n = arg;
    if (green_sleep(3600 * GREEN_SEC) < 0)
        n->cancelled++;
    green_shield()
        green_sleep(2 * GREEN_MS);
    n->finished++;
    return 0;
}

static int parent(void *arg)
{
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 3; i++)
        green_group_spawn(&g, clean_up, arg);
    return green_group_join(&g) < 0 ? errno : 0;
}

/* Scenario 37: a cancelled joiner cancels its children and still waits for them. */
static void test_cancelled_parent(void **state)
{
    struct nest n = {0, 0};
    int result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_thread *t = green_spawn(parent, &n);
    green_yield();
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_int_equal(n.cancelled, 3);
    assert_int_equal(n.finished, 3);
    assert_nothing_left(before);
}

/* Something goes wrong between the spawns and the join: -1, EINVAL and a sentence. */
static int leave_early(void *nest)
{
    GREEN_GROUP(g);
    for (int i = 0; i < 3; i++)
        green_group_spawn(&g, clean_up, nest);
    green_yield();
    return green_hubs(1 << 20);
}

static int join_in_time(void *sum)
{
    GREEN_GROUP(g);
    for (int i = 0; i < 3; i++)
        green_group_spawn(&g, add_one, sum);
    return green_group_join(&g);
}

static int forget_the_join(void *nest)
{
    GREEN_GROUP(g);
    green_group_spawn(&g, clean_up, nest);
    green_group_spawn(&g, ask_for_too_much, NULL);
    green_yield(); /* one has failed, which nobody asks about */
    return 0;
}

/* Scenario 37: whoever leaves the block leaves no child behind. */
static void test_ends_with_its_block(void **state)
{
    struct nest n = {0, 0};
    int sum = 0, result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    assert_fails(leave_early(&n), EINVAL);
    assert_non_null(strstr(green_errmsg(), "hubs are more than"));
    assert_true(n.cancelled == 3 && n.finished == 3);
    assert_int_equal(join_in_time(&sum), 0);
    assert_int_equal(sum, 3);
    assert_int_equal(forget_the_join(&n), 0);
    assert_int_equal(n.finished, 4);
    green_thread *t = green_spawn(leave_early, &n);
    green_yield();
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(n.finished, 7);
    assert_nothing_left(before);
}

static int give_up(void *nest)
{
    green_group g = GREEN_GROUP_INIT;
    green_group_spawn(&g, clean_up, nest);
    green_group_spawn(&g, ask_for_too_much, NULL);
    green_yield(); /* one has failed, the other one cleans up */
    green_cancel(green_self());
    bool given_up = green_group_join(&g) < 0 && errno == ECANCELED;
    return given_up && strcmp(green_errmsg(), strerror(ECANCELED)) == 0 ? 0 : -1;
}

/* A join that is given up says so, whatever else went wrong. */
static void test_sentence_given_up(void **state)
{
    struct nest n = {0, 0};
    int result = -1;
    (void)state;
    assert_int_equal(green_join(green_spawn(give_up, &n), &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(n.finished, 1);
}

static int use_from_elsewhere(void *pool)
{
    green_pool *p = pool;
    int refused = 0;
    refused += green_group_spawn(&p->group, sleep_long, NULL) < 0 && errno == EINVAL;
    refused += green_group_join(&p->group) < 0 && errno == EINVAL;
    refused += green_pool_spawn(p, sleep_long, NULL) < 0 && errno == EINVAL;
    refused += green_pool_try_spawn(p, sleep_long, NULL) < 0 && errno == EINVAL;
    return refused;
}

/* A group at work on one hub is not to be had on another. */
static void test_of_another_hub(void **state)
{
    green_pool p = GREEN_POOL_INIT(1);
    green_spawn_options there = {.hub = NULL};
    int result = -1;
    (void)state;
    assert_true(green_hubs(2) >= 2);
    while ((there.hub = green_hub_next()) == green_hub_self())
        continue;
    green_hub_stats before = stats_now();
    assert_int_equal(green_pool_spawn(&p, sleep_long, NULL), 0);
    green_thread *t = green_spawn_with(&there, use_from_elsewhere, &p);
    assert_non_null(t);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 4);
    assert_int_equal(p.group.live, 1);
    green_pool_cancel(&p);
    assert_fails(green_pool_join(&p), ECANCELED);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_succeed),
        cmocka_unit_test(test_first_failure_cancels),
        cmocka_unit_test(test_sentence),
        cmocka_unit_test(test_sentence_given_up),
        cmocka_unit_test(test_spawn_after_failure),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancelled_parent),
        cmocka_unit_test(test_ends_with_its_block),
        cmocka_unit_test(test_of_another_hub),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
