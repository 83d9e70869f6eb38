/* test_deadline.c - deadline scopes and sleeping (green/deadline.h). */
#include "error.h"
#include "unit.h"
#include <green/semaphore.h>

/* Scenario 52: not before its time, also when the hub has not looked at the clock for long. */
static void test_sleep(void **state)
{
    (void)state;
    int64_t start = green_now();
    assert_int_equal(green_sleep(5 * GREEN_MS), 0);
    assert_true(green_now() - start >= 5 * GREEN_MS);
    start = green_now();
    while (green_now() - start < 20 * GREEN_MS) /* a burst that the hub's clock has not seen */
        continue;
    start = green_now();
    assert_int_equal(green_sleep(10 * GREEN_MS), 0);
    assert_true(green_now() - start >= 10 * GREEN_MS);
}

/* A clock of a thread: by the hour, so that none of its ticks but those in the past come. */
struct ticker {
    int64_t at; /* of its next tick */
    int ticks;
    int stop_at; /* so many */
};

static int tick(void *arg)
{
    struct ticker *t = arg;
    while (green_sleep_until(t->at) == 0) {
        if (green_now() < t->at)
            return -1;
        if (++t->ticks == t->stop_at)
            return 0;
        t->at += 3600 * GREEN_SEC;
    }
    return errno;
}

/* Scenario 56: it repeats without drift (what is late comes at once, and lets others run), stops
 * itself, and is stopped. */
