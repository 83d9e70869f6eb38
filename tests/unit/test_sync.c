/* test_sync.c - mutex, semaphore, rwlock, barrier, wait group, once, on one hub. Between hubs:
 * test_duel.c. */
#include "trace.h"
#include "unit.h"

#include <green/barrier.h>
#include <green/defer.h>
#include <green/event.h>
#include <green/mutex.h>
#include <green/once.h>
#include <green/result.h>
#include <green/rwlock.h>
#include <green/semaphore.h>
#include <green/wait_group.h>
#include <pthread.h>
#include <unistd.h>

/* ---- mutex ---- */

struct locker {
    green_mutex *mutex;
    char name;
};

static int lock_note_unlock(void *arg)
{
    struct locker *l = arg;
    if (green_mutex_lock(l->mutex) < 0) {
        note("%c", 'x');
        return -errno;
    }
    note("%c", l->name);
    green_yield();
    return green_mutex_unlock(l->mutex);
}

/* Scenarios 80, 81: in line; who is cancelled there takes no turn with it. */
static void test_mutex_is_fifo(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    struct locker lockers[4];
    green_thread *threads[4];
    int result;
    (void)state;
    trace_clear();
    green_hub_stats before = stats_now();
    assert_int_equal(green_mutex_lock(&m), 0);
    for (int i = 0; i < 4; i++) {
        lockers[i] = (struct locker){&m, (char)('a' + i)};
        threads[i] = green_spawn(lock_note_unlock, &lockers[i]);
    }
    green_yield();
    green_cancel(threads[1]); /* in line: leaves it, and takes no turn with it */
    assert_int_equal(green_mutex_unlock(&m), 0);
    assert_fails(green_mutex_trylock(&m), EBUSY); /* handed over already */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(green_join(threads[i], &result), 0);
        assert_int_equal(result, i == 1 ? -ECANCELED : 0);
    }
    assert_string_equal(trace, "xacd");
    assert_null(m.owner);
    assert_nothing_left(before);
}

static int try_foreign(void *mutex)
{
    if (green_mutex_trylock(mutex) < 0)
        return errno;
    return green_mutex_unlock(mutex) < 0 ? -1 : 0;
}

static int unlock_foreign(void *mutex)
{
    return green_mutex_unlock(mutex) < 0 ? errno : 0;
}

/* Scenario 86: strangers, and one who has it already. */
static void test_mutex_owner_rules(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT, r = GREEN_MUTEX_RECURSIVE_INIT;
    int result;
    (void)state;
    assert_fails(green_mutex_unlock(&m), EPERM);
    assert_int_equal(green_mutex_lock(&m), 0);
    assert_fails(green_mutex_lock(&m), EDEADLK);
    green_join(green_spawn(unlock_foreign, &m), &result);
    assert_int_equal(result, EPERM);
    assert_fails(green_mutex_trylock(&m), EBUSY); /* its own: still there is nothing to be had */
    assert_int_equal(green_mutex_unlock(&m), 0);
    assert_int_equal(green_mutex_trylock(&r), 0);
    assert_int_equal(green_mutex_trylock(&r), 0);
    assert_int_equal(green_mutex_lock(&r), 0);
    for (int i = 0; i < 3; i++) {
        green_join(green_spawn(unlock_foreign, &r), &result);
        assert_int_equal(result, EPERM);
        green_join(green_spawn(try_foreign, &r), &result);
        assert_int_equal(result, EBUSY);
        assert_int_equal(green_mutex_unlock(&r), 0);
    }
    assert_fails(green_mutex_unlock(&r), EPERM);
    green_join(green_spawn(try_foreign, &r), &result);
    assert_int_equal(result, 0);
}

static int hold_briefly(void *mutex)
{
    green_mutex_lock(mutex);
    green_sleep(GREEN_MS);
    return green_mutex_unlock(mutex);
}

/* Scenarios 6, 78, 87: given up; had by a spin; free, it needs no waiting. */
static void test_mutex_deadline_and_spin(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    (void)state;
    green_thread *t = green_spawn(hold_briefly, &m);
    green_yield();
    green_within(0)
        assert_fails(green_mutex_lock(&m), ETIMEDOUT);
    while (green_mutex_trylock(&m) < 0) /* a spin: the holder gets its turns */
        assert_int_equal(errno, EBUSY);
    assert_int_equal(green_mutex_unlock(&m), 0);
    assert_int_equal(green_join(t, NULL), 0);
    green_within(0) { /* free: needs no waiting */
        assert_int_equal(green_mutex_lock(&m), 0);
        assert_int_equal(green_mutex_unlock(&m), 0);
    }
}

/* ---- nobody starves ---- */

