/* test_wait_cases.c - green_wait_cases: some of many things, of all kinds, in the order in which
 * they happen; and taking one after the other. */
#include "unit.h"

#include <green/fd.h>
#include <green/link.h>
#include <green/process.h>
#include <green/state.h>
#include <unistd.h>

enum { SEMAPHORE, EVENT, RESULT, ITEM, CHANNEL, THREAD, EXIT, PIPE, KINDS };

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* Others run, and the loop is polled. */
static void let_run(void)
{
    for (int i = 0; i < 3; i++)
        green_sleep(1);
}

static green_hub *other_hub(void)
{
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    return other != green_hub_self() ? other : green_hub_next();
}

static int fds[2];

struct wait {
    green_case *cases;
    int count, wanted;
    int *order;
};

static int wait_for(void *arg)
{
    struct wait *w = arg;
    int n = green_wait_cases(w->cases, w->count, w->wanted, w->order);
    return n < 0 ? -errno : n;
}

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
    green_within(5 * GREEN_MS)
        assert_fails(green_wait_cases(cases, 5, 5, order), ETIMEDOUT);
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

/* ---- threads ---- */

static int nap(void *rounds)
{
    for (intptr_t i = (intptr_t)rounds; i > 0; i--)
        green_yield();
    return 0;
}

/* Scenario 40: thousands, and in order. */
static void test_thousands(void **state)
{
    int n = fewer(5000);
    green_thread **t = calloc((size_t)n, sizeof(green_thread *));
    int *order = calloc((size_t)n, sizeof(int));
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < n; i++)
        t[i] = green_spawn(nap, (void *)(intptr_t)(i < 100 ? 0 : 1 + i % 2));
    assert_int_equal(green_wait_some(t, n, n / 2, order), n / 2);
    for (int i = 0; i < n; i++) /* those of few rounds, in the order of their start */
        assert_int_equal(order[i], i < 100 ? i : i < n / 2 ? 100 + 2 * (i - 100) : -1);
    assert_int_equal(green_wait_all(t, n), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(result_of(t[i]), 0);
    free(t);
    free(order);
    assert_nothing_left(before);
}

/* Scenario 40: one that nobody will join, one that is joined and freed meanwhile, one of another
 * hub that is. */
static void test_ends_of_freed_threads(void **state)
{
    green_spawn_options far = {.hub = other_hub()}, loose = {.detached = true};
    green_case cases[4];
    int order[4];
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 20; i++) {
        green_thread *t[3];
        t[2] = green_spawn_with(&far, nap, (void *)2); /* may yield: first */
        t[0] = green_spawn_with(&loose, nap, (void *)3);
        t[1] = green_spawn(nap, (void *)1);
        struct wait w = {cases, 4, i % 2 ? 3 : 4, order};
        for (int k = 0; k < 3; k++)
            cases[k] = GREEN_ENDED(t[k]);
        cases[3] = GREEN_ENDED(green_self());
        green_thread *waits = green_spawn(wait_for, &w);
        green_yield();
        assert_int_equal(result_of(t[1]), 0);
        assert_int_equal(result_of(t[2]), 0);
        while (stats_now().threads > before.threads + 1 &&
               green_thread_state(waits) == GREEN_WAITING)
            green_yield();
        green_cancel(waits);
        assert_int_equal(result_of(waits), i % 2 ? 3 : -ECANCELED);
        assert_int_equal(order[3], -1);
        assert_true(order[0] >= 0 && order[1] >= 0 && order[2] >= 0);
    }
    assert_nothing_left(before);
}

/* Many objects in any order, each twice, while guards have to be taken. */
static void test_guards_in_order(void **state)
{
    enum { N = 50 };
    green_event e[N];
    green_case cases[2 * N];
    int order[2 * N];
    (void)state;
    assert_true(green_hubs(2) >= 2);
    for (int i = 0; i < N; i++)
        e[i] = (green_event)GREEN_EVENT_INIT;
    for (int i = 0; i < 2 * N; i++)
        cases[i] = GREEN_SET(&e[i * 37 % N]);
    struct wait w = {cases, 2 * N, 2 * N, order};
    green_thread *t = green_spawn(wait_for, &w);
    let_run();
    for (int i = 0; i < N; i++)
        green_event_set(&e[i]);
    assert_int_equal(result_of(t), 2 * N);
    for (int i = 0; i < 2 * N; i++) /* an event a pair */
        assert_int_equal(order[i] * 37 % N, i / 2);
    assert_int_equal(green_wait_cases(cases, 2 * N, 2 * N, order), 2 * N);
    for (int i = 0; i < 2 * N; i++)
        assert_int_equal(order[i], i);
}

/* ---- two hubs: nothing is lost, nothing is doubled ---- */

enum { ROUNDS = 1500, THREADS = 3, OBJECTS = 3, MOST = 300 };
static green_semaphore permits[OBJECTS];
static int inside[OBJECTS];
static green_queue *queues[OBJECTS];
static long put_count, put_sum, got_count, got_sum;

