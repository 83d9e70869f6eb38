/* stream.c - items through threads with back-pressure: see green_stream in green/pool.h.
 *
 * A ring of slots, one an item between drawing and handing out. The consumer fills the ring when it
 * comes for an item and waits for the one that is next: the oldest, or the first that is done. */
#include "error.h"
#include "hub_switch.h"
#include "memory.h"
#include <errno.h>
#include <green/pool.h>
#include <string.h>

enum slot_state { FREE, WORKING, FINISHED };

struct slot {
    green_stream *stream;
    enum slot_state state;
    int error;              /* of fn; 0: succeeded */
    struct error_text *why; /* and the sentence about it */
    size_t turn;            /* in which order they are handed out: as drawn, or as finished */
    char *item;
};

struct green_stream {
    green_stream_options options;
    green_group group;
    struct wait_queue consumer;
    size_t drawn;     /* items so far */
    size_t taken;     /* of them handed out */
    size_t finished;  /* unordered: of them done */
    bool at_end;      /* the source has no more */
    int source_error; /* to be told once all before it are handed out */
    struct error_text *source_why;
    struct slot slots[];
};

GREEN_API green_stream *green_stream_open(const green_stream_options *options)
{
    size_t limit = options->limit > 0 ? (size_t)options->limit : 16;
    size_t table, items, whole;
    if (options->next == NULL || options->fn == NULL) {
        fail(EINVAL, "green_stream_open: next and fn are needed");
        return NULL;
    }
    if (__builtin_mul_overflow(limit, sizeof(struct slot), &table) ||
        __builtin_mul_overflow(limit, options->size, &items) ||
        __builtin_add_overflow(table, items, &whole)) {
        fail(EINVAL, "green_stream_open: %zu items of %zu bytes are too many", limit,
             options->size);
        return NULL;
    }
    green_stream *s = memory_get(sizeof *s + whole);
    if (s == NULL) {
        fail(ENOMEM, "no memory for a stream of %zu items", limit);
        return NULL;
    }
    s->options = *options;
    s->options.limit = (int)limit;
    for (size_t i = 0; i < limit; i++) {
        s->slots[i].stream = s;
        s->slots[i].item = (char *)&s->slots[limit] + i * options->size;
    }
    return s;
}

static void finish(struct green_hub *hub, struct slot *slot, int error)
{
    green_stream *s = slot->stream;
    slot->error = error;
    slot->why = error != 0 ? error_take(hub->current, error) : NULL;
    slot->state = FINISHED;
    if (s->options.unordered)
        slot->turn = s->finished++;
    wake_first(&s->consumer, 0);
}

static int work(void *arg)
{
    struct slot *slot = arg;
    errno = 0;
    bool done = slot->stream->options.fn(slot->item) >= 0;
    finish(self_hub(), slot, done ? 0 : errno != 0 ? errno : ECANCELED);
    return 0; /* a failure is the item's, not the stream's */
}

/* Draw what there is room for. */
static void fill(struct green_hub *hub, green_stream *s)
{
    while (!s->at_end && s->drawn - s->taken < (size_t)s->options.limit) {
        struct slot *slot = s->slots;
        while (slot->state != FREE)
            slot++;
        errno = 0;
        int more = s->options.next(s->options.source, slot->item);
        s->at_end = more <= 0;
        if (more < 0) {
            s->source_error = errno != 0 ? errno : ECANCELED;
            s->source_why = error_take(hub->current, s->source_error);
        }
        if (more <= 0)
            return;
        slot->state = WORKING;
        slot->turn = s->drawn++;
        if (green_group_spawn(&s->group, work, slot) < 0)
            finish(hub, slot, errno);
        else
            s->group.children->deadline = INT64_MAX; /* the consumer's is for its wait only */
    }
}

/* The one to hand out now, or NULL: it is not done yet. */
static struct slot *pick(green_stream *s)
{
    struct slot *best = NULL;
    for (int i = 0; i < s->options.limit; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->state == FREE || (s->options.unordered && slot->state != FINISHED))
            continue;
        if (best == NULL || slot->turn < best->turn)
            best = slot;
    }
    return best != NULL && best->state == FINISHED ? best : NULL;
}

/* 0, or a failure and its sentence. */
static int tell(struct green_hub *hub, int error, struct error_text *why)
{
    if (error != 0)
        error_give(hub->current, why);
    return (int)returned(-error);
}

GREEN_API int green_stream_next(green_stream *s, void *item)
{
    struct green_hub *hub = hub_here();
    struct slot *slot;
    if (hub == NULL)
        return -1;
    for (;;) {
        fill(hub, s);
        if (s->drawn == s->taken) {
            int err = s->source_error;
            s->source_error = 0;
            return tell(hub, err, s->source_why);
        }
        if ((slot = pick(s)) != NULL)
            break;
        int err = park(hub, &s->consumer, WAIT_BACK, INT64_MAX, "an item of a stream", (long)s);
        if (err < 0)
            return (int)returned(err);
    }
    memcpy(item, slot->item, s->options.size);
    slot->state = FREE;
    s->taken++;
    return slot->error == 0 ? 1 : tell(hub, slot->error, slot->why);
}

GREEN_API void green_stream_close(green_stream *s)
{
    if (s == NULL)
        return;
    green_group_cancel(&s->group);
    green_shield()
        green_group_join(&s->group);
    for (int i = 0; i < s->options.limit; i++)
        if (s->slots[i].state == FINISHED)
            memory_put(s->slots[i].why);
    if (s->source_error != 0)
        memory_put(s->source_why);
    memory_put(s);
}
