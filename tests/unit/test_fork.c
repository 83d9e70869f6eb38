/* test_fork.c - fork(2) in a process with hubs (green/hub.h). The children leave by _exit, with a
 * number that tells what went wrong. */
#include "forks.h"

#include <fcntl.h>
#include <green/coroutine.h>
#include <green/fd.h>
#include <green/link.h>
#include <green/local.h>
#include <green/process.h>
#include <green/signal.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- what runs in the parent ---- */

static volatile long ticks;
static volatile long echoed;

static int tick(void *arg)
{
    (void)arg;
    do
        ticks++;
    while (green_sleep(GREEN_MS) == 0);
    return 0;
}

static int count_bytes(void *arg)
{
    char buf[64];
    ssize_t n;
    while ((n = green_read(*(int *)arg, buf, sizeof buf)) > 0)
        echoed += n;
    return 0;
}

static int add(void *arg)
{
    ++*(int *)arg;
    return green_yield();
}

/* ---- a child uses everything ---- */

static int pair[2];

static int everything(void)
{
    int fds[2], n = 0, result;
    char buf[4];
    pthread_t where = pthread_self();
    long before = ticks;
    must(green_sleep(20 * GREEN_MS) == 0);
    must(ticks == before); /* that thread is not here */
    must(stats_now().timers == 0);

    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 10; i++)
        must(green_group_spawn(&g, add, &n) == 0);
    must(green_group_join(&g) == 0 && n == 10);
    must(green_offload(on_pool, &where, NULL) == 0 && where != pthread_self());

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    green_within(GREEN_MS)
        must(green_read(fds[0], buf, 1) < 0 && errno == ETIMEDOUT);
    must(green_write(fds[1], "abcd", 4) == 4 && green_read(fds[0], buf, 4) == 4);
    must(green_close(fds[0]) == 0 && green_close(fds[1]) == 0);
    must(green_close(pair[0]) == 0); /* its number was registered in the parent's loop */

    must(green_hubs(2) == 2);
    green_spawn_options other = {0};
    for (int i = 0; i < 4; i++) {
        other.hub = green_hub_next();
        must(green_join(green_spawn_with(&other, add, &n), &result) == 0 && result == 0);
    }
    must(n == 14);
    must(green_hubs_end() == 0 && green_hubs(1) == 1);
    return 0;
}

/* Scenarios 120, 157: the child uses everything, and the parent does not notice. */
static void parent_is_unaffected(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    green_thread *ticker = green_spawn(tick, NULL);
    green_thread *reader = green_spawn(count_bytes, &pair[0]);
    pthread_t pool;
    assert_int_equal(green_offload(on_pool, &pool, NULL), 0);
    int fds = fds_open();
    for (int i = 1; i <= 10; i++) {
        long seen = ticks;
        in_child(everything);
        wait_for(ticks > seen);
        assert_int_equal(green_write(pair[1], "x", 1), 1);
        wait_for(echoed == i);
    }
    assert_int_equal(fds_open(), fds);
    assert_int_equal(green_kill(ticker, NULL), 0);
    assert_int_equal(green_kill(reader, NULL), 0);
    green_close(pair[0]);
    green_close(pair[1]);
    assert_nothing_left(before);
}

/* ---- who forks ---- */

static int grandchild(void)
{
    pid_t pid = fork(); /* at once: no hub was made yet */
    int status = -1;
    if (pid == 0)
        leave(everything());
    must(waitpid(pid, &status, 0) == pid && status == 0);
    return everything();
}

/* Scenario 157: at once, and again. */
static void children_fork(void **state)
{
    (void)state;
    pair[0] = dup(0);
    in_child(grandchild);
    close(pair[0]);
}

struct forker {
    pid_t child;
    bool sleeps;
    int result;
};

/* It sleeps, and finds itself alone. */
static bool works_alone(void)
{
    bool alone = false;
    green_within(10 * GREEN_SEC)
        alone = green_sleep(GREEN_MS) == 0 && green_hub_wait_idle() == 0;
    return alone;
}

