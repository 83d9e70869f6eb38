/* test_standstill.c - nothing is left that could wake main: its wait fails with EDEADLK and says
 * who waits for what; and not while anything is left. */
#include "hubs.h"

#include "self.h"

#include <event2/event.h>
#include <fcntl.h>
#include <green/event.h>
#include <green/fd.h>
#include <green/offload.h>
#include <green/select.h>
#include <green/signal.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

static green_event never = GREEN_EVENT_INIT;

static int await_never(void *arg)
{
    (void)arg;
    return green_event_wait(&never) < 0 ? errno : 0;
}

static bool strangers; /* OS threads of an emulator or a sanitizer: nothing is certain then */

static bool alone(void)
{
    if (strangers)
        print_message(
            "# skipped: the process has other OS threads (a sanitizer's, an emulator's)\n");
    return !strangers;
}

/* ---- one hub ---- */

/* Scenario 61: main waits for nothing; the message lists who waits; afterwards all goes on. */
static void test_nothing_left(void **state)
{
    int result = 0;
    (void)state;
    if (!alone())
        return;
    green_hub_stats before = stats_now();
    assert_fails(green_event_wait(&never), EDEADLK);
    green_thread *t = green_spawn(await_never, NULL);
    green_set_name(t, "patient");
    assert_fails(green_join(t, NULL), EDEADLK);
    assert_non_null(strstr(green_errmsg(), "patient waits for event"));
    assert_non_null(strstr(green_errmsg(), "main waits for the end of a thread"));
    assert_int_equal(green_sleep(GREEN_MS), 0); /* the loop is as good as before */
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_nothing_left(before);
}

static int await_in_vain(void *arg)
{
    (void)arg;
    return green_event_wait(&never) < 0 && errno == ECANCELED ? -1 : 0;
}

/* Scenarios 37, 61: a join that can never end cancels the group, and leaves no child. */
static void test_group(void **state)
{
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    if (!alone())
        return;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 3; i++)
        assert_int_equal(green_group_spawn(&g, await_in_vain, NULL), 0);
    assert_fails(green_group_join(&g), EDEADLK);
    assert_non_null(strstr(green_errmsg(), "main waits for end of group"));
    assert_nothing_left(before);
}

static int set_later(void *arg)
{
    green_sleep(5 * GREEN_MS);
    return green_event_set(arg);
}

static void *set_from_outside(void *arg)
{
    usleep(20000); /* an OS thread that the library knows nothing of yet */
    green_event_set(arg);
    return NULL;
}

static int read_byte(void *arg)
{
    char c;
    return green_read(*(int *)arg, &c, 1) == 1 ? green_event_set(&never) : -1;
}

/* Scenario 62: a timer, a descriptor, another OS thread may still come. */
static void test_something_left(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    pthread_t thread;
    int fd[2];
    (void)state;
    green_thread *t = green_spawn(set_later, &e);
    assert_int_equal(green_event_wait(&e), 0);
    green_join(t, NULL);
    green_event_clear(&e);
    assert_int_equal(pthread_create(&thread, NULL, set_from_outside, &e), 0);
    assert_int_equal(green_event_wait(&e), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    t = green_spawn(read_byte, &fd[0]);
    green_within(20 * GREEN_MS)
        assert_fails(green_event_wait(&never), ETIMEDOUT);
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_int_equal(green_event_wait(&never), 0);
    green_event_clear(&never);
    green_join(t, NULL);
    green_close(fd[0]);
    close(fd[1]);
}

static int set_when_readable(void *fd)
{
    return green_select(GREEN_READABLE(*(int *)fd)) == 0 ? green_event_set(&never) : -1;
}

static void set_by_callback(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    green_event_set(&never);
}

/* Scenario 62: nor while somebody waits for a descriptor, or the program has events of its own in
 * the loop, without any timer of ours. */
static void test_events_left(void **state)
{
    struct itimerspec soon = {.it_value.tv_nsec = 10000000};
    struct timeval too = {0, 10000};
    (void)state;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    assert_int_equal(timerfd_settime(fd, 0, &soon, NULL), 0);
    green_thread *t = green_spawn(set_when_readable, &fd);
    assert_int_equal(green_event_wait(&never), 0);
    assert_int_equal(green_join(t, NULL), 0);
    green_close(fd);
    green_event_clear(&never);
    struct event *ev = event_new(green_hub_event_base(), -1, 0, set_by_callback, NULL);
    assert_int_equal(event_add(ev, &too), 0);
    assert_int_equal(green_event_wait(&never), 0);
    event_free(ev);
    green_event_clear(&never);
}

#ifndef GREEN_TEST_EMULATED
static int set_by_signal(int number, void *event)
{
    return number == SIGALRM ? green_event_set(event) : -1;
}

/* Scenario 62: nor while a handler waits for a signal, without any other thread or timer. */
static void test_signal_left(void **state)
{
    struct itimerval soon = {.it_value.tv_usec = 20000};
    green_event e = GREEN_EVENT_INIT;
    (void)state;
    if (!alone())
        return;
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGALRM), set_by_signal, &e);
    assert_non_null(s);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(green_event_wait(&e), 0);
    assert_int_equal(green_signal_close(s), 0);
    assert_fails(green_event_wait(&never), EDEADLK);
}
#endif

