/* patterns.c - what one reaches for who comes from Go, gevent or libdill, each in a few lines made
 * of what there is: time, retries, rates, trees of threads that end together, the first answer, the
 * first failure, stopping many, letting those at work finish. */
#include <err.h>
#include <errno.h>
#include <green.h>
#include <stdio.h>
#include <string.h>

/* ---- time: a clock that does not drift; a call later on, that can be taken back ---- */

static int ticker(void)
{
    int64_t at = green_now();
    for (int i = 0; i < 3; i++) {
        if (green_sleep_until(at += GREEN_MS) < 0)
            return -1;
        printf("tick ");
    }
    return 0;
}

static int ring(void *bell)
{
    printf("%s ", (const char *)bell);
    return 0;
}

static int later(void)
{
    green_spawn_options soon = {.delay = GREEN_MS}, in_an_hour = {.delay = 3600 * GREEN_SEC};
    green_thread *first = green_spawn_with(&soon, ring, "ding");
    green_thread *second = green_spawn_with(&in_an_hour, ring, "dong");
    if (first == NULL || second == NULL || green_kill(second, NULL) < 0)
        return -1;
    return green_join(first, NULL);
}

/* ---- again, after a pause that doubles, but not for ever ---- */

static int attempt(int *left)
{
    errno = EAGAIN;
    return (*left)-- > 0 ? -1 : 0;
}

static int retry(void)
{
    int left = 2, times = 1, rc = -1;
    green_within(10 * GREEN_SEC)
        for (int64_t pause = GREEN_MS; (rc = attempt(&left)) < 0; pause *= 2, times++)
            if (green_sleep(pause) < 0)
                break;
    printf("done at attempt %d", times);
    return rc;
}

/* ---- a rate: so many at once, and one more each tick ---- */

static int refill(void *bucket)
{
    for (int64_t at = green_now(); green_sleep_until(at += GREEN_MS) == 0;)
        green_semaphore_release(bucket); /* refused when it is full */
    return -1;
}

static int rate(void)
{
    green_semaphore bucket = GREEN_SEMAPHORE_BOUNDED_INIT(3);
    green_thread *t = green_spawn(refill, &bucket);
    int64_t begin = green_now();
    for (int i = 0; i < 6 && t != NULL; i++)
        if (green_semaphore_acquire(&bucket) < 0)
            return -1;
    printf("3 at once, the others %s",
           green_now() - begin >= 3 * GREEN_MS ? "in time" : "too early");
    return t != NULL ? green_kill(t, NULL) : -1;
}

/* A search is due when no key has come for a while. */
static int debounce(void)
{
    char typed[8] = "", keys[8];
    int64_t quiet = INT64_MAX;
    green_chan c = GREEN_CHAN_INIT(1, sizeof keys, keys);
    for (const char *k = "tree"; *k != '\0'; k++)
        green_chan_send(&c, k);
    for (size_t n = 0;; quiet = green_now() + GREEN_MS)
        switch (green_select(GREEN_RECV(&c, &typed[n]), GREEN_AFTER(quiet - green_now()))) {
        case 0:
            n++;
            break;
        case 1:
            return printf("search for %s", typed);
        default:
            return -1;
        }
}

/* ---- a tree of threads: one deadline, one cancellation, values that come from above ---- */

static green_key request;
static int leaves;

static int node(void *depth)
{
    const char *level = depth;
    green_group children = GREEN_GROUP_INIT;
    if (*level == '\0') {
        leaves += strcmp(green_get_local(request), "r7") == 0;
        return green_sleep(3600 * GREEN_SEC);
    }
    for (int i = 0; i < 3; i++)
        if (green_group_spawn(&children, node, (void *)(uintptr_t)(level + 1)) < 0)
            green_group_cancel(&children);
    return green_group_join(&children);
}

static int tree(void)
{
    green_key_options options = {.inherit = true};
    if (green_key_create_with(&request, &options) < 0 || green_set_local(request, "r7") < 0)
        return -1;
    green_within(100 * GREEN_MS)
        if (node("##") == 0 || errno != ETIMEDOUT)
            return -1;
    printf("%d leaves of r7, all ended by its deadline", leaves);
    return green_key_delete(request);
}

