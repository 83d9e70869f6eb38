/* every_macro.c - each macro of the headers at work, for compilers of C and of C++ at their
 * strictest: built and run by test_install.py. The exit status is the line of what was wrong. */
#include <errno.h>
#include <green.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)    \
    do {                    \
        if (!(condition))   \
            exit(__LINE__); \
    } while (0)

/* ---- objects that are initialised ---- */

static char buffer[2 * sizeof(int)];
static green_barrier barrier = GREEN_BARRIER_INIT(1);
static green_chan chan = GREEN_CHAN_INIT(sizeof(int), 2, buffer);
static green_condition condition = GREEN_CONDITION_INIT;
static green_event event = GREEN_EVENT_INIT;
static green_group group = GREEN_GROUP_INIT;
static green_link link_to_self = GREEN_LINK_INIT;
static green_mutex mutex = GREEN_MUTEX_INIT, recursive = GREEN_MUTEX_RECURSIVE_INIT;
static green_once once = GREEN_ONCE_INIT;
static green_pool pool = GREEN_POOL_INIT(2);
static green_result result = GREEN_RESULT_INIT;
static green_rwlock rwlock = GREEN_RWLOCK_INIT;
static green_semaphore semaphore = GREEN_SEMAPHORE_INIT(0), one = GREEN_SEMAPHORE_BOUNDED_INIT(1);
static green_spawn_hook hook = GREEN_SPAWN_HOOK_INIT;
static green_wait_group wait_group = GREEN_WAIT_GROUP_INIT;

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void use_objects(void)
{
    CHECK(green_barrier_wait(&barrier) >= 0);
    CHECK(green_mutex_lock(&mutex) == 0 && green_mutex_lock(&recursive) == 0);
    CHECK(green_mutex_lock(&recursive) == 0 && green_mutex_trylock(&mutex) < 0);
    green_within(0)
        CHECK(green_condition_wait(&condition, &mutex) < 0);
    CHECK(green_expired());
    CHECK(green_group_spawn(&group, nothing, &group) == 0 && green_group_join(&group) == 0);
    CHECK(green_pool_spawn(&pool, nothing, &pool) == 0 && green_pool_join(&pool) == 0);
    CHECK(green_link_cut(&link_to_self) == 0 && green_spawn_hook_cut(&hook) == 0);
    CHECK(green_once_run(&once, nothing, &once) == 0);
    CHECK(green_rwlock_read(&rwlock) == 0 && green_semaphore_try(&one) == 0);
    CHECK(green_wait_group_wait(&wait_group) == 0);
}

/* ---- scopes ---- */

static int cleaned;

static void clean(void *by)
{
    cleaned += *(int *)by;
}

static int leave_scopes(void)
{
    int two = 2;
    GREEN_DEFER(clean, &two);
    GREEN_DEFER(clean, &two);
    GREEN_GROUP(own);
    green_within(60 * GREEN_SEC) {
        green_within(3600 * GREEN_SEC)
            CHECK(green_remaining() <= 60 * GREEN_SEC);
        green_shield()
            CHECK(green_remaining() == INT64_MAX && cleaned == 0);
        return green_sleep(GREEN_NS + GREEN_US + GREEN_MS);
    }
    return -1;
}

static int count(green_generator *g, void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++)
        if (green_generator_yield(g, &i) < 0)
            return -1;
    return 0;
}

static void use_scopes(void)
{
    int sum = 0;
    CHECK(leave_scopes() == 0 && cleaned == 4);
    green_for(int, i, green_generator_create(sizeof(int), count, &sum))
        sum += i;
    CHECK(sum == 6 && errno == 0);
    green_for(int, i, green_generator_create(sizeof(int), count, &sum)) {
        sum += i;
        break;
    }
    CHECK(sum == 7);
}

/* ---- cases ---- */

static void use_cases(void)
{
    int value = 1, got = 0, ends[2];
    void *item = &value;
    green_queue *queue = green_queue_make(0);
    green_thread *thread = green_spawn(nothing, &value);
    green_job *job = green_job_start(0, nothing, &value);
    CHECK(queue != 0 && thread != 0 && job != 0 && pipe(ends) == 0);
    CHECK(green_select(GREEN_RECV(&chan, &got), GREEN_GET(queue, &item), GREEN_SET(&event),
                       GREEN_ACQUIRE(&semaphore), GREEN_READY(&result), GREEN_READABLE(ends[0]),
                       GREEN_NEVER, GREEN_DEFAULT) == 7);
    CHECK(green_select(GREEN_SEND(&chan, &value), GREEN_NEVER) == 0);
    CHECK(green_select(GREEN_SEND(&chan, &value)) == 0);
    CHECK(green_select(GREEN_RECV(&chan, &got)) == 0 && got == 1);
    CHECK(green_select(GREEN_RECV_OK(&chan, &value, &got)) == 0 && got == 1);
    CHECK(green_select(GREEN_PUT(queue, &value)) == 0);
    CHECK(green_select(GREEN_PUT(queue, &value)) == 0);
    CHECK(green_select(GREEN_GET(queue, &item)) == 0 && item == &value);
    CHECK(green_select(GREEN_GET_OK(queue, &item, &got)) == 0 && got == 1);
    CHECK(green_select(GREEN_ENDED(thread), GREEN_AFTER(60 * GREEN_SEC)) == 0);
    CHECK(green_select(GREEN_FINISHED(job), GREEN_AFTER(60 * GREEN_SEC)) == 0);
    CHECK(green_select(GREEN_EXITED(0), GREEN_WRITABLE(ends[1])) == 1);
    green_queue_free(queue);
    green_job_free(job);
    CHECK(green_join(thread, &got) == 0);
}

static void use_signals(void)
{
    green_signal *s = green_signal_open(GREEN_SIGNALS(SIGUSR1, SIGUSR2));
    CHECK(s != 0 && raise(SIGUSR2) == 0);
    CHECK(green_signal_wait(s) == SIGUSR2 && green_signal_close(s) == 0);
}

int main(void)
{
    use_objects();
    use_scopes();
    use_cases();
    use_signals();
    return 0;
}
