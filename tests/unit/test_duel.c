/* test_duel.c - two hubs fight over each primitive (tests/soak/duel.h, in short): nothing is lost,
 * nothing is given twice, and what was held is free in the end. */
#include "unit.h"

#include "../soak/duel.h"
#include <green/channel.h>
#include <green/event.h>
#include <green/mutex.h>
#include <green/result.h>
#include <green/rwlock.h>
#include <green/semaphore.h>
#include <pthread.h>

enum { ROUNDS = 2000, THREADS = 3, DUELS_MOST = 32 };

/* Scenarios 77, 81, 84, 85: with deadlines that expire and threads cancelled in between. */
static void test_duel(void **state)
{
    struct duel_score score;
    green_hub_stats there;
    assert_int_equal(green_hubs(2), 2);
    green_hub_stats here = stats_now();
    assert_int_equal(green_hub_stats_get(green_hub_nth(1), &there), 0);
    assert_int_equal(duel_run(*state, ROUNDS, &score), 0);
    assert_true(score.done > ROUNDS);
    assert_nothing_left(here);
    assert_nothing_left_on(green_hub_nth(1), there);
}

/* ---- semaphores: taken on one hub, given back on the other, giving up in between ---- */

static green_semaphore rallies[2] = {GREEN_SEMAPHORE_INIT(1), GREEN_SEMAPHORE_INIT(0)};

static int rally(void *arg)
{
    green_semaphore *mine = arg, *others = mine == &rallies[0] ? &rallies[1] : &rallies[0];
    for (int i = 0; i < ROUNDS; i++) {
        int err = -1;
        while (err < 0) {
            green_within(i % 3 == 0 ? 20 * GREEN_US : INT64_MAX)
                err = green_semaphore_acquire(mine);
            if (err < 0 && errno != ETIMEDOUT)
                return -1;
        }
        if (green_semaphore_release(others) < 0)
            return -1;
    }
    return 0;
}

