/* error.c - see error.h. The text of a thread is allocated at its first failure; when that is
 * impossible there is just errno. */
#include "error.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_text {
    int err; /* the errno it explains */
    char text[252];
};

static struct error_text *text_of(struct green_thread *t)
{
    if (t->errmsg == NULL)
        t->errmsg = memory_get(sizeof *t->errmsg);
    return t->errmsg;
}

int fail(int err, const char *format, ...)
{
    struct green_hub *hub = self_hub();
    struct error_text *e = hub != NULL ? text_of(hub->current) : NULL;
    if (e != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(e->text, sizeof e->text, format, args);
        va_end(args);
        e->err = err;
    }
    errno = err;
    return -1;
}

long failed(long result)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL && hub->current->errmsg != NULL)
        hub->current->errmsg->err = 0; /* what an older failure said is over */
    errno = (int)-result;
    return -1;
}

void error_free(struct green_thread *thread)
{
    memory_put(thread->errmsg);
    thread->errmsg = NULL;
}

GREEN_API const char *green_errmsg(void)
{
    int err = errno;
    struct green_hub *hub = self_hub();
    struct error_text *e = hub != NULL ? hub->current->errmsg : NULL;
    return e != NULL && e->err == err && e->err != 0 ? e->text : strerror(err);
}
