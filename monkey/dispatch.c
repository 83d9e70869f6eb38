/* dispatch.c - the preloaded door's monkey_call(): which system call goes where.
 *
 * `among`: how a call is emulated among several threads; `alone`: what must be kept track of even
 * while there is only one. NULL is the kernel. A call comes from a thread of the program, or from
 * below (the engine's, the hub's libevent's) and from OS threads that are not ours: those go to the
 * kernel. */
#include "calls.h"
#include "futex.h"
#include "hub.h"
#include "identity.h"
#include "preload.h"
#include "process.h"
#include "self.h"
#include "signals.h"

struct entry {
    call_fn *among;
    call_fn *alone;
    bool restarts; /* after a handler with SA_RESTART */
};

static call_fn call_as_is, call_masked;

#define AMONG(call)       \
    {                     \
        call, NULL, false \
    }
#define TRANSFER(call)   \
    {                    \
        call, NULL, true \
    }
#define ALWAYS(call)      \
    {                     \
        call, call, false \
    }
#define MASKED(call)             \
    {                            \
        call, call_masked, false \
    }

static const struct entry table[] = {
    [SYS_read] = TRANSFER(call_read),
    [SYS_write] = TRANSFER(call_write),
    [SYS_readv] = TRANSFER(call_readv),
    [SYS_writev] = TRANSFER(call_writev),
    [SYS_recvfrom] = TRANSFER(call_recvfrom),
    [SYS_sendto] = TRANSFER(call_sendto),
    [SYS_recvmsg] = TRANSFER(call_recvmsg),
    [SYS_sendmsg] = TRANSFER(call_sendmsg),
    [SYS_recvmmsg] = TRANSFER(call_recvmmsg),
    [SYS_sendmmsg] = TRANSFER(call_sendmmsg),
    [SYS_accept] = TRANSFER(call_accept),
    [SYS_accept4] = TRANSFER(call_accept),
    [SYS_connect] = TRANSFER(call_connect),
    [SYS_sendfile] = TRANSFER(call_sendfile),
    [SYS_splice] = TRANSFER(call_splice),
    [SYS_setsockopt] = ALWAYS(call_setsockopt),

    [SYS_poll] = AMONG(call_poll),
    [SYS_ppoll] = MASKED(call_ppoll),
    [SYS_select] = AMONG(call_select),
    [SYS_pselect6] = MASKED(call_pselect6),
    [SYS_epoll_wait] = AMONG(call_epoll_wait),
    [SYS_epoll_pwait] = MASKED(call_epoll_pwait),
    [SYS_epoll_pwait2] = MASKED(call_epoll_pwait2),
    [SYS_nanosleep] = AMONG(call_nanosleep),
    [SYS_clock_nanosleep] = AMONG(call_clock_nanosleep),
    [SYS_wait4] = TRANSFER(call_wait4),
    [SYS_waitid] = TRANSFER(call_waitid),
    [SYS_flock] = TRANSFER(call_flock),
    [SYS_io_getevents] = AMONG(call_io_getevents),
    [SYS_futex] = TRANSFER(call_futex),

    [SYS_close] = ALWAYS(call_close),
    [SYS_close_range] = ALWAYS(call_close_range),
    [SYS_dup2] = ALWAYS(call_dup2),
    [SYS_dup3] = ALWAYS(call_dup2),
    [SYS_shutdown] = AMONG(call_shutdown),
    [SYS_fcntl] = {call_fcntl, call_flags, true},
    [SYS_ioctl] = ALWAYS(call_flags),

    [SYS_rt_sigaction] = ALWAYS(call_rt_sigaction),
    [SYS_rt_sigprocmask] = ALWAYS(call_rt_sigprocmask),
    [SYS_rt_sigpending] = AMONG(call_rt_sigpending),
    [SYS_rt_sigsuspend] = ALWAYS(call_rt_sigsuspend),
    [SYS_rt_sigtimedwait] = AMONG(call_rt_sigtimedwait),
    [SYS_rt_sigreturn] = ALWAYS(call_as_is),
    [SYS_pause] = AMONG(call_pause),
    [SYS_tgkill] = AMONG(call_tgkill),
    [SYS_tkill] = AMONG(call_tkill),
    [SYS_rt_tgsigqueueinfo] = AMONG(call_rt_tgsigqueueinfo),

    [SYS_clone] = ALWAYS(call_clone),
    [SYS_clone3] = ALWAYS(call_clone3),
    [SYS_fork] = ALWAYS(call_fork),
    [SYS_vfork] = ALWAYS(call_vfork),
    [SYS_execve] = ALWAYS(call_execve),
    [SYS_execveat] = ALWAYS(call_execve),
    [SYS_exit] = ALWAYS(call_exit),
    [SYS_exit_group] = ALWAYS(call_exit_group),

    [SYS_gettid] = AMONG(call_gettid),
    [SYS_set_tid_address] = ALWAYS(call_set_tid_address),
    [SYS_set_robust_list] = ALWAYS(call_set_robust_list),
    [SYS_get_robust_list] = AMONG(call_get_robust_list),
    [SYS_rseq] = ALWAYS(call_rseq),
    [SYS_prctl] = AMONG(call_prctl),
    [SYS_arch_prctl] = ALWAYS(call_arch_prctl),
    [SYS_sched_yield] = AMONG(call_sched_yield),
    [SYS_sched_getaffinity] = AMONG(call_sched),
    [SYS_sched_setaffinity] = AMONG(call_sched),
    [SYS_sched_getparam] = AMONG(call_sched),
    [SYS_sched_setparam] = AMONG(call_sched),
    [SYS_sched_getscheduler] = AMONG(call_sched),
    [SYS_sched_setscheduler] = AMONG(call_sched),
    [SYS_sched_rr_get_interval] = AMONG(call_sched),
    [SYS_getpriority] = AMONG(call_priority),
    [SYS_setpriority] = AMONG(call_priority),
};

