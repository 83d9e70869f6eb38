/* lives.c - threads, jobs and hubs that begin and end at random, and whoever waits for them: joins,
 * links, results, barriers and the like, under random deadlines, while the waiters are cancelled,
 * thrown at and killed. Everybody hears of each end once.
 *
 *   lives [--seconds S] [--hubs N] [--threads N] [--seed N]
 *
 * A linked thread calls its link exactly once, or it was cut. A job's argument is released once,
 * its function runs unless it was taken back, and then it calls back once. Values of threads are
 * destroyed as often as they were made. OS threads with hubs of their own come and go meanwhile,
 * and are waited for just when they go. Exit status 1 and a line say what went wrong. */
#include "fuzz.h"
#include <string.h>

enum { CHILDREN = 5, PASSING_MOST = 3 };

static green_mutex twice = GREEN_MUTEX_RECURSIVE_INIT;
static long first, second; /* behind it */
static green_key value;    /* inherited, and counted in `values` */
static atomic_int values;
static green_lane *lane;
static atomic_int jobs, released, called_back, to_call_back;
static atomic_int passing; /* OS threads with a hub of their own */

struct worker {
    uint64_t die;
    green_thread *thread;
};

static uint64_t new_die(struct worker *w)
{
    return (uint64_t)draw(&w->die, 1U << 30) * 2 + 1;
}

static green_hub *some_hub(uint64_t *die)
{
    switch (draw(die, 4)) {
    case 0:
        return green_hub_next();
    case 1:
        return green_hub_idlest();
    case 2:
        return green_hub_nth(draw(die, 100));
    default:
        return NULL;
    }
}

/* ---- values of threads ---- */

static void *value_copy(void *v)
{
    atomic_fetch_add(&values, 1);
    return v;
}

static void value_destroy(void *v)
{
    (void)v;
    atomic_fetch_sub(&values, 1);
}

static void set_value(void)
{
    static int something;
    if (green_get_local(value) != NULL)
        return;
    atomic_fetch_add(&values, 1);
    require(green_set_local(value, &something) == 0, "a value cannot be set");
}

static int use_keys(struct worker *w)
{
    green_key key = 0;
    require(green_key_create(&key, NULL) == 0, "too many keys");
    green_set_local(key, w);
    int r = green_yield();
    require(green_get_local(key) == w, "a value is another's");
    green_key_delete(key);
    return r;
}

/* ---- ends ---- */

struct child {
    uint64_t die;
    green_result result;
    green_event event;
    green_barrier *barrier;
    green_wait_group *group;
    green_once *once;
    atomic_int *tally; /* of a meeting: runs of once, last comers */
    green_link link;
    atomic_int called;
    green_thread *thread;
};

static void note_end(green_link *link)
{
    struct child *c = link->arg;
    c->called++;
}

static int live(void *arg)
{
    struct child *c = arg;
    if (draw(&c->die, 4) == 0)
        set_value();
    if (draw(&c->die, 2) == 0)
        green_sleep(draw(&c->die, 200) * GREEN_US);
    green_event_set(&c->event);
    green_result_set(&c->result, c);
    return 7;
}

static void begin(struct worker *w, struct child *c, int (*fn)(void *))
{
    green_spawn_options options = {.hub = some_hub(&w->die), .name = "child"};
    if (draw(&w->die, 8) == 0)
        options.delay = draw(&w->die, 100) * GREEN_US;
    options.background = draw(&w->die, 4) == 0;
    c->die = new_die(w);
    c->thread = green_spawn_with(&options, fn, c);
    require(c->thread != NULL, "a child cannot be started");
}

static void end(struct child *c)
{
    green_shield()
        require(green_join(c->thread, NULL) == 0, "a child cannot be joined");
}