struct hog {
    green_mutex *mutex; /* one of the three */
    green_semaphore *semaphore;
    green_rwlock *rwlock;
    char name;
};

static int hog_take(struct hog *h)
{
    return h->mutex != NULL       ? green_mutex_lock(h->mutex)
           : h->semaphore != NULL ? green_semaphore_acquire(h->semaphore)
                                  : green_rwlock_write(h->rwlock);
}

static int hog_give(struct hog *h)
{
    return h->mutex != NULL       ? green_mutex_unlock(h->mutex)
           : h->semaphore != NULL ? green_semaphore_release(h->semaphore)
                                  : green_rwlock_unlock(h->rwlock);
}

/* Wants it back as soon as it has given it up. */
static int hog(void *arg)
{
    for (int i = 0; i < 5; i++) {
        if (hog_take(arg) < 0)
            return -1;
        note("%c", ((struct hog *)arg)->name);
        if (green_yield() < 0 || hog_give(arg) < 0)
            return -1;
    }
    return 0;
}

/* Scenario 80: what is given up goes to who waits, not to who asks again first. */
static void test_hogs_take_turns(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    green_semaphore s = GREEN_SEMAPHORE_INIT(1);
    green_rwlock l = GREEN_RWLOCK_INIT;
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        green_group g = GREEN_GROUP_INIT;
        struct hog a = {kind == 0 ? &m : NULL, kind == 1 ? &s : NULL, &l, 'a'}, b = a;
        b.name = 'b';
        trace_clear();
        assert_int_equal(green_group_spawn(&g, hog, &a), 0);
        assert_int_equal(green_group_spawn(&g, hog, &b), 0);
        assert_int_equal(green_group_join(&g), 0);
        assert_string_equal(trace, "ababababab");
    }
}

/* ---- semaphore ---- */

static int acquire(void *semaphore)
{
    return green_semaphore_acquire(semaphore) < 0 ? -errno : 0;
}

