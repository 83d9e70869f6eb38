/* test_deadlock.c - waits that can never end fail with EDEADLK and say why. */
#include "unit.h"

#include "self.h"

#include <event2/event.h>
#include <fcntl.h>
#include <green/event.h>
#include <green/fd.h>
#include <green/mutex.h>
#include <green/select.h>
#include <green/signal.h>
#include <pthread.h>
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

/* Only a process of one OS thread is certain that nobody else can come; an emulator has its own. */
static bool alone(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) == 0 && st.st_nlink == 3;
}

/* Scenario 61: main waits for nothing; the message lists who waits; afterwards all goes on. */
static void test_nothing_left(void **state)
{
    int result = 0;
    (void)state;
    if (!alone()) {
        print_message("# skipped: the process has other OS threads (an emulator's)\n");
        return;
    }
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
    if (!alone()) {
        print_message("# skipped: the process has other OS threads (an emulator's)\n");
        return;
    }
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGALRM), set_by_signal, &e);
    assert_non_null(s);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(green_event_wait(&e), 0);
    assert_int_equal(green_signal_close(s), 0);
    assert_fails(green_event_wait(&never), EDEADLK);
}

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

struct pair {
    green_mutex *first, *second;
};

static int lock_both(void *arg)
{
    struct pair *p = arg;
    int err = 0;
    green_mutex_lock(p->first);
    green_yield();
    if (green_mutex_lock(p->second) < 0)
        err = errno;
    else
        green_mutex_unlock(p->second);
    green_mutex_unlock(p->first);
    return err;
}

/* A cycle is found at once, also while timers are alive. */
static void test_mutex_cycle(void **state)
{
    green_mutex a = GREEN_MUTEX_INIT, b = GREEN_MUTEX_INIT;
    struct pair ab = {&a, &b}, ba = {&b, &a};
    int first = -1, second = -1;
    (void)state;
    green_thread *ticker = green_spawn(sleep_long, NULL);
    green_thread *s = green_spawn(lock_both, &ab), *t = green_spawn(lock_both, &ba);
    assert_int_equal(green_join(s, &first), 0);
    assert_int_equal(green_join(t, &second), 0);
    assert_true((first == EDEADLK) != (second == EDEADLK)); /* one gives way */
    assert_true(first == 0 || second == 0);
    green_kill(ticker, NULL);
}

static int join_it(void *thread)
{
    return green_join(*(green_thread **)thread, NULL) < 0 ? errno : 0;
}

static void test_join_cycle(void **state)
{
    green_thread *t = NULL, *main_thread = green_self();
    int result;
    (void)state;
    t = green_spawn(join_it, &main_thread);
    green_set_name(t, "child");
    green_yield();
    assert_fails(green_join(t, &result), EDEADLK);
    assert_string_equal(green_errmsg(), "deadlock: main waits for the end of child, "
                                        "which waits for the end of main");
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_something_left),
        cmocka_unit_test(test_events_left),  cmocka_unit_test(test_signal_left),
        cmocka_unit_test(test_mutex_cycle),  cmocka_unit_test(test_join_cycle),
        cmocka_unit_test(test_message_left),
    };
    return cmocka_run_group_tests_name("deadlock", tests, NULL, NULL);
}
