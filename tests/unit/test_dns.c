/* Look-ups: same answers as libc, deadlines and cancellation, side by side. Slow name servers are
 * played by a lane whose OS threads are all busy, and by a name whose look-up ends when the test
 * says so: getaddrinfo is wrapped. */
#include "net_unit.h"
#include "offload.h"
#include <arpa/inet.h>
#include <green/dns.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ---- a network of our own, where what /etc/hosts does not know is refused at once ---- */

static bool replace(const char *target, const char *text)
{
    char path[] = "/tmp/green-dns-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    bool done = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, 0644) == 0 &&
                mount(path, target, "none", MS_BIND, NULL) == 0;
    close(fd);
    unlink(path);
    return done;
}

static bool isolate(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0)
        return false;
    return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           replace("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") &&
           replace("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n10.9.9.9 multi alias\n"
                                 "10.9.9.8 multi\nfd00::9 multi\n"
                                 "127.0.0.2 both\n127.0.0.1 both\n");
}

static bool isolated;

static bool loopback_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    close(fd);
    return up;
}

/* ---- a name server that takes its time ---- */

static int gate[2];
static atomic_int asking, asked; /* for "slow" */

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    char c;
    if (node == NULL || strcmp(node, "slow") != 0)
        return __real_getaddrinfo(node, service, hints, result);
    atomic_fetch_add(&asked, 1);
    atomic_fetch_add(&asking, 1);
    while (read(gate[0], &c, 1) != 1)
        continue;
    atomic_fetch_sub(&asking, 1);
    return __real_getaddrinfo("localhost", service, hints, result);
}

/* ---- the same answers ---- */

static void assert_same(const struct addrinfo *a, const struct addrinfo *b)
{
    for (; a != NULL && b != NULL; a = a->ai_next, b = b->ai_next) {
        assert_int_equal(a->ai_flags, b->ai_flags);
        assert_int_equal(a->ai_family, b->ai_family);
        assert_int_equal(a->ai_socktype, b->ai_socktype);
        assert_int_equal(a->ai_protocol, b->ai_protocol);
        assert_int_equal(a->ai_addrlen, b->ai_addrlen);
        assert_memory_equal(a->ai_addr, b->ai_addr, a->ai_addrlen);
        assert_int_equal(a->ai_canonname != NULL, b->ai_canonname != NULL);
        if (a->ai_canonname != NULL)
            assert_string_equal(a->ai_canonname, b->ai_canonname);
    }
    assert_true(a == NULL && b == NULL);
}

static void compare(const char *node, const char *service, const struct addrinfo *hints)
{
    struct addrinfo *ours = NULL;
    struct addrinfo *libcs = NULL;
    int expected = getaddrinfo(node, service, hints, &libcs);
    assert_int_equal(green_getaddrinfo(node, service, hints, &ours), expected);
    if (expected != 0)
        return;
    assert_same(ours, libcs);
    freeaddrinfo(libcs);
    green_freeaddrinfo(ours);
}

/* Scenarios 135, 143, 144: a table of names, services, families, types and flags; the addresses in
 * libc's order, with their scopes. */
static void same_as_libc(void **state)
{
    (void)state;
    static const char *const nodes[] = {
        NULL,           "127.0.0.1",  "127.1",           "0x7f.1",
        "::1",          "fe80::1%lo", "255.255.255.255", "0.0.0.0",
        "::", /* what follows may ask name servers */
        "localhost",    "LOCALHOST",  "multi",           "alias",
        "no.such.host", "1.2.3.4.",   "256.1.1.1",       "",
        ":::",          "127.0.0.1 ", "a-name.\x01",     "-",
    };
    size_t count = isolated ? COUNT(nodes) : 9;
    static const char *const services[] = {NULL,    "80", "http", "domain", "no-such-service",
                                           "65536", "",   "-1"};
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
    static const int flags[] = {
        0,
        AI_PASSIVE,
        AI_NUMERICHOST,
        AI_NUMERICSERV,
        AI_CANONNAME,
        AI_ADDRCONFIG,
        AI_V4MAPPED | AI_ALL,
        0x40000000,
    };
    static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM};
    size_t step = RUNNING_ON_VALGRIND ? 3 : 1; /* for time's sake */
    for (size_t n = 0; n < count; n++)
        for (size_t s = 0; s < COUNT(services); s += step) {
            compare(nodes[n], services[s], NULL);
            for (size_t f = 0; f < COUNT(families); f++)
                for (size_t g = 0; g < COUNT(flags); g++)
                    for (size_t t = 0; t < COUNT(types); t += step) {
                        struct addrinfo hints = {.ai_family = families[f],
                                                 .ai_flags = flags[g],
                                                 .ai_socktype = types[t]};
                        compare(nodes[n], services[s], &hints);
                    }
        }
}

