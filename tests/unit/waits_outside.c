/* waits_outside.c - the calls that wait for descriptors, OS threads, children, signals: see
 * waits.h. (Look-ups are in test_dns.c, since they need a slow name server.) */
#include "waits.h"

#include <green/fd.h>
#include <green/process.h>
#include <green/signal.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- descriptors ---- */

int fd[2];               /* two ends, or a listener */
static int clients[100]; /* that fill a listener's queue */
static int client_count;
static struct sockaddr_un here;
static socklen_t here_length;

void begin_pair(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

void begin_full_pair(void)
{
    static char data[4096];
    begin_pair();
    while (send(fd[0], data, sizeof data, MSG_DONTWAIT) > 0)
        continue;
}

static int read_byte(void)
{
    char c;
    return green_read(fd[1], &c, 1) == 1 ? 0 : -1;
}

static int write_byte(void)
{
    return green_write(fd[0], "x", 1) == 1 ? 0 : -1;
}

static int poll_pair(void)
{
    struct pollfd p = {fd[1], POLLIN, 0};
    return green_poll(&p, 1, -1) == 1 ? 0 : -1;
}

void give_byte(void)
{
    assert_int_equal(send(fd[0], "x", 1, MSG_DONTWAIT), 1);
}

void drain(void)
{
    static char data[4096];
    while (recv(fd[1], data, sizeof data, MSG_DONTWAIT) > 0)
        continue;
}

void end_pair(void)
{
    green_close(fd[0]);
    green_close(fd[1]);
}

static void connect_client(void)
{
    int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(c >= 0 && client_count < (int)COUNT(clients));
    clients[client_count++] = c;
    errno = 0;
    assert_true(connect(c, (struct sockaddr *)&here, here_length) == 0 || errno == EAGAIN);
}

static void begin_listener(void)
{
    here = (struct sockaddr_un){.sun_family = AF_UNIX};
    here_length = sizeof here;
    client_count = 0;
    fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd[0], (struct sockaddr *)&here, sizeof here.sun_family), 0);
    assert_int_equal(getsockname(fd[0], (struct sockaddr *)&here, &here_length), 0);
    assert_int_equal(listen(fd[0], 1), 0);
}

static void begin_full_listener(void)
{
    begin_listener();
    do
        connect_client();
    while (errno != EAGAIN);
}

static int accept_one(void)
{
    int c = green_accept(fd[0], NULL, NULL);
    return c < 0 ? -1 : green_close(c);
}

static int connect_one(void)
{
    int c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = green_connect(c, (struct sockaddr *)&here, here_length);
    int err = errno;
    green_close(c);
    errno = err;
    return r;
}

static void make_room(void)
{
    int c = accept(fd[0], NULL, NULL);
    assert_true(c >= 0);
    close(c);
}

static void end_listener(void)
{
    green_close(fd[0]);
    while (client_count > 0)
        close(clients[--client_count]);
}

/* ---- OS threads, children, signals ---- */

static atomic_int offloaded; /* functions that are not over, or not released */

static int read_on_os_thread(void *arg)
{
    char c;
    (void)arg;
    return read(fd[1], &c, 1) == 1 ? 0 : -1;
}

static void function_over(void *arg)
{
    free(arg);
    offloaded--;
}

static int offload(void)
{
    void *arg = malloc(1);
    offloaded++;
    int r = green_offload_owned(read_on_os_thread, arg, function_over, NULL);
    if (r == 0)
        function_over(arg);
    return r;
}

static void let_all_go(void)
{
    for (int i = 0; i < 4; i++)
        give_byte();
}

static void end_offload(void)
{
    let_all_go();
    wait_for(offloaded == 0);
    end_pair();
}

static green_lane *lane;
static green_job *job;

/* NULL and errno, as green_job_start. */
static green_job *start_job(void)
{
    green_job_options options = {.lane = lane, .release = function_over};
    offloaded++;
    return green_job_start(&options, read_on_os_thread, malloc(1));
}

