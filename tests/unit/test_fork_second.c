/* test_fork_second.c - the second hub of a process: what the first does without locked instructions
 * while it is alone, it must not be doing when another looks. A child of fork(2) has one hub again,
 * whatever its parent had. */
#include "forks.h"

#include <green/hub.h>
#include <green/select.h>
#include <green/semaphore.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { PERMITS = 10000, CHILDREN = 32 };

static green_semaphore permits[2] = {GREEN_SEMAPHORE_INIT(0), GREEN_SEMAPHORE_INIT(0)};
static atomic_int rounds; /* of the first hub */
static int second_at;     /* then the other one comes */

static int release_inside(void *arg)
{
    for (int i = 0; i < PERMITS; i++)
        if (green_semaphore_release(&permits[i % 2]) < 0 || green_yield() < 0)
            return -1;
    return arg != NULL;
}

/* Not all at once: the other hub is to wait for each. */
static void *release_outside(void *arg)
{
    while (rounds < second_at)
        sched_yield();
    for (int i = 0; i < PERMITS; i++) {
        int round = rounds;
        if (green_semaphore_release(&permits[i % 2]) < 0)
            return permits;
        for (int spins = 0; spins < 100 && rounds == round; spins++)
            continue;
    }
    return arg;
}

/* Waits for one of them or for both, many of which end by their time. How many it has got. */
static int take_some(void)
{
    green_case cases[] = {
        green_case_acquire(&permits[0]),
        green_case_acquire(&permits[1]),
        green_case_after((rounds % 7 + 1) * GREEN_US / 2),
    };
    int order[COUNT(cases)], got = 0;
    if (green_wait_cases(cases, (int)COUNT(cases), 1 + rounds % 2, order) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(cases) && order[i] >= 0; i++)
        got += order[i] < 2;
    rounds++;
    return got;
}

static int second_comes(void)
{
    pthread_t thread;
    void *failed = NULL;
    int got = 0;
    must(pthread_create(&thread, NULL, release_outside, NULL) == 0);
    green_thread *t = green_spawn(release_inside, NULL);
    must(t != NULL);
    while (got < 2 * PERMITS) {
        int more = take_some();
        must(more >= 0);
        got += more;
    }
    must(green_join(t, NULL) == 0);
    must(pthread_join(thread, &failed) == 0 && failed == NULL);
    must(got == 2 * PERMITS && permits[0].count == 0 && permits[1].count == 0);
    return 0;
}

/* Scenarios 5, 84: each permit is taken once, whenever the other hub comes. */
static void test_second_comes(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    for (second_at = 0; second_at < fewer(CHILDREN); second_at++)
        in_child(second_comes);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_comes),
    };
    parent = getpid();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
