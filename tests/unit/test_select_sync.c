/* test_select_sync.c - green_select on what threads share besides channels: queues, semaphores,
 * events, results; on one hub, between two, and from OS threads. */
#include "unit.h"

#include <green/link.h>
#include <green/select.h>
#include <pthread.h>

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

static void *item(long n)
{
    return (void *)n;
}

static green_queue *queue_of(size_t limit)
{
    green_queue *q = green_queue_make(&(green_queue_options){.limit = limit});
    assert_non_null(q);
    return q;
}

/* Everything there is to wait for; what the threads below do with it. */
static green_semaphore semaphore;
static green_event event;
static green_result result;
static green_queue *queue;

static void begin(unsigned permits, size_t limit)
{
    semaphore = (green_semaphore)GREEN_SEMAPHORE_INIT(permits);
    event = (green_event)GREEN_EVENT_INIT;
    result = (green_result)GREEN_RESULT_INIT;
    queue = queue_of(limit);
}

/* Nobody stands in a line any more. */
static void end(void)
{
    assert_null(semaphore.waiters.first);
    assert_null(event.waiters.first);
    assert_null(result.waiters.first);
    green_queue_free(queue);
}

static int yields(void *rounds)
{
    for (intptr_t i = (intptr_t)rounds; i > 0; i--)
        green_yield();
    return 0;
}

static void let_run(void)
{
    yields((void *)5);
}

/* The case that came up, or a negative errno; an item it got counts tens. */
static int select_all(void *arg)
{
    void *got = NULL;
    (void)arg;
    int which = green_select(GREEN_ACQUIRE(&semaphore), GREEN_SET(&event), GREEN_READY(&result),
                             GREEN_GET(queue, &got));
    return which < 0 ? -errno : which + 10 * (int)(intptr_t)got;
}

static int acquire(void *arg)
{
    (void)arg;
    return green_semaphore_acquire(&semaphore) < 0 ? -errno : 0;
}

static int get(void *arg)
{
    void *got = NULL;
    (void)arg;
    return green_queue_get(queue, &got) < 0 ? -errno : (int)(intptr_t)got;
}

/* ---- each kind, at once and after a wait ---- */

/* Scenarios 44, 82: what is ready comes up at once, and only it. */
static void test_ready(void **state)
{
    void *got = NULL;
    (void)state;
    green_hub_stats before = stats_now();
    begin(1, 1);
    assert_int_equal(select_all(NULL), 0);
    assert_int_equal(semaphore.count, 0);
    assert_int_equal(green_select(GREEN_ACQUIRE(&semaphore), GREEN_DEFAULT), 1);
    green_event_set(&event);
    assert_int_equal(select_all(NULL), 1);
    green_event_clear(&event);
    green_result_fail(&result, EIO);
    assert_int_equal(select_all(NULL), 2);
    assert_fails(green_result_get(&result, NULL), EIO);
    result = (green_result)GREEN_RESULT_INIT;
    assert_int_equal(green_select(GREEN_PUT(queue, item(4)), GREEN_SET(&event)), 0);
    assert_int_equal(green_select(GREEN_PUT(queue, item(5)), GREEN_DEFAULT), 1); /* full */
    assert_int_equal(select_all(NULL), 43);
    assert_int_equal(green_select(GREEN_ACQUIRE(NULL), GREEN_SET(NULL), GREEN_READY(NULL),
                                  GREEN_GET(NULL, &got), GREEN_PUT(NULL, NULL), GREEN_NEVER,
                                  GREEN_AFTER(1)),
                     6);
    end();
    assert_nothing_left(before);
}

/* Scenarios 44, 82: what comes while it waits is handed over; nothing is left in the lines. */
static void test_waits(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    begin(0, 0);
    green_thread *t[4];
    for (int i = 0; i < 4; i++)
        t[i] = green_spawn(select_all, NULL);
    let_run();
    green_semaphore_release(&semaphore);
    assert_int_equal(semaphore.count, 0); /* the first in line has it */
    green_queue_put(queue, item(7));
    assert_int_equal(green_queue_count(queue), 0);
    let_run();
    green_result_set(&result, NULL);
    assert_int_equal(result_of(t[0]), 0);
    assert_int_equal(result_of(t[1]), 73);
    assert_int_equal(result_of(t[2]), 2);
    assert_int_equal(result_of(t[3]), 2);
    assert_int_equal(green_queue_task_done(queue), 0);
    end();
    assert_nothing_left(before);
}

