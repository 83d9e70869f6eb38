/* queue.c - see green/queue.h.
 *
 * Getters (and peekers) stand in line only while the queue is empty, putters only while it is full.
 * A putter's item gets in by whoever makes room, in the order of the line; -ESHUTDOWN is the
 * outcome for those who wait when the queue is shut down. */
#include "error.h"
#include "memory.h"
#include "select.h"
#include <errno.h>
#include <green/queue.h>

enum { GET, PEEK }; /* tags of getters; cases of green_select have the first */

struct entry {
    void *item;
    uint64_t number; /* of all that were put: equals are served in this order */
};

struct green_queue {
    green_guard guard;
    bool closed;
    green_queue_options options;
    struct entry *entries; /* a ring; with priorities a heap, `first` is 0 */
    size_t room, first, count;
    uint64_t number;   /* of the next */
    size_t unfinished; /* tasks */
    green_waiters getters, putters, joiners;
};

/* ---- the store: all inside the guard ---- */

static struct entry *entry_at(green_queue *q, size_t i)
{
    size_t at = q->first + i;
    return &q->entries[at < q->room ? at : at - q->room];
}

static size_t more_room(const green_queue *q)
{
    return q->room > 0 ? 2 * q->room : 16;
}

static struct entry *entries_get(size_t room)
{
    size_t bytes;
    return __builtin_mul_overflow(room, sizeof(struct entry), &bytes) ? NULL : memory_get(bytes);
}

/* Go on in a larger array; returns the old one. */
static struct entry *move_to(green_queue *q, struct entry *entries, size_t room)
{
    struct entry *old = q->entries;
    for (size_t i = 0; i < q->count; i++)
        entries[i] = *entry_at(q, i);
    q->entries = entries;
    q->room = room;
    q->first = 0;
    return old;
}

static bool before(green_queue *q, const struct entry *a, const struct entry *b)
{
    int order = q->options.compare(a->item, b->item);
    return order < 0 || (order == 0 && a->number < b->number);
}

static void sift_up(green_queue *q, struct entry e, size_t at)
{
    while (at > 0 && before(q, &e, &q->entries[(at - 1) / 2])) {
        q->entries[at] = q->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    q->entries[at] = e;
}

static void sift_down(green_queue *q, struct entry e, size_t at)
{
    size_t child;
    while ((child = 2 * at + 1) < q->count) {
        if (child + 1 < q->count && before(q, &q->entries[child + 1], &q->entries[child]))
            child++;
        if (!before(q, &q->entries[child], &e))
            break;
        q->entries[at] = q->entries[child];
        at = child;
    }
    q->entries[at] = e;
}

/* There is room. */
static void store(green_queue *q, void *item)
{
    struct entry e = {item, q->number++};
    q->count++;
    if (q->options.order == GREEN_QUEUE_PRIORITY)
        sift_up(q, e, q->count - 1);
    else
        *entry_at(q, q->count - 1) = e;
}

/* The next one; there is one. */
static void *next_item(green_queue *q)
{
    return entry_at(q, q->options.order == GREEN_QUEUE_LIFO ? q->count - 1 : 0)->item;
}

static void drop_next(green_queue *q)
{
    q->count--;
    if (q->options.order == GREEN_QUEUE_PRIORITY)
        sift_down(q, q->entries[q->count], 0);
    else if (q->options.order == GREEN_QUEUE_FIFO)
        q->first = q->first + 1 < q->room ? q->first + 1 : 0;
}

/* ---- putting and taking: inside the guard ---- */

static bool full(const green_queue *q)
{
    return q->options.limit != 0 && q->count >= q->options.limit;
}

/* Give an item to those who wait. True: one of them has taken it. */
static bool hand_over(struct green_hub *hub, green_queue *q, void *item)
{
    struct waiter *w;
    bool taken = false;
    while (!taken && (w = shared_claim(hub, &q->getters)) != NULL) {
        taken = w->standing->tag == GET;
        *(void **)w->standing->item = item;
        shared_deliver(hub, w, 0);
    }
    return taken;
}

static int put(struct green_hub *hub, green_queue *q, void *item)
{
    if (q->closed)
        return -ESHUTDOWN;
    if (full(q))
        return -EAGAIN;
    if (q->count == q->room)
        return -ENOBUFS; /* make_room, outside the guard */
    q->unfinished++;
    if (!hand_over(hub, q, item))
        store(q, item);
    return 0;
}

/* Let in who waits to put, as far as there is room. */
static void admit(struct green_hub *hub, green_queue *q)
{
    struct waiter *w;
    while (!full(q) && q->count < q->room && (w = shared_claim(hub, &q->putters)) != NULL) {
        q->unfinished++;
        store(q, w->standing->item);
        shared_deliver(hub, w, 0);
    }
}

static int take(struct green_hub *hub, green_queue *q, int tag, void **item)
{
    if (q->count == 0)
        return q->closed ? 0 : -EAGAIN;
    *item = next_item(q);
    if (tag == GET) {
        drop_next(q);
        admit(hub, q);
    }
    return 1;
}

/* So many tasks more are done. */
static void finish(struct green_hub *hub, green_queue *q, size_t tasks)
{
    q->unfinished -= tasks;
    if (q->unfinished == 0)
        shared_wake_all(hub, &q->joiners, 0);
}

/* ---- the calls ---- */

/* Room for one more, unless others take it meanwhile: the guard is not held for an allocation. */
static int make_room(struct green_hub *hub, green_queue *q)
{
    guard_enter(hub, &q->guard);
    size_t room = q->count == q->room ? more_room(q) : 0;
    guard_leave(hub, &q->guard);
    struct entry *entries = room > 0 ? entries_get(room) : NULL;
    if (room > 0 && entries == NULL)
        return -ENOMEM;
    guard_enter(hub, &q->guard);
    if (room > q->room)
        entries = move_to(q, entries, room);
    guard_leave(hub, &q->guard);
    memory_put(entries);
    return 0;
}

static int put_as(green_queue *q, void *item, bool wait)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    int err = shared_refused(hub);
    if (err < 0)
        return err;
    do {
        guard_enter(hub, &q->guard);
        err = put(hub, q, item);
        if (err == -EAGAIN && wait)
            return shared_hand(hub, &q->guard, &q->putters, 0, item, "queue (to put)", q);
        guard_leave(hub, &q->guard);
    } while (err == -ENOBUFS && (err = make_room(hub, q)) == 0);
    hub_spend(hub);
    return err;
}

