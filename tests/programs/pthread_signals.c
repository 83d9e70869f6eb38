/* pthread_signals.c - signals for threads and for the process, masks, waiting for signals, SIGPIPE.
 */
#include "pthread_semantics.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

static atomic_bool ready;

static volatile sig_atomic_t caught;
static pthread_t catcher;

static void on_signal(int sig)
{
    (void)sig;
    catcher = pthread_self();
    caught++;
}

static void handle(int sig, int flags)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = flags};
    sigaction(sig, &act, NULL);
    caught = 0;
}

static void *be_interrupted(void *arg)
{
    char c;
    ready = true;
    CHECK(read(*(int *)arg, &c, 1) == -1 && errno == EINTR);
    ready = false;
    return NULL;
}

static void check_kill(void)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
    handle(SIGUSR1, 0);
    ready = false;
    pthread_t t = spawn(be_interrupted, &pair[0]);
    while (!ready)
        usleep(1000);
    CHECK(pthread_kill(t, 0) == 0);
    for (; ready; usleep(2000)) /* one may come before read has begun */
        CHECK(pthread_kill(t, SIGUSR1) == 0);
    join(t);
    CHECK(caught >= 1 && pthread_equal(catcher, t));
    close(pair[0]), close(pair[1]);
}

static void *be_restarted(void *arg)
{
    char c = 0;
    ready = true;
    CHECK(read(*(int *)arg, &c, 1) == 1 && c == 'x');
    return NULL;
}

static void check_restart(void)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
    handle(SIGUSR1, SA_RESTART);
    ready = false;
    pthread_t t = spawn(be_restarted, &pair[0]);
    while (!ready)
        usleep(1000);
    pthread_kill(t, SIGUSR1);
    while (caught == 0)
        usleep(1000);
    CHECK(write(pair[1], "x", 1) == 1);
    join(t);
    close(pair[0]), close(pair[1]);
}

/* A signal for the process goes to a thread that does not block it: here, the first. */
static void check_process_signal(void)
{
    sem_t gate;
    sigset_t set, old;
    sem_init(&gate, 0, 0);
    handle(SIGALRM, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    pthread_t t = spawn(wait_for_gate, &gate);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    struct itimerval often = {{.tv_usec = 5000}, {.tv_usec = 5000}}, never = {{0}, {0}};
    setitimer(ITIMER_REAL, &often, NULL); /* one may come before poll has begun */
    CHECK(poll(NULL, 0, 10000) == -1 && errno == EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(caught >= 1 && pthread_equal(catcher, pthread_self()));
    sem_post(&gate);
    join(t);
}

static void *wait_for_signal(void *arg)
{
    int sig = 0;
    CHECK(sigwait(arg, &sig) == 0);
    return (void *)(long)sig;
}

static void check_sigwait(void)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 3; i++) {
        pthread_t t = spawn(wait_for_signal, &set);
        usleep(2000);
        if (i == 0)
            kill(getpid(), SIGUSR2);
        else
            pthread_kill(t, SIGUSR2);
        CHECK(join(t) == (void *)SIGUSR2);
    }
    struct timespec soon = {0, 5000000};
    CHECK(TEMP_FAILURE_RETRY(sigtimedwait(&set, NULL, &soon)) == -1 && errno == EAGAIN);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *suspend(void *arg)
{
    sigset_t set, old;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    ready = true;
    sigdelset(&old, SIGUSR1);
    CHECK(sigsuspend(&old) == -1 && errno == EINTR);
    pthread_sigmask(SIG_BLOCK, NULL, &old);
    CHECK(sigismember(&old, SIGUSR1) == 1);
    return arg;
}

static void check_sigsuspend(void)
{
    handle(SIGUSR1, 0);
    for (int i = 0; i < 2; i++) {
        ready = false;
        pthread_t t = spawn(suspend, NULL);
        while (!ready)
            usleep(1000);
        if (i == 0)
            usleep(2000);
        pthread_kill(t, SIGUSR1);
        join(t);
    }
    CHECK(caught == 2);
}

static void *show_mask(void *arg)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, (int)(long)arg) ? (void *)1 : NULL;
}

static void check_masks(void)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    CHECK(join(spawn(show_mask, (void *)SIGUSR1)) == (void *)1);
    CHECK(join(spawn(show_mask, (void *)SIGUSR2)) == NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CHECK(join(spawn(show_mask, (void *)SIGUSR1)) == NULL);
}

static _Thread_local int broken_pipes;

static void on_broken_pipe(int sig)
{
    broken_pipes += sig == SIGPIPE;
}

static void *write_and_take(void *arg)
{
    sigset_t set;
    struct timespec now = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    CHECK(write(*(int *)arg, "x", 1) < 0 && errno == EPIPE);
    CHECK(sigtimedwait(&set, NULL, &now) == SIGPIPE);
    CHECK(sigtimedwait(&set, NULL, &now) < 0 && errno == EAGAIN && broken_pipes == 0);
    return NULL;
}

static void *write_and_handle(void *arg)
{
    CHECK(write(*(int *)arg, "x", 1) < 0 && errno == EPIPE);
    CHECK(broken_pipes == 1);
    return NULL;
}

static void *block_until(void *arg)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sem_wait(arg);
    return NULL;
}

/* SIGPIPE is for the thread that wrote: handled there, or blocked there. */
static void check_broken_pipe(void)
{
    int ends[2];
    sem_t gate;
    sem_init(&gate, 0, 0);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    join(spawn(write_and_take, &ends[1])); /* by default it would end the process */
    signal(SIGPIPE, on_broken_pipe);
    join(spawn(write_and_take, &ends[1]));
    join(spawn(write_and_handle, &ends[1]));
    pthread_t other = spawn(block_until, &gate);
    usleep(1000);
    join(spawn(write_and_handle, &ends[1]));
    sem_post(&gate);
    join(other);
    CHECK(broken_pipes == 0);
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
}

const struct check signals[] = {
    {"kill", check_kill},
    {"restart", check_restart},
    {"process_signal", check_process_signal},
    {"sigwait", check_sigwait},
    {"sigsuspend", check_sigsuspend},
    {"masks", check_masks},
    {"broken_pipe", check_broken_pipe},
    {NULL, NULL},
};
