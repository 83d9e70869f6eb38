/* The pool of OS threads: results, side by side, deadlines, cancellation, what is left behind. */
#include "net_unit.h"
#include "offload.h"
#include <pthread.h>
#include <signal.h>

static int twice(void *arg)
{
    return 2 * *(int *)arg;
}

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

static void results(void **state)
{
    (void)state;
    int n = 21;
    int result = 0;
    pthread_t where;
    assert_int_equal(green_offload(twice, &n, &result), 0);
    assert_int_equal(result, 42);
    assert_int_equal(green_offload(twice, &n, NULL), 0);
    assert_int_equal(green_offload(blocked_signals, NULL, &result), 0);
    assert_int_equal(result, 1);
    assert_int_equal(green_offload(the_os_thread, &where, NULL), 0);
    assert_false(pthread_equal(where, pthread_self()));
}

/* Functions that wait for a byte each: the test decides when they end. */
static int gate[2];
static atomic_int inside;
static atomic_int released;

static int pass_gate(void *arg)
{
    char c;
    (void)arg;
    atomic_fetch_add(&inside, 1);
    ssize_t n = read(gate[0], &c, 1);
    atomic_fetch_sub(&inside, 1);
    return n == 1 ? 0 : -1;
}

static void open_gate(int times)
{
    while (times-- > 0)
        assert_int_equal(write(gate[1], "x", 1), 1);
}

static void release(void *arg)
{
    free(arg);
    atomic_fetch_add(&released, 1);
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

/* Scenarios 114, 119: an OS thread each, and the hub goes on. */
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
    int limit = offload_general.limit;
    for (int i = 0; i < limit + 5; i++)
        assert_int_equal(green_group_spawn(&g, in_the_pool, NULL), 0);
    wait_for(atomic_load(&inside) == limit);
    assert_int_equal(offload_general.queued, 5);
    open_gate(limit + 5);
    assert_int_equal(green_group_join(&g), 0);
}

/* Scenario 117: released once it is over. */
static void deadline_leaves_it_behind(void **state)
{
    (void)state;
    int before = atomic_load(&released);
    green_within(20 * GREEN_MS)
        assert_fails(green_offload_owned(pass_gate, malloc(1), release, NULL), ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(atomic_load(&released), before);
    open_gate(1);
    wait_for(atomic_load(&released) == before + 1);
}

/* Scenario 117: the same. */
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
    int limit = offload_general.limit;
    int before = atomic_load(&released);
    for (int i = 0; i < limit; i++)
        assert_int_equal(green_group_spawn(&g, in_the_pool, NULL), 0);
    wait_for(atomic_load(&inside) == limit);
    green_within(10 * GREEN_MS)
        assert_fails(green_offload_owned(pass_gate, malloc(1), release, NULL), ETIMEDOUT);
    open_gate(limit);
    assert_int_equal(green_group_join(&g), 0);
    wait_for(atomic_load(&released) == before + 1);
    assert_int_equal(atomic_load(&inside), 0);
}

/* Scenario 115: all of them. */
static void idle_threads_end(void **state)
{
    (void)state;
    wait_for(offload_general.threads == 0);
    wait_for(os_threads() == *(int *)*state);
    assert_int_equal(offload_general.idle, 0);
}

static int before_all;

static int open_pipe(void **state)
{
    green_self();
    before_all = os_threads();
    *state = &before_all;
    return pipe(gate);
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
        cmocka_unit_test(too_late_from_the_start),
        cmocka_unit_test(abandoned_in_line),
        cmocka_unit_test(idle_threads_end),
    };
    return cmocka_run_group_tests(tests, open_pipe, NULL);
}
