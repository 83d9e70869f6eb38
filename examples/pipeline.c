/* pipeline.c - generators as pipes: lines of a file | those with a word | the first few. Each stage
 * is a loop that takes items from the stage before it; leaving the last one closes them all. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <green.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stage {
    green_generator *source; /* the stage before it */
    FILE *file;              /* of the first stage */
    const char *word;
    long most;
};

/* A stage owns what it reads from, whether it ever ran or not. */
static void release(void *arg)
{
    struct stage *s = arg;
    green_generator_destroy(s->source);
    if (s->file != NULL && s->file != stdin)
        fclose(s->file);
}

static green_generator *stage(struct stage *s, int (*fn)(green_generator *g, void *arg))
{
    green_coroutine_options options = {.release = release};
    green_generator *g = green_generator_create_with(&options, sizeof(char *), fn, s);
    if (g == NULL)
        release(s);
    return g;
}

static int lines(green_generator *g, void *arg)
{
    struct stage *s = arg;
    char *line = NULL;
    size_t room = 0;
    int rc = 0;
    while (rc == 0 && getline(&line, &room, s->file) >= 0)
        rc = green_generator_yield(g, &line);
    int why = errno;
    free(line);
    errno = why;
    return rc < 0 || ferror(s->file) ? -1 : 0;
}

static int with_word(green_generator *g, void *arg)
{
    struct stage *s = arg;
    char *line;
    int rc;
    while ((rc = green_generator_next(s->source, &line)) > 0)
        if (strstr(line, s->word) != NULL && green_generator_yield(g, &line) < 0)
            return -1;
    return rc;
}

static int first_few(green_generator *g, void *arg)
{
    struct stage *s = arg;
    char *line;
    int rc = 0;
    for (long n = 0; n < s->most && (rc = green_generator_next(s->source, &line)) > 0; n++)
        if (green_generator_yield(g, &line) < 0)
            return -1;
    return rc < 0 ? -1 : 0;
}

static int run(FILE *file, const char *word, long most)
{
    struct stage read = {.file = file}, filter = {.word = word}, head = {.most = most};
    long n = 0;
    green_generator *all = NULL;
    if ((filter.source = stage(&read, lines)) != NULL &&
        (head.source = stage(&filter, with_word)) != NULL)
        all = stage(&head, first_few);
    green_for(char *, line, all)
        printf("%6ld  %s%s", ++n, line, line[strcspn(line, "\n")] == '\0' ? "\n" : "");
    return errno == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    long most = LONG_MAX;
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "+hn:", options, NULL)) >= 0;)
        switch (option) {
        case 'h':
            puts("usage: pipeline [-n COUNT] WORD [FILE]\n"
                 "Prints the lines of FILE (standard input) that contain WORD, numbered;\n"
                 "the first COUNT of them.");
            return 0;
        case 'n':
            most = strtol(optarg, &end, 10);
            if (*end != '\0' || end == optarg || most < 0)
                errx(2, "no number of lines: '%s' (see --help)", optarg);
            break;
        default:
            return 2; /* getopt has said why */
        }
    if (optind == argc)
        errx(2, "no word (see --help)");
    if (argc - optind > 2)
        errx(2, "too many arguments: %s (see --help)", argv[optind + 2]);
    const char *name = argv[optind + 1]; /* NULL: there is none */
    FILE *file = name != NULL ? fopen(name, "r") : stdin;
    if (file == NULL)
        err(1, "%s", name);
    if (run(file, argv[optind], most) < 0)
        errx(1, "%s: %s", name != NULL ? name : "standard input", green_errmsg());
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