/* ---- many: the first answer, the first failure, the word to stop, the time to finish ---- */

static int ask(void *delay)
{
    return green_sleep(*(int64_t *)delay);
}

static int first_answer(void)
{
    static int64_t delays[] = {3600 * GREEN_SEC, GREEN_MS, 3600 * GREEN_SEC};
    green_thread *t[3];
    for (int i = 0; i < 3; i++)
        t[i] = green_spawn(ask, &delays[i]);
    int first = green_wait_any(t, 3); /* NULL never ends */
    printf("of server %d", first);
    return first < 0 ? -1 : green_kill_all(t, 3);
}

static int fetch(void *number)
{
    if ((intptr_t)number < 4)
        return green_yield();
    return green_dial("nonsense", ":1") != NULL ? 0 : -1;
}

/* Two at a time, and after a failure no more. */
static int first_failure(void)
{
    green_pool two = GREEN_POOL_INIT(2);
    intptr_t i = 0;
    while (i < 1000 && green_pool_spawn(&two, fetch, (void *)i) == 0)
        i++;
    bool failed = green_pool_join(&two) < 0;
    printf("%s, after %s", green_errmsg(), i < 10 ? "a few" : "all");
    return failed ? 0 : -1;
}

static int until_told(void *stop)
{
    for (;;)
        switch (green_select(GREEN_SET(stop), GREEN_AFTER(GREEN_MS))) {
        case 0:
            return 0;
        case 1:
            break; /* the work */
        default:
            return -1;
        }
}

static int stop_all(void)
{
    green_event stop = GREEN_EVENT_INIT;
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 10; i++)
        if (green_group_spawn(&g, until_told, &stop) < 0)
            green_group_cancel(&g);
    green_sleep(3 * GREEN_MS);
    green_event_set(&stop);
    printf("10 have stopped");
    return green_group_join(&g);
}

static int finished, cut_short;

static int work(void *duration)
{
    int rc = green_sleep(*(int64_t *)duration);
    *(rc == 0 ? &finished : &cut_short) += 1;
    return rc;
}

/* What is at work may finish, within reason. */
static int drain(void)
{
    static int64_t quick = GREEN_MS, endless = 3600 * GREEN_SEC;
    green_group g = GREEN_GROUP_INIT;
    if (green_group_spawn(&g, work, &quick) < 0 || green_group_spawn(&g, work, &endless) < 0)
        green_group_cancel(&g);
    /* The deadline is around the join alone: the threads are older. */
    green_within(100 * GREEN_MS)
        green_group_join(&g);
    printf("%d finished, %d cut short", finished, cut_short);
    return 0;
}

static const struct {
    const char *name;
    int (*show)(void);
} shows[] = {{"ticker", ticker},
             {"later", later},
             {"retry", retry},
             {"rate", rate},
             {"debounce", debounce},
             {"tree", tree},
             {"first-answer", first_answer},
             {"first-failure", first_failure},
             {"stop-all", stop_all},
             {"drain", drain}};
enum { SHOWS = sizeof shows / sizeof shows[0] };

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : NULL;
    bool found = false;
    if (argc == 2 && (strcmp(which, "-h") == 0 || strcmp(which, "--help") == 0)) {
        printf("usage: patterns [NAME]\n"
               "Shows what is often asked for, by name; all of it without an argument:\n ");
        for (int i = 0; i < SHOWS; i++)
            printf(" %s", shows[i].name);
        puts("");
        return 0;
    }
    for (int i = 0; i < SHOWS && argc <= 2; i++)
        if (which == NULL || strcmp(which, shows[i].name) == 0) {
            found = true;
            printf("%s: ", shows[i].name);
            if (shows[i].show() < 0)
                errx(1, "%s: %s", shows[i].name, green_errmsg());
            puts("");
        }
    if (!found)
        errx(2, "what is '%s'? (see --help)", argv[argc - 1]);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