static int fork_and_return(void *arg)
{
    struct forker *f = arg;
    f->child = fork();
    if (f->child != 0)
        return 0;
    if (f->sleeps && !works_alone())
        return f->result < 0 ? 0 : -1;
    return f->result;
}

static int fork_result(struct forker f, green_hub *hub)
{
    green_spawn_options options = {.hub = hub};
    green_thread *ticker = green_spawn(tick, NULL);
    green_thread *t = green_spawn_with(&options, fork_and_return, &f);
    assert_int_equal(green_join(t, NULL), 0);
    int status = status_of(f.child);
    assert_int_equal(green_kill(ticker, NULL), 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Scenario 157: if it was not the main one that forked. */
static void child_ends_with_its_thread(void **state)
{
    (void)state;
    assert_int_equal(fork_result((struct forker){.sleeps = true}, NULL), 0);
    assert_int_equal(fork_result((struct forker){.sleeps = true, .result = -1}, NULL), 1);
    assert_int_equal(fork_result((struct forker){.sleeps = false}, NULL), 0);
    assert_int_equal(fork_result((struct forker){.sleeps = false, .result = -1}, NULL), 1);
}

/* Scenario 157: on an OS thread of ours. */
static void another_hub_forks(void **state)
{
    (void)state;
    assert_true(green_hubs(2) >= 2);
    for (int i = 0; i < 4; i++) {
        struct forker f = {.sleeps = i % 2 == 0, .result = -1};
        assert_int_equal(fork_result(f, green_hub_next()), 1);
    }
}

static void *os_thread_forks(void *arg)
{
    pid_t *pid = arg;
    green_sleep(GREEN_MS);
    *pid = fork();
    if (*pid == 0)
        green_sleep(GREEN_MS);
    return NULL; /* in the child, too: its hub ends with it, and the process with that */
}

/* Scenario 157: on an OS thread of the program's. */
static void an_os_thread_forks(void **state)
{
    (void)state;
    pthread_t thread;
    pid_t pid = -1;
    assert_int_equal(pthread_create(&thread, NULL, os_thread_forks, &pid), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status_of(pid), 0);
}

/* ---- what a daemon does: close all, open its own ---- */

static int close_all_and_open(void)
{
    enum { FIRST = 3, LAST = 100 };
    int fds[2], opened[20];
    char c;
    for (int fd = FIRST; fd <= LAST; fd++)
        close(fd);
    for (int i = 0; i < 20; i++)
        must((opened[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) == FIRST + i);
    must(green_sleep(GREEN_MS) == 0);
    for (int i = 0; i < 20; i++)
        must(fcntl(opened[i], F_GETFD) == FD_CLOEXEC);
    must(pipe(fds) == 0);
    green_within(GREEN_MS)
        must(green_read(fds[0], &c, 1) < 0 && errno == ETIMEDOUT);
    return 0;
}

/* Scenario 157: what a child opens where the parent's loop had its descriptors stays open. */
static void child_closes_all(void **state)
{
    (void)state;
    in_child(close_all_and_open);
}

/* ---- what goes along ---- */

static green_thread *vanished;
static green_hub *other_hub;

static void nothing(void *arg)
{
    (void)arg;
}

static int call_the_vanished(void)
{
    must(green_cancel(vanished) < 0 && errno == ESRCH);
    must(green_join(vanished, NULL) < 0 && errno == ESRCH);
    must(green_wait_any(&vanished, 1) < 0 && errno == ESRCH);
    must(green_hub_run(other_hub, nothing, NULL) < 0 && errno == ESRCH);
    must(green_hubs_end() == 0 && green_hubs(1) == 1);
    return 0;
}

/* Scenario 157: they fail. */
static void calls_on_what_is_gone(void **state)
{
    (void)state;
    vanished = green_spawn(sleep_long, NULL);
    while ((other_hub = green_hub_next()) == green_hub_self())
        continue;
    green_yield();
    in_child(call_the_vanished);
    assert_int_equal(green_kill(vanished, NULL), 0);
}

static void leave_badly(green_link *link)
{
    (void)link;
    _exit(2);
}

static int fork_linked(void *pid)
{
    green_link link = GREEN_LINK_INIT;
    if (green_link_to(&link, green_self(), leave_badly, NULL) < 0)
        return -1;
    *(pid_t *)pid = fork();
    return green_link_cut(&link);
}

/* Scenario 157: what was linked to the thread that forks can be cut on both sides. */
static void links_go_along(void **state)
{
    pid_t pid = -1;
    int result = -1;
    (void)state;
    green_thread *t = green_spawn(fork_linked, &pid);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(status_of(pid), 0);
}

static int sleep_too_long(void)
{
    green_thread *self = green_self();
    must(green_sleep(3600 * GREEN_SEC) < 0 && errno == ETIMEDOUT);
    must(green_self() == self);
    return 0;
}

/* Scenario 157: in the child as in the parent. */
static void deadline_goes_along(void **state)
{
    (void)state;
    pid_t pid = -1;
    green_thread *self = green_self();
    green_within(50 * GREEN_MS) {
        pid = fork();
        if (pid == 0 && sleep_too_long() != 0)
            _exit(1);
    }
    if (pid == 0) {
        bool ours = green_expired() && green_self() == self && green_sleep(GREEN_MS) == 0;
        _exit(ours ? 0 : 2);
    }
    assert_int_equal(status_of(pid), 0);
}

static green_signal *subscription;

static int signalled(void)
{
    green_within(GREEN_MS)
        must(green_signal_wait(subscription) < 0 && errno == ETIMEDOUT);
    raise(SIGUSR1);
    must(green_signal_wait(subscription) == SIGUSR1);
    raise(SIGUSR1);
    must(green_signal_close(subscription) == 0);
    return 0;
}

/* Scenario 157: each has its own signals. */
static void signals_go_along(void **state)
{
    (void)state;
    subscription = green_signal_open(GREEN_SIGNALS(SIGUSR1));
    assert_non_null(subscription);
    in_child(signalled);
    struct pollfd p = {green_signal_fd(subscription), POLLIN, 0};
    assert_int_equal(green_poll(&p, 1, 0), 0);
    green_within(GREEN_MS)
        assert_fails(green_signal_wait(subscription), ETIMEDOUT); /* that was the child's */
    raise(SIGUSR1);
    assert_int_equal(green_signal_wait(subscription), SIGUSR1);
    assert_int_equal(green_signal_close(subscription), 0);
}

static int handled;
static struct event_base *loop;

static int count_signal(int number, void *arg)
{
    (void)number;
    (void)arg;
    handled++;
    return 0;
}

static int not_handled(void)
{
    struct event_base *mine = green_hub_event_base();
    must(mine != NULL && mine != loop);
    must(raise(SIGUSR2) == 0);
    must(green_sleep(5 * GREEN_MS) == 0 && handled == 0);
    must(green_signal_close(subscription) == 0);
    must(signal(SIGUSR2, SIG_DFL) == SIG_DFL);
    return 0;
}

/* Scenario 157: the handlers of signals and the loop are the parent's. */
static void handlers_stay_behind(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    loop = green_hub_event_base();
    subscription = green_signal_handle(GREEN_SIGNALS(SIGUSR2), count_signal, NULL);
    assert_non_null(subscription);
    green_yield();
    in_child(not_handled);
    assert_int_equal(handled, 0);
    raise(SIGUSR2);
    wait_for(handled == 1);
    assert_int_equal(green_signal_close(subscription), 0);
    assert_nothing_left(before);
}

static volatile sig_atomic_t children_ended;

static void on_child(int number)
{
    (void)number;
    children_ended++;
}

static int start_another(void)
{
    int status = -1;
    green_process *p = green_process_spawn(NULL, (char *const[]){"true", NULL});
    must(p != NULL && green_process_wait(p, &status) == 0 && status == 0);
    green_process_destroy(p);
    return 0;
}

static int start_with_default(void)
{
    must(start_another() == 0 && signal(SIGCHLD, SIG_DFL) == on_child);
    children_ended = 0;
    must(start_another() == 0 && children_ended == 0);
    return 0;
}

/* Scenario 154: in a child with its parent's handler of SIGCHLD, and without; the parent keeps it.
 */
static void processes_in_a_child(void **state)
{
    struct sigaction handle = {.sa_handler = on_child, .sa_flags = SA_RESTART}, was;
    (void)state;
    if (!has_pidfds())
        return;
    assert_int_equal(sigaction(SIGCHLD, &handle, &was), 0);
    in_child(start_with_default);
    children_ended = 0;
    assert_int_equal(start_another(), 0);
    wait_for(children_ended > 0);
    assert_int_equal(sigaction(SIGCHLD, &was, NULL), 0);
}

/* ---- what another OS thread holds just then ---- */

static atomic_bool enough;
static green_process *child;

static int idle(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    return 0;
}

static int make_and_drop(void)
{
    green_key key;
    green_coroutine *co = green_coroutine_create(idle, NULL);
    must(co != NULL && green_coroutine_destroy(co) == 0);
    must(green_key_create(&key, NULL) == 0 && green_key_delete(key) == 0);
    green_signal *s = green_signal_open(GREEN_SIGNALS(SIGUSR2));
    must(s != NULL);
    green_signal_close(s);
    for (int i = 0; i < 100; i++) /* in a child of ours it is nobody's child */
        must(green_process_poll(child, NULL) == 0 || errno == ECHILD);
    return 0;
}

static void *hammer(void *arg)
{
    int line = 0;
    while (!enough && line == 0)
        line = make_and_drop();
    *(int *)arg = line;
    return NULL;
}

static int make_and_drop_in_time(void)
{
    alarm(30); /* it would wait for ever */
    return make_and_drop();
}

static void locks_of_others(void **state)
{
    pthread_t others[2];
    int lines[2];
    (void)state;
    if (!has_pidfds())
        return;
    enough = false;
    green_process_options quiet = {.out = GREEN_NULL, .err = GREEN_NULL};
    child = green_process_spawn(&quiet, (char *const[]){"sleep", "3600", NULL});
    assert_non_null(child);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&others[i], NULL, hammer, &lines[i]), 0);
    for (int i = 0; i < 100; i++)
        in_child(make_and_drop_in_time);
    enough = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(others[i], NULL), 0);
        assert_int_equal(lines[i], 0);
    }
    green_process_destroy(child);
}

