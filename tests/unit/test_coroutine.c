/* test_coroutine.c - resume, yield, transfer, throw, close (green/coroutine.h). */
#include "unit.h"

#include "self.h"
#include <green/coroutine.h>
#include <pthread.h>

/* What happened inside, in order. */
static char story[64];

static void tell(char c)
{
    size_t n = strlen(story);
    if (n < sizeof story - 1)
        story[n] = c, story[n + 1] = '\0';
}

static void *number(intptr_t n)
{
    return (void *)n;
}

static int add_up(green_coroutine *self, void *arg)
{
    intptr_t sum = (intptr_t)arg;
    do {
        sum += (intptr_t)green_coroutine_input(self);
    } while (sum < 100 && green_coroutine_yield(self, number(sum)) == 0);
    return (int)sum;
}

static int use_much_stack(green_coroutine *self, void *arg)
{
    volatile char much[600 * 1024];
    (void)self, (void)arg;
    much[0] = much[sizeof much - 1] = 1;
    return much[0] + much[sizeof much - 1];
}

/* The standard size is asked of the environment, as that of green threads is: once, so that this
 * comes first. */
static void test_size_in_the_environment(void **state)
{
    (void)state;
    setenv("GREEN_STACK", "1048576", 1);
    green_coroutine *co = green_coroutine_create(use_much_stack, NULL);
    unsetenv("GREEN_STACK");
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 0);
    assert_int_equal(green_coroutine_result(co), 2);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static void test_values_go_in_and_out(void **state)
{
    void *out = NULL;
    green_coroutine *co = green_coroutine_create(add_up, number(10));
    (void)state;
    assert_int_equal(green_coroutine_status(co), GREEN_COROUTINE_SUSPENDED);
    assert_int_equal(green_coroutine_resume(co, number(1), &out), 1);
    assert_int_equal((intptr_t)out, 11);
    assert_int_equal(green_coroutine_resume(co, number(30), &out), 1);
    assert_int_equal((intptr_t)out, 41);
    assert_int_equal(green_coroutine_resume(co, number(60), &out), 0);
    assert_null(out);
    assert_int_equal(green_coroutine_status(co), GREEN_COROUTINE_ENDED);
    assert_int_equal(green_coroutine_result(co), 101);
    assert_fails(green_coroutine_resume(co, NULL, NULL), EINVAL);
    assert_fails(green_coroutine_throw(co, EIO, NULL), EINVAL);
    assert_int_equal(green_coroutine_close(co), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
    assert_int_equal(green_coroutine_destroy(NULL), 0);
}

static int yield_twice(green_coroutine *self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (green_coroutine_yield(self, NULL) < 0) {
            tell(errno == ECANCELED ? 'c' : errno == EPIPE ? 'p' : '?');
            i = -1; /* goes on for ever: only closing ends it */
            if (errno == ECANCELED)
                break;
        }
    }
    if (green_coroutine_yield(self, NULL) < 0 && errno == ECANCELED)
        tell('C'); /* level-triggered: this one fails, too */
    errno = ECANCELED;
    return -1;
}

static void test_throw_fails_the_pending_yield(void **state)
{
    green_coroutine *co = green_coroutine_create(yield_twice, NULL);
    (void)state;
    story[0] = '\0';
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    assert_int_equal(green_coroutine_throw(co, EPIPE, NULL), 1); /* caught: it yields again */
    assert_fails(green_coroutine_throw(co, 0, NULL), EINVAL);
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1); /* thrown once only */
    assert_int_equal(green_coroutine_throw(co, EPIPE, NULL), 1);
    assert_int_equal(green_coroutine_close(co), 0);
    assert_string_equal(story, "ppcC");
    assert_int_equal(green_coroutine_status(co), GREEN_COROUTINE_ENDED);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static int pass_on(green_coroutine *self, void *arg)
{
    (void)arg;
    return green_coroutine_yield(self, NULL); /* not caught */
}

