/* coroutines.c - what coroutines are known for, each in a few lines: cooperative tasks, iterators,
 * infinite lists, exceptions, and a trampoline that makes coroutines out of generators. Nothing of
 * it needs an event loop. */
#include <err.h>
#include <errno.h>
#include <green.h>
#include <stdio.h>
#include <string.h>

/* ---- cooperative tasks: the scheduler is a loop ---- */

static int spell(green_coroutine *self, void *word)
{
    for (const char *c = word; *c != '\0'; c++) {
        putchar(*c);
        if (green_coroutine_yield(self, NULL) < 0)
            return -1;
    }
    return 0;
}

static int tasks(void)
{
    static char *const words[] = {"adgi", "beh", "cf"};
    green_coroutine *task[3];
    int failures = 0, running = 0;
    for (int i = 0; i < 3; i++) {
        task[i] = green_coroutine_create(spell, words[i]);
        failures += task[i] == NULL;
    }
    do {
        running = 0;
        for (int i = 0; i < 3 && failures == 0; i++)
            if (green_coroutine_status(task[i]) != GREEN_COROUTINE_ENDED)
                running += green_coroutine_resume(task[i], NULL, NULL);
    } while (running > 0);
    putchar('\n');
    for (int i = 0; i < 3; i++)
        green_coroutine_destroy(task[i]);
    return failures == 0 ? 0 : -1;
}

/* ---- an iterator: over a tree, by the recursion that anyone would write ---- */

struct tree {
    const struct tree *left, *right;
    const char *word;
};

static int walk(green_generator *g, const struct tree *t)
{
    if (t == NULL)
        return 0;
    if (walk(g, t->left) < 0 || green_generator_yield(g, &t->word) < 0)
        return -1;
    return walk(g, t->right);
}

static int walk_all(green_generator *g, void *tree)
{
    return walk(g, tree);
}

static int iterator(void)
{
    struct tree a = {NULL, NULL, "ash"}, o = {NULL, NULL, "oak"}, y = {NULL, NULL, "yew"};
    struct tree e = {&a, &o, "elm"}, root = {&e, &y, "pine"};
    green_for(const char *, word, green_generator_create(sizeof(char *), walk_all, &root))
        printf("%s ", word);
    putchar('\n');
    return errno == 0 ? 0 : -1;
}

/* ---- an infinite list: as much of it is made as somebody wants ---- */

static int fibonacci(green_generator *g, void *arg)
{
    (void)arg;
    for (uint64_t a = 0, b = 1, sum;; a = b, b = sum) {
        sum = a + b;
        if (green_generator_yield(g, &a) < 0)
            return -1;
    }
}

static int infinite(void)
{
    errno = 0;
    green_for(uint64_t, n, green_generator_create(sizeof(uint64_t), fibonacci, NULL)) {
        if (n > 100)
            break;
        printf("%lu ", (unsigned long)n);
    }
    putchar('\n');
    return errno == 0 ? 0 : -1;
}

/* ---- exceptions: an error thrown in, clean-up on the way out ---- */

static void clean_up(const char *const *what)
{
    printf("cleaned up %s; ", *what);
}

static int careful(green_coroutine *self, void *arg)
{
    const char *outer __attribute__((cleanup(clean_up), unused)) = "outer";
    const char *inner __attribute__((cleanup(clean_up), unused)) = "inner";
    (void)arg;
    return green_coroutine_yield(self, NULL);
}

static int exceptions(void)
{
    green_coroutine *co = green_coroutine_create(careful, NULL);
    if (co == NULL || green_coroutine_resume(co, NULL, NULL) < 0)
        return -1;
    green_coroutine_throw(co, ETIMEDOUT, NULL);
    printf("caught outside: %s\n", strerror(errno));
    return green_coroutine_destroy(co);
}

/* ---- a trampoline: generators can only yield to their caller, but if what they yield is who runs
 * next, and the caller sees to it, they are coroutines that go anywhere ---- */

static green_generator *producer, *consumer;
static int basket;

static int produce(green_generator *g, void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        printf("made %d, ", i);
        basket = i;
        if (green_generator_yield(g, &consumer) < 0)
            return -1;
    }
    return 0;
}

static int consume(green_generator *g, void *arg)
{
    (void)arg;
    for (;;) {
        printf("ate %d; ", basket);
        if (green_generator_yield(g, &producer) < 0)
            return -1;
    }
}

static int trampoline(void)
{
    producer = green_generator_create(sizeof(green_generator *), produce, NULL);
    consumer = green_generator_create(sizeof(green_generator *), consume, NULL);
    int rc = producer != NULL && consumer != NULL ? 1 : -1;
    for (green_generator *next = producer; rc > 0;)
        rc = green_generator_next(next, &next);
    putchar('\n');
    green_generator_destroy(producer);
    green_generator_destroy(consumer);
    return rc;
}

static const struct {
    const char *name;
    int (*show)(void);
} shows[] = {{"tasks", tasks},
             {"iterator", iterator},
             {"infinite", infinite},
             {"exceptions", exceptions},
             {"trampoline", trampoline}};
enum { SHOWS = sizeof shows / sizeof shows[0] };

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : NULL;
    bool found = false;
    if (argc == 2 && (strcmp(which, "-h") == 0 || strcmp(which, "--help") == 0)) {
        puts("usage: coroutines [tasks | iterator | infinite | exceptions | trampoline]\n"
             "Shows what coroutines are known for; all of it without an argument.");
        return 0;
    }
    for (int i = 0; i < SHOWS && argc <= 2; i++)
        if (which == NULL || strcmp(which, shows[i].name) == 0) {
            found = true;
            printf("%s: ", shows[i].name);
            if (shows[i].show() < 0)
                errx(1, "%s: %s", shows[i].name, green_errmsg());
        }
    if (!found)
        errx(2, "what is '%s'? (see --help)", argv[argc - 1]);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
