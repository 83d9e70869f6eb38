/* rwlock.c - see green/rwlock.h. One line for readers and writers, told apart by their tag. */
#include "deadlock.h"
#include "error.h"
#include "shared.h"
#include <errno.h>
#include <green/rwlock.h>

enum { READER, WRITER };

/* Inside the guard: hand the lock to those at the head of the line who can have it. */
static void grant(struct green_hub *hub, green_rwlock *l)
{
    int tag;
    while (l->writer == NULL && shared_first(hub, &l->waiters, &tag) != NULL) {
        if (tag == WRITER && l->readers > 0)
            return;
        struct green_thread *t = shared_wake(hub, &l->waiters, 0);
        if (tag == WRITER)
            l->writer = t;
        else
            l->readers++;
    }
}

/* Inside the guard, and outside of it afterwards. Nobody knows who reads, so that there is a tie to
 * a writer only. */
static int await_turn(struct green_hub *hub, green_rwlock *l, int tag)
{
    struct tie tie;
    tie_on(hub, &tie, "an rwlock of", &l->writer, &l->guard, NULL);
    int err = shared_wait(hub, &l->guard, &l->waiters, tag,
                          tag == READER ? "rwlock (to read)" : "rwlock (to write)", l);
    tie_off(&tie);
    return err;
}

static int lock_as(green_rwlock *l, int tag)
{
    struct green_hub *hub = hub_here();
    int first;
    if (hub == NULL)
        return -ENOMEM;
    int err = shared_refused(hub);
    if (err < 0)
        return err;
    guard_enter(hub, &l->guard);
    bool line = shared_first(hub, &l->waiters, &first) != NULL;
    if (l->writer == hub->current) {
        err = -EDEADLK;
    } else if (tag == READER && l->writer == NULL && !line) {
        l->readers++;
    } else if (tag == WRITER && l->writer == NULL && l->readers == 0 && !line) {
        l->writer = hub->current;
    } else {
        err = await_turn(hub, l, tag);
        if (err == 0)
            return 0;
        guard_enter(hub, &l->guard); /* readers behind a writer that gave up may go on */
        grant(hub, l);
    }
    guard_leave(hub, &l->guard);
    return err;
}

GREEN_API int green_rwlock_read(green_rwlock *l)
{
    return (int)returned(lock_as(l, READER));
}

GREEN_API int green_rwlock_write(green_rwlock *l)
{
    return (int)returned(lock_as(l, WRITER));
}

GREEN_API int green_rwlock_unlock(green_rwlock *l)
{
    struct green_hub *hub = hub_here();
    int err = 0;
    if (hub == NULL)
        return -1;
    guard_enter(hub, &l->guard);
    if (l->writer == hub->current)
        l->writer = NULL;
    else if (l->writer == NULL && l->readers > 0)
        l->readers--;
    else
        err = -EPERM;
    grant(hub, l);
    guard_leave(hub, &l->guard);
    return (int)returned(err);
}
