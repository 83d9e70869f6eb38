/* test_fork_locks.c - in a child of fork(2): what threads that it does not have held or waited for,
 * and what the one that forked holds. */
#include "counts.h"
#include "forks.h"

#include "deadlock.h"
#include <green/barrier.h>
#include <green/condition.h>
#include <green/event.h>
#include <green/mutex.h>
#include <green/queue.h>
#include <green/rwlock.h>
#include <green/select.h>
#include <green/semaphore.h>
#include <green/state.h>

static green_mutex ours = GREEN_MUTEX_INIT, theirs = GREEN_MUTEX_INIT, nobodys = GREEN_MUTEX_INIT;

static int lock_and_stay(void *mutex)
{
    return green_mutex_lock(mutex) < 0 ? -1 : sleep_long(NULL);
}

static int locks_here(void)
{
    must(green_mutex_unlock(&ours) == 0);
    must(green_mutex_unlock(&theirs) < 0 && errno == EPERM);
    must(green_mutex_trylock(&theirs) < 0 && errno == EBUSY);
    green_within(GREEN_MS)
        must(green_mutex_lock(&theirs) < 0 && errno == ETIMEDOUT);
    must(green_mutex_lock(&nobodys) == 0 && green_mutex_unlock(&nobodys) == 0);
    return 0;
}

static green_mutex held = GREEN_MUTEX_INIT;

static int hold_a_while(void *mutex)
{
    if (green_mutex_lock(mutex) < 0 || green_sleep(10 * GREEN_MS) < 0)
        return -1;
    return green_mutex_unlock(mutex);
}

static void lock_at_exit(void)
{
    bool had = green_mutex_lock(&held) == 0 && green_sleep(GREEN_MS) == 0;
    _exit(had && green_mutex_unlock(&held) == 0 ? 0 : 1);
}

/* Scenario 83: the handlers of exit() wait for what green threads hold. */
static void locks_at_exit(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        atexit(lock_at_exit);
        green_spawn(hold_a_while, &held);
        green_yield();
        exit(2);
    }
    assert_int_equal(status_of(pid), 0);
}

/* Scenario 88: the thread that forks has what it had; what others had stays locked. */
static void locks_go_along(void **state)
{
    (void)state;
    assert_int_equal(green_mutex_lock(&ours), 0);
    green_thread *t = green_spawn(lock_and_stay, &theirs);
    green_yield();
    in_child(locks_here);
    assert_int_equal(green_mutex_unlock(&ours), 0);
    assert_int_equal(green_kill(t, NULL), 0);
}

/* ---- objects that threads of the parent wait for ---- */

static struct {
    green_mutex mutex;               /* the forker's */
    green_rwlock rwlock;             /* the same, to write */
    green_semaphore permits, chosen; /* none */
    green_barrier barrier;           /* for three */
    green_condition changed;
    green_mutex of_changed;
    green_chan values;
    green_queue *empty, *full; /* with room for one */
} things;

static int lock_mutex(void *arg)
{
    (void)arg;
    return green_mutex_lock(&things.mutex);
}

static int lock_to_read(void *arg)
{
    (void)arg;
    return green_rwlock_read(&things.rwlock);
}

static int acquire(void *arg)
{
    (void)arg;
    return green_semaphore_acquire(&things.permits);
}

static int choose(void *arg)
{
    void *item;
    (void)arg;
    return green_select(GREEN_ACQUIRE(&things.chosen), GREEN_GET(things.empty, &item));
}

static int meet(void *arg)
{
    (void)arg;
    return green_barrier_wait(&things.barrier);
}

static int await_change(void *arg)
{
    int err;
    (void)arg;
    green_mutex_lock(&things.of_changed);
    err = green_condition_wait(&things.changed, &things.of_changed);
    green_mutex_unlock(&things.of_changed);
    return err;
}

static int receive(void *arg)
{
    int value = 0;
    (void)arg;
    return green_chan_recv(&things.values, &value) > 0 ? value : -1;
}

static int get(void *arg)
{
    (void)arg;
    return green_queue_get(things.empty, &arg);
}

static int put(void *arg)
{
    return green_queue_put(things.full, arg);
}

static int (*const waits[])(void *) = {
    lock_mutex, lock_to_read, acquire, choose, meet, await_change, receive, get, put,
};

static bool all_wait(green_thread *const *threads)
{
    for (size_t i = 0; i < COUNT(waits); i++)
        if (green_thread_state(threads[i]) != GREEN_WAITING)
            return false;
    return true;
}

static int locks_are_free(void)
{
    must(green_mutex_unlock(&things.mutex) == 0 && green_mutex_trylock(&things.mutex) == 0);
    must(green_rwlock_unlock(&things.rwlock) == 0);
    green_within(0)
        must(green_rwlock_read(&things.rwlock) == 0 && green_rwlock_read(&things.rwlock) == 0);
    must(green_semaphore_release(&things.permits) == 0 &&
         green_semaphore_try(&things.permits) == 0);
    must(green_semaphore_release(&things.chosen) == 0 && green_semaphore_try(&things.chosen) == 0);
    green_within(GREEN_MS)
        must(green_barrier_wait(&things.barrier) < 0 && errno == ETIMEDOUT);
    return 0;
}

