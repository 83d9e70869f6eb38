/* signals.c - see signals.h.
 *
 * Every handler of the program is installed as on_signal. It runs the program's handler at once if
 * the thread that was interrupted is to take the signal and is in its own code. Otherwise it
 * defers: the signal is queued again, to be blocked in the kernel, so that the kernel keeps its
 * data and order; a bell wakes the hub. Whoever leaves the engine next routes deferred signals:
 * their taker is woken with -EINTR, and when it leaves the engine in turn it unblocks them, and the
 * kernel delivers them on that thread's stack.
 *
 * As in the kernel, a signal to the process goes to the first thread unless it blocks it, then to
 * the running one, then to any. One sent to a thread (pthread_kill, pthread_cancel) waits in its
 * `pending` and is sent again by the thread to itself.
 *
 * SIGPIPE is for the thread that wrote. The kernel blocks it as long as any thread does, and
 * who then fails to write takes it from there into its `pending`. */
#include "signals.h"
#include "intercept.h"
#include "io.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <ucontext.h>

enum { SIGNALS = 64, MASK_SIZE = 8, RESTORER = 0x04000000, SETXID = 33 };

#define BIT(sig) ((uint64_t)1 << ((sig)-1))

static const uint64_t never_blocked = BIT(SIGSYS) | BIT(SIGKILL) | BIT(SIGSTOP);
static const uint64_t ignored_by_default =
    BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT);

uint64_t signals_deferred;

static struct kernel_sigaction actions[SIGNALS + 1]; /* the program's */
static uint32_t blockers[SIGNALS];                   /* by how many tasks each is blocked */
static uint32_t members;                             /* tasks */
static uint64_t kernel_mask;                         /* what the kernel blocks now */
static uint64_t awaited;                             /* by threads in sigtimedwait */
static unsigned awaiting;                            /* how many those are */

/* ---- masks ---- */

uint64_t signals_kernel_mask(void)
{
    uint64_t by_all = 0;
    for (int i = 0; i < SIGNALS; i++)
        by_all |= (uint64_t)(blockers[i] == members) << i;
    if (blockers[SIGPIPE - 1] > 0)
        by_all |= BIT(SIGPIPE);
    return (by_all | signals_deferred | awaited) & ~never_blocked;
}

/* Again if a signal came in between and changed what is wanted. */
static void apply(void)
{
    uint64_t want;
    while ((want = signals_kernel_mask()) != kernel_mask) {
        kernel_mask = want;
        SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &want, NULL, MASK_SIZE);
    }
}

static void count(uint64_t mask, uint32_t by)
{
    for (; mask != 0; mask &= mask - 1)
        blockers[__builtin_ctzll(mask)] += by;
}

/* Without telling the kernel yet. */
static void set_mask(struct task *t, uint64_t mask)
{
    count(mask & ~t->mask, 1);
    count(t->mask & ~mask, (uint32_t)-1);
    t->mask = mask;
}

void signals_join(struct task *t, uint64_t mask)
{
    members++;
    t->mask = 0;
    set_mask(t, mask);
    apply();
}

void signals_leave(struct task *t)
{
    set_mask(t, 0);
    members--;
    t->mask = ~(uint64_t)0; /* takes nothing any more */
    apply();
}

void signals_mask_for_call(struct task *t, const uint64_t *mask)
{
    if (mask == NULL)
        return;
    t->mask_kept = t->mask;
    t->masked = true;
    set_mask(t, *mask);
}

void signals_mask_back(struct task *t)
{
    if (!t->masked)
        return;
    t->masked = false;
    set_mask(t, t->mask_kept);
    apply();
}

void signals_expose(struct task *t)
{
    uint64_t mask = t->mask & ~never_blocked;
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, MASK_SIZE);
    kernel_mask = mask;
}

void signals_conceal(void)
{
    apply();
}

/* ---- who takes it ---- */

static struct task *taker_of(int sig)
{
    struct task *here = task_here();
    struct green_hub *hub = self_hub();
    if (!task_main.over && (task_main.mask & BIT(sig)) == 0)
        return &task_main;
    if (here != NULL && (here->mask & BIT(sig)) == 0)
        return here;
    for (struct list *l = hub != NULL ? hub->threads.next : NULL; l != NULL && l != &hub->threads;
         l = l->next) {
        struct task *t = CONTAINER(l, struct green_thread, all)->arg;
        if (t != NULL && (t->mask & BIT(sig)) == 0)
            return t;
    }
    return NULL;
}

static void interrupt(struct task *t)
{
    if (t->green != NULL && t->green->state == THREAD_PARKED && !t->over)
        wake(t->green, -EINTR);
}

void signals_route(void)
{
    for (uint64_t left = signals_deferred; left != 0; left &= left - 1) {
        struct task *t = taker_of(__builtin_ctzll(left) + 1);
        if (t != NULL)
            interrupt(t);
    }
}

