/* test_no_function.c - NULL instead of a function that is to be called: an error, at once, wherever
 * a function is taken. */
#include "net_unit.h"

#include <green/defer.h>
#include <green/generator.h>
#include <green/link.h>
#include <green/once.h>
#include <green/pool.h>
#include <green/serve.h>
#include <green/signal.h>
#include <green/state.h>

static int released;

static void release(void *arg)
{
    (void)arg;
    released++;
}

/* Leaves errno EINVAL and a sentence. */
static void assert_says(const char *what)
{
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(green_errmsg(), what));
    errno = 0;
}

static void refused(int result)
{
    assert_int_equal(result, -1);
    assert_says("function");
}

static void none(const void *object)
{
    assert_null(object);
    assert_says("function");
}

static void test_threads(void **state)
{
    green_group group = GREEN_GROUP_INIT;
    green_pool pool = GREEN_POOL_INIT(1);
    int items[2];
    (void)state;
    green_hub_stats before = stats_now();
    none(green_spawn(NULL, NULL));
    refused(green_group_spawn(&group, NULL, NULL));
    refused(green_pool_spawn(&pool, NULL, NULL));
    refused(green_pool_try_spawn(&pool, NULL, NULL));
    refused(green_pool_map(&pool, NULL, items, 2, sizeof *items));
    assert_int_equal(green_group_join(&group), 0);
    assert_int_equal(green_pool_join(&pool), 0);
    none(green_coroutine_create(NULL, NULL));
    none(green_generator_create(sizeof(int), NULL, NULL));
    assert_nothing_left(before);
}

static void test_called_back(void **state)
{
    green_once once = GREEN_ONCE_INIT;
    green_link link = GREEN_LINK_INIT;
    green_spawn_hook hook;
    (void)state;
    refused(green_defer(NULL, NULL));
    refused(green_once_run(&once, NULL, NULL));
    refused(green_link_to(&link, green_self(), NULL, NULL));
    refused(green_spawn_hook_add(&hook, NULL, NULL, NULL));
    refused(green_hub_run(green_hub_self(), NULL, NULL));
    none(green_signal_handle(GREEN_SIGNALS(SIGUSR1), NULL, NULL));
}

/* What the argument is released with is called all the same. */
static void test_jobs(void **state)
{
    green_job_options options = {.release = release};
    (void)state;
    refused(green_offload(NULL, NULL, NULL));
    refused(green_offload_owned(NULL, NULL, release, NULL));
    assert_int_equal(released, 1);
    none(green_job_start(&options, NULL, NULL));
    none(green_job_try_start(&options, NULL, NULL));
    assert_int_equal(released, 3);
}

static void test_server(void **state)
{
    int before = fds_open();
    (void)state;
    assert_int_equal(green_serve("tcp", "127.0.0.1:0", NULL, NULL), -1);
    assert_says("handler");
    assert_int_equal(fds_open(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_called_back),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_server),
    };
    return cmocka_run_group_tests_name("no_function", tests, NULL, NULL);
}
