/* test_process_wait.c - waiting for child processes (green/process.h): for many, by many, and
 * beside others who do. */
#include "children.h"

#include <fcntl.h>
#include <signal.h>

/* ---- many ---- */

/* Scenario 152: each with its own status. */
static void a_hundred_end_at_once(void **state)
{
    (void)state;
    enum { N = 100 };
    green_process *p[N];
    green_thread *t[N];
    char buf[1], code[8];
    int gate[2], fds = fds_open(), result;
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    green_process_options o = {.in = gate[0]};
    for (int i = 0; i < N; i++) {
        snprintf(code, sizeof code, "%d", i);
        p[i] = spawn(&o, ARGV("sh", "-c", "read x; exit $0", code));
        t[i] = green_spawn(wait_for_end, p[i]);
    }
    green_yield();
    close(gate[1]); /* all read the end of the file */
    for (int i = 0; i < N; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, i);
        green_process_destroy(p[i]);
    }
    assert_int_equal(read(gate[0], buf, 1), 0);
    close(gate[0]);
    assert_int_equal(fds_open(), fds);
    assert_no_children();
}

static int select_end(void *p)
{
    int status = -1;
    green_event never = GREEN_EVENT_INIT;
    if (green_select(GREEN_SET(&never), GREEN_EXITED(p)) != 1 || never.waiters.first != NULL)
        return -errno;
    green_within(0) /* it does not wait */
        if (green_process_wait(p, &status) < 0)
            return -errno;
    return WEXITSTATUS(status);
}

/* Scenarios 4, 5, 44: the end among other things; too late, cancelled, on two hubs, over already.
 */
static void end_by_select(void **state)
{
    (void)state;
    green_event never = GREEN_EVENT_INIT;
    green_spawn_options there = {.hub = NULL};
    green_process_options o = {.in = GREEN_PIPE};
    int result;
    assert_true(green_hubs(2) >= 2);
    while ((there.hub = green_hub_next()) == green_hub_self())
        continue;
    green_process *p = spawn(&o, SH("read x; exit 8"));
    assert_int_equal(green_select(GREEN_EXITED(p), GREEN_EXITED(NULL), GREEN_DEFAULT), 2);
    green_within(GREEN_MS)
        assert_fails(green_select(GREEN_SET(&never), GREEN_EXITED(p)), ETIMEDOUT);
    green_thread *t[3] = {green_spawn(select_end, p), green_spawn_with(&there, select_end, p),
                          green_spawn(select_end, p)};
    green_yield();
    assert_int_equal(green_kill(t[2], &result), 0);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(green_process_close(p, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 8);
    }
    assert_int_equal(select_end(p), 8);
    green_process_destroy(p);
    assert_no_children();
}

/* Scenario 155: each has the status. */
static void several_waiters_on_several_hubs(void **state)
{
    (void)state;
    enum { N = 12 };
    green_thread *t[N];
    int result;
    assert_true(green_hubs(3) >= 3);
    for (int round = 0; round < 20; round++) {
        green_process_options o = {.in = GREEN_PIPE};
        green_process *p = spawn(&o, SH("read x; exit 9"));
        for (int i = 0; i < N; i++) {
            green_spawn_options there = {.hub = green_hub_next()};
            t[i] = green_spawn_with(&there, wait_for_end, p);
            assert_non_null(t[i]);
        }
        assert_int_equal(green_process_close(p, 0), 0);
        for (int i = 0; i < N; i++) {
            assert_int_equal(green_join(t[i], &result), 0);
            assert_int_equal(result, 9);
        }
        green_process_destroy(p);
    }
    assert_no_children();
}

static void *wait_on_os_thread(void *p)
{
    return (void *)(intptr_t)wait_for_end(p);
}

/* Scenario 155: an OS thread of the program's waits, and so does the main one. */
static void waits_on_an_os_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *code = NULL;
    green_process_options o = {.in = GREEN_PIPE};
    int fds = fds_open();
    green_process *p = spawn(&o, SH("read x; exit 3"));
    assert_int_equal(pthread_create(&thread, NULL, wait_on_os_thread, p), 0);
    green_within(GREEN_MS)
        assert_fails(green_process_wait(p, NULL), ETIMEDOUT);
    assert_int_equal(green_process_close(p, 0), 0);
    assert_int_equal(wait_for_end(p), 3);
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal((intptr_t)code, 3);
    green_process_destroy(p);
    assert_int_equal(fds_open(), fds);
}

