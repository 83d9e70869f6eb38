/* test_local.c - what belongs to a thread: locals (green/local.h) and clean-up (green/defer.h). */
#include "hubs.h"
#include <green/defer.h>
#include <green/local.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static char trace[64];
static int destroyed, copied;
static green_key key;

static void note(void *letter)
{
    strncat(trace, letter, sizeof trace - strlen(trace) - 1);
}

static void count_destroyed(void *value)
{
    (void)value;
    destroyed++;
}

static int keep_apart(void *value)
{
    if (green_get_local(key) != NULL || green_set_local(key, value) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (green_yield() < 0 || green_get_local(key) != value)
            return -1;
    return 0;
}

/* Scenario 105: isolation, no value at first, destroyed at the thread's end. */
static void test_isolation(void **state)
{
    enum { N = 10 };
    green_thread *t[N];
    int result = -1;
    (void)state;
    destroyed = 0;
    assert_int_equal(green_key_create(&key, count_destroyed), 0);
    for (int i = 0; i < N; i++)
        t[i] = green_spawn(keep_apart, &t[i]);
    for (int i = 0; i < N; i++) {
        assert_int_equal(green_join(t[i], &result), 0);
        assert_int_equal(result, 0);
    }
    assert_int_equal(destroyed, N);
    assert_null(green_get_local(key));
    assert_int_equal(green_key_delete(key), 0);
}

static int outlive_key(void *arg)
{
    green_set_local(key, arg);
    green_yield();
    return green_get_local(key) == NULL ? 0 : -1;
}

/* Scenario 105: the key goes first; the next in its place does not see the old values. */
static void test_deleted_key(void **state)
{
    green_key old;
    int result = -1;
    (void)state;
    destroyed = 0;
    assert_int_equal(green_key_create(&key, count_destroyed), 0);
    old = key;
    green_thread *t = green_spawn(outlive_key, &key);
    green_yield();
    assert_int_equal(green_key_delete(key), 0);
    assert_fails(green_key_delete(key), EINVAL);
    assert_fails(green_set_local(key, &key), EINVAL);
    assert_fails(green_set_local(0, &key), EINVAL);
    assert_int_equal(green_key_create(&key, count_destroyed), 0);
    assert_int_not_equal(key, old);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(destroyed, 0);
    assert_int_equal(green_key_delete(key), 0);
}

static char kinds[2]; /* values of a key and of the next in its place */
static atomic_int strays;

static void expect_first(void *value)
{
    strays += value != &kinds[0];
}

static void expect_second(void *value)
{
    strays += value != &kinds[1];
}

struct owner {
    atomic_bool has, end;
};

static int own_until(void *arg)
{
    struct owner *o = arg;
    green_set_local(key, &kinds[0]);
    o->has = true;
    while (!o->end)
        sched_yield();
    return 0;
}

/* Scenario 105: the key goes, and another comes in its place, just as a thread of another hub ends:
 * its value is not destroyed as one of the next. */
static void test_deleted_at_the_end(void **state)
{
    green_spawn_options options = {.hub = other_hub()};
    (void)state;
    strays = 0;
    for (int i = 0; i < fewer(2000); i++) {
        struct owner o = {.has = false};
        assert_int_equal(green_key_create(&key, expect_first), 0);
        green_thread *t = green_spawn_with(&options, own_until, &o);
        while (!o.has)
            sched_yield();
        o.end = true;
        assert_int_equal(green_key_delete(key), 0);
        assert_int_equal(green_key_create(&key, expect_second), 0);
        assert_int_equal(green_join(t, NULL), 0);
        assert_int_equal(green_key_delete(key), 0);
    }
    assert_int_equal(strays, 0);
}

/* Scenario 105: many in one thread; and no more than there are. */
static void test_many_keys(void **state)
{
    static green_key keys[2000];
    int n = 0;
    (void)state;
    while (n < 2000 && green_key_create(&keys[n], NULL) == 0)
        n++;
    assert_int_equal(errno, EAGAIN);
    assert_in_range(n, 100, 1024);
    for (int i = 0; i < n; i++)
        assert_int_equal(green_set_local(keys[i], &keys[i]), 0);
    for (int i = 0; i < n; i++) {
        assert_ptr_equal(green_get_local(keys[i]), &keys[i]);
        assert_int_equal(green_key_delete(keys[i]), 0);
    }
}

static void set_again(void *value)
{
    destroyed++;
    green_set_local(key, value);
}

static void yield_at_end(void *value)
{
    if (green_yield() == 0)
        ++*(int *)value;
}

static int set(void *value)
{
    return green_set_local(key, value);
}

/* Destructors may set values, up to some rounds, and may yield. */
static void test_rounds(void **state)
{
    int yielded = 0;
    (void)state;
    destroyed = 0;
    assert_int_equal(green_key_create(&key, set_again), 0);
    assert_int_equal(green_join(green_spawn(set, &key), NULL), 0);
    assert_int_equal(destroyed, 4);
    assert_int_equal(green_key_delete(key), 0);
    assert_int_equal(green_key_create(&key, yield_at_end), 0);
    assert_int_equal(green_join(green_spawn(set, &yielded), NULL), 0);
    assert_int_equal(yielded, 1);
    assert_int_equal(green_key_delete(key), 0);
}

static int value_or_zero(void *arg)
{
    const int *value = green_get_local(key);
    (void)arg;
    return value != NULL ? *value : 0;
}

/* A child's child sees what its parent changed, this parent's brother does not. */
static int change_and_spawn(void *arg)
{
    int result = 0;
    int *own = green_get_local(key);
    (void)arg;
    if (own == NULL || *own != 7)
        return -1;
    *own = 8;
    green_join(green_spawn(value_or_zero, NULL), &result);
    return result;
}

static void *copy_int(void *value)
{
    int *copy = malloc(sizeof *copy);
    copied++;
    if (copy != NULL)
        *copy = *(int *)value;
    return copy;
}

/* Scenario 36: by loose threads and those of groups, also on another hub; roots are separate. */
static void test_inherited(void **state)
{
    green_key_options options = {.destroy = free, .inherit = true};
    green_group g = GREEN_GROUP_INIT;
    int result = 0, *seven = copy_int(&(int){7});
    (void)state;
    copied = 0;
    assert_fails(green_key_create_with(&key, &options), EINVAL);
    options.copy = copy_int;
    assert_int_equal(green_key_create_with(&key, &options), 0);
    green_join(green_spawn(value_or_zero, NULL), &result);
    assert_int_equal(result, 0);
    assert_int_equal(green_set_local(key, seven), 0);
    green_join(green_spawn(change_and_spawn, NULL), &result);
    assert_int_equal(result, 8);
    assert_int_equal(green_group_spawn(&g, change_and_spawn, NULL), 0);
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(copied, 4);
    assert_int_equal(green_kill(green_spawn(value_or_zero, NULL), NULL), 0); /* before it ran */
    assert_int_equal(copied, 5);
    green_spawn_options far = {.hub = other_hub()};
    green_join(green_spawn_with(&far, value_or_zero, NULL), &result);
    assert_int_equal(result, 7);
    assert_int_equal(green_set_local(key, NULL), 0);
    assert_int_equal(green_key_delete(key), 0);
    free(seven);
}

static void *keep_apart_on_os_thread(void *value)
{
    return keep_apart(value) == 0 ? NULL : value;
}

/* Scenario 105: of OS threads too, whose main threads are green threads; their values are destroyed
 * when they end. */
static void test_os_threads(void **state)
{
    pthread_t t;
    (void)state;
    destroyed = 0;
    assert_int_equal(green_key_create(&key, count_destroyed), 0);
    assert_int_equal(green_set_local(key, &key), 0);
    for (int i = 0; i < 10; i++) {
        void *failed = &key;
        assert_int_equal(pthread_create(&t, NULL, keep_apart_on_os_thread, &i), 0);
        assert_int_equal(pthread_join(t, &failed), 0);
        assert_null(failed);
        assert_int_equal(destroyed, i + 1);
    }
    assert_ptr_equal(green_get_local(key), &key);
    assert_int_equal(green_set_local(key, NULL), 0);
    assert_int_equal(green_key_delete(key), 0);
}

static void note_local(void *arg)
{
    (void)arg;
    note(green_get_local(key));
}

static int set_and_defer(void *arg)
{
    (void)arg;
    return green_set_local(key, "v") < 0 ? -1 : green_defer(note_local, NULL);
}

/* Scenario 105: what a thread does at its end still has its values; another run on the same stack
 * does not. */
static void test_values_at_the_end(void **state)
{
    (void)state;
    trace[0] = '\0';
    assert_int_equal(green_key_create(&key, note), 0);
    for (int i = 0; i < 3; i++) {
        int result = -1;
        assert_int_equal(green_join(green_spawn(set_and_defer, NULL), &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(green_join(green_spawn(value_or_zero, NULL), &result), 0);
        assert_int_equal(result, 0);
    }
    assert_string_equal(trace, "vvvvvv"); /* seen by the handler, and destroyed */
    assert_int_equal(green_key_delete(key), 0);
}

static void defer_more(void *letter)
{
    note(letter);
    green_defer(note, "+");
}

static int defer_three(void *arg)
{
    green_defer(note, "1");
    green_defer(defer_more, "2");
    green_defer(note, "3");
    note("f");
    return arg != NULL ? sleep_long(NULL) : 5;
}

/* Scenario 19: clean-up runs in reverse order, after the function, also when it was cancelled. */
static void test_defer(void **state)
{
    int result = 0;
    (void)state;
    trace[0] = '\0';
    assert_int_equal(green_join(green_spawn(defer_three, NULL), &result), 0);
    assert_int_equal(result, 5);
    assert_string_equal(trace, "f32+1");
    trace[0] = '\0';
    green_thread *t = green_spawn(defer_three, trace);
    green_yield();
    assert_string_equal(trace, "f");
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -1);
    assert_string_equal(trace, "f32+1");
}

static void leave(int at)
{
    GREEN_DEFER(note, "a");
    for (;;) {
        GREEN_DEFER(note, "b");
        if (at == 0)
            break;
        if (at == 1)
            return;
    }
    note("c");
}

static void test_defer_scope(void **state)
{
    (void)state;
    trace[0] = '\0';
    leave(0);
    assert_string_equal(trace, "bca");
    trace[0] = '\0';
    leave(1);
    assert_string_equal(trace, "ba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isolation),   cmocka_unit_test(test_deleted_key),
        cmocka_unit_test(test_many_keys),   cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_inherited),   cmocka_unit_test(test_defer),
        cmocka_unit_test(test_os_threads),  cmocka_unit_test(test_values_at_the_end),
        cmocka_unit_test(test_defer_scope), cmocka_unit_test(test_deleted_at_the_end),
    };
    return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
