/* pthread_life.c - threads begin and end, and have some things to themselves. */
#include "pthread_semantics.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

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

const struct check life[] = {
    {"join", check_join},
    {"detach", check_detach},
    {"exit", check_exit},
    {"timedjoin", check_timedjoin},
    {"thread_local", check_thread_local},
    {"ids", check_ids},
    {"names", check_names},
    {"affinity", check_affinity},
    {NULL, NULL},
};