static void test_ticks(void **state)
{
    int result = -1;
    int64_t now = green_now();
    struct ticker late = {now - 5 * 3600 * GREEN_SEC, 0, 3};
    struct ticker cancelled = {now - 4 * 3600 * GREEN_SEC, 0, 0};
    (void)state;
    green_hub_stats before = stats_now();
    green_thread *t = green_spawn(tick, &late);
    green_thread *u = green_spawn(tick, &cancelled);
    for (int turns = 1; turns <= 4; turns++) {
        green_yield();
        assert_int_equal(late.ticks, turns - 1);
    }
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(late.at, now - 3 * 3600 * GREEN_SEC);
    for (int i = 0; i < 10; i++)
        green_yield();
    assert_int_equal(cancelled.ticks, 5);
    assert_int_equal(cancelled.at, now + 3600 * GREEN_SEC);
    assert_int_equal(green_kill(u, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_nothing_left(before);

    struct ticker soon = {green_now() + 5 * GREEN_MS, 0, 1};
    assert_int_equal(tick(&soon), 0);
    green_within(GREEN_MS)
        assert_fails(green_sleep_until(INT64_MAX), ETIMEDOUT);
    assert_true(green_expired());
    green_within(GREEN_MS)
        assert_fails(green_sleep_until(INT64_MAX - 1), ETIMEDOUT);
}

/* Scenarios 1, 4: each call fails while the deadline holds, and nothing of it stays. */
static void test_own_deadline(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    int64_t start = green_now();
    green_within(5 * GREEN_MS) {
        assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
        assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
    }
    assert_true(green_expired());
    assert_true(green_now() - start >= 5 * GREEN_MS);
    assert_nothing_left(before);
}

/* Scenario 47: what does not come does nothing; zero comes at the next call. */
static void test_not_fired(void **state)
{
    (void)state;
    green_within(3600 * GREEN_SEC)
        assert_int_equal(green_sleep(GREEN_MS), 0);
    assert_false(green_expired());
    green_within(INT64_MAX)
        assert_int_equal(green_sleep(GREEN_MS), 0);
    assert_false(green_expired());
    assert_int_equal(green_remaining(), INT64_MAX);
    green_within(0) {
        assert_fails(green_yield(), ETIMEDOUT);
        assert_fails(green_sleep(0), ETIMEDOUT);
    }
    assert_true(green_expired());
}

/* Scenarios 2, 48, 49: the inner one is nearer, the outer one is nearer, both the same. */
static void test_nested(void **state)
{
    bool inner, outer;
    (void)state;
    green_within(3600 * GREEN_SEC) {
        green_within(GREEN_MS)
            assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
        inner = green_expired();
        assert_int_equal(green_sleep(0), 0);
    }
    outer = green_expired();
    assert_true(inner);
    assert_false(outer);
    green_within(GREEN_MS) {
        green_within(3600 * GREEN_SEC)
            assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
        inner = green_expired();
        assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
    }
    outer = green_expired();
    assert_false(inner);
    assert_true(outer);
    green_within(0) {
        green_within(0)
            assert_fails(green_sleep(GREEN_SEC), ETIMEDOUT);
        inner = green_expired();
    }
    outer = green_expired();
    assert_false(inner); /* equal: the outer one rules */
    assert_true(outer);
}

static int yield_once(void *ran)
{
    *(bool *)ran = true;
    return 0;
}

/* Scenario 6: a deadline that has passed: what is ready succeeds, what is not fails without
 * yielding. */
static void test_zero(void **state)
{
    bool ran = false;
    int result;
    (void)state;
    green_thread *done = green_spawn(yield_once, &ran);
    green_yield();
    ran = false;
    green_thread *later = green_spawn(yield_once, &ran);
    green_within(0) {
        assert_int_equal(green_join(done, &result), 0);
        assert_fails(green_join(later, &result), ETIMEDOUT);
        assert_false(ran);
    }
    assert_int_equal(green_join(later, &result), 0);
}

static int leave_by_return(void)
{
    green_within(GREEN_SEC)
        return 7;
    return 0;
}

/* Scenario 47: left before it comes. */
static void test_scope_ends_by_any_way_out(void **state)
{
    (void)state;
    assert_int_equal(leave_by_return(), 7);
    assert_int_equal(green_remaining(), INT64_MAX);
    green_within(GREEN_SEC)
        break;
    assert_int_equal(green_remaining(), INT64_MAX);
    green_within(3600 * GREEN_SEC) {
        assert_true(green_remaining() <= 3600 * GREEN_SEC && green_remaining() > 0);
        green_shield()
            assert_int_equal(green_remaining(), INT64_MAX);
        assert_true(green_remaining() <= 3600 * GREEN_SEC);
    }
}

static int restart_others(void *scope)
{
    return green_scope_restart(scope, GREEN_SEC) < 0 ? errno : 0;
}

/* Scenarios 47, 50: later, taken back, nearer, once more when it has passed. */
static void test_restart(void **state)
{
    green_scope s;
    (void)state;
    green_hub_stats before = stats_now();
    green_scope_enter(&s, GREEN_MS);
    assert_int_equal(green_scope_restart(&s, 3600 * GREEN_SEC), 0);
    assert_int_equal(green_sleep(2 * GREEN_MS), 0);
    assert_true(green_remaining() <= 3600 * GREEN_SEC);
    assert_int_equal(green_scope_restart(&s, INT64_MAX), 0);
    assert_int_equal(green_remaining(), INT64_MAX);
    assert_int_equal(green_sleep(GREEN_MS), 0);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(green_scope_restart(&s, i % 2 == 0 ? GREEN_SEC : GREEN_MS), 0);
    assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
    assert_int_equal(green_scope_restart(&s, 0), 0);
    assert_fails(green_yield(), ETIMEDOUT);
    assert_int_equal(green_scope_restart(&s, 3600 * GREEN_SEC), 0);
    assert_int_equal(green_yield(), 0);
    assert_int_equal(green_sleep(1), 0);
    green_scope_leave(&s);
    assert_false(green_expired());
    green_sleep(2 * GREEN_MS); /* timers that came too early for their wait are gone by then */
    assert_nothing_left(before);
}

/* Scenario 50: an outer deadline holds all the same; whose it is not, or not now, moves nothing. */
static void test_restart_among_others(void **state)
{
    green_scope outer, s;
    int result = -1;
    (void)state;
    green_scope_enter(&outer, GREEN_MS);
    green_scope_enter(&s, GREEN_US);
    assert_int_equal(green_scope_restart(&s, 3600 * GREEN_SEC), 0);
    assert_fails(green_scope_restart(&outer, 3600 * GREEN_SEC), EINVAL);
    assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
    green_scope_leave(&s);
    assert_false(green_expired());
    assert_fails(green_scope_restart(&s, GREEN_SEC), EINVAL);
    green_shield() {
        assert_fails(green_scope_restart(&outer, GREEN_SEC), EINVAL);
        assert_int_equal(green_remaining(), INT64_MAX);
        green_scope_enter(&s, 0); /* the shield is around this one */
        assert_int_equal(green_scope_restart(&s, 3600 * GREEN_SEC), 0);
        assert_int_equal(green_sleep(1), 0);
        green_scope_leave(&s);
        assert_int_equal(green_join(green_spawn(restart_others, &outer), &result), 0);
        assert_int_equal(result, EINVAL);
    }
    assert_int_equal(green_remaining(), 0);
    green_scope_leave(&outer);
    assert_true(green_expired());
    assert_int_equal(green_remaining(), INT64_MAX);
}

static int sleep_within(void *arg)
{
    int64_t own = (int64_t)(intptr_t)arg;
    int err = 0;
    green_within(own)
        err = green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
    return err == ETIMEDOUT && green_expired() ? 0 : -1;
}

/* Scenario 51: ten thousand, cancelled out of order, and ten thousand that come. */
static void test_ten_thousand(void **state)
{
    static green_thread *threads[10000];
    int n = fewer(COUNT(threads));
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < n; i++)
        threads[i] = green_spawn(sleep_within, (void *)(intptr_t)(600 * GREEN_SEC + i));
    green_yield();
    assert_int_equal(stats_now().timers, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(green_cancel(threads[i * 7919 % n]), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(green_join(threads[i], NULL), 0);
    assert_nothing_left(before);
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < n; i++)
        green_group_spawn(&g, sleep_within, (void *)(intptr_t)(GREEN_MS + i % 50 * 100 * GREEN_US));
    assert_int_equal(green_group_join(&g), 0);
    assert_nothing_left(before);
}

static uint64_t yields;

static int spin(void *stop)
{
    while (!*(bool *)stop) {
        green_yield();
        yields++;
    }
    return 0;
}

/* Scenario 53: a thread that only yields: the clock is looked at every so many turns. */
static void test_spinner_lets_timers_fire(void **state)
{
    bool stop = false;
    (void)state;
    green_thread *t = green_spawn(spin, &stop);
    green_hub_stats before = stats_now();
    yields = 0;
    green_within(10 * GREEN_MS)
        assert_fails(green_sleep(3600 * GREEN_SEC), ETIMEDOUT);
    assert_true(stats_now().polls - before.polls >= yields / 65);
    stop = true;
    assert_int_equal(green_join(t, NULL), 0);
}

/* A timer left over from a wait that ended early must not end a later one. */
static void test_stale_timer(void **state)
{
    (void)state;
    green_within(2 * GREEN_MS)
        green_yield();
    int64_t start = green_now();
    green_within(2 * GREEN_MS)
        green_sleep(GREEN_US);
    assert_int_equal(green_sleep(10 * GREEN_MS), 0);
    assert_true(green_now() - start >= 10 * GREEN_MS);
}

/* Scenario 55: short sleeps are not rounded up to a millisecond or a tick: then none would be over
 * so early. How late they really are is measured by bench_time; here a machine may be busy with
 * other things for long. */
static void test_short_sleeps(void **state)
{
    int64_t end = green_now() + 30 * GREEN_SEC;
    (void)state;
    for (int early = 0; early < 20;) {
        int64_t due = green_now() + 100 * GREEN_US;
        assert_int_equal(green_sleep(100 * GREEN_US), 0);
        int64_t late = green_now() - due;
        assert_true(late >= 0 && due < end);
        early += late < 800 * GREEN_US;
    }
}

/* The sentence names what the late call waited for, until the next failure. */
static void test_sentence(void **state)
{
    (void)state;
    green_semaphore none = GREEN_SEMAPHORE_INIT(0);
    green_within(GREEN_US)
        assert_fails(green_semaphore_acquire(&none), ETIMEDOUT);
    int saved = errno;
    assert_int_equal(green_sleep(1), 0); /* other waits change nothing */
    errno = saved;
    assert_string_equal(green_errmsg(), "timed out waiting for semaphore");
    assert_string_equal(green_errmsg(), "timed out waiting for semaphore");
    green_within(0)
        assert_fails(green_semaphore_acquire(&none), ETIMEDOUT);
    assert_string_equal(green_errmsg(), "timed out before the call: its deadline had passed");
    assert_int_equal(returned(-ETIMEDOUT), -1); /* as the network may say */
    assert_string_equal(green_errmsg(), strerror(ETIMEDOUT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_own_deadline),
        cmocka_unit_test(test_not_fired),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_scope_ends_by_any_way_out),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_among_others),
        cmocka_unit_test(test_ten_thousand),
        cmocka_unit_test(test_spinner_lets_timers_fire),
        cmocka_unit_test(test_stale_timer),
        cmocka_unit_test(test_short_sleeps),
        cmocka_unit_test(test_sentence),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
