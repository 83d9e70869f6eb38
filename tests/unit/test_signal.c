/* test_signal.c - signals received by green threads (green/signal.h). Run with an argument it is
 * the program that some of the tests start. */
#include "net_unit.h"

#include <green/fd.h>
#include <green/link.h>
#include <green/process.h>
#include <green/signal.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define USR1 GREEN_SIGNALS(SIGUSR1)

/* ThreadSanitizer keeps a signal that comes while no call waits for the green thread that runs
 * then: it is handled when that calls something, which may be never. */
#if defined(__SANITIZE_THREAD__)
enum { KEPT = 1 };
#else
enum { KEPT = 0 };
#endif

static green_signal *subscribed(const int *signals)
{
    green_signal *s = green_signal_open(signals);
    assert_non_null(s);
    return s;
}

static void ended(green_signal *s)
{
    assert_int_equal(green_signal_close(s), 0);
}

static void (*disposition(int number))(int)
{
    struct sigaction a;
    assert_int_equal(sigaction(number, NULL, &a), 0);
    return a.sa_handler;
}

static int wait_one(void *arg)
{
    return green_signal_wait(arg);
}

static int send_usr1(void *arg)
{
    (void)arg;
    return kill(getpid(), SIGUSR1);
}

/* Scenario 62: the program sleeps until one comes; before the wait; too late. */
static void waited_for(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    int fds = fds_open();
    green_signal *s = subscribed(GREEN_SIGNALS(SIGUSR1, SIGUSR2));
    green_thread *t = green_spawn(send_usr1, NULL);
    assert_int_equal(green_signal_wait(s), SIGUSR1);
    assert_int_equal(green_join(t, NULL), 0);
    raise(SIGUSR2); /* before the wait */
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(green_signal_wait(s), SIGUSR1);
    assert_int_equal(green_signal_wait(s), SIGUSR2);
    green_within(GREEN_MS)
        assert_fails(green_signal_wait(s), ETIMEDOUT);
    raise(SIGUSR1);
    assert_int_equal(green_signal_wait(s), SIGUSR1);
    ended(s);
    assert_nothing_left(before);
    assert_int_equal(fds_open(), fds);
    assert_ptr_equal(disposition(SIGUSR1), SIG_DFL);
}

/* Scenario 5: the signal is there for the next. */
static void cancelled(void **state)
{
    (void)state;
    int result = 0;
    green_signal *s = subscribed(USR1);
    green_thread *t = green_spawn(wait_one, s);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -1);
    raise(SIGUSR1); /* not lost with it */
    assert_int_equal(green_signal_wait(s), SIGUSR1);
    ended(s);
}

static void each_subscription_gets_it(void **state)
{
    (void)state;
    green_signal *s[3];
    for (size_t i = 0; i < COUNT(s); i++)
        s[i] = subscribed(USR1);
    raise(SIGUSR1);
    for (size_t i = 0; i < COUNT(s); i++)
        assert_int_equal(green_signal_wait(s[i]), SIGUSR1);
    ended(s[1]);
    raise(SIGUSR1);
    assert_int_equal(green_signal_wait(s[0]), SIGUSR1);
    ended(s[0]);
    assert_int_equal(green_signal_wait(s[2]), SIGUSR1);
    ended(s[2]);
    assert_ptr_equal(disposition(SIGUSR1), SIG_DFL);
}

/* Scenario 154: the descriptor. */
static void readable_while_pending(void **state)
{
    (void)state;
    green_signal *s = subscribed(GREEN_SIGNALS(SIGUSR1, SIGUSR2));
    struct pollfd p = {green_signal_fd(s), POLLIN, 0};
    assert_int_equal(green_poll(&p, 1, 0), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    for (int left = 2; left > 0; left--) {
        assert_int_equal(green_poll(&p, 1, 0), 1);
        assert_true(green_signal_wait(s) > 0);
    }
    assert_int_equal(green_poll(&p, 1, 0), 0);
    ended(s);
}

/* ---- several threads and hubs ---- */

static int count_until_usr2(void *arg)
{
    green_signal *s = green_signal_open(GREEN_SIGNALS(SIGUSR1, SIGUSR2));
    atomic_int *ready = arg;
    int number, count = 0;
    if (s == NULL)
        return -1;
    ++*ready;
    while ((number = green_signal_wait(s)) == SIGUSR1) {
        count++;
        ++*ready;
    }
    green_signal_close(s);
    return number == SIGUSR2 ? count : -1;
}

static void on_every_hub(void **state)
{
    (void)state;
    enum { N = 6, ROUNDS = 100 };
    atomic_int ready = 0;
    green_thread *t[N];
    int result;
    assert_true(green_hubs(3) >= 3);
    int fds = fds_open();
    for (int i = 0; i < N; i++) {
        green_spawn_options there = {.hub = green_hub_next()};
        t[i] = green_spawn_with(&there, count_until_usr2, &ready);
        assert_non_null(t[i]);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        wait_for(ready == N * round);
        kill(getpid(), SIGUSR1);
    }
    wait_for(ready == N * (ROUNDS + 1));
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < N; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, ROUNDS);
    }
    assert_int_equal(fds_open(), fds);
}

