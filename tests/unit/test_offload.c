/* test_offload.c - OS threads for what must block: results, deadlines, cancellation, what is left
 * behind (green_offload). */
#include "gate.h"

#include "thread.h"
#include <fcntl.h>
#include <signal.h>

static int blocked_signals(void *arg)
{
    (void)arg;
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGTERM) && sigismember(&set, SIGALRM) && sigismember(&set, SIGUSR1);
}

static int the_os_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 0;
}

static int open_nothing(void *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Scenario 116: what a function returns arrives, failures with their errno. */
static void results(void **state)
{
    (void)state;
    int n = 21;
    int result = 0;
    pthread_t where;
    assert_int_equal(green_offload(twice, &n, &result), 0);
    assert_int_equal(result, 42);
    assert_int_equal(green_offload(twice, &n, NULL), 0);
    errno = 0;
    assert_int_equal(green_offload(open_nothing, "/no/such/file", &result), 0);
    assert_int_equal(result, -1); /* the function's failure, not the call's */
    assert_int_equal(errno, ENOENT);
    assert_int_equal(green_offload(blocked_signals, NULL, &result), 0);
    assert_int_equal(result, 1);
    assert_int_equal(green_offload(the_os_thread, &where, NULL), 0);
    assert_false(pthread_equal(where, pthread_self()));
}

static int in_the_pool(void *arg)
{
    int result = -1;
    (void)arg;
    return green_offload(pass_gate, NULL, &result) == 0 ? result : -1;
}

static int in_the_pool_owned(void *arg)
{
    (void)arg;
    int rc = green_offload_owned(pass_gate, malloc(1), release, NULL);
    return rc < 0 && errno == ECANCELED ? 7 : rc;
}

/* Scenarios 114, 119: an OS thread for each that blocks, and the hub goes on. */
static void side_by_side(void **state)
{
    (void)state;
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 40; i++)
        assert_int_equal(green_group_spawn(&g, in_the_pool, NULL), 0);
    wait_for(atomic_load(&inside) == 40);
    open_gate(40);
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(atomic_load(&inside), 0);
}

/* Scenario 114: more than the lane has OS threads: the rest waits in line. */
static void in_line(void **state)
{
    (void)state;
    green_group g = GREEN_GROUP_INIT;
    int limit = offload_general.max;
    for (int i = 0; i < limit + 5; i++)
        assert_int_equal(green_group_spawn(&g, in_the_pool, NULL), 0);
    wait_for(atomic_load(&inside) == limit);
    assert_int_equal(stats_of(NULL).queued, 5);
    open_gate(limit + 5);
    assert_int_equal(green_group_join(&g), 0);
}

/* Scenario 117: what is left behind is released when it ends. */
static void deadline_leaves_it_behind(void **state)
{
    (void)state;
    int before;
    int64_t time = 20 * GREEN_MS;
    do { /* on a busy machine it may not have begun by then */
        before = atomic_load(&released);
        green_within(time)
            assert_fails(green_offload_owned(pass_gate, malloc(1), release, NULL), ETIMEDOUT);
        assert_true(green_expired());
        time *= 2;
    } while (atomic_load(&released) != before);
    open_gate(1);
    wait_for(atomic_load(&released) == before + 1);
}

/* Scenario 117: the same by cancellation. */
static void cancellation_leaves_it_behind(void **state)
{
    (void)state;
    int result = 0;
    int before = atomic_load(&released);
    green_thread *t = green_spawn(in_the_pool_owned, NULL);
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, 7);
    open_gate(1);
    wait_for(atomic_load(&released) == before + 1);
}

/* A stack argument: the call waits for the end in spite of deadline and cancellation. */
static void plain_call_is_not_left(void **state)
{
    (void)state;
    int result = -2;
    green_thread *t = green_spawn(in_the_pool, NULL);
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(green_cancel(t), 0);
    green_yield();
    green_within(10 * GREEN_MS)
        assert_fails(green_join(t, &result), ETIMEDOUT);
    open_gate(1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
}

static int throw_behind(void *arg)
{
    int rc = in_the_pool(arg);
    return rc < 0 ? rc : green_yield() < 0 ? errno : 0;
}

/* Scenario 20: what is thrown meanwhile is for the next call. */
static void thrown_at_a_plain_call(void **state)
{
    (void)state;
    int result = -2;
    green_thread *t = green_spawn(throw_behind, NULL);
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(green_throw(t, EPIPE), 0);
    green_yield();
    open_gate(1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EPIPE);
}

/* The deadline grows until the function has begun before it. */
static int late_but_done(void *arg)
{
    int rc = -1;
    for (int64_t bound = 10 * GREEN_MS; rc < 0; bound *= 2)
        green_within(bound)
            rc = in_the_pool(arg);
    return green_expired();
}

/* Scenarios 1, 2: a deadline that passes while the call succeeds has made nothing fail. */
static void late_plain_call_has_not_expired(void **state)
{
    (void)state;
    int result = -2;
    green_thread *t = green_spawn(late_but_done, NULL);
    wait_for(atomic_load(&inside) == 1);
    wait_for(t->state == THREAD_PARKED && t->until == INT64_MAX);
    open_gate(1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
}

static int refused(void *arg)
{
    (void)arg;
    green_cancel(green_self());
    int rc = green_offload(pass_gate, NULL, NULL);
    return rc < 0 && errno == ECANCELED ? 7 : 0;
}

static void too_late_from_the_start(void **state)
{
    (void)state;
    int result = 0;
    green_within(0)
        assert_fails(green_offload(pass_gate, NULL, NULL), ETIMEDOUT);
    assert_int_equal(green_join(green_spawn(refused, NULL), &result), 0);
    assert_int_equal(result, 7);
    assert_int_equal(atomic_load(&inside), 0);
}

/* Scenario 117: left behind while still in line: it does not run, and its argument is released. */
static void abandoned_in_line(void **state)
{
    (void)state;
    green_group g = GREEN_GROUP_INIT;
    int limit = offload_general.max;
    int before = atomic_load(&released);
    for (int i = 0; i < limit; i++)
        assert_int_equal(green_group_spawn(&g, in_the_pool, NULL), 0);
    wait_for(atomic_load(&inside) == limit);
    green_within(10 * GREEN_MS)
        assert_fails(green_offload_owned(pass_gate, malloc(1), release, NULL), ETIMEDOUT);
    assert_int_equal(atomic_load(&released), before + 1);
    green_within(10 * GREEN_MS) /* the caller's stack, but it has not begun: taken back, too */
        assert_fails(green_offload(pass_gate, NULL, NULL), ETIMEDOUT);
    assert_int_equal(stats_of(NULL).queued, 0);
    open_gate(limit);
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(atomic_load(&inside), 0);
}

/* Scenario 115: they all end, and leave nothing. */
static void idle_threads_end(void **state)
{
    (void)state;
    wait_for(stats_of(NULL).threads == 0);
    wait_for(os_threads() == *(int *)*state);
    assert_int_equal(stats_of(NULL).idle, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(side_by_side),
        cmocka_unit_test(in_line),
        cmocka_unit_test(deadline_leaves_it_behind),
        cmocka_unit_test(cancellation_leaves_it_behind),
        cmocka_unit_test(plain_call_is_not_left),
        cmocka_unit_test(thrown_at_a_plain_call),
        cmocka_unit_test(late_plain_call_has_not_expired),
        cmocka_unit_test(too_late_from_the_start),
        cmocka_unit_test(abandoned_in_line),
        cmocka_unit_test(idle_threads_end),
    };
    return cmocka_run_group_tests_name("offload", tests, open_pipe, NULL);
}
