/* test_fork_dns.c - fork(2) and look-ups: those of the child, while OS threads of the parent are
 * inside of libc's. */
#include "forks.h"

#include <green/dns.h>

static int look_up(void)
{
    struct addrinfo *list = NULL;
    must(green_getaddrinfo("localhost", "80", NULL, &list) == 0);
    green_freeaddrinfo(list);
    return 0;
}

static int look_up_thread(void *arg)
{
    (void)arg;
    return look_up();
}

/* The parent's look-up of the same name does not go on here. */
static int look_up_alone(void)
{
    alarm(30); /* it would wait for ever */
    must(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 4) == 0);
    return look_up();
}

/* Scenario 147: after one in the parent, and during one. */
static void look_ups(void **state)
{
    int result = -1;
    (void)state;
    assert_int_equal(look_up(), 0);
    for (int i = 0; i < 5; i++)
        in_child(look_up);
    assert_int_equal(look_up(), 0);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 0), 0);
    green_thread *t = green_spawn(look_up_thread, NULL);
    green_yield(); /* it waits for an OS thread of the lane */
    in_child(look_up_alone);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_DNS), 0, 256), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
}

static bool enough;

static int keep_looking_up(void *arg)
{
    char port[8];
    for (int n = 1; !enough; n++) {
        struct addrinfo *list = NULL;
        snprintf(port, sizeof port, "%d", *(int *)arg * 1000 + n % 1000); /* not joined */
        if (green_getaddrinfo("localhost", port, NULL, &list) != 0)
            return -1;
        green_freeaddrinfo(list);
    }
    return 0;
}

static int look_up_in_time(void)
{
    alarm(30); /* it would wait for ever */
    return look_up();
}

/* Scenario 147: while OS threads of the parent are inside of libc's look-ups. */
static void meets_look_ups(void **state)
{
    enum { MANY = 4 };
    static int numbers[MANY] = {1, 2, 3, 4};
    green_group g = GREEN_GROUP_INIT;
    (void)state;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    print_message("# skipped: a sanitizer's own locks do not outlive it\n");
    return;
#endif
    if (RUNNING_ON_VALGRIND) {
        print_message("# skipped: valgrind's OS threads sleep whenever it is not their turn\n");
        return;
    }
    enough = false;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(green_group_spawn(&g, keep_looking_up, &numbers[i]), 0);
    for (int i = 0; i < fewer(100); i++) {
        green_sleep(GREEN_MS);
        in_child(look_up_in_time);
    }
    enough = true;
    assert_int_equal(green_group_join(&g), 0);
}

/* ---- a module of libc's that forks to find an answer ---- */

static char by_module[] = "by.module";
static pid_t program = -1; /* what it ran */

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result)
{
    if (node == NULL || strcmp(node, by_module) != 0)
        return __real_getaddrinfo(node, service, hints, result);
    program = fork();
    if (program == 0)
        _exit(0);
    return program < 0 ? EAI_SYSTEM : EAI_NONAME;
}

/* Scenario 147: inside of a look-up; it does not wait for itself until its patience ends. */
static void forks_inside(void **state)
{
    struct addrinfo *list = NULL;
    int64_t took = INT64_MAX;
    (void)state;
    for (int i = 0; i < 5 && took > 4 * GREEN_SEC; i++) { /* again if the machine stood still */
        int64_t begun = green_now();
        assert_int_equal(green_getaddrinfo(by_module, "80", NULL, &list), EAI_NONAME);
        took = green_now() - begun;
        assert_int_equal(status_of(program), 0);
    }
    assert_true(took < 4 * GREEN_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups),
        cmocka_unit_test(meets_look_ups),
        cmocka_unit_test(forks_inside),
    };
    parent = getpid();
    green_self(); /* the hub has descriptors, too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
