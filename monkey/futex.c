/* futex.c - see futex.h.
 *
 * A waiter stands on its thread's stack, in a table by the word's address. Only one OS thread runs
 * the program's threads, so between looking at a word and queueing nothing can happen.
 *
 * A futex that is not private may be woken by another process. Nearly all of them are not meant
 * so (libc's pthread_join is one), and the kernel cannot be waited in without stopping everyone:
 * such a waiter looks at the word again now and then. */
#include "futex.h"
#include "intercept.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <limits.h>
#include <time.h>

enum { SLOTS = 4096, ALL_BITS = -1 };
static const int64_t look_first = 1 * GREEN_MS;
static const int64_t look_most = 100 * GREEN_MS;

struct futex_wait {
    struct list link; /* in its slot of the table, FIFO */
    uint32_t *word;
    uint32_t bits;
    int tid;                 /* of a PI futex's waiter: the owner to be */
    struct wait_queue queue; /* the one thread */
};

static struct list table[SLOTS];

static struct list *slot_of(const uint32_t *word)
{
    struct list *slot = &table[((uintptr_t)word * 0x9e3779b97f4a7c15u) >> 52];
    if (slot->next == NULL)
        list_init(slot);
    return slot;
}

void futex_forked(void)
{
    for (int i = 0; i < SLOTS; i++)
        table[i].next = NULL;
}

/* ---- waking ---- */

/* False if it has left its queue already, by time or by a signal, and only not run yet. */
static bool release(struct futex_wait *w)
{
    list_remove(&w->link);
    return wake_first(&w->queue, 0);
}

static int wake_some(uint32_t *word, int most, uint32_t bits)
{
    int woken = 0;
    struct list *slot = slot_of(word), *next;
    for (struct list *l = slot->next; l != slot && woken < most; l = next) {
        struct futex_wait *w = CONTAINER(l, struct futex_wait, link);
        next = l->next;
        if (w->word == word && (w->bits & bits) != 0 && release(w))
            woken++;
    }
    return woken;
}

static long wake_bits(uint32_t *word, int most, uint32_t bits, bool shared)
{
    long woken = wake_some(word, most, bits);
    if (shared && woken < most) {
        long more = SYS6(SYS_futex, word, FUTEX_WAKE_BITSET, most - (int)woken, NULL, NULL, bits);
        woken += more > 0 ? more : 0;
    }
    return woken;
}

long futex_wake(uint32_t *word, int most, bool shared)
{
    return wake_bits(word, most, (uint32_t)ALL_BITS, shared);
}

/* ---- waiting ---- */

/* Queue and park. 0: woken; -ETIMEDOUT, -EINTR. */
static long wait_in_line(struct futex_wait *w, int64_t until)
{
    list_append(slot_of(w->word), &w->link);
    long r = park(self_hub(), &w->queue, WAIT_BACK, until, "futex", (long)w->word);
    list_remove(&w->link);
    return r;
}

/* Is the word the end of a thread of ours, which nobody else sets? */
static bool is_end_of_thread(const uint32_t *word, uint32_t value)
{
    struct task *t = task_find((int)value);
    return t != NULL && (uint32_t *)t->clear_tid == word;
}

static long wait_shared(struct futex_wait *w, uint32_t value, int64_t until)
{
    for (int64_t pause = look_first;; pause = pause < look_most ? pause * 2 : pause) {
        int64_t look = hub_clock() + pause;
        long r = wait_in_line(w, look < until ? look : until);
        if (r != -ETIMEDOUT || look >= until)
            return r;
        if (__atomic_load_n(w->word, __ATOMIC_SEQ_CST) != value)
            return 0;
    }
}

static long wait_bits(uint32_t *word, uint32_t value, int64_t until, uint32_t bits, bool shared)
{
    struct futex_wait w = {.word = word, .bits = bits};
    if (bits == 0)
        return -EINVAL;
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
        return -EAGAIN;
    if (!shared || is_end_of_thread(word, value))
        return wait_in_line(&w, until);
    return wait_shared(&w, value, until);
}