static void threads_of_one_subscription(void **state) /* none is lost between hubs */
{
    (void)state;
    enum { ROUNDS = 300 };
    static const int both[] = {SIGUSR1, SIGUSR2, 0};
    green_signal *s = subscribed(both);
    for (int round = 0; round < ROUNDS; round++) {
        green_thread *t[2];
        int got = 0, result;
        for (int i = 0; i < 2; i++) {
            green_spawn_options there = {.hub = green_hub_next()};
            t[i] = green_spawn_with(&there, wait_one, s);
            assert_non_null(t[i]);
        }
        kill(getpid(), SIGUSR1);
        kill(getpid(), SIGUSR2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(green_join(t[i], &result), 0);
            got += result;
        }
        assert_int_equal(got, SIGUSR1 + SIGUSR2);
    }
    ended(s);
}

/* ---- dispositions ---- */

static volatile sig_atomic_t seen;

static void see(int number)
{
    seen = number;
}

static void former_dispositions_come_back(void **state)
{
    (void)state;
    signal(SIGUSR1, see);
    signal(SIGUSR2, SIG_IGN);
    green_signal *a = subscribed(USR1);
    green_signal *b = subscribed(GREEN_SIGNALS(SIGUSR1, SIGUSR2));
    raise(SIGUSR1);
    assert_int_equal(seen, 0);
    ended(a);
    assert_ptr_not_equal(disposition(SIGUSR1), see);
    ended(b);
    assert_ptr_equal(disposition(SIGUSR1), see);
    assert_ptr_equal(disposition(SIGUSR2), SIG_IGN);
    raise(SIGUSR1);
    assert_int_equal(seen, SIGUSR1);

    a = subscribed(USR1);
    signal(SIGUSR1, SIG_IGN); /* the program has changed its mind */
    ended(a);
    assert_ptr_equal(disposition(SIGUSR1), SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void what_cannot_be_waited_for(void **state)
{
    (void)state;
    static const int wrong[][3] = {{SIGKILL}, {SIGSTOP}, {SIGSEGV}, {65}, {-1}, {0}};
    int fds = fds_open();
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_none(green_signal_open(wrong[i]), EINVAL, "can be waited for");
    assert_none(green_signal_open(GREEN_SIGNALS(SIGTERM, SIGKILL)), EINVAL, "waited");
    assert_none(green_signal_open(NULL), EINVAL, "waited");
    assert_ptr_equal(disposition(SIGTERM), SIG_DFL);
    assert_int_equal(green_signal_close(NULL), 0);
    assert_int_equal(fds_open(), fds);
}

/* ---- handlers ---- */

struct record {
    int calls, last, fails;
    bool blocks;
    green_signal *self;
};

static int on_signal(int number, void *arg)
{
    struct record *r = arg;
    r->calls++;
    r->last = number;
    if (r->self != NULL && (green_signal_close(r->self) == 0 || errno != EDEADLK))
        r->fails = EILSEQ;
    if (r->blocks && green_sleep(3600 * GREEN_SEC) < 0)
        return -1;
    if (r->fails != 0) {
        errno = r->fails;
        return -1;
    }
    return green_sleep(GREEN_MS);
}

/* Scenario 156: it may block. */
static void handler_runs_on_a_green_thread(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    struct record r = {0};
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGUSR1, SIGUSR2), on_signal, &r);
    assert_non_null(s);
    r.self = s;
    raise(SIGUSR1);
    wait_for(r.calls == 1);
    raise(SIGUSR2); /* while it sleeps */
    wait_for(r.calls == 2);
    assert_int_equal(r.last, SIGUSR2);
    assert_int_equal(r.fails, 0);
    ended(s);
    assert_nothing_left(before);
}

/* Scenario 156: before it ever ran, and while it blocks. */
static void handler_is_cancelled(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    struct record r = {.blocks = true};
    green_signal *s = green_signal_handle(USR1, on_signal, &r);
    ended(s); /* before it ever ran */
    s = green_signal_handle(USR1, on_signal, &r);
    raise(SIGUSR1);
    wait_for(r.calls == 1);
    ended(s);
    assert_true(stats_now().threads <= before.threads);
    assert_ptr_equal(disposition(SIGUSR1), SIG_DFL);
}

