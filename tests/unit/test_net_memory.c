/* test_net_memory.c - as test_memory.c, one floor up: every allocation of a server, a client, a
 * look-up and an offloaded call fails once. Each call says so, nobody crashes, nothing is lost. */
#include "net_unit.h"

#include "faults.h"
#include "offload.h"
#include <green/dns.h>
#include <green/http.h>
#include <green/serve.h>
#include <netinet/in.h>
#include <stdatomic.h>

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

/* A life with a bit of everything; how many of its parts failed. */
static int live(void)
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

static void each_allocation_fails_once(void **state)
{
    int failures = 0;
    (void)state;
    assert_int_equal(live(), 0);
    wait_for(offload_dns.threads == offload_dns.idle);
    long before = atomic_load(&held);
    bool reached = true;
    for (int n = 0; reached; n++) {
        atomic_store(&fuse, n);
        failures += live() > 0;
        reached = atomic_load(&fuse) < 0;
        atomic_store(&fuse, -1);
        wait_for(atomic_load(&held) == before);
    }
    assert_true(failures > 10);
    assert_int_equal(live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};
    green_self();
    green_spawn_with(&(green_spawn_options){.stack_size = 1}, NULL, NULL); /* room for a sentence */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
