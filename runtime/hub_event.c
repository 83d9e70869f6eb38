/* hub_event.c - libevent under the hub: see hub_event.h.
 *
 * One event_base an OS thread, without locks. Its own timers are not used: the hub's heap is, and
 * one timerfd, registered like any descriptor, ends a wait (libevent's clock is a tick coarse, or
 * costs a system call a round; nor is it read each round). The timerfd and the message
 * bell are edge-triggered and never read. */
#include "hub_event.h"
#include "error.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <green/hub.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

_Static_assert(WATCH_READ == EV_READ && WATCH_WRITE == EV_WRITE && WATCH_CLOSED == EV_CLOSED,
               "readiness bits are libevent's");
_Static_assert(sizeof(struct event) <= WATCH_SIZE, "a watch holds an event");

struct hub_events {
    struct event alarm;
    struct event bell;
    bool alarm_added;
    bool bell_added;
};

static struct event *event_of(struct watch *watch)
{
    return (struct event *)(void *)watch->event;
}

/* ---- descriptors ---- */

int watch_add(struct green_hub *hub, struct watch *watch, int fd, watch_fn *fn, void *arg)
{
    struct event *ev = event_of(watch);
    short edges = EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST;
    event_assign(ev, hub->base, fd, edges, fn, arg);
    errno = 0;
    if (event_add(ev, NULL) < 0)
        return errno != 0 ? -errno : -ENOMEM;
    hub->watches++;
    return 0;
}

void watch_remove(struct green_hub *hub, struct watch *watch)
{
    event_del_noblock(event_of(watch));
    hub->watches--;
}

/* ---- the loop ---- */

__attribute__((hot)) bool hub_poll(struct green_hub *hub, bool wait)
{
    return event_base_loop(hub->base, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0;
}

bool hub_alarm(struct green_hub *hub, int64_t time)
{
    struct itimerspec at = {0};
    if (time <= 0)
        time = 1; /* zero would disarm it */
    at.it_value.tv_sec = (time_t)(time / GREEN_SEC);
    at.it_value.tv_nsec = (long)(time % GREEN_SEC);
    if (SYS4(SYS_timerfd_settime, hub->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        return false;
    hub->alarm_at = time;
    return true;
}

bool hub_has_foreign_events(struct green_hub *hub)
{
    static const unsigned any =
        EVENT_BASE_COUNT_ACTIVE | EVENT_BASE_COUNT_VIRTUAL | EVENT_BASE_COUNT_ADDED;
    return event_base_get_num_events(hub->base, any) > 2; /* our own alarm and bell */
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct green_hub *hub = arg;
    (void)fd, (void)what;
    hub->alarm_at = INT64_MAX;
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    hub_receive(arg);
}

/* ---- life ---- */

static void quiet(int severity, const char *msg)
{
    (void)severity, (void)msg; /* failures come back as errno; a library does not print */
}

static void quieten(void)
{
    event_set_log_callback(quiet);
}

/* libevent ends the process when it lacks the descriptors for a base (epoll, a pipe): find out
 * before it does. */
static bool descriptors_left(void)
{
    enum { NEEDED = 4 };
    int fds[NEEDED], n = 0;
    while (n < NEEDED && (fds[n] = (int)SYS2(SYS_eventfd2, 0, EFD_CLOEXEC)) >= 0)
        n++;
    bool enough = n == NEEDED;
    while (n-- > 0)
        SYS1(SYS_close, fds[n]);
    return enough;
}

static struct event_base *base_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quieten);
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                      EVENT_BASE_FLAG_NO_CACHE_TIME);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static int add_event(struct green_hub *hub, struct event *ev, int fd, event_callback_fn fn,
                     bool *added)
{
    event_assign(ev, hub->base, fd, EV_READ | EV_ET | EV_PERSIST, fn, hub);
    *added = event_add(ev, NULL) == 0;
    return *added ? 0 : -ENOMEM;
}

int hub_events_open(struct green_hub *hub)
{
    struct hub_events *e = hub->events = memory_get(sizeof *e);
    if (e == NULL)
        return -ENOMEM;
    if (hub->base == NULL && !descriptors_left())
        return -EMFILE;
    if (hub->base == NULL)
        hub->base = base_new();
    if (hub->base == NULL)
        return -ENOMEM;
    int fd = (int)SYS2(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC);
    fd = hub->alarm_fd = self_fd(fd);
    if (fd < 0)
        return fd;
    fd = hub->bell_fd = self_fd((int)SYS2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (fd < 0)
        return fd;
    int err = add_event(hub, &e->alarm, hub->alarm_fd, on_alarm, &e->alarm_added);
    if (err == 0)
        err = add_event(hub, &e->bell, hub->bell_fd, on_bell, &e->bell_added);
    return err;
}

void hub_events_close(struct green_hub *hub)
{
    struct hub_events *e = hub->events;
    if (e != NULL && e->alarm_added)
        event_del_noblock(&e->alarm);
    if (e != NULL && e->bell_added)
        event_del_noblock(&e->bell);
    if (hub->base != NULL && !hub->base_given)
        event_base_free(hub->base);
    if (hub->alarm_fd >= 0)
        SYS1(SYS_close, hub->alarm_fd);
    if (hub->bell_fd >= 0)
        SYS1(SYS_close, hub->bell_fd);
    memory_put(e);
}

void hub_events_forget(struct green_hub *hub)
{
    SYS1(SYS_close, hub->alarm_fd);
    SYS1(SYS_close, hub->bell_fd);
    hub->alarm_fd = hub->bell_fd = -1;
}

GREEN_API int green_hub_attach(struct event_base *base)
{
    static const int needed = EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE;
    if (base == NULL || (event_base_get_features(base) & needed) != needed)
        return fail(EINVAL, "green_hub_attach: no base with edge-triggered epoll");
    if (self_hub() != NULL)
        return fail(EBUSY, "green_hub_attach: this OS thread has a loop already");
    return hub_create(base) != NULL ? 0 : -1;
}

GREEN_API struct event_base *green_hub_event_base(void)
{
    struct green_hub *hub = hub_here();
    return hub != NULL ? hub->base : NULL;
}
