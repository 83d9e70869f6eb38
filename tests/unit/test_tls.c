/* TLS connections. */
#include "net_unit.h"
#include "tls_peer.h"
#include <green/state.h>

enum { LARGE = 5 << 20 };

static struct identity localhost; /* good for localhost and 127.0.0.1 */
static struct identity other;     /* good for other.test */
static struct identity expired;

static green_conn *dial(struct peer *p, const char *trust)
{
    green_dial_options options = {.ca_file = trust};
    return green_dial_with(&options, "tls", p->address);
}

static green_conn *dialled(struct peer *p)
{
    if (p->identity == NULL)
        p->identity = &localhost;
    peer_start(p);
    green_conn *c = dial(p, p->identity->file);
    if (c == NULL)
        fail_msg("%s", green_errmsg());
    return c;
}

static void finish(struct peer *p, green_conn *c)
{
    assert_int_equal(green_conn_close(c), 0);
    peer_end(p);
}

/* ---- data ---- */

struct job {
    green_conn *conn;
    char *data;
    size_t size;
};

static int send_all(void *arg)
{
    struct job *j = arg;
    if (green_conn_write(j->conn, j->data, j->size) != (ssize_t)j->size)
        return -1;
    return green_conn_shutdown(j->conn);
}

static void echo_with(int protocol)
{
    size_t sizes[] = {0, 1, 16384, 16385, (size_t)fewer(LARGE)};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct peer p = {.protocol = protocol, .behave = peer_echo};
        green_group g = GREEN_GROUP_INIT;
        struct job j = {dialled(&p), calloc(1, sizes[i] + 1), sizes[i]};
        char *got = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            j.data[k] = (char)(k * 31 + (k >> 12));
        assert_int_equal(green_group_spawn(&g, send_all, &j), 0);
        assert_int_equal(green_conn_read_full(j.conn, got, sizes[i] + 1), sizes[i]);
        assert_memory_equal(got, j.data, sizes[i]);
        assert_int_equal(green_group_join(&g), 0);
        finish(&p, j.conn);
        free(got);
        free(j.data);
    }
}

/* Scenarios 121, 122, 138: over TLS 1.3. */
static void echo_tls13(void **state)
{
    (void)state;
    echo_with(TLS1_3_VERSION);
}

/* Scenarios 121, 122, 138: over TLS 1.2. */
static void echo_tls12(void **state)
{
    (void)state;
    echo_with(TLS1_2_VERSION);
}

static void vectors(void **state)
{
    (void)state;
    struct peer p = {.behave = peer_echo};
    green_conn *c = dialled(&p);
    char *data = calloc(3, 20000);
    memset(data, 'a', 60000);
    struct iovec parts[] = {{"hello", 5}, {"", 0}, {data, 60000}, {" world", 6}, {data, 16384}};
    size_t size = 5 + 60000 + 6 + 16384;
    char *got = malloc(size);
    assert_int_equal(green_conn_writev(c, parts, COUNT(parts)), size);
    assert_int_equal(green_conn_read_full(c, got, size), size);
    assert_memory_equal(got, "helloaaa", 8);
    assert_memory_equal(got + 60000, "aaaaa worldaaa", 14);
    free(got);
    free(data);
    finish(&p, c);
}

/* Several writers: each write whole, one after the other. */
static int write_letters(void *arg)
{
    struct job *j = arg;
    return green_conn_write(j->conn, j->data, j->size) == (ssize_t)j->size ? 0 : -1;
}

static void writers_take_turns(void **state)
{
    (void)state;
    enum { WRITERS = 5, EACH = 300000 };
    struct peer p = {.behave = peer_echo};
    green_conn *c = dialled(&p);
    green_group g = GREEN_GROUP_INIT;
    struct job j[WRITERS];
    char *got = malloc(WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++) {
        j[i] = (struct job){c, malloc(EACH), EACH};
        memset(j[i].data, 'a' + i, EACH);
        assert_int_equal(green_group_spawn(&g, write_letters, &j[i]), 0);
    }
    assert_int_equal(green_conn_read_full(c, got, WRITERS * EACH), WRITERS * EACH);
    assert_int_equal(green_group_join(&g), 0);
    for (int i = 0; i < WRITERS; i++) {
        assert_memory_equal(got + i * EACH, j[i].data, EACH);
        free(j[i].data);
    }
    free(got);
    finish(&p, c);
}

