/* test_process.c - child processes (green/process.h). */
#include "net_unit.h"

#include <fcntl.h>
#include <green/fd.h>
#include <green/process.h>
#include <signal.h>
#include <sys/wait.h>

#define ARGV(...)  ((char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

static green_process *spawn(const green_process_options *options, char *const argv[])
{
    green_process *p = green_process_spawn(options, argv);
    assert_non_null(p);
    return p;
}

static int status_of(green_process *p)
{
    int status = -1;
    assert_int_equal(green_process_wait(p, &status), 0);
    return status;
}

/* No child is left, in whatever state. */
static void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* What a command says, with its end. */
static void says(const green_process_options *options, char *const argv[], const char *out,
                 const char *err, int status)
{
    green_process_output o;
    green_process *p = spawn(options, argv);
    assert_int_equal(green_process_communicate(p, NULL, 0, &o), 0);
    assert_string_equal(o.out, out);
    assert_string_equal(o.err, err);
    assert_int_equal(o.out_size, strlen(out));
    assert_int_equal(o.status, status);
    green_process_output_free(&o);
    green_process_destroy(p);
}

static const green_process_options pipes = {.in = GREEN_PIPE, .out = GREEN_PIPE, .err = GREEN_PIPE};

/* Scenario 151: the status, as often as one likes. */
static void spawn_and_wait(void **state)
{
    (void)state;
    int fds = fds_open();
    green_process *p = spawn(NULL, SH("exit 7"));
    int status = status_of(p);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(status_of(p), status); /* as often as one likes */
    assert_int_equal(green_process_poll(p, &status), 1);
    assert_int_equal(green_process_fd(p, 1), -1);
    assert_fails(green_process_close(p, 1), EBADF);
    assert_fails(green_process_signal(p, SIGTERM), ESRCH);
    green_process_destroy(p);
    green_process_destroy(NULL);
    assert_int_equal(fds_open(), fds);
    assert_no_children();
}

/* Scenario 151: not over, ended by a signal. */
static void poll_and_signal(void **state)
{
    (void)state;
    int status = 0;
    green_process *p = spawn(NULL, ARGV("sleep", "3600"));
    assert_int_equal(green_process_poll(p, &status), 0);
    struct pollfd end = {green_process_pidfd(p), POLLIN, 0};
    assert_int_equal(green_poll(&end, 1, 0), 0);
    assert_true(kill(green_process_pid(p), 0) == 0);
    assert_fails(green_process_signal_group(p, SIGTERM), EINVAL);
    assert_int_equal(green_process_signal(p, SIGTERM), 0);
    assert_int_equal(green_poll(&end, 1, -1), 1);
    status = status_of(p);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    green_process_destroy(p);
}

static void ended_before_the_wait(void **state)
{
    (void)state;
    green_process *p = spawn(NULL, ARGV("false"));
    siginfo_t end;
    assert_int_equal(waitid(P_PID, (id_t)green_process_pid(p), &end, WEXITED | WNOWAIT), 0);
    assert_int_equal(WEXITSTATUS(status_of(p)), 1);
    green_process_destroy(p);
}

/* Scenario 151: the child is left alone. */
static void early_end_of_a_wait(void **state)
{
    (void)state;
    green_process *p = spawn(NULL, ARGV("sleep", "3600"));
    green_within(10 * GREEN_MS)
        assert_fails(green_process_wait(p, NULL), ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(green_process_poll(p, NULL), 0); /* it was left alone */
    green_process_destroy(p);                         /* now it is not */
    assert_no_children();
}

static int wait_for_end(void *arg)
{
    int status;
    return green_process_wait(arg, &status) < 0 ? -1 : WEXITSTATUS(status);
}

static void cancelled_wait(void **state)
{
    (void)state;
    int result = 0;
    green_process *p = spawn(NULL, ARGV("sleep", "3600"));
    green_thread *t = green_spawn(wait_for_end, p);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -1);
    assert_int_equal(green_process_poll(p, NULL), 0);
    green_process_destroy(p);
}

/* Scenario 151: side by side, more than pipes hold. */
static void big_input_and_output(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    int fds = fds_open();
    green_process_output o;
    char *input = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        input[i] = (char)(i * 7 + i / 251);
    green_process *p = spawn(&pipes, SH("tee /dev/stderr; exit 3"));
    assert_int_equal(green_process_communicate(p, input, SIZE, &o), 0);
    assert_int_equal(o.out_size, SIZE);
    assert_int_equal(o.err_size, SIZE);
    assert_memory_equal(o.out, input, SIZE);
    assert_memory_equal(o.err, input, SIZE);
    assert_int_equal(WEXITSTATUS(o.status), 3);
    green_process_output_free(&o);
    green_process_destroy(p);
    free(input);
    assert_int_equal(fds_open(), fds);
}

