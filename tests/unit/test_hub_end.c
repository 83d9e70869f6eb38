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

static void assert_os_threads(int n)
{
    for (int i = 0; i < 10000 && os_threads() > n; i++)
        green_sleep(GREEN_MS); /* an emulator's may take longer to its end */
    assert_in_range(os_threads(), 1, n);
}

static int wait_for_byte(void *pipe)
{
    char c;
    return green_read(*(int *)pipe, &c, 1) == 1 ? 0 : -1;
}

struct life {
    int pipe;
    bool ok;
};

/* What it leaves alive, asleep and waiting for a descriptor, ends with the OS thread. */
static void *short_life(void *arg)
{
    struct life *l = arg;
    green_thread *sleeper = green_spawn(sleep_errno, NULL);
    green_thread *reader = green_spawn(wait_for_byte, &l->pipe);
    l->ok = sleeper != NULL && reader != NULL && green_sleep(GREEN_US) == 0;
    return NULL;
}

/* Scenario 63: hubs come and go with their OS threads, and leave nothing. */
static void test_thousand_hubs(void **state)
{
    struct life life;
    int fds = 0, tasks = os_threads(), pipes[2];
    (void)state;
    int hubs = green_hubs(1);
    assert_int_equal(pipe(pipes), 0);
    life.pipe = pipes[0];
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        life.ok = false;
        assert_int_equal(pthread_create(&thread, NULL, short_life, &life), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(life.ok);
        if (i == 0)
            fds = fds_open();
    }
    assert_int_equal(fds_open(), fds);
    assert_os_threads(tasks);
    assert_int_equal(green_hubs(1), hubs);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- the hubs that green_hubs makes ---- */

static bool spawns_nothing(void)
{
    green_group g = GREEN_GROUP_INIT;
    errno = 0;
    bool refused = green_spawn(sleep_errno, NULL) == NULL && errno == ESRCH;
    errno = 0;
    return refused && green_group_spawn(&g, sleep_errno, NULL) < 0 && errno == ESRCH;
}

/* Where nothing is asked of it any more. */
static int clean_up_and_spawn(void *count)
{
    green_sleep(3600 * GREEN_SEC);
    green_shield()
        green_yield();
    atomic_fetch_add((atomic_int *)count, spawns_nothing());
    return 0;
}

/* On each of the hubs but the caller's: asleep, waiting for a descriptor, not yet started. */
static void populate(int hubs, int *pipe, atomic_int *ended)
{
    green_spawn_options options = {.detached = true};
    for (int i = 1; i < hubs; i++) {
        options.hub = green_hub_nth((unsigned)i);
        options.delay = 0;
        assert_non_null(green_spawn_with(&options, clean_up_and_spawn, ended));
        assert_non_null(green_spawn_with(&options, wait_for_byte, pipe));
        options.delay = 3600 * GREEN_SEC;
        assert_non_null(green_spawn_with(&options, wait_for_byte, pipe));
    }
}

/* Scenario 63: made and ended a thousand times, with what lives there; nothing is left. */
static void test_made_and_ended(void **state)
{
    enum { HUBS = 3 };
    int pipes[2], fds = 0, rounds = fewer(1000);
    atomic_int ended = 0;
    (void)state;
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(pipe(pipes), 0);
    green_hub_stats before = stats_now();
    int tasks = os_threads();
    for (int i = 1; i <= rounds; i++) {
        assert_int_equal(green_hubs(HUBS), HUBS);
        populate(HUBS, &pipes[0], &ended);
        assert_int_equal(green_hubs_end(), 0);
        assert_int_equal(ended, i * (HUBS - 1));
        assert_ptr_equal(green_hub_next(), green_hub_self());
        assert_int_equal(green_hubs(1), 1);
        if (i == 1)
            fds = fds_open();
    }
    assert_int_equal(fds_open(), fds);
    assert_os_threads(tasks);
    assert_nothing_left(before);
    close(pipes[0]);
    close(pipes[1]);
}

static void *end_hubs(void *arg)
{
    (void)arg;
    return green_hubs_end() == 0 ? NULL : "failed";
}

static int end_own_hub(void *arg)
{
    (void)arg;
    return green_hubs_end() < 0 ? errno : 0;
}

static void end_in_callback(green_link *link)
{
    *(int *)link->arg = green_hubs_end() < 0 ? errno : 0;
}

/* Scenario 63: by another OS thread, by two at once; not by a thread that lives there, nor by a
 * callback. */
static void test_ended_by_others(void **state)
{
    pthread_t others[2];
    green_link link = GREEN_LINK_INIT;
    void *why = NULL;
    int result = 0;
    (void)state;
    for (int i = 0; i < 20; i++) {
        green_spawn_options there = {.hub = other_hub()};
        assert_int_equal(green_join(green_spawn_with(&there, end_own_hub, NULL), &result), 0);
        assert_int_equal(result, EDEADLK);
        green_thread *t = green_spawn(nap, NULL);
        assert_int_equal(green_link_to(&link, t, end_in_callback, &result), 0);
        result = 0;
        assert_int_equal(green_join(t, NULL), 0);
        assert_int_equal(result, EDEADLK);
        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&others[k], NULL, end_hubs, NULL), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(pthread_join(others[k], &why), 0);
            assert_null(why);
        }
        assert_fails(green_hub_stats_get(there.hub, &(green_hub_stats){0}), ESRCH);
        assert_int_equal(green_hubs(1), 1);
    }
}

