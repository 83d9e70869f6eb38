/* test_memory.c - every allocation of the engine and of its libevent fails once, one after the
 * other: each call says ENOMEM, nothing is lost, and the next one works. Linked with memory_get and
 * memory_resize wrapped. Each life is that of an OS thread, so that its hub is made, too; there is
 * one more hub, which stays. */
#include "unit.h"

#include "faults.h"
#include <event2/event.h>
#include <fcntl.h>
#include <green/coroutine.h>
#include <green/defer.h>
#include <green/fd.h>
#include <green/link.h>
#include <green/local.h>
#include <green/pool.h>
#include <green/state.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* What went wrong in a life: 0, ENOMEM, or something worse, which is kept. */
static int wrong;

/* A call that may fail for want of memory only. */
static bool went(bool well)
{
    if (!well && (wrong == 0 || wrong == ENOMEM))
        wrong = errno;
    return well;
}

/* What must be so all the same. */
static void must(bool so)
{
    if (!so)
        wrong = EILSEQ;
}

static int echo_byte(void *arg)
{
    int fd = *(int *)arg;
    char c;
    if (green_recv(fd, &c, 1, 0) == 1 && green_send(fd, &c, 1, 0) == 1)
        return 0;
    shutdown(fd, SHUT_WR); /* nobody waits for more */
    return -1;
}

/* ---- lives ---- */

static void exchange(void)
{
    int fd[2], result = -1;
    char c = 'x';
    if (!went(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0))
        return;
    green_spawn_options large = {.stack_size = 1 << 20};
    green_thread *t = green_spawn_with(&large, echo_byte, &fd[1]);
    if (went(t != NULL)) {
        green_within(10 * GREEN_SEC) {
            struct pollfd p[20];
            for (int i = 0; i < 20; i++)
                p[i] = (struct pollfd){fd[0], POLLOUT, 0};
            p[0].events = POLLIN;
            went(green_poll(p, 1, 1) >= 0);
            for (int i = 0; i < 20; i++)
                p[i].events = POLLIN;
            went(green_poll(p, 20, 1) >= 0);
            if (!went(green_send(fd[0], &c, 1, 0) == 1) || !went(green_recv(fd[0], &c, 1, 0) >= 0))
                green_cancel(t);
            went(green_join(t, &result) == 0);
        }
        if (result < 0 && wrong == 0)
            wrong = ENOMEM; /* the thread's own call failed: it said so by its result */
    }
    green_close(fd[0]);
    green_close(fd[1]);
}

static int fine(void *arg)
{
    (void)arg;
    return 0;
}

static green_key own, inherited;
static int values; /* alive */

static void *value_new(void *of)
{
    values++;
    return of;
}

static void value_end(void *value)
{
    (void)value;
    values--;
}

static int use_locals(void *arg)
{
    must(green_get_local(own) == NULL && green_get_local(inherited) == arg);
    if (went(green_set_local(own, value_new(arg)) == 0))
        must(green_get_local(own) == arg);
    else
        value_end(arg);
    return 0;
}

static void locals(void)
{
    static char value[] = "value";
    if (!went(green_set_local(inherited, value_new(value)) == 0)) {
        value_end(value);
        return;
    }
    green_thread *t = green_spawn(use_locals, value);
    if (went(t != NULL))
        must(green_join(t, NULL) == 0);
    must(values == 1);
}

static int to_be_run;

static void run(void *arg)
{
    to_be_run -= *(int *)arg;
}

static int use_defer(void *arg)
{
    for (int i = 0; i < 5; i++)
        if (went(green_defer(run, arg) == 0))
            to_be_run++;
    return 0;
}

static void handlers(void)
{
    int one = 1;
    green_thread *t = green_spawn(use_defer, &one);
    if (went(t != NULL))
        must(green_join(t, NULL) == 0);
    must(to_be_run == 0);
}

static green_hub *other;

