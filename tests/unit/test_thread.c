/* test_thread.c - spawn, join, cancel (green/thread.h). */
#include "trace.h"
#include "unit.h"
#include <green/link.h>
#include <green/state.h>
#include <limits.h>

static int note_twice(void *name)
{
    note("1");
    note("%s", (char *)name);
    if (green_yield() < 0)
        return -1;
    note("2");
    note("%s", (char *)name);
    return 0;
}

/* Scenarios 9, 10, 11: not before the maker waits, in order, by turns. */
static void test_order(void **state)
{
    (void)state;
    trace_clear();
    green_thread *a = green_spawn(note_twice, "A");
    green_thread *b = green_spawn(note_twice, "B");
    assert_string_equal(trace, "");
    assert_int_equal(green_join(a, NULL), 0);
    assert_int_equal(green_join(b, NULL), 0);
    assert_string_equal(trace, "1A1B2A2B");
}

static int give(void *value)
{
    return (int)(intptr_t)value;
}

/* Scenario 14: joined before its end and after; or let go. */
static void test_result(void **state)
{
    int result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_thread *t = green_spawn(give, (void *)42);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 42);
    t = green_spawn(give, (void *)7);
    green_yield();
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 7);
    assert_int_equal(green_join(green_spawn(give, (void *)-5), &result), 0); /* or a failure */
    assert_int_equal(result, -5);
    assert_int_equal(green_detach(green_spawn(give, NULL)), 0);
    t = green_spawn(give, NULL);
    green_yield();
    assert_int_equal(green_detach(t), 0);
    green_yield();
    assert_nothing_left(before);
}

static int mark(void *ran)
{
    *(bool *)ran = true;
    return 0;
}

/* Scenario 17: it never runs. */
static void test_cancel_unstarted(void **state)
{
    bool ran = false;
    int result = 0;
    (void)state;
    green_thread *t = green_spawn(mark, &ran);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, -1);
    assert_false(ran);
}

static int sleep_then_errno(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
}

/* Scenarios 19, 21, 23: at its wait; again, before it has noticed and after its end. */
static void test_cancel_blocked(void **state)
{
    int result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    green_thread *t = green_spawn(sleep_then_errno, NULL);
    green_yield();
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_thread_state(t), GREEN_READY);
    green_yield();
    assert_int_equal(green_thread_state(t), GREEN_CANCELLED);
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_nothing_left(before);
}

static int yield_till_cancelled(void *turns)
{
    while (green_yield() == 0)
        ++*(int *)turns;
    return errno;
}

/* Scenario 24: the target is runnable, not parked; the request is not lost. */
static void test_cancel_runnable(void **state)
{
    int turns = 0, result = 0;
    (void)state;
    green_thread *t = green_spawn(yield_till_cancelled, &turns);
    green_yield();
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_true(turns >= 1);
}

static int refuse_to_die(void *arg)
{
    int *failures = arg;
    for (int i = 0; i < 3; i++)
        if (green_sleep(3600 * GREEN_SEC) < 0 && errno == ECANCELED)
            ++*failures;
    green_shield() {
        if (green_sleep(GREEN_MS) < 0)
            *failures = 100;
    }
    return 5;
}

/* Scenarios 22, 25: every call fails until the thread returns; a shield lets it block; who wants
 * its end may wait for less. */
static void test_cancel_is_a_level(void **state)
{
    int failures = 0, result = 0;
    (void)state;
    green_thread *t = green_spawn(refuse_to_die, &failures);
    green_yield();
    green_cancel(t);
    green_within(0)
        assert_fails(green_join(t, &result), ETIMEDOUT);
    green_within(GREEN_US)
        assert_fails(green_kill(t, &result), ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(failures, 3);
    assert_int_equal(result, 5);
}

struct stubborn {
    bool stop;
    bool late; /* refused by a deadline, not by cancellation */
};

/* 0: somebody could say stop. */
static int insist(void *arg)
{
    struct stubborn *s = arg;
    green_within(s->late ? 0 : INT64_MAX)
        for (int i = 0; i < 1000000 && !s->stop; i++)
            if (green_sleep(GREEN_SEC) == 0)
                break;
    return s->stop ? 0 : -1;
}

static int say_stop(void *arg)
{
    ((struct stubborn *)arg)->stop = true;
    return 0;
}

/* Scenarios 25, 87: who goes on calling though each call is refused lets others run. */
static void test_refused_calls_yield(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct stubborn s = {.late = late};
        int result = -1;
        green_thread *t = green_spawn(insist, &s);
        green_yield();
        if (!late)
            green_cancel(t);
        green_detach(green_spawn(say_stop, &s));
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 0);
    }
}

