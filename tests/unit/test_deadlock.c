/* test_deadlock.c - rings of threads that wait for each other: one of the waits fails with EDEADLK
 * and says who waits for whom, whatever else goes on; and never without a ring. */
#include "hubs.h"

#include <green/barrier.h>
#include <green/event.h>
#include <green/mutex.h>
#include <green/once.h>
#include <green/rwlock.h>
#include <green/state.h>
#include <sched.h>
#include <stdatomic.h>

#include "self.h"

static char sentence[256];

/* A call's errno; what it says about a deadlock is kept. */
static int tried(int result)
{
    int err = result < 0 ? errno : 0;
    if (err == EDEADLK)
        snprintf(sentence, sizeof sentence, "%s", green_errmsg());
    return err;
}

static green_thread *start(const char *name, green_hub *hub, int (*fn)(void *), void *arg)
{
    green_spawn_options options = {.name = name, .hub = hub};
    green_thread *t = green_spawn_with(&options, fn, arg);
    assert_non_null(t);
    return t;
}

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* Timers on both hubs, that rings are found in spite of. */
static green_thread *tickers[2];

static int tick(void *arg)
{
    (void)arg;
    while (green_sleep(GREEN_MS) == 0)
        continue;
    return 0;
}

static int start_tickers(void **state)
{
    (void)state;
    tickers[0] = start("ticker", NULL, tick, NULL);
    tickers[1] = start("ticker", other_hub(), tick, NULL);
    return 0;
}

static int end_tickers(void **state)
{
    (void)state;
    return green_kill_all(tickers, 2);
}

/* ---- locks ---- */

struct lock {
    enum { MUTEX, RECURSIVE, WRITE, READ } kind;
    green_mutex mutex;
    green_rwlock rwlock;
};

static int lock(struct lock *l)
{
    if (l->kind == WRITE)
        return green_rwlock_write(&l->rwlock);
    return l->kind == READ ? green_rwlock_read(&l->rwlock) : green_mutex_lock(&l->mutex);
}

static int unlock(struct lock *l)
{
    return l->kind >= WRITE ? green_rwlock_unlock(&l->rwlock) : green_mutex_unlock(&l->mutex);
}

struct locker {
    struct lock *first, *second;
    green_barrier *both; /* have their first */
    bool read_second;
    int64_t patience; /* 0: without end */
};

static int lock_second(struct locker *l)
{
    if (l->read_second && l->second->kind == WRITE)
        return green_rwlock_read(&l->second->rwlock);
    return lock(l->second);
}

static int lock_both(void *arg)
{
    struct locker *l = arg;
    int err = 0;
    if (lock(l->first) < 0 || (l->first->kind == RECURSIVE && lock(l->first) < 0))
        return -1;
    green_barrier_wait(l->both);
    green_within(l->patience > 0 ? l->patience : INT64_MAX)
        err = tried(lock_second(l));
    if ((err == 0 && unlock(l->second) < 0) || unlock(l->first) < 0 ||
        (l->first->kind == RECURSIVE && unlock(l->first) < 0))
        return -1;
    return err;
}

static bool one_gave_way(int a, int b)
{
    return (a == EDEADLK && b == 0) || (a == 0 && b == EDEADLK);
}

static void embrace(int kind, green_hub *there)
{
    struct lock a = {.kind = kind}, b = {.kind = kind};
    green_barrier both = GREEN_BARRIER_INIT(2);
    a.mutex.recursive = b.mutex.recursive = kind == RECURSIVE;
    struct locker ab = {&a, &b, &both, false, 0}, ba = {&b, &a, &both, true, 0};
    green_thread *s = start("left", NULL, lock_both, &ab);
    green_thread *t = start("right", there, lock_both, &ba);
    int left = result_of(s), right = result_of(t);
    assert_true(one_gave_way(left, right));
    const char *what = kind == WRITE ? "an rwlock" : "a mutex";
    char wanted[128];
    snprintf(wanted, sizeof wanted, "deadlock: %s waits for %s of %s, which waits for %s of %s",
             left != 0 ? "left" : "right", what, left != 0 ? "right" : "left", what,
             left != 0 ? "left" : "right");
    assert_string_equal(sentence, wanted);
}

/* Scenario 61: two lock two in different orders: one of them is told so, the other goes on. */
static void test_locks(void **state)
{
    (void)state;
    for (int kind = MUTEX; kind <= WRITE; kind++)
        embrace(kind, NULL);
}