static void numeric_needs_no_pool(void **state)
{
    (void)state;
    struct addrinfo *list;
    green_within(0) { /* what would wait fails */
        assert_int_equal(green_getaddrinfo("127.0.0.1", "80", NULL, &list), 0);
        green_freeaddrinfo(list);
        assert_int_equal(green_getaddrinfo("localhost", "80", NULL, &list), EAI_SYSTEM);
    }
    green_freeaddrinfo(NULL);
}

static void compare_names(const struct sockaddr *at, socklen_t length)
{
    static const int flags[] = {
        0, NI_NUMERICHOST, NI_NUMERICSERV, NI_NUMERICHOST | NI_NUMERICSERV, NI_NAMEREQD, NI_DGRAM};
    static const socklen_t sizes[] = {0, 2, 64, 2000};
    for (size_t i = 0; i < COUNT(flags) * COUNT(sizes) * COUNT(sizes); i++) {
        int f = flags[i / COUNT(sizes) / COUNT(sizes)];
        socklen_t h = sizes[i / COUNT(sizes) % COUNT(sizes)], s = sizes[i % COUNT(sizes)];
        char host[2][2000] = {"", ""};
        char service[2][2000] = {"", ""};
        int expected = getnameinfo(at, length, host[0], h, service[0], s, f);
        assert_int_equal(green_getnameinfo(at, length, host[1], h, service[1], s, f), expected);
        if (expected == 0) {
            assert_string_equal(host[0], host[1]);
            assert_string_equal(service[0], service[1]);
        }
    }
}

