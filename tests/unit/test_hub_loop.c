/* test_hub_loop.c - the loop that a hub shares with the program's own events: callbacks, a loop of
 * the program's (green/hub.h). */
#include "hubs.h"

#include <event2/event.h>
#include <green/fd.h>
#include <pthread.h>

static int blocked_errno;
static char blocked_why[64];
static green_thread *far_thread;
static int far_errno;

static void on_far_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    errno = 0;
    far_errno = green_cancel(far_thread) < 0 ? errno : 0;
    *(bool *)arg = true;
}

/* Scenario 60: nor may a callback wait for another hub. */
static void test_callback_calls_no_other_hub(void **state)
{
    struct timeval soon = {0, 1000};
    bool called = false;
    (void)state;
    green_spawn_options there = {.hub = other_hub()};
    far_thread = green_spawn_with(&there, sleep_errno, NULL);
    assert_non_null(far_thread);
    struct event *ev = event_new(green_hub_event_base(), -1, 0, on_far_timer, &called);
    assert_int_equal(event_add(ev, &soon), 0);
    while (!called)
        green_sleep(GREEN_MS);
    event_free(ev);
    assert_int_equal(far_errno, EDEADLK);
    assert_int_equal(green_kill(far_thread, NULL), 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    blocked_errno = green_sleep(GREEN_MS) < 0 ? errno : 0;
    snprintf(blocked_why, sizeof blocked_why, "%s", green_errmsg());
    green_detach(green_spawn(where, arg)); /* spawning is allowed */
}

/* Scenario 60: it says what is wrong; and the loop shared with the program's own events. */
static void test_event_base(void **state)
{
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    (void)state;
    struct event_base *base = green_hub_event_base();
    assert_non_null(base);
    blocked_errno = 0;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    assert_int_equal(event_add(ev, &soon), 0);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_yield() == 0)
            continue;
    assert_int_equal(blocked_errno, EDEADLK);
    assert_string_equal(blocked_why, "a callback of the event loop must not wait");
    assert_ptr_equal(ran_on, green_hub_self());
    event_free(ev);
}

/* ---- what does harm to loops ---- */

/* As programs do that run the loop themselves. */
static void on_end_of_loop(evutil_socket_t fd, short what, void *calls)
{
    (void)fd, (void)what;
    if (++*(int *)calls % 2 == 0)
        event_base_loopbreak(green_hub_event_base());
    else
        event_base_loopexit(green_hub_event_base(), NULL);
    errno = EIO;
}

static int sleep_in_time(void *arg)
{
    int64_t start = green_now();
    (void)arg;
    errno = EXFULL;
    for (int i = 0; i < 10; i++)
        if (green_sleep(2 * GREEN_MS) < 0 || errno != EXFULL)
            return -1;
    int64_t took = green_now() - start;
    return took >= 20 * GREEN_MS && took < 20 * GREEN_SEC ? 0 : -2;
}

/* Scenario 57: callbacks that end the loop, and leave an errno, disturb no sleeper. */
static void test_callback_ends_the_loop(void **state)
{
    struct timeval often = {0, 500};
    int calls = 0;
    (void)state;
    green_hub_stats before = stats_now();
    struct event *ev = event_new(green_hub_event_base(), -1, EV_PERSIST, on_end_of_loop, &calls);
    assert_int_equal(event_add(ev, &often), 0);
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 3; i++)
        assert_int_equal(green_group_spawn(&g, sleep_in_time, NULL), 0);
    assert_int_equal(green_group_join(&g), 0);
    assert_true(calls >= 2);
    event_free(ev);
    assert_nothing_left(before);
}

enum { MOST = 256 };

static void descriptors_of(const char *kind, bool *are)
{
    for (int fd = 0; fd < MOST; fd++) {
        char path[32], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        are[fd] = readlink(path, target, sizeof target - 1) > 0 && strstr(target, kind) != NULL;
    }
}

static int read_errno(void *pipe)
{
    char c;
    return green_read(*(int *)pipe, &c, 1) < 0 ? errno : 0;
}