/* Scenario 85: two hubs hand one permit to and fro. */
static void test_semaphore_there_and_back(void **state)
{
    int result = -1;
    (void)state;
    assert_true(green_hubs(2) >= 2);
    green_spawn_options options = {.hub = green_hub_next()};
    if (options.hub == green_hub_self())
        options.hub = green_hub_next();
    green_thread *t = green_spawn_with(&options, rally, &rallies[1]);
    assert_int_equal(rally(&rallies[0]), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_true(rallies[0].count == 1 && rallies[1].count == 0);
}

/* ---- cancelled while it is being served ---- */

static struct {
    green_semaphore permits;
    green_rwlock lock;
    green_chan balls;
    int room[3];
} table = {GREEN_SEMAPHORE_BOUNDED_INIT(2),
           GREEN_RWLOCK_INIT,
           GREEN_CHAN_INIT(sizeof(int), 3, table.room),
           {0}};

/* Until it is cancelled. What it had is back then: 0. */
static int borrow(void *arg)
{
    (void)arg;
    for (long i = 0;; i++) {
        int ball = -1;
        if (green_semaphore_acquire(&table.permits) < 0)
            return errno == ECANCELED ? 0 : -7;
        green_yield();
        if (green_semaphore_release(&table.permits) < 0)
            return -2;
        if ((i % 4 == 0 ? green_rwlock_write(&table.lock) : green_rwlock_read(&table.lock)) < 0)
            return errno == ECANCELED ? 0 : -3;
        green_yield();
        if (green_rwlock_unlock(&table.lock) < 0)
            return -4;
        if (green_chan_recv(&table.balls, &ball) < 0)
            return errno == ECANCELED ? 0 : -5;
        green_yield();
        green_shield()
            if (green_chan_send(&table.balls, &ball) < 0)
                return -6;
    }
}

/* Scenarios 81, 95, 102: cancelled from one hub or the other at any moment, nobody takes a permit,
 * a lock or a value along. */
static void test_cancelled_while_served(void **state)
{
    green_thread *threads[2 * THREADS] = {NULL};
    int result = -1, ball;
    (void)state;
    assert_true(green_hubs(2) >= 2);
    green_hub_stats before = stats_now();
    for (ball = 0; ball < 3; ball++)
        assert_int_equal(green_chan_send(&table.balls, &ball), 0);
    for (int i = 0; i < 600; i++) {
        green_thread **t = &threads[i % (2 * THREADS)];
        if (*t != NULL) {
            assert_int_equal(green_kill(*t, &result), 0);
            assert_true(result == 0 || result == -1); /* -1: it never ran */
        }
        *t = green_spawn_with(&(green_spawn_options){.hub = green_hub_next()}, borrow, NULL);
        assert_non_null(*t);
        for (int k = i % 7; k > 0; k--)
            assert_int_equal(green_yield(), 0);
    }
    assert_int_equal(green_kill_all(threads, 2 * THREADS), 0);
    assert_int_equal(table.permits.count, 2);
    assert_int_equal(table.lock.readers, 0);
    assert_null(table.lock.writer);
    int sum = 0;
    while (green_chan_try_recv(&table.balls, &ball) > 0)
        sum += 1 << ball;
    assert_int_equal(sum, 7); /* each of the three is back, once */
    assert_nothing_left(before);
}

/* ---- OS threads of the program's ---- */

struct ring {
    green_mutex mutex;
    green_semaphore semaphore;
    green_rwlock rwlock;
    int kind; /* which of these */
    bool hasty;
    long inside; /* how often somebody was: not atomic */
};

static int ring_enter(struct ring *r)
{
    return r->kind == 0   ? green_mutex_lock(&r->mutex)
           : r->kind == 1 ? green_semaphore_acquire(&r->semaphore)
                          : green_rwlock_write(&r->rwlock);
}

static int ring_leave(struct ring *r)
{
    return r->kind == 0   ? green_mutex_unlock(&r->mutex)
           : r->kind == 1 ? green_semaphore_release(&r->semaphore)
                          : green_rwlock_unlock(&r->rwlock);
}

/* How often it was inside; -1: something was wrong. */
static void *box(void *arg)
{
    struct ring *r = arg;
    long entered = 0;
    for (int i = 0; i < fewer(10000); i++) {
        int err = 0;
        green_within(r->hasty &&i % 3 == 0 ? GREEN_US : INT64_MAX)
            err = ring_enter(r);
        if (err < 0 && (errno != ETIMEDOUT || !green_expired()))
            return (void *)-1L;
        if (err < 0)
            continue;
        r->inside++;
        entered++;
        if (ring_leave(r) < 0)
            return (void *)-1L;
    }
    return (void *)entered;
}

/* Scenario 84: OS threads that know nothing of hubs, ten thousand times, with deadlines too. */
static void test_os_threads_fight(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int hasty = 0; hasty <= 1; hasty++) {
            struct ring r = {.semaphore = GREEN_SEMAPHORE_INIT(1), .kind = kind, .hasty = hasty};
            pthread_t threads[2];
            long sum = 0;
            for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, box, &r), 0);
            for (int i = 0; i < 2; i++) {
                void *entered = NULL;
                assert_int_equal(pthread_join(threads[i], &entered), 0);
                assert_true((long)entered >= (hasty ? 1 : fewer(10000)));
                sum += (long)entered;
            }
            assert_int_equal(r.inside, sum);
            assert_null(r.mutex.waiters.first);
            assert_null(r.semaphore.waiters.first);
            assert_null(r.rwlock.waiters.first);
        }
}

int main(void)
{
    struct CMUnitTest tests[DUELS_MOST] = {
        cmocka_unit_test(test_semaphore_there_and_back),
        cmocka_unit_test(test_cancelled_while_served),
        cmocka_unit_test(test_os_threads_fight),
    };
    size_t n = 3;
    for (int i = 0; i < duels_count && n < DUELS_MOST; i++) {
        tests[n] = (struct CMUnitTest)cmocka_unit_test_prestate(test_duel, (void *)duels[i]);
        tests[n++].name = duels[i]->name;
    }
    return _cmocka_run_group_tests("duel", tests, n, NULL, NULL);
}
