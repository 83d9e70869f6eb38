/* signal.c - signals, received by green threads: see green/signal.h.
 *
 * The kernel's handler walks the list of subscriptions, sets the signal's bit in each that wants it
 * and rings that one's eventfd, which any hub can wait for. (A signalfd would need the signal
 * blocked in every OS thread, also those that are not ours.)
 *
 * The list is changed under the lock and read by the handler without: whoever takes a subscription
 * out waits until no handler is walking. The eventfd is readable while a bit is set: who takes
 * the last bit silences it, and rings again if the handler was faster. */
#include "error.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <green/signal.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

enum { SIGNALS = 64 };

struct green_signal {
    _Atomic(struct green_signal *) next;
    uint64_t wanted;          /* bit n - 1: signal n */
    _Atomic uint64_t pending; /* come, and not yet taken */
    int bell;                 /* eventfd */
    green_thread *handler;    /* NULL: none */
    int (*fn)(int number, void *arg);
    void *arg;
    int error; /* errno that fn failed with */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct green_signal *) all;
static atomic_int walkers; /* handlers inside the list */
static struct sigaction former[SIGNALS + 1];

/* ---- the handler: on whatever stack, at whatever moment ---- */

static void ring(const struct green_signal *s)
{
    uint64_t one = 1;
    SYS3(SYS_write, s->bell, &one, sizeof one);
}

static void on_signal(int number)
{
    uint64_t bit = UINT64_C(1) << (number - 1);
    atomic_fetch_add(&walkers, 1);
    for (struct green_signal *s = all; s != NULL; s = s->next)
        if ((s->wanted & bit) != 0) {
            atomic_fetch_or(&s->pending, bit);
            ring(s);
        }
    atomic_fetch_sub(&walkers, 1);
}

/* ---- dispositions, under the lock ---- */

static uint64_t wanted_by_all(void)
{
    uint64_t wanted = 0;
    for (struct green_signal *s = all; s != NULL; s = s->next)
        wanted |= s->wanted;
    return wanted;
}

/* Put back what the program had, unless it has set something else meanwhile. */
static void give_back(uint64_t signals)
{
    struct sigaction now;
    for (int n = 1; n <= SIGNALS; n++)
        if ((signals >> (n - 1) & 1) != 0 && sigaction(n, NULL, &now) == 0 &&
            now.sa_handler == on_signal)
            sigaction(n, &former[n], NULL);
}

static int take_over(uint64_t signals)
{
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&ours.sa_mask);
    for (int n = 1; n <= SIGNALS; n++)
        if ((signals >> (n - 1) & 1) != 0 && sigaction(n, &ours, &former[n]) < 0) {
            give_back(signals & ((UINT64_C(1) << (n - 1)) - 1));
            return -EINVAL;
        }
    return 0;
}

static int subscribe(struct green_signal *s)
{
    pthread_mutex_lock(&lock);
    uint64_t added = s->wanted & ~wanted_by_all();
    s->next = all;
    all = s; /* before the first signal can come */
    int err = take_over(added);
    if (err < 0)
        all = s->next;
    pthread_mutex_unlock(&lock);
    return err;
}

static void unsubscribe(struct green_signal *s)
{
    pthread_mutex_lock(&lock);
    _Atomic(struct green_signal *) *at = &all;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    give_back(s->wanted & ~wanted_by_all());
    pthread_mutex_unlock(&lock);
}

/* ---- subscriptions ---- */

static void signal_free(struct green_signal *s)
{
    while (walkers != 0)
        sched_yield();
    if (s->bell >= 0)
        green_io_close(s->bell);
    memory_put(s);
}

/* The set of a list; 0: there is none, or one of them cannot be waited for. Faults would only
 * repeat themselves. */
static uint64_t set_of(const int *signals)
{
    static const uint64_t faults = UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1) |
                                   UINT64_C(1) << (SIGFPE - 1) | UINT64_C(1) << (SIGILL - 1) |
                                   UINT64_C(1) << (SIGTRAP - 1) | UINT64_C(1) << (SIGSYS - 1);
    uint64_t set = 0;
    for (; signals != NULL && *signals != 0; signals++) {
        if (*signals < 1 || *signals > SIGNALS)
            return 0;
        set |= UINT64_C(1) << (*signals - 1);
    }
    return (set & faults) != 0 ? 0 : set;
}

