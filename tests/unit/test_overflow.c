/* test_overflow.c - naming the thread whose stack overflows (green/state.h). Each case dies in a
 * child of its own, whose last words are compared. */
#include "unit.h"

#include <green/coroutine.h>
#include <green/state.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char words[1000];

static volatile bool endless = true;

static int deeper(volatile char *above)
{
    volatile char here[512];
    here[0] = above != NULL ? above[0] : 0;
    return endless ? deeper(here) + here[0] : 0;
}

static int overflow(void *arg)
{
    (void)arg;
    return deeper(NULL);
}

static int overflow_inside(green_coroutine *self, void *arg)
{
    (void)self, (void)arg;
    return deeper(NULL);
}

static void spawn_named(const char *name, green_hub *hub, size_t stack_size)
{
    green_spawn_options options = {.name = name, .hub = hub, .stack_size = stack_size};
    green_join(green_spawn_with(&options, overflow, NULL), NULL);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- ways to die ---- */

static void in_a_thread(void)
{
    green_join(green_spawn(nothing, NULL), NULL); /* 2: it is used again */
    spawn_named("deep", NULL, 0);
}

static void in_a_sized_thread(void)
{
    spawn_named("small", NULL, 60000);
}

static void on_another_hub(void)
{
    green_hub *other = green_hubs(2) < 0 ? NULL : green_hub_next();
    spawn_named("far", other != green_hub_self() ? other : green_hub_next(), 0);
}

static void in_a_coroutine(void)
{
    green_coroutine_resume(green_coroutine_create(overflow_inside, NULL), NULL, NULL);
}

static int fall(void *arg)
{
    void *nothing_there = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)arg;
    return *(volatile int *)nothing_there;
}

static void elsewhere(void)
{
    green_join(green_spawn(fall, NULL), NULL);
}

static void killed(void)
{
    kill(getpid(), SIGSEGV);
}

static void handled(int number)
{
    (void)number;
    _exit(7);
}

static void handled_later(void)
{
    signal(SIGSEGV, handled);
    elsewhere();
}

static void unasked(void) /* nothing is printed */
{
    spawn_named("deep", NULL, 0);
}

/* ---- dying ---- */

static int status_of(void (*die)(void))
{
    int ends[2], status = -1;
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's */
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
        dup2(ends[1], STDERR_FILENO);
        if (die != unasked && green_report_overflow() < 0)
            _exit(1);
        die();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], words + length, sizeof words - 1 - length)) > 0;)
        length += (size_t)n;
    words[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define assert_dies(die, last_words)                  \
    do {                                              \
        int status_ = status_of(die);                 \
        assert_string_equal(words, last_words);       \
        assert_true(WIFSIGNALED(status_));            \
        assert_int_equal(WTERMSIG(status_), SIGSEGV); \
    } while (0)

/* Scenario 33: it is named, with what there is to know. */
static void test_named(void **state)
{
    (void)state;
    assert_dies(in_a_thread, "green: the stack of thread 2 'deep' of hub 1 overflows: 262144 bytes "
                             "(stack_size or GREEN_STACK gives more)\n");
    assert_dies(in_a_sized_thread, "green: the stack of thread 2 'small' of hub 1 overflows: 65536 "
                                   "bytes (stack_size or GREEN_STACK gives more)\n");
    assert_dies(on_another_hub, "green: the stack of thread 2 'far' of hub 2 overflows: 262144 "
                                "bytes (stack_size or GREEN_STACK gives more)\n");
    assert_dies(in_a_coroutine, "green: the stack of a coroutine of thread 1 'main' of hub 1 "
                                "overflows: 262144 bytes (stack_size or GREEN_STACK gives more)\n");
}

/* Other faults, and programs that did not ask, end as ever. */
static void test_silent(void **state)
{
    (void)state;
    assert_dies(elsewhere, "");
    assert_dies(killed, "");
    assert_dies(unasked, "");
}

static void test_the_programs_own_handler(void **state)
{
    (void)state;
    int status = status_of(handled_later);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    void (*old)(int) = signal(SIGSEGV, handled);
    assert_fails(green_report_overflow(), EBUSY);
    assert_ptr_equal(signal(SIGSEGV, old), handled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_the_programs_own_handler),
    };
    return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