/* Two of three permits, piece by piece: a deadline ends what would be a deadlock. */
static int hold_two(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        green_case cases[OBJECTS];
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_ACQUIRE(&permits[k]);
        green_within(20 * GREEN_US)
            n = green_wait_cases(cases, OBJECTS, 2, order);
        if ((n < 0 && errno != ETIMEDOUT) || (n >= 0) != (order[1] >= 0) || order[2] >= 0)
            return -1;
        for (int k = 0; k < 2 && order[k] >= 0; k++)
            if (__atomic_add_fetch(&inside[order[k]], 1, __ATOMIC_SEQ_CST) > 1)
                return -1;
        if (i % 8 == 0)
            green_yield();
        for (int k = 0; k < 2 && order[k] >= 0; k++) {
            __atomic_sub_fetch(&inside[order[k]], 1, __ATOMIC_SEQ_CST);
            green_semaphore_release(&permits[order[k]]);
        }
    }
    return 0;
}

static int produce(void *arg)
{
    (void)arg;
    for (long i = 1; i <= ROUNDS; i++) {
        green_case cases[OBJECTS];
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_PUT(queues[k], (void *)i);
        green_within(i % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            n = green_wait_cases(cases, OBJECTS, 2, order);
        if (n < 0 && errno != ETIMEDOUT)
            return -1;
        for (int k = 0; k < OBJECTS && order[k] >= 0; k++) {
            __atomic_add_fetch(&put_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&put_sum, i, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* Until a queue is shut down and empty; what was got is counted, whether enough or not. */
static int consume(void *arg)
{
    (void)arg;
    for (int i = 0, open = 1; open;) {
        green_case cases[OBJECTS];
        void *items[OBJECTS] = {NULL};
        int order[OBJECTS], n = -1;
        for (int k = 0; k < OBJECTS; k++)
            cases[k] = GREEN_GET(queues[k], &items[k]);
        green_within(++i % 3 == 0 ? 20 * GREEN_US : INT64_MAX)
            n = green_wait_cases(cases, OBJECTS, 1 + i % OBJECTS, order);
        if (n < 0 && errno != ETIMEDOUT)
            return -1;
        for (int k = 0; k < OBJECTS && order[k] >= 0; k++) {
            if (items[order[k]] == NULL) {
                open = 0;
                continue;
            }
            __atomic_add_fetch(&got_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&got_sum, (long)items[order[k]], __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* THREADS of a function on each of two hubs. */
static void spawn_on_both(green_thread **threads, int (*fn)(void *))
{
    green_spawn_options there = {.hub = other_hub()};
    for (int i = 0; i < 2 * THREADS; i++) {
        threads[i] = i % 2 ? green_spawn(fn, NULL) : green_spawn_with(&there, fn, NULL);
        assert_non_null(threads[i]);
    }
}

/* Scenarios 5, 81, 84: permits and items, in waits that want several, many of them in vain. */
static void test_two_hubs(void **state)
{
    green_thread *holders[2 * THREADS], *putters[2 * THREADS], *getters[2 * THREADS];
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < OBJECTS; i++) {
        permits[i] = (green_semaphore)GREEN_SEMAPHORE_BOUNDED_INIT(1);
        queues[i] = green_queue_make(&(green_queue_options){.limit = 2});
        assert_non_null(queues[i]);
    }
    spawn_on_both(holders, hold_two);
    spawn_on_both(putters, produce);
    spawn_on_both(getters, consume);
    for (int i = 0; i < 2 * THREADS; i++) {
        assert_int_equal(result_of(holders[i]), 0);
        assert_int_equal(result_of(putters[i]), 0);
    }
    for (int i = 0; i < OBJECTS; i++)
        green_queue_shutdown(queues[i], false);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(result_of(getters[i]), 0);
    for (int i = 0; i < OBJECTS; i++) { /* consumers end at the first that is empty */
        for (void *rest; green_queue_get(queues[i], &rest) > 0;) {
            got_count++;
            got_sum += (long)rest;
        }
        assert_int_equal(permits[i].count, 1);
        assert_null(permits[i].waiters.first);
        green_queue_free(queues[i]);
    }
    assert_int_equal(put_count, got_count);
    assert_int_equal(put_sum, got_sum);
    assert_true(put_count > ROUNDS);
    assert_nothing_left(before);
}

/* Scenario 40: ends on two hubs, asked for again and again until all are there. */
static void test_ends_on_two_hubs(void **state)
{
    green_spawn_options far = {.hub = other_hub()};
    green_thread *t[MOST];
    int order[MOST], n = -1;
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < MOST; i++) {
        void *rounds = (void *)(intptr_t)(i % 17);
        t[i] = i % 2 ? green_spawn(nap, rounds) : green_spawn_with(&far, nap, rounds);
    }
    while (n < 0) {
        green_within(20 * GREEN_US)
            n = green_wait_some(t, MOST, MOST, order);
        if (n < 0)
            assert_int_equal(errno, ETIMEDOUT);
    }
    bool seen[MOST] = {false};
    for (int i = 0; i < MOST; i++) {
        assert_in_range(order[i], 0, MOST - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        assert_int_equal(result_of(t[i]), 0);
    }
    let_run(); /* the deadline's timer fires */
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
        cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_ends_of_freed_threads),
        cmocka_unit_test(test_guards_in_order),
        cmocka_unit_test(test_two_hubs),
        cmocka_unit_test(test_ends_on_two_hubs),
    };
    return cmocka_run_group_tests_name("wait_cases", tests, NULL, NULL);
}