static int sleep_shielded(void *arg)
{
    int err = 0;
    (void)arg;
    green_shield()
        err = green_sleep(20 * GREEN_MS) < 0 ? errno : 0;
    return err;
}

static int note_run(void *ran)
{
    *(bool *)ran = true;
    return 0;
}

struct loss {
    const char *kind; /* of descriptor */
    int pipe[2];
    int closed;
    int sleepers, readers, shielded, errors[3]; /* what their calls failed with */
    bool ran;                                   /* one that was to start in an hour */
    char why[100];
};

/* An OS thread whose loop loses descriptors while green threads wait there. */
static void *lose(void *arg)
{
    struct loss *l = arg;
    bool before[MOST], after[MOST];
    descriptors_of(l->kind, before);
    green_thread *sleeper = green_spawn(sleep_errno, NULL);
    green_thread *reader = green_spawn(read_errno, &l->pipe[0]);
    green_thread *shielded = green_spawn(sleep_shielded, NULL);
    green_spawn_options later = {.detached = true, .delay = 3600 * GREEN_SEC};
    green_spawn_with(&later, note_run, &l->ran);
    green_sleep(1);
    descriptors_of(l->kind, after);
    for (int fd = 0; fd < MOST; fd++)
        if (after[fd] && !before[fd])
            l->closed += close(fd) == 0;
    l->errors[0] = green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
    snprintf(l->why, sizeof l->why, "%s", green_errmsg());
    l->errors[1] = green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
    struct pollfd p = {l->pipe[1], 0, 0}; /* not watched yet */
    l->errors[2] = green_poll(&p, 1, 3600 * 1000) < 0 ? errno : 0;
    green_join(sleeper, &l->sleepers);
    green_join(reader, &l->readers);
    green_shield()
        green_join(shielded, &l->shielded);
    return NULL;
}

/* Scenario 67: all waits fail that may fail, and the OS thread ends as others do. */
static void test_descriptors_are_closed(void **state)
{
    static const char *const kinds[] = {"[eventpoll]", "[timerfd]"};
    (void)state;
    green_self();
    int fds = fds_open();
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct loss l = {.kind = kinds[i], .shielded = -1};
        pthread_t thread;
        assert_int_equal(pipe(l.pipe), 0);
        assert_int_equal(pthread_create(&thread, NULL, lose, &l), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(l.closed, 1);
        assert_true(l.errors[0] == EBADF && l.errors[1] == EBADF && l.errors[2] == EBADF);
        assert_true(l.sleepers == EBADF && l.readers == EBADF);
        assert_true(l.shielded == 0 && !l.ran);
        assert_string_equal(l.why, "the event loop cannot wait: somebody has closed its "
                                   "descriptors");
        close(l.pipe[0]);
        close(l.pipe[1]);
    }
    assert_int_equal(fds_open(), fds);
}

/* ---- a loop of the program's ---- */

static void *run_on_given_base(void *arg)
{
    bool *ok = arg;
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    struct event_base *base = event_base_new();
    *ok = green_hub_attach(base) == 0 && green_hub_event_base() == base;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    event_add(ev, &soon);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_sleep(GREEN_MS) == 0)
            continue;
    *ok = *ok && ran_on == green_hub_self() && green_hub_attach(base) < 0 && errno == EBUSY &&
          strstr(green_errmsg(), "already") != NULL;
    event_free(ev);
    return base;
}

/* Scenario 68: the program's own loop under the hub, and still the program's afterwards. */
static void test_attach(void **state)
{
    bool ok = false;
    pthread_t thread;
    void *base = NULL;
    (void)state;
    assert_fails(green_hub_attach(NULL), EINVAL);
    assert_int_equal(pthread_create(&thread, NULL, run_on_given_base, &ok), 0);
    assert_int_equal(pthread_join(thread, &base), 0);
    assert_true(ok);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_calls_no_other_hub),
        cmocka_unit_test(test_event_base),
        cmocka_unit_test(test_callback_ends_the_loop),
        cmocka_unit_test(test_descriptors_are_closed),
        cmocka_unit_test(test_attach),
    };
    return cmocka_run_group_tests_name("hub_loop", tests, NULL, NULL);
}