static long send_here(int sig)
{
    return SYS3(SYS_tgkill, SYS0(SYS_getpid), SYS0(SYS_gettid), sig);
}

/* One that the running thread does not block, although the kernel may for the sake of others. */
static void deliver(int sig)
{
    uint64_t without = kernel_mask = signals_kernel_mask() & ~BIT(sig);
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &without, NULL, MASK_SIZE);
    send_here(sig);
    apply();
}

void signals_of_pipe(struct task *t)
{
    static const uint64_t set = BIT(SIGPIPE);
    static const struct timespec now = {0, 0};
    if ((kernel_mask & set) != 0 && SYS4(SYS_rt_sigtimedwait, &set, NULL, &now, MASK_SIZE) > 0)
        t->pending |= set;
}

void signals_take(struct task *t)
{
    for (uint64_t due; (due = t->pending & ~t->mask) != 0;) {
        int sig = __builtin_ctzll(due) + 1;
        t->pending &= ~BIT(sig);
        signals_deferred &= ~BIT(sig);
        deliver(sig);
    }
    uint64_t mine = 0;
    for (uint64_t left = signals_deferred & ~t->mask; left != 0; left &= left - 1)
        if (taker_of(__builtin_ctzll(left) + 1) == t)
            mine |= left & -left;
    signals_deferred &= ~mine;
    apply();
    if (signals_deferred != 0)
        signals_route();
}

/* ---- handlers ---- */

static void install(int sig, const struct kernel_sigaction *act);

static uint64_t switches(void)
{
    struct green_hub *hub = self_hub();
    return hub != NULL ? hub->switches : 0;
}

/* The program's handler, on the thread that was interrupted in its own code. */
static void run(int sig, siginfo_t *info, ucontext_t *uc, struct task *t)
{
    struct kernel_sigaction act = actions[sig];
    uint64_t *saved = (uint64_t *)&uc->uc_sigmask;
    uint64_t before = t->mask;
    if ((uintptr_t)act.handler <= (uintptr_t)SIG_IGN) { /* changed since it was sent */
        if (act.handler == (void *)SIG_DFL && (BIT(sig) & ignored_by_default) == 0)
            send_here(sig);
        return;
    }
    if ((act.flags & SA_RESETHAND) != 0) {
        actions[sig] = (struct kernel_sigaction){0};
        install(sig, &actions[sig]);
    }
    t->ran |= (act.flags & SA_RESTART) != 0 ? RAN_RESTARTS : RAN_INTERRUPTS;
    set_mask(t, before | act.mask | ((act.flags & SA_NODEFER) != 0 ? 0 : BIT(sig)));
    kernel_mask = (*saved | act.mask | BIT(sig)) & ~never_blocked;
    apply();
    *saved = before;
    uint64_t before_it = switches();
    ((void (*)(int, siginfo_t *, void *))(uintptr_t)act.handler)(sig, info, uc);
    if (switches() != before_it) { /* others have run, and may have had code rewritten */
        greg_t *pc = &uc->uc_mcontext.gregs[REG_RIP];
        *pc = (greg_t)intercept_pc((uintptr_t)*pc);
    }
    t = task_here(); /* another, in a child that the handler forked */
    set_mask(t, *saved & ~never_blocked);
    *saved = kernel_mask = signals_kernel_mask();
}

static void defer(int sig, siginfo_t *info, ucontext_t *uc)
{
    uint64_t *saved = (uint64_t *)&uc->uc_sigmask;
    struct green_hub *hub = self_hub();
    uint64_t one = 1;
    signals_deferred |= BIT(sig);
    SYS4(SYS_rt_tgsigqueueinfo, SYS0(SYS_getpid), SYS0(SYS_gettid), sig, info);
    *saved |= BIT(sig);
    kernel_mask = *saved;
    if (hub != NULL)
        SYS3(SYS_write, hub->bell_fd, &one, sizeof one);
}

/* Caused by the very instruction: it cannot wait. */
static bool synchronous(int sig, const siginfo_t *info)
{
    bool fault =
        sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGTRAP;
    return fault && info->si_code > 0;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct task *t = task_here();
    if (t == NULL && self_hub() == NULL) { /* an OS thread that is not ours */
        struct kernel_sigaction act = actions[sig];
        if ((uintptr_t)act.handler > (uintptr_t)SIG_IGN)
            ((void (*)(int, siginfo_t *, void *))(uintptr_t)act.handler)(sig, info, uc);
        return;
    }
    if (sig == SIGPIPE && t != NULL && task_busy) {
        t->pending |= BIT(SIGPIPE);
        return;
    }
    bool directed = (info->si_code == SI_TKILL || sig == SIGPIPE) && !task_busy;
    if (t != NULL && (synchronous(sig, info) || directed || (!task_busy && taker_of(sig) == t))) {
        run(sig, info, uc, t);
        return;
    }
    defer(sig, info, uc);
    if (!task_busy) {
        task_busy = true;
        signals_route();
        task_busy = false;
    }
}

