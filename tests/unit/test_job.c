/* test_job.c - jobs with a handle: waited for, cancelled, calling back, using the library
 * themselves. */
#include "narrow.h"

#include <green/event.h>
#include <green/fd.h>
#include <pthread.h>

/* Taken back before they begin; a running one is left. */
static void jobs_are_cancelled(void **state)
{
    (void)state;
    make_narrow();
    assert_fails(green_job_cancel(held[0]), EBUSY);
    assert_int_equal(green_job_cancel(held[1]), 0);
    assert_fails(green_job_cancel(held[1]), EALREADY);
    assert_fails(green_job_wait(held[1], NULL), ECANCELED);
    assert_int_equal(stats_of(narrow).queued, 0);
    open_gate(1);
    assert_int_equal(green_job_wait(held[0], NULL), 0);
    assert_int_equal(green_job_wait(held[0], NULL), 0); /* again */
    assert_fails(green_job_cancel(held[0]), EALREADY);
    assert_int_equal(ordered, 0);
    free_narrow();
}

static int wait_for_job(void *job)
{
    int result = -1;
    return green_job_wait(job, &result) == 0 ? result : -errno;
}

static int fail_with(void *error)
{
    errno = *(int *)error;
    return -7;
}

/* Scenario 116: a failure with its errno, for each who waits, as often as he likes. */
static void jobs_fail(void **state)
{
    int error = ENOTEMPTY, result = 0;
    (void)state;
    green_job *job = start_on(NULL, fail_with, &error);
    for (int i = 0; i < 2; i++) {
        errno = 0;
        assert_int_equal(green_job_wait(job, &result), 0);
        assert_int_equal(result, -7);
        assert_int_equal(errno, ENOTEMPTY);
    }
    green_job_free(job);
}

