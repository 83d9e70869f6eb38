/* test_stack.c - stacks (runtime/stack.h): guards, re-use, giving memory back, exhaustion. */
#include "unit.h"

#include "self.h"
#include "stack.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 256 * 1024 };

static bool resident(const char *page)
{
    unsigned char in = 0;
    uintptr_t at = (uintptr_t)page & ~(uintptr_t)4095;
    return mincore((void *)at, 4096, &in) == 0 && (in & 1) != 0;
}

static void test_reuse_is_lifo(void **state)
{
    struct stack_pool pool;
    (void)state;
    stack_pool_init(&pool, SIZE);
    struct stack *a = stack_get(&pool), *b = stack_get(&pool);
    assert_ptr_not_equal(a->base, b->base);
    assert_true(a->top != NULL && (uintptr_t)a->top % 64 == 0);
    assert_true((uintptr_t)a->top % 4096 != (uintptr_t)b->top % 4096); /* coloured */
    stack_put(&pool, a);
    stack_put(&pool, b);
    assert_ptr_equal(stack_get(&pool), b);
    assert_ptr_equal(stack_get(&pool), a);
    stack_pool_destroy(&pool);
}

static void test_warm_stacks_are_bounded(void **state)
{
    enum { N = 4 * STACK_WARM };
    static struct stack *stacks[N];
    struct stack_pool pool;
    (void)state;
    stack_pool_init(&pool, SIZE);
    for (int i = 0; i < N; i++) {
        stacks[i] = stack_get(&pool);
        stacks[i]->top[-1] = 1;
    }
    for (int i = 0; i < N; i++)
        stack_put(&pool, stacks[i]);
    assert_true(pool.warm_count <= STACK_WARM);
    int warm = 0;
    for (int i = 0; i < N; i++)
        warm += resident(stacks[i]->top - 1);
    assert_true(warm <= STACK_WARM);
    assert_true(resident(stacks[N - 1]->top - 1)); /* the newest stayed */
    for (int i = 0; i < N; i++)
        assert_non_null(stack_get(&pool)); /* cold ones come back, too */
    stack_pool_destroy(&pool);
}

static void test_deep_use_is_given_back(void **state)
{
    struct stack_pool pool;
    (void)state;
    stack_pool_init(&pool, SIZE);
    struct stack *s = stack_get(&pool);
    char *deep = s->base + 8192;
    for (int i = 0; i < 128; i++) { /* it is looked at every so-manieth time */
        memset(deep, 1, (size_t)(s->top - deep));
        stack_put(&pool, s);
        if (!resident(deep))
            break;
        assert_ptr_equal(stack_get(&pool), s);
    }
    assert_false(resident(deep));
    assert_true(resident(s->top - 1));
    stack_pool_destroy(&pool);
}

/* Scenario 33: an overflow hits the guard page. */
static void test_guard(void **state)
{
    struct stack_pool pool;
    (void)state;
    stack_pool_init(&pool, SIZE);
    struct stack *s = stack_get(&pool);
    assert_int_equal(pool.unguarded, 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)(s->base + 4096) = 1;
        *(volatile char *)(s->base + 4095) = 1;
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    stack_pool_destroy(&pool);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(stack_round(1), 16 * 1024);
    assert_int_equal(stack_round(65536), 65536);
    assert_int_equal(stack_round(65537), 131072);
    assert_int_equal(stack_round((size_t)1 << 40), 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Out of address space: NULL, ENOMEM and a sentence; and it goes on when there is some again. */
static void test_exhaustion(void **state)
{
    struct rlimit old, tight;
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("# skipped: a sanitizer's shadow leaves no address space to limit\n");
    return;
#endif
    if (RUNNING_ON_VALGRIND) {
        print_message("# skipped: valgrind ends when the limit meets itself\n");
        return;
    }
    green_hub_stats before = stats_now();
    getrlimit(RLIMIT_AS, &old);
    tight = old;
    tight.rlim_cur = (rlim_t)300 << 20;
    static green_thread *threads[4096];
    size_t n = 0;
    if (setrlimit(RLIMIT_AS, &tight) < 0)
        fail();
    void *probe = mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe != MAP_FAILED) {
        munmap(probe, (size_t)1 << 30);
        setrlimit(RLIMIT_AS, &old);
        print_message("# skipped: an emulator does not limit the address space\n");
        return;
    }
    while (n < COUNT(threads) && (threads[n] = green_spawn(nothing, NULL)) != NULL)
        n++;
    int err = errno;
    setrlimit(RLIMIT_AS, &old);
    assert_true(n < COUNT(threads));
    assert_int_equal(err, ENOMEM);
    errno = err;
    assert_non_null(strstr(green_errmsg(), "address space"));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(green_join(threads[i], NULL), 0);
    assert_nothing_left(before);
}

static __attribute__((noinline)) void use_deep(void)
{
    char deep[512 * 1024];
    memset(deep, 1, sizeof deep);
    assert_int_equal(deep[getpid() % SIZE], 1);
}

/* The program's own stack grows on when it has a hub. Valgrind took that for another one's use. */
static void test_own_stack_grows(void **state)
{
    (void)state;
    assert_non_null(green_self());
    use_deep();
}

/* A size in the environment that is none must not make stacks small. */
static void test_senseless_size(void **state)
{
    (void)state;
    setenv("GREEN_STACK", "abc", 1);
    assert_int_equal(green_join(green_spawn(nothing, NULL), NULL), 0);
    assert_int_equal(self_hub()->pool->size, 256 * 1024);
    unsetenv("GREEN_STACK");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_stack_grows), /* before any switch */
        cmocka_unit_test(test_senseless_size),  /* before any other thread is spawned */
        cmocka_unit_test(test_reuse_is_lifo),
        cmocka_unit_test(test_warm_stacks_are_bounded),
        cmocka_unit_test(test_deep_use_is_given_back),
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_exhaustion),
    };
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