static int wait_for_one(struct worker *w, struct child *c)
{
    void *given = NULL;
    int result = 0, r;
    switch (draw(&w->die, 6)) {
    case 0:
        r = green_result_get(&c->result, &given);
        require(r < 0 || given == c, "a result is another's");
        return r;
    case 1:
        return green_select(GREEN_ENDED(c->thread), GREEN_READY(&c->result));
    case 2:
        green_event_is_set(&c->event);
        return green_select(GREEN_ENDED(c->thread), GREEN_SET(&c->event),
                            GREEN_AFTER(draw(&w->die, 100) * GREEN_US));
    case 3:
        return green_wait_any(&c->thread, 1);
    case 4:
        green_throw(c->thread, EPIPE); /* EALREADY and ESRCH are fine */
        return green_cancel(c->thread);
    default:
        r = green_join(c->thread, &result);
        require(r < 0 || result == 7 || result == -1, "a thread has returned something else");
        if (r == 0)
            c->thread = NULL;
        return r;
    }
}

static int use_child(struct worker *w)
{
    struct child c = {.called = 0};
    begin(w, &c, live);
    bool linked = draw(&w->die, 2) == 0;
    if (linked)
        require(green_link_to(&c.link, c.thread, note_end, &c) == 0, "a thread cannot be linked");
    bool cut = linked && draw(&w->die, 3) == 0;
    if (cut)
        require(green_link_cut(&c.link) == 0, "a link cannot be cut");
    int early = c.called;
    int r = wait_for_one(w, &c);
    int err = errno;
    if (c.thread != NULL)
        end(&c);
    require(!linked || (cut ? c.called == early : c.called == 1), "a link was not called once");
    errno = err;
    return r;
}

static int use_children(struct worker *w)
{
    struct child c[CHILDREN] = {{.called = 0}};
    green_thread *threads[CHILDREN];
    int order[CHILDREN], n = 1 + (int)draw(&w->die, CHILDREN), wanted = (int)draw(&w->die, 6);
    for (int i = 0; i < n; i++) {
        begin(w, &c[i], live);
        threads[i] = c[i].thread;
    }
    int r = green_wait_some(threads, n, wanted <= n ? wanted : n, order);
    int err = errno, over = 0;
    for (int i = 0; i < n && r != 0 && order[i] >= 0; i++)
        over++;
    require(r < 0 ? over <= n : over == r, "not as many ends as wanted");
    green_shield()
        require(green_kill_all(threads, n) == 0, "children cannot be killed");
    errno = err;
    return r;
}

/* ---- meetings ---- */

static int count_once(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    green_yield();
    return 0;
}

static int meet(void *arg)
{
    struct child *c = arg;
    require(green_once_run(c->once, count_once, &c->tally[0]) == 0, "once fails");
    int last = green_barrier_wait(c->barrier);
    require(last >= 0, "a barrier fails");
    atomic_fetch_add(&c->tally[1], last);
    require(green_wait_group_done(c->group) == 0, "a wait group was done too often");
    return 0;
}

static int use_meeting(struct worker *w)
{
    struct child c[CHILDREN] = {{.called = 0}};
    atomic_int tally[2] = {0, 0};
    int n = 2 + (int)draw(&w->die, CHILDREN - 1);
    green_barrier barrier = GREEN_BARRIER_INIT((unsigned)n);
    green_wait_group group = GREEN_WAIT_GROUP_INIT;
    green_once once = GREEN_ONCE_INIT;
    green_wait_group_add(&group, n);
    for (int i = 0; i < n; i++) {
        c[i].barrier = &barrier;
        c[i].group = &group;
        c[i].once = &once;
        c[i].tally = tally;
        begin(w, &c[i], meet);
    }
    int r = green_wait_group_wait(&group), err = errno;
    require(r < 0 || tally[1] == 1, "a meeting was over before its end");
    for (int i = 0; i < n; i++)
        end(&c[i]);
    require(tally[0] == 1 && tally[1] == 1, "once and barrier did not act once");
    errno = err;
    return r;
}