static void unread_input(void **state) /* no SIGPIPE */
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *input = calloc(1, SIZE);
    green_process_output o;
    green_process *p = spawn(&pipes, SH("exec <&-; echo done"));
    assert_int_equal(green_process_communicate(p, input, SIZE, &o), 0);
    assert_string_equal(o.out, "done\n");
    green_process_output_free(&o);
    green_process_destroy(p);
    free(input);
}

static void communicate_goes_on(void **state)
{
    (void)state;
    int go[2];
    green_process_output o;
    assert_int_equal(pipe(go), 0);
    green_process_options options = pipes;
    options.keep_fds = true;
    char script[128];
    snprintf(script, sizeof script, "echo one; read x <&%d; cat; echo $x", go[0]);
    green_process *p = spawn(&options, SH(script));
    green_within(50 * GREEN_MS)
        assert_fails(green_process_communicate(p, "in\n", 3, &o), ETIMEDOUT);
    assert_int_equal(write(go[1], "two\n", 4), 4);
    assert_int_equal(green_process_communicate(p, "in\n", 3, &o), 0);
    assert_string_equal(o.out, "one\nin\ntwo\n");
    green_process_output_free(&o);
    green_process_destroy(p);
    close(go[0]);
    close(go[1]);
}

static void talk_by_hand(void **state)
{
    (void)state;
    char buf[16];
    green_process *p = spawn(&pipes, ARGV("cat"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(green_write(green_process_fd(p, 0), "ping", 4), 4);
        assert_int_equal(green_read(green_process_fd(p, 1), buf, sizeof buf), 4);
    }
    assert_int_equal(green_process_close(p, 0), 0);
    assert_int_equal(green_read(green_process_fd(p, 1), buf, sizeof buf), 0);
    assert_int_equal(status_of(p), 0);
    green_process_destroy(p);
}

/* ---- what cannot be run ---- */

/* Scenario 151: what cannot be run. */
static void exec_errors(void **state)
{
    (void)state;
    char text[] = "/tmp/green-process-XXXXXX";
    int file = mkstemp(text);
    int fds = fds_open();
    green_process_options nowhere = pipes;
    nowhere.cwd = "/no/such/directory";
    green_process_options crossed = {.out = GREEN_TO_OUT};
    green_process_options bad = {.out = 1 << 20};
    for (int i = 0; i < 20; i++) {
        assert_none(green_process_spawn(&pipes, ARGV("/no/such/program")), ENOENT, "program");
        assert_none(green_process_spawn(&pipes, ARGV("no-such-program")), ENOENT, "no-such");
        assert_none(green_process_spawn(&pipes, ARGV(text)), EACCES, text);
        assert_none(green_process_spawn(&nowhere, ARGV("true")), ENOENT, "/no/such/directory");
        assert_none(green_process_spawn(&crossed, ARGV("true")), EINVAL, "true");
        assert_none(green_process_spawn(&bad, ARGV("true")), EBADF, "true");
        assert_none(green_process_spawn(NULL, ARGV(NULL)), EINVAL, "no program");
    }
    assert_int_equal(fds_open(), fds);
    close(file);
    unlink(text);
    assert_no_children();
}

/* Scenario 151: out of descriptors, and none lost. */
static void no_descriptors_left(void **state)
{
    (void)state;
    struct rlimit limit, few;
    int spare[64], used = 0, fds = fds_open();
    getrlimit(RLIMIT_NOFILE, &limit);
    few = limit;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    while ((spare[used] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        used++;
    for (int room = 0; room < 7; room++) { /* six ends of pipes and a pidfd */
        assert_none(green_process_spawn(&pipes, ARGV("true")), EMFILE, "true");
        close(spare[--used]);
    }
    green_process *p = spawn(&pipes, ARGV("true"));
    assert_int_equal(status_of(p), 0);
    green_process_destroy(p);
    setrlimit(RLIMIT_NOFILE, &limit);
    while (used > 0)
        close(spare[--used]);
    assert_int_equal(fds_open(), fds);
    assert_no_children();
}

/* ---- options ---- */

static void environment_and_directory(void **state)
{
    (void)state;
    green_process_options o = {.out = GREEN_PIPE, .env = ARGV("A=b"), .cwd = "/usr"};
    says(&o, SH("echo $A $PWD"), "b /usr\n", "", 0);
    o = (green_process_options){.out = GREEN_PIPE, .path = "/bin/sh"};
    says(&o, ARGV("me", "-c", "echo $0"), "me\n", "", 0);
}

static void streams(void **state)
{
    (void)state;
    green_process_options o = {.in = GREEN_NULL, .out = GREEN_PIPE, .err = GREEN_TO_OUT};
    says(&o, SH("cat; echo a; echo b >&2"), "a\nb\n", "", 0);
    o = (green_process_options){.out = GREEN_NULL, .err = GREEN_PIPE};
    says(&o, SH("echo a; echo b >&2"), "", "b\n", 0);

    char buf[16];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    o = (green_process_options){.out = ends[1], .err = ends[1]};
    says(&o, SH("echo a; echo b >&2"), "", "", 0);
    assert_int_equal(green_read(ends[0], buf, sizeof buf), 4);
    assert_memory_equal(buf, "a\nb\n", 4);
    green_close(ends[0]);
    green_close(ends[1]);
}

static void crossed_streams(void **state) /* out to our 2, err to our 1 */
{
    (void)state;
    char buf[16];
    int one[2], two[2];
    int kept[2] = {dup(1), dup(2)};
    assert_int_equal(pipe2(one, O_CLOEXEC), 0);
    assert_int_equal(pipe2(two, O_CLOEXEC), 0);
    dup2(one[1], 1);
    dup2(two[1], 2);
    green_process_options o = {.out = 2, .err = 1};
    green_process *p = green_process_spawn(&o, SH("echo out; echo err >&2"));
    dup2(kept[0], 1);
    dup2(kept[1], 2);
    assert_non_null(p);
    assert_int_equal(status_of(p), 0);
    assert_int_equal(green_read(one[0], buf, sizeof buf), 4);
    assert_memory_equal(buf, "err\n", 4);
    assert_int_equal(green_read(two[0], buf, sizeof buf), 4);
    assert_memory_equal(buf, "out\n", 4);
    green_process_destroy(p);
    int all[] = {one[0], one[1], two[0], two[1], kept[0], kept[1]};
    for (size_t i = 0; i < COUNT(all); i++)
        green_close(all[i]);
}

/* Scenario 151: unless they are to be kept. */
static void other_descriptors_are_closed(void **state)
{
    (void)state;
    char script[64];
    int fd = open("/dev/null", O_RDONLY); /* without FD_CLOEXEC */
    snprintf(script, sizeof script, "test -e /proc/self/fd/%d && echo open || echo closed", fd);
    green_process_options o = {.out = GREEN_PIPE};
    says(&o, SH(script), "closed\n", "", 0);
    o.keep_fds = true;
    says(&o, SH(script), "open\n", "", 0);
    close(fd);
}

/* Scenario 154: none is blocked; those ignored have their default again, if asked for. */
static void signals_of_a_child(void **state)
{
    (void)state;
    sigset_t all, old;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, was;
    green_process_options o = {.out = GREEN_PIPE};
    const char *blocked = "grep SigBlk /proc/self/status | cut -f2";
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    says(&o, SH((char *)blocked), "0000000000000000\n", "", 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);

    sigaction(SIGTERM, &ignore, &was);
    says(&o, SH("kill -TERM $$; echo ignored"), "ignored\n", "", 0);
    o.reset_signals = true;
    says(&o, SH("kill -TERM $$; echo ignored"), "", "", SIGTERM);
    sigaction(SIGTERM, &was, NULL);
}

static void process_group(void **state)
{
    (void)state;
    char buf[8];
    green_process_options o = {.out = GREEN_PIPE, .group = true};
    green_process *p = spawn(&o, SH("sleep 3600 & echo go; wait"));
    assert_int_equal(green_read(green_process_fd(p, 1), buf, sizeof buf), 3);
    assert_int_equal(getpgid(green_process_pid(p)), green_process_pid(p));
    assert_int_equal(green_process_signal_group(p, SIGKILL), 0);
    assert_int_equal(green_read(green_process_fd(p, 1), buf, sizeof buf), 0); /* both are gone */
    assert_int_equal(status_of(p), SIGKILL);
    green_process_destroy(p);
}

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
    wait_for(stats_now().threads == before.threads);
    p = spawn(NULL, ARGV("true"));
    assert_int_equal(status_of(p), 0);
    assert_int_equal(green_process_detach(p), 0);
    assert_nothing_left(before);
    assert_int_equal(fds_open(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawn_and_wait),
        cmocka_unit_test(poll_and_signal),
        cmocka_unit_test(ended_before_the_wait),
        cmocka_unit_test(early_end_of_a_wait),
        cmocka_unit_test(cancelled_wait),
        cmocka_unit_test(big_input_and_output),
        cmocka_unit_test(unread_input),
        cmocka_unit_test(communicate_goes_on),
        cmocka_unit_test(talk_by_hand),
        cmocka_unit_test(exec_errors),
        cmocka_unit_test(no_descriptors_left),
        cmocka_unit_test(environment_and_directory),
        cmocka_unit_test(streams),
        cmocka_unit_test(crossed_streams),
        cmocka_unit_test(other_descriptors_are_closed),
        cmocka_unit_test(signals_of_a_child),
        cmocka_unit_test(process_group),
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