/* Scenarios 135, 144: addresses of all families, with a scope, of none; cut short. */
static void names_of_addresses(void **state)
{
    static const char *const texts[] = {"127.0.0.1", "::1",       "10.9.9.9", "fd00::9",
                                        "fe80::1",   "192.0.2.1", "::"};
    size_t count = isolated ? COUNT(texts) : 2;
    (void)state;
    for (size_t i = 0; i < count; i++)
        for (int port = 80; port <= 53000; port += 52920) {
            struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
            struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
            if (inet_pton(AF_INET, texts[i], &v4.sin_addr) == 1) {
                compare_names((struct sockaddr *)&v4, sizeof v4);
                continue;
            }
            assert_int_equal(inet_pton(AF_INET6, texts[i], &v6.sin6_addr), 1);
            v6.sin6_scope_id = texts[i][1] == 'e' ? 1 : 0;
            compare_names((struct sockaddr *)&v6, sizeof v6);
            compare_names((struct sockaddr *)&v6, sizeof v4);
        }
    struct sockaddr_in roomy[20] = {{.sin_family = AF_INET, .sin_port = htons(80)}};
    roomy[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    compare_names((struct sockaddr *)roomy, sizeof roomy);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    compare_names((struct sockaddr *)&un, sizeof un);
    un.sun_family = 99;
    compare_names((struct sockaddr *)&un, sizeof un);
    compare_names((struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET}, 2);
}

/* Scenario 135: of the addresses of a name the first that answers is taken, in libc's order. */
static void dialled_in_order(void **state)
{
    green_listener *listeners[2];
    char address[64], service[32], to[64];
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    (void)state;
    if (!isolated || !loopback_up()) {
        print_message("# skipped: no network of its own\n");
        return;
    }
    listeners[0] = green_listen("tcp", "127.0.0.1:0");
    assert_non_null(listeners[0]);
    assert_int_equal(green_listener_address(listeners[0], address, sizeof address), 0);
    snprintf(service, sizeof service, "%s", strrchr(address, ':'));
    snprintf(address, sizeof address, "127.0.0.2%s", service);
    listeners[1] = green_listen("tcp", address);
    assert_non_null(listeners[1]);
    snprintf(address, sizeof address, "both%s", service);
    assert_int_equal(getaddrinfo("both", NULL, &hints, &list), 0);
    int last = ((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    freeaddrinfo(list);
    for (int refused = 0; refused <= 1; refused++) {
        green_conn *c = green_dial("tcp", address);
        assert_non_null(c);
        assert_int_equal(green_conn_peer(c, to, sizeof to), 0);
        assert_memory_equal(to, last != refused ? "127.0.0.1" : "127.0.0.2", 9);
        assert_int_equal(green_conn_close(c), 0);
        assert_int_equal(green_listener_close(listeners[last != refused ? 0 : 1]), 0);
    }
    assert_none(green_dial("tcp", address), ECONNREFUSED, address);
}

/* One that has no room for another connection, on this address; its descriptors. */
static void listen_silently(struct sockaddr_in *at, int fds[2])
{
    socklen_t size = sizeof *at;
    for (int i = 0; i < 2; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *)at, size), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    assert_int_equal(getsockname(fds[0], (struct sockaddr *)at, &size), 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)at, size), 0);
}

/* Scenarios 125, 135: one that does not answer leaves time for the next. */
static void dialled_past_the_silent(void **state)
{
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    struct sockaddr_in at;
    char address[64];
    int silent[2];
    green_conn *c = NULL;
    (void)state;
    if (!isolated || !loopback_up()) {
        print_message("# skipped: no network of its own\n");
        return;
    }
    assert_int_equal(getaddrinfo("both", NULL, &hints, &list), 0);
    memcpy(&at, list->ai_addr, sizeof at);
    bool first = at.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    freeaddrinfo(list);
    listen_silently(&at, silent);
    snprintf(address, sizeof address, "127.0.0.%d:%d", first ? 2 : 1, ntohs(at.sin_port));
    green_listener *l = green_listen("tcp", address);
    assert_non_null(l);
    snprintf(address, sizeof address, "both:%d", ntohs(at.sin_port));
    for (int64_t bound = 200 * GREEN_MS; c == NULL && bound < 20 * GREEN_SEC; bound *= 4)
        green_within(bound)
            c = green_dial("tcp", address);
    assert_non_null(c);
    assert_int_equal(green_conn_close(c), 0);
    assert_int_equal(green_listener_close(l), 0);
    close(silent[0]);
    close(silent[1]);
}

/* ---- slow name servers ---- */

static atomic_int inside;
static atomic_int freed;

static void hold(struct offload_job *job)
{
    char c;
    (void)job;
    atomic_fetch_add(&inside, 1);
    while (read(gate[0], &c, 1) != 1)
        continue;
    atomic_fetch_sub(&inside, 1);
}

static void hold_free(struct offload_job *job)
{
    free(job);
    atomic_fetch_add(&freed, 1);
}

static void occupy(int count)
{
    for (int i = 0; i < count; i++) {
        struct offload_job *job = calloc(1, sizeof *job);
        offload_init(job, hold, hold_free);
        assert_int_equal(offload_start(&offload_dns, job), 0);
        offload_drop(job);
    }
    wait_for(atomic_load(&inside) == count);
}

static void let_go(int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(write(gate[1], "x", 1), 1);
    wait_for(atomic_load(&inside) == 0);
}

static green_lane_stats lane_now(void)
{
    green_lane_stats stats;
    green_lane_stats_get(green_lane_of(GREEN_LANE_DNS), &stats);
    return stats;
}

