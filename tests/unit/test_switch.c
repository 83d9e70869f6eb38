/* test_switch.c - the context switch (runtime/switch.h): what survives it, and walking over it. */
#include "unit.h"

#include "switch.h"
#include <execinfo.h>

static struct context here, there;
static double passed;

static void other(void)
{
    for (;;) {
        passed += 1.5;
        context_switch(&there, &here);
    }
}

static void test_values_survive(void **state)
{
    static char stack[65536] __attribute__((aligned(16)));
    volatile int seed = 3;
    long a = seed, b = seed * 2, c = seed * 3, d = seed * 4, e = seed * 5, f = seed * 6;
    double x = seed * 1.5, y = seed * 2.5;
    (void)state;
    assert_int_equal(context_start(&there, stack, stack + sizeof stack, other), 0);
    for (int i = 0; i < 1000; i++)
        context_switch(&here, &there);
    assert_true(passed > 1499 && passed < 1501);
    assert_int_equal(a + b + c + d + e + f, 21 * 3);
    assert_true(x + y > 11.9 && x + y < 12.1);
}

static __attribute__((noinline)) int walk(void *depth)
{
    void *frames[64];
    if ((intptr_t)depth > 1) {
        int n = walk((void *)((intptr_t)depth - 1));
        green_yield();
        return n;
    }
    green_yield(); /* the walk crosses frames that have been switched away from and back */
    return backtrace(frames, 64);
}

/* backtrace() on a green thread ends by itself, at the thread's entry. */
static void test_backtrace(void **state)
{
    int shallow = 0, deep = 0;
    (void)state;
#ifdef GREEN_SWITCH_PORTABLE
    print_message("# skipped: libc's makecontext decides how its stacks end\n");
    return;
#endif
    green_join(green_spawn(walk, (void *)1), &shallow);
    green_join(green_spawn(walk, (void *)11), &deep);
    assert_true(shallow >= 2 && shallow < 10);
    assert_int_equal(deep, shallow + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_survive),
        cmocka_unit_test(test_backtrace),
    };
    return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