/* Again if a hub was slow to answer. */
static bool dumped(green_hub *hub, int fd)
{
    int r;
    do
        r = green_dump(hub, fd);
    while (r < 0 && errno == ETIMEDOUT);
    return r == 0;
}

static void dumps(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    went(dumped(NULL, null));
    went(dumped(other, null));
    green_hub *here = green_hub_self();
    if (went(here != NULL))
        went(dumped(here, null));
    close(null);
}

/* A thread without an ident is a thread all the same. */
static void many(void)
{
    green_thread *t[100];
    int order[100];
    for (int i = 0; i < 100; i++)
        went((t[i] = green_spawn(fine, NULL)) != NULL);
    for (int i = 0; i < 100; i++)
        for (int j = 0; t[i] != NULL && j < i; j++)
            must(t[j] == NULL || green_ident(t[i]) == 0 || green_ident(t[i]) != green_ident(t[j]));
    if (t[0] != NULL)
        went(green_wait_any(t, 100) >= 0);
    went(green_wait_some(t, 100, 0, order) == 0);
    went(green_wait_all(t, 100) == 0);
    for (int i = 0; i < 100; i++)
        must(t[i] == NULL || green_join(t[i], NULL) == 0);
}

static int ends_told;

static void told(green_link *link)
{
    must(link->result == 0);
    ends_told++;
}

static void links(void)
{
    green_link link[3] = {GREEN_LINK_INIT, GREEN_LINK_INIT, GREEN_LINK_INIT};
    green_thread *t = green_spawn(fine, NULL);
    ends_told = 0;
    if (!went(t != NULL))
        return;
    for (int i = 0; i < 3; i++)
        must(green_link_to(&link[i], t, told, NULL) == 0);
    must(green_join(t, NULL) == 0 && ends_told == 3);
}

static void elsewhere(void)
{
    green_spawn_options there = {.hub = other};
    green_thread *t[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++)
        went((t[i] = green_spawn_with(&there, i == 0 ? fine : sleep_long, NULL)) != NULL);
    if (t[0] != NULL)
        must(green_join(t[0], NULL) == 0);
    must(t[1] == NULL || green_kill(t[1], NULL) == 0);
    if (t[2] != NULL) {
        must(green_detach(t[2]) == 0);
        must(green_cancel(t[2]) == 0);
    }
}

static int add_one(void *item)
{
    ++*(int *)item;
    return green_yield();
}

static void pools(void)
{
    green_pool p = GREEN_POOL_INIT(2);
    int items[7] = {0}, started = 0, done = 0;
    for (int i = 0; i < 7; i++)
        started += went(green_pool_spawn(&p, add_one, &items[i]) == 0);
    must(green_pool_join(&p) == 0);
    for (int i = 0; i < 7; i++)
        done += items[i];
    must(done == started);
    went(green_pool_map(&p, add_one, items, 7, sizeof items[0]) == 0);
    must(green_pool_join(&p) == 0);
}

static int count_up(void *source, void *item)
{
    int *n = source;
    *(int *)item = *n;
    return (*n)++ < 20;
}

static void streams(void)
{
    int n = 0, item, got = 0;
    green_stream_options options = {count_up, &n, add_one, sizeof n, 3, false};
    if (!went(green_self() != NULL))
        return;
    green_stream *s = green_stream_open(&options);
    if (!went(s != NULL))
        return;
    for (int r; got <= 20 && (r = green_stream_next(s, &item)) != 0; got++)
        went(r > 0);
    must(got == 20 && n == 21); /* each is told of */
    green_stream_close(s);
}

static void select_descriptors(void)
{
    int fd[2], which;
    if (!went(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0))
        return;
    which = green_select(GREEN_READABLE(fd[0]), GREEN_AFTER(1), GREEN_READABLE(fd[1]));
    if (went(which >= 0))
        must(which == 1);
    must(write(fd[1], "x", 1) == 1);
    which = green_select(GREEN_READABLE(fd[1]), GREEN_READABLE(fd[0]));
    if (went(which >= 0))
        must(which == 1);
    which = green_select(GREEN_READABLE(fd[1]), GREEN_WRITABLE(fd[1]));
    if (went(which >= 0))
        must(which == 1);
    green_close(fd[0]);
    green_close(fd[1]);
}

