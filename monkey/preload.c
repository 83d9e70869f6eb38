/* preload.c - see preload.h: the constructor, what the launcher asked for, the line of figures.
 *
 * The launcher speaks through the environment: GREEN_STATS, GREEN_VERBOSE, GREEN_NO_INHERIT. */
#include "preload.h"
#include "hub.h"
#include "intercept.h"
#include "libc.h"
#include "memory.h"
#include "process.h"
#include "self.h"
#include "signals.h"
#include "sys.h"
#include "task.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t preload_calls;

/* A program that uses the library itself sees by this that its POSIX threads are green (self.h). */
GREEN_API const char green_preloaded = 1;

static bool wants_stats;
static bool started;

/* ---- a line on standard error, made without libc ---- */

struct line {
    char text[400];
    size_t len;
};

static void put(struct line *l, const char *s)
{
    while (*s != '\0' && l->len < sizeof l->text - 1)
        l->text[l->len++] = *s++;
}

static void put_number(struct line *l, uint64_t n)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    put(l, digits + at);
}

static void put_count(struct line *l, uint64_t n, const char *what)
{
    put(l, ", ");
    put_number(l, n);
    put(l, what);
}

static void say(struct line *l)
{
    put(l, "\n");
    SYS3(SYS_write, 2, l->text, l->len);
}

void preload_ends(void)
{
    struct intercept_stats sites;
    struct line l = {.len = 0};
    struct green_hub *hub = self_hub();
    if (!wants_stats || !started)
        return;
    intercept_stats(&sites);
    put(&l, "green: process ");
    put_number(&l, (uint64_t)SYS0(SYS_getpid));
    put_count(&l, task_stats.made, " threads made");
    put_count(&l, task_stats.most, " most at once");
    put_count(&l, hub != NULL ? hub->switches : 0, " switches");
    put_count(&l, preload_calls, " system calls emulated");
    put_count(&l, sites.patched, " sites patched");
    put_count(&l, sites.traps, " traps");
    say(&l);
}

/* ---- start ---- */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}

/* Children run natively: take ourselves out of LD_PRELOAD. */
static void leave_environment(void)
{
    const char *list = getenv("LD_PRELOAD");
    char *rest = list != NULL ? malloc(strlen(list) + 1) : NULL;
    size_t len = 0;
    while (rest != NULL && *list != '\0') {
        size_t n = strcspn(list, ": ");
        bool own = memmem(list, n, "libgreen-preload", strlen("libgreen-preload")) != NULL;
        if (n > 0 && !own) {
            if (len > 0)
                rest[len++] = ':';
            memcpy(rest + len, list, n);
            len += n;
        }
        list += n + (list[n] != '\0');
    }
    if (rest != NULL)
        rest[len] = '\0';
    if (len > 0)
        setenv("LD_PRELOAD", rest, 1);
    else
        unsetenv("LD_PRELOAD");
    free(rest);
}

static void complain(void)
{
    struct line l = {.len = 0};
    put(&l, "green: process ");
    put_number(&l, (uint64_t)SYS0(SYS_getpid));
    put(&l, " runs natively: ");
    put(&l, intercept_error());
    say(&l);
}

static __attribute__((constructor)) void start(void)
{
    wants_stats = is_set("GREEN_STATS");
    if (is_set("GREEN_NO_INHERIT"))
        leave_environment();
    event_set_mem_functions(memory_get, memory_resize, memory_put);
    self_start();
    process_start();
    task_start();
    signals_start();
    started = intercept_start(INTERCEPT_SUD, NULL) == 0;
    if (!started) {
        signals_stop();
        if (is_set("GREEN_VERBOSE"))
            complain();
    }
}
