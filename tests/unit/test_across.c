/* test_across.c - what one OS thread gives and another waits for. Fights over it: test_duel.c. */
#include "hubs.h"

#include <green/barrier.h>
#include <green/channel.h>
#include <green/condition.h>
#include <green/event.h>
#include <green/queue.h>
#include <green/result.h>
#include <green/semaphore.h>
#include <green/wait_group.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* ---- from an OS thread that is no hub of ours, both ways ---- */

struct exchange {
    green_event there, back;
    green_result value;
};

static void *answer(void *arg)
{
    struct exchange *e = arg;
    if (green_event_wait(&e->there) == 0)
        green_result_set(&e->value, "answer");
    green_event_wait(&e->back);
    return NULL;
}

/* Scenario 77: from an OS thread that is no hub of ours, both ways. */
static void test_plain_os_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct exchange e = {GREEN_EVENT_INIT, GREEN_EVENT_INIT, GREEN_RESULT_INIT};
        pthread_t thread;
        void *value = NULL;
        assert_int_equal(pthread_create(&thread, NULL, answer, &e), 0);
        if (i % 2)
            green_sleep(200 * GREEN_US);
        green_event_set(&e.there);
        assert_int_equal(green_result_get(&e.value, &value), 0);
        assert_string_equal(value, "answer");
        green_event_set(&e.back);
        pthread_join(thread, NULL);
    }
}

/* ---- objects on the waiter's stack ---- */

struct things {
    green_event event;
    green_result result;
    green_wait_group group;
    green_semaphore semaphore;
    green_chan chan;
};

static int give(struct things *t, int which)
{
    static const int value = 7;
    switch (which) {
    case 0:
        return green_event_set(&t->event);
    case 1:
        return green_result_set(&t->result, NULL);
    case 2:
        return green_wait_group_done(&t->group);
    case 3:
        return green_semaphore_release(&t->semaphore);
    default:
        return green_chan_send(&t->chan, &value);
    }
}

static int take(struct things *t, int which)
{
    int value = 0;
    switch (which) {
    case 0:
        return green_event_wait(&t->event);
    case 1:
        return green_result_get(&t->result, NULL);
    case 2:
        return green_wait_group_wait(&t->group);
    case 3:
        return green_semaphore_acquire(&t->semaphore);
    default:
        return green_chan_recv(&t->chan, &value) == 1 && value == 7 ? 0 : -1;
    }
}

struct gift {
    struct things *things;
    int which;
};

static int give_it(void *arg)
{
    struct gift *g = arg;
    return give(g->things, g->which);
}

/* Scenario 77: whose wait is over may use the object's memory for something else at once: the other
 * hub touches it no more. */
static void test_freed_after_the_wait(void **state)
{
    green_spawn_options there = {.hub = NULL};
    char wiped[sizeof(struct things)];
    (void)state;
    memset(wiped, 0x5a, sizeof wiped);
    assert_true(green_hubs(2) >= 2);
    while ((there.hub = green_hub_next()) == green_hub_self())
        continue;
    for (int i = 0; i < 1000; i++) {
        struct things things = {.group = {.count = 1}, .chan = GREEN_CHAN_INIT(4, 0, NULL)};
        struct gift gift = {&things, i % 5};
        int result = -1;
        green_thread *t = green_spawn_with(&there, give_it, &gift);
        assert_non_null(t);
        assert_int_equal(take(&things, i % 5), 0);
        memset(&things, 0x5a, sizeof things);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 0);
        assert_memory_equal(&things, wiped, sizeof things);
    }
}

/* ---- objects that are gone before the one they were waited for by has heard of it ---- */

/* In memory of their own, which can be taken away. */
struct passing {
    green_barrier barrier;
    green_condition condition;
};

static struct passing *passing;
static green_mutex staying = GREEN_MUTEX_INIT;
static atomic_bool busy, passed;

static int wait_at_barrier(void *arg)
{
    (void)arg;
    return green_barrier_wait(&passing->barrier);
}

static int wait_for_condition(void *arg)
{
    (void)arg;
    green_mutex_lock(&staying);
    int waited = green_condition_wait(&passing->condition, &staying);
    green_mutex_unlock(&staying);
    return waited;
}

/* The hub hears nothing meanwhile. */
static int cancel_when_passed(void *thread)
{
    busy = true;
    while (!passed)
        sched_yield();
    return green_cancel(thread);
}

static void wake_at_barrier(void)
{
    assert_int_equal(green_barrier_wait(&passing->barrier), 1);
}

static void wake_for_condition(void)
{
    assert_int_equal(green_mutex_lock(&staying), 0);
    assert_int_equal(green_condition_broadcast(&passing->condition), 0);
    assert_int_equal(green_mutex_unlock(&staying), 0);
}

/* Scenarios 77, 89, 90: where all have met, or were woken, the barrier or the condition may go at
 * once, though one of them is on another hub and is cancelled before the word has come there. */