/* Scenario 71: set and cleared before those who wait have run: they go on all the same. */
static void test_event_set_and_cleared(void **state)
{
    (void)state;
    begin(0, 0);
    green_thread *t[10];
    for (int i = 0; i < 10; i++)
        t[i] = green_spawn(select_all, NULL);
    let_run();
    green_event_set(&event);
    green_event_clear(&event);
    for (int i = 0; i < 10; i++)
        assert_int_equal(result_of(t[i]), 1);
    end();
}

/* ---- one line for those who select and those in plain calls ---- */

/* Scenarios 80, 93: each in its turn, and nothing is taken from the line by who came later. */
static void test_in_turn(void **state)
{
    (void)state;
    begin(0, 0);
    green_thread *t[4] = {green_spawn(acquire, NULL), green_spawn(select_all, NULL),
                          green_spawn(acquire, NULL), green_spawn(select_all, NULL)};
    green_thread *g = green_spawn(get, NULL);
    let_run();
    green_semaphore_release(&semaphore);
    green_semaphore_release(&semaphore);
    green_semaphore_release(&semaphore);
    green_queue_put(queue, item(1)); /* t[1] has its permit: t[3] is the first in line */
    green_queue_put(queue, item(2));
    assert_int_equal(result_of(t[0]), 0);
    assert_int_equal(result_of(t[1]), 0);
    assert_int_equal(result_of(t[2]), 0);
    assert_int_equal(result_of(t[3]), 13);
    assert_int_equal(result_of(g), 2);
    assert_int_equal(semaphore.count, 0);
    end();
}

/* Scenario 81: a permit, an item and room that come for a thread which has something else already
 * go on to the next in line. */
static void test_goes_on_to_the_next(void **state)
{
    (void)state;
    begin(0, 0);
    green_thread *t = green_spawn(select_all, NULL), *a = green_spawn(acquire, NULL),
                 *g = green_spawn(get, NULL);
    let_run();
    green_event_set(&event);
    green_semaphore_release(&semaphore);
    green_queue_put(queue, item(3));
    green_cancel(t); /* too late */
    assert_int_equal(result_of(t), 1);
    assert_int_equal(result_of(a), 0);
    assert_int_equal(result_of(g), 3);
    green_semaphore_release(&semaphore);
    assert_int_equal(semaphore.count, 1); /* nobody is there: it stays */
    end();
}

static int select_long(void *arg)
{
    int which = -1;
    (void)arg;
    green_within(GREEN_MS)
        which = select_all(NULL);
    return which;
}

/* Scenarios 4, 5, 94, 95: who was cancelled, or late, has taken nothing and stands nowhere. */
static void test_gives_up(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    begin(0, 0);
    green_thread *late = green_spawn(select_long, NULL), *gone = green_spawn(select_all, NULL),
                 *a = green_spawn(acquire, NULL), *thrown = green_spawn(select_all, NULL),
                 *g = green_spawn(get, NULL);
    let_run();
    assert_int_equal(green_cancel(gone), 0);
    assert_int_equal(green_throw(thrown, EIO), 0);
    assert_int_equal(result_of(late), -ETIMEDOUT);
    green_semaphore_release(&semaphore);
    green_queue_put(queue, item(6));
    assert_int_equal(result_of(gone), -ECANCELED);
    assert_int_equal(result_of(thrown), -EIO);
    assert_int_equal(result_of(a), 0);
    assert_int_equal(result_of(g), 6);
    assert_null(event.waiters.first);
    green_within(0) { /* ready is had, late or not */
        assert_fails(green_select(GREEN_ACQUIRE(&semaphore), GREEN_SET(&event)), ETIMEDOUT);
        green_event_set(&event);
        assert_int_equal(green_select(GREEN_ACQUIRE(&semaphore), GREEN_SET(&event)), 1);
    }
    end();
    assert_nothing_left(before);
}

struct callback {
    green_link link;
    int which[2];
};

static void select_twice(green_link *link)
{
    struct callback *c = link->arg;
    for (int i = 0; i < 2; i++) {
        c->which[i] = select_all(NULL);
        green_event_set(&event);
    }
}

/* Scenario 60: a callback of the loop may take what is ready, but stands in no line. */
static void test_in_a_callback(void **state)
{
    struct callback c;
    (void)state;
    begin(0, 0);
    green_thread *t = green_spawn(yields, NULL);
    green_link_to(&c.link, t, select_twice, &c);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(c.which[0], -EDEADLK);
    assert_int_equal(c.which[1], 1);
    end();
}

/* ---- queues ---- */

static int put_by_select(void *n)
{
    int which = green_select(GREEN_SET(&event), GREEN_PUT(queue, n));
    return which < 0 ? -errno : which;
}

static int put(void *n)
{
    return green_queue_put(queue, n) < 0 ? -errno : 1;
}

