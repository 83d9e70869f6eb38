/* heap.h - a hub's pending timers: a 4-ary heap of (time, green thread), nearest first.
 *
 * A green thread has at most one timer. Room is made when a thread is spawned (heap_reserve), so
 * arming never fails. The position of each entry stands in the thread: timer_pos, 0 when unarmed.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct green_thread;

struct heap_entry {
    int64_t time;
    struct green_thread *thread;
};

struct heap {
    struct heap_entry *entries; /* entries[1..count] */
    uint32_t count;
    uint32_t room;
};

/* Room for so many entries; false when there is no memory. */
bool heap_reserve(struct heap *heap, uint32_t entries);
void heap_free(struct heap *heap);

/* Arm the thread's timer, or move an armed one. */
void heap_arm(struct heap *heap, struct green_thread *thread, int64_t time);
/* Harmless if unarmed. */
void heap_disarm(struct heap *heap, struct green_thread *thread);

/* The nearest time; INT64_MAX if there is none. */
static inline int64_t heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->entries[1].time : INT64_MAX;
}
