/* test_wait_cases.c - green_wait_cases: some of many things, of all kinds, in the order in which
 * they happen; and taking one after the other. */
#include "wait_cases.h"

#include <green/fd.h>
#include <green/process.h>
#include <green/state.h>
#include <unistd.h>

enum { SEMAPHORE, EVENT, RESULT, ITEM, CHANNEL, THREAD, EXIT, PIPE, KINDS };

static int fds[2];

/* ---- one of each kind ---- */

#ifndef GREEN_TEST_EMULATED /* starts a process */

static green_semaphore semaphore;
static green_event event, stay;
static green_result result;
static green_queue *queue;
static green_chan chan;
static green_thread *thread;
static green_process *child;
static void *item;
static int value;

static int wait_for_stay(void *arg)
{
    (void)arg;
    return green_event_wait(&stay);
}

static void begin(void)
{
    semaphore = (green_semaphore)GREEN_SEMAPHORE_INIT(0);
    event = stay = (green_event)GREEN_EVENT_INIT;
    result = (green_result)GREEN_RESULT_INIT;
    queue = green_queue_make(NULL);
    chan = (green_chan)GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    thread = green_spawn(wait_for_stay, NULL);
    child = green_process_spawn(&(green_process_options){.in = GREEN_PIPE},
                                (char *const[]){"cat", NULL});
    assert_non_null(child);
    assert_int_equal(pipe(fds), 0);
    let_run();
}

static void make_happen(int kind)
{
    static int sent = 5;
    switch (kind) {
    case SEMAPHORE:
        green_semaphore_release(&semaphore);
        break;
    case EVENT:
        green_event_set(&event);
        break;
    case RESULT:
        green_result_set(&result, NULL);
        break;
    case ITEM:
        green_queue_put(queue, &sent);
        break;
    case CHANNEL:
        green_chan_try_send(&chan, &sent);
        break;
    case THREAD:
        green_event_set(&stay);
        green_join(thread, NULL);
        break;
    case EXIT:
        green_process_close(child, 0);
        green_process_wait(child, NULL);
        break;
    case PIPE:
        green_write(fds[1], "x", 1);
        break;
    }
    let_run();
}

static void fill(green_case *cases)
{
    cases[SEMAPHORE] = GREEN_ACQUIRE(&semaphore);
    cases[EVENT] = GREEN_SET(&event);
    cases[RESULT] = GREEN_READY(&result);
    cases[ITEM] = GREEN_GET(queue, &item);
    cases[CHANNEL] = GREEN_RECV(&chan, &value);
    cases[THREAD] = GREEN_ENDED(thread);
    cases[EXIT] = GREEN_EXITED(child);
    cases[PIPE] = GREEN_READABLE(fds[0]);
}

/* Nobody stands in a line any more. */
static void end(void)
{
    assert_null(semaphore.waiters.first);
    assert_null(event.waiters.first);
    assert_null(result.waiters.first);
    assert_null(chan.receivers.first);
    green_queue_free(queue);
    green_process_destroy(child);
    green_close(fds[0]);
    green_close(fds[1]);
}

/* Scenarios 40, 44: all of them, told in the order in which they happened. */
static void test_all_kinds(void **state)
{
    static const int happen[KINDS] = {ITEM, EXIT, THREAD, SEMAPHORE, PIPE, RESULT, CHANNEL, EVENT};
    green_case cases[KINDS];
    int order[KINDS];
    struct wait w = {cases, KINDS, KINDS, order};
    (void)state;
    if (!has_pidfds())
        return;
    green_hub_stats before = stats_now();
    begin();
    fill(cases);
    green_thread *t = green_spawn(wait_for, &w);
    let_run();
    for (int i = 0; i < KINDS; i++) {
        assert_int_equal(green_thread_state(t), GREEN_WAITING);
        make_happen(happen[i]);
    }
    assert_int_equal(result_of(t), KINDS);
    assert_memory_equal(order, happen, sizeof order);
    assert_int_equal(semaphore.count, 0);
    assert_int_equal(green_queue_count(queue), 0);
    assert_int_equal(value, 5);
    end();
    assert_nothing_left(before);
}

#endif

/* Scenarios 6, 40: what is ready comes first, in the order of the cases; no more than wanted is
 * taken of it. */