static int use_mutex(struct worker *w)
{
    int r = draw(&w->die, 4) == 0 ? green_mutex_trylock(&twice) : green_mutex_lock(&twice);
    if (r < 0)
        return r;
    require(first == second, "two in a recursive mutex");
    first++;
    green_shield()
        require(green_mutex_lock(&twice) == 0, "a recursive mutex is not");
    if (draw(&w->die, 3) == 0)
        green_yield();
    require(green_mutex_unlock(&twice) == 0, "a mutex was not its locker's");
    second++;
    require(green_mutex_unlock(&twice) == 0, "a mutex was not its locker's any more");
    return 0;
}

/* ---- jobs ---- */

struct job {
    atomic_int ran, told;
    useconds_t pause;
    enum { BUSY, GREEN, NESTED, HOWS } how;
};

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* A job of the same lane, and what it leaves behind on the hub of this OS thread. */
static void nest(void)
{
    green_job *job = green_job_start(&(green_job_options){.lane = lane}, do_nothing, NULL);
    require(job != NULL && green_job_wait(job, NULL) == 0, "a job's job is not done");
    green_job_free(job);
    green_detach(green_spawn(do_nothing, NULL));
}

static int do_job(void *arg)
{
    struct job *j = arg;
    require(atomic_fetch_add(&j->ran, 1) == 0, "a job ran twice");
    if (j->how == BUSY)
        usleep(j->pause);
    else if (j->how == GREEN)
        green_sleep(j->pause * GREEN_US);
    else
        nest();
    return 3;
}

static void release(void *arg)
{
    atomic_fetch_add(&released, 1);
    free(arg);
}

static void done(void *arg, int result)
{
    struct job *j = arg;
    require(j->ran == 1 && result == 3, "a job has called back that did not run");
    j->told = 1;
    atomic_fetch_add(&called_back, 1);
}

/* Its end, or not: as a case beside a time, or by itself. */
static int wait_for_job(struct worker *w, green_job *job, int *result)
{
    int how = (int)draw(&w->die, 3);
    if (how == 0)
        return 1;
    if (how == 1) {
        int r = green_select(GREEN_FINISHED(job), GREEN_AFTER(draw(&w->die, 100) * GREEN_US));
        if (r != 0)
            return r;
    }
    return green_job_wait(job, result);
}

/* `calls_back`: its argument, if it does. */
static int end_job(struct worker *w, green_job *job, const struct job *calls_back)
{
    int result = 3, r = wait_for_job(w, job, &result);
    require(result == 3, "a job's result is another's");
    require(r != 0 || calls_back == NULL || calls_back->told, "a job was over before it was told");
    int err = errno;
    if (draw(&w->die, 2) == 0 && green_job_cancel(job) == 0) {
        if (calls_back != NULL)
            atomic_fetch_sub(&to_call_back, 1);
        green_shield()
            require(green_job_wait(job, NULL) < 0 && errno == ECANCELED, "a cancelled job goes on");
    }
    green_job_free(job);
    errno = err;
    return r;
}

static int use_job(struct worker *w)
{
    struct job *j = calloc(1, sizeof *j), here = {.pause = draw(&w->die, 50)};
    require(j != NULL, "no memory");
    green_hub *hub = some_hub(&w->die);
    bool calls_back = hub != NULL; /* those hubs stay */
    green_job_options options = {draw(&w->die, 4) ? lane : NULL, release, calls_back ? done : NULL,
                                 hub};
    j->pause = draw(&w->die, 200);
    j->how = draw(&w->die, HOWS);
    int how = (int)draw(&w->die, 6), r;
    atomic_fetch_add(&jobs, how > 0);
    if (how == 0) {
        free(j);
        r = green_offload(do_job, &here, NULL);
        require(r < 0 || here.ran == 1, "a function was not run");
        return r;
    }
    if (how == 1) {
        r = green_offload_owned(do_job, j, release, NULL);
        if (r == 0)
            release(j);
        return r;
    }
    atomic_fetch_add(&to_call_back, calls_back);
    green_job *job =
        how == 2 ? green_job_try_start(&options, do_job, j) : green_job_start(&options, do_job, j);
    if (job == NULL) {
        atomic_fetch_sub(&to_call_back, calls_back);
        return -1;
    }
    return end_job(w, job, calls_back ? j : NULL);
}