static void update_keys(struct peer *p, SSL *ssl)
{
    char buf[5];
    (void)p;
    for (int i = 0; i < 10; i++) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        if (SSL_write(ssl, "hello", 5) != 5 || SSL_read(ssl, buf, 5) != 5)
            return;
    }
    SSL_shutdown(ssl);
}

/* Scenario 140: reading makes OpenSSL write. */
static void key_updates(void **state)
{
    (void)state;
    struct peer p = {.protocol = TLS1_3_VERSION, .behave = update_keys};
    green_conn *c = dialled(&p);
    char buf[5];
    for (int i = 0; i < 10; i++) {
        assert_int_equal(green_conn_read_full(c, buf, 5), 5);
        assert_int_equal(green_conn_write(c, buf, 5), 5);
    }
    assert_int_equal(green_conn_read(c, buf, 5), 0);
    finish(&p, c);
}

/* ---- ends ---- */

static void say_and_close(struct peer *p, SSL *ssl)
{
    (void)p;
    SSL_write(ssl, "hello", 5);
}

static void say_end_and_close(struct peer *p, SSL *ssl)
{
    (void)p;
    SSL_write(ssl, "hello", 5);
    SSL_shutdown(ssl);
}

/* Scenario 141: an end without close_notify is an error: the data may be cut. */
static void ragged_end(void **state)
{
    (void)state;
    char buf[10];
    struct peer ragged = {.behave = say_and_close};
    green_conn *c = dialled(&ragged);
    assert_int_equal(green_conn_read_full(c, buf, 5), 5);
    assert_fails(green_conn_read(c, buf, 5), ECONNABORTED);
    assert_non_null(strstr(green_errmsg(), "localhost"));
    finish(&ragged, c);
    struct peer clean = {.behave = say_end_and_close};
    c = dialled(&clean);
    assert_int_equal(green_conn_read_full(c, buf, 10), 5);
    assert_int_equal(green_conn_read(c, buf, 5), 0);
    finish(&clean, c);
}

static int read_end(void *arg)
{
    char c;
    ssize_t n = green_conn_read(arg, &c, 1);
    return n < 0 ? errno : (int)n;
}

static int write_end(void *arg)
{
    char *data = calloc(1, 4 * LARGE);
    ssize_t n = green_conn_write(arg, data, 4 * LARGE);
    int err = errno;
    free(data);
    return n < 0 ? err : 0;
}

static green_thread *waiting(int (*fn)(void *), void *arg)
{
    green_thread *t = green_spawn(fn, arg);
    for (int i = 0; i < 1000; i++)
        green_yield();
    return t;
}

static int end_of(green_thread *t)
{
    int result = -1;
    green_within(60 * GREEN_SEC)
        assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* Scenarios 123, 138: of reads and writes. */
static void deadlines(void **state)
{
    (void)state;
    struct peer p = {.behave = peer_hold};
    char buf[10];
    green_conn *c = dialled(&p);
    green_within(30 * GREEN_MS)
        assert_fails(green_conn_read(c, buf, 1), ETIMEDOUT);
    char *data = calloc(1, 4 * LARGE);
    green_within(100 * GREEN_MS)
        assert_fails(green_conn_write(c, data, 4 * LARGE), ETIMEDOUT);
    assert_fails(green_conn_write(c, data, 1), EPIPE); /* half a record is out */
    free(data);
    finish(&p, c);
}

/* Scenarios 5, 138: reading and writing. */
static void cancellation(void **state)
{
    (void)state;
    static int (*const ends[])(void *) = {read_end, write_end};
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct peer p = {.behave = peer_hold};
        green_conn *c = dialled(&p);
        green_thread *t = waiting(ends[i], c);
        assert_int_equal(green_cancel(t), 0);
        assert_int_equal(end_of(t), ECANCELED);
        finish(&p, c);
    }
}

