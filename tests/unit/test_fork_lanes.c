/* test_fork_lanes.c - in a child of fork(2): OS threads for what must block, and files, which stand
 * on them. */
#include "forks.h"

#include <green/file.h>
#include <stdatomic.h>

static int gate[2];
static atomic_int inside;
static green_lane *lane;
static green_job *running, *queued, *ended;

static int pass_gate(void *arg)
{
    char c;
    (void)arg;
    atomic_fetch_add(&inside, 1);
    return read(gate[0], &c, 1) == 1 ? 0 : -1;
}

static int use_a_file(void)
{
    char buf[4];
    int fd = green_open("/proc/self/stat", O_RDONLY); /* no call on it succeeds at once */
    must(fd >= 0 && green_pread(fd, buf, 4, 0) == 4);
    must(green_close(fd) == 0);
    must(fcntl(fd, F_GETFD) < 0); /* whatever the parent did with it */
    return 0;
}

static int use_lanes(void)
{
    green_lane_stats stats;
    pthread_t where = pthread_self();
    must(green_job_wait(ended, NULL) == 0);
    must(green_job_wait(running, NULL) < 0 && errno == ESRCH);
    must(green_job_wait(queued, NULL) < 0 && errno == ESRCH);
    must(green_job_cancel(queued) < 0 && errno == ESRCH);
    green_lane_stats_get(lane, &stats);
    must(stats.threads == 0 && stats.queued == 0);
    green_job *job = green_job_start(&(green_job_options){.lane = lane}, on_pool, &where);
    must(job != NULL && green_job_wait(job, NULL) == 0 && where != pthread_self());
    green_job_free(job);
    green_job_free(ended);
    green_job_free(running);
    green_job_free(queued);
    green_lane_free(lane);
    must(green_offload(on_pool, &where, NULL) == 0);
    return use_a_file();
}

/* Scenario 120: lanes begin anew in a child; jobs on their way are the parent's. */
static void lanes_in_a_child(void **state)
{
    pthread_t where;
    (void)state;
    assert_int_equal(pipe(gate), 0);
    lane = green_lane_make(&(green_lane_options){.max = 1});
    assert_non_null(lane);
    green_job_options on_it = {.lane = lane};
    ended = green_job_start(&on_it, on_pool, &where);
    assert_int_equal(green_job_wait(ended, NULL), 0);
    running = green_job_start(&on_it, pass_gate, NULL);
    queued = green_job_start(&on_it, pass_gate, NULL);
    wait_for(atomic_load(&inside) == 1);
    in_child(use_lanes);
    assert_int_equal(write(gate[1], "xx", 2), 2);
    assert_int_equal(green_job_wait(running, NULL), 0);
    assert_int_equal(green_job_wait(queued, NULL), 0);
    green_job_free(ended);
    green_job_free(running);
    green_job_free(queued);
    green_lane_free(lane);
    close(gate[0]);
    close(gate[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_in_a_child),
    };
    parent = getpid();
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
