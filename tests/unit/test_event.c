/* test_event.c - events and results, on one hub. Between hubs: test_duel.c. */
#include "trace.h"
#include "unit.h"

#include <green/event.h>
#include <green/result.h>

/* ---- event ---- */

struct waiter_on_event {
    green_event *event;
    char name;
};

static int await_event(void *arg)
{
    struct waiter_on_event *w = arg;
    if (green_event_wait(w->event) < 0)
        return -1;
    note("%c", w->name);
    return 0;
}

/* Scenarios 70, 71, 72: in order; cleared at once; who comes later waits. */
static void test_event(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    struct waiter_on_event waiters[5];
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    trace_clear();
    for (int i = 0; i < 5; i++) {
        waiters[i] = (struct waiter_on_event){&e, (char)('a' + i)};
        green_group_spawn(&g, await_event, &waiters[i]);
    }
    green_yield();
    green_event_set(&e);
    assert_true(green_event_is_set(&e));
    green_event_clear(&e); /* all who waited go on all the same */
    assert_int_equal(green_group_join(&g), 0);
    assert_string_equal(trace, "abcde");
    green_within(GREEN_MS)
        assert_fails(green_event_wait(&e), ETIMEDOUT);
    green_event_set(&e);
    green_within(0)
        assert_int_equal(green_event_wait(&e), 0);
}

/* Scenario 71: set and cleared at once, for one, a hundred, a thousand. */
static void test_event_wakes_all(void **state)
{
    static const int counts[] = {1, 100, 1000};
    green_event e = GREEN_EVENT_INIT;
    (void)state;
    for (size_t k = 0; k < COUNT(counts); k++) {
        struct waiter_on_event w = {&e, '.'};
        green_group g = GREEN_GROUP_INIT;
        for (int i = 0; i < counts[k]; i++)
            assert_int_equal(green_group_spawn(&g, await_event, &w), 0);
        green_yield();
        green_event_set(&e);
        green_event_clear(&e);
        green_within(60 * GREEN_SEC)
            assert_int_equal(green_group_join(&g), 0);
    }
}

/* Scenarios 72, 73, 74: while those who are to go on have not run yet: who comes after the clearing
 * waits; who comes while it is set does not, and nobody else runs; nor the second time. */
static void test_event_during_the_waking(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    struct waiter_on_event w = {&e, 'w'};
    (void)state;
    trace_clear();
    green_thread *t = green_spawn(await_event, &w);
    green_yield();
    green_event_set(&e);
    uint64_t polls = stats_now().polls, switches = stats_now().switches;
    assert_int_equal(green_event_wait(&e), 0);
    assert_int_equal(green_event_wait(&e), 0);
    assert_int_equal(stats_now().polls, polls);
    assert_int_equal(stats_now().switches, switches);
    assert_string_equal(trace, ""); /* it has been woken before, and runs after */
    green_event_clear(&e);
    green_within(GREEN_MS)
        assert_fails(green_event_wait(&e), ETIMEDOUT);
    assert_string_equal(trace, "w");
    assert_int_equal(green_join(t, NULL), 0);
}

/* The first that is woken closes the door behind itself. */
static int clear_and_wait(void *arg)
{
    struct waiter_on_event *w = arg;
    if (await_event(w) < 0 || green_event_clear(w->event) < 0)
        return -1;
    return await_event(w);
}

/* Scenario 72: those behind it go on all the same, and it has to wait again. */
static void test_event_cleared_by_the_first(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    struct waiter_on_event a = {&e, 'a'}, b = {&e, 'b'};
    green_group g = GREEN_GROUP_INIT;
    int result = -1;
    (void)state;
    trace_clear();
    green_thread *first = green_spawn(clear_and_wait, &a);
    for (int i = 0; i < 3; i++)
        assert_int_equal(green_group_spawn(&g, await_event, &b), 0);
    green_yield();
    green_event_set(&e);
    assert_int_equal(green_group_join(&g), 0);
    assert_false(green_event_is_set(&e));
    assert_string_equal(trace, "abbb");
    green_event_set(&e);
    assert_int_equal(green_join(first, &result), 0);
    assert_int_equal(result, 0);
    assert_string_equal(trace, "abbba");
}

/* ---- result ---- */

static int give_later(void *result)
{
    green_yield();
    return green_result_set(result, "given");
}

/* Scenarios 75, 76: too early, in time, again; a failure. */
static void test_result(void **state)
{
    green_result r = GREEN_RESULT_INIT, f = GREEN_RESULT_INIT;
    void *value = NULL;
    (void)state;
    green_within(0)
        assert_fails(green_result_get(&r, &value), ETIMEDOUT);
    green_detach(green_spawn(give_later, &r));
    assert_int_equal(green_result_get(&r, &value), 0);
    assert_string_equal(value, "given");
    assert_int_equal(green_result_get(&r, NULL), 0);
    assert_fails(green_result_set(&r, NULL), EALREADY);
    assert_int_equal(green_result_fail(&f, EIO), 0);
    assert_fails(green_result_get(&f, &value), EIO);
    assert_fails(green_result_fail(&f, 0), EINVAL);
}

static int get_value(void *arg)
{
    void *got = NULL;
    return green_result_get(arg, &got) == 0 && got == arg ? 0 : -1;
}

static int get_failure(void *arg)
{
    return green_result_get(arg, NULL) < 0 && errno == EIO ? 0 : -1;
}

/* Scenario 75: many get the value, or the failure, before it is given and after. */
static void test_result_of_many(void **state)
{
    green_result r = GREEN_RESULT_INIT, f = GREEN_RESULT_INIT;
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            assert_int_equal(green_group_spawn(&g, get_value, &r), 0);
            assert_int_equal(green_group_spawn(&g, get_failure, &f), 0);
        }
        green_yield();
        if (round == 0) {
            assert_int_equal(green_result_set(&r, &r), 0);
            assert_int_equal(green_result_fail(&f, EIO), 0);
        }
        assert_int_equal(green_group_join(&g), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event),
        cmocka_unit_test(test_event_wakes_all),
        cmocka_unit_test(test_event_during_the_waking),
        cmocka_unit_test(test_event_cleared_by_the_first),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_result_of_many),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