/* Scenarios 78, 79, 81: tries, deadlines, one who leaves the line, one release too many. */
static void test_semaphore(void **state)
{
    green_semaphore s = GREEN_SEMAPHORE_INIT(2), b = GREEN_SEMAPHORE_BOUNDED_INIT(1);
    int result;
    (void)state;
    assert_int_equal(green_semaphore_acquire(&s), 0);
    assert_int_equal(green_semaphore_try(&s), 0);
    assert_fails(green_semaphore_try(&s), EBUSY);
    green_within(GREEN_MS)
        assert_fails(green_semaphore_acquire(&s), ETIMEDOUT);
    green_thread *a = green_spawn(acquire, &s), *c = green_spawn(acquire, &s);
    green_yield();
    green_cancel(a);
    assert_int_equal(green_semaphore_release(&s), 0); /* goes to c: a has left the line */
    assert_int_equal(green_join(a, &result), 0);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(green_join(c, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(s.count, 0);
    assert_fails(green_semaphore_release(&b), EOVERFLOW);
    assert_int_equal(green_semaphore_acquire(&b), 0);
    assert_fails(green_semaphore_try(&b), EBUSY); /* there was none too many */
    assert_int_equal(green_semaphore_release(&b), 0);
}

static int release_later(void *semaphore)
{
    green_sleep(GREEN_MS);
    return green_semaphore_release(semaphore);
}

/* Scenarios 79, 87: a permit given back before anybody wants it is had at once; a spin around try
 * lets the holder run. */
static void test_semaphore_spin(void **state)
{
    green_semaphore s = GREEN_SEMAPHORE_INIT(0);
    (void)state;
    assert_int_equal(green_semaphore_release(&s), 0);
    green_within(0)
        assert_int_equal(green_semaphore_acquire(&s), 0);
    green_thread *t = green_spawn(release_later, &s);
    while (green_semaphore_try(&s) < 0)
        assert_int_equal(errno, EBUSY);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(s.count, 0);
}

/* ---- rwlock ---- */

struct reader {
    green_rwlock *lock;
    char name;
    bool write;
};

static int unlock_foreign_rwlock(void *lock)
{
    return green_rwlock_unlock(lock) < 0 ? errno : 0;
}

static int use_rwlock(void *arg)
{
    struct reader *r = arg;
    if ((r->write ? green_rwlock_write(r->lock) : green_rwlock_read(r->lock)) < 0)
        return -errno;
    note("%c", r->name);
    green_yield();
    return green_rwlock_unlock(r->lock);
}

/* Scenarios 86, 90: writers and readers by turns, a writer that gives up, a stranger. */
static void test_rwlock(void **state)
{
    green_rwlock l = GREEN_RWLOCK_INIT;
    struct reader users[5] = {
        {&l, 'r', false}, {&l, 'W', true}, {&l, 's', false}, {&l, 't', false}, {&l, 'V', true},
    };
    green_thread *threads[5];
    int result;
    (void)state;
    trace_clear();
    assert_fails(green_rwlock_unlock(&l), EPERM);
    assert_int_equal(green_rwlock_read(&l), 0);
    assert_int_equal(green_rwlock_read(&l), 0); /* readers share */
    for (int i = 0; i < 5; i++)
        threads[i] = green_spawn(use_rwlock, &users[i]);
    green_yield();
    assert_string_equal(trace, "r"); /* s and t wait behind the writer */
    green_rwlock_unlock(&l);
    green_rwlock_unlock(&l);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(green_join(threads[i], &result), 0);
        assert_int_equal(result, 0);
    }
    assert_string_equal(trace, "rWstV");
    /* a writer that gives up lets the readers behind it go on */
    trace_clear();
    assert_int_equal(green_rwlock_read(&l), 0);
    threads[0] = green_spawn(use_rwlock, &users[1]);
    threads[1] = green_spawn(use_rwlock, &users[2]);
    green_yield();
    assert_string_equal(trace, "");
    green_kill(threads[0], &result);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(green_join(threads[1], &result), 0);
    assert_string_equal(trace, "s");
    green_rwlock_unlock(&l);
    assert_int_equal(green_rwlock_write(&l), 0);
    assert_fails(green_rwlock_read(&l), EDEADLK);
    assert_int_equal(green_join(green_spawn(unlock_foreign_rwlock, &l), &result), 0);
    assert_int_equal(result, EPERM);
    assert_ptr_equal(l.writer, green_self());
    assert_int_equal(green_rwlock_unlock(&l), 0);
    assert_fails(green_rwlock_unlock(&l), EPERM);
}

/* ---- barrier ---- */

static int meet(void *barrier)
{
    return green_barrier_wait(barrier);
}

/* Scenario 90: rounds, and one that gives up. */
static void test_barrier(void **state)
{
    green_barrier b = GREEN_BARRIER_INIT(3);
    (void)state;
    green_within(GREEN_MS) /* gives up: has not arrived */
        assert_fails(green_barrier_wait(&b), ETIMEDOUT);
    for (int round = 0; round < 3; round++) {
        int first = -1, second = -1;
        green_thread *s = green_spawn(meet, &b), *t = green_spawn(meet, &b);
        green_yield();
        assert_int_equal(green_barrier_wait(&b), 1);
        green_join(s, &first);
        green_join(t, &second);
        assert_int_equal(first, 0);
        assert_int_equal(second, 0);
    }
}

/* ---- wait group, once ---- */

static int work(void *group)
{
    green_yield();
    return green_wait_group_done(group);
}

static void test_wait_group(void **state)
{
    green_wait_group g = GREEN_WAIT_GROUP_INIT;
    (void)state;
    assert_int_equal(green_wait_group_wait(&g), 0);
    assert_fails(green_wait_group_done(&g), EINVAL);
    green_wait_group_add(&g, 10);
    for (int i = 0; i < 10; i++)
        green_detach(green_spawn(work, &g));
    green_within(0)
        assert_fails(green_wait_group_wait(&g), ETIMEDOUT);
    assert_int_equal(green_wait_group_wait(&g), 0);
}

static int attempts;

static int fail_twice(void *arg)
{
    (void)arg;
    green_yield();
    errno = EIO;
    return ++attempts <= 2 ? -1 : 0;
}

static int run_once(void *once)
{
    return green_once_run(once, fail_twice, NULL) < 0 ? -errno : 0;
}

static int fail_with_a_sentence(void *arg)
{
    (void)arg;
    return green_spawn(NULL, NULL) != NULL ? 0 : -1;
}

static void test_once(void **state)
{
    green_once o = GREEN_ONCE_INIT;
    green_thread *t[5];
    int failed = 0, result;
    (void)state;
    attempts = 0;
    for (int i = 0; i < 5; i++)
        t[i] = green_spawn(run_once, &o);
    for (int i = 0; i < 5; i++) {
        green_join(t[i], &result);
        failed += result == -EIO;
    }
    assert_int_equal(failed, 2);
    assert_int_equal(attempts, 3);
    assert_int_equal(green_once_run(&o, fail_twice, NULL), 0);
    assert_int_equal(attempts, 3);
    o = (green_once)GREEN_ONCE_INIT;
    assert_fails(green_once_run(&o, fail_with_a_sentence, NULL), EINVAL);
    assert_string_equal(green_errmsg(), "green_spawn: no function");
}

/* ---- what is ready ---- */

/* How many calls fail, of those that would not have to wait; all for the reason `err`. */
static int refused(int err)
{
    green_mutex m = GREEN_MUTEX_INIT, n = GREEN_MUTEX_INIT;
    green_rwlock r = GREEN_RWLOCK_INIT, w = GREEN_RWLOCK_INIT;
    green_semaphore s = GREEN_SEMAPHORE_INIT(2);
    green_event e = {.set = true};
    green_result given = {.given = true};
    green_wait_group done = GREEN_WAIT_GROUP_INIT;
    green_once o = {.state = 2};
    green_barrier b = GREEN_BARRIER_INIT(1);
    int results[] = {green_mutex_lock(&m),         green_mutex_trylock(&n),
                     green_rwlock_read(&r),        green_rwlock_write(&w),
                     green_semaphore_acquire(&s),  green_semaphore_try(&s),
                     green_event_wait(&e),         green_result_get(&given, NULL),
                     green_wait_group_wait(&done), green_once_run(&o, fail_twice, NULL),
                     green_barrier_wait(&b)};
    int count = 0;
    for (size_t i = 0; i < COUNT(results); i++)
        count += results[i] < 0;
    return count == 0 || errno == err ? count : -1;
}

static int cancelled_before_it_asks(void *arg)
{
    int shielded = -1;
    (void)arg;
    green_cancel(green_self());
    green_shield()
        shielded = refused(0);
    return shielded == 0 ? refused(ECANCELED) : -1;
}

/* Scenario 24: whoever was cancelled is told so by its next call, also by one that need not wait;
 * and what was thrown fails one call. */
static void test_ready_and_cancelled(void **state)
{
    int result = -1;
    (void)state;
    assert_int_equal(refused(0), 0);
    assert_int_equal(green_join(green_spawn(cancelled_before_it_asks, NULL), &result), 0);
    assert_int_equal(result, 11);
    assert_int_equal(green_throw(green_self(), EPROTO), 0);
    assert_int_equal(refused(EPROTO), 1);
}

/* ---- at the end of a thread ---- */

static void lock_and_note(void *mutex)
{
    if (green_mutex_lock(mutex) == 0) {
        note("%c", 'l');
        green_mutex_unlock(mutex);
    }
}

static int defer_lock(void *mutex)
{
    return green_defer(lock_and_note, mutex);
}

static void *os_thread_defers(void *mutex)
{
    green_defer(lock_and_note, mutex);
    return NULL;
}

/* Scenario 83: a lock that is held is waited for in the clean-up of a thread, and of a hub. */
static void test_lock_at_the_end(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT;
    pthread_t os_thread;
    (void)state;
    trace_clear();
    assert_int_equal(green_mutex_lock(&m), 0);
    green_thread *t = green_spawn(defer_lock, &m);
    green_yield();
    assert_string_equal(trace, "");
    assert_int_equal(pthread_create(&os_thread, NULL, os_thread_defers, &m), 0);
    assert_int_equal(green_mutex_unlock(&m), 0);
    assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(pthread_join(os_thread, NULL), 0);
    assert_string_equal(trace, "ll");
}

static green_mutex late_mutex = GREEN_MUTEX_INIT;
static pthread_key_t early, late; /* made before the library's own, and after */
static int late_locks;

static void lock_late(void *value)
{
    (void)value;
    if (green_mutex_lock(&late_mutex) == 0 && green_sleep(GREEN_US) == 0 &&
        green_mutex_unlock(&late_mutex) == 0)
        late_locks++;
}

static void *end_with_locks(void *used)
{
    if (used != NULL)
        green_sleep(GREEN_US); /* there is a hub already */
    pthread_setspecific(early, &late_mutex);
    pthread_setspecific(late, &late_mutex);
    return NULL;
}

/* Scenario 83: in the destructors of an OS thread, also when its hub has ended or never was: then
 * they get one, which ends, too. */
static void test_lock_in_destructors(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&late, lock_late), 0);
    late_locks = 0;
    int next_fd = dup(0);
    close(next_fd);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_with_locks, i % 2 ? &late : NULL), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_int_equal(late_locks, 40);
    assert_int_equal(dup(0), next_fd); /* no hub has left a descriptor */
    close(next_fd);
    assert_int_equal(pthread_key_delete(late), 0);
}

int main(void)
{
    if (pthread_key_create(&early, lock_late) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutex_is_fifo),
        cmocka_unit_test(test_mutex_owner_rules),
        cmocka_unit_test(test_mutex_deadline_and_spin),
        cmocka_unit_test(test_hogs_take_turns),
        cmocka_unit_test(test_semaphore),
        cmocka_unit_test(test_semaphore_spin),
        cmocka_unit_test(test_rwlock),
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_wait_group),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_ready_and_cancelled),
        cmocka_unit_test(test_lock_at_the_end),
        cmocka_unit_test(test_lock_in_destructors),
    };
    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
