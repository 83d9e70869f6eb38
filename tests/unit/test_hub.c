/* test_hub.c - several hubs, messages, the shared loop (green/hub.h). */
#include "unit.h"

#include "hub.h"
#include "self.h"
#include <dirent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <green/fd.h>
#include <green/link.h>
#include <green/select.h>
#include <green/signal.h>
#include <green/state.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

static int count_entries(const char *directory)
{
    int n = 0;
    DIR *d = opendir(directory);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static green_hub *other_hub(void)
{
    green_hub *hub = green_hub_next();
    return hub != green_hub_self() ? hub : green_hub_next();
}

static int where(void *arg)
{
    *(green_hub **)arg = green_hub_self();
    return 3;
}

static void test_spawn_elsewhere(void **state)
{
    green_hub *ran_on = NULL;
    int result = 0;
    (void)state;
    assert_true(green_hubs(2) >= 2);
    green_hub *there = other_hub();
    assert_ptr_not_equal(there, green_hub_self());
    green_spawn_options options = {.hub = there};
    for (int i = 0; i < 100; i++) {
        green_thread *t = green_spawn_with(&options, where, &ran_on);
        assert_non_null(t);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 3);
        assert_ptr_equal(ran_on, there);
    }
}

static int sleep_errno(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
}

/* Scenario 22: a join of a thread elsewhere that is given up leaves it joinable. */
static void test_join_and_cancel_elsewhere(void **state)
{
    int result = 0;
    (void)state;
    green_spawn_options options = {.hub = other_hub()};
    green_thread *t = green_spawn_with(&options, sleep_errno, NULL);
    green_within(5 * GREEN_MS)
        assert_fails(green_join(t, &result), ETIMEDOUT);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    t = green_spawn_with(&options, sleep_errno, NULL);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_detach(t), 0);
}

static int ping(void *arg)
{
    green_spawn_options options = {.hub = arg};
    green_hub *ran_on = NULL;
    for (int i = 0; i < 50; i++)
        if (green_join(green_spawn_with(&options, where, &ran_on), NULL) < 0 || ran_on != arg)
            return -1;
    return 0;
}

static void test_both_ways_at_once(void **state)
{
    int result = 0;
    (void)state;
    green_spawn_options there = {.hub = other_hub()};
    green_thread *a = green_spawn_with(&there, ping, green_hub_self());
    green_thread *b = green_spawn(ping, there.hub);
    assert_int_equal(green_join(a, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_join(b, &result), 0);
    assert_int_equal(result, 0);
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
    int fds = 0, tasks = count_entries("/proc/self/task"), pipes[2];
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    life.pipe = pipes[0];
    for (int i = 0; i < 1000; i++) {
        pthread_t thread;
        life.ok = false;
        assert_int_equal(pthread_create(&thread, NULL, short_life, &life), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(life.ok);
        if (i == 0)
            fds = count_entries("/proc/self/fd");
    }
    assert_int_equal(count_entries("/proc/self/fd"), fds);
    for (int i = 0; i < 10000 && count_entries("/proc/self/task") > tasks; i++)
        green_sleep(GREEN_MS); /* a joined one is still listed for a moment */
    assert_int_equal(count_entries("/proc/self/task"), tasks);
    assert_int_equal(green_hubs(1), 2);
    close(pipes[0]);
    close(pipes[1]);
}

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

static void *cancel_and_leave(void *arg)
{
    green_spawn_options there = {.hub = arg};
    for (int i = 0; i < 3; i++)
        if (green_kill(green_spawn_with(&there, sleep_errno, NULL), NULL) < 0)
            return "failed";
    return NULL;
}

/* Scenario 63: a hub ends right after an answer from another. */
static void test_short_calls_elsewhere(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        pthread_t thread[2];
        void *why = NULL;
        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&thread[k], NULL, cancel_and_leave, other_hub()), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(pthread_join(thread[k], &why), 0);
            assert_null(why);
        }
    }
}

static atomic_bool stay;

static void *stay_a_while(void *arg)
{
    *(_Atomic(green_hub *) *)arg = green_hub_self();
    while (stay && green_sleep(GREEN_MS) == 0)
        continue;
    return NULL;
}

