/* heap.c - see heap.h. Children of entry n are 4n-2 .. 4n+1. */
#include "heap.h"
#include "memory.h"
#include "thread.h"

bool heap_reserve(struct heap *heap, uint32_t entries)
{
    if (entries <= heap->room)
        return true;
    uint32_t room = heap->room == 0 ? 64 : heap->room;
    while (room < entries)
        room *= 2;
    struct heap_entry *more =
        memory_resize(heap->entries, ((size_t)room + 1) * sizeof heap->entries[0]);
    if (more == NULL)
        return false;
    heap->entries = more;
    heap->room = room;
    return true;
}

void heap_free(struct heap *heap)
{
    memory_put(heap->entries);
    *heap = (struct heap){0};
}

static void put(struct heap *heap, uint32_t pos, struct heap_entry entry)
{
    heap->entries[pos] = entry;
    entry.thread->timer_pos = pos;
}

static void sift_up(struct heap *heap, uint32_t pos, struct heap_entry entry)
{
    while (pos > 1) {
        uint32_t parent = (pos + 2) / 4;
        if (heap->entries[parent].time <= entry.time)
            break;
        put(heap, pos, heap->entries[parent]);
        pos = parent;
    }
    put(heap, pos, entry);
}

static void sift_down(struct heap *heap, uint32_t pos, struct heap_entry entry)
{
    for (;;) {
        uint32_t child = 4 * pos - 2, least = child;
        if (child > heap->count)
            break;
        for (uint32_t i = child + 1; i < child + 4 && i <= heap->count; i++)
            if (heap->entries[i].time < heap->entries[least].time)
                least = i;
        if (heap->entries[least].time >= entry.time)
            break;
        put(heap, pos, heap->entries[least]);
        pos = least;
    }
    put(heap, pos, entry);
}

static void place(struct heap *heap, uint32_t pos, struct heap_entry entry)
{
    if (pos > 1 && heap->entries[(pos + 2) / 4].time > entry.time)
        sift_up(heap, pos, entry);
    else
        sift_down(heap, pos, entry);
}

void heap_arm(struct heap *heap, struct green_thread *thread, int64_t time)
{
    struct heap_entry entry = {time, thread};
    thread->timer_at = time;
    if (thread->timer_pos != 0)
        place(heap, thread->timer_pos, entry);
    else
        sift_up(heap, ++heap->count, entry);
}

void heap_disarm(struct heap *heap, struct green_thread *thread)
{
    uint32_t pos = thread->timer_pos;
    if (pos == 0)
        return;
    thread->timer_pos = 0;
    thread->timer_at = INT64_MAX;
    struct heap_entry last = heap->entries[heap->count--];
    if (last.thread != thread)
        place(heap, pos, last);
}