/* ---- what another OS thread waits for just then ---- */

static void *make_hubs(void *failed)
{
    while (!enough)
        if (green_hubs(8) < 0 || green_hubs_end() < 0)
            return failed;
    return NULL;
}

static int hubs_in_time(void)
{
    alarm(30); /* it would wait for ever */
    must(green_hubs(4) == 4 && green_hubs_end() == 0);
    return 0;
}

/* Scenarios 120, 157: it waits for the hubs that it makes. */
static void hubs_under_way(void **state)
{
    pthread_t other;
    void *failed = NULL;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    print_message("# skipped: a sanitizer's own locks and lists of OS threads do not outlive it\n");
    return;
#endif
    green_hub_stats before = stats_now();
    enough = false;
    assert_int_equal(pthread_create(&other, NULL, make_hubs, state), 0);
    for (int i = 0; i < fewer(64); i++)
        in_child(hubs_in_time);
    enough = true;
    assert_int_equal(pthread_join(other, &failed), 0);
    assert_null(failed);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_is_unaffected),
        cmocka_unit_test(children_fork),
        cmocka_unit_test(child_ends_with_its_thread),
        cmocka_unit_test(another_hub_forks),
        cmocka_unit_test(an_os_thread_forks),
        cmocka_unit_test(child_closes_all),
        cmocka_unit_test(calls_on_what_is_gone),
        cmocka_unit_test(links_go_along),
        cmocka_unit_test(deadline_goes_along),
        cmocka_unit_test(signals_go_along),
        cmocka_unit_test(handlers_stay_behind),
        cmocka_unit_test(processes_in_a_child),
        cmocka_unit_test(locks_of_others),
        cmocka_unit_test(hubs_under_way),
    };
    parent = getpid();
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