/* When a call's time is up on CLOCK_MONOTONIC; -EINVAL. */
static int64_t until_of(const struct timespec *t, bool relative, bool realtime)
{
    struct timespec now;
    if (t == NULL)
        return INT64_MAX;
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= GREEN_SEC)
        return -EINVAL;
    if (t->tv_sec > INT64_MAX / GREEN_SEC / 2)
        return INT64_MAX;
    int64_t ns = t->tv_sec * GREEN_SEC + t->tv_nsec;
    if (relative)
        return hub_clock() + ns;
    if (!realtime)
        return ns;
    clock_gettime(CLOCK_REALTIME, &now);
    return ns - (now.tv_sec * GREEN_SEC + now.tv_nsec) + hub_clock();
}

/* ---- requeueing, and waking by an operation ---- */

static long requeue(struct call *c, bool compare, bool shared)
{
    uint32_t *from = (uint32_t *)c->arg[0], *to = (uint32_t *)c->arg[4];
    int most = (int)c->arg[3], moved = 0;
    if (compare && __atomic_load_n(from, __ATOMIC_SEQ_CST) != (uint32_t)c->arg[5])
        return -EAGAIN;
    int woken = (int)wake_bits(from, (int)c->arg[2], (uint32_t)ALL_BITS, shared);
    struct list *slot = slot_of(from), *target = slot_of(to), *next;
    struct list *end = slot->prev;
    for (struct list *l = slot->next; !list_empty(slot) && moved < most; l = next) {
        struct futex_wait *w = CONTAINER(l, struct futex_wait, link);
        bool last = l == end; /* those moved to the same slot come after it */
        next = l->next;
        if (w->word == from) {
            list_remove(&w->link);
            w->word = to;
            list_append(target, &w->link);
            moved++;
        }
        if (last)
            break;
    }
    return compare ? woken + moved : woken;
}

static uint32_t operate(uint32_t *word, uint32_t op)
{
    uint32_t by = op >> 12 & 0xfff;
    if ((op >> 28 & FUTEX_OP_OPARG_SHIFT) != 0)
        by = 1u << (by & 31);
    switch (op >> 28 & 7) {
    case FUTEX_OP_SET:
        return __atomic_exchange_n(word, by, __ATOMIC_SEQ_CST);
    case FUTEX_OP_ADD:
        return __atomic_fetch_add(word, by, __ATOMIC_SEQ_CST);
    case FUTEX_OP_OR:
        return __atomic_fetch_or(word, by, __ATOMIC_SEQ_CST);
    case FUTEX_OP_ANDN:
        return __atomic_fetch_and(word, ~by, __ATOMIC_SEQ_CST);
    default:
        return __atomic_fetch_xor(word, by, __ATOMIC_SEQ_CST);
    }
}

static bool holds(int old, uint32_t op)
{
    int than = (int)(op << 20) >> 20;
    switch (op >> 24 & 15) {
    case FUTEX_OP_CMP_EQ:
        return old == than;
    case FUTEX_OP_CMP_NE:
        return old != than;
    case FUTEX_OP_CMP_LT:
        return old < than;
    case FUTEX_OP_CMP_LE:
        return old <= than;
    case FUTEX_OP_CMP_GT:
        return old > than;
    default:
        return old >= than;
    }
}

static long wake_op(struct call *c, bool shared)
{
    uint32_t op = (uint32_t)c->arg[5];
    uint32_t *other = (uint32_t *)c->arg[4];
    uint32_t old = operate(other, op);
    long woken = futex_wake((uint32_t *)c->arg[0], (int)c->arg[2], shared);
    if (holds((int)old, op))
        woken += futex_wake(other, (int)c->arg[3], shared);
    return woken;
}

/* ---- priority inheritance: the word holds the owner, who hands over ---- */

static bool others_wait(const uint32_t *word)
{
    struct list *slot = slot_of(word);
    for (struct list *l = slot->next; l != slot; l = l->next)
        if (CONTAINER(l, struct futex_wait, link)->word == word)
            return true;
    return false;
}