static int cancel_self(void *arg)
{
    (void)arg;
    green_cancel(green_self());
    return green_yield() < 0 ? errno : 0;
}

static int kill_self(void *arg)
{
    (void)arg;
    return green_kill(green_self(), NULL) < 0 && errno == EDEADLK ? cancel_self(NULL) : -1;
}

/* Scenario 21: itself; what is done; joining oneself, or what is detached; impossible wishes. */
static void test_odd_targets(void **state)
{
    int result = 0;
    (void)state;
    assert_int_equal(green_join(green_spawn(cancel_self, NULL), &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_int_equal(green_join(green_spawn(kill_self, NULL), &result), 0);
    assert_int_equal(result, ECANCELED);
    green_thread *done = green_spawn(give, (void *)42);
    green_yield();
    assert_int_equal(green_kill(done, &result), 0);
    assert_int_equal(result, 42);
    assert_fails(green_join(green_self(), NULL), EDEADLK);
    green_spawn_options options = {.detached = true};
    green_thread *t = green_spawn_with(&options, give, NULL);
    assert_fails(green_join(t, NULL), EINVAL);
    green_yield();
    errno = 0;
    assert_null(green_spawn(NULL, NULL));
    assert_int_equal(errno, EINVAL);
    green_spawn_options huge = {.stack_size = (size_t)1 << 40};
    assert_null(green_spawn_with(&huge, give, NULL));
    assert_non_null(strstr(green_errmsg(), "stack size"));
}

static int join_other(void *other)
{
    return green_join(other, NULL) < 0 ? errno : 0;
}

/* Threads that fail in all ways, and one that goes on. */
static bool all_kinds_of_ends(void)
{
    static const intptr_t results[] = {0, 7, -1, INT_MIN};
    int turns = 0, result = 0;
    bool fine = true;
    green_thread *other = green_spawn(yield_till_cancelled, &turns);
    for (size_t i = 0; i < COUNT(results); i++)
        fine &= green_detach(green_spawn(give, (void *)results[i])) == 0;
    green_thread *sleeper = green_spawn(sleep_then_errno, NULL);
    fine &= green_yield() == 0 && green_kill(sleeper, NULL) == 0;
    fine &= green_kill(green_spawn(give, NULL), NULL) == 0;
    return green_kill(other, &result) == 0 && result == ECANCELED && turns > 0 && fine;
}

/* Scenarios 15, 16: however threads end, nobody says so but their result; the others go on. */
static void test_ends_are_quiet(void **state)
{
    FILE *said = tmpfile();
    int out = -1, err = -1;
    (void)state;
    assert_non_null(said);
    fflush(stdout);
    assert_true((out = dup(STDOUT_FILENO)) >= 0 && (err = dup(STDERR_FILENO)) >= 0);
    dup2(fileno(said), STDOUT_FILENO);
    dup2(fileno(said), STDERR_FILENO);
    bool fine = all_kinds_of_ends();
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    assert_true(fine);
    assert_int_equal(lseek(fileno(said), 0, SEEK_END), 0);
    fclose(said);
}

/* Scenario 69: two cannot join one. */
static void test_second_joiner(void **state)
{
    int result = 0;
    (void)state;
    green_thread *target = green_spawn(sleep_long, NULL);
    green_thread *first = green_spawn(join_other, target);
    green_yield();
    assert_fails(green_join(target, NULL), EINVAL);
    green_cancel(target);
    assert_int_equal(green_join(first, &result), 0);
    assert_int_equal(result, 0);
}

static int own_errno(void *arg)
{
    errno = (int)(intptr_t)arg;
    for (int i = 0; i < 3; i++) {
        green_yield();
        if (errno != (int)(intptr_t)arg)
            return -1;
    }
    return 0;
}

static void test_errno_is_kept(void **state)
{
    int a = 1, b = 1;
    (void)state;
    green_thread *s = green_spawn(own_errno, (void *)(intptr_t)EPIPE);
    green_thread *t = green_spawn(own_errno, (void *)(intptr_t)ENOENT);
    green_join(s, &a);
    green_join(t, &b);
    assert_int_equal(a, 0);
    assert_int_equal(b, 0);
}

static int name_is(void *name)
{
    return strcmp(green_name(NULL), name);
}

static void test_names(void **state)
{
    int result = 1;
    (void)state;
    assert_string_equal(green_name(NULL), "main");
    green_spawn_options options = {.name = "a name far too long"};
    green_thread *t = green_spawn_with(&options, name_is, "a name far too");
    assert_string_equal(green_name(t), "a name far too ");
    assert_int_equal(green_set_name(t, "short"), 0);
    assert_string_equal(green_name(t), "short");
    green_kill(t, &result);
}

/* Scenario 38: in small: memory and threads stay as they are. */
static void test_many_lives(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < fewer(20000); i++)
        assert_int_equal(green_join(green_spawn(give, NULL), NULL), 0);
    assert_nothing_left(before);
    assert_true(stats_now().stacks <= before.stacks + 1);
}

static int spawn_deeper(void *depth)
{
    int result = 0;
    if (depth == NULL)
        return 0;
    green_thread *t = green_spawn(spawn_deeper, (void *)((intptr_t)depth - 1));
    return t == NULL || green_join(t, &result) < 0 ? -1 : result + 1;
}

/* Scenario 39: each spawns the next and waits for it. */
static void test_deep_chain(void **state)
{
    intptr_t depth = fewer(5000);
    int result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_join(green_spawn(spawn_deeper, (void *)depth), &result), 0);
    assert_int_equal(result, depth);
    assert_nothing_left(before);
}

