/* task.c - see task.h. */
#include "task.h"
#include "futex.h"
#include "hub_switch.h"
#include "intercept.h"
#include "memory.h"
#include "signals.h"
#include "sys.h"
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/uio.h>

enum { SLOTS = 1024, ROBUST_MOST = 2048 };

struct task task_main;
bool task_busy;
struct task_stats task_stats;

static struct task *table[SLOTS]; /* all but task_main, by thread id */
static struct task *corpse;       /* the last one that ended: its context is still written to */
static int next_tid = TID_FIRST;

/* ---- who is who ---- */

struct task *task_here(void)
{
    struct green_hub *hub = self_hub();
    if (LIKELY(hub != NULL))
        return hub->current->arg;
    return task_main.green == NULL && self_pointer() == task_main.pointer ? &task_main : NULL;
}

struct task *task_find(int tid)
{
    if (tid == task_main.tid)
        return &task_main;
    for (struct task *t = table[(unsigned)tid % SLOTS]; t != NULL; t = t->next)
        if (t->tid == tid)
            return t;
    return NULL;
}

bool task_alone(void)
{
    struct green_hub *hub = self_hub();
    return hub == NULL || hub->live == 1;
}

void task_start(void)
{
    int *clear_tid = NULL;
    struct task *t = &task_main;
    size_t size;
    t->tid = (int)SYS0(SYS_gettid);
    t->pointer = self_pointer();
    if (SYS2(SYS_prctl, PR_GET_TID_ADDRESS, &clear_tid) == 0)
        t->clear_tid = clear_tid;
    SYS3(SYS_get_robust_list, 0, &t->robust, &size);
    task_stats.alive = task_stats.most = 1;
}

/* ---- beginning ---- */

/* The hub, made when the first thread is. */
static struct green_hub *hub_need(void)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL)
        return hub;
    hub = hub_create(NULL);
    if (hub == NULL)
        return NULL;
    task_main.green = &hub->main;
    hub->main.arg = &task_main;
    return hub;
}

void task_enters(struct task *t, int control)
{
    t->fresh = false;
    if (t->control != control)
        self_set_float(t->control);
    task_busy = false;
}

static int new_tid(void)
{
    do
        next_tid = next_tid < 0x3ffffff0 ? next_tid + 1 : TID_FIRST;
    while (task_find(next_tid) != NULL);
    return next_tid;
}

static void enter_table(struct task *t)
{
    struct task **slot = &table[(unsigned)t->tid % SLOTS];
    t->next = *slot;
    *slot = t;
    task_stats.made++;
    if (++task_stats.alive > task_stats.most)
        task_stats.most = task_stats.alive;
}

static void leave_table(struct task *t)
{
    struct task **at = &table[(unsigned)t->tid % SLOTS];
    while (*at != NULL && *at != t)
        at = &(*at)->next;
    if (*at != NULL)
        *at = t->next;
    task_stats.alive--;
}

long task_clone(struct call *c, const struct task_clone *how)
{
    struct task *parent = task_here();
    struct green_hub *hub = hub_need();
    struct task *t = hub != NULL ? memory_get(sizeof *t) : NULL;
    if (t == NULL || !heap_reserve(&hub->timers, hub->live + 1)) {
        memory_put(t);
        return -EAGAIN;
    }
    struct call_start start = call_on_stack(c, how->stack_top);
    t->thread.context = (struct context){.sp = start.sp, .pc = start.pc};
    t->thread.arg = t;
    t->thread.detached = true;
    t->green = &t->thread;
    t->pointer = (how->flags & CLONE_SETTLS) != 0 ? how->pointer : parent->pointer;
    t->fresh = true;
    t->control = self_float();
    t->tid = new_tid();
    if ((how->flags & CLONE_PARENT_SETTID) != 0)
        *how->parent_tid = t->tid;
    if ((how->flags & CLONE_CHILD_SETTID) != 0)
        *how->child_tid = t->tid;
    if ((how->flags & CLONE_CHILD_CLEARTID) != 0)
        t->clear_tid = how->child_tid;
    enter_table(t);
    signals_join(t, parent->mask);
    thread_adopt(hub, &t->thread, "thread");
    hub_ready(hub, &t->thread);
    hub->spawned++;
    return t->tid;
}

/* ---- ending ---- */

/* Reads memory of the program that may not be there. */
static bool peek(const void *at, void *value, size_t size)
{
    struct iovec here = {value, size}, there = {(void *)at, size};
    return SYS6(SYS_process_vm_readv, SYS0(SYS_getpid), &here, 1, &there, 1, 0) == (long)size;
}

static void owner_died(uint32_t *word, int tid)
{
    uint32_t value;
    if (!peek(word, &value, sizeof value) || (value & FUTEX_TID_MASK) != (uint32_t)tid)
        return;
    __atomic_store_n(word, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, __ATOMIC_SEQ_CST);
    futex_wake(word, 1, false);
}

/* The kernel's walk over the mutexes that a thread still holds, and the one it was at. */
static void robust_walk(struct task *t)
{
    struct robust {
        uintptr_t first;
        long offset;
        uintptr_t current;
    } head;
    if (t->robust == NULL)
        return;
    head = *(struct robust *)t->robust; /* libc's: inside its struct pthread */
    uintptr_t at = head.first;
    for (int i = 0; i < ROBUST_MOST && (at & ~(uintptr_t)1) != (uintptr_t)t->robust; i++) {
        uintptr_t entry = at & ~(uintptr_t)1;
        if (!peek((void *)entry, &at, sizeof at))
            return;
        if (entry != (head.current & ~(uintptr_t)1))
            owner_died((uint32_t *)(entry + (uintptr_t)head.offset), t->tid);
    }
    if (head.current != 0)
        owner_died((uint32_t *)((head.current & ~(uintptr_t)1) + (uintptr_t)head.offset), t->tid);
}

/* The first thread has no other stack to leave than the process's. */
static _Noreturn void main_exit(struct green_hub *hub)
{
    task_main.over = true;
    task_stats.alive--;
    for (;;)
        park(hub, NULL, WAIT_BACK, INT64_MAX, "the process to end", 0);
}

_Noreturn void task_exit(int status)
{
    struct task *t = task_here();
    struct green_hub *hub = self_hub();
    while (task_stats.alive <= 1 || hub == NULL)
        SYS1(SYS_exit, status);
    robust_walk(t);
    signals_leave(t);
    if (t->clear_tid != NULL) {
        __atomic_store_n(t->clear_tid, 0, __ATOMIC_SEQ_CST);
        futex_wake((uint32_t *)t->clear_tid, INT32_MAX, false);
    }
    if (t == &task_main)
        main_exit(hub);
    leave_table(t);
    memory_put(corpse);
    corpse = t;
    thread_end(&t->thread);
}

/* ---- fork ---- */

void task_forked(int *clear_tid)
{
    struct task *t = task_here();
    struct green_hub *hub = self_hub();
    if (hub != NULL) {
        hubs_remove(hub);
        self_disown();
        self_hub_set(NULL); /* its memory stays: the caller may stand on it */
    }
    if (t != &task_main) {
        task_main.pointer = t->pointer;
        task_main.robust = t->robust;
        task_main.mask = t->mask;
    }
    task_main.tid = (int)SYS0(SYS_gettid);
    task_main.clear_tid = clear_tid;
    task_main.green = NULL;
    task_main.pending = task_main.waiting = 0;
    task_main.over = false;
    for (int i = 0; i < SLOTS; i++)
        table[i] = NULL;
    corpse = NULL;
    task_stats = (struct task_stats){.alive = 1, .most = 1};
    futex_forked();
    signals_forked();
}
