/* test_state.c - what threads are doing (green/state.h). */
#include "unit.h"
#include <green/event.h>
#include <green/fd.h>
#include <green/state.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

static green_event go = GREEN_EVENT_INIT;
static int ends[2];

static int read_end(void *arg)
{
    char c;
    (void)arg;
    return (int)green_read(ends[0], &c, 1);
}

static int wait_go(void *arg)
{
    (void)arg;
    return green_event_wait(&go) < 0 ? -1 : 3;
}

static int fail_as_told(void *err)
{
    errno = (int)(intptr_t)err;
    return -2;
}

static int own_state(void *arg)
{
    (void)arg;
    return green_thread_state(green_self());
}

/* Scenarios 12, 32: the state table. */
static void test_states(void **state)
{
    int result = -1;
    (void)state;
    assert_int_equal(green_event_clear(&go), 0);
    assert_int_equal(green_thread_state(green_self()), GREEN_RUNNING);
    green_thread *t = green_spawn(wait_go, NULL);
    assert_int_equal(green_thread_state(t), GREEN_FRESH);
    green_yield();
    assert_int_equal(green_thread_state(t), GREEN_WAITING);
    assert_int_equal(green_event_set(&go), 0);
    assert_int_equal(green_thread_state(t), GREEN_READY);
    green_yield();
    assert_int_equal(green_thread_state(t), GREEN_DONE);
    green_thread_info info;
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_int_equal(info.result, 3);
    assert_false(info.cancelled);
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_int_equal(info.result, 3); /* however often it is asked */
    assert_int_equal(green_join(t, NULL), 0);
    t = green_spawn(own_state, NULL);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, GREEN_RUNNING);
    t = green_spawn(fail_as_told, (void *)EIO);
    green_yield();
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_true(info.state == GREEN_DONE && info.result == -2 && info.error == EIO);
    assert_int_equal(green_join(t, NULL), 0);
    t = green_spawn(sleep_long, NULL);
    green_yield();
    assert_int_equal(green_cancel(t), 0);
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_int_equal(info.state, GREEN_READY);
    assert_true(info.cancelled);
    green_yield();
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_int_equal(info.state, GREEN_CANCELLED);
    assert_int_equal(info.result, -1);
    assert_int_equal(info.error, ECANCELED);
    assert_int_equal(green_join(t, NULL), 0);
}

static int join_it(void *thread)
{
    return green_join(thread, NULL);
}

static void assert_waits(green_thread *t, const char *what)
{
    green_thread_info info;
    assert_int_equal(green_thread_info_get(t, &info), 0);
    assert_int_equal(info.state, GREEN_WAITING);
    assert_string_equal(info.waits_for, what);
}

