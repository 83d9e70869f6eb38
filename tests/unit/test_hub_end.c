/* test_hub_end.c - hubs that end with their OS threads, and who waits for something there. */
#include "hubs.h"

#include "hub.h"
#include "thread.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <green/defer.h>
#include <green/fd.h>
#include <green/link.h>
#include <green/select.h>
#include <green/state.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* ---- what is pending ---- */

struct pending {
    struct event_base *base; /* the program's; NULL: the hub's own */
    struct event event;
    int pipe[2];
    int called, read;
};

static void on_pending(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ((struct pending *)arg)->called++;
}

static int read_pending(void *arg)
{
    struct pending *p = arg;
    if (wait_for_byte(&p->pipe[0]) == 0)
        p->read++;
    return 0;
}

static void *leave_pending(void *arg)
{
    struct pending *p = arg;
    if (p->base != NULL && green_hub_attach(p->base) < 0)
        return "failed";
    if (p->base != NULL) {
        green_detach(green_spawn(read_pending, p));
        green_yield();
    }
    event_assign(&p->event, green_hub_event_base(), -1, 0, on_pending, p);
    event_active(&p->event, EV_TIMEOUT, 1);
    return p->called == 0 ? NULL : "too early";
}

/* Scenario 64: neither callbacks nor descriptors; in a loop of the program's only its own event is
 * left. */
static void test_pending_does_not_run(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        struct pending p = {.base = given ? event_base_new() : NULL};
        pthread_t thread;
        void *why = NULL;
        assert_int_equal(pipe(p.pipe), 0);
        assert_int_equal(pthread_create(&thread, NULL, leave_pending, &p), 0);
        assert_int_equal(pthread_join(thread, &why), 0);
        assert_null(why);
        assert_true(given || p.called == 0); /* the loop ran on while the reader was cancelled */
        assert_int_equal(write(p.pipe[1], "x", 1), 1);
        if (given) {
            event_base_loop(p.base, EVLOOP_NONBLOCK);
            assert_int_equal(event_base_get_num_events(p.base, EVENT_BASE_COUNT_ADDED), 0);
            assert_int_equal(p.called, 1);
            assert_int_equal(p.read, 0);
            event_base_free(p.base);
        }
        close(p.pipe[0]);
        close(p.pipe[1]);
    }
}

static int join_sleeper(void *arg)
{
    (void)arg;
    return green_join(green_spawn(sleep_errno, NULL), NULL);
}

static void *leave_joiners(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        green_detach(green_spawn(join_sleeper, NULL));
    green_sleep(GREEN_MS);
    return NULL;
}

/* Scenario 64: threads that join each other do not keep a hub from ending. */
static void test_joiners_end_with_their_hub(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, leave_joiners, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int clean_up_slowly(void *arg)
{
    (void)arg;
    green_sleep(3600 * GREEN_SEC);
    green_shield()
        green_sleep(5 * GREEN_MS);
    return 7;
}

static _Atomic(green_thread *) left_behind;

static void *leave_one(void *arg)
{
    (void)arg;
    green_thread *t = green_spawn(clean_up_slowly, NULL);
    left_behind = t;
    while (!t->joined) /* the handle is good for as long as the hub, or a join under way */
        green_sleep(GREEN_MS);
    return NULL;
}

/* A join from elsewhere outlives the target's hub, and has its result. */
static void test_join_while_the_hub_ends(void **state)
{
    pthread_t thread;
    int result = 0;
    (void)state;
    left_behind = NULL;
    assert_int_equal(pthread_create(&thread, NULL, leave_one, NULL), 0);
    while (left_behind == NULL)
        green_sleep(GREEN_US);
    assert_int_equal(green_join(left_behind, &result), 0);
    assert_int_equal(result, 7);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* An OS thread whose hub has one thread, and ends when it is told. */
struct brief {
    _Atomic(green_thread *) thread;
    atomic_bool leave;
    green_link link;
    green_event event;
    atomic_int result;
};

static void *live_briefly(void *arg)
{
    struct brief *b = arg;
    b->thread = green_spawn(sleep_errno, NULL);
    while (!b->leave)
        green_sleep(GREEN_MS);
    return NULL;
}

static void begin_brief(struct brief *b, pthread_t *thread)
{
    *b = (struct brief){.result = -1};
    assert_int_equal(pthread_create(thread, NULL, live_briefly, b), 0);
    while (b->thread == NULL)
        green_sleep(GREEN_US);
}

/* Without letting a green thread of this hub run meanwhile. */
static void end_brief(struct brief *b, pthread_t thread)
{
    b->leave = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static int join_brief(void *arg)
{
    struct brief *b = arg;
    return green_join(b->thread, NULL) < 0 ? errno : 0;
}

static int select_brief(void *arg)
{
    struct brief *b = arg;
    return green_select(GREEN_ENDED(b->thread), GREEN_SET(&b->event));
}

/* Scenarios 63, 64: who gives up a wait for a thread's end just when its hub ends, too, touches
 * nothing of that hub any more. */
static void test_given_up_while_the_hub_ends(void **state)
{
    struct brief b;
    pthread_t thread;
    int result = -1;
    (void)state;
    begin_brief(&b, &thread);
    green_thread *t = green_spawn(join_brief, &b);
    green_thread_info info = {.waited = 0};
    while (strncmp(info.waits_for, "end of thread", 13) != 0) {
        green_sleep(GREEN_US);
        assert_int_equal(green_thread_info_get(t, &info), 0);
    }
    assert_int_equal(green_cancel(t), 0); /* it runs only when the other hub has ended */
    end_brief(&b, thread);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0); /* its end was told before */

    begin_brief(&b, &thread);
    t = green_spawn(select_brief, &b);
    green_yield();
    assert_int_equal(green_event_set(&b.event), 0);
    end_brief(&b, thread);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 1);
}

/* The same, but it does not run its loop any more. */
static void *turn_deaf(void *arg)
{
    struct brief *b = arg;
    green_thread *t = green_spawn(sleep_errno, NULL);
    green_sleep(GREEN_US);
    b->thread = t;
    while (!b->leave)
        sched_yield();
    return NULL;
}

static int result_of_brief(void *arg)
{
    struct brief *b = arg;
    int result = -1;
    return green_join(b->thread, &result) < 0 ? -errno : result;
}

/* Scenario 63: who has called green_join before the end has the result, even if the hub comes to
 * know of the call in its end only. */
static void test_joined_just_before_the_end(void **state)
{
    struct brief b = {.result = -1};
    pthread_t thread;
    int result = -1;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, turn_deaf, &b), 0);
    while (b.thread == NULL)
        green_sleep(GREEN_US);
    green_thread *t = green_spawn(result_of_brief, &b);
    green_yield();
    end_brief(&b, thread);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, ECANCELED);
}