/* Scenarios 126, 138: whoever is inside, or in line, is woken with EBADF. */
static void close_while_inside(void **state)
{
    (void)state;
    struct peer p = {.behave = peer_hold};
    green_conn *c = dialled(&p);
    green_thread *t[4] = {waiting(read_end, c), waiting(read_end, c), waiting(write_end, c),
                          waiting(write_end, c)};
    assert_int_equal(green_conn_close(c), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(end_of(t[i]), EBADF);
    peer_end(&p);
}

/* Scenarios 126, 137, 138: likewise who has not waited, but just lets others run. */
static void close_while_others_run(void **state)
{
    (void)state;
    struct peer p = {.behave = peer_echo};
    char buf[1000] = {0};
    green_conn *c = dialled(&p);
    assert_int_equal(green_conn_write(c, buf, sizeof buf), sizeof buf);
    assert_int_equal(green_conn_read(c, buf, 1), 1);
    green_thread *t = green_spawn(read_bytes_end, c);
    green_yield();
    assert_int_equal(green_thread_state(t), GREEN_READY);
    assert_int_equal(green_conn_close(c), 0);
    assert_int_equal(end_of(t), EBADF);
    peer_end(&p);
}

static void wait_and_read(struct peer *p, SSL *ssl)
{
    char buf[10000];
    peer_wait(p);
    while (SSL_read(ssl, buf, sizeof buf) > 0)
        continue;
}

struct taken_over {
    green_conn *conn;
    int number; /* the connection's, then another file's */
    int peer;   /* of that */
};

static int write_and_replace(void *arg)
{
    struct taken_over *o = arg;
    int fds[2], result = write_end(o->conn); /* passes the turn on */
    green_conn_close(o->conn);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return errno;
    o->peer = fds[1] != o->number ? fds[1] : fds[0];
    int near = fds[0] + fds[1] - o->peer;
    if (near != o->number && (dup2(near, o->number) < 0 || close(near) < 0))
        return errno;
    return result;
}

/* Scenarios 127, 138: closed after the next writer was given the turn, and before it had it. */
static void reused_number(void **state)
{
    (void)state;
    struct peer p = {.behave = wait_and_read};
    char c;
    struct taken_over o = {.conn = dialled(&p)};
    o.number = green_conn_fd(o.conn);
    green_thread *first = waiting(write_and_replace, &o), *second = waiting(write_end, o.conn);
    peer_release(&p);
    assert_int_equal(end_of(first), 0);
    assert_int_equal(end_of(second), EBADF);
    assert_fails(recv(o.peer, &c, 1, MSG_DONTWAIT), EAGAIN);
    close(o.peer);
    close(o.number);
    peer_end(&p);
}

/* ---- opening ---- */

static int tick(void *arg)
{
    int *ticks = arg;
    while (green_sleep(GREEN_MS) == 0)
        ++*ticks;
    return 0;
}

static int dial_end(void *arg)
{
    green_conn *c = dial(arg, localhost.file);
    int err = errno;
    if (c != NULL)
        green_conn_close(c);
    return c == NULL ? err : 0;
}

/* Scenario 139: a server that does not answer holds up its client only, for as long as it wants
 * to wait. */
static void handshake_without_answer(void **state)
{
    (void)state;
    int ticks = 0;
    green_thread *ticker = green_spawn(tick, &ticks);
    for (int64_t bound = GREEN_SEC / 2; ticks < 2; bound *= 4) { /* time enough for the ticker */
        struct peer p = {.greet = peer_mute};
        assert_true(bound < 20 * GREEN_SEC);
        ticks = 0;
        peer_start(&p);
        green_within(bound)
            assert_none(dial(&p, localhost.file), ETIMEDOUT, "localhost");
        assert_true(green_expired());
        peer_end(&p);
    }
    assert_int_equal(green_kill(ticker, NULL), 0);
    struct peer q = {.greet = peer_mute};
    peer_start(&q);
    green_thread *t = green_spawn(dial_end, &q);
    green_within(30 * GREEN_MS)
        assert_fails(green_join(t, NULL), ETIMEDOUT);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(end_of(t), ECANCELED);
    peer_end(&q);
}

/* One dial with these options; says how it ended and what the server was told. */
static int attempt(const struct identity *identity, const green_dial_options *options, bool numeric,
                   struct peer *p)
{
    *p = (struct peer){.identity = identity, .behave = peer_echo};
    peer_start(p);
    green_conn *c = green_dial_with(options, "tls", numeric ? p->numeric : p->address);
    int err = c == NULL ? errno : 0;
    if (c != NULL)
        green_conn_close(c);
    peer_end(p);
    errno = err;
    return err;
}

/* Scenario 142: names, authorities, protocols. */
static void verification(void **state)
{
    (void)state;
    struct peer p;
    green_dial_options trust = {.ca_file = localhost.file};
    assert_int_equal(attempt(&localhost, &trust, false, &p), 0);
    assert_string_equal(p.server_name, "localhost");
    assert_int_equal(attempt(&localhost, &trust, true, &p), 0);
    assert_string_equal(p.server_name, ""); /* an address is not said */
    /* a stranger's certificate */
    assert_int_equal(attempt(&other, &trust, false, &p), EKEYREJECTED);
    assert_non_null(strstr(green_errmsg(), "certificate of localhost: "));
    /* the right authority, another's name */
    trust.ca_file = other.file;
    assert_int_equal(attempt(&other, &trust, false, &p), EKEYREJECTED);
    assert_non_null(strstr(green_errmsg(), "hostname mismatch"));
    assert_int_equal(attempt(&other, &trust, true, &p), EKEYREJECTED);
    assert_non_null(strstr(green_errmsg(), "IP address mismatch"));
    trust.server_name = "other.test";
    assert_int_equal(attempt(&other, &trust, true, &p), 0);
    assert_string_equal(p.server_name, "other.test");
    trust.server_name = "OTHER.test.";
    assert_int_equal(attempt(&other, &trust, false, &p), 0);
    /* too old */
    trust = (green_dial_options){.ca_file = expired.file};
    assert_int_equal(attempt(&expired, &trust, false, &p), EKEYREJECTED);
    assert_non_null(strstr(green_errmsg(), "expired"));
    /* the system does not know it; whoever does not care gets it all the same */
    trust.ca_file = NULL;
    assert_int_equal(attempt(&localhost, &trust, false, &p), EKEYREJECTED);
    trust.insecure = true;
    assert_int_equal(attempt(&expired, &trust, false, &p), 0);
}

static void bad_options(void **state)
{
    (void)state;
    struct peer p;
    green_dial_options options = {.ca_file = "/no/such/file"};
    assert_int_equal(attempt(&localhost, &options, false, &p), EINVAL);
    assert_non_null(strstr(green_errmsg(), "/no/such/file"));
    options = (green_dial_options){.server_name = ""};
    assert_int_equal(attempt(&localhost, &options, false, &p), EINVAL);
    assert_none(green_dial("tls", "localhost"), EINVAL, "localhost");
}

static void greet_in_plain(struct peer *p, int fd)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    ssize_t n = write(fd, text, sizeof text - 1);
    if (n > 0)
        peer_wait(p);
}