static void test_ready_ones(void **state)
{
    green_semaphore s[4] = {GREEN_SEMAPHORE_INIT(1), GREEN_SEMAPHORE_INIT(0),
                            GREEN_SEMAPHORE_INIT(1), GREEN_SEMAPHORE_INIT(1)};
    green_case cases[4];
    int order[4];
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 4; i++)
        cases[i] = GREEN_ACQUIRE(&s[i]);
    assert_int_equal(green_wait_cases(cases, 4, 0, order), 0);
    assert_true(order[0] == -1 && s[0].count == 1);
    assert_int_equal(green_wait_cases(cases, 4, 2, order), 2);
    assert_true(order[0] == 0 && order[1] == 2 && order[2] == -1 && order[3] == -1);
    assert_true(s[0].count == 0 && s[2].count == 0 && s[3].count == 1);
    green_within(0) /* no time: what there is was taken, and is told */
        assert_fails(green_wait_cases(cases, 4, 2, order), ETIMEDOUT);
    assert_true(order[0] == 3 && order[1] == -1);
    assert_int_equal(s[3].count, 0);
    assert_fails(green_wait_cases(cases, 4, 5, order), EINVAL);
    assert_fails(green_wait_cases(cases, 4, -1, order), EINVAL);
    assert_int_equal(green_wait_cases(NULL, 0, 0, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_null(s[i].waiters.first);
    assert_nothing_left(before);
}

/* One object several times, and a permit more than is wanted. */
static void test_twice(void **state)
{
    green_semaphore s = GREEN_SEMAPHORE_INIT(1);
    green_case cases[3] = {GREEN_ACQUIRE(&s), GREEN_ACQUIRE(&s), GREEN_ACQUIRE(&s)};
    int order[3];
    struct wait w = {cases, 3, 2, order};
    (void)state;
    green_thread *t = green_spawn(wait_for, &w);
    let_run();
    assert_int_equal(s.count, 0);
    green_semaphore_release(&s);
    green_semaphore_release(&s);
    assert_int_equal(s.count, 1);
    assert_int_equal(result_of(t), 2);
    assert_true(order[0] == 0 && order[1] == 1 && order[2] == -1);
    assert_null(s.waiters.first);
}

/* ---- the end before there are enough ---- */

/* Scenarios 2, 4, 5, 40: what has happened is told and kept, of the rest nothing is taken. */
static void test_ends_early(void **state)
{
    static const int thrown = EIO;
    green_semaphore s[4] = {GREEN_SEMAPHORE_INIT(0), GREEN_SEMAPHORE_INIT(1),
                            GREEN_SEMAPHORE_INIT(0), GREEN_SEMAPHORE_INIT(0)};
    (void)state;
    green_hub_stats before = stats_now();
    for (int way = 0; way < 2; way++) {
        green_case cases[4] = {GREEN_ACQUIRE(&s[0]), GREEN_ACQUIRE(&s[1]), GREEN_ACQUIRE(&s[2]),
                               GREEN_ACQUIRE(&s[3])};
        int order[4];
        struct wait w = {cases, 4, 4, order};
        green_thread *t = green_spawn(wait_for, &w);
        let_run();
        green_semaphore_release(&s[0]);
        let_run();
        assert_int_equal(way == 0 ? green_cancel(t) : green_throw(t, thrown), 0);
        green_semaphore_release(&s[2]); /* too late for it, as the next */
        green_semaphore_release(&s[3]);
        assert_int_equal(result_of(t), way == 0 ? -ECANCELED : -thrown);
        assert_true(order[0] == 1 && order[1] == 0 && order[2] == -1);
        assert_true(s[0].count == 0 && s[1].count == 0 && s[2].count == 1 && s[3].count == 1);
        s[1].count = 1;
        s[2].count = s[3].count = 0;
    }
    green_case cases[2] = {GREEN_ACQUIRE(&s[0]), GREEN_ACQUIRE(&s[1])};
    int order[2];
    green_within(GREEN_MS)
        assert_fails(green_wait_cases(cases, 2, 2, order), ETIMEDOUT);
    assert_true(green_expired());
    assert_true(order[0] == 1 && order[1] == -1);
    for (int i = 0; i < 4; i++)
        assert_null(s[i].waiters.first);
    assert_nothing_left(before);
}

static int wait_then_sleep(void *arg)
{
    int n = wait_for(arg);
    return green_sleep(3600 * GREEN_SEC) < 0 ? n * 100 + errno : -1;
}

/* Scenario 24: what is thrown, or cancelled, once enough has happened is for the next call. */
static void test_error_comes_late(void **state)
{
    green_event e[2] = {GREEN_EVENT_INIT, GREEN_EVENT_INIT};
    (void)state;
    for (int way = 0; way < 2; way++) {
        green_case cases[2] = {GREEN_SET(&e[0]), GREEN_SET(&e[1])};
        struct wait w = {cases, 2, 2, NULL};
        green_event_clear(&e[0]);
        green_event_clear(&e[1]);
        green_thread *t = green_spawn(wait_then_sleep, &w);
        let_run();
        green_event_set(&e[1]);
        green_event_set(&e[0]);
        assert_int_equal(way == 0 ? green_cancel(t) : green_throw(t, EIO), 0);
        assert_int_equal(result_of(t), 200 + (way == 0 ? ECANCELED : EIO));
    }
}

/* What can no longer happen ends the wait at once, however much else is missing. */
static void test_fails(void **state)
{
    green_event e = GREEN_EVENT_INIT, never = GREEN_EVENT_INIT;
    green_chan c = GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    int v = 1, order[3];
    (void)state;
    green_hub_stats before = stats_now();
    green_case cases[3] = {GREEN_SEND(&c, &v), GREEN_SET(&never), GREEN_SET(&e)};
    struct wait w = {cases, 3, 3, order};
    green_thread *t = green_spawn(wait_for, &w);
    let_run();
    green_event_set(&e);
    green_chan_close(&c);
    assert_int_equal(result_of(t), -EPIPE);
    assert_true(order[0] == 2 && order[1] == -1);
    assert_fails(green_wait_cases(cases, 3, 3, order), EPIPE); /* it was closed before */
    assert_int_equal(order[0], -1);

    assert_int_equal(pipe(fds), 0);
    cases[0] = GREEN_READABLE(fds[0]);
    t = green_spawn(wait_for, &w);
    let_run();
    green_close(fds[0]);
    assert_int_equal(result_of(t), -EBADF);
    assert_int_equal(order[0], 2);
    green_close(fds[1]);
    assert_null(never.waiters.first);
    assert_null(e.waiters.first);
    assert_nothing_left(before);
}

/* ---- time among the cases ---- */

/* Scenario 40: times pass one after the other, and are cases like others. */
static void test_times(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    green_case cases[5] = {GREEN_AFTER(3 * GREEN_MS), GREEN_SET(&e), GREEN_AFTER(GREEN_MS),
                           GREEN_NEVER, GREEN_DEFAULT};
    int order[5];
    (void)state;
    green_hub_stats before = stats_now();
    int64_t start = green_now();
    assert_int_equal(green_wait_cases(cases, 5, 3, order), 3);
    assert_true(green_now() - start >= 3 * GREEN_MS);
    assert_true(order[0] == 4 && order[1] == 2 && order[2] == 0 && order[3] == -1);
    green_event_set(&e);
    assert_int_equal(green_wait_cases(cases, 5, 2, order), 2);
    assert_true(order[0] == 1 && order[1] == 4); /* the default only when nothing else can */
    order[3] = -1;
    for (int64_t bound = 5 * GREEN_MS; order[3] < 0; bound *= 4) { /* longer than the times */
        assert_true(bound < 20 * GREEN_SEC);
        green_within(bound)
            assert_fails(green_wait_cases(cases, 5, 5, order), ETIMEDOUT);
    }
    assert_true(order[0] == 1 && order[1] == 4 && order[2] == 2 && order[3] == 0);
    assert_null(e.waiters.first);
    assert_nothing_left(before);
}

/* ---- one after the other ---- */

static int set_both(void *arg)
{
    green_event *e = arg;
    green_event_set(&e[3]);
    green_event_set(&e[1]);
    return 0;
}

/* Scenarios 41, 42: one at a time, with pauses in which more happens; one had happened before, and
 * what is not waited for to the end is left as it was. */
static void test_one_after_the_other(void **state)
{
    enum { N = 5 };
    green_event e[N];
    green_case cases[N];
    int seen = 0;
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < N; i++) {
        e[i] = (green_event)GREEN_EVENT_INIT;
        cases[i] = GREEN_SET(&e[i]);
    }
    green_event_set(&e[2]);
    green_thread *t = green_spawn(set_both, e);
    for (int left = 3; left > 0; left--) {
        int i = green_select_cases(cases, N);
        assert_in_range(i, 0, N - 1);
        assert_int_equal(seen & 1 << i, 0);
        seen |= 1 << i;
        cases[i] = GREEN_NEVER;
        let_run();
    }
    assert_int_equal(seen, 1 << 2 | 1 << 3 | 1 << 1);
    for (int i = 0; i < N; i++)
        assert_null(e[i].waiters.first);
    assert_int_equal(result_of(t), 0);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef GREEN_TEST_EMULATED
        cmocka_unit_test(test_all_kinds),
#endif
        cmocka_unit_test(test_ready_ones),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_ends_early),
        cmocka_unit_test(test_error_comes_late),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_one_after_the_other),
    };
    return cmocka_run_group_tests_name("wait_cases", tests, NULL, NULL);
}
