/* duel_sync.c - fights over what threads lock and wait for, a paragraph a primitive: see duel.h. */
#include "duel.h"
#include <green/barrier.h>
#include <green/condition.h>
#include <green/deadline.h>
#include <green/event.h>
#include <green/hub.h>
#include <green/mutex.h>
#include <green/once.h>
#include <green/result.h>
#include <green/rwlock.h>
#include <green/semaphore.h>
#include <green/thread.h>
#include <green/wait_group.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---- mutex, recursive mutex: a counter that is not atomic ---- */

static green_mutex mutex;
static long counter, expected;

static int mutex_begin(long rounds)
{
    (void)rounds;
    mutex = (green_mutex)GREEN_MUTEX_INIT;
    counter = expected = 0;
    return 0;
}

static int recursive_begin(long rounds)
{
    mutex_begin(rounds);
    mutex = (green_mutex)GREEN_MUTEX_RECURSIVE_INIT;
    return 0;
}

static int mutex_round(int who, long number)
{
    (void)who;
    if (green_mutex_lock(&mutex) < 0)
        return -1;
    counter++;
    if (number % 2 == 0)
        green_yield(); /* while it is held */
    expected++;
    return green_mutex_unlock(&mutex);
}

static int recursive_round(int who, long number)
{
    if (green_mutex_lock(&mutex) < 0)
        return -1;
    int err = mutex_round(who, number) < 0 ? errno : 0; /* cancelled meanwhile, perhaps */
    if (green_mutex_unlock(&mutex) < 0)
        return wrong();
    errno = err;
    return err == 0 ? 0 : -1;
}

static bool mutex_end(void)
{
    return counter == expected && mutex.owner == NULL && nobody(&mutex.waiters);
}

const struct duel duel_mutex = {"mutex", mutex_begin, mutex_round, NULL, mutex_end};
const struct duel duel_recursive = {"recursive mutex", recursive_begin, recursive_round, NULL,
                                    mutex_end};

/* ---- rwlock: readers see both halves alike ---- */

static green_rwlock rwlock;
static long left_half, right_half;

static int rwlock_begin(long rounds)
{
    (void)rounds;
    rwlock = (green_rwlock)GREEN_RWLOCK_INIT;
    left_half = right_half = 0;
    return 0;
}

static int rwlock_round(int who, long number)
{
    bool write = (who + number) % 4 == 0, alike = true;
    if ((write ? green_rwlock_write(&rwlock) : green_rwlock_read(&rwlock)) < 0)
        return -1;
    if (write) {
        left_half++;
        green_yield();
        right_half++;
    } else {
        alike = left_half == right_half;
    }
    if (green_rwlock_unlock(&rwlock) < 0 || !alike)
        return wrong();
    return 0;
}

static bool rwlock_end(void)
{
    return left_half == right_half && rwlock.readers == 0 && rwlock.writer == NULL &&
           nobody(&rwlock.waiters);
}

const struct duel duel_rwlock = {"rwlock", rwlock_begin, rwlock_round, NULL, rwlock_end};

/* ---- condition: every item put is taken once ---- */

static green_condition changed;
static int items, put, taken;

static int condition_begin(long rounds)
{
    changed = (green_condition)GREEN_CONDITION_INIT;
    items = put = taken = 0;
    return mutex_begin(rounds);
}

/* With the mutex; who gives up has it, too. */
static int await_item(void)
{
    while (items == 0)
        if (green_condition_wait(&changed, &mutex) < 0)
            return -1;
    items--;
    taken++;
    return 0;
}

static int condition_round(int who, long number)
{
    (void)who;
    if (green_mutex_lock(&mutex) < 0)
        return -1;
    items++;
    put++;
    green_condition_signal(&changed);
    if (number % 2 == 0)
        green_yield();
    green_mutex_unlock(&mutex);
    if (green_mutex_lock(&mutex) < 0)
        return -1;
    int err = await_item() < 0 ? errno : 0;
    if (green_mutex_unlock(&mutex) < 0)
        return wrong();
    errno = err;
    return err == 0 ? 0 : -1;
}

static bool condition_end(void)
{
    return put - taken == items && nobody(&changed.waiters) && mutex_end();
}

const struct duel duel_condition = {"condition", condition_begin, condition_round, NULL,
                                    condition_end};

/* ---- semaphore: never more inside than permits ---- */

static green_semaphore semaphore;
static atomic_int inside;

static int semaphore_begin(long rounds)
{
    (void)rounds;
    semaphore = (green_semaphore)GREEN_SEMAPHORE_BOUNDED_INIT(2);
    return 0;
}

static int semaphore_round(int who, long number)
{
    (void)who;
    if (green_semaphore_acquire(&semaphore) < 0)
        return -1;
    bool crowded = ++inside > 2;
    if (number % 2 == 0)
        green_yield();
    inside--;
    return green_semaphore_release(&semaphore) < 0 || crowded ? wrong() : 0;
}

static bool semaphore_end(void)
{
    return semaphore.count == 2 && nobody(&semaphore.waiters);
}

const struct duel duel_semaphore = {"semaphore", semaphore_begin, semaphore_round, NULL,
                                    semaphore_end};

/* ---- event, result, wait group: each fighter waits for one on its stack, which the next to come
 * finds in the slot and gives. Once the wait is over it is gone. ---- */

struct gift {
    green_event event;
    green_result result;
    green_wait_group group;
};
static _Atomic(struct gift *) slot;
static int (*give)(struct gift *gift);
static int (*receive)(struct gift *gift);