/* A lane that is freed while its jobs are on their way. */
static int use_own_lane(struct worker *w)
{
    green_lane_options options = {.max = 1 + (int)draw(&w->die, 2), .queue = (int)draw(&w->die, 2)};
    green_job_options own = {.lane = green_lane_make(&options), .release = release};
    green_job *job[3];
    int n = (int)draw(&w->die, 4), r = 0;
    require(own.lane != NULL, "no memory");
    for (int i = 0; i < n; i++) {
        struct job *j = calloc(1, sizeof *j);
        require(j != NULL, "no memory");
        j->pause = draw(&w->die, 100);
        atomic_fetch_add(&jobs, 1);
        job[i] = green_job_start(&own, do_job, j);
    }
    green_lane_free(own.lane);
    for (int i = 0; i < n; i++)
        r = job[i] == NULL ? -1 : end_job(w, job[i], NULL);
    return r;
}

static int use_lane(struct worker *w)
{
    green_lane_stats stats;
    int max = (int)draw(&w->die, 4);
    green_lane_stats_get(lane, &stats);
    require(stats.idle >= 0 && stats.queued >= 0 && stats.threads >= stats.idle, "odd figures");
    if (draw(&w->die, 2) == 0)
        return green_lane_resize(lane, max / 2, max);
    return draw(&w->die, 2) == 0 ? green_lane_set_queue(lane, (int)draw(&w->die, 4))
                                 : green_lane_set_idle(lane, draw(&w->die, 300) * GREEN_US);
}

/* ---- hubs ---- */

static void count_here(void *arg)
{
    ++*(int *)arg;
}

static int use_hub(struct worker *w)
{
    green_hub_stats stats;
    int n = 0;
    green_hub *hub = some_hub(&w->die);
    if (hub == NULL)
        hub = green_hub_self();
    require(green_hub_run(hub, count_here, &n) == 0 && n == 1, "a function was not run once");
    return green_hub_stats_get(hub, &stats);
}

/* An OS thread whose hub ends when the waiter waits for its thread, or has given up. */
struct passing {
    struct child child;
    green_thread *waiter;
    green_event ready, over;
    atomic_bool left;
};

static int sleep_long(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC) < 0 ? -1 : 0;
}

static bool waits(green_thread *thread)
{
    green_thread_info info;
    return green_thread_info_get(thread, &info) == 0 &&
           (strncmp(info.waits_for, "end of thread", 13) == 0 ||
            strncmp(info.waits_for, "select", 6) == 0);
}

static void *pass_by(void *arg)
{
    struct passing *p = arg;
    p->child.thread = green_spawn(sleep_long, NULL);
    green_detach(green_spawn(sleep_long, NULL));
    require(green_link_to(&p->child.link, p->child.thread, note_end, &p->child) == 0, "no link");
    green_event_set(&p->ready);
    while (!p->left && !waits(p->waiter))
        green_yield();
    return NULL; /* the hub ends, and `over` is set by the link */
}

static void note_passing(green_link *link)
{
    struct child *c = link->arg;
    struct passing *p = (struct passing *)(void *)c; /* its first */
    c->called++;
    green_event_set(&p->over);
}

static int wait_for_passing(struct worker *w, struct passing *p)
{
    if (draw(&w->die, 2) == 0)
        return green_join(p->child.thread, NULL);
    return green_select(GREEN_ENDED(p->child.thread), GREEN_NEVER);
}