/* Whoever spreads work meets the hubs made for it, not those of passing OS threads. */
static void test_next_is_no_passing_hub(void **state)
{
    _Atomic(green_hub *) passing = NULL;
    pthread_t thread;
    (void)state;
    stay = true;
    assert_int_equal(pthread_create(&thread, NULL, stay_a_while, &passing), 0);
    while (passing == NULL)
        green_sleep(GREEN_US);
    for (int i = 0; i < 4; i++)
        assert_ptr_not_equal(green_hub_next(), passing);
    stay = false;
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static uint64_t threads_of(green_hub *hub)
{
    green_hub_stats s;
    assert_int_equal(green_hub_stats_get(hub, &s), 0);
    return s.threads;
}

/* Where work may go: in turn, by number, to whoever has the least; and the figures of any hub. */
static void test_placement(void **state)
{
    enum { HUBS = 3, EACH = 5 };
    green_thread *threads[HUBS * EACH];
    green_spawn_options options = {0};
    (void)state;
    int hubs = green_hubs(HUBS);
    assert_int_equal(hubs, HUBS);
    for (int i = 0; i < hubs; i++) {
        for (int k = 0; k < i; k++)
            assert_ptr_not_equal(green_hub_nth((unsigned)i), green_hub_nth((unsigned)k));
        assert_ptr_equal(green_hub_nth((unsigned)(i + hubs)), green_hub_nth((unsigned)i));
        assert_int_equal(threads_of(green_hub_nth((unsigned)i)), 1);
    }
    options.hub = green_hub_nth(1); /* that one is busy, so the others get more */
    for (int i = 0; i < EACH; i++)
        assert_non_null(threads[i] = green_spawn_with(&options, sleep_errno, NULL));
    for (int i = EACH; i < hubs * EACH; i++) {
        options.hub = green_hub_idlest();
        assert_ptr_not_equal(options.hub, green_hub_nth(1));
        assert_non_null(threads[i] = green_spawn_with(&options, sleep_errno, NULL));
    }
    for (int i = 0; i < hubs; i++)
        assert_int_equal(threads_of(green_hub_nth((unsigned)i)), 1 + EACH);
    assert_int_equal(green_kill_all(threads, hubs * EACH), 0);
    for (int i = 0; i < hubs; i++)
        assert_int_equal(threads_of(green_hub_nth((unsigned)i)), 1);
}

static int blocked_errno;
static green_thread *far_thread;
static int far_errno;

static void on_far_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    errno = 0;
    far_errno = green_cancel(far_thread) < 0 ? errno : 0;
    *(bool *)arg = true;
}

/* Scenario 60: nor may a callback wait for another hub. */
static void test_callback_calls_no_other_hub(void **state)
{
    struct timeval soon = {0, 1000};
    bool called = false;
    (void)state;
    green_spawn_options there = {.hub = other_hub()};
    far_thread = green_spawn_with(&there, sleep_errno, NULL);
    assert_non_null(far_thread);
    struct event *ev = event_new(green_hub_event_base(), -1, 0, on_far_timer, &called);
    assert_int_equal(event_add(ev, &soon), 0);
    while (!called)
        green_sleep(GREEN_MS);
    event_free(ev);
    assert_int_equal(far_errno, EDEADLK);
    assert_int_equal(green_kill(far_thread, NULL), 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    blocked_errno = green_sleep(GREEN_MS) < 0 ? errno : 0;
    green_detach(green_spawn(where, arg)); /* spawning is allowed */
}

/* Scenario 60: and the loop shared with the program's own events. */
static void test_event_base(void **state)
{
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    (void)state;
    struct event_base *base = green_hub_event_base();
    assert_non_null(base);
    blocked_errno = 0;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    assert_int_equal(event_add(ev, &soon), 0);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_yield() == 0)
            continue;
    assert_int_equal(blocked_errno, EDEADLK);
    assert_ptr_equal(ran_on, green_hub_self());
    event_free(ev);
}

struct counter {
    struct message message;
    green_hub *to;
    int left;
    atomic_int *done;
};