static void note_end(green_link *link)
{
    struct brief *b = link->arg;
    b->result = link->error;
}

/* Scenario 27: cutting a link is harmless when it was called, also when the hub has ended since. */
static void test_cut_when_the_hub_has_ended(void **state)
{
    struct brief b;
    pthread_t thread;
    (void)state;
    begin_brief(&b, &thread);
    assert_int_equal(green_link_to(&b.link, b.thread, note_end, &b), 0);
    green_hub *hub = b.link.hub;
    end_brief(&b, thread);
    assert_int_equal(b.result, ECANCELED);
    assert_int_equal(green_link_cut(&b.link), 0);
    assert_fails(green_hub_stats_get(hub, &(green_hub_stats){0}), ESRCH);
}

/* An OS thread whose hub ends while something is being asked of it. */
struct asked {
    green_hub *hub;
    atomic_bool ending, posted;
    int sleep, defer; /* errno */
};

static void nothing(void *arg)
{
    (void)arg;
}

static void hold_up(void *arg)
{
    struct asked *a = arg;
    a->ending = true;
    while (!a->posted)
        sched_yield();
}

static void *end_late(void *arg)
{
    struct asked *a = arg;
    a->hub = green_hub_self();
    return green_defer(hold_up, a) == 0 ? NULL : "failed";
}

static void try_to_block(void *arg)
{
    struct asked *a = arg;
    a->sleep = green_sleep(GREEN_MS) < 0 ? errno : 0;
    a->defer = green_defer(nothing, NULL) < 0 ? errno : 0;
}

static int run_there(void *arg)
{
    struct asked *a = arg;
    return green_hub_run(a->hub, try_to_block, a);
}

/* Scenarios 60, 65: what comes last runs as a callback of the loop, too. */
static void test_asked_at_the_end(void **state)
{
    struct asked a = {.ending = false};
    pthread_t thread;
    int result = -1;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, end_late, &a), 0);
    while (!a.ending)
        green_sleep(GREEN_US);
    green_thread *t = green_spawn(run_there, &a);
    green_yield();
    a.posted = true;
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(a.sleep, EDEADLK);
    assert_int_equal(a.defer, EDEADLK);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- its main green thread ---- */

/* One that lives until it is told, or somebody elsewhere joins its main green thread. */
static void *live_alone(void *arg)
{
    struct brief *b = arg;
    green_thread *self = green_self();
    b->thread = self;
    while (!b->leave && !self->joined)
        green_sleep(GREEN_MS);
    return NULL;
}

static void begin_alone(struct brief *b, pthread_t *thread)
{
    *b = (struct brief){.result = -1};
    assert_int_equal(pthread_create(thread, NULL, live_alone, b), 0);
    while (b->thread == NULL)
        green_sleep(GREEN_US);
}

/* Scenarios 14, 27, 63: it ends with its OS thread, for who joins it, selects its end, or has a
 * link to it. */
static void test_end_of_main(void **state)
{
    struct brief b;
    pthread_t thread;
    int result = -1;
    (void)state;
    begin_alone(&b, &thread);
    assert_int_equal(green_join(b.thread, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);

    begin_alone(&b, &thread);
    assert_int_equal(green_link_to(&b.link, b.thread, note_end, &b), 0);
    green_thread *t = green_spawn(select_brief, &b);
    green_yield();
    end_brief(&b, thread);
    assert_int_equal(b.result, 0);
    assert_int_equal(green_event_set(&b.event), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pending_does_not_run),
        cmocka_unit_test(test_joiners_end_with_their_hub),
        cmocka_unit_test(test_join_while_the_hub_ends),
        cmocka_unit_test(test_given_up_while_the_hub_ends),
        cmocka_unit_test(test_joined_just_before_the_end),
        cmocka_unit_test(test_cut_when_the_hub_has_ended),
        cmocka_unit_test(test_asked_at_the_end),
        cmocka_unit_test(test_end_of_main),
    };
    return cmocka_run_group_tests_name("hub_end", tests, NULL, NULL);
}
