/* chaos.c - threads of several hubs do random things to what they share, under random deadlines,
 * while they are cancelled, thrown at, killed and started again; and nothing may be lost.
 *
 *   chaos [--seconds S] [--hubs N] [--threads N] [--seed N]
 *
 * Tokens wander through channels, queues and a box with conditions: each is either in somebody's
 * hand or on its way, never both, never twice, and all are there at the end. Pairs of numbers
 * behind locks are always equal. A semaphore never has more holders than permits. If nothing
 * happens for a while, all threads are dumped. Exit status 1 and a line say what went wrong. */
#include "fuzz.h"

enum { TOKENS = 48, KINDS = 3, PERMITS = 3, BOX_SIZE = 4, NONE = -1 };

static green_chan *chans[KINDS];
static green_queue *queues[KINDS];
static green_queue *lost; /* tokens that ending threads had in their hands */
static struct pair {
    green_mutex mutex;
    green_rwlock lock;
    long a, b; /* behind the mutex */
    long x, y; /* behind the rwlock */
} pairs[KINDS];
static green_semaphore permits = GREEN_SEMAPHORE_BOUNDED_INIT(PERMITS);
static atomic_int holders;
static green_event event;
static struct {
    green_mutex mutex;
    green_condition room, filled;
    int tokens[BOX_SIZE], count;
} box;

static atomic_bool held[TOKENS]; /* in somebody's hand, or else on its way */

/* ---- tokens ---- */

static void let_go(int token)
{
    require(atomic_exchange(&held[token], false), "a token was given that nobody held");
}

static void get_hold(int token)
{
    require(!atomic_exchange(&held[token], true), "a token was had twice");
}

struct worker {
    uint64_t die;
    int hand; /* a token, or NONE */
    green_thread *thread;
};

/* A call that was to give the token away has returned. */
static int gave(struct worker *w, int result)
{
    if (result < 0)
        get_hold(w->hand);
    else
        w->hand = NONE;
    return result;
}

static int took(struct worker *w, int result, int token)
{
    if (result > 0) {
        get_hold(token);
        w->hand = token;
    }
    return result;
}

static int use_chan(struct worker *w)
{
    green_chan *c = chans[draw(&w->die, KINDS)];
    int token = w->hand;
    if (token == NONE) {
        int r = draw(&w->die, 4) == 0 ? green_chan_try_recv(c, &token) : green_chan_recv(c, &token);
        return took(w, r, token);
    }
    let_go(token);
    return gave(w, draw(&w->die, 4) == 0 ? green_chan_try_send(c, &token)
                                         : green_chan_send(c, &token));
}

static int use_queue(struct worker *w)
{
    green_queue *q = queues[draw(&w->die, KINDS)];
    void *item = (void *)(long)w->hand;
    if (w->hand == NONE) {
        int r = draw(&w->die, 4) == 0 ? green_queue_try_get(q, &item) : green_queue_get(q, &item);
        return took(w, r, (int)(long)item);
    }
    let_go(w->hand);
    return gave(w, draw(&w->die, 4) == 0 ? green_queue_try_put(q, item) : green_queue_put(q, item));
}

static int put_in_box(int token)
{
    int err = 0;
    while (box.count == BOX_SIZE && err == 0)
        err = green_condition_wait(&box.room, &box.mutex);
    if (err == 0) {
        box.tokens[box.count++] = token;
        green_condition_signal(&box.filled);
    }
    return err;
}

static int take_from_box(int *token)
{
    int err = 0;
    while (box.count == 0 && err == 0)
        err = green_condition_wait(&box.filled, &box.mutex);
    if (err < 0) {
        green_condition_signal(&box.filled); /* it may have been for us */
        return err;
    }
    *token = box.tokens[--box.count];
    green_condition_signal(&box.room);
    return 1;
}

static int use_box(struct worker *w)
{
    int token = w->hand, r;
    if (green_mutex_lock(&box.mutex) < 0)
        return -1;
    if (token == NONE) {
        r = take_from_box(&token);
        r = took(w, r, token);
    } else {
        let_go(token);
        r = gave(w, put_in_box(token));
        if (r < 0)
            green_condition_signal(&box.room);
    }
    require(green_mutex_unlock(&box.mutex) == 0, "the box was not locked by who used it");
    return r;
}

static void dawdle(struct worker *w)
{
    if (draw(&w->die, 3) == 0)
        green_yield();
}