/* ---- what calls.h asks of a door ---- */

bool door_owns(int fd)
{
    return self_owns(fd);
}

long door_mask(const uint64_t *mask)
{
    struct task *t = task_here();
    signals_mask_for_call(t, mask);
    return signals_due(t) ? -EINTR : 0;
}

/* ---- alone ---- */

static long call_as_is(struct call *c)
{
    return call_native(c);
}

/* ppoll and its like wait in the kernel, with the mask that they bring made fit for it. */
static long call_masked(struct call *c)
{
    struct {
        const uint64_t *mask;
        size_t size;
    } how;
    struct call fit = *c;
    int at = c->nr == SYS_pselect6 ? 5 : c->nr == SYS_ppoll ? 3 : 4;
    const uint64_t *mask = (const uint64_t *)c->arg[at];
    if (at == 5 && mask != NULL)
        mask = ((__typeof__(how) *)c->arg[at])->mask;
    if (mask != NULL) {
        signals_mask_for_call(task_here(), mask);
        uint64_t in_kernel = signals_kernel_mask();
        how.mask = &in_kernel;
        how.size = sizeof in_kernel;
        fit.arg[at] = at == 5 ? (long)&how : (long)&in_kernel;
        task_busy = false;
        long r = call_kernel(&fit);
        task_busy = true;
        return r;
    }
    task_busy = false;
    long r = call_kernel(&fit);
    task_busy = true;
    return r;
}

/* ---- the way in ---- */

static inline void take_signals(struct task *t)
{
    if (!signals_due(t))
        return;
    task_busy = false;
    signals_take(t);
    task_busy = true;
}

/* A signal's handler runs on the way out; a call that it interrupted may begin again. */
static long emulate(struct call *c, const struct entry *e, call_fn *fn)
{
    for (;;) {
        struct task *t = task_here();
        t->ran = 0;
        long r = fn(c);
        if (c->native)
            return r;
        t = task_here(); /* another, in a forked child */
        if (UNLIKELY(r == -EPIPE))
            signals_of_pipe(t);
        take_signals(t);
        if (UNLIKELY(t->masked)) {
            signals_mask_back(t);
            take_signals(t);
        }
        if (r != -EINTR || !e->restarts || (t->ran & RAN_INTERRUPTS) != 0)
            return r;
    }
}

/* Every call counts, so that whoever keeps making them lets others run; time passes, too. */
static inline void spend(void)
{
    struct green_hub *hub = self_hub();
    if (LIKELY(hub != NULL)) /* not so in a forked child */
        hub_spend(hub);
}

/* For those that are no threads of ours. A child that shares their memory has to be made, and a
 * signal frame to be left, by the program's own instruction. */
static long pass(struct call *c)
{
    switch (c->nr) {
    case SYS_clone:
    case SYS_clone3:
    case SYS_vfork:
    case SYS_rt_sigreturn:
        return call_native(c);
    default:
        return call_kernel(c);
    }
}

long monkey_call(struct call *c)
{
    static const struct entry none;
    const struct entry *e = &none;
    if (UNLIKELY(process_shared) && process_is_guest())
        return pass(c);
    struct task *t = task_here();
    if (UNLIKELY(t == NULL || task_busy))
        return pass(c);
    if (LIKELY((unsigned long)c->nr < sizeof table / sizeof table[0]))
        e = &table[c->nr];
    bool alone = task_alone();
    call_fn *fn = alone ? e->alone : e->among;
    if (fn == NULL && alone)
        return call_kernel(c);
    long r = fn == NULL ? call_kernel(c) : 0;
    task_busy = true;
    if (fn != NULL)
        r = emulate(c, e, fn);
    if (!alone && !c->native)
        spend();
    task_busy = false;
    preload_calls += fn != NULL;
    return r;
}