static void greet_by_closing(struct peer *p, int fd)
{
    char buf[4096];
    (void)p;
    ssize_t n = read(fd, buf, sizeof buf); /* all of it, so that no reset comes */
    (void)n;
}

static void not_on_terms(void **state)
{
    (void)state;
    struct peer p = {.identity = &localhost, .protocol = TLS1_2_VERSION, .ciphers = "aRSA"};
    peer_start(&p);
    assert_none(dial(&p, localhost.file), EPROTO, "TLS alert from localhost: handshake failure");
    peer_end(&p);
    struct peer plain = {.greet = greet_in_plain};
    peer_start(&plain);
    assert_none(dial(&plain, localhost.file), EPROTO, "localhost");
    peer_end(&plain);
    struct peer closing = {.greet = greet_by_closing};
    peer_start(&closing);
    assert_none(dial(&closing, localhost.file), ECONNABORTED, "during the TLS handshake");
    peer_end(&closing);
}

static int identities(void **state)
{
    (void)state;
    green_self();
    identity_make(&localhost, "DNS:localhost,IP:127.0.0.1", 2);
    identity_make(&other, "DNS:other.test", 2);
    identity_make(&expired, "DNS:localhost", -2);
    return 0;
}

static int no_identities(void **state)
{
    (void)state;
    identity_free(&localhost);
    identity_free(&other);
    identity_free(&expired);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_tls13),
        cmocka_unit_test(echo_tls12),
        cmocka_unit_test(vectors),
        cmocka_unit_test(writers_take_turns),
        cmocka_unit_test(key_updates),
        cmocka_unit_test(ragged_end),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(cancellation),
        cmocka_unit_test(close_while_inside),
        cmocka_unit_test(close_while_others_run),
        cmocka_unit_test(reused_number),
        cmocka_unit_test(handshake_without_answer),
        cmocka_unit_test(verification),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(not_on_terms),
    };
    return cmocka_run_group_tests(tests, identities, no_identities);
}