static int fail_to_clean_up(green_coroutine *self, void *arg)
{
    (void)arg;
    green_coroutine_yield(self, NULL);
    errno = EIO;
    return -1;
}

static void test_what_is_not_caught_is_the_resumers_error(void **state)
{
    void *out = number(1);
    green_coroutine *co = green_coroutine_create(pass_on, NULL);
    (void)state;
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    assert_fails(green_coroutine_throw(co, ENETDOWN, &out), ENETDOWN);
    assert_null(out);
    assert_int_equal(green_coroutine_status(co), GREEN_COROUTINE_ENDED);
    assert_int_equal(green_coroutine_destroy(co), 0);

    co = green_coroutine_create(fail_to_clean_up, NULL);
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    assert_fails(green_coroutine_close(co), EIO);
    assert_int_equal(green_coroutine_close(co), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static int tell_run(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    tell('r');
    return 0;
}

static void released(void *arg)
{
    tell(*(char *)arg);
}

static void test_fresh_ones_end_without_running(void **state)
{
    char name = 'a';
    green_coroutine_options options = {.release = released};
    green_coroutine *co = green_coroutine_create_with(&options, tell_run, &name);
    (void)state;
    story[0] = '\0';
    assert_fails(green_coroutine_throw(co, EINTR, NULL), EINTR);
    assert_int_equal(green_coroutine_result(co), -1);
    assert_fails(green_coroutine_resume(co, NULL, NULL), EINVAL);
    assert_string_equal(story, "");
    assert_int_equal(green_coroutine_destroy(co), 0);
    name = 'b';
    co = green_coroutine_create_with(&options, tell_run, &name);
    assert_int_equal(green_coroutine_close(co), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
    name = 'c';
    co = green_coroutine_create_with(&options, tell_run, &name);
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
    assert_string_equal(story, "abrc");
}

static void leave_mark(const char *mark)
{
    tell(*mark);
}

/* Clean-up handlers of several frames: innermost first. */
static int nested(green_coroutine *self, int depth)
{
    char mark __attribute__((cleanup(leave_mark))) = (char)('0' + depth);
    return depth == 3 ? green_coroutine_yield(self, NULL) : nested(self, depth + 1);
}

static int start_nested(green_coroutine *self, void *arg)
{
    (void)arg;
    return nested(self, 0);
}

static void test_destroy_cleans_up_in_order(void **state)
{
    green_coroutine *co = green_coroutine_create(start_nested, NULL);
    (void)state;
    story[0] = '\0';
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    errno = ENOTTY;
    assert_int_equal(green_coroutine_destroy(co), 0);
    assert_int_equal(errno, ENOTTY);
    assert_string_equal(story, "3210");
}

/* ---- wrong use ---- */

static int error_of(int rc)
{
    return rc < 0 ? errno : 0;
}

static int misuse(green_coroutine *self, void *arg)
{
    green_coroutine *outer = arg;
    int wrong = 0;
    wrong += error_of(green_coroutine_resume(self, NULL, NULL)) != EBUSY;
    wrong += error_of(green_coroutine_throw(self, EIO, NULL)) != EBUSY;
    wrong += error_of(green_coroutine_close(self)) != EBUSY;
    wrong += error_of(green_coroutine_destroy(self)) != EBUSY;
    wrong += error_of(green_coroutine_transfer(self, self, NULL)) != EBUSY;
    if (outer != NULL) { /* which waits for this one */
        wrong += error_of(green_coroutine_resume(outer, NULL, NULL)) != EBUSY;
        wrong += error_of(green_coroutine_transfer(self, outer, NULL)) != EBUSY;
        wrong += error_of(green_coroutine_destroy(outer)) != EBUSY;
        wrong += error_of(green_coroutine_yield(outer, NULL)) != EINVAL;
        wrong += error_of(green_coroutine_transfer(outer, self, NULL)) != EINVAL;
    }
    return wrong;
}

static int misuse_nested(green_coroutine *self, void *arg)
{
    green_coroutine *inner = green_coroutine_create(misuse, self);
    (void)arg;
    green_coroutine_resume(inner, NULL, NULL);
    int wrong = green_coroutine_result(inner);
    green_coroutine_destroy(inner);
    return wrong;
}

static void test_wrong_use_is_an_error(void **state)
{
    green_coroutine_options huge = {.stack_size = (size_t)2 << 30};
    int (*const fns[])(green_coroutine *, void *) = {misuse, misuse_nested};
    (void)state;
    errno = 0;
    assert_null(green_coroutine_create(NULL, NULL));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(green_coroutine_create_with(&huge, misuse, NULL));
    assert_int_equal(errno, EINVAL);
    assert_fails(green_coroutine_resume(NULL, NULL, NULL), EINVAL);
    for (size_t i = 0; i < COUNT(fns); i++) {
        green_coroutine *co = green_coroutine_create(fns[i], NULL);
        assert_fails(green_coroutine_yield(co, NULL), EINVAL);
        assert_int_equal(green_coroutine_resume(co, NULL, NULL), 0);
        assert_int_equal(green_coroutine_result(co), 0);
        assert_int_equal(green_coroutine_destroy(co), 0);
    }
}

static void *resume_elsewhere(void *arg)
{
    int wrong = error_of(green_coroutine_resume(arg, NULL, NULL)) != EINVAL;
    wrong += error_of(green_coroutine_destroy(arg)) != EINVAL;
    return number(wrong);
}

static void *resume_here(void *arg)
{
    return number(green_coroutine_resume(arg, NULL, NULL) != 0);
}

static void *on_os_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    void *wrong = NULL;
    assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
    assert_int_equal(pthread_join(thread, &wrong), 0);
    return wrong;
}

static void test_one_os_thread_for_life(void **state)
{
    green_coroutine *co = green_coroutine_create(pass_on, NULL);
    (void)state;
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    assert_null(on_os_thread(resume_elsewhere, co));
    assert_int_equal(green_coroutine_destroy(co), 0);
    co = green_coroutine_create(tell_run, NULL); /* but it may be made elsewhere, and freed */
    assert_null(on_os_thread(resume_here, co));
    assert_int_equal(green_coroutine_destroy(co), 0);
}

/* ---- symmetric ---- */

enum { RING = 1000, ROUNDS = 10 };

struct ring {
    green_coroutine *member[RING];
    long hops;
};

struct seat {
    struct ring *ring;
    int at;
};

static int sit(green_coroutine *self, void *arg)
{
    struct seat *seat = arg;
    struct ring *ring = seat->ring;
    for (;;) {
        intptr_t token = (intptr_t)green_coroutine_input(self);
        ring->hops++;
        if (token == RING * ROUNDS)
            return seat->at;
        green_coroutine *next = ring->member[(seat->at + 1) % RING];
        if (green_coroutine_transfer(self, next, number(token + 1)) < 0)
            return -1;
    }
}

static void test_ring_of_a_thousand(void **state)
{
    static struct ring ring;
    static struct seat seats[RING];
    int ended = 0;
    (void)state;
    for (int i = 0; i < RING; i++) {
        seats[i] = (struct seat){&ring, i};
        ring.member[i] = green_coroutine_create(sit, &seats[i]);
        assert_non_null(ring.member[i]);
    }
    assert_int_equal(green_coroutine_resume(ring.member[0], number(1), NULL), 0);
    assert_int_equal(ring.hops, RING * ROUNDS);
    for (int i = 0; i < RING; i++) {
        ended += green_coroutine_status(ring.member[i]) == GREEN_COROUTINE_ENDED;
        assert_int_equal(green_coroutine_destroy(ring.member[i]), 0);
    }
    assert_int_equal(ended, 1); /* who got the last token; the others were closed in transfer */
}

static int yield_input(green_coroutine *self, void *arg)
{
    (void)arg;
    green_coroutine_yield(self, green_coroutine_input(self));
    return 0;
}

static int transfer_once(green_coroutine *self, void *arg)
{
    return green_coroutine_transfer(self, arg, number(7));
}

static void test_transfer_hands_the_resumer_on(void **state)
{
    void *out = NULL;
    green_coroutine *b = green_coroutine_create(yield_input, NULL);
    green_coroutine *a = green_coroutine_create(transfer_once, b);
    (void)state;
    assert_int_equal(green_coroutine_resume(a, NULL, &out), 1);
    assert_int_equal((intptr_t)out, 7);
    assert_int_equal(green_coroutine_status(a), GREEN_COROUTINE_SUSPENDED);
    assert_int_equal(green_coroutine_status(b), GREEN_COROUTINE_SUSPENDED);
    assert_fails(green_coroutine_throw(a, EIO, NULL), EIO); /* into the transfer */
    assert_int_equal(green_coroutine_resume(b, NULL, NULL), 0);
    assert_int_equal(green_coroutine_destroy(a), 0);
    assert_int_equal(green_coroutine_destroy(b), 0);
    b = green_coroutine_create(tell_run, NULL);
    assert_int_equal(green_coroutine_close(b), 0);
    a = green_coroutine_create(transfer_once, b);
    assert_fails(green_coroutine_resume(a, NULL, NULL), EINVAL); /* its own, passed on */
    assert_int_equal(green_coroutine_destroy(a), 0);
    assert_int_equal(green_coroutine_destroy(b), 0);
}

/* ---- many, and with green threads ---- */

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident;
}

static void make_and_destroy(int n)
{
    for (int i = 0; i < n; i++) {
        green_coroutine *co = green_coroutine_create(pass_on, NULL);
        assert_non_null(co);
        assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
        assert_int_equal(green_coroutine_destroy(co), 0);
    }
}

static void test_hundred_thousand_in_constant_memory(void **state)
{
    (void)state;
    make_and_destroy(1000);
    long before = resident_pages();
    make_and_destroy(fewer(100000));
    assert_in_range(resident_pages(), 0, before + 1024); /* the kernel counts in lumps */
}

static void test_no_hub_is_made(void **state)
{
    (void)state;
    assert_null(self_hub()); /* after all of the above */
}

static int fail_with_a_sentence(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    return green_spawn(NULL, NULL) != NULL ? 0 : -1;
}

/* As with any function that fails: what failed in it has said why. */
static void test_the_sentence_of_a_failure_stands(void **state)
{
    green_coroutine *co = green_coroutine_create(fail_with_a_sentence, NULL);
    (void)state;
    assert_fails(green_coroutine_resume(co, NULL, NULL), EINVAL);
    assert_string_equal(green_errmsg(), "green_spawn: no function");
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static int sleep_and_yield(green_coroutine *self, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (green_sleep(GREEN_MS) < 0 || green_coroutine_yield(self, green_self()) < 0)
            return -1;
    return green_sleep(3600 * GREEN_SEC); /* until the thread is cancelled */
}

/* A green thread that blocks only inside of a coroutine. */
static int drive(void *arg)
{
    green_coroutine *co = green_coroutine_create(sleep_and_yield, NULL);
    void *who = NULL;
    int turns = 0;
    while (green_coroutine_resume(co, NULL, &who) > 0)
        turns += who == green_self();
    bool cancelled = errno == ECANCELED;
    green_coroutine_destroy(co);
    ++*(int *)arg;
    return cancelled ? turns : -1;
}

static void test_blocking_inside_parks_the_green_thread(void **state)
{
    enum { THREADS = 20 };
    green_thread *threads[THREADS];
    int done = 0, result;
    (void)state;
    green_hub_stats before = stats_now();
    for (int i = 0; i < THREADS; i++)
        assert_non_null(threads[i] = green_spawn(drive, &done));
    assert_int_equal(green_sleep(20 * GREEN_MS), 0);
    assert_int_equal(done, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(green_kill(threads[i], &result), 0);
        assert_in_range(result, 0, 3);
    }
    assert_int_equal(done, THREADS);
    assert_nothing_left(before);
}

static int sleep_inside(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    return green_sleep(5 * GREEN_MS);
}

static int resume_it(void *co)
{
    return green_coroutine_resume(co, NULL, NULL);
}

static void test_who_else_resumes_it_meanwhile_is_refused(void **state)
{
    green_coroutine *co = green_coroutine_create(sleep_inside, NULL);
    green_thread *thread = green_spawn(resume_it, co);
    int result = -1;
    (void)state;
    assert_int_equal(green_yield(), 0);
    assert_int_equal(green_coroutine_status(co), GREEN_COROUTINE_RUNNING);
    assert_fails(green_coroutine_resume(co, NULL, NULL), EBUSY);
    assert_fails(green_coroutine_yield(co, NULL), EINVAL);
    assert_fails(green_coroutine_destroy(co), EBUSY);
    assert_int_equal(green_join(thread, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static void test_green_threads_resume_it_by_turns(void **state)
{
    green_coroutine *co = green_coroutine_create(add_up, number(0));
    int result = -1;
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(green_join(green_spawn(resume_it, co), &result), 0);
        assert_int_equal(result, 1);
        assert_int_equal(green_coroutine_resume(co, number(1), NULL), 1);
    }
    assert_int_equal(green_coroutine_resume(co, number(90), NULL), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static int yield_in_scopes(green_coroutine *self, void *arg)
{
    int wrong = 0;
    (void)arg;
    green_within(GREEN_SEC)
        wrong += error_of(green_coroutine_yield(self, NULL)) != EINVAL;
    green_shield()
        wrong += error_of(green_coroutine_yield(self, NULL)) != EINVAL;
    return wrong + (green_coroutine_yield(self, NULL) < 0);
}

static void test_no_yield_out_of_a_scope(void **state)
{
    green_coroutine *co = green_coroutine_create(yield_in_scopes, NULL);
    (void)state;
    green_within(GREEN_SEC)
        assert_int_equal(green_coroutine_resume(co, NULL, NULL), 1);
    assert_int_equal(green_coroutine_resume(co, NULL, NULL), 0);
    assert_int_equal(green_coroutine_result(co), 0);
    assert_int_equal(green_coroutine_destroy(co), 0);
}

static void *first_hub_inside(void *arg)
{
    green_coroutine *co = green_coroutine_create(sleep_and_yield, NULL);
    int turns = 0;
    (void)arg;
    while (turns < 3 && green_coroutine_resume(co, NULL, NULL) > 0)
        turns++;
    green_coroutine_destroy(co);
    return number(turns != 3);
}

static void test_the_hub_may_appear_inside_of_one(void **state)
{
    (void)state;
    assert_null(on_os_thread(first_hub_inside, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size_in_the_environment),
        cmocka_unit_test(test_values_go_in_and_out),
        cmocka_unit_test(test_throw_fails_the_pending_yield),
        cmocka_unit_test(test_what_is_not_caught_is_the_resumers_error),
        cmocka_unit_test(test_fresh_ones_end_without_running),
        cmocka_unit_test(test_destroy_cleans_up_in_order),
        cmocka_unit_test(test_wrong_use_is_an_error),
        cmocka_unit_test(test_one_os_thread_for_life),
        cmocka_unit_test(test_ring_of_a_thousand),
        cmocka_unit_test(test_transfer_hands_the_resumer_on),
        cmocka_unit_test(test_hundred_thousand_in_constant_memory),
        cmocka_unit_test(test_no_hub_is_made),
        cmocka_unit_test(test_the_sentence_of_a_failure_stands),
        cmocka_unit_test(test_blocking_inside_parks_the_green_thread),
        cmocka_unit_test(test_who_else_resumes_it_meanwhile_is_refused),
        cmocka_unit_test(test_green_threads_resume_it_by_turns),
        cmocka_unit_test(test_no_yield_out_of_a_scope),
        cmocka_unit_test(test_the_hub_may_appear_inside_of_one),
    };
    return cmocka_run_group_tests_name("coroutine", tests, NULL, NULL);
}