/* Scenario 156: with its subscription. */
static void handler_fails(void **state)
{
    (void)state;
    struct record r = {.fails = EPROTO};
    green_signal *s = green_signal_handle(USR1, on_signal, &r);
    raise(SIGUSR1);
    wait_for(r.calls == 1);
    raise(SIGUSR1); /* nobody's now, but harmless */
    green_sleep(GREEN_MS);
    assert_int_equal(r.calls, 1);
    assert_fails(green_signal_close(s), EPROTO);
    assert_ptr_equal(disposition(SIGUSR1), SIG_DFL);
}

/* ---- whole programs ---- */

static int plain_sleep(void)
{
    puts("asleep");
    fflush(stdout);
    green_sleep(3600 * GREEN_SEC);
    return 1;
}

static int ended_by_signal(int number, void *arg)
{
    (void)number;
    green_group_cancel(arg);
    return 0;
}

static int clean_end(void)
{
    green_group group = GREEN_GROUP_INIT;
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGINT), ended_by_signal, &group);
    for (int i = 0; i < 10; i++)
        green_group_spawn(&group, sleep_long, NULL);
    puts("asleep");
    fflush(stdout);
    int result = green_group_join(&group);
    green_signal_close(s);
    puts("cleaned up");
    return result < 0 && errno == ECANCELED ? 5 : 1;
}

static int raise_int(void *arg)
{
    (void)arg;
    raise(SIGINT);
    return sleep_long(NULL);
}

static void raise_in_callback(green_link *link)
{
    (void)link;
    raise(SIGINT);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Scenario 59: raised by a green thread, by a callback of the loop: main is told. */
static void interrupt_reaches_main(void **state)
{
    (void)state;
    for (int by_callback = 0; by_callback < 2; by_callback++) {
        green_group group = GREEN_GROUP_INIT;
        green_link link = GREEN_LINK_INIT;
        green_thread *t = green_spawn(nothing, NULL);
        green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGINT), ended_by_signal, &group);
        assert_non_null(s);
        assert_int_equal(green_group_spawn(&group, sleep_long, NULL), 0);
        if (by_callback)
            assert_int_equal(green_link_to(&link, t, raise_in_callback, NULL), 0);
        else
            assert_int_equal(green_group_spawn(&group, raise_int, NULL), 0);
        assert_fails(green_group_join(&group), ECANCELED);
        assert_int_equal(green_signal_close(s), 0);
        assert_int_equal(green_join(t, NULL), 0);
    }
}

/* Run ourselves, interrupt it when it says that it is asleep. */
static int interrupted(const char *what, char *rest, size_t size)
{
    char line[16];
    int status = -1;
    green_process_options o = {.out = GREEN_PIPE, .path = "/proc/self/exe"};
    green_process *p = green_process_spawn(&o, (char *const[]){"test_signal", (char *)what, NULL});
    assert_non_null(p);
    assert_int_equal(green_read(green_process_fd(p, 1), line, sizeof line), 7);
    ssize_t n = -1;
    do { /* again, where the first has been kept */
        assert_int_equal(green_process_signal(p, SIGINT), 0);
        green_within(KEPT ? 10 * GREEN_SEC : INT64_MAX)
            n = green_read(green_process_fd(p, 1), rest, size - 1);
    } while (KEPT && n < 0 && errno == ETIMEDOUT);
    assert_true(n >= 0);
    rest[n] = '\0';
    assert_int_equal(green_process_wait(p, &status), 0);
    green_process_destroy(p);
    return status;
}

/* Scenarios 59, 156: as the default has it, and by a handler. */
static void interrupt_ends_a_sleep(void **state)
{
    (void)state;
    char rest[32];
    if (!has_pidfds())
        return;
    signal(SIGINT, SIG_DFL); /* what a shell starts in the background ignores it */
    int status = interrupted("plain", rest, sizeof rest);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    status = interrupted("clean", rest, sizeof rest);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    assert_string_equal(rest, "cleaned up\n");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "plain") == 0 ? plain_sleep() : clean_end();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waited_for),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(each_subscription_gets_it),
        cmocka_unit_test(readable_while_pending),
        cmocka_unit_test(on_every_hub),
        cmocka_unit_test(threads_of_one_subscription),
        cmocka_unit_test(former_dispositions_come_back),
        cmocka_unit_test(what_cannot_be_waited_for),
        cmocka_unit_test(handler_runs_on_a_green_thread),
        cmocka_unit_test(handler_is_cancelled),
        cmocka_unit_test(handler_fails),
        cmocka_unit_test(interrupt_reaches_main),
        cmocka_unit_test(interrupt_ends_a_sleep),
    };
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
