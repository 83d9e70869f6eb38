/* test_condition.c - condition variables on one hub. Between hubs: test_duel.c. */
#include "unit.h"

#include <green/condition.h>

/* What they wait for: a number, and who saw it change, in order. */
struct board {
    green_mutex mutex;
    green_condition changed;
    int number;
    char trace[32];
};

struct reader {
    struct board *board;
    char name;
    int wanted; /* waits until the number is so great */
};

static void note(struct board *b, char c)
{
    size_t n = strlen(b->trace);
    if (n + 1 < sizeof b->trace)
        b->trace[n] = c;
}

/* Waits once. 0; what the wait failed with; or 1000 if the mutex is not its own afterwards. */
static int wait_once(void *arg)
{
    struct reader *r = arg;
    struct board *b = r->board;
    if (green_mutex_lock(&b->mutex) < 0)
        return -1;
    int err = green_condition_wait(&b->changed, &b->mutex) < 0 ? errno : 0;
    note(b, r->name);
    bool ours = b->mutex.owner == green_self();
    green_shield() /* others wait for the mutex */
        green_yield();
    return green_mutex_unlock(&b->mutex) == 0 && ours ? err : 1000;
}

/* Waits for its number; how often it was woken. */
static int wait_for_number(void *arg)
{
    struct reader *r = arg;
    struct board *b = r->board;
    int woken = 0;
    green_mutex_lock(&b->mutex);
    for (; b->number < r->wanted; woken++)
        if (green_condition_wait(&b->changed, &b->mutex) < 0)
            break;
    note(b, r->name);
    green_mutex_unlock(&b->mutex);
    return woken;
}

enum { READERS = 6 };

static void start(struct board *b, struct reader *r, green_thread **t, int (*fn)(void *))
{
    for (int i = 0; i < READERS; i++) {
        r[i] = (struct reader){b, (char)('a' + i), i + 1};
        t[i] = green_spawn(fn, &r[i]);
        assert_non_null(t[i]);
    }
    assert_int_equal(green_yield(), 0);
}

static int result_of(green_thread *t)
{
    int result = -1;
    assert_int_equal(green_join(t, &result), 0);
    return result;
}

/* Let all run who can, as long as it takes. */
static void settle(void)
{
    uint64_t switches;
    do {
        switches = stats_now().switches;
        for (int i = 0; i < 3; i++)
            assert_int_equal(green_yield(), 0);
    } while (stats_now().switches > switches + 3);
}

/* Scenario 89: a signal wakes one, the first in line; without anybody in line it is lost; what was
 * sent before somebody came is not for him. */
static void test_signal(void **state)
{
    struct board b = {GREEN_MUTEX_INIT, GREEN_CONDITION_INIT, 0, ""};
    struct reader r[READERS];
    green_thread *t[READERS];
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_condition_signal(&b.changed), 0);
    assert_int_equal(green_condition_broadcast(&b.changed), 0);
    start(&b, r, t, wait_once);
    assert_string_equal(b.trace, "");
    assert_int_equal(green_condition_signal(&b.changed), 0);
    settle();
    assert_string_equal(b.trace, "a");
    assert_int_equal(green_condition_signal(&b.changed), 0);
    assert_int_equal(green_condition_signal(&b.changed), 0);
    settle();
    assert_string_equal(b.trace, "abc");
    assert_int_equal(green_condition_broadcast(&b.changed), 0);
    settle();
    assert_string_equal(b.trace, "abcdef");
    for (int i = 0; i < READERS; i++)
        assert_int_equal(result_of(t[i]), 0);
    assert_nothing_left(before);
}

