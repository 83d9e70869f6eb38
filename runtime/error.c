/* error.c - see error.h. The text of a thread is allocated at its first failure; when that is
 * impossible there is just errno. */
#include "error.h"
#include "memory.h"
#include "self.h"
#include "state.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error_text {
    int err;    /* the errno it explains */
    bool noted; /* by error_note: the failing call has not returned yet */
    char text[247];
};

static struct error_text *text_of(struct green_thread *t)
{
    if (t->errmsg == NULL)
        t->errmsg = memory_get(sizeof *t->errmsg);
    return t->errmsg;
}

static void note(struct green_thread *t, int err, bool noted, const char *format, va_list args)
{
    struct error_text *e = text_of(t);
    if (e == NULL)
        return;
    vsnprintf(e->text, sizeof e->text, format, args);
    e->err = err;
    e->noted = noted;
}

/* Who goes on calling though it is cancelled or late never waits: others must run all the same. */
static void spend_refused(struct green_hub *hub, int err)
{
    if (err == ECANCELED || err == ETIMEDOUT)
        hub_spend(hub);
}

int fail(int err, const char *format, ...)
{
    struct green_hub *hub = self_hub();
    if (hub != NULL) {
        va_list args;
        va_start(args, format);
        note(hub->current, err, false, format, args);
        va_end(args);
        hub->current->late = false;
        spend_refused(hub, err);
    }
    errno = err;
    return -1;
}

void error_note(struct green_thread *t, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(t, err, true, format, args);
    va_end(args);
}

long failed(long result)
{
    struct green_hub *hub = self_hub();
    struct error_text *e = hub != NULL ? hub->current->errmsg : NULL;
    if (e != NULL) {
        if (!e->noted || e->err != -result)
            e->err = 0; /* what an older failure said is over */
        e->noted = false;
    }
    if (hub != NULL) {
        if (!hub->current->late || result != -ETIMEDOUT)
            hub->current->late_why = NULL;
        hub->current->late = false;
        spend_refused(hub, (int)-result);
    }
    errno = (int)-result;
    return -1;
}

void error_give(struct green_thread *thread, struct error_text *text)
{
    if (text == NULL)
        return;
    error_free(thread);
    text->noted = true;
    thread->errmsg = text;
}

void error_free(struct green_thread *thread)
{
    memory_put(thread->errmsg);
    thread->errmsg = NULL;
}

/* Put into words only when asked for: most deadlines that pass are nobody's concern. */
static void tell_late(struct green_thread *t)
{
    struct error_text *e = text_of(t);
    char wait[80];
    if (e == NULL)
        return;
    bool named = strchr(t->late_why, '%') != NULL; /* else it is an address, which says nothing */
    state_describe(t->late_why, named ? t->late_object : 0, wait, sizeof wait);
    if (wait[0] != '\0')
        snprintf(e->text, sizeof e->text, "timed out waiting for %s", wait);
    else
        snprintf(e->text, sizeof e->text, "timed out before the call: its deadline had passed");
    e->err = ETIMEDOUT;
}

/* What explains err; NULL: nothing does. */
static struct error_text *explain(struct green_thread *t, int err)
{
    if (err == ETIMEDOUT && t->late_why != NULL && (t->errmsg == NULL || t->errmsg->err != err))
        tell_late(t);
    return t->errmsg != NULL && t->errmsg->err == err ? t->errmsg : NULL;
}

struct error_text *error_take(struct green_thread *thread, int err)
{
    struct error_text *e = explain(thread, err);
    if (e != NULL)
        thread->errmsg = NULL;
    return e;
}

GREEN_API const char *green_errmsg(void)
{
    int err = errno;
    struct green_hub *hub = self_hub();
    struct error_text *e = hub != NULL && err != 0 ? explain(hub->current, err) : NULL;
    errno = err;
    return e != NULL ? e->text : strerror(err);
}