struct word {
    struct message message;
    struct wait_queue queue;
};

static void arrive(struct message *message)
{
    wake_first(&CONTAINER(message, struct word, message)->queue, 0);
}

/* Scenario 62: nor while the last word of another hub, which has ended since, is not read yet. */
static void test_message_left(void **state)
{
    struct word word = {.message.run = arrive};
    (void)state;
    hub_post(self_hub(), &word.message);
    assert_int_equal(park(self_hub(), &word.queue, WAIT_BACK, INT64_MAX, "a word", 0), 0);
}

#ifndef GREEN_TEST_EMULATED
static struct word late = {.message.run = arrive};

/* What a program's handler must not do. Once, however many signals come. */
static void send_late(int number)
{
    static volatile sig_atomic_t sent;
    (void)number;
    if (!sent)
        hub_post(self_hub(), &late.message);
    sent = 1;
}

/* Scenario 62: nor behind a shield; what comes all the same is not missed. */
static void test_shielded(void **state)
{
    const struct sigaction action = {.sa_handler = send_late, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 50000}, {0, 50000}}, off = {{0, 0}, {0, 0}};
    struct sigaction before;
    int err = -1;
    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    green_shield()
        err = park(self_hub(), &late.queue, WAIT_BACK, INT64_MAX, "a word", 0);
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(err, 0);
    if (!RUNNING_ON_VALGRIND) /* it may bring one late */
        assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}
#endif

/* ---- other OS threads, lanes ---- */

/* Until the hub sleeps in vain. */
static void await_rest(const struct green_hub *hub)
{
    while (atomic_load(&hub->rests) % 2 == 0)
        sched_yield();
}

static atomic_bool over;

static void *look_on(void *hub)
{
    await_rest(hub);
    over = true;
    return NULL;
}