static int take_as(green_queue *q, int tag, void **item, bool wait)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    int got = shared_refused(hub);
    if (got < 0)
        return got;
    guard_enter(hub, &q->guard);
    got = take(hub, q, tag, item);
    if (got == -EAGAIN && wait) {
        int err = shared_hand(hub, &q->guard, &q->getters, tag, item, "queue (to get)", q);
        return err == 0 ? 1 : err == -ESHUTDOWN ? 0 : err;
    }
    guard_leave(hub, &q->guard);
    hub_spend(hub);
    return got;
}

GREEN_API int green_queue_put(green_queue *q, void *item)
{
    return (int)returned(put_as(q, item, true));
}

GREEN_API int green_queue_try_put(green_queue *q, void *item)
{
    return (int)returned(put_as(q, item, false));
}

GREEN_API int green_queue_get(green_queue *q, void **item)
{
    return (int)returned(take_as(q, GET, item, true));
}

GREEN_API int green_queue_try_get(green_queue *q, void **item)
{
    return (int)returned(take_as(q, GET, item, false));
}

GREEN_API int green_queue_peek(green_queue *q, void **item)
{
    return (int)returned(take_as(q, PEEK, item, true));
}

GREEN_API int green_queue_try_peek(green_queue *q, void **item)
{
    return (int)returned(take_as(q, PEEK, item, false));
}

GREEN_API int green_queue_task_done(green_queue *q)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &q->guard);
    bool any = q->unfinished > q->count; /* one that was taken */
    if (any)
        finish(hub, q, 1);
    guard_leave(hub, &q->guard);
    return (int)returned(any ? 0 : -EINVAL);
}

GREEN_API int green_queue_join(green_queue *q)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    int err = shared_refused(hub);
    if (err < 0)
        return (int)returned(err);
    guard_enter(hub, &q->guard);
    if (q->unfinished > 0)
        return (int)returned(
            shared_wait(hub, &q->guard, &q->joiners, 0, "queue (all tasks done)", q));
    guard_leave(hub, &q->guard);
    return 0;
}