static int spawn_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 25; i++) {
        green_process_output o;
        green_process *p = green_process_spawn(&pipes, SH("cat; exit 5"));
        if (p == NULL || green_process_communicate(p, "abc", 3, &o) < 0)
            return -1;
        int ok = strcmp(o.out, "abc") == 0 && WEXITSTATUS(o.status) == 5;
        green_process_output_free(&o);
        green_process_destroy(p);
        if (!ok)
            return -2;
    }
    return 0;
}

/* Scenario 155: commands of several hubs at once. */
static void hubs_spawn_side_by_side(void **state)
{
    (void)state;
    green_thread *t[6];
    int result, fds = fds_open();
    for (size_t i = 0; i < COUNT(t); i++) {
        green_spawn_options there = {.hub = green_hub_next()};
        t[i] = green_spawn_with(&there, spawn_many, NULL);
    }
    for (size_t i = 0; i < COUNT(t); i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
    assert_int_equal(fds_open(), fds);
    assert_no_children();
}

/* ---- others who wait for children ---- */

/* Scenario 153: the program itself. */
static void somebody_else_reaps(void **state)
{
    (void)state;
    int status;
    green_process *p = spawn(NULL, ARGV("true"));
    assert_int_equal(waitpid(-1, &status, 0), green_process_pid(p));
    assert_fails(green_process_wait(p, &status), ECHILD);
    assert_fails(green_process_poll(p, &status), ECHILD);
    green_process_destroy(p);
}

/* Scenario 153: a child of the program's own is left to it, and does not disturb. */
static void own_children(void **state)
{
    (void)state;
    int status = -1;
    pid_t own = fork();
    if (own == 0)
        _exit(6);
    assert_true(own > 0);
    green_process *p = spawn(NULL, SH("exit 5"));
    assert_int_equal(WEXITSTATUS(status_of(p)), 5);
    assert_int_equal(waitpid(green_process_pid(p), NULL, WNOHANG), -1); /* that one is reaped */
    assert_int_equal(errno, ECHILD);
    green_process_destroy(p);
    assert_int_equal(waitpid(own, &status, 0), own);
    assert_int_equal(WEXITSTATUS(status), 6);
    p = spawn(NULL, ARGV("sleep", "3600"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
    green_process_destroy(p);
    assert_no_children();
}

/* Scenario 153: the kernel. */
static void ignored_sigchld(void **state)
{
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, was;
    sigaction(SIGCHLD, &ignore, &was);
    for (int i = 0; i < 20; i++) {
        green_process *p = spawn(NULL, ARGV("true"));
        assert_fails(green_process_wait(p, NULL), ECHILD);
        green_process_destroy(p);
    }
    sigaction(SIGCHLD, &was, NULL);
}

static volatile sig_atomic_t children_ended;

static void on_child(int sig)
{
    (void)sig;
    children_ended++;
}

/* Scenario 154: its handler stays. */
static void program_handles_sigchld(void **state)
{
    (void)state;
    struct sigaction handle = {.sa_handler = on_child}, was;
    sigaction(SIGCHLD, &handle, &was);
    for (int i = 1; i <= 5; i++) {
        green_process *p = spawn(NULL, SH("exit 4"));
        assert_int_equal(WEXITSTATUS(status_of(p)), 4);
        green_process_destroy(p);
        wait_for(children_ended >= i);
    }
    sigaction(SIGCHLD, &was, NULL);
}

static void detached_is_reaped(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    int fds = fds_open();
    green_process_options o = {.in = GREEN_PIPE};
    green_process *p = spawn(&o, ARGV("cat"));
    pid_t pid = green_process_pid(p);
    assert_int_equal(green_process_detach(p), 0); /* its input ends */
    wait_for(kill(pid, 0) < 0);
    wait_for(stats_now().threads <= before.threads);
    p = spawn(NULL, ARGV("true"));
    assert_int_equal(status_of(p), 0);
    assert_int_equal(green_process_detach(p), 0);
    assert_nothing_left(before);
    assert_int_equal(fds_open(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_end_at_once),
        cmocka_unit_test(end_by_select),
        cmocka_unit_test(several_waiters_on_several_hubs),
        cmocka_unit_test(waits_on_an_os_thread),
        cmocka_unit_test(hubs_spawn_side_by_side),
        cmocka_unit_test(somebody_else_reaps),
        cmocka_unit_test(own_children),
        cmocka_unit_test(ignored_sigchld),
        cmocka_unit_test(program_handles_sigchld),
        cmocka_unit_test(detached_is_reaped),
    };
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
