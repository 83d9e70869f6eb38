/* bench_sync.c - what threads of one hub share: the cost of a step that need not wait, and of one
 * that does (CPU time). What hubs share is in bench_hubs. */
#include "bench.h"
#include <green/barrier.h>
#include <green/channel.h>
#include <green/condition.h>
#include <green/event.h>
#include <green/link.h>
#include <green/mutex.h>
#include <green/pool.h>
#include <green/queue.h>
#include <green/rwlock.h>
#include <green/select.h>
#include <green/semaphore.h>
#include <green/thread.h>
#include <green/wait_group.h>

/* ---- alone: nobody waits ---- */

static green_mutex mutex = GREEN_MUTEX_INIT;
static green_semaphore permits = GREEN_SEMAPHORE_INIT(1);
static green_rwlock rwlock = GREEN_RWLOCK_INIT;
static green_event event = GREEN_EVENT_INIT;

static void lock_unlock(long n)
{
    while (n-- > 0) {
        green_mutex_lock(&mutex);
        green_mutex_unlock(&mutex);
    }
}

static void acquire_release(long n)
{
    while (n-- > 0) {
        green_semaphore_acquire(&permits);
        green_semaphore_release(&permits);
    }
}

static void read_unlock(long n)
{
    while (n-- > 0) {
        green_rwlock_read(&rwlock);
        green_rwlock_unlock(&rwlock);
    }
}

static void set_wait_clear(long n)
{
    while (n-- > 0) {
        green_event_set(&event);
        green_event_wait(&event);
        green_event_clear(&event);
    }
}

static void put_get(long n)
{
    green_queue *q = green_queue_make(NULL);
    for (void *item = NULL; n > 0; n--) {
        green_queue_put(q, &mutex);
        green_queue_get(q, &item);
    }
    green_queue_free(q);
}

static void send_receive(long n)
{
    green_chan *c = green_chan_make(sizeof n, 1);
    for (; n > 0; n--) {
        green_chan_send(c, &n);
        green_chan_recv(c, &n);
    }
    green_chan_free(c);
}

/* ---- a word to another thread and back ---- */

/* Run `there` on a thread of its own and `here` on this one. */
static void meet(int (*there)(void *), int (*here)(void *), long n)
{
    green_thread *t = green_spawn(there, (void *)n);
    here((void *)n);
    green_join(t, NULL);
}

/* Each hands the mutex to the other, who stands in line. */
static int lock_in_turn(void *n)
{
    for (long i = (long)n; i > 0; i--) {
        green_mutex_lock(&mutex);
        green_yield();
        green_mutex_unlock(&mutex);
    }
    return 0;
}

static void hand_mutex(long n)
{
    meet(lock_in_turn, lock_in_turn, n / 2);
}

static green_semaphore there = GREEN_SEMAPHORE_INIT(0), back = GREEN_SEMAPHORE_INIT(0);

static int answer_permit(void *n)
{
    for (long i = (long)n; i > 0; i--) {
        green_semaphore_acquire(&there);
        green_semaphore_release(&back);
    }
    return 0;
}

static int ask_permit(void *n)
{
    for (long i = (long)n; i > 0; i--) {
        green_semaphore_release(&there);
        green_semaphore_acquire(&back);
    }
    return 0;
}

static void semaphores(long n)
{
    meet(answer_permit, ask_permit, n);
}

static green_condition turned = GREEN_CONDITION_INIT;
static bool turn;

static int take_turns(bool mine, long n)
{
    green_mutex_lock(&mutex);
    while (n-- > 0) {
        while (turn != mine)
            green_condition_wait(&turned, &mutex);
        turn = !mine;
        green_condition_signal(&turned);
    }
    green_mutex_unlock(&mutex);
    return 0;
}

static int take_turns_there(void *n)
{
    return take_turns(true, (long)n);
}

static int take_turns_here(void *n)
{
    return take_turns(false, (long)n);
}

static void conditions(long n)
{
    meet(take_turns_there, take_turns_here, n);
}

static green_barrier barrier = GREEN_BARRIER_INIT(2);

static int meet_often(void *n)
{
    for (long i = (long)n; i > 0; i--)
        green_barrier_wait(&barrier);
    return 0;
}

static void barriers(long n)
{
    meet(meet_often, meet_often, n);
}

static green_queue *jobs, *done;

static int work(void *arg)
{
    for (void *job; green_queue_get(jobs, &job) > 0;)
        green_queue_put(done, job);
    return arg != NULL;
}

static int give_work(void *n)
{
    void *job;
    for (long i = (long)n; i > 0; i--) {
        green_queue_put(jobs, &jobs);
        green_queue_get(done, &job);
    }
    green_queue_shutdown(jobs, false);
    return 0;
}