struct relay {
    int left;
    green_thread *last;
};

static int hand_on(void *arg)
{
    struct relay *r = arg;
    if (--r->left == 0) {
        r->last = green_self();
        return 0;
    }
    return green_detach(green_spawn(hand_on, r));
}

/* Scenario 39: each spawns the next and ends: a stack or two serve all of them. */
static void test_long_chain(void **state)
{
    int runs = fewer(100000);
    struct relay r = {runs, NULL};
    (void)state;
    green_hub_stats before = stats_now();
    assert_int_equal(green_detach(green_spawn(hand_on, &r)), 0);
    while (r.last == NULL)
        assert_int_equal(green_yield(), 0);
    assert_nothing_left(before);
    assert_true(stats_now().stacks <= before.stacks + 2);
    assert_true(stats_now().spawned >= before.spawned + (uint64_t)runs);
}

static void never(green_link *link)
{
    (void)link;
}

/* A spawn that has failed gives no handle: what is done with that is an error, too. */
static void test_no_thread(void **state)
{
    green_thread_info info;
    green_link link = GREEN_LINK_INIT;
    int result = 7;
    (void)state;
    green_yield();
    assert_fails(green_join(NULL, &result), EINVAL);
    assert_string_equal(green_errmsg(), "NULL instead of a green thread: it was not started");
    assert_fails(green_detach(green_spawn(NULL, NULL)), EINVAL);
    assert_fails(green_cancel(NULL), EINVAL);
    assert_fails(green_kill(NULL, &result), EINVAL);
    assert_fails(green_throw(NULL, EIO), EINVAL);
    assert_fails(green_thread_info_get(NULL, &info), EINVAL);
    assert_fails(green_thread_state(NULL), EINVAL);
    assert_fails(green_link_to(&link, NULL, never, NULL), EINVAL);
    assert_int_equal(green_link_cut(&link), 0);
    assert_int_equal(result, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_cancel_unstarted),
        cmocka_unit_test(test_cancel_blocked),
        cmocka_unit_test(test_cancel_runnable),
        cmocka_unit_test(test_cancel_is_a_level),
        cmocka_unit_test(test_refused_calls_yield),
        cmocka_unit_test(test_odd_targets),
        cmocka_unit_test(test_ends_are_quiet),
        cmocka_unit_test(test_second_joiner),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_thread),
        cmocka_unit_test(test_many_lives),
        cmocka_unit_test(test_deep_chain),
        cmocka_unit_test(test_long_chain),
    };
    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
