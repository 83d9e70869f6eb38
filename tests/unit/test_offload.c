/* OS threads for what must block: results, deadlines, cancellation, what is left behind; jobs with
 * a handle; lanes and their limits. */
#include "net_unit.h"
#include "offload.h"
#include "thread.h"
#include <green/event.h>
#include <green/fd.h>
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

/* Scenario 116: what a function returns arrives, failures too. */
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

static green_lane_stats stats_of(green_lane *lane)
{
    green_lane_stats s;
    green_lane_stats_get(lane, &s);
    return s;
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

/* ---- lanes ---- */

static green_job *start_on(green_lane *lane, int (*fn)(void *), void *arg)
{
    green_job *job = green_job_start(&(green_job_options){.lane = lane}, fn, arg);
    assert_non_null(job);
    return job;
}

static void finish(green_job *job, int expected)
{
    int result = expected + 1;
    assert_int_equal(green_job_wait(job, &result), 0);
    assert_int_equal(result, expected);
    green_job_free(job);
}

/* Scenario 114: as many OS threads as there is work for, up to the maximum. */
static void lane_grows_to_its_maximum(void **state)
{
    green_job *jobs[5];
    (void)state;
    green_lane *lane = green_lane_make(&(green_lane_options){.max = 3});
    assert_non_null(lane);
    assert_int_equal(stats_of(lane).threads, 0);
    for (int i = 0; i < 5; i++) {
        jobs[i] = start_on(lane, pass_gate, NULL);
        assert_int_equal(stats_of(lane).threads, i < 3 ? i + 1 : 3);
    }
    wait_for(atomic_load(&inside) == 3);
    assert_int_equal(stats_of(lane).queued, 2);
    assert_int_equal(stats_of(lane).idle, 0);
    open_gate(5);
    for (int i = 0; i < 5; i++)
        finish(jobs[i], 0);
    assert_int_equal(stats_of(lane).idle, 3);
    assert_int_equal(stats_of(lane).most, 3);
    assert_int_equal(stats_of(lane).done, 5);
    int n = 4;
    finish(start_on(lane, twice, &n), 8); /* an idle one does it */
    assert_int_equal(stats_of(lane).most, 3);
    green_lane_free(lane);
}

/* Scenario 114: with no OS threads allowed jobs wait; raised, they run. */
static void lane_without_threads_holds_its_jobs(void **state)
{
    int n = 21;
    (void)state;
    green_lane *lane = green_lane_make(NULL);
    finish(start_on(lane, twice, &n), 42);
    assert_int_equal(green_lane_resize(lane, 0, 0), 0);
    wait_for(stats_of(lane).threads == 0); /* at once, not when it has idled for long */
    green_job *job = start_on(lane, twice, &n);
    green_within(10 * GREEN_MS)
        assert_fails(green_job_wait(job, NULL), ETIMEDOUT);
    assert_int_equal(stats_of(lane).queued, 1);
    assert_int_equal(green_lane_resize(lane, 0, 1), 0);
    finish(job, 42);
    assert_int_equal(green_lane_resize(lane, 0, 0), 0);
    job = start_on(lane, twice, &n);
    green_lane_free(lane); /* what was started still runs */
    finish(job, 42);
}

/* Scenario 114: fewer than are at work end as they become free. */
static void lane_shrinks_by_its_maximum(void **state)
{
    green_job *jobs[4];
    (void)state;
    green_lane *lane = green_lane_make(NULL);
    for (int i = 0; i < 4; i++)
        jobs[i] = start_on(lane, pass_gate, NULL);
    wait_for(atomic_load(&inside) == 4);
    assert_int_equal(green_lane_resize(lane, 0, 1), 0);
    assert_int_equal(stats_of(lane).threads, 4);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        finish(jobs[i], 0);
    wait_for(stats_of(lane).threads == 1);
    green_lane_free(lane);
}

/* Scenario 114: senseless settings are errors, and change nothing. */
static void settings_are_checked(void **state)
{
    static const green_lane_options bad[] = {{.max = -1},          {.min = -1},   {.min = 65},
                                             {.min = 3, .max = 2}, {.queue = -1}, {.idle = -1}};
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_none(green_lane_make(&bad[i]), EINVAL, "lane");
    assert_fails(green_lane_resize(NULL, -1, 1), EINVAL);
    assert_fails(green_lane_resize(NULL, 2, 1), EINVAL);
    assert_fails(green_lane_set_queue(NULL, -1), EINVAL);
    assert_fails(green_lane_set_idle(NULL, -1), EINVAL);
    assert_none(green_lane_of(GREEN_LANE_PATHS + 1), EINVAL, "lane");
    assert_ptr_equal(green_lane_of(GREEN_LANE_GENERAL), &offload_general);
    assert_int_equal(offload_general.max, 64);
}

/* Scenario 115: idle OS threads end, but for the minimum. */
static void idle_threads_above_the_minimum_end(void **state)
{
    green_job *jobs[4];
    (void)state;
    green_lane *lane = green_lane_make(&(green_lane_options){.min = 2, .idle = GREEN_MS});
    for (int i = 0; i < 4; i++)
        jobs[i] = start_on(lane, pass_gate, NULL);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        finish(jobs[i], 0);
    wait_for(stats_of(lane).threads == 2);
    green_sleep(20 * GREEN_MS);
    assert_int_equal(stats_of(lane).threads, 2);
    assert_int_equal(green_lane_resize(lane, 0, 4), 0);
    wait_for(stats_of(lane).threads == 0);
    green_lane_free(lane);
}

/* ---- a full queue ---- */

static green_lane *narrow; /* one OS thread, held by a job; a queue of one, full */
static green_job *held[2]; /* these two */
static int order[4];
static atomic_int ordered;

static int note(void *arg)
{
    order[atomic_fetch_add(&ordered, 1)] = *(int *)arg; /* in turn while it is one OS thread */
    return 0;
}

static void make_narrow(void)
{
    static int zero;
    ordered = 0;
    narrow = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    held[0] = start_on(narrow, pass_gate, NULL);
    held[1] = start_on(narrow, note, &zero);
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(stats_of(narrow).queued, 1);
}

static void free_narrow(void)
{
    finish(held[0], 0);
    green_job_free(held[1]);
    green_lane_free(narrow);
}

static int start_note(void *arg)
{
    green_job *job = green_job_start(&(green_job_options){.lane = narrow, .release = release}, note,
                                     memcpy(malloc(sizeof(int)), arg, sizeof(int)));
    if (job == NULL)
        return -errno;
    green_job_free(job);
    return 0;
}

/* Scenario 114: who finds the queue full waits for room, in order. */
static void starters_wait_for_room(void **state)
{
    int numbers[3] = {1, 2, 3};
    green_thread *t[3];
    (void)state;
    make_narrow();
    assert_none(green_job_try_start(&(green_job_options){.lane = narrow}, note, &numbers[0]), EBUSY,
                "busy");
    for (int i = 0; i < 3; i++)
        t[i] = green_spawn(start_note, &numbers[i]);
    wait_for(stats_of(narrow).queued == 4);
    assert_int_equal(narrow->starting, 3);
    open_gate(1);
    for (int i = 0; i < 3; i++) {
        int result = -1;
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
    wait_for(stats_of(narrow).done == 5);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
    free_narrow();
}

/* Scenarios 107, 114: who waits for room and leaves has started nothing. */
static void starters_leave(void **state)
{
    int before = atomic_load(&released);
    int one = 1, two = 2, result = 0;
    (void)state;
    make_narrow();
    green_within(10 * GREEN_MS)
        assert_int_equal(start_note(&one), -ETIMEDOUT);
    assert_int_equal(atomic_load(&released), before + 1);
    green_thread *t = green_spawn(start_note, &one);
    wait_for(narrow->starting == 1);
    green_thread *second = green_spawn(start_note, &two);
    wait_for(narrow->starting == 2);
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(green_job_cancel(held[1]), 0); /* makes room */
    assert_int_equal(green_join(second, &result), 0);
    assert_int_equal(result, 0);
    open_gate(1);
    wait_for(stats_of(narrow).done == 2);
    assert_int_equal(ordered, 1);
    assert_int_equal(order[0], 2);
    free_narrow();
}

/* Scenario 114: more room lets in who waits. */
static void room_grows(void **state)
{
    int one = 1, result = -1;
    (void)state;
    make_narrow();
    green_thread *t = green_spawn(start_note, &one);
    wait_for(narrow->starting == 1);
    assert_int_equal(green_lane_set_queue(narrow, 2), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    t = green_spawn(start_note, &one);
    wait_for(narrow->starting == 1);
    assert_int_equal(green_lane_resize(narrow, 0, 2), 0); /* or another OS thread */
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    open_gate(1);
    wait_for(stats_of(narrow).done == 4);
    free_narrow();
}

/* ---- jobs with a handle ---- */

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
        called_with += green_job_wait(calls_for, NULL); /* it is over: no need to wait */
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
    assert_int_equal(called_with, 15);
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

/* Scenario 115: they all end, and leave nothing. */
static void idle_threads_end(void **state)
{
    (void)state;
    wait_for(stats_of(NULL).threads == 0);
    wait_for(os_threads() == *(int *)*state);
    assert_int_equal(stats_of(NULL).idle, 0);
}

static int before_all;

static int open_pipe(void **state)
{
    if (green_hubs(2) != 2)
        return -1;
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
        cmocka_unit_test(thrown_at_a_plain_call),
        cmocka_unit_test(late_plain_call_has_not_expired),
        cmocka_unit_test(too_late_from_the_start),
        cmocka_unit_test(abandoned_in_line),
        cmocka_unit_test(lane_grows_to_its_maximum),
        cmocka_unit_test(lane_without_threads_holds_its_jobs),
        cmocka_unit_test(lane_shrinks_by_its_maximum),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(idle_threads_above_the_minimum_end),
        cmocka_unit_test(starters_wait_for_room),
        cmocka_unit_test(starters_leave),
        cmocka_unit_test(room_grows),
        cmocka_unit_test(jobs_are_cancelled),
        cmocka_unit_test(jobs_are_waited_for),
        cmocka_unit_test(jobs_are_let_go),
        cmocka_unit_test(jobs_call_back),
        cmocka_unit_test(hub_to_call_has_ended),
        cmocka_unit_test(jobs_of_callbacks),
        cmocka_unit_test(jobs_start_jobs),
        cmocka_unit_test(hub_of_a_job_ends_with_it),
        cmocka_unit_test(idle_threads_end),
    };
    return cmocka_run_group_tests(tests, open_pipe, NULL);
}