static void use_permit(struct worker *w)
{
    require(atomic_fetch_add(&holders, 1) < PERMITS, "more holders than permits");
    dawdle(w);
    atomic_fetch_sub(&holders, 1);
    require(green_semaphore_release(&permits) == 0, "a permit too many");
}

/* A case that gives the token away, or takes one. */
static green_case draw_case(struct worker *w, int *token, void **item, int *got)
{
    green_chan *c = chans[draw(&w->die, KINDS)];
    green_queue *q = queues[draw(&w->die, KINDS)];
    if (w->hand != NONE)
        return draw(&w->die, 2) ? GREEN_SEND(c, token) : GREEN_PUT(q, *item);
    return draw(&w->die, 2) ? GREEN_RECV_OK(c, token, got) : GREEN_GET_OK(q, item, got);
}

static int use_select(struct worker *w)
{
    enum { PASSES = 3, PERMIT = PASSES, EVENT, AFTER, CASES };
    int tokens[PASSES], got[PASSES];
    void *items[PASSES];
    green_case cases[CASES];
    if (w->hand != NONE)
        let_go(w->hand);
    for (int i = 0; i < PASSES; i++) {
        tokens[i] = w->hand;
        items[i] = (void *)(long)w->hand;
        cases[i] = draw_case(w, &tokens[i], &items[i], &got[i]);
    }
    cases[PERMIT] = GREEN_ACQUIRE(draw(&w->die, 2) ? &permits : NULL);
    cases[EVENT] = GREEN_SET(draw(&w->die, 4) ? NULL : &event);
    cases[AFTER] = GREEN_AFTER(draw(&w->die, 3) == 0 ? 0 : draw(&w->die, 300) * GREEN_US);
    int which = green_select_cases(cases, draw(&w->die, 8) == 0 ? AFTER : CASES);
    bool passed = which >= 0 && which < PASSES;
    if (w->hand != NONE)
        gave(w, passed ? 0 : -1);
    else if (passed)
        took(w, got[which], tokens[which] != NONE ? tokens[which] : (int)(long)items[which]);
    if (which == PERMIT)
        use_permit(w);
    return which;
}

/* Permits and the event, as many as there are in a while. */
static int use_several(struct worker *w)
{
    green_case cases[] = {GREEN_ACQUIRE(&permits), GREEN_SET(&event), GREEN_ACQUIRE(&permits),
                          GREEN_AFTER(draw(&w->die, 300) * GREEN_US)};
    int order[4], wanted = 1 + (int)draw(&w->die, 4);
    int n = green_wait_cases(cases, 4, wanted, order);
    require(n < 0 || (n == wanted && order[n - 1] >= 0), "not as many as wanted");
    for (int i = 0; i < 4 && order[i] >= 0; i++)
        if (order[i] == 0 || order[i] == 2)
            use_permit(w);
    return n;
}

/* ---- locks ---- */

static int use_mutex(struct worker *w)
{
    struct pair *p = &pairs[draw(&w->die, KINDS)];
    int r = draw(&w->die, 4) == 0 ? green_mutex_trylock(&p->mutex) : green_mutex_lock(&p->mutex);
    if (r < 0)
        return r;
    require(p->a == p->b, "two in a mutex at once");
    p->a++;
    dawdle(w);
    p->b++;
    require(green_mutex_unlock(&p->mutex) == 0, "a mutex was not its locker's");
    return 0;
}

static int use_rwlock(struct worker *w)
{
    struct pair *p = &pairs[draw(&w->die, KINDS)];
    bool write = draw(&w->die, 3) == 0;
    if ((write ? green_rwlock_write(&p->lock) : green_rwlock_read(&p->lock)) < 0)
        return -1;
    require(p->x == p->y, "a writer was not alone");
    if (write)
        p->x++;
    dawdle(w);
    if (write)
        p->y++;
    require(p->x == p->y, "a reader was not alone with readers");
    require(green_rwlock_unlock(&p->lock) == 0, "a rwlock was not its locker's");
    return 0;
}

static int use_semaphore(struct worker *w)
{
    int r =
        draw(&w->die, 4) == 0 ? green_semaphore_try(&permits) : green_semaphore_acquire(&permits);
    if (r == 0)
        use_permit(w);
    return r;
}

static int use_event(struct worker *w)
{
    switch (draw(&w->die, 3)) {
    case 0:
        return green_event_set(&event);
    case 1:
        return green_event_clear(&event);
    default:
        return green_event_wait(&event);
    }
}

