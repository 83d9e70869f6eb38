/* test_link.c - being told of a thread's end (green/link.h), green_throw, spawning later, killing
 * many (green/thread.h). */
#include "unit.h"
#include <green/event.h>
#include <green/link.h>
#include <green/select.h>
#include <stdatomic.h>

static int order[1000], calls, last_error;
static green_link links[1000];

static int give(void *value)
{
    errno = 0;
    return (int)(intptr_t)value;
}

static void note_call(green_link *link)
{
    order[calls++] = (int)(link - links);
    last_error = link->error;
}

static green_hub *other_hub(void)
{
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    return other != green_hub_self() ? other : green_hub_next();
}

/* Scenario 26: two, three, four, a thousand. */
static void test_order(void **state)
{
    static const int counts[] = {2, 3, 4, 1000};
    (void)state;
    for (size_t c = 0; c < COUNT(counts); c++) {
        green_thread *t = green_spawn(give, (void *)3);
        calls = 0;
        for (int i = 0; i < counts[c]; i++)
            assert_int_equal(green_link_to(&links[i], t, note_call, NULL), 0);
        assert_int_equal(green_join(t, NULL), 0);
        assert_int_equal(calls, counts[c]);
        for (int i = 0; i < calls; i++) {
            assert_int_equal(order[i], i);
            assert_int_equal(links[i].result, 3);
        }
    }
}

