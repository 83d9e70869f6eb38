/* test_hub_idle.c - waiting until a hub's other threads are done (green_hub_wait_idle). */
#include "hubs.h"

#include <green/barrier.h>
#include <green/link.h>
#include <green/signal.h>
#include <green/state.h>

/* Scenarios 45, 63: threads that end, one that is not joined, a deadline; again and again. */
static void test_wait_idle(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        assert_int_equal(green_hub_wait_idle(), 0);
        for (int i = 0; i < 5; i++)
            green_detach(green_spawn(nap, NULL));
        green_thread *kept = green_spawn(nap, NULL); /* done, if not joined, is idle, too */
        green_within(0)
            assert_fails(green_hub_wait_idle(), ETIMEDOUT);
        assert_int_equal(green_hub_wait_idle(), 0);
        assert_int_equal(stats_now().threads, 2);
        green_join(kept, NULL);
    }
}

static int note_signal(int number, void *arg)
{
    *(int *)arg = number;
    return 0;
}

/* Scenario 45: tickers and handlers of signals serve the others; they do not count. */
static void test_background(void **state)
{
    green_spawn_options options = {.background = true};
    int number = 0;
    (void)state;
    green_thread *ticker = green_spawn_with(&options, sleep_errno, NULL);
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGUSR1), note_signal, &number);
    assert_non_null(s);
    green_thread *worker = green_spawn(nap, NULL);
    green_within(0)
        assert_fails(green_hub_wait_idle(), ETIMEDOUT);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_thread_state(worker), GREEN_DONE);
    assert_int_equal(green_thread_state(ticker), GREEN_WAITING);
    raise(SIGUSR1);
    while (number == 0)
        green_sleep(GREEN_MS);
    assert_int_equal(number, SIGUSR1);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_signal_close(s), 0);
    assert_int_equal(green_kill(ticker, NULL), 0);
    assert_int_equal(green_join(worker, NULL), 0);
}

static int await_idle(void *arg)
{
    (void)arg;
    return green_hub_wait_idle();
}

/* Those that wait for the others do not wait for each other. */
static void test_several_wait_for_idle(void **state)
{
    int result = -1;
    (void)state;
    green_thread *t[2] = {green_spawn(await_idle, NULL), green_spawn(await_idle, NULL)};
    green_thread *worker = green_spawn(nap, NULL);
    green_within(60 * GREEN_SEC)
        assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_join(worker, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
}

static int await_idle_and_meet(void *barrier)
{
    return green_hub_wait_idle() < 0 ? -1 : green_barrier_wait(barrier);
}

/* Nor for what the others do then: all go on when the last of them has come, or another thread has
 * ended. */
static void test_go_on_together(void **state)
{
    (void)state;
    for (int working = 0; working < 2; working++) {
        green_barrier barrier = GREEN_BARRIER_INIT(2);
        green_thread *t[3] = {NULL};
        for (int i = 0; i < 2; i++)
            t[i] = green_spawn(await_idle_and_meet, &barrier);
        if (working)
            t[2] = green_spawn(nap, NULL);
        green_within(10 * GREEN_SEC)
            assert_int_equal(green_wait_all(t, 3), 0);
        for (int i = 0; i < 3; i++)
            if (t[i] != NULL)
                assert_int_equal(green_join(t[i], NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_idle),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_several_wait_for_idle),
        cmocka_unit_test(test_go_on_together),
    };
    return cmocka_run_group_tests_name("hub_idle", tests, NULL, NULL);
}
