/* Addresses as text. */
#include "address.h"
#include "http_url.h"
#include "net_unit.h"
#include <arpa/inet.h>

static void networks(void **state)
{
    (void)state;
    struct network n;
    assert_int_equal(network_parse("tcp", &n), 0);
    assert_true(n.family == AF_UNSPEC && !n.tls);
    assert_int_equal(network_parse("tcp6", &n), 0);
    assert_int_equal(n.family, AF_INET6);
    assert_int_equal(network_parse("tls", &n), 0);
    assert_true(n.family == AF_UNSPEC && n.tls);
    assert_fails(network_parse("udp", &n), EINVAL);
    assert_non_null(strstr(green_errmsg(), "udp"));
    assert_fails(network_parse(NULL, &n), EINVAL);
    assert_fails(network_parse("", &n), EINVAL);
}

/* Scenario 143: as far as no name is looked up. */
static void host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port;
    } good[] = {
        {"localhost:80", "localhost", "80"},
        {":7000", "", "7000"},
        {"[::1]:443", "::1", "443"},
        {"[fe80::1%lo]:0", "fe80::1%lo", "0"},
        {"127.0.0.1:http", "127.0.0.1", "http"},
        {"a:65535", "a", "65535"},
    };
    static const char *const bad[] = {
        "",
        "localhost",
        "localhost:",
        "::1",
        "::1:80",
        "[::1]",
        "[::1]80",
        "a:65536",
        "a:100000",
        "[::1:80",
        "[::1]x:80",
        "a:999999999999",
        "a:a-service-name-that-is-longer-than-any",
    };
    char host[HOST_SIZE];
    char port[PORT_SIZE];
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(address_split(good[i].text, host, port), 0);
        assert_string_equal(host, good[i].host);
        assert_string_equal(port, good[i].port);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(address_split(bad[i], host, port), EINVAL);
    assert_fails(address_split(NULL, host, port), EINVAL);
    char longer[400];
    memset(longer, 'a', sizeof longer);
    strcpy(longer + sizeof longer - 4, ":80");
    assert_fails(address_split(longer, host, port), EINVAL);
}

static void unix_paths(void **state)
{
    (void)state;
    struct address a;
    char text[ADDRESS_TEXT];
    char longer[200];
    assert_int_equal(address_local("/tmp/x", &a), 0);
    address_text(&a.any, a.length, text);
    assert_string_equal(text, "/tmp/x");
    assert_int_equal(address_local("@name", &a), 0);
    assert_int_equal(a.local.sun_path[0], 0);
    address_text(&a.any, a.length, text);
    assert_string_equal(text, "@name");
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_fails(address_local(longer, &a), EINVAL);
    assert_fails(address_local("", &a), EINVAL);
    assert_fails(address_local(NULL, &a), EINVAL);
    longer[107] = '\0'; /* the longest there is */
    assert_int_equal(address_local(longer, &a), 0);
    address_text(&a.any, a.length, text);
    assert_string_equal(text, longer);
}

/* Scenario 135: the scope is kept. */
static void texts(void **state)
{
    (void)state;
    struct address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons(80)}};
    char text[ADDRESS_TEXT];
    inet_pton(AF_INET, "10.1.2.3", &a.v4.sin_addr);
    address_text(&a.any, sizeof a.v4, text);
    assert_string_equal(text, "10.1.2.3:80");
    a = (struct address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)}};
    inet_pton(AF_INET6, "fe80::1", &a.v6.sin6_addr);
    a.v6.sin6_scope_id = 1; /* the scope is kept */
    address_text(&a.any, sizeof a.v6, text);
    assert_string_equal(text, "[fe80::1%lo]:65535");
    a = (struct address){.local = {.sun_family = AF_UNIX}};
    address_text(&a.any, sizeof(sa_family_t), text);
    assert_string_equal(text, "unnamed");
}

static void urls(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "localhost",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://:80/",
        "http://a b/",
        "http://a/b c",
        "http://a/\r\nX: y",
        "http://u@host/",
        "http://[::1/",
        "http://host:99999/",
        "http://::1/",
    };
    struct http_url u;
    char host[HTTP_HOST_SIZE];
    assert_int_equal(http_url_parse("http://example.org", &u), 0);
    assert_string_equal(u.host, "example.org");
    assert_string_equal(u.port, "80");
    assert_int_equal(u.path_size, 0);
    assert_int_equal(http_url_parse("HTTPS://[::1]:8443/a?b#c", &u), 0);
    assert_true(u.tls);
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.path_size, strlen("/a?b"));
    http_url_host(&u, host);
    assert_string_equal(host, "[::1]:8443");
    assert_int_equal(http_url_parse("https://h:443?q", &u), 0);
    http_url_host(&u, host);
    assert_string_equal(host, "h");
    assert_int_equal(http_url_parse("http://[::1]/", &u), 0);
    assert_string_equal(u.port, "80");
    assert_int_equal(http_url_parse("http://h:/", &u), 0);
    assert_string_equal(u.port, "80");
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(http_url_parse(bad[i], &u), EINVAL);
    assert_fails(http_url_parse(NULL, &u), EINVAL);
}

static void locations(void **state)
{
    (void)state;
    static const struct {
        const char *from, *location, *to;
    } table[] = {
        {"http://h/a/b?c", "https://g/", "https://g/"}, {"http://h/a/b?c", "//g/x", "http://g/x"},
        {"http://h/a/b?c", "/x", "http://h/x"},         {"http://h/a/b?c", "x", "http://h/a/x"},
        {"http://h/a/b?c", "?x", "http://h/a/b?x"},     {"http://h", "x", "http://h/x"},
        {"https://h:81/", "/x:y", "https://h:81/x:y"},  {"http://h/?a/b", "c", "http://h/c"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        struct http_url u;
        assert_int_equal(http_url_parse(table[i].from, &u), 0);
        char *to = http_url_follow(&u, table[i].location);
        assert_string_equal(to, table[i].to);
        free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks), cmocka_unit_test(host_and_port), cmocka_unit_test(unix_paths),
        cmocka_unit_test(texts),    cmocka_unit_test(urls),          cmocka_unit_test(locations),
    };
    green_self(); /* so that there is a thread to keep sentences */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
