/* Servers: a thread a connection, isolation, limits, ends, several hubs. */
#include "net_unit.h"
#include <green/serve.h>
#include <sched.h>
#include <stdatomic.h>

/* A server on a thread of its own, and what its handlers see. */
struct server {
    green_serve_options options;
    green_handler *handler;
    const char *network;
    const char *at;
    green_thread *thread;
    char address[128];
    int error;            /* errno when green_serve returned */
    atomic_int begun;     /* handlers */
    atomic_int over;      /* of these */
    atomic_int inside;    /* now */
    atomic_int most;      /* at once */
    atomic_int elsewhere; /* begun on another hub than the server's */
    green_hub *home;
};

static void listening(const char *address, void *arg)
{
    struct server *s = arg;
    snprintf(s->address, sizeof s->address, "%s", address);
}

static int serve(void *arg)
{
    struct server *s = arg;
    s->home = green_hub_self();
    int rc = green_serve_with(&s->options, s->network, s->at, s->handler, s);
    s->error = errno;
    return rc;
}

static void begin(struct server *s, green_handler *handler)
{
    s->handler = handler;
    s->options.on_listen = listening;
    if (s->network == NULL) {
        s->network = "tcp";
        s->at = "127.0.0.1:0";
    }
    s->thread = green_spawn(serve, s);
    wait_for(s->address[0] != '\0');
}

static void end(struct server *s)
{
    int result = 0;
    assert_int_equal(green_kill(s->thread, &result), 0);
    assert_int_equal(result, -1);
    assert_int_equal(s->error, ECANCELED);
    assert_int_equal(atomic_load(&s->begun), atomic_load(&s->over));
}

static int echo(green_conn *c, void *arg)
{
    struct server *s = arg;
    char buf[512];
    ssize_t n;
    atomic_fetch_add(&s->begun, 1);
    if (green_hub_self() != s->home)
        atomic_fetch_add(&s->elsewhere, 1);
    int now = atomic_fetch_add(&s->inside, 1) + 1;
    if (now > atomic_load(&s->most))
        atomic_store(&s->most, now);
    while ((n = green_conn_read(c, buf, sizeof buf)) > 0)
        if (green_conn_write(c, buf, (size_t)n) < 0)
            break;
    atomic_fetch_sub(&s->inside, 1);
    atomic_fetch_add(&s->over, 1);
    return n < 0 ? -1 : 0;
}

static green_conn *dial(struct server *s)
{
    green_conn *c = green_dial(s->network, s->address);
    if (c == NULL)
        fail_msg("%s", green_errmsg());
    return c;
}

static void check_echo(green_conn *c)
{
    char got[5];
    assert_int_equal(green_conn_write(c, "hello", 5), 5);
    assert_int_equal(green_conn_read_full(c, got, 5), 5);
    assert_memory_equal(got, "hello", 5);
}

static void many_connections(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct server s = {0};
    green_conn *c[MANY];
    begin(&s, echo);
    for (int i = 0; i < MANY; i++)
        c[i] = dial(&s);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < MANY; i++)
            check_echo(c[i]);
    assert_int_equal(atomic_load(&s.inside), MANY);
    for (int i = 0; i < MANY / 2; i++)
        assert_int_equal(green_conn_close(c[i]), 0);
    wait_for(atomic_load(&s.inside) == MANY / 2);
    end(&s); /* with connections open: their handlers are cancelled */
    for (int i = MANY / 2; i < MANY; i++) {
        char byte;
        assert_int_equal(green_conn_read(c[i], &byte, 1), 0);
        assert_int_equal(green_conn_close(c[i]), 0);
    }
}

static void unix_socket(void **state)
{
    (void)state;
    char name[40];
    snprintf(name, sizeof name, "@green-test-%d", getpid());
    struct server s = {.network = "unix", .at = name, .options.hubs = 2};
    begin(&s, echo);
    green_conn *c = dial(&s);
    check_echo(c);
    assert_int_equal(green_conn_close(c), 0);
    wait_for(atomic_load(&s.over) == 1);
    end(&s);
    assert_int_equal(atomic_load(&s.elsewhere), 0);
}

static int misbehave(green_conn *c, void *arg)
{
    struct server *s = arg;
    atomic_fetch_add(&s->begun, 1);
    char what = '?';
    if (green_conn_read(c, &what, 1) == 1 && what == 'c')
        green_conn_close(c);
    if (what == 'k')
        green_cancel(green_self());
    atomic_fetch_add(&s->over, 1);
    errno = EIO;
    return -1;
}

