/* mutex.c - see green/mutex.h. */
#include "mutex.h"
#include "deadlock.h"
#include "error.h"
#include <errno.h>

/* Inside the guard: 0 if it is the caller's now, -EBUSY, -EDEADLK. */
static int take(struct green_thread *self, green_mutex *m)
{
    if (m->owner == self && !m->recursive)
        return -EDEADLK;
    if (m->owner != NULL && m->owner != self)
        return -EBUSY;
    m->owner = self;
    m->depth++;
    return 0;
}

/* Inside the guard, and outside of it afterwards. */
static __attribute__((noinline)) int await_turn(struct green_hub *hub, green_mutex *m)
{
    struct tie tie;
    tie_on(hub, &tie, "a mutex of", &m->owner, &m->guard, NULL);
    int err = shared_wait(hub, &m->guard, &m->waiters, 0, "mutex", m);
    tie_off(&tie);
    return err;
}

int mutex_lock(struct green_hub *hub, green_mutex *m)
{
    guard_enter(hub, &m->guard);
    int err = take(hub->current, m);
    if (err == -EBUSY)
        return await_turn(hub, m);
    guard_leave(hub, &m->guard);
    return err;
}

int mutex_unlock(struct green_hub *hub, green_mutex *m)
{
    guard_enter(hub, &m->guard);
    bool ours = m->owner == hub->current;
    if (ours && --m->depth == 0) {
        m->owner = shared_wake(hub, &m->waiters, 0);
        m->depth = m->owner != NULL;
    }
    guard_leave(hub, &m->guard);
    return ours ? 0 : -EPERM;
}

GREEN_API int green_mutex_lock(green_mutex *m)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    return (int)returned(err < 0 ? err : mutex_lock(hub, m));
}

GREEN_API int green_mutex_trylock(green_mutex *m)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &m->guard);
    err = take(hub->current, m);
    guard_leave(hub, &m->guard);
    if (err == 0)
        return 0;
    shared_tried(hub);
    return (int)returned(-EBUSY); /* whoever has it */
}

GREEN_API int green_mutex_unlock(green_mutex *m)
{
    struct green_hub *hub = hub_here();
    return hub == NULL ? -1 : (int)returned(mutex_unlock(hub, m));
}