/* ---- actions ---- */

static long kernel_action(int sig, const struct kernel_sigaction *act, struct kernel_sigaction *old)
{
    return SYS4(SYS_rt_sigaction, sig, act, old, MASK_SIZE);
}

static bool is_ours(const struct kernel_sigaction *act)
{
    return act->handler == (void *)(uintptr_t)on_signal;
}

/* In the kernel: handlers as on_signal, which does itself what some flags ask for. */
static void install(int sig, const struct kernel_sigaction *act)
{
    struct kernel_sigaction k = *act;
    k.mask &= ~never_blocked;
    if ((uintptr_t)act->handler > (uintptr_t)SIG_IGN) {
        k.handler = (void *)(uintptr_t)on_signal;
        k.flags &= ~(unsigned long)(SA_RESETHAND | SA_NODEFER);
        k.flags |= SA_SIGINFO | RESTORER;
        k.restorer = (void *)(uintptr_t)intercept_restorer;
    }
    kernel_action(sig, &k, NULL);
}

long call_rt_sigaction(struct call *c)
{
    int sig = (int)c->arg[0];
    const struct kernel_sigaction *act = (const struct kernel_sigaction *)c->arg[1];
    struct kernel_sigaction *old = (struct kernel_sigaction *)c->arg[2];
    struct kernel_sigaction found, wish;
    if (c->arg[3] != MASK_SIZE || sig < 1 || sig > SIGNALS)
        return -EINVAL;
    if (sig == SIGSYS) {
        intercept_sigsys(act, old);
        return 0;
    }
    if (act != NULL && (sig == SIGKILL || sig == SIGSTOP))
        return -EINVAL;
    long r = kernel_action(sig, NULL, &found);
    if (r < 0)
        return r;
    if (is_ours(&found))
        found = actions[sig];
    if (act != NULL) {
        wish = actions[sig] = *act; /* act and old may be one */
        install(sig, &wish);
    }
    if (old != NULL)
        *old = found;
    return 0;
}

void signals_start(void)
{
    uint64_t mask = 0;
    struct kernel_sigaction found;
    SYS4(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, MASK_SIZE);
    kernel_mask = mask;
    signals_join(&task_main, mask);
    for (int sig = 1; sig <= SIGNALS; sig++) {
        if (sig == SIGSYS || kernel_action(sig, NULL, &found) < 0)
            continue;
        actions[sig] = found;
        if ((uintptr_t)found.handler > (uintptr_t)SIG_IGN)
            install(sig, &found);
    }
}

/* Puts the actions back that signals_start found. */
void signals_stop(void)
{
    for (int sig = 1; sig <= SIGNALS; sig++)
        if ((uintptr_t)actions[sig].handler > (uintptr_t)SIG_IGN)
            kernel_action(sig, &actions[sig], NULL);
}

void signals_forked(void)
{
    uint64_t mask = task_main.mask;
    memset(blockers, 0, sizeof blockers);
    members = 0;
    signals_deferred = awaited = 0; /* signals pending in the parent are not the child's */
    awaiting = 0;
    signals_join(&task_main, mask);
}

/* ---- the calls ---- */

long call_rt_sigprocmask(struct call *c)
{
    struct task *t = task_here();
    const uint64_t *set = (const uint64_t *)c->arg[1];
    uint64_t *old = (uint64_t *)c->arg[2], was = t->mask, mask = was;
    if (c->arg[3] != MASK_SIZE)
        return -EINVAL;
    if (set != NULL) {
        uint64_t change = *set & ~(BIT(SIGKILL) | BIT(SIGSTOP));
        switch (c->arg[0]) {
        case SIG_BLOCK:
            mask = was | change;
            break;
        case SIG_UNBLOCK:
            mask = was & ~change;
            break;
        case SIG_SETMASK:
            mask = change;
            break;
        default:
            return -EINVAL;
        }
    }
    if (mask != was) {
        set_mask(t, mask);
        apply();
    }
    if (old != NULL)
        *old = was;
    return 0;
}

long call_rt_sigpending(struct call *c)
{
    uint64_t *set = (uint64_t *)c->arg[0];
    long r = SYS2(SYS_rt_sigpending, set, c->arg[1]);
    if (r == 0)
        *set = (*set | task_here()->pending) & task_here()->mask;
    return r;
}

