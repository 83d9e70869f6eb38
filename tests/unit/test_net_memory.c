/* test_net_memory.c - as test_memory.c, one floor up: every allocation of servers, clients,
 * look-ups, offloaded calls, child processes and signals fails once. Each call says so, nobody
 * crashes, nothing is lost. */
#include "net_unit.h"

#include "faults.h"
#include <green/dns.h>
#include <green/file.h>
#include <green/http.h>
#include <green/process.h>
#include <green/serve.h>
#include <green/signal.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/wait.h>

static char address[64];

static int answer(green_conn *c, void *arg)
{
    static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello";
    struct iovec parts[2] = {{text, 20}, {text + 20, sizeof text - 1 - 20}};
    char request[1000];
    (void)arg;
    if (green_conn_read(c, request, sizeof request) <= 0)
        return -1;
    return green_conn_writev(c, parts, 2) < 0 ? -1 : 0;
}

static void listening(const char *at, void *arg)
{
    (void)arg;
    snprintf(address, sizeof address, "http://localhost%s/", strrchr(at, ':'));
}

static int serve(void *arg)
{
    static const green_serve_options options = {.on_listen = listening};
    int rc = green_serve_with(&options, "tcp", "localhost:0", answer, NULL);
    *(int *)arg = errno;
    return rc;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int fetch(void)
{
    green_http_response r;
    if (green_http_get(address, NULL, &r) < 0)
        return errno;
    bool whole = r.status == 200 && r.length == 5 && strcmp(r.body, "hello") == 0;
    green_http_free(&r);
    return whole ? 0 : EILSEQ;
}

/* A server, a client, look-ups, offloaded calls; how many of them failed. */
static int serve_and_ask(void)
{
    int served = 0;
    int failed = 0;
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char name[100];
    address[0] = '\0';
    green_thread *server = green_spawn(serve, &served);
    wait_for(address[0] != '\0' || served != 0);
    if (served == 0) {
        int err = fetch();
        /* the server may have had no memory for the connection */
        assert_true(err == 0 || err == ENOMEM || err == ECONNRESET || err == ECONNABORTED);
        failed += err != 0;
    }
    green_kill(server, NULL);
    failed += served != ECANCELED;
    assert_true(served == ECANCELED || served == ENOMEM);
    if (green_offload(nothing, NULL, NULL) < 0) {
        assert_int_equal(errno, ENOMEM);
        failed++;
    }
    void *owned = malloc(1);
    if (green_offload_owned(nothing, owned, free, NULL) == 0)
        free(owned);
    else
        failed++;
    int code = green_getnameinfo((struct sockaddr *)&loopback, sizeof loopback, name, sizeof name,
                                 NULL, 0, 0);
    assert_true(code == 0 || code == EAI_MEMORY);
    return failed + (code != 0);
}

/* ---- jobs on a lane of one's own ---- */

static int use_a_lane(void)
{
    green_lane *lane = green_lane_make(NULL);
    if (lane == NULL)
        return 1;
    green_job_options options = {.lane = lane, .release = free};
    green_job *job = green_job_start(&options, nothing, malloc(1));
    int failed = job == NULL || green_job_wait(job, NULL) < 0;
    green_job_free(job);
    green_lane_free(lane);
    return failed;
}

/* ---- a file ---- */

static int use_files(void)
{
    char buf[16];
    int failed = 0;
    struct stat st;
    int fd = green_open("/proc/self/stat", O_RDONLY); /* no call on it succeeds at once */
    if (fd < 0)
        return errno == ENOMEM;
    for (int i = 0; i < 4; i++) {
        long r = i == 0   ? green_read(fd, buf, sizeof buf)
                 : i == 1 ? green_pread(fd, buf, sizeof buf, 0)
                 : i == 2 ? green_fstat(fd, &st)
                          : green_sendfile(-1, fd, NULL, 0);
        assert_true(r >= 0 || errno == ENOMEM);
        failed += r < 0;
    }
    assert_int_equal(green_close(fd), 0);
    return failed;
}

/* ---- child processes ---- */

static char input[100000];

static int talk(green_process *p)
{
    green_process_output o;
    int failed = 0;
    while (green_process_communicate(p, input, sizeof input, &o) < 0) {
        assert_int_equal(errno, ENOMEM);
        failed++; /* what was moved is kept */
    }
    assert_int_equal(o.out_size, sizeof input);
    assert_memory_equal(o.out, input, sizeof input);
    assert_int_equal(o.status, 0);
    green_process_output_free(&o);
    return failed;
}

static int run_children(void)
{
    green_process_options pipes = {.in = GREEN_PIPE, .out = GREEN_PIPE};
    int failed = 0;
    green_process *cat = green_process_spawn(&pipes, (char *const[]){"cat", NULL});
    if (cat != NULL)
        failed += talk(cat);
    else
        failed++;
    green_process_destroy(cat);
    green_process *let_go = green_process_spawn(NULL, (char *const[]){"true", NULL});
    if (let_go != NULL && green_process_detach(let_go) < 0) {
        green_process_destroy(let_go);
        let_go = NULL;
    }
    wait_for(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* by the reaper */
    return failed + (let_go == NULL);
}

/* ---- signals ---- */

static int handled;

static int handle(int number, void *arg)
{
    (void)arg;
    handled += number;
    return 0;
}

static int be_signalled(void)
{
    green_signal *s = green_signal_open(GREEN_SIGNALS(SIGUSR1));
    int failed = s == NULL;
    if (s != NULL) {
        raise(SIGUSR1);
        assert_int_equal(green_signal_wait(s), SIGUSR1);
    }
    handled = 0;
    green_signal *h = green_signal_handle(GREEN_SIGNALS(SIGUSR1), handle, NULL);
    failed += h == NULL;
    if (h != NULL) {
        raise(SIGUSR1);
        wait_for(handled == SIGUSR1);
        assert_int_equal(green_signal_close(h), 0);
    }
    if (s != NULL)
        assert_int_equal(green_signal_close(s), 0);
    struct sigaction now;
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    return failed;
}

/* ---- living them ---- */

static int threads; /* OS threads, when lanes have none */

/* How many failures there were when each of the life's allocations failed once. */
static int each_fails_once(int (*life)(void))
{
    int failures = 0;
    assert_int_equal(life(), 0);
    wait_for(os_threads() == threads); /* the others may yet have something to free */
    long before = atomic_load(&held);
    int fds = fds_open();
    bool reached = true;
    for (int n = 0; reached; n++) {
        atomic_store(&fuse, n);
        failures += life() > 0;
        reached = atomic_load(&fuse) < 0;
        atomic_store(&fuse, -1);
        wait_for(atomic_load(&held) == before && fds_open() == fds);
    }
    assert_int_equal(life(), 0);
    return failures;
}

static void servers_clients_and_lookups(void **state)
{
    (void)state;
    assert_true(each_fails_once(serve_and_ask) > 10);
}

static void lanes(void **state)
{
    (void)state;
    assert_true(each_fails_once(use_a_lane) >= 2);
}

static void files(void **state)
{
    (void)state;
    assert_true(each_fails_once(use_files) >= 5);
}

static void processes(void **state)
{
    (void)state;
#ifdef GREEN_TEST_EMULATED
    (void)run_children;
    print_message("# skipped: the emulator loses the errors of exec\n");
#else
    if (has_pidfds())
        assert_true(each_fails_once(run_children) >= 4);
#endif
}

static void signals(void **state)
{
    (void)state;
    assert_true(each_fails_once(be_signalled) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_clients_and_lookups),
        cmocka_unit_test(lanes),
        cmocka_unit_test(files),
        cmocka_unit_test(processes),
        cmocka_unit_test(signals),
    };
    green_self();
    threads = os_threads();
    for (int lane = GREEN_LANE_GENERAL; lane <= GREEN_LANE_PATHS; lane++)
        green_lane_set_idle(green_lane_of(lane), 0);
    green_spawn_with(&(green_spawn_options){.stack_size = 1}, NULL, NULL); /* room for a sentence */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
