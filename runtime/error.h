/* error.h - failing with errno and a sentence: the source of green_errmsg(). */
#pragma once

struct green_thread;

/* Set errno to `err` (positive), keep the formatted sentence for green_errmsg(), return -1. */
int fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the thread's failing call is about to say, when it returns -err. */
void error_note(struct green_thread *thread, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A negative errno from inside becomes -1 and errno; other results pass. */
long failed(long result);
static inline long returned(long result)
{
    return __builtin_expect(result >= 0, 1) ? result : failed(result);
}

/* The sentence that explains `err`, if the thread has it, is handed on: taken from one, given to
 * another, whose failing call is about to say it. NULL: there is none. */
struct error_text;
struct error_text *error_take(struct green_thread *thread, int err);
void error_give(struct green_thread *thread, struct error_text *text);

void error_free(struct green_thread *thread);