static int use_passing(struct worker *w)
{
    struct passing p = {.waiter = green_self()};
    green_link link;
    pthread_t thread;
    int r = -1;
    if (atomic_fetch_add(&passing, 1) >= PASSING_MOST ||
        pthread_create(&thread, NULL, pass_by, &p) != 0) {
        atomic_fetch_sub(&passing, 1);
        return green_yield();
    }
    green_shield() {
        require(green_event_wait(&p.ready) == 0, "a passing hub is not ready");
        require(green_link_to(&link, p.child.thread, note_passing, &p.child) == 0, "no link");
    }
    green_within(draw(&w->die, 400) * GREEN_US)
        r = wait_for_passing(w, &p);
    int err = errno;
    p.left = true;
    green_shield()
        require(green_event_wait(&p.over) == 0, "a passing hub does not end");
    require(p.child.called == 2, "two links were not called");
    require(green_link_cut(&link) == 0 && green_link_cut(&p.child.link) == 0, "links stay");
    pthread_join(thread, NULL); /* a moment */
    atomic_fetch_sub(&passing, 1);
    errno = err;
    return r;
}

/* ---- the whole ---- */

static int step(struct worker *w)
{
    static int (*const moves[])(struct worker *) = {
        use_child, use_children, use_meeting, use_mutex,   use_keys, use_job,
        use_job,   use_own_lane, use_lane,    use_passing, use_hub,
    };
    int (*move)(struct worker *) = moves[draw(&w->die, sizeof moves / sizeof moves[0])];
    int r = -1;
    green_within(draw_bound(&w->die))
        r = move(w);
    require(r >= 0 || errno != EDEADLK, "told of a deadlock that is none");
    return r;
}

static int work(void *arg)
{
    struct worker *w = arg;
    set_value();
    while (!stop)
        if (step(w) < 0 && errno == ECANCELED && draw(&w->die, 2) == 0)
            break;
    return 0;
}

static void start(struct worker *w)
{
    const green_spawn_options options = {.hub = green_hub_next(), .name = "worker"};
    w->thread = green_spawn_with(&options, work, w);
    require(w->thread != NULL, "a thread could not be started");
}

static void disturb(struct worker *w, uint64_t *die)
{
    switch (draw(die, 4)) {
    case 0:
        require(green_kill(w->thread, NULL) == 0, "a worker could not be killed");
        start(w);
        break;
    case 1:
        green_throw(w->thread, EINTR);
        break;
    case 2: /* nobody is left waiting for room in a lane that does nothing */
        green_lane_resize(lane, 0, 1 + (int)draw(die, 3));
        break;
    default:
        green_sleep(draw(die, 500) * GREEN_US);
    }
}

static void run(void)
{
    struct worker *workers = calloc((size_t)count, sizeof *workers);
    uint64_t die = seed;
    require(workers != NULL, "no memory");
    for (int i = 0; i < count; i++) {
        workers[i].die = seed * 31 + (uint64_t)i;
        start(&workers[i]);
    }
    for (int64_t end_at = green_now() + seconds * GREEN_SEC; green_now() < end_at;)
        disturb(&workers[draw(&die, (uint32_t)count)], &die);
    stop = true;
    green_lane_resize(lane, 0, 3);
    for (int i = 0; i < count; i++)
        require(green_kill(workers[i].thread, NULL) == 0, "a worker could not be killed");
    free(workers);
}

/* What was left behind comes to its end by itself. */
static void wait_until_equal(atomic_int *a, atomic_int *b, const char *what)
{
    for (int i = 0; i < 20000 && *a != *b; i++)
        green_sleep(GREEN_MS);
    require(*a == *b, what);
}

int main(int argc, char **argv)
{
    static atomic_int none;
    green_key_options inherited = {value_destroy, true, value_copy};
    fuzz_begin(argc, argv,
               "usage: lives [--seconds S] [--hubs N] [--threads N] [--seed N]\n"
               "Threads, jobs and hubs that begin and end (10 s, 2 hubs, 40 threads).\n");
    lane = green_lane_make(&(green_lane_options){.name = "lives", .max = 2, .queue = 3});
    require(lane != NULL && green_key_create_with(&value, &inherited) == 0, "no memory");
    run();
    wait_until_equal(&released, &jobs, "not each job was released once");
    wait_until_equal(&called_back, &to_call_back, "not each job has called back once");
    require(values == none, "values are left");
    green_lane_free(lane);
    fuzz_end();
    return 0;
}
