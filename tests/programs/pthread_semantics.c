/* pthread_semantics.c - what POSIX promises of threads, checked from inside a program that knows
 * nothing of libgreen. Run natively and greened, it has to say the same.
 *
 *     pthread_semantics          runs every check: "ok NAME" or "not ok NAME: what" a line
 *     pthread_semantics NAME     only that one
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *failure; /* of the check that runs: the first thing that was wrong */

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define CHECK(condition)                                        \
    do {                                                        \
        if (!(condition) && failure == NULL)                    \
            failure = "line " STRING(__LINE__) ": " #condition; \
    } while (0)

static pthread_t spawn(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    int err = pthread_create(&t, NULL, fn, arg);
    if (err != 0) {
        fprintf(stderr, "pthread_create: %s\n", strerror(err));
        exit(1);
    }
    return t;
}

static void *join(pthread_t t)
{
    void *result = NULL;
    CHECK(pthread_join(t, &result) == 0);
    return result;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static int64_t now_ms(void)
{
    struct timespec t = in_ms(CLOCK_MONOTONIC, 0);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- life ---- */

static void *same(void *arg)
{
    return arg;
}

static void check_join(void)
{
    pthread_t t[100];
    for (long i = 0; i < 100; i++)
        t[i] = spawn(same, (void *)i);
    for (long i = 0; i < 100; i++)
        CHECK(join(t[i]) == (void *)i);
}

static sem_t done;

static void *post_done(void *arg)
{
    sem_post(&done);
    return arg;
}

static void check_detach(void)
{
    sem_init(&done, 0, 0);
    for (int i = 0; i < 50; i++) {
        pthread_t t = spawn(post_done, NULL);
        CHECK(pthread_detach(t) == 0);
    }
    for (int i = 0; i < 50; i++)
        CHECK(sem_wait(&done) == 0);
}

static void *exit_early(void *arg)
{
    pthread_exit((char *)arg + 1);
}

static void check_exit(void)
{
    CHECK(join(spawn(exit_early, (void *)41)) == (void *)42);
}

static void *wait_long(void *arg)
{
    sem_wait(arg);
    return NULL;
}

static void check_timedjoin(void)
{
    sem_t gate;
    sem_init(&gate, 0, 0);
    pthread_t t = spawn(wait_long, &gate);
    struct timespec soon = in_ms(CLOCK_REALTIME, 20);
    CHECK(pthread_tryjoin_np(t, NULL) == EBUSY);
    CHECK(pthread_timedjoin_np(t, NULL, &soon) == ETIMEDOUT);
    sem_post(&gate);
    join(t);
}

/* ---- what each thread has to itself ---- */

static _Thread_local int own = 7;
static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value)
{
    if (value != NULL)
        atomic_fetch_add(&destroyed, 1);
}

static void *use_own(void *arg)
{
    CHECK(own == 7);
    own = (int)(long)arg;
    pthread_setspecific(key, arg);
    errno = (int)(long)arg;
    sched_yield();
    usleep(100);
    CHECK(own == (int)(long)arg);
    CHECK(pthread_getspecific(key) == arg);
    CHECK(errno == (int)(long)arg);
    return NULL;
}

static void check_thread_local(void)
{
    pthread_t t[50];
    pthread_key_create(&key, destroy);
    for (long i = 0; i < 50; i++)
        t[i] = spawn(use_own, (void *)(i + 1));
    for (int i = 0; i < 50; i++)
        join(t[i]);
    CHECK(destroyed == 50);
    CHECK(own == 7);
}

static void *tell_id(void *arg)
{
    *(long *)arg = syscall(SYS_gettid);
    return (void *)pthread_self();
}

static void check_ids(void)
{
    long tid[2];
    pthread_t a = spawn(tell_id, &tid[0]), b = spawn(tell_id, &tid[1]);
    CHECK(join(a) == (void *)a && join(b) == (void *)b);
    CHECK(tid[0] != tid[1] && tid[0] != getpid() && tid[1] != getpid());
    CHECK(syscall(SYS_gettid) == getpid());
}

static void *name_self(void *arg)
{
    char name[16] = "";
    CHECK(pthread_setname_np(pthread_self(), arg) == 0);
    sched_yield();
    CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0);
    CHECK(strcmp(name, arg) == 0);
    return NULL;
}

static void check_names(void)
{
    pthread_t a = spawn(name_self, "anna"), b = spawn(name_self, "bert");
    join(a), join(b);
}

static void *ask_affinity(void *arg)
{
    cpu_set_t set;
    CHECK(pthread_getaffinity_np(pthread_self(), sizeof set, &set) == 0);
    CHECK(CPU_COUNT(&set) > 0);
    return arg;
}