static void test_locks_of_two_hubs(void **state)
{
    (void)state;
    for (int kind = MUTEX; kind <= WRITE; kind++)
        embrace(kind, other_hub());
}

/* Scenario 62: who has a deadline goes, and nobody is told of a deadlock. */
static void test_deadline_in_a_ring(void **state)
{
    struct lock a = {.kind = MUTEX}, b = {.kind = MUTEX};
    green_barrier both = GREEN_BARRIER_INIT(2);
    struct locker ab = {&a, &b, &both, false, 100 * GREEN_MS}, ba = {&b, &a, &both, false, 0};
    (void)state;
    green_thread *s = start("hasty", NULL, lock_both, &ab);
    green_thread *t = start("patient", other_hub(), lock_both, &ba);
    assert_int_equal(result_of(s), ETIMEDOUT);
    assert_int_equal(result_of(t), 0);
}

/* ---- a long wait is no ring ---- */

static atomic_int holds; /* so many have yet to have the lock for some time */

static int hold(void *arg)
{
    int err = tried(lock(arg));
    if (err == 0 && atomic_fetch_sub(&holds, 1) > 0)
        green_sleep(50 * GREEN_MS);
    return err != 0 || unlock(arg) < 0 ? -1 : 0;
}

/* Scenario 62: nor of one in long lines on two hubs, that move in the end. */
static void test_long_waits(void **state)
{
    enum { MANY = 50 };
    struct lock l = {.kind = MUTEX};
    green_thread *t[MANY];
    (void)state;
    for (int kind = MUTEX; kind <= READ; kind++) {
        l.kind = kind;
        holds = 2;
        for (int i = 0; i < MANY; i++)
            t[i] = start("", i % 2 == 0 ? NULL : other_hub(), hold, &l);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(result_of(t[i]), 0);
    }
}

/* ---- joins ---- */

static int join_it(void *thread)
{
    return tried(green_join(*(green_thread **)thread, NULL));
}

/* A ring of joins alone: the last is told. */
static void test_joins(void **state)
{
    green_thread *main_thread = green_self();
    int result;
    (void)state;
    green_hub *hubs[] = {NULL, other_hub()};
    for (int i = 0; i < 2; i++) {
        green_thread *t = start("child", hubs[i], join_it, &main_thread);
        if (i == 0) {
            green_yield();
            assert_fails(green_join(t, &result), EDEADLK);
            assert_string_equal(green_errmsg(), "deadlock: main waits for the end of child, "
                                                "which waits for the end of main");
            assert_int_equal(green_kill(t, &result), 0);
            assert_int_equal(result, ECANCELED);
        } else if (green_join(t, &result) < 0) { /* whichever was seen last */
            assert_int_equal(errno, EDEADLK);
            assert_int_equal(green_kill(t, &result), 0);
        } else {
            assert_int_equal(result, EDEADLK);
        }
    }
}

struct joiner {
    green_thread *other;
    green_mutex *mutex;
    green_event locked;
};

static int lock_and_join(void *arg)
{
    struct joiner *j = arg;
    if (green_mutex_lock(j->mutex) < 0)
        return -1;
    green_event_set(&j->locked);
    int err = tried(green_join(j->other, NULL));
    return green_mutex_unlock(j->mutex) < 0 ? -1 : err;
}

static int lock_when_locked(void *arg)
{
    struct joiner *j = arg;
    green_event_wait(&j->locked);
    return tried(green_mutex_lock(j->mutex));
}

/* Scenario 61: somebody of another hub waits, with a mutex, for the end of who waits for it. The
 * lock gives way, also if the join came last. */
static void test_lock_and_join(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    (void)state;
    for (int i = 0; i < 4; i++) {
        green_hub *hubs[] = {NULL, other_hub()};
        struct joiner j = {.mutex = &m};
        j.other = start("locker", hubs[i % 2], lock_when_locked, &j);
        green_thread *t = start("joiner", hubs[i / 2], lock_and_join, &j);
        sentence[0] = '\0';
        assert_int_equal(result_of(t), 0);
        assert_string_equal(sentence, "deadlock: locker waits for a mutex of joiner, "
                                      "which waits for the end of locker");
    }
}

/* Joins in a ring: the first one's of the middle one, that one's of the last, on the other hub, and
 * the last one's of the first. */