static void bounce(struct message *message)
{
    struct counter *c = CONTAINER(message, struct counter, message);
    if (--c->left == 0) {
        atomic_fetch_add(c->done, 1);
        return;
    }
    green_hub *from = self_hub();
    green_hub *to = c->to;
    c->to = from;
    hub_post(to, message);
}

/* Scenario 66: messages between hubs arrive, none is lost. */
static void test_messages(void **state)
{
    enum { N = 8, ROUNDS = 1000 };
    static struct counter counters[N];
    atomic_int done = 0;
    (void)state;
    green_hub *there = other_hub();
    for (int i = 0; i < N; i++) {
        counters[i] = (struct counter){{NULL, bounce}, green_hub_self(), ROUNDS, &done};
        hub_post(there, &counters[i].message);
    }
    green_within(30 * GREEN_SEC)
        while (done < N && green_sleep(GREEN_MS) == 0)
            continue;
    assert_int_equal(done, N);
}

struct numbered {
    struct message message;
    int number;
};
static struct numbered numbered[4];
static int order[4];
static atomic_int ordered;

static void note_order(struct message *message)
{
    struct numbered *m = CONTAINER(message, struct numbered, message);
    order[ordered] = m->number;
    if (m->number == 0)
        hub_post(self_hub(), &numbered[3].message);
    atomic_fetch_add(&ordered, 1);
}

static void post_three(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) /* to itself: none is run meanwhile */
        hub_post(self_hub(), &numbered[i].message);
}

/* Scenario 65: in the order of posting, also what one of them posts. */
static void test_order_of_messages(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        numbered[i] = (struct numbered){{NULL, note_order}, i};
    assert_int_equal(green_hub_run(other_hub(), post_three, NULL), 0);
    green_within(60 * GREEN_SEC)
        while (ordered < 4 && green_sleep(GREEN_MS) == 0)
            continue;
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i);
}

static void *run_on_given_base(void *arg)
{
    bool *ok = arg;
    green_hub *ran_on = NULL;
    struct timeval soon = {0, 1000};
    struct event_base *base = event_base_new();
    *ok = green_hub_attach(base) == 0 && green_hub_event_base() == base;
    struct event *ev = event_new(base, -1, 0, on_timer, &ran_on);
    event_add(ev, &soon);
    green_within(10 * GREEN_SEC)
        while (ran_on == NULL && green_sleep(GREEN_MS) == 0)
            continue;
    *ok = *ok && ran_on == green_hub_self() && green_hub_attach(base) < 0 && errno == EBUSY;
    event_free(ev);
    return base;
}

/* Scenario 68: the program's own loop under the hub, and still the program's afterwards. */
static void test_attach(void **state)
{
    bool ok = false;
    pthread_t thread;
    void *base = NULL;
    (void)state;
    assert_fails(green_hub_attach(NULL), EINVAL);
    assert_int_equal(pthread_create(&thread, NULL, run_on_given_base, &ok), 0);
    assert_int_equal(pthread_join(thread, &base), 0);
    assert_true(ok);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
    event_base_free(base);
}

static void note_hub(void *arg)
{
    *(green_hub **)arg = green_hub_self();
}

static void test_run_on_hub(void **state)
{
    green_hub *ran_on = NULL, *there = other_hub();
    (void)state;
    assert_int_equal(green_hub_run(there, note_hub, &ran_on), 0);
    assert_ptr_equal(ran_on, there);
    assert_int_equal(green_hub_run(green_hub_self(), note_hub, &ran_on), 0);
    assert_ptr_equal(ran_on, green_hub_self());
}

static int nap(void *arg)
{
    (void)arg;
    return green_sleep(GREEN_MS);
}

/* Scenario 45: threads that end, one that is not joined, a deadline. */
static void test_wait_idle(void **state)
{
    (void)state;
    assert_int_equal(green_hub_wait_idle(), 0);
    for (int i = 0; i < 5; i++)
        green_detach(green_spawn(nap, NULL));
    green_thread *kept = green_spawn(nap, NULL); /* done, if not joined, is idle, too */
    green_within(0)
        assert_fails(green_hub_wait_idle(), ETIMEDOUT);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(stats_now().threads, 2);
    green_join(kept, NULL);
}