static void limit_to(int count)
{
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, count), 0);
}

enum { LIMIT = 256 }; /* of the library */

/* Make all OS threads of the lane busy, and allow no more. */
static int fill(void)
{
    int threads = lane_now().threads, count = threads > 0 ? threads : 1;
    limit_to(count);
    occupy(count);
    return count;
}

/* Scenario 146: all the others are slow. */
static void two_hundred_side_by_side(void **state)
{
    (void)state;
    atomic_store(&freed, 0);
    occupy(200);
    struct addrinfo *list = NULL;
    assert_int_equal(green_getaddrinfo("localhost", NULL, NULL, &list), 0);
    green_freeaddrinfo(list);
    let_go(200);
    wait_for(atomic_load(&freed) == 200);
}

static int look_up(void *arg)
{
    struct addrinfo *list = NULL;
    int code = green_getaddrinfo(arg, "80", NULL, &list);
    if (code == 0) {
        code = list->ai_addrlen > 0 ? 1 : 0;
        green_freeaddrinfo(list);
    } else if (code == EAI_SYSTEM) {
        code = -errno;
    }
    return code;
}

static int name_it(void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char host[100];
    (void)arg;
    int code = green_getnameinfo((struct sockaddr *)&a, sizeof a, host, sizeof host, NULL, 0, 0);
    return code == EAI_SYSTEM ? -errno : code;
}

struct question {
    const char *node, *service;
    struct addrinfo hints;
};

/* A number for each kind of answer. */
static int answer_of(int code, struct addrinfo *list, void (*free_list)(struct addrinfo *))
{
    if (code == 0) {
        code = list->ai_family * 100 + list->ai_socktype;
        free_list(list);
    }
    return code;
}

static int ask(void *arg)
{
    const struct question *q = arg;
    struct addrinfo *list = NULL;
    int code = green_getaddrinfo(q->node, q->service, &q->hints, &list);
    return answer_of(code, list, green_freeaddrinfo);
}

/* Scenario 144: under way at the same time, questions that differ in anything have answers of their
 * own. */
