/* test_blocking.c - what all calls that wait (waits.h) have in common: deadlines, whose deadline it
 * was, cancellation, no time at all, and that nothing of a wait stays. */
#include "waits.h"

#include <green/state.h>

static const int64_t never = INT64_MAX;

#define check(c, condition)                             \
    do {                                                \
        if (!(condition))                               \
            fail_msg("%s: not " #condition, (c)->name); \
    } while (0)

/* ---- trying them ---- */

static bool somebody_ran;

static int run(void *arg)
{
    (void)arg;
    somebody_ran = true;
    return 0;
}

/* A call made under two deadlines, and what became of it. */
struct attempt {
    const struct call *call;
    int64_t outer, inner; /* ns from now */
    int err;              /* 0: it succeeded */
    bool outer_expired, inner_expired;
    bool others_ran; /* meanwhile */
    int next_err;    /* of the thread's next call */
    int64_t took;
};

static int try(void *arg)
{
    struct attempt *a = arg;
    int64_t start = green_now();
    green_within(a->outer) {
        green_within(a->inner)
            a->err = a->call->wait() < 0 ? errno : 0;
        a->inner_expired = green_expired();
    }
    a->outer_expired = green_expired();
    a->others_ran = somebody_ran;
    a->took = green_now() - start;
    a->next_err = green_yield() < 0 ? errno : 0;
    return 0;
}

/* Try it, to the end. */
static struct attempt tried(const struct call *c, int64_t outer, int64_t inner)
{
    struct attempt a = {.call = c, .outer = outer, .inner = inner};
    green_yield(); /* a slice of its own */
    somebody_ran = false;
    green_thread *t = (c->is & ON_MAIN) == 0 ? green_spawn(try, &a) : NULL;
    green_thread *other = green_spawn(run, NULL);
    if (t == NULL)
        try(&a);
    else
        assert_int_equal(green_join(t, NULL), 0);
    assert_int_equal(green_join(other, NULL), 0);
    return a;
}

/* Try it until it waits, or is done. */
static green_thread *waiting(struct attempt *a)
{
    green_thread *t = green_spawn(try, a);
    assert_non_null(t);
    do
        green_yield();
    while (green_thread_state(t) != GREEN_WAITING && green_thread_state(t) != GREEN_DONE);
    return t;
}

/* What there was before an object was made. */
struct census {
    green_hub_stats stats;
    int fds;
};

static struct census begin(const struct call *c)
{
    struct census before = {stats_now(), fds_open()};
    c->begin();
    return before;
}

static void end(const struct call *c, struct census before)
{
    c->end();
    green_hub_stats after = stats_now();
    check(c, after.threads <= before.stats.threads);
    check(c, after.timers <= before.stats.timers);
    check(c, after.watches <= before.stats.watches);
    check(c, fds_open() == before.fds);
}

static void each(void (*fn)(const struct call *c))
{
    const struct call *const tables[] = {waits_inside, waits_outside, waits_select};
    for (size_t i = 0; i < COUNT(tables); i++)
        for (const struct call *c = tables[i]; c->name != NULL; c++)
            if ((c->is & PROCESS) == 0 || has_pidfds())
                fn(c);
}

/* Who comes now gets what is given next. */
static void served(const struct call *c)
{
    struct attempt a = {.call = c, .outer = never, .inner = 3600 * GREEN_SEC};
    if (c->give == NULL || (c->is & ON_MAIN) != 0)
        return;
    green_thread *t = waiting(&a);
    c->give();
    assert_int_equal(green_join(t, NULL), 0);
    check(c, a.err == 0);
}

static void own_deadline(const struct call *c)
{
    struct census before = begin(c);
    green_yield();
    green_hub_stats at_wait = stats_now();
    struct attempt a = tried(c, never, 3 * GREEN_MS);
    check(c, a.err == ETIMEDOUT);
    check(c, a.inner_expired && !a.outer_expired);
    check(c, a.took >= 3 * GREEN_MS && a.took < 60 * GREEN_SEC);
    check(c, stats_now().timers <= at_wait.timers);
    check(c, stats_now().threads <= at_wait.threads);
    served(c);
    end(c, before);
}

/* Scenarios 1, 4, 8, 76: it ends in time; what was is again, and what comes later is for others. */
static void test_own_deadline(void **state)
{
    (void)state;
    each(own_deadline);
}

static void whose_deadline(const struct call *c)
{
    struct census before = begin(c);
    struct attempt a = tried(c, GREEN_MS, 3600 * GREEN_SEC);
    check(c, a.err == ETIMEDOUT);
    check(c, a.outer_expired && !a.inner_expired);
    end(c, before);
    before = begin(c);
    a = tried(c, 3600 * GREEN_SEC, GREEN_MS);
    check(c, a.err == ETIMEDOUT);
    check(c, a.inner_expired && !a.outer_expired);
    end(c, before);
}

/* Scenario 2: the nearer one ends it, and is told. */
static void test_whose_deadline(void **state)
{
    (void)state;
    each(whose_deadline);
}

/* Cancel it, or throw at it: that is what its call fails with. */
static void stop(green_thread *t, int why)
{
    assert_int_equal(why == ECANCELED ? green_cancel(t) : green_throw(t, why), 0);
}

/* It was told why; by its next call, if this one has succeeded: others were faster, or an edge of
 * its descriptor had just ended the wait. */
static void check_stopped(const struct attempt *a, int why)
{
    if (a->err == 0)
        check(a->call, a->next_err == why);
    else
        check(a->call, a->err == why);
}

/* One is stopped, and something is given before it has run. */
static void stopped_and_given(const struct call *c, int why)
{
    struct attempt a = {.call = c, .outer = never, .inner = 3600 * GREEN_SEC};
    struct census before = begin(c);
    green_thread *t = waiting(&a);
    stop(t, why);
    c->give();
    assert_int_equal(green_join(t, NULL), 0);
    check_stopped(&a, why);
    end(c, before);
}

/* Two wait; the first is stopped, and something is given before it has run. */
static void first_of_two_leaves(const struct call *c, int why)
{
    struct attempt first = {.call = c, .outer = never, .inner = 3600 * GREEN_SEC};
    struct attempt second = first;
    green_thread *t = waiting(&first), *next = waiting(&second);
    stop(t, why);
    c->give();
    assert_int_equal(green_join(next, NULL), 0);
    assert_int_equal(green_join(t, NULL), 0);
    check_stopped(&first, why);
    check(c, second.err == 0);
}

/* Where only one can wait, or nothing is ever given. */
static void one_leaves(const struct call *c, int why)
{
    struct attempt a = {.call = c, .outer = never, .inner = 3600 * GREEN_SEC};
    green_thread *t = waiting(&a);
    stop(t, why);
    assert_int_equal(green_join(t, NULL), 0);
    check(c, a.err == why);
    served(c);
}

static void stopped(const struct call *c, int why)
{
    if ((c->is & ON_MAIN) != 0)
        return;
    struct census before = begin(c);
    if ((c->is & ALONE) != 0 || c->give == NULL)
        one_leaves(c, why);
    else
        first_of_two_leaves(c, why);
    end(c, before);
    if ((c->is & LATE) != 0)
        stopped_and_given(c, why);
}

static void cancelled(const struct call *c)
{
    stopped(c, ECANCELED);
}

static void thrown(const struct call *c)
{
    stopped(c, EXFULL);
}

/* Scenarios 5, 8: who is cancelled has taken nothing: the next gets it. */
static void test_cancelled(void **state)
{
    (void)state;
    each(cancelled);
}

/* Scenarios 5, 8, 20: nor has who is thrown out. */
static void test_thrown(void **state)
{
    (void)state;
    each(thrown);
}

static void without_time(const struct call *c)
{
    struct census before = begin(c);
    struct attempt a = tried(c, never, 0);
    check(c, a.err == ETIMEDOUT && a.inner_expired);
    check(c, !a.others_ran || (c->is & YIELDS) != 0);
    end(c, before);
    if (c->give == NULL || (c->is & NEVER_READY) != 0)
        return;
    before = begin(c);
    green_yield();
    c->give();
    wait_for(c->given == NULL || c->given());
    a = tried(c, never, 0);
    check(c, a.err == 0);
    check(c, !a.inner_expired);
    check(c, !a.others_ran || (c->is & YIELDS) != 0);
    end(c, before);
}

/* Scenario 6: no time at all: what is ready is had, what is not fails, and nobody else ran. */
static void test_without_time(void **state)
{
    (void)state;
    each(without_time);
}

static void ready_and_late(const struct call *c)
{
    struct attempt a = {.call = c, .outer = never, .inner = 5 * GREEN_MS};
    if (c->give == NULL || (c->is & (LATE | ON_MAIN)) != 0)
        return;
    struct census before = begin(c);
    green_thread *t = waiting(&a);
    while (green_thread_state(t) != GREEN_WAITING) { /* this machine is too slow: once more */
        assert_int_equal(green_join(t, NULL), 0);
        t = waiting(&a);
    }
    int64_t start = green_now();
    while (green_now() - start < 6 * GREEN_MS)
        continue;
    c->give();
    assert_int_equal(green_join(t, NULL), 0);
    check(c, a.err == 0);
    check(c, !a.inner_expired);
    end(c, before);
}

/* Scenario 7: the deadline passes and something is given before the loop looks again: it is had. */
static void test_ready_and_late(void **state)
{
    (void)state;
    each(ready_and_late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_deadline), cmocka_unit_test(test_whose_deadline),
        cmocka_unit_test(test_cancelled),    cmocka_unit_test(test_thrown),
        cmocka_unit_test(test_without_time), cmocka_unit_test(test_ready_and_late),
    };
    green_hubs(2); /* their descriptors are there from the beginning */
    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
