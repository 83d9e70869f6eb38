/* names.c - the linked door's getaddrinfo(3), in front of libc's.
 *
 * libc's resolver keeps its state for each OS thread, so that two look-ups of one OS thread must
 * not be under way at once, whoever makes their system calls yield. On a green thread it is
 * therefore libc's own function on an offload thread; the answer is libc's, for libc's
 * freeaddrinfo. */
#include "io.h"
#include "linked.h"
#include <dlfcn.h>
#include <errno.h>
#include <green/monkey.h>
#include <green/offload.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int of_libc(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **answer)
{
    static getaddrinfo_fn *fn;
    if (fn == NULL)
        fn = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    return fn != NULL ? fn(node, service, hints, answer) : EAI_FAIL;
}

/* On the heap: who is cancelled leaves it behind. */
struct question {
    struct addrinfo hints;
    const struct addrinfo *hints_given; /* the above, or NULL */
    struct addrinfo *answer;
    char *node; /* these two stand behind the struct; NULL as given */
    char *service;
    int error; /* errno, for EAI_SYSTEM */
};

static struct question *question_make(const char *node, const char *service,
                                      const struct addrinfo *hints)
{
    size_t node_size = node != NULL ? strlen(node) + 1 : 0;
    size_t service_size = service != NULL ? strlen(service) + 1 : 0;
    struct question *q = calloc(1, sizeof *q + node_size + service_size);
    if (q == NULL)
        return NULL;
    if (hints != NULL) {
        q->hints = *hints;
        q->hints_given = &q->hints;
    }
    if (node != NULL)
        q->node = memcpy(q + 1, node, node_size);
    if (service != NULL)
        q->service = memcpy((char *)(q + 1) + node_size, service, service_size);
    return q;
}

static void question_free(void *arg)
{
    struct question *q = arg;
    if (q->answer != NULL)
        freeaddrinfo(q->answer);
    free(q);
}

static int ask(void *arg)
{
    struct question *q = arg;
    int code = of_libc(q->node, q->service, q->hints_given, &q->answer);
    q->error = errno;
    return code;
}

GREEN_API int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                          struct addrinfo **answer)
{
    int code = 0;
    if (!linked_group_on(GREEN_MONKEY_DNS) || !green_io_parks())
        return of_libc(node, service, hints, answer);
    struct question *q = question_make(node, service, hints);
    if (q == NULL)
        return EAI_MEMORY;
    if (green_offload_owned(ask, q, question_free, &code) < 0)
        return EAI_SYSTEM;
    if (code == 0) {
        *answer = q->answer;
        q->answer = NULL;
    }
    int error = q->error;
    question_free(q);
    if (code == EAI_SYSTEM)
        errno = error;
    return code;
}