static int note_signal(int number, void *arg)
{
    *(int *)arg = number;
    return 0;
}

/* Scenario 45: tickers and handlers of signals serve the others; they do not count. */
static void test_background(void **state)
{
    green_spawn_options options = {.background = true};
    int number = 0;
    (void)state;
    green_thread *ticker = green_spawn_with(&options, sleep_errno, NULL);
    green_signal *s = green_signal_handle(GREEN_SIGNALS(SIGUSR1), note_signal, &number);
    assert_non_null(s);
    green_thread *worker = green_spawn(nap, NULL);
    green_within(0)
        assert_fails(green_hub_wait_idle(), ETIMEDOUT);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_thread_state(worker), GREEN_DONE);
    assert_int_equal(green_thread_state(ticker), GREEN_WAITING);
    raise(SIGUSR1);
    while (number == 0)
        green_sleep(GREEN_MS);
    assert_int_equal(number, SIGUSR1);
    assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_signal_close(s), 0);
    assert_int_equal(green_kill(ticker, NULL), 0);
    assert_int_equal(green_join(worker, NULL), 0);
}

static int await_idle(void *arg)
{
    (void)arg;
    return green_hub_wait_idle();
}

/* Those that wait for the others do not wait for each other. */
static void test_several_wait_for_idle(void **state)
{
    int result = -1;
    (void)state;
    green_thread *t[2] = {green_spawn(await_idle, NULL), green_spawn(await_idle, NULL)};
    green_thread *worker = green_spawn(nap, NULL);
    green_within(60 * GREEN_SEC)
        assert_int_equal(green_hub_wait_idle(), 0);
    assert_int_equal(green_join(worker, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
}

static void test_wishes(void **state)
{
    static const char *const nonsense[] = {"abc", "0", "-1", "2x", "99999999"};
    (void)state;
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        setenv("GREEN_HUBS", nonsense[i], 1);
        assert_fails(green_hubs(0), EINVAL);
        assert_non_null(strstr(green_errmsg(), nonsense[i]));
    }
    unsetenv("GREEN_HUBS");
    assert_true(green_hubs(0) >= 1);
    assert_fails(green_hubs(1 << 20), EINVAL);
}

static void *first_call(void *arg)
{
    (void)arg;
    return green_self() == NULL ? (void *)(intptr_t)errno : NULL;
}

/* A hub that lacks descriptors is a failure, not the end of the process. */
static void test_no_descriptors(void **state)
{
    struct rlimit old, tight;
    (void)state;
    getrlimit(RLIMIT_NOFILE, &old);
    for (rlim_t more = 0;; more++) {
        pthread_t thread;
        void *err = NULL;
        tight = old;
        tight.rlim_cur = (rlim_t)count_entries("/proc/self/fd") - 3 + more;
        setrlimit(RLIMIT_NOFILE, &tight);
        assert_int_equal(pthread_create(&thread, NULL, first_call, NULL), 0);
        assert_int_equal(pthread_join(thread, &err), 0);
        setrlimit(RLIMIT_NOFILE, &old);
        if (err == NULL)
            break;
        assert_int_equal((intptr_t)err, EMFILE);
        assert_true(more < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_elsewhere),
        cmocka_unit_test(test_join_and_cancel_elsewhere),
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_thousand_hubs),
        cmocka_unit_test(test_pending_does_not_run),
        cmocka_unit_test(test_joiners_end_with_their_hub),
        cmocka_unit_test(test_join_while_the_hub_ends),
        cmocka_unit_test(test_given_up_while_the_hub_ends),
        cmocka_unit_test(test_cut_when_the_hub_has_ended),
        cmocka_unit_test(test_short_calls_elsewhere),
        cmocka_unit_test(test_next_is_no_passing_hub),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_callback_calls_no_other_hub),
        cmocka_unit_test(test_event_base),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_order_of_messages),
        cmocka_unit_test(test_attach),
        cmocka_unit_test(test_run_on_hub),
        cmocka_unit_test(test_wait_idle),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_several_wait_for_idle),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
