/* channel.c - see green/channel.h.
 *
 * At any time at most one line has waiters: receivers only while the buffer is empty, senders only
 * while it is full. A waiter's standing has the address of its value, so that the other side copies
 * it directly; -EPIPE is the outcome when the channel was closed meanwhile. */
#include "error.h"
#include "memory.h"
#include "select.h"
#include <errno.h>
#include <string.h>

/* ---- inside the guard ---- */

static void copy(const green_chan *c, void *to, const void *from)
{
    if (LIKELY(c->size == sizeof(long)))
        memcpy(to, from, sizeof(long));
    else if (c->size > 0)
        memcpy(to, from, c->size);
}

/* The i-th of the buffer, counted from the oldest. */
static void *slot(green_chan *c, size_t i)
{
    size_t at = c->first + i;
    return c->buffer + (at < c->capacity ? at : at - c->capacity) * c->size;
}

static int put(struct green_hub *hub, green_chan *c, const void *item)
{
    struct waiter *receiver;
    if (c->closed)
        return -EPIPE;
    if (c->count == 0 && (receiver = shared_claim(hub, &c->receivers)) != NULL) {
        copy(c, receiver->standing->item, item);
        shared_deliver(hub, receiver, 0);
        return 0;
    }
    if (c->count == c->capacity)
        return -EAGAIN;
    copy(c, slot(c, c->count++), item);
    return 0;
}

static int take(struct green_hub *hub, green_chan *c, void *item)
{
    struct waiter *sender = c->count == c->capacity ? shared_claim(hub, &c->senders) : NULL;
    if (c->count > 0) {
        copy(c, item, slot(c, 0));
        c->first = c->first + 1 < c->capacity ? c->first + 1 : 0;
        c->count--;
        if (sender != NULL)
            copy(c, slot(c, c->count++), sender->standing->item);
    } else if (sender != NULL) {
        copy(c, item, sender->standing->item);
    } else {
        return c->closed ? 0 : -EAGAIN;
    }
    if (sender != NULL)
        shared_deliver(hub, sender, 0);
    return 1;
}

/* ---- the calls ---- */

static int send(struct green_hub *hub, green_chan *c, const void *item, bool wait)
{
    int err = shared_refused(hub);
    if (err < 0)
        return err;
    guard_enter(hub, &c->guard);
    err = put(hub, c, item);
    if (err == -EAGAIN && wait)
        return shared_hand(hub, &c->guard, &c->senders, 0, (void *)(uintptr_t)item,
                           "channel (to send)", c);
    guard_leave(hub, &c->guard);
    hub_spend(hub);
    return err;
}

static int receive(struct green_hub *hub, green_chan *c, void *item, bool wait)
{
    int got = shared_refused(hub);
    if (got < 0)
        return got;
    guard_enter(hub, &c->guard);
    got = take(hub, c, item);
    if (got == -EAGAIN && wait) {
        int err = shared_hand(hub, &c->guard, &c->receivers, 0, item, "channel (to receive)", c);
        return err == 0 ? 1 : err == -EPIPE ? 0 : err;
    }
    guard_leave(hub, &c->guard);
    hub_spend(hub);
    return got;
}

GREEN_API int green_chan_send(green_chan *c, const void *item)
{
    struct green_hub *hub = hub_here();
    return hub == NULL ? -1 : (int)returned(send(hub, c, item, true));
}

GREEN_API int green_chan_try_send(green_chan *c, const void *item)
{
    struct green_hub *hub = hub_here();
    return hub == NULL ? -1 : (int)returned(send(hub, c, item, false));
}

GREEN_API int green_chan_recv(green_chan *c, void *item)
{
    struct green_hub *hub = hub_here();
    return hub == NULL ? -1 : (int)returned(receive(hub, c, item, true));
}

GREEN_API int green_chan_try_recv(green_chan *c, void *item)
{
    struct green_hub *hub = hub_here();
    return hub == NULL ? -1 : (int)returned(receive(hub, c, item, false));
}

GREEN_API int green_chan_close(green_chan *c)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &c->guard);
    c->closed = true;
    shared_wake_all(hub, &c->senders, -EPIPE);
    shared_wake_all(hub, &c->receivers, -EPIPE);
    guard_leave(hub, &c->guard);
    return 0;
}

GREEN_API size_t green_chan_count(green_chan *c)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return 0;
    guard_enter(hub, &c->guard);
    size_t count = c->count;
    guard_leave(hub, &c->guard);
    return count;
}

/* ---- cases of green_select ---- */

static int look_to_send(struct green_hub *hub, green_case *c)
{
    int err = put(hub, c->object, c->item);
    return err == -EAGAIN ? 0 : err < 0 ? err : 1;
}

GREEN_API green_case green_case_send(green_chan *c, const void *item)
{
    static const struct case_kind kind = {.look = look_to_send};
    if (c == NULL)
        return CASE_NEVER;
    return (green_case){
        .kind = &kind,
        .object = c,
        .item = (void *)(uintptr_t)item,
        .guard = &c->guard,
        .line = &c->senders,
    };
}

static int received(green_case *c, int got)
{
    if (got == 0 && c->item != NULL)
        memset(c->item, 0, ((green_chan *)c->object)->size);
    if (c->got != NULL)
        *c->got = got;
    return 1;
}

static int look_to_receive(struct green_hub *hub, green_case *c)
{
    int got = take(hub, c->object, c->item);
    return got == -EAGAIN ? 0 : received(c, got);
}

static int has_received(green_case *c, int outcome)
{
    received(c, outcome == 0);
    return 0;
}

GREEN_API green_case green_case_recv(green_chan *c, void *item, int *got)
{
    static const struct case_kind kind = {.look = look_to_receive, .won = has_received};
    if (c == NULL)
        return CASE_NEVER;
    return (green_case){
        .kind = &kind,
        .object = c,
        .item = item,
        .got = got,
        .guard = &c->guard,
        .line = &c->receivers,
    };
}

/* ---- life ---- */

GREEN_API green_chan *green_chan_make(size_t item_size, size_t capacity)
{
    size_t bytes = 0;
    green_chan *c = NULL;
    if (!__builtin_mul_overflow(item_size, capacity, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *c, &bytes))
        c = memory_get(bytes);
    if (c == NULL) {
        fail(ENOMEM, "no memory for a channel of %zu values of %zu bytes", capacity, item_size);
        return NULL;
    }
    c->size = item_size;
    c->capacity = capacity;
    c->buffer = (char *)(c + 1);
    return c;
}

GREEN_API void green_chan_free(green_chan *c)
{
    memory_put(c);
}
