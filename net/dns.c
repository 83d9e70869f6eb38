/* dns.c - name look-ups: libc's own, on the DNS lane of the offload pool.
 *
 * Why libc: its answers are the ones that the machine's owner configured and that every other
 * program sees: nsswitch.conf with all its modules, hosts file, search domains, mDNS, resolv.conf
 * re-read when it changes, truncated answers asked again over TCP, the order of RFC 6724.
 *  - libevent's evdns has no TCP, no nsswitch and no such order, keeps one source port for life and
 *    repeats its query ids; a look-up of ours must not be easier to forge than libc's.
 *  - c-ares has no nsswitch and no mDNS, and answers and flags of its own.
 * What it costs is one OS thread for each look-up that really waits: up to 256 of them side by side
 * (the lane's limit), gone when idle. What comes on top waits in line, bounded by its deadline.
 *
 * A caller that is cancelled or too late leaves at once. The OS thread cannot be stopped: it ends
 * by the time-outs of resolv.conf, and its answer is freed. Equal look-ups under way are joined, so
 * that impatient retries do not pile up OS threads. Numeric addresses never leave the caller. */
#include "dns_ask.h"
#include "memory.h"
#include "offload.h"
#include "self.h"
#include <arpa/inet.h>
#include <errno.h>
#include <green/dns.h>
#include <string.h>

/* One look-up under way, for all who ask the same. */
struct lookup {
    struct offload_job job;
    struct list flight; /* in lookups_in_flight until it is answered */
    struct addrinfo hints;
    struct addrinfo *answer; /* libc's; who waits takes a copy */
    int code;
    int error;  /* errno, for EAI_SYSTEM */
    char *node; /* these two stand behind the struct; NULL as given */
    char *service;
};

static pthread_mutex_t flight_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list in_flight = {&in_flight, &in_flight};

/* The OS threads of the look-ups under way are not in the child. */
static void forked(void)
{
    pthread_mutex_init(&flight_lock, NULL);
    list_init(&in_flight);
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

/* ---- what needs no name server ---- */

static bool numeric_host(const char *node)
{
    struct in6_addr v6;
    struct in_addr v4;
    char bare[INET6_ADDRSTRLEN];
    size_t n = strcspn(node, "%"); /* a scope may follow */
    if (inet_aton(node, &v4) == 1) /* it overlooks what follows a space, libc's look-up does not */
        return strpbrk(node, " \t\n\v\f\r") == NULL;
    if (n >= sizeof bare)
        return false;
    memcpy(bare, node, n);
    bare[n] = '\0';
    return inet_pton(AF_INET6, bare, &v6) == 1;
}

static bool numeric_service(const char *service)
{
    return service[strspn(service, "0123456789")] == '\0';
}

static bool numeric(const char *node, const char *service, const struct addrinfo *hints)
{
    if (service != NULL && !numeric_service(service))
        return false;
    return node == NULL || (hints->ai_flags & AI_NUMERICHOST) != 0 || numeric_host(node);
}

/* ---- lists of our own, so that several callers can have one answer ---- */

GREEN_API void green_freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        memory_put(list);
        list = next;
    }
}

/* The node, its address and its canonical name in one block. */
static struct addrinfo *copy_one(const struct addrinfo *from)
{
    size_t name = from->ai_canonname != NULL ? strlen(from->ai_canonname) + 1 : 0;
    struct addrinfo *to = memory_get(sizeof *to + from->ai_addrlen + name);
    if (to == NULL)
        return NULL;
    *to = *from;
    to->ai_next = NULL;
    to->ai_addr = memcpy(to + 1, from->ai_addr, from->ai_addrlen);
    if (name > 0)
        to->ai_canonname = memcpy((char *)(to + 1) + from->ai_addrlen, from->ai_canonname, name);
    return to;
}

static int copy_list(const struct addrinfo *from, struct addrinfo **result)
{
    struct addrinfo *first = NULL;
    for (struct addrinfo **at = &first; from != NULL; from = from->ai_next, at = &(*at)->ai_next)
        if ((*at = copy_one(from)) == NULL) {
            green_freeaddrinfo(first);
            return EAI_MEMORY;
        }
    *result = first;
    return 0;
}

/* ---- getaddrinfo ---- */

static void lookup_free(struct offload_job *job)
{
    struct lookup *l = CONTAINER(job, struct lookup, job);
    if (l->answer != NULL)
        freeaddrinfo(l->answer);
    memory_put(l);
}

static void flight_leave(struct lookup *l)
{
    pthread_mutex_lock(&flight_lock);
    list_remove(&l->flight);
    pthread_mutex_unlock(&flight_lock);
}