struct ring {
    green_thread *first, *middle, *last;
    green_event go;
    atomic_bool gave_way, over; /* the last; the first */
};

static int join_middle(void *arg)
{
    struct ring *r = arg;
    int err = tried(green_join(r->middle, NULL));
    r->over = true;
    return err;
}

static int join_last(void *arg)
{
    int result = -1;
    return green_join(((struct ring *)arg)->last, &result) < 0 ? -1 : result;
}

/* 0: it succeeds, so does the next wait, and a failure says nothing of deadlocks. */
static int join_first(void *arg)
{
    struct ring *r = arg;
    green_event_wait(&r->go);
    if (green_join(r->first, NULL) < 0 || green_sleep(GREEN_MS) < 0)
        return errno;
    bool refused = green_join(green_self(), NULL) < 0 && errno == EDEADLK;
    return refused && strstr(green_errmsg(), "waits for") == NULL ? 0 : -1;
}

/* The last is ready, behind this thread, since it was told of the ring; but the hub stands still
 * until the first has ended. */
static int hold_up(void *arg)
{
    struct ring *r = arg;
    green_thread_info info = {.state = GREEN_FRESH};
    bool joins = false;
    while (!joins || info.state != GREEN_READY) {
        green_yield();
        if (green_thread_info_get(r->last, &info) < 0)
            return -1;
        joins |= strncmp(info.waits_for, "end of", 6) == 0;
    }
    r->gave_way = true;
    while (!r->over)
        sched_yield();
    return 0;
}

static int shown_here(void)
{
    struct green_hub *hub = green_hub_self();
    int n = 0;
    for (struct list *l = hub->shown.next; l != &hub->shown; l = l->next)
        n++;
    return n;
}

/* Scenario 62: the join that gives way succeeds if its thread has just ended, and nothing fails in
 * its place. */
static void test_end_in_time(void **state)
{
    struct ring r = {.go = GREEN_EVENT_INIT};
    green_hub *there = other_hub();
    (void)state;
    r.last = start("last", there, join_first, &r);
    r.middle = start("middle", NULL, join_last, &r);
    r.first = start("first", NULL, join_middle, &r);
    while (shown_here() < 2)
        green_sleep(GREEN_MS);
    green_thread *t = start("hold up", there, hold_up, &r);
    green_event_set(&r.go);
    while (!r.gave_way)
        green_sleep(GREEN_MS);
    assert_int_equal(green_cancel(r.first), 0);
    while (!r.over)
        green_yield();
    assert_int_equal(result_of(r.middle), 0);
    assert_int_equal(result_of(t), 0);
}

static int lock_it(void *mutex)
{
    return green_mutex_lock(mutex);
}

static int lock_far(void *mutex)
{
    int err = result_of(start("far", other_hub(), lock_it, mutex));
    errno = EDEADLK;
    return err;
}

/* Who joins a group waits for each of its threads: three of them for a mutex of the joiner's, one
 * of them by way of another hub. They fail, and so does the group. */
static void test_group(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(green_mutex_lock(&m), 0);
        assert_int_equal(green_group_spawn(&g, sleep_long, NULL), 0);
        assert_int_equal(green_group_spawn(&g, i == 0 ? lock_far : lock_it, &m), 0);
        if (i == 2)
            assert_int_equal(green_group_spawn(&g, lock_it, &m), 0);
        assert_fails(green_group_join(&g), EDEADLK);
        if (i > 0)
            assert_string_equal(green_errmsg(), "deadlock: a thread waits for a mutex of main, "
                                                "which waits for a group with a thread");
        assert_int_equal(green_mutex_unlock(&m), 0);
    }
    assert_nothing_left(before);
}

static int join_parent(void *thread)
{
    green_join(thread, NULL);
    return 0;
}

/* Nothing but joins: the group's gives up, and leaves no child all the same. */
static void test_group_of_joins(void **state)
{
    green_group g = GREEN_GROUP_INIT;
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_group_spawn(&g, join_parent, green_self()), 0);
    green_yield(); /* it comes first */
    assert_fails(green_group_join(&g), EDEADLK);
    assert_string_equal(green_errmsg(), "deadlock: main waits for a group with a thread, "
                                        "which waits for the end of main");
    assert_nothing_left(before);
}

/* ---- once ---- */

struct runner {
    green_once once;
    green_mutex mutex;
    green_event running;
};