static void check_affinity(void)
{
    join(spawn(ask_affinity, NULL));
}

/* ---- locks and conditions ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter, turn;

static void *count_up(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        long seen = counter;
        if (i % 16 == 0)
            sched_yield();
        counter = seen + 1;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void check_mutex(void)
{
    pthread_t t[8];
    counter = 0;
    for (int i = 0; i < 8; i++)
        t[i] = spawn(count_up, NULL);
    for (int i = 0; i < 8; i++)
        join(t[i]);
    CHECK(counter == 16000);
}

static void *take_turns(void *arg)
{
    for (long i = 0; i < 500; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 4 != (long)arg)
            pthread_cond_wait(&cond, &mutex);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void check_condition(void)
{
    pthread_t t[4];
    turn = 0;
    for (long i = 0; i < 4; i++)
        t[i] = spawn(take_turns, (void *)i);
    for (int i = 0; i < 4; i++)
        join(t[i]);
    CHECK(turn == 2000);
}

static void *timed_wait(void *arg)
{
    int64_t begun = now_ms();
    struct timespec soon = in_ms(CLOCK_REALTIME, 30);
    pthread_mutex_lock(&mutex);
    CHECK(pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    CHECK(now_ms() - begun >= 29);
    return arg;
}

static void check_timed_wait(void)
{
    join(spawn(timed_wait, NULL));
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int readers, readers_most, writers;

static void *read_or_write(void *arg)
{
    for (int i = 0; i < 100; i++) {
        if ((long)arg == 0) {
            pthread_rwlock_wrlock(&rwlock);
            CHECK(++writers == 1 && readers == 0);
            sched_yield();
            writers--;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            CHECK(writers == 0);
            int n = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
            readers_most = n > readers_most ? n : readers_most;
            usleep(10);
            __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void check_rwlock(void)
{
    pthread_t t[6];
    for (long i = 0; i < 6; i++)
        t[i] = spawn(read_or_write, (void *)(i % 3));
    for (int i = 0; i < 6; i++)
        join(t[i]);
    CHECK(readers_most > 1);
}

static pthread_barrier_t barrier;
static atomic_int serial;

static void *cross(void *arg)
{
    for (int i = 0; i < 20; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            atomic_fetch_add(&serial, 1);
    return arg;
}

static void check_barrier(void)
{
    pthread_t t[5];
    pthread_barrier_init(&barrier, NULL, 5);
    for (int i = 0; i < 5; i++)
        t[i] = spawn(cross, NULL);
    for (int i = 0; i < 5; i++)
        join(t[i]);
    CHECK(serial == 20);
}

static pthread_mutex_t special;

static void make_special(int protocol, int robust, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutexattr_setrobust(&attr, robust);
    pthread_mutexattr_settype(&attr, type);
    CHECK(pthread_mutex_init(&special, &attr) == 0);
}

static void *die_holding(void *arg)
{
    CHECK(pthread_mutex_lock(&special) == 0);
    return arg;
}

static void check_robust(void)
{
    make_special(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_NORMAL);
    join(spawn(die_holding, NULL));
    CHECK(pthread_mutex_lock(&special) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&special) == 0);
    CHECK(pthread_mutex_unlock(&special) == 0);
    CHECK(pthread_mutex_lock(&special) == 0);
    pthread_mutex_unlock(&special);
}

static void *count_specially(void *arg)
{
    for (int i = 0; i < 500; i++) {
        CHECK(pthread_mutex_lock(&special) == 0);
        long seen = counter;
        if (i % 8 == 0)
            sched_yield();
        counter = seen + 1;
        CHECK(pthread_mutex_unlock(&special) == 0);
    }
    return arg;
}

static void check_priority_inheritance(void)
{
    pthread_t t[5];
    make_special(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_NORMAL);
    counter = 0;
    for (int i = 0; i < 5; i++)
        t[i] = spawn(count_specially, NULL);
    for (int i = 0; i < 5; i++)
        join(t[i]);
    CHECK(counter == 2500);
}

static void *try_special(void *arg)
{
    CHECK(pthread_mutex_trylock(&special) == EBUSY);
    CHECK(pthread_mutex_unlock(&special) == EPERM);
    return arg;
}

static void check_owner(void)
{
    make_special(PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_lock(&special);
    CHECK(pthread_mutex_lock(&special) == EDEADLK);
    join(spawn(try_special, NULL));
    pthread_mutex_unlock(&special);
}

/* ---- cancellation ---- */

static atomic_int cleaned;

static void clean(void *arg)
{
    (void)arg;
    atomic_fetch_add(&cleaned, 1);
}

