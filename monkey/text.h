/* text.h - writing into code that may be running, with no page ever writable and executable.
 *
 * Alone in the process, the pages are made writable in place, and executable again: nothing else
 * can run there meanwhile. With other OS threads about, a changed copy is moved over the original
 * in one step. Signals must be blocked from text_open() to text_close(), and nothing outside this
 * library called: it may be libc that is open. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    uint8_t *lo;
    size_t len;
    uint8_t *copy; /* where to write what is to stand at lo; lo itself when in place */
};

/* Opens the pages of [lo, hi). 0 or -errno. */
int text_open(struct text *t, const void *lo, const void *hi, bool alone);

/* Where to write what is to stand at addr. */
static inline uint8_t *text_at(const struct text *t, const void *addr)
{
    return t->copy + ((const uint8_t *)addr - t->lo);
}

/* Makes the changes current. 0 or -errno: then the change did not happen. */
int text_close(struct text *t);

/* Whether the system lets a changed private mapping become executable: -EACCES under SELinux's
 * execmod, say. To be asked once, before the first text_open(). */
int text_allowed(void);

/* Whether this process has one OS thread. False also when that cannot be found out. */
bool text_alone(void);

void text_copy(uint8_t *to, const uint8_t *from, size_t n);