static long lock_pi(uint32_t *word, int64_t until, bool just_try)
{
    uint32_t tid = (uint32_t)task_here()->tid;
    uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if ((value & FUTEX_TID_MASK) == tid)
        return -EDEADLK;
    if ((value & FUTEX_TID_MASK) == 0) {
        __atomic_store_n(word, (value & (FUTEX_WAITERS | FUTEX_OWNER_DIED)) | tid,
                         __ATOMIC_SEQ_CST);
        return 0;
    }
    if (task_find((int)(value & FUTEX_TID_MASK)) == NULL)
        return -ESRCH;
    if (just_try)
        return -EAGAIN;
    __atomic_fetch_or(word, FUTEX_WAITERS, __ATOMIC_SEQ_CST);
    struct futex_wait w = {.word = word, .bits = (uint32_t)ALL_BITS, .tid = (int)tid};
    for (;;) {
        long r = wait_in_line(&w, until);
        value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        if ((value & FUTEX_TID_MASK) == tid)
            return 0;
        if (r < 0)
            return r;
        if ((value & FUTEX_TID_MASK) != 0)
            continue; /* woken by the end of an owner, and somebody was faster */
        uint32_t more = others_wait(word) ? FUTEX_WAITERS : 0;
        __atomic_store_n(word, (value & FUTEX_OWNER_DIED) | more | tid, __ATOMIC_SEQ_CST);
        return 0;
    }
}

static long unlock_pi(uint32_t *word)
{
    uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if ((value & FUTEX_TID_MASK) != (uint32_t)task_here()->tid)
        return -EPERM;
    struct list *slot = slot_of(word);
    for (struct list *l = slot->next, *next; l != slot; l = next) {
        struct futex_wait *w = CONTAINER(l, struct futex_wait, link);
        next = l->next;
        if (w->word != word || !release(w))
            continue;
        uint32_t more = others_wait(word) ? FUTEX_WAITERS : 0;
        __atomic_store_n(word, (uint32_t)w->tid | more, __ATOMIC_SEQ_CST);
        return 0;
    }
    __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
    return 0;
}

/* ---- the call ---- */

/* Whoever wakes another lets it run: a lock handed to and fro would else never be seen free. */
static long yielding(long woken)
{
    if (woken > 0)
        hub_yield(self_hub());
    return woken;
}

long call_futex(struct call *c)
{
    uint32_t *word = (uint32_t *)c->arg[0];
    int op = (int)c->arg[1] & FUTEX_CMD_MASK;
    bool shared = (c->arg[1] & FUTEX_PRIVATE_FLAG) == 0;
    bool realtime = (c->arg[1] & FUTEX_CLOCK_REALTIME) != 0;
    uint32_t value = (uint32_t)c->arg[2];
    const struct timespec *time = (const struct timespec *)c->arg[3];
    int64_t until = INT64_MAX;
    if (op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2)
        until = until_of(time, op == FUTEX_WAIT, op == FUTEX_LOCK_PI || realtime);
    if (until == -EINVAL)
        return -EINVAL;
    switch (op) {
    case FUTEX_WAIT:
        return wait_bits(word, value, until, (uint32_t)ALL_BITS, shared);
    case FUTEX_WAIT_BITSET:
        return wait_bits(word, value, until, (uint32_t)c->arg[5], shared);
    case FUTEX_WAKE:
        return yielding(futex_wake(word, (int)value, shared));
    case FUTEX_WAKE_BITSET:
        return yielding(wake_bits(word, (int)value, (uint32_t)c->arg[5], shared));
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return yielding(requeue(c, op == FUTEX_CMP_REQUEUE, shared));
    case FUTEX_WAKE_OP:
        return yielding(wake_op(c, shared));
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return lock_pi(word, until, false);
    case FUTEX_TRYLOCK_PI:
        return lock_pi(word, until, true);
    case FUTEX_UNLOCK_PI:
        return unlock_pi(word);
    default: /* requeueing to PI futexes: libc has not used it since 2.25 */
        return -ENOSYS;
    }
}