/* What for, and how long. */
static void test_waits(void **state)
{
    green_thread_info info;
    char text[64];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    green_thread *reader =
        green_spawn_with(&(green_spawn_options){.name = "reader"}, read_end, NULL);
    green_thread *sleeper = green_spawn(sleep_long, NULL);
    green_thread *joiner = green_spawn(join_it, reader);
    green_sleep(60 * GREEN_MS);
    snprintf(text, sizeof text, "fd %d readable", ends[0]);
    assert_waits(reader, text);
    assert_waits(sleeper, "sleep");
    snprintf(text, sizeof text, "the end of a thread, %u reader", green_ident(reader));
    assert_waits(joiner, text);
    assert_int_equal(green_thread_info_get(sleeper, &info), 0);
    assert_in_range(info.waited, 20 * GREEN_MS, 60 * GREEN_SEC);
    assert_int_equal(green_kill(sleeper, NULL), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(green_join(joiner, NULL), 0);
    green_close(ends[0]);
    green_close(ends[1]);
}

static int spawn_and_wait(void *ident)
{
    green_thread_info info;
    green_thread *t = green_spawn(sleep_long, NULL);
    green_thread_info_get(t, &info);
    *(unsigned *)ident = info.parent;
    return green_kill(t, NULL);
}

/* Scenarios 34, 36: small, unique, re-used; and who spawned whom. */
static void test_idents(void **state)
{
    enum { N = 200 };
    green_thread *t[N];
    unsigned char seen[1000] = {0};
    unsigned parent = 0;
    (void)state;
    assert_int_equal(green_ident(NULL), 1);
    for (int round = 0; round < 3; round++) {
        memset(seen, 0, sizeof seen);
        seen[1] = 1;
        for (int i = 0; i < N; i++) {
            t[i] = green_spawn(sleep_long, NULL);
            assert_in_range(green_ident(t[i]), 2, N + 2);
            assert_false(seen[green_ident(t[i])]++);
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(green_kill(t[(i * 7) % N], NULL), 0);
    }
    t[0] = green_spawn(spawn_and_wait, &parent);
    unsigned ident = green_ident(t[0]);
    assert_int_equal(green_join(t[0], NULL), 0);
    assert_int_equal(parent, ident);
}

static char *dumped(green_hub *hub)
{
    static char text[20000];
    int64_t end = green_now() + 60 * GREEN_SEC;
    FILE *f = tmpfile();
    assert_non_null(f);
    while (green_dump(hub, fileno(f)) < 0) { /* a hub was slow to answer */
        assert_true(errno == ETIMEDOUT && green_now() < end);
        assert_int_equal(ftruncate(fileno(f), 0), 0);
        assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
    }
    ssize_t n = pread(fileno(f), text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void test_dump(void **state)
{
    (void)state;
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    green_spawn_options options = {.name = "far", .hub = other};
    green_thread *far = green_spawn_with(&options, sleep_long, NULL);
    options = (green_spawn_options){.name = "near"};
    green_thread *near = green_spawn_with(&options, sleep_long, NULL);
    green_yield();
    char *text = dumped(NULL);
    assert_non_null(strstr(text, "hub 1, threads: 2\n"));
    assert_non_null(strstr(text, "near            waiting for sleep, "));
    assert_non_null(strstr(text, "far             waiting for sleep, "));
    assert_non_null(strstr(text, ", of 1 on hub 1\n"));
    text = dumped(other);
    assert_null(strstr(text, "near"));
    assert_non_null(strstr(text, "far"));
    assert_int_equal(green_thread_state(far), GREEN_WAITING);
    assert_fails(green_dump(NULL, -1), EBADF);
    assert_int_equal(green_kill(far, NULL), 0);
    assert_int_equal(green_kill(near, NULL), 0);
}

/* ---- hooks ---- */

static char told[64];
static green_spawn_hook hooks[3];

static void tell(green_spawn_hook *hook, green_thread *t)
{
    size_t n = strlen(told);
    bool fresh = green_thread_state(t) == GREEN_FRESH && green_sleep(1) == -1 && errno == EDEADLK;
    snprintf(told + n, sizeof told - n, "%s%s%s ", (char *)hook->arg, green_name(t),
             fresh ? "" : "?");
}

/* Cuts itself and the next. */
static void tell_once(green_spawn_hook *hook, green_thread *t)
{
    tell(hook, t);
    green_spawn_hook_cut(hook);
    green_spawn_hook_cut(&hooks[1]);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

#define assert_told(text)                \
    do {                                 \
        assert_string_equal(told, text); \
        told[0] = '\0';                  \
    } while (0)

static void spawn_named(const char *name, green_hub *hub, int64_t delay)
{
    green_spawn_options options = {.name = name, .hub = hub, .delay = delay};
    green_thread *t = green_spawn_with(&options, nothing, NULL);
    assert_non_null(t);
    assert_int_equal(green_kill(t, NULL), 0);
}

/* Scenario 35: at once, later, in a group; removable, also while they are told. */
static void test_spawn_hooks(void **state)
{
    (void)state;
    green_group g = GREEN_GROUP_INIT;
    spawn_named("a", NULL, 0);
    assert_int_equal(green_spawn_hook_add(&hooks[0], NULL, tell, "1"), 0);
    spawn_named("a", NULL, 0);
    spawn_named("b", NULL, GREEN_SEC);
    assert_int_equal(green_group_spawn(&g, nothing, NULL), 0);
    assert_int_equal(green_group_join(&g), 0);
    assert_told("1a 1b 1 ");
    assert_int_equal(green_spawn_hook_cut(&hooks[0]), 0);
    assert_int_equal(green_spawn_hook_cut(&hooks[0]), 0);
    spawn_named("a", NULL, 0);
    assert_told("");
    assert_int_equal(green_spawn_hook_add(&hooks[0], NULL, tell_once, "1"), 0);
    assert_int_equal(green_spawn_hook_add(&hooks[1], green_hub_self(), tell, "2"), 0);
    assert_int_equal(green_spawn_hook_add(&hooks[2], NULL, tell, "3"), 0);
    spawn_named("a", NULL, 0);
    spawn_named("b", NULL, 0);
    assert_told("1a 3a 3b ");
    assert_int_equal(green_spawn_hook_cut(&hooks[2]), 0);
    spawn_named("a", NULL, 0);
    assert_told("");
}

/* Scenario 35: those of another hub. */
static void test_spawn_hooks_elsewhere(void **state)
{
    green_spawn_hook hook = GREEN_SPAWN_HOOK_INIT;
    (void)state;
    assert_int_equal(green_spawn_hook_cut(&hook), 0);
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    assert_int_equal(green_spawn_hook_add(&hook, other, tell, "far "), 0);
    spawn_named("a", other, 0);
    spawn_named("b", NULL, 0);
    assert_told("far a ");
    assert_int_equal(green_spawn_hook_cut(&hook), 0);
    spawn_named("a", other, 0);
    assert_told("");
}

/* ---- dumps ---- */

static atomic_int held_up;
static sem_t let_go;

/* Its OS thread waits where the library knows nothing of it. */
static int hold_up(void *arg)
{
    (void)arg;
    held_up = 1;
    while (sem_wait(&let_go) != 0)
        continue;
    return 0;
}

/* All the descriptor says, and what green_dump returned. */
struct dumping {
    green_hub *hub;
    int result, error;
    char *text;
};

static int dump_to_file(void *arg)
{
    struct dumping *d = arg;
    FILE *f = tmpfile();
    if (f == NULL)
        return -1;
    d->result = green_dump(d->hub, fileno(f));
    d->error = errno;
    d->text = calloc(1, 20000);
    ssize_t n = pread(fileno(f), d->text, 19999, 0);
    fclose(f);
    return n < 0 ? -1 : 0;
}

/* A hub that does not answer is left out and named, the others are told of. */
static void test_dump_of_a_hub_that_is_held_up(void **state)
{
    (void)state;
    assert_true(green_hubs(2) >= 2);
    green_hub *other = green_hub_next();
    if (other == green_hub_self())
        other = green_hub_next();
    assert_int_equal(sem_init(&let_go, 0, 0), 0);
    green_spawn_options options = {.name = "far", .hub = other};
    green_thread *far = green_spawn_with(&options, hold_up, NULL);
    assert_non_null(far);
    while (held_up == 0)
        green_yield();
    struct dumping all = {NULL, 0, 0, NULL}, one = {other, 0, 0, NULL};
    green_group g = GREEN_GROUP_INIT;
    assert_int_equal(green_group_spawn(&g, dump_to_file, &all), 0);
    assert_int_equal(green_group_spawn(&g, dump_to_file, &one), 0);
    assert_int_equal(green_group_join(&g), 0);
    sem_post(&let_go);
    assert_int_equal(all.result, -1);
    assert_int_equal(all.error, ETIMEDOUT);
    assert_non_null(strstr(all.text, "hub 1, threads: "));
    assert_non_null(strstr(all.text, "hub 2 does not answer\n"));
    assert_int_equal(one.result, -1);
    assert_int_equal(one.error, ETIMEDOUT);
    assert_string_equal(one.text, "hub 2 does not answer\n");
    free(all.text);
    free(one.text);
    assert_int_equal(green_join(far, NULL), 0);
    assert_non_null(strstr(dumped(NULL), "hub 2, threads: ")); /* and what it was asked is gone */
    sem_destroy(&let_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_idents),
        cmocka_unit_test(test_spawn_hooks),
        cmocka_unit_test(test_spawn_hooks_elsewhere),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_of_a_hub_that_is_held_up),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