static void begin_job(void)
{
    begin_pair();
    lane = NULL;
    job = start_job();
    assert_non_null(job);
}

static int wait_job(void)
{
    return green_job_wait(job, NULL);
}

static int select_job(void)
{
    return green_select(GREEN_FINISHED(job), GREEN_NEVER);
}

static void end_job(void)
{
    green_job_free(job);
    end_offload();
}

/* One at work, one in the queue, and no room for more. */
static void begin_full_lane(void)
{
    begin_pair();
    lane = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    assert_non_null(lane);
    green_job_free(start_job());
    green_lane_stats stats = {0};
    wait_for((green_lane_stats_get(lane, &stats), stats.queued == 0));
    green_job_free(start_job());
}

static int start_one(void)
{
    green_job *started = start_job();
    int err = errno;
    green_job_free(started);
    errno = err;
    return started != NULL ? 0 : -1;
}

static void end_lane(void)
{
    end_offload();
    green_lane_free(lane);
}

#ifndef GREEN_TEST_EMULATED /* qemu-user does not run these (tests/README.md) */
static green_process *process;
static green_signal *subscription;

static void begin_process(void)
{
    process = green_process_spawn(NULL, (char *const[]){"sleep", "3600", NULL});
    assert_non_null(process);
}

static void begin_talk(void)
{
    static const green_process_options options = {.in = GREEN_PIPE, .out = GREEN_PIPE};
    process = green_process_spawn(&options, (char *const[]){"sleep", "3600", NULL});
    assert_non_null(process);
}

static int communicate(void)
{
    green_process_output o;
    if (green_process_communicate(process, "?", 1, &o) < 0)
        return -1;
    green_process_output_free(&o);
    return 0;
}

static int wait_process(void)
{
    return green_process_wait(process, NULL);
}

static void kill_process(void)
{
    siginfo_t end;
    assert_int_equal(green_process_signal(process, SIGKILL), 0);
    id_t pid = (id_t)green_process_pid(process);
    assert_int_equal(waitid(P_PID, pid, &end, WEXITED | WNOWAIT), 0);
}

static void end_process(void)
{
    green_process_destroy(process);
}

static void begin_signal(void)
{
    subscription = green_signal_open(GREEN_SIGNALS(SIGUSR1));
    assert_non_null(subscription);
}

static int wait_signal(void)
{
    return green_signal_wait(subscription) > 0 ? 0 : -1;
}

static void give_signal(void)
{
    raise(SIGUSR1);
}

static void end_signal(void)
{
    assert_int_equal(green_signal_close(subscription), 0);
}
#endif

const struct call waits_outside[] = {
    {"read", begin_pair, read_byte, give_byte, NULL, end_pair, 0},
    {"write", begin_full_pair, write_byte, drain, NULL, end_pair, 0},
    {"poll", begin_pair, poll_pair, give_byte, NULL, end_pair, 0},
    {"accept", begin_listener, accept_one, connect_client, NULL, end_listener, 0},
    {"connect", begin_full_listener, connect_one, make_room, NULL, end_listener, LATE},
    {"offload", begin_pair, offload, let_all_go, NULL, end_offload, LATE | NEVER_READY},
    {"job", begin_job, wait_job, let_all_go, NULL, end_job, LATE | NEVER_READY},
    {"select job", begin_job, select_job, let_all_go, NULL, end_job, LATE | NEVER_READY},
    {"job start", begin_full_lane, start_one, let_all_go, NULL, end_lane, LATE | NEVER_READY},
#ifndef GREEN_TEST_EMULATED
    {"process", begin_process, wait_process, kill_process, NULL, end_process, PROCESS},
    {"communicate", begin_talk, communicate, kill_process, NULL, end_process,
     ALONE | LATE | YIELDS | NEVER_READY | PROCESS},
    {"signal", begin_signal, wait_signal, give_signal, NULL, end_signal, 0},
#endif
    {NULL, NULL, NULL, NULL, NULL, NULL, 0},
};