/* Scenarios 92, 104: those who wait for room put in the order in which they came. */
static void test_putters_in_turn(void **state)
{
    void *got;
    (void)state;
    begin(0, 1);
    green_thread *t[5];
    for (int i = 0; i < 5; i++)
        t[i] = green_spawn(i % 2 ? put : put_by_select, item(i + 1));
    let_run();
    green_cancel(t[2]);
    assert_int_equal(green_queue_resize(queue, 2), 0);
    for (int i = 1; i <= 5; i++) {
        if (i == 3)
            continue;
        assert_int_equal(green_select(GREEN_SET(&event), GREEN_GET(queue, &got)), 1);
        assert_int_equal((intptr_t)got, i);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(result_of(t[i]), i == 2 ? -ECANCELED : 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(green_queue_task_done(queue), 0);
    assert_fails(green_queue_task_done(queue), EINVAL); /* the cancelled one is no task */
    end();
}

static int peek(void *arg)
{
    void *got = NULL;
    (void)arg;
    return green_queue_peek(queue, &got) < 0 ? -errno : (int)(intptr_t)got;
}

/* Scenario 97: who peeks before a selecting getter sees what that one gets. */
static void test_peek_and_select(void **state)
{
    (void)state;
    begin(0, 0);
    green_thread *p = green_spawn(peek, NULL), *s = green_spawn(select_all, NULL),
                 *q = green_spawn(peek, NULL);
    let_run();
    green_queue_put(queue, item(1));
    green_queue_put(queue, item(2));
    assert_int_equal(result_of(p), 1);
    assert_int_equal(result_of(s), 13);
    assert_int_equal(result_of(q), 2);
    end();
}

static int get_ok(void *arg)
{
    void *value = item(9);
    int got = 1;
    (void)arg;
    int which = green_select(GREEN_SET(&event), GREEN_GET_OK(queue, &value, &got));
    return which == 1 && got == 0 && value == NULL ? 0 : -1;
}

/* Scenario 100: both sides, waiting and coming later; what is there can still be taken. */
static void test_shut_down(void **state)
{
    void *value = NULL;
    int got = 7;
    (void)state;
    begin(0, 1);
    green_thread *g = green_spawn(get_ok, NULL);
    let_run();
    green_queue_shutdown(queue, false);
    assert_int_equal(result_of(g), 0);
    assert_int_equal(get_ok(NULL), 0);
    assert_fails(green_select(GREEN_SET(&event), GREEN_PUT(queue, NULL)), ESHUTDOWN);
    end();

    begin(0, 1);
    green_queue_put(queue, item(1));
    green_thread *p = green_spawn(put_by_select, item(2));
    let_run();
    green_queue_shutdown(queue, false);
    assert_int_equal(result_of(p), -ESHUTDOWN);
    assert_int_equal(green_select(GREEN_GET_OK(queue, &value, &got)), 0);
    assert_true(got == 1 && value == item(1));
    assert_int_equal(get_ok(NULL), 0);
    end();
}

/* ---- two hubs: nothing is lost, nothing is doubled ---- */

enum { ROUNDS = 2000, THREADS = 3, PERMITS = 2 };
static green_semaphore many[2];
static int inside[2];
static green_queue *queues[2];
static green_event over;
static long put_count, put_sum, got_count, got_sum;

static int enter_and_leave(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int which = -1;
        green_within(i % 5 == 0 ? 20 * GREEN_US : INT64_MAX)
            which = i % 4 != 0 ? green_select(GREEN_ACQUIRE(&many[0]), GREEN_ACQUIRE(&many[1]))
                    : green_semaphore_acquire(&many[1]) == 0 ? 1
                                                             : -1;
        if (which < 0) {
            if (errno != ETIMEDOUT)
                return -1;
            continue;
        }
        if (__atomic_add_fetch(&inside[which], 1, __ATOMIC_SEQ_CST) > PERMITS)
            return -1;
        if (i % 8 == 0)
            green_yield();
        __atomic_sub_fetch(&inside[which], 1, __ATOMIC_SEQ_CST);
        if (green_semaphore_release(&many[which]) < 0)
            return -1;
    }
    return 0;
}

static int produce(void *arg)
{
    (void)arg;
    for (long i = 1; i <= ROUNDS; i++) {
        int which = -1;
        green_within(i % 7 == 0 ? 20 * GREEN_US : INT64_MAX)
            which = green_select(GREEN_PUT(queues[0], item(i)), GREEN_PUT(queues[1], item(i)));
        if (which < 0 && errno != ETIMEDOUT)
            return -1;
        if (which >= 0) {
            __atomic_add_fetch(&put_count, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&put_sum, i, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* Until the queues are shut down and empty, one after the other. */
static int consume(void *arg)
{
    (void)arg;
    int got[2] = {1, 1};
    for (int i = 0; got[0] + got[1] > 0; i++) {
        void *v = NULL;
        int which = green_select(GREEN_GET_OK(got[0] > 0 ? queues[0] : NULL, &v, &got[0]),
                                 GREEN_GET_OK(got[1] > 0 ? queues[1] : NULL, &v, &got[1]),
                                 GREEN_AFTER(i % 5 == 0 ? 20 * GREEN_US : INT64_MAX));
        if (which < 0 || (which < 2 && (got[which] == 0) != (v == NULL)))
            return -1;
        if (v == NULL)
            continue;
        __atomic_add_fetch(&got_count, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&got_sum, (long)v, __ATOMIC_RELAXED);
    }
    return 0;
}

/* THREADS of each function on each of two hubs. */
static void spawn_on_both(green_thread **threads, int (*fn)(void *))
{
    green_spawn_options there = {.hub = green_hub_next()};
    if (there.hub == green_hub_self())
        there.hub = green_hub_next();
    for (int i = 0; i < 2 * THREADS; i++) {
        threads[i] = i % 2 ? green_spawn(fn, NULL) : green_spawn_with(&there, fn, NULL);
        assert_non_null(threads[i]);
    }
}

/* Scenario 84: permits and items between two hubs, some giving up; all are there in the end. */
static void test_two_hubs(void **state)
{
    green_thread *permits[2 * THREADS], *putters[2 * THREADS], *getters[2 * THREADS];
    (void)state;
    green_hub_stats before = stats_now();
    assert_true(green_hubs(2) >= 2);
    for (int i = 0; i < 2; i++) {
        many[i] = (green_semaphore)GREEN_SEMAPHORE_BOUNDED_INIT(PERMITS);
        queues[i] = queue_of((size_t)i + 1);
    }
    spawn_on_both(permits, enter_and_leave);
    spawn_on_both(putters, produce);
    spawn_on_both(getters, consume);
    for (int i = 0; i < 2 * THREADS; i++) {
        assert_int_equal(result_of(permits[i]), 0);
        assert_int_equal(result_of(putters[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        green_queue_shutdown(queues[i], false);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(result_of(getters[i]), 0);
    assert_int_equal(put_count, got_count);
    assert_int_equal(put_sum, got_sum);
    assert_true(put_count > ROUNDS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(many[i].count, PERMITS);
        assert_null(many[i].waiters.first);
        green_queue_free(queues[i]);
    }
    assert_nothing_left(before);
}

/* ---- OS threads that are nobody's hub ---- */

static void *os_thread(void *passes)
{
    void *got = NULL;
    for (;;) {
        int which =
            green_select(GREEN_ACQUIRE(&many[0]), GREEN_GET(queues[0], &got), GREEN_SET(&over));
        if (which == 2)
            return passes;
        if (which < 0)
            return NULL;
        __atomic_add_fetch((long *)passes + which, which == 0 ? 1 : (long)got, __ATOMIC_RELAXED);
        green_semaphore_release(&many[1]);
    }
}

/* Scenario 77: given from here, taken over there, and the end told to all. */
static void test_os_threads(void **state)
{
    pthread_t t[3];
    long passes[2] = {0, 0};
    void *value;
    (void)state;
    green_hub_stats before = stats_now();
    many[0] = many[1] = (green_semaphore)GREEN_SEMAPHORE_INIT(0);
    over = (green_event)GREEN_EVENT_INIT;
    queues[0] = queue_of(2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, os_thread, passes), 0);
    for (long i = 1; i <= 500; i++) {
        green_semaphore_release(&many[0]);
        assert_int_equal(green_queue_put(queues[0], item(i)), 0);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(green_semaphore_acquire(&many[1]), 0);
    green_event_set(&over);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(t[i], &value), 0);
        assert_ptr_equal(value, passes);
    }
    assert_int_equal(passes[0], 500);
    assert_int_equal(passes[1], 500 * 501 / 2);
    green_queue_free(queues[0]);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_event_set_and_cleared),
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_goes_on_to_the_next),
        cmocka_unit_test(test_gives_up),
        cmocka_unit_test(test_in_a_callback),
        cmocka_unit_test(test_putters_in_turn),
        cmocka_unit_test(test_peek_and_select),
        cmocka_unit_test(test_shut_down),
        cmocka_unit_test(test_two_hubs),
        cmocka_unit_test(test_os_threads),
    };
    return cmocka_run_group_tests_name("select_sync", tests, NULL, NULL);
}