/* Main hears of the standstill when the OS thread has ended. */
static void end_without(void *(*elsewhere)(void *hub))
{
    pthread_t thread;
    if (!alone())
        return;
    for (int i = 0; i < 5; i++) {
        over = false;
        assert_int_equal(pthread_create(&thread, NULL, elsewhere, green_hub_self()), 0);
        assert_fails(green_event_wait(&never), EDEADLK);
        assert_true(over);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

/* Scenario 61: an OS thread of the program's could wake main, but ends without. */
static void test_os_thread_ends(void **state)
{
    (void)state;
    end_without(look_on);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Scenario 61: a lane's OS thread that has nothing to do hides nothing. */
static void test_idle_lane(void **state)
{
    green_lane_stats lane;
    (void)state;
    if (!alone())
        return;
    assert_int_equal(green_lane_set_idle(NULL, 3600 * GREEN_SEC), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(green_offload(do_nothing, NULL, NULL), 0);
        assert_fails(green_event_wait(&never), EDEADLK);
    }
    green_lane_stats_get(NULL, &lane);
    assert_true(lane.threads > 0);
    assert_int_equal(green_lane_set_idle(NULL, 3 * GREEN_SEC), 0); /* as before */
}

static int look_on_in_lane(void *hub)
{
    return look_on(hub) != NULL;
}

/* Scenarios 61, 62: a job that nobody waits for could wake main, until it is over. */
static void test_job_under_way(void **state)
{
    (void)state;
    if (!alone())
        return;
    for (int i = 0; i < 20; i++) {
        over = false;
        green_job *job = green_job_start(NULL, look_on_in_lane, green_hub_self());
        assert_non_null(job);
        green_job_free(job);
        assert_fails(green_event_wait(&never), EDEADLK);
        assert_true(over);
    }
}

static void set_at_end(void *event, int result)
{
    (void)result;
    green_event_set(event);
}

/* Scenario 62: nor before it has called back. */
static void test_job_calls_back(void **state)
{
    green_job_options options = {.done = set_at_end};
    (void)state;
    for (int i = 0; i < 100; i++) {
        green_event e = GREEN_EVENT_INIT;
        green_job *job = green_job_start(&options, do_nothing, &e);
        assert_non_null(job);
        assert_int_equal(green_job_wait(job, NULL), 0);
        assert_int_equal(green_event_wait(&e), 0);
        green_job_free(job);
    }
}

/* Scenario 61: OS threads of a lane are ending, or have just ended. */
static void test_lane_ends(void **state)
{
    (void)state;
    if (!alone())
        return;
    for (int i = 0; i < 100; i++) {
        green_lane *lane = green_lane_make(&(green_lane_options){.idle = 1 + i % 2 * GREEN_MS});
        green_job_options options = {.lane = lane};
        green_job *job = green_job_start(&options, do_nothing, NULL);
        assert_int_equal(green_job_wait(job, NULL), 0);
        green_job_free(job);
        green_lane_free(lane);
        assert_fails(green_event_wait(&never), EDEADLK);
    }
}

/* ---- several hubs ---- */

/* Scenario 61: they all sleep. Main hears of all who wait, on whatever hub. */
static void test_nothing_left_on_hubs(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    (void)state;
    assert_true(green_hubs(3) >= 3);
    if (!alone())
        return;
    green_spawn_options options = {.name = "patient", .hub = other_hub()};
    green_thread *t = green_spawn_with(&options, await_never, NULL);
    for (int i = 0; i < 100; i++) {
        assert_fails(green_event_wait(&e), EDEADLK);
        assert_non_null(strstr(green_errmsg(), "main waits for event, patient on hub "));
        assert_null(strstr(green_errmsg(), "work"));
    }
    assert_fails(green_join(t, NULL), EDEADLK);
    assert_int_equal(green_event_set(&never), 0);
    assert_int_equal(green_join(t, NULL), 0);
    green_event_clear(&never);
}

/* Scenario 62: something is left on another hub. */
static void test_something_left_on_a_hub(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    char c = 'x';
    int fd[2];
    (void)state;
    green_spawn_options there = {.hub = other_hub()};
    green_thread *t = green_spawn_with(&there, set_later, &e);
    assert_int_equal(green_event_wait(&e), 0);
    green_join(t, NULL);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    t = green_spawn_with(&there, read_byte, &fd[0]);
    green_within(20 * GREEN_MS)
        assert_fails(green_event_wait(&never), ETIMEDOUT);
    assert_int_equal(write(fd[1], &c, 1), 1);
    assert_int_equal(green_event_wait(&never), 0);
    green_event_clear(&never);
    green_join(t, NULL);
    green_close(fd[0]);
    close(fd[1]);
}

struct relay {
    green_event *in, *out;
};

static int pass_on(void *arg)
{
    struct relay *r = arg;
    return green_event_wait(r->in) < 0 ? errno : green_event_set(r->out);
}

/* Scenario 62: nor while word goes from hub to hub, each of which sleeps but for that. */
static void test_word_under_way(void **state)
{
    enum { HOPS = 6 };
    (void)state;
    for (int round = 0; round < fewer(2000); round++) {
        green_event e[HOPS + 1] = {GREEN_EVENT_INIT};
        struct relay r[HOPS];
        green_thread *t[HOPS];
        for (int i = 0; i < HOPS; i++) {
            green_spawn_options options = {.hub = green_hub_nth((unsigned)i)};
            r[i] = (struct relay){&e[i], &e[i + 1]};
            t[i] = green_spawn_with(&options, pass_on, &r[i]);
        }
        green_event_set(&e[0]);
        assert_int_equal(green_event_wait(&e[HOPS]), 0);
        for (int i = 0; i < HOPS; i++) {
            int result = -1;
            assert_int_equal(green_join(t[i], &result), 0);
            assert_int_equal(result, 0);
        }
    }
}

static void *wait_with_a_hub(void *arg)
{
    if (green_event_wait(arg) == 0)
        over = true;
    return NULL;
}

/* Scenario 61: of the OS threads that have a main each, the one that came first hears of it. */
static void test_several_mains(void **state)
{
    green_event e = GREEN_EVENT_INIT;
    pthread_t thread;
    (void)state;
    if (!alone())
        return;
    over = false;
    assert_int_equal(pthread_create(&thread, NULL, wait_with_a_hub, &e), 0);
    assert_fails(green_event_wait(&never), EDEADLK);
    assert_false(over);
    green_event_set(&e);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(over);
}

static void *pass_by(void *hub)
{
    green_sleep(1);
    return look_on(hub);
}

/* Scenario 61: an OS thread with a hub is elsewhere while all sleep, and then it ends. */
static void test_hub_ends(void **state)
{
    (void)state;
    end_without(pass_by);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_something_left),
        cmocka_unit_test(test_events_left),
#ifndef GREEN_TEST_EMULATED
        cmocka_unit_test(test_signal_left),
        cmocka_unit_test(test_shielded),
#endif
        cmocka_unit_test(test_message_left),
        cmocka_unit_test(test_os_thread_ends),
        cmocka_unit_test(test_idle_lane),
        cmocka_unit_test(test_job_under_way),
        cmocka_unit_test(test_job_calls_back),
        cmocka_unit_test(test_lane_ends),
        cmocka_unit_test(test_nothing_left_on_hubs),
        cmocka_unit_test(test_idle_lane),
        cmocka_unit_test(test_job_under_way),
        cmocka_unit_test(test_something_left_on_a_hub),
        cmocka_unit_test(test_word_under_way),
        cmocka_unit_test(test_several_mains),
        cmocka_unit_test(test_hub_ends),
        cmocka_unit_test(test_os_thread_ends),
    };
    struct stat st;
    strangers = stat("/proc/self/task", &st) < 0 || st.st_nlink != 3; /* as the library sees it */
    return cmocka_run_group_tests_name("standstill", tests, NULL, NULL);
}
