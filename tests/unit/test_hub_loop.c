/* test_hub_loop.c - the loop that a hub shares with the program's own events: callbacks, a loop of
 * the program's (green/hub.h). */
#include "hubs.h"

#include <event2/event.h>
#include <pthread.h>

static int blocked_errno;
static green_thread *far_thread;
static int far_errno;

static void on_far_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    errno = 0;
    far_errno = green_cancel(far_thread) < 0 ? errno : 0;
    *(bool *)arg = true;
}

/* Scenario 60: nor may a callback wait for another hub. */
static void test_callback_calls_no_other_hub(void **state)
{
    struct timeval soon = {0, 1000};
    bool called = false;
    (void)state;
    green_spawn_options there = {.hub = other_hub()};
    far_thread = green_spawn_with(&there, sleep_errno, NULL);
    assert_non_null(far_thread);
    struct event *ev = event_new(green_hub_event_base(), -1, 0, on_far_timer, &called);
    assert_int_equal(event_add(ev, &soon), 0);
    while (!called)
        green_sleep(GREEN_MS);
    event_free(ev);
    assert_int_equal(far_errno, EDEADLK);
    assert_int_equal(green_kill(far_thread, NULL), 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    blocked_errno = green_sleep(GREEN_MS) < 0 ? errno : 0;
    green_detach(green_spawn(where, arg)); /* spawning is allowed */
}

/* Scenario 60: and the loop shared with the program's own events. */
static void test_event_base(void **state)
{
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    (void)state;
    struct event_base *base = green_hub_event_base();
    assert_non_null(base);
    blocked_errno = 0;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    assert_int_equal(event_add(ev, &soon), 0);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_yield() == 0)
            continue;
    assert_int_equal(blocked_errno, EDEADLK);
    assert_ptr_equal(ran_on, green_hub_self());
    event_free(ev);
}

static void *run_on_given_base(void *arg)
{
    bool *ok = arg;
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    struct event_base *base = event_base_new();
    *ok = green_hub_attach(base) == 0 && green_hub_event_base() == base;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    event_add(ev, &soon);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_sleep(GREEN_MS) == 0)
            continue;
    *ok = *ok && ran_on == green_hub_self() && green_hub_attach(base) < 0 && errno == EBUSY;
    event_free(ev);
    return base;
}

/* Scenario 68: the program's own loop under the hub, and still the program's afterwards. */
static void test_attach(void **state)
{
    bool ok = false;
    pthread_t thread;
    void *base = NULL;
    (void)state;
    assert_fails(green_hub_attach(NULL), EINVAL);
    assert_int_equal(pthread_create(&thread, NULL, run_on_given_base, &ok), 0);
    assert_int_equal(pthread_join(thread, &base), 0);
    assert_true(ok);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_calls_no_other_hub),
        cmocka_unit_test(test_event_base),
        cmocka_unit_test(test_attach),
    };
    return cmocka_run_group_tests_name("hub_loop", tests, NULL, NULL);
}