static int use_time(struct worker *w)
{
    return draw(&w->die, 2) == 0 ? green_yield() : green_sleep(draw(&w->die, 200) * GREEN_US);
}

/* ---- threads ---- */

static int step(struct worker *w)
{
    static int (*const moves[])(struct worker *) = {
        use_chan,  use_queue,  use_box,       use_select, use_several,
        use_mutex, use_rwlock, use_semaphore, use_event,  use_time,
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
    while (!stop)
        if (step(w) < 0 && errno == ECANCELED)
            break;
    if (w->hand != NONE) {
        let_go(w->hand);
        green_shield()
            require(green_queue_put(lost, (void *)(long)w->hand) == 0, "nowhere to put a token");
        w->hand = NONE;
    }
    return 0;
}

/* With a lost token, if there is one; a worker that never ran still has the one it was given. */
static void start(struct worker *w)
{
    const green_spawn_options options = {.hub = green_hub_next(), .name = "worker"};
    void *item;
    if (w->hand == NONE && green_queue_try_get(lost, &item) > 0) {
        w->hand = (int)(long)item;
        get_hold(w->hand);
    }
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
        green_throw(w->thread, EINTR); /* EALREADY is fine */
        break;
    case 2:
        green_cancel(w->thread);
        green_within(draw(die, 200) * GREEN_US)
            if (green_join(w->thread, NULL) == 0)
                start(w);
        break;
    default:
        green_sleep(draw(die, 500) * GREEN_US);
    }
}

/* ---- the whole ---- */

static int by_number(const void *a, const void *b)
{
    return (int)((long)a - (long)b);
}

static void open_all(void)
{
    static const size_t capacities[KINDS] = {0, 1, 7};
    const green_queue_options options[KINDS] = {
        {.limit = 2},
        {.order = GREEN_QUEUE_LIFO},
        {.order = GREEN_QUEUE_PRIORITY, .limit = 5, .compare = by_number},
    };
    lost = green_queue_make(NULL);
    for (int i = 0; i < KINDS; i++) {
        chans[i] = green_chan_make(sizeof(int), capacities[i]);
        queues[i] = green_queue_make(&options[i]);
        require(chans[i] != NULL && queues[i] != NULL && lost != NULL, "no memory");
    }
}

/* All tokens are found, each once. */
static int count_tokens(void)
{
    int found = 0, token;
    void *item;
    for (int i = 0; i < KINDS; i++) {
        for (; green_chan_try_recv(chans[i], &token) > 0; found++)
            get_hold(token);
        for (; green_queue_try_get(queues[i], &item) > 0; found++)
            get_hold((int)(long)item);
        green_chan_free(chans[i]);
        green_queue_free(queues[i]);
    }
    for (; green_queue_try_get(lost, &item) > 0; found++)
        get_hold((int)(long)item);
    for (; box.count > 0; found++)
        get_hold(box.tokens[--box.count]);
    green_queue_free(lost);
    return found;
}

static void run(void)
{
    struct worker *workers = calloc((size_t)count, sizeof *workers);
    uint64_t die = seed;
    require(workers != NULL, "no memory");
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.die = seed * 31 + (uint64_t)i, .hand = NONE};
        start(&workers[i]);
    }
    for (int64_t end = green_now() + seconds * GREEN_SEC; green_now() < end;)
        disturb(&workers[draw(&die, (uint32_t)count)], &die);
    stop = true;
    for (int i = 0; i < count; i++) {
        require(green_kill(workers[i].thread, NULL) == 0, "a worker could not be killed");
        if (workers[i].hand != NONE) { /* it never ran */
            let_go(workers[i].hand);
            require(green_queue_put(lost, (void *)(long)workers[i].hand) == 0, "no memory");
        }
    }
    free(workers);
}

int main(int argc, char **argv)
{
    fuzz_begin(argc, argv,
               "usage: chaos [--seconds S] [--hubs N] [--threads N] [--seed N]\n"
               "Random things done to channels, queues, locks ... (10 s, 2 hubs, 40 threads).\n");
    open_all();
    for (long token = 0; token < TOKENS; token++)
        require(green_queue_put(lost, (void *)token) == 0, "no memory");
    run();
    require(count_tokens() == TOKENS, "tokens were lost");
    fuzz_end();
    return 0;
}
