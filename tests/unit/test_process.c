/* test_process.c - child processes (green/process.h): started, talked to, with their options; who
 * waits for them is in test_process_wait.c. */
#include "children.h"

#include <fcntl.h>
#include <signal.h>

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
    };
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