static long wait_for_signal(struct task *t)
{
    if (task_alone()) {
        uint64_t mask = signals_kernel_mask();
        task_busy = false; /* it comes while the kernel waits, and is handled there */
        long r = SYS2(SYS_rt_sigsuspend, &mask, MASK_SIZE);
        task_busy = true;
        return r;
    }
    apply();
    if (signals_due(t))
        return -EINTR;
    return park(self_hub(), NULL, WAIT_BACK, INT64_MAX, "a signal", 0);
}

long call_rt_sigsuspend(struct call *c)
{
    struct task *t = task_here();
    if (c->arg[1] != MASK_SIZE)
        return -EINVAL;
    signals_mask_for_call(t, (const uint64_t *)c->arg[0]);
    return wait_for_signal(t);
}

long call_pause(struct call *c)
{
    (void)c;
    return wait_for_signal(task_here());
}

/* One of the set that is there already; 0: none. */
static long take_one(struct task *t, uint64_t set, siginfo_t *info)
{
    struct timespec now = {0, 0};
    if ((t->pending & set) != 0) {
        int sig = __builtin_ctzll(t->pending & set) + 1;
        t->pending &= ~BIT(sig);
        if (info != NULL) {
            memset(info, 0, sizeof *info);
            info->si_signo = sig;
            info->si_code = SI_TKILL;
            info->si_pid = (pid_t)SYS0(SYS_getpid);
            info->si_uid = (uid_t)SYS0(SYS_getuid);
        }
        return sig;
    }
    long sig = SYS4(SYS_rt_sigtimedwait, &set, info, &now, MASK_SIZE);
    if (sig > 0)
        signals_deferred &= ~BIT(sig);
    return sig == -EAGAIN ? 0 : sig;
}

/* Until one of the set is there, or the time is up, or another signal comes. */
static long await(struct task *t, uint64_t set, int64_t until)
{
    struct pollfd p = {.events = POLLIN};
    p.fd = (int)SYS4(SYS_signalfd4, -1, &set, MASK_SIZE, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p.fd < 0)
        return p.fd;
    t->waiting = set;
    awaited |= set;
    awaiting++;
    apply();
    int64_t left = until == INT64_MAX ? -1 : until - hub_clock();
    long r = until != INT64_MAX && left <= 0 ? -EAGAIN : green_io_poll(&p, 1, left);
    t->waiting = 0;
    if (--awaiting == 0)
        awaited = 0;
    green_io_close(p.fd);
    apply();
    return r == 0 ? -EAGAIN : r;
}

long call_rt_sigtimedwait(struct call *c)
{
    struct task *t = task_here();
    uint64_t set = *(const uint64_t *)c->arg[0] & ~never_blocked;
    const struct timespec *time = (const struct timespec *)c->arg[2];
    int64_t until = INT64_MAX;
    if (c->arg[3] != MASK_SIZE)
        return -EINVAL;
    if (time != NULL)
        until = hub_clock() + time->tv_sec * GREEN_SEC + time->tv_nsec;
    for (;;) {
        long r = take_one(t, set, (siginfo_t *)c->arg[1]);
        if (r != 0)
            return r;
        r = await(t, set, until);
        if (r < 0 && (r != -EINTR || (t->pending & set) == 0))
            return r;
    }
}

/* ---- sending to a thread ---- */

static long send_to(struct task *t, int sig)
{
    if (sig == 0)
        return 0;
    if (sig < 0 || sig > SIGNALS)
        return -EINVAL;
    if (sig == SETXID)
        return -ESRCH; /* libc then changes the ids for the process, which is this one OS thread */
    const struct kernel_sigaction *act = &actions[sig];
    bool ignored = act->handler == (void *)SIG_IGN ||
                   (act->handler == (void *)SIG_DFL && (BIT(sig) & ignored_by_default) != 0);
    if (ignored && ((t->mask | t->waiting) & BIT(sig)) == 0)
        return 0;
    t->pending |= BIT(sig);
    if ((t->mask & BIT(sig)) == 0 || (t->waiting & BIT(sig)) != 0)
        interrupt(t);
    return 0;
}

static long native(struct call *c)
{
    return SYS4(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3]);
}

long call_tgkill(struct call *c)
{
    struct task *t = task_find((int)c->arg[1]);
    if ((int)c->arg[0] != (int)SYS0(SYS_getpid) || t == NULL)
        return native(c);
    return send_to(t, (int)c->arg[2]);
}

long call_tkill(struct call *c)
{
    struct task *t = task_find((int)c->arg[0]);
    return t == NULL ? native(c) : send_to(t, (int)c->arg[1]);
}

long call_rt_tgsigqueueinfo(struct call *c)
{
    struct task *t = task_find((int)c->arg[1]);
    if ((int)c->arg[0] != (int)SYS0(SYS_getpid) || t == NULL || t == &task_main)
        return native(c);
    return send_to(t, (int)c->arg[2]);
}
