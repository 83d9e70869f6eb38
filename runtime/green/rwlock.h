/* green/rwlock.h - many readers or one writer, in the order they came: a writer in line stops
 * later readers, so neither side starves. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_rwlock {
    green_guard guard;
    unsigned readers;     /* who have it */
    green_thread *writer; /* or who has it */
    green_waiters waiters;
} green_rwlock;
#define GREEN_RWLOCK_INIT \
    {                     \
        {0}, 0, NULL,     \
        {                 \
            NULL, NULL    \
        }                 \
    }

/* EDEADLK: the caller has it for writing; or who has it for writing waits, perhaps by way of
 * others, for the caller (green/hub.h). May yield. A reader waits for itself, and is not told so,
 * if it asks to write, or locks again while a writer waits in between. */
GREEN_API int green_rwlock_read(green_rwlock *lock);
GREEN_API int green_rwlock_write(green_rwlock *lock);
/* Give up what the caller has. EPERM: nobody has it, or another thread has it for writing. */
GREEN_API int green_rwlock_unlock(green_rwlock *lock);

GREEN_END_DECLS