static atomic_bool ready;

static void *block_in_read(void *arg)
{
    char c;
    pthread_cleanup_push(clean, NULL);
    ready = true;
    while (read(*(int *)arg, &c, 1) >= 0)
        continue;
    pthread_cleanup_pop(0);
    return NULL;
}

static void unlock(void *arg)
{
    pthread_mutex_unlock(arg);
}

static void *block_in_wait(void *arg)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    pthread_cleanup_push(clean, NULL);
    ready = true;
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return arg;
}

static void *block_in_sleep(void *arg)
{
    pthread_cleanup_push(clean, NULL);
    ready = true;
    sleep(100);
    pthread_cleanup_pop(0);
    return arg;
}

static void cancel_one(void *(*fn)(void *), void *arg, bool wait)
{
    ready = false;
    pthread_t t = spawn(fn, arg);
    while (wait && !ready)
        usleep(1000);
    usleep(1000);
    CHECK(pthread_cancel(t) == 0);
    CHECK(join(t) == PTHREAD_CANCELED);
}

static void check_cancel(void)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
    cleaned = 0;
    for (int i = 0; i < 2; i++) {
        cancel_one(block_in_read, &pair[0], i == 0);
        cancel_one(block_in_wait, NULL, i == 0);
        cancel_one(block_in_sleep, NULL, i == 0);
    }
    CHECK(cleaned == 6);
    CHECK(pthread_mutex_trylock(&mutex) == 0);
    pthread_mutex_unlock(&mutex);
    close(pair[0]), close(pair[1]);
}

static void *spin_until_cancelled(void *arg)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    ready = true;
    usleep(3000);
    atomic_fetch_add(&cleaned, 1);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
    return arg;
}

static void check_cancel_state(void)
{
    cleaned = 0;
    cancel_one(spin_until_cancelled, NULL, true);
    CHECK(cleaned == 1);
}

/* ---- signals ---- */

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
    usleep(2000);
    CHECK(pthread_kill(t, 0) == 0);
    CHECK(pthread_kill(t, SIGUSR1) == 0);
    join(t);
    CHECK(caught == 1 && pthread_equal(catcher, t));
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

static void *wait_for_gate(void *arg)
{
    sem_wait(arg);
    return NULL;
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
    CHECK(sigtimedwait(&set, NULL, &soon) == -1 && errno == EAGAIN);
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

/* ---- waiting ---- */

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

static void *write_later(void *arg)
{
    usleep(3000);
    CHECK(write(*(int *)arg, "x", 1) == 1);
    return NULL;
}

static void check_poll(void)
{
    int pair[2];
    char c;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct pollfd p = {pair[0], POLLIN, 0};
    fd_set set;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = pair[0]};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev) == 0);
    pthread_t t = spawn(write_later, &pair[1]);
    CHECK(poll(&p, 1, 5) <= 1);
    CHECK(poll(&p, 1, 10000) == 1 && p.revents == POLLIN);
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    t = spawn(write_later, &pair[1]);
    FD_ZERO(&set);
    FD_SET(pair[0], &set);
    struct timeval tv = {10, 0};
    CHECK(select(pair[0] + 1, &set, NULL, NULL, &tv) == 1 && FD_ISSET(pair[0], &set));
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    t = spawn(write_later, &pair[1]);
    CHECK(epoll_wait(ep, &ev, 1, 10000) == 1 && ev.data.fd == pair[0]);
    CHECK(read(pair[0], &c, 1) == 1);
    join(t);
    CHECK(epoll_wait(ep, &ev, 1, 5) == 0);
    close(ep), close(pair[0]), close(pair[1]);
}

static void *write_much(void *arg)
{
    size_t size = 4 << 20;
    char *data = malloc(size);
    memset(data, 'y', size);
    CHECK(write(*(int *)arg, data, size) == (ssize_t)size);
    free(data);
    close(*(int *)arg);
    return NULL;
}

/* A blocking write moves everything, however slow the reader. */
static void check_big_write(void)
{
    int pair[2];
    char buf[10000];
    size_t got = 0;
    ssize_t n;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pthread_t t = spawn(write_much, &pair[1]);
    while ((n = read(pair[0], buf, sizeof buf)) > 0)
        got += (size_t)n;
    CHECK(got == 4 << 20);
    join(t);
    close(pair[0]);
}