static void different_questions(void **state)
{
    static struct question questions[] = {
        {"localhost", NULL, {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
        {"localhost", "80", {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
        {"localhost", "81", {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
        {"localhost", NULL, {.ai_family = AF_INET6, .ai_socktype = SOCK_STREAM}},
        {"localhost", NULL, {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM}},
        {"localhost", NULL, {.ai_family = AF_INET}},
        {"localhost", NULL, {.ai_family = AF_INET, .ai_protocol = IPPROTO_UDP}},
        {"localhost",
         NULL,
         {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}},
        {NULL, "http", {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
        {"no.such.host", NULL, {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}},
    };
    size_t count = COUNT(questions) - !isolated;
    green_thread *t[COUNT(questions)];
    (void)state;
    int busy = fill();
    for (size_t i = 0; i < count; i++)
        t[i] = green_spawn(ask, &questions[i]);
    green_yield();
    assert_int_equal(lane_now().queued, count);
    let_go(busy);
    limit_to(LIMIT);
    for (size_t i = 0; i < count; i++) {
        struct question *q = &questions[i];
        struct addrinfo *list = NULL;
        int result = 0, code = getaddrinfo(q->node, q->service, &q->hints, &list);
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, answer_of(code, list, freeaddrinfo));
    }
}

static char localhost[] = "localhost", slow[] = "slow";
static char other[] = "LOCALHOST";

/* Scenarios 1, 5, 6, 145: given up while on its way, and before. */
static void deadline_and_cancellation(void **state)
{
    (void)state;
    int result = 0;
    int busy = fill();
    green_within(20 * GREEN_MS)
        assert_int_equal(look_up(localhost), -ETIMEDOUT);
    assert_true(green_expired());
    green_within(0)
        assert_int_equal(look_up(localhost), -ETIMEDOUT);
    green_within(20 * GREEN_MS)
        assert_int_equal(name_it(NULL), -ETIMEDOUT);
    green_within(20 * GREEN_MS)
        assert_none(green_dial("tcp", "localhost:80"), ETIMEDOUT, "localhost");
    green_thread *t = green_spawn(look_up, localhost);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -ECANCELED);
    let_go(busy);
    /* What was given up has come to nothing, and the lane goes on. */
    assert_int_equal(look_up(localhost), 1);
    wait_for(lane_now().queued == 0);
    limit_to(LIMIT);
}

/* Scenario 145: given up while libc is at it: the caller goes on at once, and an answer that comes
 * late is for those who still wait, or for nobody. */
static void late_answers(void **state)
{
    int result = 0, before = atomic_load(&asked);
    (void)state;
    green_thread *gone = green_spawn(look_up, slow), *waits = green_spawn(look_up, slow);
    wait_for(atomic_load(&asking) == 1);
    assert_int_equal(green_kill(gone, &result), 0);
    assert_int_equal(result, -ECANCELED);
    green_within(10 * GREEN_MS)
        assert_int_equal(look_up(slow), -ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(write(gate[1], "x", 1), 1);
    assert_int_equal(green_join(waits, &result), 0);
    assert_int_equal(result, 1);
    assert_int_equal(atomic_load(&asked), before + 1);
    gone = green_spawn(look_up, slow);
    wait_for(atomic_load(&asking) == 1);
    assert_int_equal(green_kill(gone, &result), 0);
    uint64_t done = lane_now().done;
    assert_int_equal(write(gate[1], "x", 1), 1); /* nobody wants it */
    wait_for(lane_now().done == done + 1);
    waits = green_spawn(look_up, slow); /* asked anew */
    wait_for(atomic_load(&asking) == 1);
    assert_int_equal(write(gate[1], "x", 1), 1);
    assert_int_equal(green_join(waits, &result), 0);
    assert_int_equal(result, 1);
    assert_int_equal(atomic_load(&asked), before + 3);
}

/* Scenario 5: those who ask the same have one look-up; one that leaves takes nothing from the
 * others. */
static void equal_lookups_are_one(void **state)
{
    (void)state;
    green_thread *t[20];
    int result = 0;
    int busy = fill();
    for (int i = 0; i < 20; i++)
        t[i] = green_spawn(look_up, i < 19 ? localhost : other);
    wait_for(lane_now().queued == 2);
    assert_int_equal(green_kill(t[0], &result), 0);
    assert_int_equal(result, -ECANCELED);
    let_go(busy);
    for (int i = 1; i < 19; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 1);
    }
    assert_int_equal(green_join(t[19], NULL), 0);
    limit_to(LIMIT);
}

static void threads_and_fds_as_before(void **state)
{
    const int *before = *state;
    wait_for(lane_now().threads == 0);
    wait_for(os_threads() == before[0]);
    assert_int_equal(fds_open(), before[1]);
}

static int open_pipe(void **state)
{
    static int before[2];
    struct addrinfo *list = NULL;
    isolated = isolate(); /* needs to be the only OS thread */
    if (!isolated)
        print_message("# names are not compared: no network namespaces here\n");
    int rc = pipe(gate);
    green_self();
    if (getaddrinfo("localhost", NULL, NULL, &list) == 0) /* libc loads its modules */
        freeaddrinfo(list);
    before[0] = os_threads();
    before[1] = fds_open();
    *state = before;
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_libc),
        cmocka_unit_test(numeric_needs_no_pool),
        cmocka_unit_test(names_of_addresses),
        cmocka_unit_test(two_hundred_side_by_side),
        cmocka_unit_test(deadline_and_cancellation),
        cmocka_unit_test(late_answers),
        cmocka_unit_test(equal_lookups_are_one),
        cmocka_unit_test(different_questions),
        cmocka_unit_test(dialled_in_order),
        cmocka_unit_test(dialled_past_the_silent),
        cmocka_unit_test(threads_and_fds_as_before),
    };
    return cmocka_run_group_tests(tests, open_pipe, NULL);
}