static pthread_key_t slow;

static void end_slowly(void *ended)
{
    nanosleep(&(struct timespec){0, 20 * GREEN_MS}, NULL);
    atomic_store((atomic_bool *)ended, true);
}

static void be_slow(void *ended)
{
    pthread_setspecific(slow, ended);
}

static void *end_and_look(void *ended)
{
    return green_hubs_end() == 0 && atomic_load((atomic_bool *)ended) ? NULL : "too early";
}

/* Scenario 63: the OS threads are gone for whoever has called, not only for who called first. */
static void test_gone_for_all(void **state)
{
    pthread_t others[2];
    atomic_bool ended = false;
    void *why = NULL;
    (void)state;
    assert_int_equal(pthread_key_create(&slow, end_slowly), 0);
    assert_int_equal(green_hub_run(other_hub(), be_slow, &ended), 0);
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_create(&others[k], NULL, end_and_look, &ended), 0);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(pthread_join(others[k], &why), 0);
        assert_null(why);
    }
    assert_int_equal(pthread_key_delete(slow), 0);
}

static green_event shielded = GREEN_EVENT_INIT, go_on = GREEN_EVENT_INIT;

static int refuse_to_end(void *arg)
{
    (void)arg;
    green_shield() {
        green_event_set(&shielded);
        green_event_wait(&go_on);
    }
    return 0;
}

/* Scenario 63: who waits no longer leaves them ending; the next call waits for what is left. */
static void test_end_takes_too_long(void **state)
{
    int tasks;
    (void)state;
    assert_int_equal(green_hubs_end(), 0);
    tasks = os_threads();
    green_spawn_options there = {.hub = other_hub(), .detached = true};
    assert_non_null(green_spawn_with(&there, refuse_to_end, NULL));
    assert_int_equal(green_event_wait(&shielded), 0);
    green_within(GREEN_MS)
        assert_fails(green_hubs_end(), ETIMEDOUT);
    assert_int_equal(green_hubs(2), 2);
    for (unsigned i = 0; i < 4; i++) /* it is another one */
        assert_ptr_not_equal(green_hub_nth(i), there.hub);
    green_event_set(&go_on);
    assert_int_equal(green_hubs_end(), 0);
    assert_os_threads(tasks);
}

struct churn {
    int rounds;
    atomic_int begun, ended;
};

static int count_and_nap(void *arg)
{
    struct churn *c = arg;
    atomic_fetch_add(&c->begun, 1);
    green_sleep(20 * GREEN_US);
    atomic_fetch_add(&c->ended, 1);
    return 0;
}

/* Hubs that were chosen a moment ago may be ending, or have ended. */
static void *churn(void *arg)
{
    struct churn *c = arg;
    for (int i = 0; i < c->rounds; i++) {
        green_spawn_options options = {.hub = green_hub_next(), .detached = true};
        for (int k = 0; k < 3; k++)
            if (green_spawn_with(&options, count_and_nap, c) == NULL && errno != ESRCH)
                return "cannot spawn";
        if (i % 3 == 0 && green_hubs(3) < 0)
            return "cannot make hubs";
        green_within(i % 2 != 0 ? 10 * GREEN_US : INT64_MAX)
            if (i % 5 == 0 && green_hubs_end() < 0 && errno != ETIMEDOUT)
                return "cannot end hubs";
    }
    return NULL;
}

/* Scenario 63: while others make them, and put work there. */
static void test_made_and_ended_by_many(void **state)
{
    struct churn c = {.rounds = fewer(320)};
    pthread_t os_thread[3];
    void *why = NULL;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&os_thread[i], NULL, churn, &c), 0);
    for (int i = 0; i < 3; i++) {
        while (pthread_tryjoin_np(os_thread[i], &why) != 0)
            green_sleep(GREEN_MS); /* this hub is one of those that get work */
        assert_null(why);
    }
    assert_int_equal(green_hubs_end(), 0);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_true(c.begun > 0);
    assert_int_equal(c.ended, c.begun);
    assert_int_equal(green_hubs(1), 1);
}

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
        cmocka_unit_test(test_thousand_hubs),
        cmocka_unit_test(test_made_and_ended),
        cmocka_unit_test(test_ended_by_others),
        cmocka_unit_test(test_gone_for_all),
        cmocka_unit_test(test_end_takes_too_long),
        cmocka_unit_test(test_made_and_ended_by_many),
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