/* Several wait, on several hubs; one leaves. */
static void jobs_are_waited_for(void **state)
{
    green_thread *t[3];
    int result;
    (void)state;
    assert_int_equal(green_hubs(2), 2);
    green_job *job = start_on(NULL, pass_gate, NULL);
    green_spawn_options options = {.hub = green_hub_next()};
    for (int i = 0; i < 3; i++, options.hub = green_hub_next())
        t[i] = green_spawn_with(&options, wait_for_job, job);
    wait_for(atomic_load(&inside) == 1);
    green_within(10 * GREEN_MS)
        assert_fails(green_job_wait(job, NULL), ETIMEDOUT);
    open_gate(1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
    green_job_free(job);
}

/* Scenario 117: nobody has the handle any more. */
static void jobs_are_let_go(void **state)
{
    int before = atomic_load(&released);
    green_job_options options = {.release = release};
    (void)state;
    green_job_free(green_job_start(&options, pass_gate, malloc(1)));
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(atomic_load(&released), before);
    open_gate(1);
    wait_for(atomic_load(&released) == before + 1);
    green_job_free(NULL);
}

static green_event called = GREEN_EVENT_INIT;
static green_hub *called_on;
static int called_with, called_error;
static green_job *calls_for;

static void done(void *arg, int result)
{
    called_on = green_hub_self();
    called_with = result + *(int *)arg;
    errno = 0;
    green_yield();
    called_error = errno;
    if (calls_for != NULL)
        called_with += green_job_wait(calls_for, NULL) < 0 ? errno : 0;
    green_event_set(&called);
}

/* A callback in the hub of one's choice, which must not wait. */
static void jobs_call_back(void **state)
{
    int n = 5;
    (void)state;
    green_job *job = green_job_start(&(green_job_options){.done = done}, twice, &n);
    assert_non_null(job);
    calls_for = job;
    assert_int_equal(green_event_wait(&called), 0);
    assert_int_equal(called_with, 15 + EDEADLK); /* it is not over before that */
    assert_int_equal(called_error, EDEADLK);
    assert_ptr_equal(called_on, green_hub_self());
    calls_for = NULL;
    green_job_free(job);
    assert_int_equal(green_hubs(2), 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    green_event_clear(&called);
    green_job_free(green_job_start(&(green_job_options){.done = done, .hub = other}, twice, &n));
    assert_int_equal(green_event_wait(&called), 0);
    assert_ptr_equal(called_on, other);
}

static int ended(void *arg)
{
    *(atomic_bool *)arg = true;
    return 0;
}

/* Busy elsewhere for a while, so that the callback has to wait for its turn. */
static void done_late(void *arg, int result)
{
    (void)arg;
    usleep(2000);
    called_with = result + 1;
}

/* Scenario 118: who waits goes on after the callback, wherever that is, and however late he comes.
 */
static void waiters_come_after_the_callback(void **state)
{
    (void)state;
    assert_int_equal(green_hubs(2), 2);
    for (int i = 0; i < 8; i++) {
        atomic_bool has_run = false;
        green_job_options options = {.done = done_late, .hub = green_hub_nth((unsigned)i)};
        called_with = 0;
        green_job *job = green_job_start(&options, ended, (void *)&has_run);
        assert_non_null(job);
        while (i % 4 < 2 && !has_run) /* this hub stands still; i % 4 >= 2: it waits before */
            usleep(100);
        if (i < 4)
            assert_int_equal(green_job_wait(job, NULL), 0);
        else
            assert_int_equal(green_select(GREEN_FINISHED(job), GREEN_NEVER), 0);
        assert_int_equal(called_with, 1);
        green_job_free(job);
    }
}

static void *start_from_os_thread(void *arg)
{
    green_job_options options = {.release = release, .done = done}; /* on this OS thread's hub */
    green_job *job = green_job_start(&options, pass_gate, malloc(sizeof(int)));
    *(bool *)arg = job != NULL;
    green_job_free(job);
    return NULL;
}

/* Scenario 118: a job may be started by any OS thread; if the hub to be told is no more, nobody is,
 * and nothing is lost. */
static void hub_to_call_has_ended(void **state)
{
    pthread_t thread;
    bool started = false;
    int before = atomic_load(&released);
    (void)state;
    called_on = NULL;
    assert_int_equal(pthread_create(&thread, NULL, start_from_os_thread, &started), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(started);
    open_gate(1);
    wait_for(atomic_load(&released) == before + 1);
    assert_null(called_on);
}

static int waited_error;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void start_in_callback(void *arg, int result)
{
    green_job **job = arg;
    (void)result;
    *job = green_job_start(NULL, pass_gate, NULL);
    waited_error = *job != NULL && green_job_wait(*job, NULL) < 0 ? errno : 0;
    if (green_job_start(&(green_job_options){.lane = narrow}, note, NULL) == NULL)
        waited_error += errno * 1000;
    green_event_set(&called);
}

/* Scenario 118: callbacks of the loop may start jobs, but cannot wait, not for room either. */
static void jobs_of_callbacks(void **state)
{
    green_job *job = NULL;
    (void)state;
    make_narrow();
    green_event_clear(&called);
    green_job_free(green_job_start(&(green_job_options){.done = start_in_callback}, nothing, &job));
    assert_int_equal(green_event_wait(&called), 0);
    assert_int_equal(waited_error, EDEADLK * 1001);
    open_gate(2);
    finish(job, 0);
    free_narrow();
}

/* ---- in green_select ---- */

static int open_for_two(void *arg)
{
    (void)arg;
    return write(gate[1], "xx", 2) == 2 ? 0 : -1;
}

/* Scenarios 40, 44: the ends of jobs beside other things, in the order in which they come. */
static void jobs_are_cases(void **state)
{
    green_event event = GREEN_EVENT_INIT;
    green_job *job[2];
    int come[4], n = 21;
    (void)state;
    green_hub_stats before = stats_now();
    make_narrow(); /* a job at the gate, one that is not begun */
    job[0] = start_on(NULL, pass_gate, NULL);
    job[1] = start_on(NULL, twice, &n);
    green_case cases[4] = {GREEN_FINISHED(job[0]), GREEN_SET(&event), GREEN_FINISHED(held[1]),
                           GREEN_FINISHED(job[1])};
    assert_int_equal(green_select_cases(cases, 4), 3);
    assert_int_equal(green_job_cancel(held[1]), 0);
    assert_int_equal(green_wait_cases(cases, 4, 2, come), 2); /* the same again */
    assert_true(come[0] == 2 && come[1] == 3 && come[2] == -1);
    green_within(10 * GREEN_MS)
        assert_fails(green_wait_cases(cases, 4, 3, come), ETIMEDOUT);
    assert_true(come[0] == 2 && come[1] == 3 && come[2] == -1);
    green_event_set(&event);
    assert_int_equal(green_detach(green_spawn(open_for_two, NULL)), 0); /* once we wait */
    assert_int_equal(green_wait_cases(cases, 4, 4, come), 4);
    assert_true(come[0] == 1 && come[1] == 2 && come[2] == 3 && come[3] == 0);
    assert_int_equal(green_select(GREEN_FINISHED(NULL), GREEN_DEFAULT), 1);
    finish(job[0], 0);
    finish(job[1], 42);
    free_narrow();
    assert_nothing_left(before);
}

static int select_early(void *arg)
{
    int late = 0, r;
    do
        r = green_select(GREEN_FINISHED(arg), GREEN_AFTER((int64_t)++late * GREEN_US));
    while (r == 1);
    return r;
}

/* Scenario 5: whoever leaves early, again and again, stands nowhere any more, and misses nothing.
 */
static void selects_end_early(void **state)
{
    green_job *job[4];
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    for (int i = 0; i < 4; i++) {
        job[i] = start_on(NULL, pass_gate, NULL);
        for (int k = 0; k < 3; k++)
            assert_int_equal(green_group_spawn(&g, select_early, job[i]), 0);
    }
    green_sleep(5 * GREEN_MS);
    open_gate(4);
    assert_int_equal(green_group_join(&g), 0);
    for (int i = 0; i < 4; i++)
        finish(job[i], 0);
}

/* ---- jobs that use the library themselves ---- */

static green_lane *small;

static int nested(void *arg)
{
    int depth = *(int *)arg - 1, result = -1;
    if (depth < 0)
        return 0;
    green_job *job = green_job_start(&(green_job_options){.lane = small}, nested, &depth);
    if (job == NULL || green_job_wait(job, &result) < 0)
        return -errno;
    green_job_free(job);
    return result < 0 ? result : result + 1;
}

/* Scenarios 111, 113, 118: jobs that start jobs of their own lane and wait for them do not wait for
 * ever, though all its OS threads are taken and its queue is full. */
static void jobs_start_jobs(void **state)
{
    int depth = 5;
    (void)state;
    small = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    finish(start_on(small, nested, &depth), 5);
    assert_int_equal(stats_of(small).most, 1);
    assert_int_equal(stats_of(small).done, 6);
    green_lane_free(small);
}

static int select_nested(void *arg)
{
    int n = *(int *)arg, come[3], r = -1;
    green_job *job[3];
    green_case cases[3];
    for (int i = 0; i < 3; i++) {
        job[i] = green_job_start(&(green_job_options){.lane = small}, twice, &n);
        cases[i] = GREEN_FINISHED(job[i]);
    }
    green_within(60 * GREEN_SEC)
        r = green_wait_cases(cases, 3, 3, come);
    for (int i = 0; i < 3; i++)
        green_job_free(job[i]);
    return r;
}

/* Scenarios 113, 118: nor those that select among jobs of their own lane. */
static void jobs_select_jobs(void **state)
{
    int n = 1;
    (void)state;
    small = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    finish(start_on(small, select_nested, &n), 3);
    assert_int_equal(stats_of(small).most, 1);
    green_lane_free(small);
}

static atomic_int left_behind; /* 1: begun, 2: told to end */

static int until_cancelled(void *arg)
{
    (void)arg;
    atomic_store(&left_behind, 1);
    if (green_sleep(3600 * GREEN_SEC) < 0 && errno == ECANCELED)
        atomic_store(&left_behind, 2);
    return 0;
}

static int green_worker(void *arg)
{
    char c;
    int *fds = arg;
    if (green_write(fds[1], "x", 1) != 1 || green_read(fds[0], &c, 1) != 1)
        return -1;
    green_detach(green_spawn(until_cancelled, NULL));
    while (atomic_load(&left_behind) == 0)
        if (green_yield() < 0)
            return -2;
    return green_sleep(GREEN_MS);
}

/* Scenario 119: the hub that a job needs on its OS thread ends with the job. */
static void hub_of_a_job_ends_with_it(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    green_lane *lane = green_lane_make(&(green_lane_options){.min = 1});
    for (int i = 0; i < 3; i++) {
        int before = fds_open();
        atomic_store(&left_behind, 0);
        finish(start_on(lane, green_worker, fds), 0);
        assert_int_equal(atomic_load(&left_behind), 2);
        assert_int_equal(fds_open(), before);
    }
    assert_int_equal(stats_of(lane).threads, 1); /* the OS thread goes on */
    green_lane_free(lane);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_cancelled),
        cmocka_unit_test(jobs_are_waited_for),
        cmocka_unit_test(jobs_fail),
        cmocka_unit_test(jobs_are_let_go),
        cmocka_unit_test(jobs_call_back),
        cmocka_unit_test(waiters_come_after_the_callback),
        cmocka_unit_test(hub_to_call_has_ended),
        cmocka_unit_test(jobs_of_callbacks),
        cmocka_unit_test(jobs_are_cases),
        cmocka_unit_test(selects_end_early),
        cmocka_unit_test(jobs_start_jobs),
        cmocka_unit_test(jobs_select_jobs),
        cmocka_unit_test(hub_of_a_job_ends_with_it),
    };
    return cmocka_run_group_tests_name("job", tests, open_pipe, NULL);
}