/* On the pool's OS thread. What nobody wants any more before its turn is not asked. */
static void lookup_run(struct offload_job *job)
{
    struct lookup *l = CONTAINER(job, struct lookup, job);
    pthread_mutex_lock(&flight_lock); /* nobody joins between the question and the leaving */
    bool wanted = offload_wanted(job);
    if (!wanted)
        list_remove(&l->flight);
    pthread_mutex_unlock(&flight_lock);
    if (!wanted)
        return;
    l->code = ask_addresses(l->node, l->service, &l->hints, &l->answer);
    l->error = errno;
    flight_leave(l);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same(const struct lookup *l, const char *node, const char *service,
                 const struct addrinfo *hints)
{
    return same_text(l->node, node) && same_text(l->service, service) &&
           l->hints.ai_family == hints->ai_family && l->hints.ai_flags == hints->ai_flags &&
           l->hints.ai_socktype == hints->ai_socktype && l->hints.ai_protocol == hints->ai_protocol;
}

static struct lookup *lookup_make(const char *node, const char *service,
                                  const struct addrinfo *hints)
{
    size_t node_size = node != NULL ? strlen(node) + 1 : 0;
    size_t service_size = service != NULL ? strlen(service) + 1 : 0;
    struct lookup *l = memory_get(sizeof *l + node_size + service_size);
    if (l == NULL)
        return NULL;
    offload_init(&l->job, lookup_run, lookup_free);
    l->hints = *hints;
    if (node != NULL)
        l->node = memcpy(l + 1, node, node_size);
    if (service != NULL)
        l->service = memcpy((char *)(l + 1) + node_size, service, service_size);
    return l;
}

/* A reference to the look-up that answers this question: one under way, or a new one. */
static int lookup_get(const char *node, const char *service, const struct addrinfo *hints,
                      struct lookup **found)
{
    int err = 0;
    struct lookup *l = NULL;
    pthread_mutex_lock(&flight_lock);
    for (struct list *at = in_flight.next; at != &in_flight && l == NULL; at = at->next) {
        l = CONTAINER(at, struct lookup, flight);
        if (!same(l, node, service, hints))
            l = NULL;
    }
    if (l != NULL) {
        offload_take(&l->job);
    } else if ((l = lookup_make(node, service, hints)) == NULL) {
        err = -ENOMEM;
    } else if ((err = offload_start(&offload_dns, &l->job)) < 0) {
        offload_drop(&l->job);
    } else {
        list_append(&in_flight, &l->flight);
    }
    pthread_mutex_unlock(&flight_lock);
    *found = l;
    return err;
}

/* A negative errno as a result of the twins. */
static int system_code(int err)
{
    if (err == -ENOMEM)
        return EAI_MEMORY;
    errno = -err;
    return EAI_SYSTEM;
}

GREEN_API int green_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                struct addrinfo **result)
{
    /* What libc assumes when there are no hints. */
    static const struct addrinfo none = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    struct lookup *l = NULL;
    if (hints == NULL)
        hints = &none;
    if (numeric(node, service, hints)) {
        int code = ask_addresses(node, service, hints, &list);
        if (code == 0)
            code = copy_list(list, result);
        if (list != NULL)
            freeaddrinfo(list);
        return code;
    }
    struct green_hub *hub = hub_here();
    int err = hub == NULL ? -ENOMEM : park_refused(hub);
    if (err == 0)
        err = lookup_get(node, service, hints, &l);
    if (err < 0)
        return system_code(err);
    err = offload_wait(&l->job);
    int code = err < 0 ? system_code(err) : l->code;
    if (code == 0)
        code = copy_list(l->answer, result);
    else if (err == 0 && code == EAI_SYSTEM)
        errno = l->error;
    int kept = errno;
    offload_drop(&l->job);
    errno = kept;
    return code;
}

/* ---- getnameinfo ---- */

struct naming {
    struct offload_job job;
    struct sockaddr_storage address;
    socklen_t length;
    int flags;
    int code;
    int error;
    socklen_t host_size; /* as the caller's, at most these arrays' */
    socklen_t service_size;
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
};

static void naming_free(struct offload_job *job)
{
    memory_put(CONTAINER(job, struct naming, job));
}

static void naming_run(struct offload_job *job)
{
    struct naming *n = CONTAINER(job, struct naming, job);
    if (!offload_wanted(job))
        return;
    n->code = ask_names((struct sockaddr *)&n->address, n->length, n->host, n->host_size,
                        n->service, n->service_size, n->flags);
    n->error = errno;
}

static int naming_wait(struct naming *n)
{
    struct green_hub *hub = hub_here();
    int err = hub == NULL ? -ENOMEM : park_refused(hub);
    if (err == 0)
        err = offload_start(&offload_dns, &n->job);
    if (err == 0)
        err = offload_wait(&n->job);
    if (err < 0)
        return system_code(err);
    if (n->code == EAI_SYSTEM)
        errno = n->error;
    return n->code;
}

GREEN_API int green_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                                socklen_t host_size, char *service, socklen_t service_size,
                                int flags)
{
    bool wants_host = host != NULL && host_size > 0;
    bool wants_service = service != NULL && service_size > 0;
    if ((!wants_host || (flags & NI_NUMERICHOST) != 0) &&
        (!wants_service || (flags & NI_NUMERICSERV) != 0))
        return getnameinfo(address, length, host, host_size, service, service_size, flags);
    if (length > sizeof(struct sockaddr_storage)) /* more than any address has */
        length = sizeof(struct sockaddr_storage);
    struct naming *n = memory_get(sizeof *n);
    if (n == NULL)
        return EAI_MEMORY;
    offload_init(&n->job, naming_run, naming_free);
    memcpy(&n->address, address, length);
    n->length = length;
    n->flags = flags;
    n->host_size = !wants_host ? 0 : host_size < NI_MAXHOST ? host_size : NI_MAXHOST;
    n->service_size = !wants_service ? 0 : service_size < NI_MAXSERV ? service_size : NI_MAXSERV;
    int code = naming_wait(n);
    if (code == 0 && wants_host)
        memcpy(host, n->host, strlen(n->host) + 1);
    if (code == 0 && wants_service)
        memcpy(service, n->service, strlen(n->service) + 1);
    int kept = errno;
    offload_drop(&n->job);
    errno = kept;
    return code;
}