/* The one that stays goes, too: this is the last life. */
static void hubs(void)
{
    went(green_hubs(3) == 3);
    went(green_hubs_end() == 0);
}

/* ---- living them ---- */

static void *live(void *fn)
{
    wrong = 0;
    (*(void (**)(void))fn)();
    return NULL;
}

static int live_once(void (*life)(void))
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, live, &life), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return wrong;
}

/* How many of the life's allocations made it fail. */
static int each_fails_once(void (*life)(void))
{
    int failures = 0;
    bool reached = true;
    fuse = -1;
    assert_int_equal(live_once(life), 0);
    long before = held;
    int flags = fcntl(STDIN_FILENO, F_GETFD); /* 0: a descriptor that was never opened */
    for (int n = 0; reached; n++) {
        fuse = n;
        int why = live_once(life);
        reached = fuse < 0;
        fuse = -1;
        assert_int_equal(held, before);
        assert_int_equal(values, 0);
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), flags);
        assert_int_equal(why, why != 0 ? ENOMEM : 0);
        failures += why != 0;
    }
    assert_int_equal(live_once(life), 0);
    assert_int_equal(held, before);
    return failures;
}

enum { OF_A_HUB = 10 }; /* the hub itself, its parts, its loop's, a slab */

#define LIFE(name, least)                                       \
    static void test_##name(void **state)                       \
    {                                                           \
        (void)state;                                            \
        assert_true(each_fails_once(name) >= OF_A_HUB + least); \
    }
LIFE(exchange, 3) /* a slab, poll's list, the loop's map of descriptors */
LIFE(locals, 2)
LIFE(handlers, 5)
LIFE(dumps, 4)
LIFE(many, 3)
LIFE(links, 1)
LIFE(elsewhere, 0)
LIFE(pools, 1)
LIFE(streams, 2)
LIFE(select_descriptors, 1)
LIFE(hubs, 2 * (OF_A_HUB + 1))

/* ---- coroutines: no hub is made, and their pools stay ---- */

static int end_at_once(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    return 0;
}

static void no_memory_for_coroutines(void **state)
{
    enum { FIRST = 64 }; /* of a size, from one allocation */
    static green_coroutine *all[3 * FIRST];
    green_coroutine_options options = {.stack_size = 32 * 1024};
    int failures = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(all);) {
        fuse = 0;
        errno = 0;
        all[i] = green_coroutine_create_with(&options, end_at_once, NULL);
        fuse = -1;
        if (all[i] == NULL) {
            assert_int_equal(errno, ENOMEM);
            assert_int_equal(i, failures == 0 ? 0 : FIRST);
            failures++;
            all[i] = green_coroutine_create_with(&options, end_at_once, NULL);
        }
        assert_int_equal(green_coroutine_resume(all[i++], NULL, NULL), 0);
    }
    assert_int_equal(failures, 2);
    for (size_t i = 0; i < COUNT(all); i++)
        assert_int_equal(green_coroutine_destroy(all[i]), 0);
}

static void *make_other(void *arg)
{
    if (green_hubs(2) == 2)
        while ((other = green_hub_next()) == green_hub_self())
            continue;
    return arg;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_for_coroutines),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_locals),
        cmocka_unit_test(test_handlers),
        cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_select_descriptors),
        cmocka_unit_test(test_hubs),
    };
    green_key_options copied = {value_end, true, value_new};
    pthread_t maker;
    event_set_mem_functions(__wrap_memory_get, __wrap_memory_resize, __wrap_memory_put);
    if (green_key_create_with(&inherited, &copied) < 0 || green_key_create(&own, value_end) < 0 ||
        pthread_create(&maker, NULL, make_other, NULL) != 0 || pthread_join(maker, NULL) != 0 ||
        other == NULL)
        return 1;
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
