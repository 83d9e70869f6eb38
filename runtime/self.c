/* self.c - the library's hub of an OS thread: see self.h. */
#include "self.h"
#include "fork.h"
#include "overflow.h"
#include <errno.h>
#include <pthread.h>

_Thread_local struct green_hub *self_hub_here;
static _Thread_local struct green_hub *before_fork; /* this OS thread's, in the parent */

/* The C++ runtime's, if the program has it from the start. */
extern struct exceptions *__cxa_get_globals(void) __attribute__((weak));

struct exceptions *self_exceptions(void)
{
    return __cxa_get_globals != NULL ? __cxa_get_globals() : NULL;
}

static pthread_key_t at_exit; /* its destructor ends the hub with its OS thread */
static int at_exit_error;

static void os_thread_ends(void *hub)
{
    self_hub_here = hub;
    hub_destroy(hub);
}

static void make_key(void)
{
    at_exit_error = pthread_key_create(&at_exit, os_thread_ends);
}

int self_hub_set(struct green_hub *hub)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int err = pthread_once(&once, make_key);
    if (err == 0)
        err = at_exit_error;
    if (err == 0 && hub != NULL)
        err = -overflow_arm();
    if (err == 0)
        err = pthread_setspecific(at_exit, hub);
    if (err == 0 || hub == NULL)
        self_hub_here = hub;
    if (hub == NULL)
        overflow_disarm();
    else
        hub->exceptions_at = self_exceptions();
    return -err;
}

void self_forked(void)
{
    if (self_hub_here == NULL)
        return;
    before_fork = self_hub_here;
    self_hub_set(NULL);
}

struct green_hub *self_hub_new(void)
{
    struct green_hub *gone = before_fork;
    struct green_hub *hub = hub_create(NULL);
    if (hub == NULL || gone == NULL)
        return hub;
    if (!fork_inherit(hub, gone)) {
        hub_destroy(hub);
        errno = ENOMEM;
        return NULL;
    }
    before_fork = NULL;
    return hub;
}

void self_stack(const void **bottom, size_t *size)
{
    pthread_attr_t attr;
    void *base = NULL;
    *size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &base, size);
        pthread_attr_destroy(&attr);
    }
    *bottom = base;
}