/* Scenario 89: those who are woken wait for the mutex, in their order, and have it one by one. */
static void test_broadcast_while_locked(void **state)
{
    struct board b = {GREEN_MUTEX_INIT, GREEN_CONDITION_INIT, 0, ""};
    struct reader r[READERS];
    green_thread *t[READERS];
    (void)state;
    start(&b, r, t, wait_once);
    assert_int_equal(green_mutex_lock(&b.mutex), 0);
    assert_int_equal(green_condition_broadcast(&b.changed), 0);
    settle();
    assert_string_equal(b.trace, "");
    assert_int_equal(green_mutex_unlock(&b.mutex), 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(result_of(t[i]), 0);
    assert_string_equal(b.trace, "abcdef");
}

/* Scenario 89: waiting for a predicate: each goes on at its number, whoever else was woken. */
static void test_predicates(void **state)
{
    struct board b = {GREEN_MUTEX_INIT, GREEN_CONDITION_INIT, 0, ""};
    struct reader r[READERS];
    green_thread *t[READERS];
    (void)state;
    start(&b, r, t, wait_for_number);
    for (int n = 1; n <= READERS; n++) {
        assert_int_equal(green_mutex_lock(&b.mutex), 0);
        b.number = n;
        assert_int_equal(green_condition_broadcast(&b.changed), 0);
        assert_int_equal(green_mutex_unlock(&b.mutex), 0);
        settle();
        assert_int_equal(strlen(b.trace), n);
    }
    for (int i = 0; i < READERS; i++)
        assert_int_equal(result_of(t[i]), i + 1); /* no wake-up but those there were */
    assert_string_equal(b.trace, "abcdef");
}

/* Until it is cancelled. */
static int signal_for_nothing(void *condition)
{
    do
        green_condition_broadcast(condition);
    while (green_sleep(100 * GREEN_US) == 0);
    return 0;
}

/* Scenario 89: a deadline over the whole of a wait for a predicate, however often it is woken. */
static void test_predicate_too_late(void **state)
{
    struct board b = {GREEN_MUTEX_INIT, GREEN_CONDITION_INIT, 0, ""};
    int woken = 0;
    (void)state;
    green_thread *nag = green_spawn(signal_for_nothing, &b.changed);
    assert_int_equal(green_mutex_lock(&b.mutex), 0);
    for (int64_t bound = 5 * GREEN_MS; woken < 2; bound *= 4) { /* time enough to be woken */
        int err = 0;
        assert_true(bound < 20 * GREEN_SEC);
        green_within(bound)
            for (woken = 0; b.number == 0 && err == 0; woken++)
                err = green_condition_wait(&b.changed, &b.mutex) < 0 ? errno : 0;
        assert_int_equal(err, ETIMEDOUT);
        assert_true(green_expired());
    }
    assert_ptr_equal(b.mutex.owner, green_self());
    assert_int_equal(green_mutex_unlock(&b.mutex), 0);
    assert_null(b.changed.waiters.first); /* it stands in no line */
    assert_int_equal(green_kill(nag, NULL), 0);
}

/* Scenarios 81, 89: who is cancelled before the signal leaves it to the next; who was given it
 * before keeps it. */
static void test_signal_and_cancel(void **state)
{
    struct board b = {GREEN_MUTEX_INIT, GREEN_CONDITION_INIT, 0, ""};
    struct reader r[READERS];
    green_thread *t[READERS];
    (void)state;
    start(&b, r, t, wait_once);
    green_cancel(t[0]);
    assert_int_equal(green_condition_signal(&b.changed), 0); /* b's */
    green_cancel(t[1]);
    settle();
    assert_int_equal(result_of(t[0]), ECANCELED);
    assert_int_equal(result_of(t[1]), 0);
    assert_string_equal(b.trace, "ab");
    assert_int_equal(green_mutex_lock(&b.mutex), 0);
    green_cancel(t[2]); /* gets the mutex back although it is cancelled, and has to wait for it */
    settle();
    assert_string_equal(b.trace, "ab");
    assert_int_equal(green_mutex_unlock(&b.mutex), 0);
    assert_int_equal(result_of(t[2]), ECANCELED);
    assert_string_equal(b.trace, "abc");
    assert_int_equal(green_kill_all(&t[3], 3), 0);
}

/* Scenarios 86, 89: the mutex has to be the caller's, once. */
static void test_owners(void **state)
{
    green_mutex m = GREEN_MUTEX_INIT, r = GREEN_MUTEX_RECURSIVE_INIT;
    green_condition c = GREEN_CONDITION_INIT;
    (void)state;
    assert_fails(green_condition_wait(&c, &m), EPERM);
    assert_int_equal(green_mutex_lock(&r), 0);
    green_within(GREEN_MS)
        assert_fails(green_condition_wait(&c, &r), ETIMEDOUT);
    assert_int_equal(green_mutex_lock(&r), 0);
    assert_fails(green_condition_wait(&c, &r), EPERM);
    assert_int_equal(green_mutex_unlock(&r), 0);
    assert_int_equal(green_mutex_unlock(&r), 0);
    assert_fails(green_mutex_unlock(&r), EPERM);
}

struct embrace {
    green_mutex mutex;
    green_condition signalled;
    green_thread *first;
    int result; /* of the first */
};

static int wait_for_ever(void *arg)
{
    struct embrace *e = arg;
    green_mutex_lock(&e->mutex);
    int err = green_condition_wait(&e->signalled, &e->mutex) < 0 ? errno : 0;
    return e->mutex.owner == green_self() ? 1000 : err;
}

/* Keeps the mutex that the first needs to end. */
static int signal_and_join(void *arg)
{
    struct embrace *e = arg;
    green_mutex_lock(&e->mutex);
    green_condition_signal(&e->signalled);
    int err = green_join(e->first, &e->result) < 0 ? errno : 0;
    return green_mutex_unlock(&e->mutex) == 0 ? err : 1000;
}

/* Scenario 61: who can never lock the mutex again is told so, and does not believe he has it. */
static void test_deadlock(void **state)
{
    struct embrace e = {.result = 0};
    int result = 1;
    (void)state;
    e.first = green_spawn(wait_for_ever, &e);
    green_yield();
    assert_int_equal(green_join(green_spawn(signal_and_join, &e), &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(e.result, EDEADLK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_broadcast_while_locked),
        cmocka_unit_test(test_predicates),
        cmocka_unit_test(test_predicate_too_late),
        cmocka_unit_test(test_signal_and_cancel),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_deadlock),
    };
    return cmocka_run_group_tests_name("condition", tests, NULL, NULL);
}