/* Scenarios 17, 27: after the end; for a thread that never ran. */
static void test_late_and_unstarted(void **state)
{
    (void)state;
    green_thread *t = green_spawn(give, (void *)4);
    green_yield();
    calls = 0;
    assert_int_equal(green_link_to(&links[0], t, note_call, NULL), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(links[0].result, 4);
    assert_int_equal(green_join(t, NULL), 0);
    t = green_spawn(give, NULL);
    assert_int_equal(green_link_to(&links[0], t, note_call, NULL), 0);
    assert_int_equal(green_kill(t, NULL), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(links[0].result, -1);
    assert_int_equal(last_error, ECANCELED);
}

static void cut_given(green_link *link)
{
    note_call(link);
    green_link_cut(link->arg);
}

static void link_again(green_link *link)
{
    note_call(link);
    if (calls < 3)
        green_link_to(link, link->arg, link_again, link->arg);
}

/* Scenario 29: cut before, during the notification, each other; adding meanwhile. */
static void test_cut(void **state)
{
    (void)state;
    green_thread *t = green_spawn(give, NULL);
    calls = 0;
    for (int i = 0; i < 6; i++)
        green_link_to(&links[i], t, note_call, NULL);
    assert_int_equal(green_link_cut(&links[0]), 0);
    assert_int_equal(green_link_cut(&links[3]), 0);
    assert_int_equal(green_link_cut(&links[5]), 0);
    assert_int_equal(green_link_cut(&links[5]), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(calls, 3);
    assert_true(order[0] == 1 && order[1] == 2 && order[2] == 4);
    assert_int_equal(green_link_cut(&links[1]), 0);
    assert_int_equal(green_link_cut(&(green_link)GREEN_LINK_INIT), 0);

    t = green_spawn(give, NULL);
    calls = 0;
    green_link_to(&links[0], t, cut_given, &links[1]);
    green_link_to(&links[1], t, cut_given, &links[0]);
    green_link_to(&links[2], t, cut_given, &links[2]);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(calls, 2);
    assert_true(order[0] == 0 && order[1] == 2);

    t = green_spawn(give, NULL);
    calls = 0;
    green_link_to(&links[0], t, link_again, t);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(calls, 3);
}

static int refusals[2];

static void block(green_link *link)
{
    refusals[0] = green_sleep(GREEN_MS) < 0 ? errno : 0;
    refusals[1] = green_yield() < 0 ? errno : 0;
    green_result_set(link->arg, link);
}

/* Scenarios 28, 31: it must not block, and does no harm trying; it may set a result; the next one
 * is called all the same. */
static void test_in_a_link(void **state)
{
    green_result r = GREEN_RESULT_INIT;
    void *value = NULL;
    (void)state;
    green_thread *t = green_spawn(give, NULL);
    calls = 0;
    green_link_to(&links[0], t, block, &r);
    green_link_to(&links[1], t, note_call, NULL);
    assert_int_equal(green_result_get(&r, &value), 0);
    assert_int_equal(calls, 1);
    assert_ptr_equal(value, &links[0]);
    assert_int_equal(refusals[0], EDEADLK);
    assert_int_equal(refusals[1], EDEADLK);
    assert_int_equal(green_join(t, NULL), 0);
}

static int wait_for(void *event)
{
    return green_event_wait(event);
}

static int set(void *event)
{
    return green_event_set(event);
}

struct targets {
    green_result result;
    green_queue *queue;
    green_chan chan;
};

static void hand_on(green_link *link)
{
    struct targets *t = link->arg;
    green_result_set(&t->result, link);
    green_queue_try_put(t->queue, link);
    green_chan_try_send(&t->chan, &link);
}

/* Scenarios 31, 44: a link hands the end on to whatever can be waited for, and to all at once. */
static void test_link_hands_on(void **state)
{
    struct targets t = {.result = GREEN_RESULT_INIT, .queue = green_queue_make(NULL)};
    void *item = NULL, *value = NULL;
    green_link *received = NULL;
    (void)state;
    t.chan = (green_chan)GREEN_CHAN_INIT(sizeof received, 0, NULL);
    for (int far = 0; far < 2; far++) {
        green_spawn_options options = {.hub = far ? other_hub() : NULL};
        green_event go = GREEN_EVENT_INIT;
        t.result = (green_result)GREEN_RESULT_INIT;
        green_thread *thread = green_spawn_with(&options, wait_for, &go);
        green_link_to(&links[far], thread, hand_on, &t);
        green_thread *starter = green_spawn(set, &go); /* once this thread stands in all lines */
        green_case cases[3] = {GREEN_GET(t.queue, &item), GREEN_RECV(&t.chan, &received),
                               GREEN_READY(&t.result)};
        assert_int_equal(green_wait_cases(cases, 3, 3, NULL), 3);
        assert_int_equal(green_result_get(&t.result, &value), 0);
        assert_ptr_equal(value, &links[far]);
        assert_ptr_equal(item, &links[far]);
        assert_ptr_equal(received, &links[far]);
        assert_int_equal(green_join(thread, NULL), 0);
        assert_int_equal(green_join(starter, NULL), 0);
    }
    green_queue_free(t.queue);
}

/* Links to a thread of another hub: called over there, cut from here. */
static void test_far(void **state)
{
    green_spawn_options options = {.hub = other_hub()};
    green_result r = GREEN_RESULT_INIT;
    (void)state;
    green_thread *t = green_spawn_with(&options, sleep_long, NULL);
    calls = 0;
    assert_int_equal(green_link_to(&links[0], t, note_call, NULL), 0);
    assert_int_equal(green_link_to(&links[1], t, block, &r), 0);
    assert_int_equal(green_link_cut(&links[0]), 0);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_result_get(&r, NULL), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(links[1].result, -1);
}

static int sleep_ms(void *ms)
{
    return green_sleep((intptr_t)ms * GREEN_MS);
}

static int wait_for_event(void *event)
{
    return green_event_wait(event);
}

static int outlive(void *other)
{
    return green_wait_all(other, 1);
}

/* Scenarios 6, 40: all, one, two, none of them; in the order of their ends; on several hubs. */
static void test_wait(void **state)
{
    green_event go = GREEN_EVENT_INIT;
    green_thread *t[5];
    int ends[5];
    (void)state;
    green_hub_stats before = stats_now();
    t[0] = green_spawn(outlive, &t[1]);
    t[1] = green_spawn(wait_for_event, &go);
    t[2] = t[4] = NULL;
    t[3] = green_spawn(give, NULL);
    assert_int_equal(green_wait_some(t, 5, 0, ends), 0);
    assert_int_equal(ends[0], -1);
    t[4] = green_spawn_with(&(green_spawn_options){.hub = other_hub()}, sleep_long, NULL);
    assert_int_equal(green_wait_any(t, 5), 3);
    green_within(0)
        assert_int_equal(green_wait_some(t, 5, 1, ends), 1);
    green_event_set(&go);
    assert_int_equal(green_wait_some(t, 5, 3, ends), 3);
    assert_true(ends[0] == 3 && ends[1] == 1 && ends[2] == 0 && ends[3] == -1);
    green_within(GREEN_MS)
        assert_fails(green_wait_all(t, 5), ETIMEDOUT);
    green_within(GREEN_MS)
        assert_fails(green_wait_some(t, 5, 4, ends), ETIMEDOUT);
    assert_true(ends[2] == 3 && ends[3] == -1);
    assert_int_equal(green_cancel(t[4]), 0);
    assert_int_equal(green_wait_all(t, 5), 0);
    assert_fails(green_wait_some(t, 5, 5, NULL), EINVAL);
    assert_fails(green_wait_any(NULL, 0), EINVAL);
    assert_int_equal(green_wait_all(NULL, 0), 0);
    green_thread *self = green_self();
    assert_fails(green_wait_all(&self, 1), EDEADLK);
    for (int i = 0; i < 5; i++)
        if (t[i] != NULL)
            assert_int_equal(green_join(t[i], NULL), 0);
    assert_true(stats_now().threads <= before.threads);
}

/* Scenarios 41, 42: one after the other, sleeping in between; those left over are not disturbed. */
static void test_wait_in_turn(void **state)
{
    enum { N = 5 };
    green_thread *t[N];
    int seen = 0;
    (void)state;
    for (int i = 0; i < N; i++)
        t[i] = green_spawn(sleep_ms, (void *)(intptr_t)(i % 2));
    for (int n = 0; n < N - 1; n++) {
        int i = green_wait_any(t, N);
        assert_in_range(i, 0, N - 1);
        seen |= 1 << i;
        assert_int_equal(green_join(t[i], NULL), 0);
        t[i] = NULL;
        green_sleep(2 * GREEN_MS);
    }
    assert_int_equal(__builtin_popcount((unsigned)seen), N - 1);
    assert_int_equal(green_kill_all(t, N), 0);
}

/* The number of its calls that were refused. */
static int ignore_until(void *event)
{
    int refused = 0;
    for (int i = 0; i < 3; i++)
        refused += green_sleep(3600 * GREEN_SEC) < 0;
    green_shield()
        green_event_wait(event);
    return refused;
}

static void count_call(green_link *link)
{
    atomic_fetch_add((atomic_int *)link->arg, 1);
}

/* Scenario 46: unstarted, running, done, one that refuses to die, on several hubs; each ends once;
 * the deadline. */
static void test_kill_all(void **state)
{
    green_spawn_options later = {.delay = 3600 * GREEN_SEC};
    green_event no_more = GREEN_EVENT_INIT;
    green_thread *t[6];
    atomic_int ends[6] = {0};
    (void)state;
    green_hub_stats before = stats_now();
    t[0] = green_spawn(sleep_long, NULL);
    t[1] = green_spawn(ignore_until, &no_more);
    t[2] = green_spawn(give, NULL);
    green_yield();
    t[3] = green_spawn_with(&later, give, NULL);
    t[4] = NULL;
    t[5] = green_spawn_with(&(green_spawn_options){.hub = other_hub()}, sleep_long, NULL);
    for (int i = 0; i < 6; i++)
        if (t[i] != NULL)
            assert_int_equal(green_link_to(&links[i], t[i], count_call, &ends[i]), 0);
    green_within(GREEN_MS)
        assert_fails(green_kill_all(t, 6), ETIMEDOUT);
    assert_null(t[0]);
    assert_non_null(t[1]);
    assert_int_equal(ends[1], 0);
    green_event_set(&no_more);
    assert_int_equal(green_kill_all(t, 6), 0);
    for (int i = 0; i < 6; i++) {
        assert_null(t[i]);
        assert_int_equal(ends[i], i != 4);
    }
    assert_int_equal(links[1].result, 3); /* it was waited for, to its end */
    green_sleep(2 * GREEN_MS);            /* the deadline's timer fires */
    assert_true(stats_now().threads <= before.threads);
    assert_true(stats_now().timers <= before.timers);
}

static int note_time(void *at)
{
    *(int64_t *)at = green_now();
    return 0;
}

/* Scenario 18: spawned later, on this hub and another, and cancelled before. */
static void test_later(void **state)
{
    green_spawn_options options = {.delay = 20 * GREEN_MS};
    int64_t start = green_now(), at = 0, never = 0;
    int result = 0;
    (void)state;
    green_thread *t = green_spawn_with(&options, note_time, &at);
    green_yield();
    assert_int_equal(at, 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_true(at - start >= 20 * GREEN_MS);
    options.hub = other_hub();
    start = green_now();
    t = green_spawn_with(&options, note_time, &at);
    assert_int_equal(green_join(t, NULL), 0);
    assert_true(at - start >= 20 * GREEN_MS);
    options = (green_spawn_options){.delay = INT64_MAX};
    t = green_spawn_with(&options, note_time, &never);
    calls = 0;
    assert_int_equal(green_link_to(&links[0], t, note_call, NULL), 0);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -1);
    assert_int_equal(never, 0);
    assert_int_equal(calls, 1);
}

static int note_errors(void *errors)
{
    int *e = errors;
    for (int i = 0; i < 3; i++)
        e[i] = green_sleep((i == 2 ? 1 : 3600 * 1000) * GREEN_MS) < 0 ? errno : 0;
    return 0;
}

static int note_errors_shielded(void *errors)
{
    int *e = errors;
    green_shield()
        e[0] = green_sleep(GREEN_MS) < 0 ? errno : 0;
    e[1] = green_yield() < 0 ? errno : 0;
    e[2] = green_yield() < 0 ? errno : 0;
    return 0;
}

/* Scenarios 20, 24, 25: at a wait, at what is runnable, before its start, in a shield; each
 * once. */
static void test_throw(void **state)
{
    int e[3];
    (void)state;
    green_thread *t = green_spawn(note_errors, e);
    assert_int_equal(green_throw(t, EPIPE), 0);
    assert_fails(green_throw(t, EIO), EALREADY);
    green_yield();
    assert_int_equal(green_throw(t, EIO), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_true(e[0] == EPIPE && e[1] == EIO && e[2] == 0);

    t = green_spawn(note_errors_shielded, e);
    green_yield();
    assert_int_equal(green_throw(t, EPIPE), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_true(e[0] == 0 && e[1] == EPIPE && e[2] == 0);

    t = green_spawn_with(&(green_spawn_options){.delay = 10 * GREEN_MS}, note_errors, e);
    assert_int_equal(green_throw(t, EPIPE), 0);
    green_sleep(20 * GREEN_MS);
    assert_int_equal(green_throw(t, EIO), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_true(e[0] == EPIPE && e[1] == EIO);

    t = green_spawn(give, NULL);
    green_yield();
    assert_fails(green_throw(t, EPIPE), ESRCH);
    assert_fails(green_throw(t, ECANCELED), EINVAL);
    assert_fails(green_throw(t, -3), EINVAL);
    assert_string_equal(green_errmsg(), "green_throw: -3 is no errno");
    assert_int_equal(green_join(t, NULL), 0);
}

static green_semaphore none = GREEN_SEMAPHORE_INIT(0);

static int acquire(void *arg)
{
    (void)arg;
    return green_semaphore_acquire(&none) < 0 ? errno : 0;
}

/* Scenarios 5, 20, 81: who is thrown out of a line on another hub has taken nothing. */
static void test_throw_far(void **state)
{
    int result = 0;
    (void)state;
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = other_hub()}, acquire, NULL);
    green_sleep(GREEN_MS);
    green_thread *next = green_spawn(acquire, NULL);
    assert_int_equal(green_throw(t, EIO), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EIO);
    assert_int_equal(green_semaphore_release(&none), 0);
    assert_int_equal(green_join(next, &result), 0);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_late_and_unstarted),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_in_a_link),
        cmocka_unit_test(test_link_hands_on), cmocka_unit_test(test_far),
        cmocka_unit_test(test_wait),          cmocka_unit_test(test_wait_in_turn),
        cmocka_unit_test(test_kill_all),      cmocka_unit_test(test_later),
        cmocka_unit_test(test_throw),         cmocka_unit_test(test_throw_far),
    };
    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