static int exchange_round(int who, long number)
{
    struct gift mine = {GREEN_EVENT_INIT, GREEN_RESULT_INIT, {.count = 1}};
    struct gift *other = atomic_exchange(&slot, &mine), *still = &mine;
    int late = 0;
    (void)who, (void)number;
    if (other != NULL && give(other) < 0)
        return wrong();
    if (receive(&mine) == 0)
        return 0;
    int err = errno;
    if (!atomic_compare_exchange_strong(&slot, &still, NULL))
        green_shield() /* somebody has it already, and will give */
            late = receive(&mine);
    errno = late < 0 ? EPROTO : err;
    return -1;
}

/* Who came last. */
static void exchange_help(void)
{
    struct gift *other = atomic_exchange(&slot, NULL);
    if (other != NULL)
        give(other);
}

static bool exchange_end(void)
{
    return slot == NULL;
}

static int give_event(struct gift *gift)
{
    return green_event_set(&gift->event);
}

static int receive_event(struct gift *gift)
{
    return green_event_wait(&gift->event);
}

static int event_begin(long rounds)
{
    (void)rounds;
    give = give_event;
    receive = receive_event;
    return 0;
}

static int give_result(struct gift *gift)
{
    return green_result_set(&gift->result, gift);
}

static int receive_result(struct gift *gift)
{
    void *value = NULL;
    if (green_result_get(&gift->result, &value) < 0)
        return -1;
    return value == gift ? 0 : wrong();
}

static int result_begin(long rounds)
{
    (void)rounds;
    give = give_result;
    receive = receive_result;
    return 0;
}

static int give_group(struct gift *gift)
{
    return green_wait_group_done(&gift->group);
}

static int receive_group(struct gift *gift)
{
    return green_wait_group_wait(&gift->group);
}

static int group_begin(long rounds)
{
    (void)rounds;
    give = give_group;
    receive = receive_group;
    return 0;
}

const struct duel duel_event = {"event", event_begin, exchange_round, exchange_help, exchange_end};
const struct duel duel_result = {"result", result_begin, exchange_round, exchange_help,
                                 exchange_end};
const struct duel duel_wait_group = {"wait group", group_begin, exchange_round, exchange_help,
                                     exchange_end};

/* ---- barrier: any two meet, and one of them is the last ---- */

static green_barrier barrier;
static atomic_long met[2];

static int barrier_begin(long rounds)
{
    (void)rounds;
    barrier = (green_barrier)GREEN_BARRIER_INIT(2);
    met[0] = met[1] = 0;
    return 0;
}

static int barrier_round(int who, long number)
{
    (void)who, (void)number;
    int last = green_barrier_wait(&barrier);
    if (last >= 0)
        met[last]++;
    return last < 0 ? -1 : 0;
}

static void barrier_help(void)
{
    green_within(100 * GREEN_US)
        barrier_round(0, 0);
}

static bool barrier_end(void)
{
    return met[0] == met[1] && nobody(&barrier.waiters);
}

const struct duel duel_barrier = {"barrier", barrier_begin, barrier_round, barrier_help,
                                  barrier_end};

/* ---- once: six want to do each; some begin and fail ---- */

static struct task {
    green_once once;
    int tried, done;
} * tasks;
static long tasks_count;
static atomic_long arrivals;

static int once_begin(long rounds)
{
    tasks = calloc((size_t)rounds, sizeof *tasks);
    tasks_count = rounds;
    arrivals = 0;
    return tasks != NULL ? 0 : -1;
}

static int do_task(void *arg)
{
    struct task *task = arg;
    if (task->tried++ == 0 && (task - tasks) % 4 == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (green_yield() < 0)
        return -1;
    task->done++;
    return 0;
}

static int once_round(int who, long number)
{
    struct task *task = &tasks[arrivals++ / 6];
    (void)who, (void)number;
    int err = green_once_run(&task->once, do_task, task);
    if (err < 0 && errno == EAGAIN)
        err = green_once_run(&task->once, do_task, task);
    if (err == 0 && task->done != 1)
        return wrong();
    return err;
}

static bool once_end(void)
{
    bool fair = true;
    for (long i = 0; i < tasks_count; i++)
        fair = fair && tasks[i].done <= 1 && nobody(&tasks[i].once.waiters);
    free(tasks);
    return fair;
}

const struct duel duel_once = {"once", once_begin, once_round, NULL, once_end};

/* ---- threads: spawned, joined and cancelled on either hub ---- */

static atomic_int alive;

static int threads_begin(long rounds)
{
    (void)rounds;
    alive = 0;
    return 0;
}

static int sleep_or_not(void *arg)
{
    int err = 0;
    if (arg != NULL)
        err = green_sleep(3600 * GREEN_SEC) < 0 ? errno : 0;
    alive--;
    return err;
}

static int threads_round(int who, long number)
{
    green_spawn_options options = {.hub = green_hub_nth((unsigned)(who + number / 2) % 2)};
    bool sleeps = number % 2 == 0;
    int result = 0;
    alive++;
    green_thread *t = green_spawn_with(&options, sleep_or_not, sleeps ? &alive : NULL);
    if (t == NULL)
        return wrong();
    if (sleeps) {
        green_yield();
        green_cancel(t);
    }
    int err = green_join(t, &result) < 0 ? errno : 0;
    if (err != 0)
        green_shield()
            green_kill(t, &result);
    if (result == -1) /* it never began */
        alive--;
    errno = err;
    return err == 0 ? 0 : -1;
}

static bool threads_end(void)
{
    return alive == 0;
}

const struct duel duel_threads = {"threads", threads_begin, threads_round, NULL, threads_end};