/* A handler that fails, cancels itself or closes the connection harms nobody else. */
static void handlers_are_isolated(void **state)
{
    (void)state;
    struct server s = {0};
    char byte;
    begin(&s, misbehave);
    green_conn *steady = dial(&s);
    for (int i = 0; i < 3; i++) {
        green_conn *c = dial(&s);
        assert_int_equal(green_conn_write(c, &"fck"[i], 1), 1);
        assert_int_equal(green_conn_read(c, &byte, 1), 0);
        assert_int_equal(green_conn_close(c), 0);
    }
    wait_for(atomic_load(&s.over) == 3 && atomic_load(&s.begun) == 4);
    green_conn_write(steady, "f", 1);
    assert_int_equal(green_conn_read(steady, &byte, 1), 0);
    assert_int_equal(green_conn_close(steady), 0);
    end(&s);
}

static void most_connections(void **state)
{
    (void)state;
    struct server s = {.options.max_connections = 3};
    green_conn *c[9];
    begin(&s, echo);
    for (int i = 0; i < 9; i++)
        c[i] = dial(&s);
    for (int i = 0; i < 9; i++) { /* each that leaves makes room for the next */
        check_echo(c[i]);
        assert_int_equal(green_conn_close(c[i]), 0);
    }
    wait_for(atomic_load(&s.over) == 9);
    assert_int_equal(atomic_load(&s.most), 3);
    end(&s);
}

static void deadline_ends_it(void **state)
{
    (void)state;
    struct server s = {.handler = echo, .network = "tcp", .at = "127.0.0.1:0"};
    green_within(30 * GREEN_MS)
        assert_int_equal(serve(&s), -1);
    assert_int_equal(s.error, ETIMEDOUT);
    assert_true(green_expired());
}

static void failures(void **state)
{
    (void)state;
    struct server s = {0};
    begin(&s, echo);
    assert_fails(green_serve("tcp", s.address, echo, &s), EADDRINUSE);
    assert_non_null(strstr(green_errmsg(), s.address));
    green_serve_options two = {.hubs = 2}; /* sharing the port is for one server's hubs only */
    assert_fails(green_serve_with(&two, "tcp", s.address, echo, &s), EADDRINUSE);
    assert_fails(green_serve("tcp", "nonsense", echo, &s), EINVAL);
    assert_fails(green_serve("sctp", ":1", echo, &s), EINVAL);
    end(&s);
}

/* Scenario 131: those that are there are served, the rest when some are free again. */
static void without_descriptors(void **state)
{
    (void)state;
    struct server s = {0};
    int filled[100];
    int count = 0;
    struct rlimit old;
    if (RUNNING_ON_VALGRIND) {
        print_message("# skipped: valgrind accepts first and then has no descriptor for it\n");
        return;
    }
    begin(&s, echo);
    green_conn *first = dial(&s);
    check_echo(first);
    green_conn *second = dial(&s);
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit few = {100, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 100 && (filled[count] = dup(0)) >= 0)
        count++;
    for (int i = 0; i < 20; i++)
        check_echo(first);
    while (count > 0)
        close(filled[--count]);
    check_echo(second);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(green_conn_close(first), 0);
    assert_int_equal(green_conn_close(second), 0);
    wait_for(atomic_load(&s.over) == 2);
    end(&s);
}

/* Two OS threads: the kernel spreads the connections, and the end reaches both. */
static void two_hubs(void **state)
{
    (void)state;
    enum { MANY = 64 };
    struct server s = {.options.hubs = 2};
    green_conn *c[MANY];
    begin(&s, echo);
    for (int i = 0; i < MANY; i++)
        check_echo(c[i] = dial(&s));
    int elsewhere = atomic_load(&s.elsewhere);
    assert_true(elsewhere > 0 && elsewhere < MANY);
    for (int i = 0; i < MANY / 2; i++)
        assert_int_equal(green_conn_close(c[i]), 0);
    wait_for(atomic_load(&s.inside) == MANY / 2);
    assert_fails(green_hubs_end(), EBUSY);
    end(&s);
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(atomic_load(&s.inside), 0);
    for (int i = MANY / 2; i < MANY; i++)
        assert_int_equal(green_conn_close(c[i]), 0);
}

static void *choose(void *enough)
{
    while (!*(atomic_bool *)enough)
        green_hub_next();
    return NULL;
}

static atomic_bool served[3]; /* by these hubs */

