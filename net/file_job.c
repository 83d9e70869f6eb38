/* file_job.c - system calls on OS threads, and the descriptors that they use: see file.h. */
#include "file.h"
#include "memory.h"
#include "sys.h"
#include <pthread.h>

enum { SLOTS = 64, ALIGNED = 4096 };

/* ---- descriptors in use ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list users[SLOTS]; /* by number; next NULL: empty */
static atomic_int count;

static struct list *users_of(int fd)
{
    struct list *l = &users[fd % SLOTS];
    if (l->next == NULL)
        list_init(l);
    return l;
}

static struct file_job *next_user(int fd, struct list *after)
{
    for (after = after->next; after != users_of(fd); after = after->next)
        if (CONTAINER(after, struct file_job, same)->fd == fd)
            return CONTAINER(after, struct file_job, same);
    return NULL;
}

static int enter(struct file_job *f)
{
    int err = 0;
    if (f->fd < 0)
        return 0;
    pthread_mutex_lock(&lock);
    struct file_job *other = next_user(f->fd, users_of(f->fd));
    if ((other != NULL && other->closed) || fd_closed(&f->mark))
        err = -EBADF;
    else
        list_append(users_of(f->fd), &f->same);
    atomic_fetch_add(&count, err == 0);
    pthread_mutex_unlock(&lock);
    return err;
}

static void leave(struct file_job *f)
{
    if (f->fd < 0)
        return;
    pthread_mutex_lock(&lock);
    list_remove(&f->same);
    atomic_fetch_sub(&count, 1);
    bool close = f->closed && next_user(f->fd, users_of(f->fd)) == NULL;
    if (close) /* with the lock held: nobody is to have the number yet */
        SYS1(SYS_close, f->fd);
    pthread_mutex_unlock(&lock);
}

static bool was_closed(struct file_job *f)
{
    pthread_mutex_lock(&lock);
    bool closed = f->closed;
    pthread_mutex_unlock(&lock);
    return closed;
}

bool file_close_later(int fd)
{
    bool any = false;
    if (fd < 0 || atomic_load(&count) == 0)
        return false;
    pthread_mutex_lock(&lock);
    struct list *at = users_of(fd);
    for (struct file_job *f; (f = next_user(fd, at)) != NULL; at = &f->same)
        any = f->closed = true;
    pthread_mutex_unlock(&lock);
    return any;
}

static void fork_begin(void)
{
    pthread_mutex_lock(&lock);
}

static void fork_end(void)
{
    pthread_mutex_unlock(&lock);
}

/* The OS threads are not in the child: what they were to close is closed here. */
static void forked(void)
{
    for (int i = 0; i < SLOTS; i++) {
        struct list *l = users[i].next;
        for (; l != NULL && l != &users[i]; l = l->next)
            if (CONTAINER(l, struct file_job, same)->closed)
                SYS1(SYS_close, CONTAINER(l, struct file_job, same)->fd);
        users[i].next = NULL;
    }
    atomic_store(&count, 0);
    pthread_mutex_unlock(&lock);
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(fork_begin, fork_end, forked);
}

/* ---- jobs ---- */

static void run(struct offload_job *job)
{
    struct file_job *f = CONTAINER(job, struct file_job, job);
    f->result = was_closed(f) ? -EBADF : file_ask(f->nr, f->arg);
    leave(f);
}

static void free_job(struct offload_job *job)
{
    struct file_job *f = CONTAINER(job, struct file_job, job);
    if (f->opens && f->result >= 0 && !f->taken)
        SYS1(SYS_close, f->result);
    memory_put(f);
}

struct file_job *file_job_make(long nr, int fd, size_t room)
{
    size_t gap = room < 512 ? 0 : ALIGNED - 1;
    struct file_job *f = memory_get(sizeof *f + gap + room);
    if (f == NULL)
        return NULL;
    offload_init(&f->job, run, free_job);
    list_init(&f->same);
    f->nr = nr;
    f->fd = fd;
    f->result = -ECANCELED;
    f->room = (char *)(((uintptr_t)(f + 1) + gap) & ~(uintptr_t)gap);
    return f;
}

long file_job_do(struct file_job *f, struct green_lane *lane)
{
    struct green_hub *hub = hub_here();
    int err = hub == NULL ? -ENOMEM : park_refused(hub);
    if (err == 0)
        err = enter(f);
    if (err < 0)
        return err;
    err = offload_start(lane, &f->job);
    if (err < 0) {
        leave(f);
        return err;
    }
    err = offload_wait(&f->job);
    if (err < 0 && offload_take_back(&f->job) == 0)
        leave(f);
    f->taken = err == 0;
    return err < 0 ? err : f->result;
}
