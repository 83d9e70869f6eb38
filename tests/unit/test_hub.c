/* test_hub.c - several hubs: spawning, joining, placing work there, messages (green/hub.h). */
#include "hubs.h"

#include "hub.h"
#include "self.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

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

/* Messages between hubs arrive, none is lost. */
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

/* ---- the same with what everybody may call: threads that a function on that hub spawns ---- */

static char turns[8];
static atomic_int turns_taken;

static void take_turn(char letter)
{
    turns[atomic_load(&turns_taken)] = letter;
    atomic_fetch_add(&turns_taken, 1);
}

static int take(void *letter)
{
    take_turn(*(char *)letter);
    return 0;
}

static int take_and_add(void *letter)
{
    take(letter);
    return green_detach(green_spawn(take, "4"));
}

static void spawn_some(void *ok)
{
    green_thread *t[] = {green_spawn(take_and_add, "1"), green_spawn(take, "2"),
                         green_spawn(take, "3")};
    *(bool *)ok = green_cancel(t[1]) == 0;
    for (int i = 0; i < 3; i++)
        *(bool *)ok &= green_detach(t[i]) == 0;
    take_turn('0');
}

/* Scenario 65: in order, none before the function has returned, also what one of them adds; but for
 * the one that was taken back. */
static void test_order_of_threads(void **state)
{
    bool ok = false;
    (void)state;
    assert_int_equal(green_hub_run(other_hub(), spawn_some, &ok), 0);
    assert_true(ok);
    green_within(60 * GREEN_SEC)
        while (turns_taken < 4 && green_sleep(GREEN_MS) == 0)
            continue;
    assert_int_equal(turns_taken, 4);
    assert_memory_equal(turns, "0134", 4);
}

/* ---- waking a hub that sleeps ---- */

static void note_tid(void *tid)
{
    *(long *)tid = syscall(SYS_gettid);
}

static bool asleep(long tid)
{
    char path[64], status = '?';
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    if (fscanf(f, "%*d (%*[^)]) %c", &status) != 1)
        status = '?';
    fclose(f);
    return status == 'S';
}

/* Scenario 66: it sleeps until there is something to do, and then does it at once. */
static void test_wakes(void **state)
{
    enum { ROUNDS = 50 };
    green_hub_stats before, after;
    int64_t fastest = INT64_MAX, end = green_now() + 20 * GREEN_SEC;
    unsigned rounds = 0;
    long tid = 0;
    (void)state;
    green_hub *there = other_hub();
    assert_int_equal(green_hub_run(there, note_tid, &tid), 0);
    assert_int_equal(green_hub_stats_get(there, &before), 0);
    while (rounds++ < ROUNDS || (fastest >= 4 * GREEN_MS && green_now() < end)) {
        while (!asleep(tid))
            green_sleep(20 * GREEN_US);
        int64_t start = green_now();
        assert_int_equal(green_hub_run(there, note_tid, &tid), 0);
        if (green_now() - start < fastest)
            fastest = green_now() - start;
    }
    assert_int_equal(green_hub_stats_get(there, &after), 0);
    assert_in_range(after.polls - before.polls, ROUNDS, 3 * rounds + 3);
    assert_true(fastest < 4 * GREEN_MS); /* bench_runtime says how fast it is */
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
        cmocka_unit_test(test_short_calls_elsewhere),
        cmocka_unit_test(test_next_is_no_passing_hub),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_order_of_messages),
        cmocka_unit_test(test_order_of_threads),
        cmocka_unit_test(test_wakes),
        cmocka_unit_test(test_run_on_hub),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