static int note_hub(green_conn *c, void *arg)
{
    (void)c;
    struct server *s = arg;
    atomic_fetch_add(&s->begun, 1);
    for (unsigned i = 0; i < COUNT(served); i++)
        if (green_hub_nth(i) == green_hub_self())
            served[i] = true;
    atomic_fetch_add(&s->over, 1);
    return 0;
}

/* Each hub serves, also when others choose hubs at the same time. */
static void hubs_chosen_by_others(void **state)
{
    enum { SERVERS = 30, MANY = 200 };
    pthread_t chooser;
    atomic_bool enough = false;
    (void)state;
    assert_int_equal(green_hubs(COUNT(served)), COUNT(served));
    assert_int_equal(pthread_create(&chooser, NULL, choose, &enough), 0);
    for (int k = 0; k < SERVERS; k++) {
        struct server s = {.options.hubs = COUNT(served)};
        char byte;
        served[0] = served[1] = served[2] = false;
        begin(&s, note_hub);
        for (int n = 0; n < MANY && !(served[0] && served[1] && served[2]); n++) {
            green_conn *c = dial(&s);
            assert_int_equal(green_conn_read(c, &byte, 1), 0);
            assert_int_equal(green_conn_close(c), 0);
        }
        assert_true(served[0] && served[1] && served[2]);
        end(&s);
    }
    enough = true;
    assert_int_equal(pthread_join(chooser, NULL), 0);
    assert_int_equal(green_hubs_end(), 0);
}

static atomic_bool may_leave;

static int leave_when_told(green_conn *c, void *arg)
{
    struct server *s = arg;
    char byte;
    atomic_fetch_add(&s->begun, 1);
    green_conn_read(c, &byte, 1);
    green_shield() {
        int64_t end = green_now() + 20 * GREEN_SEC;
        while (!may_leave && green_now() < end)
            green_sleep(GREEN_MS);
    }
    atomic_fetch_add(&s->over, 1);
    return 0;
}

static bool refuses(struct server *s)
{
    green_conn *c = green_dial(s->network, s->address);
    green_conn_close(c);
    return c == NULL && errno == ECONNREFUSED;
}

/* While handlers take their leave nobody gets in any more, on whatever hub. */
static void closed_to_newcomers(void **state)
{
    (void)state;
    for (int hubs = 1; hubs <= 2; hubs++) {
        struct server s = {.options.hubs = hubs};
        may_leave = false;
        begin(&s, leave_when_told);
        green_conn *c = dial(&s);
        wait_for(atomic_load(&s.begun) == 1);
        assert_int_equal(green_cancel(s.thread), 0);
        wait_for(refuses(&s));
        assert_int_equal(atomic_load(&s.over), 0);
        may_leave = true;
        end(&s);
        assert_int_equal(green_conn_close(c), 0);
    }
}

static atomic_int leaving, together;

/* Takes its leave when all the others do, too. */
static int leave_together(green_conn *c, void *arg)
{
    struct server *s = arg;
    char byte;
    atomic_fetch_add(&s->begun, 1);
    if (green_hub_self() != s->home)
        atomic_fetch_add(&s->elsewhere, 1);
    if (green_conn_write(c, "hello", 5) == 5)
        green_conn_read(c, &byte, 1);
    atomic_fetch_add(&leaving, 1);
    green_shield() {
        int64_t end = green_now() + 20 * GREEN_SEC;
        while (atomic_load(&leaving) < atomic_load(&s->begun) && green_now() < end)
            green_sleep(GREEN_MS);
        if (green_now() < end)
            atomic_fetch_add(&together, 1);
    }
    atomic_fetch_add(&s->over, 1);
    return 0;
}

/* The hubs end side by side: what a handler does last holds up no other hub's. */
static void hubs_end_together(void **state)
{
    enum { MANY = 20 };
    struct server s = {.options.hubs = 2};
    green_conn *c[MANY];
    char got[5];
    (void)state;
    begin(&s, leave_together);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(green_conn_read_full(c[i] = dial(&s), got, 5), 5);
    int elsewhere = atomic_load(&s.elsewhere);
    assert_true(elsewhere > 0 && elsewhere < MANY);
    end(&s);
    assert_int_equal(atomic_load(&together), MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(green_conn_close(c[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_connections),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(handlers_are_isolated),
        cmocka_unit_test(most_connections),
        cmocka_unit_test(deadline_ends_it),
        cmocka_unit_test(without_descriptors),
        cmocka_unit_test(failures),
        cmocka_unit_test(two_hubs),
        cmocka_unit_test(hubs_chosen_by_others),
        cmocka_unit_test(closed_to_newcomers),
        cmocka_unit_test(hubs_end_together),
    };
    green_hubs(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
