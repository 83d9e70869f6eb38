/* test_fork_lanes.c - in a child of fork(2): OS threads for what must block, and what stands on
 * them: look-ups, files. */
#include "forks.h"

#include <green/dns.h>
#include <green/file.h>
#include <stdatomic.h>

static int look_up(void)
{
    struct addrinfo *list = NULL;
    must(green_getaddrinfo("localhost", "80", NULL, &list) == 0);
    green_freeaddrinfo(list);
    return 0;
}

static int look_up_thread(void *arg)
{
    (void)arg;
    return look_up();
}

/* The parent's look-up of the same name does not go on here. */
static int look_up_alone(void)
{
    alarm(30); /* it would wait for ever */
    must(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 4) == 0);
    return look_up();
}

/* Scenario 147: after one in the parent, and during one. */
static void look_ups(void **state)
{
    int result = -1;
    (void)state;
    assert_int_equal(look_up(), 0);
    for (int i = 0; i < 5; i++)
        in_child(look_up);
    assert_int_equal(look_up(), 0);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 0), 0);
    green_thread *t = green_spawn(look_up_thread, NULL);
    green_yield(); /* it waits for an OS thread of the lane */
    in_child(look_up_alone);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 256), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
}

static bool enough;

static int keep_looking_up(void *arg)
{
    char port[8];
    for (int n = 1; !enough; n++) {
        struct addrinfo *list = NULL;
        snprintf(port, sizeof port, "%d", *(int *)arg * 1000 + n % 1000); /* not joined */
        if (green_getaddrinfo("localhost", port, NULL, &list) != 0)
            return -1;
        green_freeaddrinfo(list);
    }
    return 0;
}

static int look_up_in_time(void)
{
    alarm(30); /* it would wait for ever */
    return look_up();
}

/* Scenario 147: while OS threads of the parent are inside of libc's look-ups. */
static void meets_look_ups(void **state)
{
    enum { MANY = 4 };
    static int numbers[MANY] = {1, 2, 3, 4};
    green_group g = GREEN_GROUP_INIT;
    (void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    print_message("# skipped: a sanitizer's own locks do not outlive it\n");
    return;
#endif
    if (RUNNING_ON_VALGRIND) {
        print_message("# skipped: valgrind's OS threads sleep whenever it is not their turn\n");
        return;
    }
    enough = false;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(green_group_spawn(&g, keep_looking_up, &numbers[i]), 0);
    for (int i = 0; i < fewer(100); i++) {
        green_sleep(GREEN_MS);
        in_child(look_up_in_time);
    }
    enough = true;
    assert_int_equal(green_group_join(&g), 0);
}

/* ---- a module of libc's that forks to find an answer ---- */

static char by_module[] = "by.module";
static pid_t program = -1; /* what it ran */

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    if (node == NULL || strcmp(node, by_module) != 0)
        return __real_getaddrinfo(node, service, hints, result);
    program = fork();
    if (program == 0)
        _exit(0);
    return program < 0 ? EAI_SYSTEM : EAI_NONAME;
}

/* Scenario 147: inside of a look-up; it does not wait for itself until its patience ends. */
static void forks_inside(void **state)
{
    struct addrinfo *list = NULL;
    int64_t took = INT64_MAX;
    (void)state;
    for (int i = 0; i < 5 && took > 4 * GREEN_SEC; i++) { /* again if the machine stood still */
        int64_t begun = green_now();
        assert_int_equal(green_getaddrinfo(by_module, "80", NULL, &list), EAI_NONAME);
        took = green_now() - begun;
        assert_int_equal(status_of(program), 0);
    }
    assert_true(took < 4 * GREEN_SEC);
}

/* ---- lanes ---- */

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
        cmocka_unit_test(look_ups),
        cmocka_unit_test(meets_look_ups),
        cmocka_unit_test(forks_inside),
        cmocka_unit_test(lanes_in_a_child),
    };
    parent = getpid();
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
