/* test_lane.c - lanes: as many OS threads as there is work for, within limits, and full queues. */
#include "narrow.h"

/* Scenario 114: as many OS threads as there is work for, up to the maximum. */
static void lane_grows_to_its_maximum(void **state)
{
    green_job *jobs[5];
    (void)state;
    green_lane *lane = green_lane_make(&(green_lane_options){.max = 3, .idle = 3600 * GREEN_SEC});
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
    int64_t used = cpu_time();
    green_sleep(500 * GREEN_MS);
    assert_true(cpu_time() - used < 50 * GREEN_MS); /* they sleep, as we did */
    assert_int_equal(stats_of(lane).threads, 2);
    assert_int_equal(green_lane_resize(lane, 0, 4), 0);
    wait_for(stats_of(lane).threads == 0);
    green_lane_free(lane);
}

/* Scenarios 114, 115: how long is too long can be changed, also for those that idle already. */
static void idle_time_changes(void **state)
{
    int n = 1;
    (void)state;
    green_lane *lane = green_lane_make(&(green_lane_options){.idle = 3600 * GREEN_SEC});
    finish(start_on(lane, twice, &n), 2);
    assert_int_equal(stats_of(lane).threads, 1);
    assert_int_equal(green_lane_set_idle(lane, GREEN_MS), 0);
    wait_for(stats_of(lane).threads == 0);
    green_lane_free(lane);
}

/* A deadline has cut a wait short: the sentence about that comes when the lane may be gone. */
static void the_sentence_outlives_the_lane(void **state)
{
    (void)state;
    make_narrow();
    green_within(GREEN_MS)
        assert_fails(green_job_wait(held[0], NULL), ETIMEDOUT);
    open_gate(1);
    free_narrow();
    errno = ETIMEDOUT;
    assert_string_equal(green_errmsg(), "timed out waiting for a job of a lane");
}

/* ---- a full queue ---- */

static int notes; /* begun to start, each with a number to release */

static int start_note(void *arg)
{
    notes++;
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

/* Scenario 114: there is room as soon as the one before begins: the job itself may still wait. */
static void room_for_one(void **state)
{
    int one = 1, result = -1;
    (void)state;
    narrow = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    for (int i = 0; i < 2; i++)
        held[i] = start_on(narrow, pass_gate, NULL);
    ordered = 0;
    green_thread *t = green_spawn(start_note, &one);
    wait_for(narrow->starting == 1);
    open_gate(1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(ordered, 0);
    open_gate(1);
    wait_for(stats_of(narrow).done == 3);
    assert_int_equal(ordered, 1);
    free_narrow();
}

/* Scenarios 107, 114: who waits for room and leaves has started nothing. */
static void starters_leave(void **state)
{
    int one = 1, two = 2, result = 0;
    (void)state;
    wait_for(atomic_load(&released) == notes); /* those of the tests before, just done */
    make_narrow();
    green_within(10 * GREEN_MS)
        assert_int_equal(start_note(&one), -ETIMEDOUT);
    assert_int_equal(atomic_load(&released), notes);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lane_grows_to_its_maximum),
        cmocka_unit_test(lane_without_threads_holds_its_jobs),
        cmocka_unit_test(lane_shrinks_by_its_maximum),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(idle_threads_above_the_minimum_end),
        cmocka_unit_test(idle_time_changes),
        cmocka_unit_test(the_sentence_outlives_the_lane),
        cmocka_unit_test(starters_wait_for_room),
        cmocka_unit_test(room_for_one),
        cmocka_unit_test(starters_leave),
        cmocka_unit_test(room_grows),
    };
    return cmocka_run_group_tests_name("lane", tests, open_pipe, NULL);
}
