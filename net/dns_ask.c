/* dns_ask.c - see dns_ask.h. */
#include "dns_ask.h"
#include "list.h"
#include "self.h"
#include "sys.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const int64_t beginning = 20 * GREEN_MS;
static const int64_t patience = 5 * GREEN_SEC; /* of a fork, whatever the others do */

/* A call of libc's under way. */
struct asking {
    struct list link;
    int64_t since;
    int os_thread;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* to begin; taken first */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list all = {&all, &all};

/* ---- look-ups ---- */

static void ask_begin(struct asking *a)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_lock(&lock);
    a->os_thread = (int)SYS0(SYS_gettid);
    a->since = hub_clock();
    list_append(&all, &a->link);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&gate);
}

static void ask_end(struct asking *a)
{
    pthread_mutex_lock(&lock);
    list_remove(&a->link);
    pthread_mutex_unlock(&lock);
}

int ask_addresses(const char *node, const char *service, const struct addrinfo *hints,
                  struct addrinfo **answer)
{
    struct asking a;
    ask_begin(&a);
    int code = getaddrinfo(node, service, hints, answer);
    ask_end(&a);
    return code;
}

int ask_names(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size,
              char *service, socklen_t service_size, int flags)
{
    struct asking a;
    ask_begin(&a);
    int code = getnameinfo(address, length, host, host_size, service, service_size, flags);
    ask_end(&a);
    return code;
}

/* ---- forks ---- */

/* Not if the machine has only let it stand for a while. Where nothing is to be learnt it does. */
static bool sleeps(const struct asking *a)
{
    char path[48], text[128] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", a->os_thread);
    int fd = (int)SYS4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return true;
    SYS3(SYS_read, fd, text, sizeof text - 1);
    SYS1(SYS_close, fd);
    const char *name_end = strrchr(text, ')');
    return name_end == NULL || strncmp(name_end, ") S", 3) == 0;
}

/* Those of the OS thread that forks do not count: a module of libc's may run a program. */
static bool one_begins(int64_t now)
{
    int self = (int)SYS0(SYS_gettid);
    for (const struct list *l = all.next; l != &all; l = l->next) {
        const struct asking *a = CONTAINER(l, struct asking, link);
        if (a->os_thread != self && (a->since > now - beginning || !sleeps(a)))
            return true;
    }
    return false;
}

static void fork_begin(void)
{
    static const struct timespec moment = {0, 100 * GREEN_US};
    int64_t begun = hub_clock(), now = begun;
    pthread_mutex_lock(&gate);
    pthread_mutex_lock(&lock);
    for (; now - begun < patience && one_begins(now); now = hub_clock()) {
        pthread_mutex_unlock(&lock);
        SYS2(SYS_nanosleep, &moment, NULL);
        pthread_mutex_lock(&lock);
    }
}

static void fork_end(void)
{
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&gate);
}

/* The OS threads of the look-ups under way are not in the child. */
static void forked(void)
{
    list_init(&all);
    fork_end();
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(fork_begin, fork_end, forked);
}