static void *time_out(void *arg)
{
    char c;
    int fd = *(int *)arg;
    struct timeval tv = {0, 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    CHECK(recv(fd, &c, 1, 0) == -1 && errno == EAGAIN);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    CHECK(recv(fd, &c, 1, 0) == -1 && errno == EAGAIN);
    return NULL;
}

static void check_socket_timeout(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    join(spawn(time_out, &pair[0]));
    close(pair[0]), close(pair[1]);
}

static void *read_one(void *arg)
{
    char c;
    return (void *)(long)(read(*(int *)arg, &c, 1) == 1 ? 0 : errno);
}

static void check_waits(int *pair)
{
    pthread_t reader = spawn(read_one, &pair[0]), writer = spawn(write_later, &pair[1]);
    CHECK(join(reader) == NULL);
    join(writer);
}

static void check_fails_at_once(int *pair)
{
    CHECK(join(spawn(read_one, &pair[0])) == (void *)EAGAIN);
}

/* The flag holds at once: by fcntl, by ioctl, by way of a duplicate. */
static void check_nonblocking(void)
{
    int pair[2], off = 0, on = 1;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int same_socket = dup(pair[0]);
    check_waits(pair);
    CHECK(fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    check_fails_at_once(pair);
    CHECK(ioctl(pair[0], FIONBIO, &off) == 0);
    check_waits(pair);
    CHECK(ioctl(same_socket, FIONBIO, &on) == 0);
    check_fails_at_once(pair);
    close(same_socket), close(pair[0]), close(pair[1]);
}

/* ---- processes ---- */

static void *fork_inside(void *arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t[10];
        for (long i = 0; i < 10; i++)
            t[i] = spawn(same, (void *)i);
        for (long i = 0; i < 10; i++)
            if (join(t[i]) != (void *)i)
                _exit(1);
        _exit(failure == NULL && getpid() == syscall(SYS_gettid) ? 42 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    return arg;
}

static void check_fork(void)
{
    sem_t gate;
    sem_init(&gate, 0, 0);
    pthread_t other = spawn(wait_for_gate, &gate), t = spawn(fork_inside, NULL);
    join(t);
    fork_inside(NULL);
    sem_post(&gate);
    join(other);
}

static void *run_commands(void *arg)
{
    char line[32] = "";
    FILE *p = popen("echo green; exit 3", "r");
    CHECK(p != NULL && fgets(line, sizeof line, p) != NULL && strcmp(line, "green\n") == 0);
    CHECK(p != NULL && WEXITSTATUS(pclose(p)) == 3);
    CHECK(WEXITSTATUS(system("exit 5")) == 5);
    return arg;
}

static void check_commands(void)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        t[i] = spawn(run_commands, NULL);
    for (int i = 0; i < 4; i++)
        join(t[i]);
}

/* A semaphore in memory shared with a child. */
static void check_shared_semaphore(void)
{
    sem_t *gate = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&gate[0], 1, 0);
    sem_init(&gate[1], 1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        sem_wait(&gate[0]);
        sem_post(&gate[1]);
        _exit(0);
    }
    pthread_t t = spawn(wait_for_gate, &gate[1]);
    usleep(2000);
    sem_post(&gate[0]);
    join(t);
    waitpid(pid, NULL, 0);
    munmap(gate, 4096);
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    void (*run)(void);
} checks[] = {
    {"join", check_join},
    {"detach", check_detach},
    {"exit", check_exit},
    {"timedjoin", check_timedjoin},
    {"thread_local", check_thread_local},
    {"ids", check_ids},
    {"names", check_names},
    {"affinity", check_affinity},
    {"mutex", check_mutex},
    {"condition", check_condition},
    {"timed_wait", check_timed_wait},
    {"rwlock", check_rwlock},
    {"barrier", check_barrier},
    {"robust", check_robust},
    {"priority_inheritance", check_priority_inheritance},
    {"owner", check_owner},
    {"cancel", check_cancel},
    {"cancel_state", check_cancel_state},
    {"kill", check_kill},
    {"restart", check_restart},
    {"process_signal", check_process_signal},
    {"sigwait", check_sigwait},
    {"sigsuspend", check_sigsuspend},
    {"masks", check_masks},
    {"broken_pipe", check_broken_pipe},
    {"poll", check_poll},
    {"big_write", check_big_write},
    {"socket_timeout", check_socket_timeout},
    {"nonblocking", check_nonblocking},
    {"fork", check_fork},
    {"commands", check_commands},
    {"shared_semaphore", check_shared_semaphore},
};

int main(int argc, char **argv)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (argc > 1 && strcmp(argv[1], checks[i].name) != 0)
            continue;
        failure = NULL;
        checks[i].run();
        failed += failure != NULL;
        printf("%s %s%s%s\n", failure == NULL ? "ok" : "not ok", checks[i].name,
               failure == NULL ? "" : ": ", failure == NULL ? "" : failure);
        fflush(stdout);
    }
    return failed > 0;
}