static int nobody_takes(void)
{
    void *item = NULL;
    int value = 7, result = -1;
    must(green_chan_try_send(&things.values, &value) < 0 && errno == EAGAIN);
    must(green_queue_put(things.empty, &things) == 0 && green_queue_count(things.empty) == 1);
    must(green_queue_get(things.full, &item) == 1 && item == NULL);
    must(green_queue_try_get(things.full, &item) < 0 && errno == EAGAIN);
    must(green_queue_task_done(things.full) == 0 && green_queue_join(things.full) == 0);
    green_thread *t[2] = {green_spawn(await_change, NULL), green_spawn(receive, NULL)};
    must(green_yield() == 0);
    must(green_condition_signal(&things.changed) == 0 &&
         green_chan_send(&things.values, &value) == 0);
    must(green_join(t[0], &result) == 0 && result == 0);
    must(green_join(t[1], &result) == 0 && result == 7);
    return locks_are_free();
}

/* Scenarios 88, 157: threads that the child does not have stand in no line there: what is given up
 * or put is not theirs. In the parent they wait on. */
static void lines_are_empty(void **state)
{
    green_thread *t[COUNT(waits)];
    (void)state;
    green_hub_stats before = stats_now();
    things.barrier.parties = 3;
    things.values.size = sizeof(int);
    things.empty = green_queue_make(NULL);
    things.full = green_queue_make(&(green_queue_options){.limit = 1});
    assert_int_equal(green_queue_put(things.full, NULL), 0);
    assert_int_equal(green_mutex_lock(&things.mutex), 0);
    assert_int_equal(green_rwlock_write(&things.rwlock), 0);
    for (int hubs = 1; hubs <= 2; hubs++) {
        assert_int_equal(green_hubs(2), 2);
        for (size_t i = 0; i < COUNT(waits); i++) {
            green_spawn_options there = {.hub = hubs == 1 ? NULL : green_hub_nth(1)};
            t[i] = green_spawn_with(&there, waits[i], &things);
            assert_non_null(t[i]);
        }
        wait_for(all_wait(t));
        in_child(nobody_takes);
        assert_int_equal(green_kill_all(t, (int)COUNT(waits)), 0);
    }
    assert_int_equal(green_mutex_unlock(&things.mutex), 0);
    assert_int_equal(green_rwlock_unlock(&things.rwlock), 0);
    green_queue_free(things.empty);
    green_queue_free(things.full);
    assert_nothing_left(before);
}

/* ---- waits that can never end ---- */

struct pair {
    green_mutex one, other;
};

static int lock_one_first(void *arg)
{
    struct pair *p = arg;
    if (green_mutex_lock(&p->one) < 0 || green_yield() < 0)
        return -1;
    int r = green_mutex_lock(&p->other), err = errno;
    if (r == 0)
        green_mutex_unlock(&p->other);
    green_mutex_unlock(&p->one);
    return r < 0 ? err : 0;
}

static int lock_in_a_ring(void)
{
    struct pair p = {GREEN_MUTEX_INIT, GREEN_MUTEX_INIT};
    int result = -1;
    must(green_mutex_lock(&p.other) == 0);
    green_thread *t = green_spawn(lock_one_first, &p);
    must(t != NULL && green_yield() == 0 && green_yield() == 0);
    int r = green_mutex_lock(&p.one), err = errno;
    must(r == 0 || err == EDEADLK);
    must(r < 0 || green_mutex_unlock(&p.one) == 0);
    must(green_mutex_unlock(&p.other) == 0);
    must(green_join(t, &result) == 0 && result == (r < 0 ? 0 : EDEADLK));
    if (os_threads() > 1) /* a sanitizer's could wake somebody */
        return 0;
    must(green_event_wait(&(green_event)GREEN_EVENT_INIT) < 0 && errno == EDEADLK);
    must(green_mutex_lock(&theirs) < 0 && errno == EDEADLK);
    return 0;
}

/* Scenario 61: in a child they are found as well, and those of the parent's threads are not. */
static void waits_for_ever(void **state)
{
    green_thread *t[2];
    (void)state;
    t[0] = green_spawn(lock_and_stay, &theirs);
    green_yield();
    t[1] = green_spawn(lock_and_stay, &theirs);
    wait_for(t[1]->tie != NULL && t[1]->tie->shown);
    in_child(lock_in_a_ring);
    assert_int_equal(green_kill_all(t, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_go_along),
        cmocka_unit_test(locks_at_exit),
        cmocka_unit_test(lines_are_empty),
        cmocka_unit_test(waits_for_ever),
    };
    parent = getpid();
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