static void queues(long n)
{
    jobs = green_queue_make(NULL);
    done = green_queue_make(NULL);
    meet(work, give_work, n);
    green_queue_free(jobs);
    green_queue_free(done);
}

/* ---- many at once ---- */

enum { MANY = 1000 };

static green_chan *in[MANY];
static green_case cases[MANY];
static int cases_count;

static void cases_open(int count, size_t capacity)
{
    cases_count = count;
    for (int i = 0; i < count; i++) {
        in[i] = green_chan_make(0, capacity);
        cases[i] = green_case_recv(in[i], NULL, NULL);
    }
}

static void cases_close(void)
{
    for (int i = 0; i < cases_count; i++)
        green_chan_free(in[i]);
}

/* One comes up at once. */
static void select_at_once(long n, int count)
{
    cases_open(count, 1);
    while (n-- > 0) {
        green_chan_send(in[n % count], NULL);
        green_select_cases(cases, count);
    }
    cases_close();
}

static int send_in_turn(void *n)
{
    for (long i = (long)n; i > 0; i--) {
        green_chan_send(in[i % cases_count], NULL);
        green_yield();
    }
    return 0;
}

static int select_often(void *n)
{
    for (long i = (long)n; i > 0; i--)
        green_select_cases(cases, cases_count);
    return 0;
}

/* It waits for all; one comes up. */
static void select_waiting(long n, int count)
{
    cases_open(count, 0);
    meet(send_in_turn, select_often, n);
    cases_close();
}

static void select_2_at_once(long n)
{
    select_at_once(n, 2);
}

static void select_4_at_once(long n)
{
    select_at_once(n, 4);
}

static void select_64_at_once(long n)
{
    select_at_once(n, 64);
}

static void select_2(long n)
{
    select_waiting(n, 2);
}

static void select_4(long n)
{
    select_waiting(n, 4);
}

static void select_64(long n)
{
    select_waiting(n, 64);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Threads that live at the same time, `count` of them; with or without waiting for all ends before
 * they are joined. */
static void live(long n, int count, bool wait)
{
    static green_thread *threads[MANY];
    for (; n > 0; n -= count) {
        for (int i = 0; i < count; i++)
            threads[i] = green_spawn(nothing, NULL);
        if (wait)
            green_wait_all(threads, count);
        for (int i = 0; i < count; i++)
            green_join(threads[i], NULL);
    }
}

static void join_1000(long n)
{
    live(n, 1000, false);
}

static void wait_100(long n)
{
    live(n, 100, true);
}

static void wait_1000(long n)
{
    live(n, 1000, true);
}

static int finish(void *group)
{
    return green_wait_group_done(group);
}

static void wait_group(long n)
{
    green_wait_group g = GREEN_WAIT_GROUP_INIT;
    for (; n > 0; n -= MANY) {
        green_wait_group_add(&g, MANY);
        for (int i = 0; i < MANY; i++)
            green_detach(green_spawn(finish, &g));
        green_wait_group_wait(&g);
    }
}

static void map_pool(long n)
{
    static char items[MANY];
    green_pool pool = GREEN_POOL_INIT(8);
    for (; n > 0; n -= MANY)
        green_pool_map(&pool, nothing, items, MANY, 1);
    green_pool_join(&pool);
}

int main(void)
{
    measure("mutex lock + unlock", lock_unlock, 10000000);
    measure("semaphore acquire + release", acquire_release, 10000000);
    measure("rwlock read + unlock", read_unlock, 10000000);
    measure("event set + wait + clear", set_wait_clear, 10000000);
    measure("queue put + get", put_get, 10000000);
    measure("channel send + receive, buffered", send_receive, 10000000);
    measure("mutex handed to who waits (and a yield)", hand_mutex, 1000000);
    measure("semaphores, there and back", semaphores, 1000000);
    measure("condition, there and back", conditions, 1000000);
    measure("barrier of 2, a round", barriers, 1000000);
    measure("queues, there and back", queues, 1000000);
    measure("select, 1 of 2 at once (and a send)", select_2_at_once, 1000000);
    measure("select, 1 of 4 at once", select_4_at_once, 1000000);
    measure("select, 1 of 64 at once", select_64_at_once, 100000);
    measure("select, waits for 2 (and a send, a yield)", select_2, 1000000);
    measure("select, waits for 4", select_4, 1000000);
    measure("select, waits for 64", select_64, 100000);
    measure("spawn + join, 1,000 threads", join_1000, 100000);
    measure("the same and green_wait_all before, 100", wait_100, 100000);
    measure("the same and green_wait_all before, 1,000", wait_1000, 100000);
    measure("spawn + wait group, 1,000 threads", wait_group, 100000);
    measure("pool of 8, map of 1,000, an item", map_pool, 100000);
    return 0;
}