GREEN_API int green_queue_resize(green_queue *q, size_t limit)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    guard_enter(hub, &q->guard);
    q->options.limit = limit;
    admit(hub, q);
    while (!full(q) && queue_of(&q->putters)->head != NULL) {
        guard_leave(hub, &q->guard);
        int err = make_room(hub, q);
        guard_enter(hub, &q->guard);
        if (err < 0)
            shared_wake(hub, &q->putters, err);
        admit(hub, q);
    }
    guard_leave(hub, &q->guard);
    return 0;
}

GREEN_API size_t green_queue_count(green_queue *q)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return 0;
    guard_enter(hub, &q->guard);
    size_t count = q->count;
    guard_leave(hub, &q->guard);
    return count;
}

/* ---- cases of green_select ---- */

/* Here alone room is made inside the guard: those of the other cases are held, too. */
static int look_to_put(struct green_hub *hub, green_case *c)
{
    green_queue *q = c->object;
    int err = put(hub, q, c->item);
    if (err == -ENOBUFS) {
        size_t room = more_room(q);
        struct entry *entries = entries_get(room);
        if (entries == NULL)
            return -ENOMEM;
        memory_put(move_to(q, entries, room));
        err = put(hub, q, c->item);
    }
    return err == -EAGAIN ? 0 : err < 0 ? err : 1;
}

GREEN_API green_case green_case_put(green_queue *q, void *item)
{
    static const struct case_kind kind = {.look = look_to_put};
    if (q == NULL)
        return CASE_NEVER;
    return (green_case){
        .kind = &kind,
        .object = q,
        .item = item,
        .guard = &q->guard,
        .line = &q->putters,
    };
}

static int was_got(green_case *c, int got)
{
    if (got == 0)
        *(void **)c->item = NULL;
    if (c->got != NULL)
        *c->got = got;
    return 1;
}

static int look_to_get(struct green_hub *hub, green_case *c)
{
    int got = take(hub, c->object, GET, c->item);
    return got == -EAGAIN ? 0 : was_got(c, got);
}

static int has_got(green_case *c, int outcome)
{
    was_got(c, outcome == 0);
    return 0;
}

GREEN_API green_case green_case_get(green_queue *q, void **item, int *got)
{
    static const struct case_kind kind = {.look = look_to_get, .won = has_got};
    if (q == NULL)
        return CASE_NEVER;
    return (green_case){
        .kind = &kind,
        .object = q,
        .item = (void *)item,
        .got = got,
        .guard = &q->guard,
        .line = &q->getters,
    };
}

/* ---- life ---- */

GREEN_API green_queue *green_queue_make(const green_queue_options *options)
{
    static const green_queue_options standard;
    if (options == NULL)
        options = &standard;
    if (options->order > GREEN_QUEUE_PRIORITY ||
        (options->order == GREEN_QUEUE_PRIORITY && options->compare == NULL)) {
        fail(EINVAL, "green_queue_make: %s",
             options->order > GREEN_QUEUE_PRIORITY ? "no such order" : "nothing to compare with");
        return NULL;
    }
    green_queue *q = memory_get(sizeof *q);
    if (q == NULL)
        fail(ENOMEM, "no memory for a queue");
    else
        q->options = *options;
    return q;
}

/* What was in the queue, outside the guard. Tasks that are discarded are done. */
static void discard_all(const green_queue *was)
{
    for (green_queue q = *was; q.count > 0; drop_next(&q))
        if (q.options.discard != NULL)
            q.options.discard(next_item(&q));
    memory_put(was->entries);
}

GREEN_API int green_queue_shutdown(green_queue *q, bool immediate)
{
    struct green_hub *hub = hub_here();
    green_queue was = {.count = 0};
    if (hub == NULL)
        return -1;
    guard_enter(hub, &q->guard);
    q->closed = true;
    shared_wake_all(hub, &q->putters, -ESHUTDOWN);
    shared_wake_all(hub, &q->getters, -ESHUTDOWN);
    if (immediate) {
        was.options = q->options;
        was.entries = q->entries;
        was.room = q->room;
        was.first = q->first;
        was.count = q->count;
        q->entries = NULL;
        q->room = q->first = q->count = 0;
        finish(hub, q, was.count);
    }
    guard_leave(hub, &q->guard);
    discard_all(&was);
    return 0;
}

GREEN_API void green_queue_free(green_queue *q)
{
    if (q == NULL)
        return;
    discard_all(q);
    memory_put(q);
}