static void test_gone_before_the_word(void **state)
{
    static int (*const wait[])(void *) = {wait_at_barrier, wait_for_condition};
    static void (*const wake[])(void) = {wake_at_barrier, wake_for_condition};
    green_spawn_options there = {.hub = other_hub()};
    (void)state;
    for (size_t i = 0; i < COUNT(wait); i++) {
        int waited = -1, cancelled = -1;
        passing =
            mmap(NULL, sizeof *passing, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(passing, MAP_FAILED);
        *passing = (struct passing){GREEN_BARRIER_INIT(2), GREEN_CONDITION_INIT};
        busy = passed = false;
        green_thread *t = green_spawn_with(&there, wait[i], NULL);
        assert_non_null(t);
        green_thread *other = green_spawn_with(&there, cancel_when_passed, t);
        assert_non_null(other);
        while (!busy)
            green_sleep(GREEN_US);
        wake[i]();
        munmap(passing, sizeof *passing);
        passed = true;
        assert_int_equal(green_join(other, &cancelled), 0);
        assert_int_equal(cancelled, 0);
        assert_int_equal(green_join(t, &waited), 0);
        assert_int_equal(waited, 0);
    }
}

/* ---- a queue that others look into while it is shut down ---- */

static atomic_int looking, had, discarded;

static void discard(void *item)
{
    (void)item;
    discarded++;
}

static int get_all(void *arg)
{
    void *item;
    int got;
    looking++;
    while ((got = green_queue_try_get(arg, &item)) > 0 || (got < 0 && errno == EAGAIN))
        had += got > 0;
    return got;
}

/* Scenario 100: at once: each item is had or discarded, and nobody is disturbed. */
static void test_shut_down_at_once(void **state)
{
    enum { ITEMS = 20 };
    green_spawn_options there = {.hub = other_hub()};
    (void)state;
    for (int i = 0; i < 50; i++) {
        green_queue *q = green_queue_make(&(green_queue_options){.discard = discard});
        int result = -1;
        looking = had = discarded = 0;
        green_thread *t = green_spawn_with(&there, get_all, q);
        while (looking == 0)
            green_sleep(GREEN_US);
        for (int k = 0; k < ITEMS; k++)
            assert_int_equal(green_queue_put(q, q), 0);
        assert_int_equal(green_queue_shutdown(q, true), 0);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(had + discarded, ITEMS);
        green_queue_free(q);
    }
}

/* ---- whoever waits, whoever gives ---- */

enum place { MAIN, SPAWNED, FAR, PLAIN, PLACES }; /* here twice; another hub; another OS thread */

/* One of the two. */
struct party {
    int (*act)(struct things *things, int which);
    struct things *things;
    int which;
    bool timed;
    bool well;
    atomic_bool over;
    green_thread *thread;
    pthread_t os_thread;
};

static int play(void *arg)
{
    struct party *p = arg;
    green_within(p->timed ? 60 * GREEN_SEC : INT64_MAX)
        p->well = p->act(p->things, p->which) == 0;
    p->well = p->well && !green_expired();
    p->over = true;
    return 0;
}

static void *play_on_os_thread(void *party)
{
    play(party);
    return NULL;
}

static void begin(struct party *p, enum place place)
{
    green_spawn_options far = {.hub = green_hub_nth(1)};
    if (place == MAIN)
        play(p);
    else if (place == PLAIN)
        assert_int_equal(pthread_create(&p->os_thread, NULL, play_on_os_thread, p), 0);
    else
        p->thread = place == FAR ? green_spawn_with(&far, play, p) : green_spawn(play, p);
}

static void finish(struct party *p)
{
    while (!p->over)
        green_sleep(20 * GREEN_US);
    assert_true(p->well);
    if (p->thread != NULL)
        assert_int_equal(green_join(p->thread, NULL), 0);
    else if (p->os_thread != 0)
        assert_int_equal(pthread_join(p->os_thread, NULL), 0);
}

/* `early`: what is given is mostly there before anybody waits. */
static void give_and_take(enum place from, enum place to, int which, bool timed, bool early)
{
    struct things things = {.group = {.count = 1}, .chan = GREEN_CHAN_INIT(4, 0, NULL)};
    struct party gives = {.act = give, .things = &things, .which = which, .timed = timed};
    struct party takes = {.act = take, .things = &things, .which = which, .timed = timed};
    if (from != MAIN && (early || to == MAIN)) {
        begin(&gives, from);
        begin(&takes, to);
    } else {
        begin(&takes, to);
        if (from != SPAWNED)
            green_sleep(20 * GREEN_US);
        begin(&gives, from);
    }
    finish(&takes);
    finish(&gives);
}

/* Scenario 77: from each place to each other, with a deadline and without, again and again. */
static void test_from_everywhere(void **state)
{
    enum { VARIANTS = 20 };
    green_hub_stats there;
    (void)state;
    assert_true(green_hubs(2) >= 2);
    assert_int_equal(green_hub_stats_get(green_hub_nth(1), &there), 0);
    green_hub_stats here = stats_now();
    for (int i = 0; i < VARIANTS * (1 + fewer(48) / 16); i++)
        for (int from = 0; from < PLACES; from++)
            for (int to = 0; to < PLACES; to++)
                if (from != MAIN || to != MAIN)
                    give_and_take(from, to, i % 5, i / 5 % 2 != 0, i / 10 % 2 != 0);
    assert_nothing_left(here);
    assert_nothing_left_on(green_hub_nth(1), there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_os_threads),     cmocka_unit_test(test_freed_after_the_wait),
        cmocka_unit_test(test_gone_before_the_word), cmocka_unit_test(test_shut_down_at_once),
        cmocka_unit_test(test_from_everywhere),
    };
    return cmocka_run_group_tests_name("across", tests, NULL, NULL);
}
