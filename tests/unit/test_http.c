/* The HTTP client, against a server that answers each path with prepared bytes. */
#include "net_unit.h"
#include "tls_peer.h"
#include <green/http.h>
#include <green/serve.h>

#define OK "HTTP/1.1 200 OK\r\n"

static const struct answer {
    const char *path;
    const char *bytes;
} answers[] = {
    {"/length", OK "Content-Length: 5\r\nX-Empty:\r\nx-two: a\r\nX-Two: b\r\n\r\nhello"},
    {"/chunked", OK "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n"
                    "Trailer: t\r\n\r\n"},
    {"/until-close", "HTTP/1.0 200 OK\r\n\r\nhello until the end"},
    {"/none", "HTTP/1.1 204 No Content\r\n\r\n"},
    {"/empty", OK "Content-Length: 0\r\n\r\n"},
    {"/interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
                 "Content-Length: 5\r\n\r\nhello"},
    {"/more", OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 500 what?\r\n\r\n"},
    {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"},
    {"/to-length", "HTTP/1.1 302 Found\r\nLocation: /length\r\nContent-Length: 3\r\n\r\nbye"},
    {"/dir/relative", "HTTP/1.1 307 Go\r\nlocation: ../length\r\nContent-Length: 0\r\n\r\n"},
    {"/dir/sibling", "HTTP/1.1 308 Go\r\nlocation: relative?x\r\nContent-Length: 0\r\n\r\n"},
    {"/dir/relative?x", OK "Content-Length: 2\r\n\r\nx!"},
    {"/loop", "HTTP/1.1 301 Go\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"},
    {"/nowhere", "HTTP/1.1 301 Go\r\nLocation: gopher://x/\r\nContent-Length: 0\r\n\r\n"},
    {"/no-location", "HTTP/1.1 301 Go\r\nContent-Length: 4\r\n\r\nhere"},
    {"/cut", OK "Content-Length: 50\r\n\r\nhello"},
    {"/cut-head", "HTTP/1.1 200 OK\r\nContent-Le"},
    {"/cut-chunk", OK "Transfer-Encoding: chunked\r\n\r\n50\r\nhello"},
    {"/cut-chunks", OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
    {"/nothing", ""},
    {"/garbage", "SSH-2.0-OpenSSH_9.2\r\n"},
    {"/bad-chunk", OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"},
    {"/bad-length", OK "Content-Length: 5x\r\n\r\nhello"},
    {"/two-lengths", OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
};

static char address[64];
static char last_request[4096];
static green_thread *server;

static int answer(green_conn *c, void *arg)
{
    char request[4096];
    size_t size = 0;
    (void)arg;
    do {
        ssize_t n = green_conn_read(c, request + size, sizeof request - 1 - size);
        if (n <= 0)
            return -1;
        size += (size_t)n;
        request[size] = '\0';
    } while (strstr(request, "\r\n\r\n") == NULL);
    strcpy(last_request, request);
    strtok(request, " ");
    const char *path = strtok(NULL, " ");
    if (strcmp(path, "/hang") == 0)
        return green_sleep(3600 * GREEN_SEC);
    for (size_t i = 0; i < COUNT(answers); i++)
        if (strcmp(answers[i].path, path) == 0) /* byte for byte: no parser sees it at once */
            for (const char *p = answers[i].bytes; *p != '\0'; p++)
                if (green_conn_write(c, p, 1) < 0)
                    return -1;
    return 0;
}

static void listening(const char *at, void *arg)
{
    (void)arg;
    snprintf(address, sizeof address, "%s", at);
}

static int serve(void *arg)
{
    static const green_serve_options options = {.on_listen = listening};
    (void)arg;
    return green_serve_with(&options, "tcp", "127.0.0.1:0", answer, NULL);
}

static int get_with(const char *path, const green_http_options *options, green_http_response *r)
{
    char url[200];
    snprintf(url, sizeof url, "http://%s%s", address, path);
    return green_http_get(url, options, r);
}

static void assert_body(const char *path, int status, const char *body)
{
    green_http_response r;
    if (get_with(path, NULL, &r) < 0)
        fail_msg("%s: %s", path, green_errmsg());
    assert_int_equal(r.status, status);
    assert_int_equal(r.length, strlen(body));
    assert_string_equal(r.body, body);
    green_http_free(&r);
}

static void bodies(void **state)
{
    (void)state;
    assert_body("/length", 200, "hello");
    assert_body("/chunked", 200, "hello world");
    assert_body("/until-close", 200, "hello until the end");
    assert_body("/none", 204, "");
    assert_body("/empty", 200, "");
    assert_body("/interim", 200, "hello");
    assert_body("/more", 200, "hello");
    assert_body("/missing", 404, "no");
}

static void headers(void **state)
{
    (void)state;
    green_http_response r;
    green_http_options options = {.headers = "X-Ours: yes\r\n"};
    assert_int_equal(get_with("/length?q#fragment", &options, &r), -1);
    assert_non_null(strstr(last_request, "GET /length?q HTTP/1.1\r\n"));
    assert_int_equal(get_with("/length", &options, &r), 0);
    assert_string_equal(green_http_header(&r, "content-LENGTH"), "5");
    assert_string_equal(green_http_header(&r, "X-Empty"), "");
    assert_string_equal(green_http_header(&r, "X-Two"), "a");
    assert_null(green_http_header(&r, "X-Tw"));
    green_http_free(&r);
    green_http_free(&r); /* harmless */
    char host[100];
    snprintf(host, sizeof host, "\r\nHost: %s\r\n", address);
    assert_non_null(strstr(last_request, host));
    assert_non_null(strstr(last_request, "\r\nX-Ours: yes\r\n"));
    options.headers = "X-Ours: no line end";
    assert_fails(get_with("/length", &options, &r), EINVAL);
}

static void redirects(void **state)
{
    (void)state;
    green_http_response r;
    green_http_options none = {.redirects = -1};
    assert_body("/to-length", 200, "hello");
    assert_body("/dir/sibling", 200, "x!");
    assert_body("/no-location", 301, "here");
    assert_int_equal(get_with("/to-length", NULL, &r), 0);
    assert_non_null(strstr(r.url, "/length"));
    green_http_free(&r);
    assert_int_equal(get_with("/to-length", &none, &r), 0);
    assert_int_equal(r.status, 302);
    assert_string_equal(r.body, "bye");
    green_http_free(&r);
    assert_fails(get_with("/loop", NULL, &r), ELOOP);
    assert_non_null(strstr(green_errmsg(), "10"));
    assert_fails(get_with("/nowhere", NULL, &r), EINVAL);
    assert_non_null(strstr(green_errmsg(), "gopher"));
}

static void say_redirect(struct peer *p, SSL *ssl)
{
    char buf[1000];
    (void)p;
    static const char text[] = "HTTP/1.1 302 Go\r\nLocation: http://localhost/\r\n"
                               "Content-Length: 0\r\n\r\n";
    if (SSL_read(ssl, buf, sizeof buf) > 0 && SSL_write(ssl, text, sizeof text - 1) > 0)
        SSL_shutdown(ssl);
}

static void no_way_back_to_plain(void **state)
{
    (void)state;
    struct identity localhost;
    identity_make(&localhost, "DNS:localhost", 2);
    struct peer p = {.identity = &localhost, .behave = say_redirect};
    green_http_options options = {.tls.ca_file = localhost.file};
    green_http_response r;
    char url[100];
    peer_start(&p);
    snprintf(url, sizeof url, "https://%s/", p.address);
    assert_fails(green_http_get(url, &options, &r), EACCES);
    assert_non_null(strstr(green_errmsg(), "http://localhost/"));
    peer_end(&p);
    identity_free(&localhost);
}

static void broken_answers(void **state)
{
    (void)state;
    static const char *const cut[] = {"/cut", "/cut-head", "/cut-chunk", "/cut-chunks", "/nothing"};
    static const char *const bad[] = {"/garbage", "/bad-chunk", "/bad-length", "/two-lengths"};
    green_http_response r;
    for (size_t i = 0; i < COUNT(cut); i++) {
        assert_fails(get_with(cut[i], NULL, &r), ECONNABORTED);
        assert_non_null(strstr(green_errmsg(), address));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_fails(get_with(bad[i], NULL, &r), EPROTO);
        assert_non_null(strstr(green_errmsg(), address));
    }
    assert_null(r.body);
    assert_null(r.url);
}

static void limit(void **state)
{
    (void)state;
    green_http_response r;
    green_http_options options = {.limit = 10};
    assert_fails(get_with("/until-close", &options, &r), EFBIG);
    assert_fails(get_with("/length", &options, &r), EFBIG); /* its head is too large */
    options.limit = 100;
    assert_int_equal(get_with("/until-close", &options, &r), 0);
    green_http_free(&r);
}

static int get_hanging(void *arg)
{
    green_http_response r;
    (void)arg;
    return get_with("/hang", NULL, &r) < 0 ? errno : 0;
}

static void deadline_and_cancellation(void **state)
{
    (void)state;
    int result = 0;
    green_http_response r;
    bool asked = false; /* by the time that it is over */
    for (int64_t bound = 30 * GREEN_MS; !asked; bound *= 4) {
        assert_true(bound < 20 * GREEN_SEC);
        green_within(bound)
            assert_fails(get_with("/hang", NULL, &r), ETIMEDOUT);
        assert_true(green_expired());
        asked = strstr(green_errmsg(), "the answer of 127.0.0.1") != NULL;
    }
    green_thread *t = green_spawn(get_hanging, NULL);
    for (int i = 0; i < 200; i++)
        green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
}

static void bad_urls(void **state)
{
    (void)state;
    green_http_response r;
    assert_fails(green_http_get("ftp://x/", NULL, &r), EINVAL);
    assert_fails(green_http_get(NULL, NULL, &r), EINVAL);
    assert_fails(green_http_get("http://h/\r\nX: y", NULL, &r), EINVAL);
}

/* Scenario 125: a port that is taken, but not listened on. */
static void refused(void **state)
{
    char at[32], url[64];
    (void)state;
    green_http_response r;
    int fd = take_port(at);
    snprintf(url, sizeof url, "http://%s/", at);
    assert_fails(green_http_get(url, NULL, &r), ECONNREFUSED);
    assert_non_null(strstr(green_errmsg(), at));
    close(fd);
}

static int fds_before;

static int start(void **state)
{
    (void)state;
    green_self();
    fds_before = fds_open();
    server = green_spawn(serve, NULL);
    wait_for(address[0] != '\0');
    return 0;
}

static void nothing_left(void **state)
{
    (void)state;
    assert_int_equal(green_kill(server, NULL), 0);
    green_hub_stats s = stats_now();
    assert_int_equal(s.watches, 0);
    assert_int_equal(s.threads, 1);
    assert_int_equal(fds_open(), fds_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(headers),
        cmocka_unit_test(redirects),
        cmocka_unit_test(no_way_back_to_plain),
        cmocka_unit_test(broken_answers),
        cmocka_unit_test(limit),
        unit_test_that_leaves(deadline_and_cancellation),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(refused),
        cmocka_unit_test(nothing_left),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