static int run_and_lock(void *arg)
{
    struct runner *r = arg;
    green_event_set(&r->running);
    if (green_mutex_lock(&r->mutex) < 0)
        return -1;
    return green_mutex_unlock(&r->mutex);
}

static int run_once(void *arg)
{
    struct runner *r = arg;
    return green_once_run(&r->once, run_and_lock, r) < 0 ? errno : 0;
}

/* What is run once waits for a mutex of who waits for it. */
static void test_once(void **state)
{
    struct runner r = {.once = GREEN_ONCE_INIT, .mutex = GREEN_MUTEX_RECURSIVE_INIT};
    (void)state;
    assert_int_equal(green_mutex_lock(&r.mutex), 0);
    green_thread *t = start("runner", other_hub(), run_once, &r);
    assert_int_equal(green_event_wait(&r.running), 0);
    int mine = run_once(&r); /* is told, or runs it itself when the other was told */
    assert_int_equal(green_mutex_unlock(&r.mutex), 0);
    assert_true(one_gave_way(mine, result_of(t)));
}

/* ---- all at random ---- */

enum { LOCKS = 4, LOCKERS = 6, ROUNDS = 32 };

static struct lock locks[LOCKS] = {{.kind = MUTEX}, {.kind = RECURSIVE}, {.kind = WRITE}};
static atomic_int deadlocks, strays;

struct wanderer {
    unsigned die;
    bool orderly; /* always in the same order: there is no ring */
};

static int two_at_once(struct lock *a, struct lock *b)
{
    if (lock(a) < 0)
        return -1;
    green_sleep(20 * GREEN_US);
    int r = lock(b), err = errno;
    if (r == 0 && unlock(b) < 0)
        atomic_fetch_add(&strays, 1);
    if (unlock(a) < 0)
        atomic_fetch_add(&strays, 1);
    errno = err;
    return r;
}

static int wander(void *arg)
{
    struct wanderer *w = arg;
    for (int i = 0; i < fewer(ROUNDS); i++) {
        int a = rand_r(&w->die) % LOCKS, b = rand_r(&w->die) % LOCKS;
        if (a == b || (w->orderly && a > b))
            continue;
        if (two_at_once(&locks[a], &locks[b]) == 0)
            continue;
        atomic_fetch_add(errno == EDEADLK ? &deadlocks : &strays, errno != ECANCELED);
        if (errno == ECANCELED)
            return 0;
    }
    return 0;
}

static void wander_all(bool orderly)
{
    struct wanderer w[LOCKERS];
    green_thread *t[LOCKERS];
    deadlocks = strays = 0;
    for (int i = 0; i < LOCKERS; i++) {
        w[i] = (struct wanderer){(unsigned)i + 1, orderly};
        t[i] = start("", i % 2 == 0 ? NULL : other_hub(), wander, &w[i]);
    }
    for (int i = 0; i < LOCKERS; i++) {
        bool cancelled = orderly && i % 3 == 0;
        if (cancelled)
            green_cancel(t[i]);
        int result = result_of(t[i]);
        assert_true(result == 0 || (cancelled && result == -1)); /* -1: it never ran */
    }
    assert_int_equal(strays, 0);
}

/* Scenario 61: whatever ring comes about is found, or this would never end. */
static void test_at_random(void **state)
{
    (void)state;
    locks[1].mutex.recursive = true;
    wander_all(false);
}

/* Scenario 62: who locks in the same order as all others is never told of a deadlock. */
static void test_in_order(void **state)
{
    (void)state;
    wander_all(true);
    assert_int_equal(deadlocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_joins),
        cmocka_unit_test_setup_teardown(test_locks, start_tickers, end_tickers),
        cmocka_unit_test_setup_teardown(test_locks_of_two_hubs, start_tickers, end_tickers),
        cmocka_unit_test(test_locks_of_two_hubs),
        cmocka_unit_test(test_deadline_in_a_ring),
        cmocka_unit_test(test_long_waits),
        cmocka_unit_test_setup_teardown(test_lock_and_join, start_tickers, end_tickers),
        cmocka_unit_test(test_end_in_time),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_group_of_joins),
        cmocka_unit_test_setup_teardown(test_once, start_tickers, end_tickers),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_in_order),
    };
    return cmocka_run_group_tests_name("deadlock", tests, NULL, NULL);
}