static int signal_start(struct green_signal *s)
{
    if (s->wanted == 0)
        return -EINVAL;
    s->bell = (int)SYS2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->bell < 0)
        return s->bell;
    green_io_forget(s->bell);
    return subscribe(s);
}

GREEN_API green_signal *green_signal_open(const int *signals)
{
    struct green_signal *s = memory_get(sizeof *s);
    if (s == NULL) {
        failed(-ENOMEM);
        return NULL;
    }
    s->bell = -1;
    s->wanted = set_of(signals);
    int err = signal_start(s);
    if (err == 0)
        return s;
    signal_free(s);
    if (err == -EINVAL)
        fail(EINVAL, "not signals that can be waited for");
    else
        failed(err);
    return NULL;
}

/* The number of one that has come; 0: none. */
static int take(struct green_signal *s)
{
    uint64_t count, pending = s->pending;
    while (pending != 0 &&
           !atomic_compare_exchange_weak(&s->pending, &pending, pending & (pending - 1)))
        continue;
    if ((pending & (pending - 1)) == 0) {
        SYS3(SYS_read, s->bell, &count, sizeof count);
        if (s->pending != 0)
            ring(s);
    }
    return pending != 0 ? __builtin_ctzll(pending) + 1 : 0;
}

GREEN_API int green_signal_wait(green_signal *s)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = hub->current->refused != 0 ? park_refused(hub) : 0;
    int number = 0;
    while (err == 0 && (number = take(s)) == 0)
        err = (int)green_io_wait(s->bell, POLLIN);
    if (err < 0)
        return (int)returned(err);
    hub_spend(hub);
    return number;
}

GREEN_API int green_signal_fd(const green_signal *s)
{
    return s->bell;
}

GREEN_API int green_signal_close(green_signal *s)
{
    if (s == NULL)
        return 0;
    if (s->handler != NULL && s->handler == green_self())
        return (int)returned(-EDEADLK);
    unsubscribe(s);
    if (s->handler != NULL)
        green_shield()
            green_kill(s->handler, NULL);
    int error = s->error;
    signal_free(s);
    return (int)returned(-error);
}

/* ---- handlers ---- */

static int handle(void *arg)
{
    struct green_signal *s = arg;
    int number;
    while ((number = green_signal_wait(s)) > 0)
        if (s->fn(number, s->arg) < 0) {
            s->error = errno != ECANCELED ? errno : 0;
            return -1;
        }
    return 0;
}

GREEN_API green_signal *green_signal_handle(const int *signals, int (*fn)(int number, void *arg),
                                            void *arg)
{
    static const green_spawn_options options = {.name = "signals", .background = true};
    if (fn == NULL) {
        fail(EINVAL, "green_signal_handle: no function");
        return NULL;
    }
    struct green_signal *s = green_signal_open(signals);
    if (s == NULL)
        return NULL;
    s->fn = fn;
    s->arg = arg;
    s->handler = green_spawn_with(&options, handle, s);
    if (s->handler != NULL)
        return s;
    int err = errno;
    green_signal_close(s);
    failed(-err);
    return NULL;
}

/* ---- forks: the list stands still; the child's eventfds must not be the parent's ---- */

static void fork_begin(void)
{
    pthread_mutex_lock(&lock);
}

static void fork_end(void)
{
    pthread_mutex_unlock(&lock);
}

static void forked(void)
{
    fork_end();
    walkers = 0;
    for (struct green_signal *s = all; s != NULL; s = s->next) {
        int bell = (int)SYS2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (bell >= 0) {
            SYS3(SYS_dup3, bell, s->bell, O_CLOEXEC);
            SYS1(SYS_close, bell);
        }
        if (s->pending != 0)
            ring(s);
    }
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(fork_begin, fork_end, forked);
}
