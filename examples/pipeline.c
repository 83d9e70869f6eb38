/* pipeline.c - generators as pipes: lines of a file | those with a word | the first few. Each stage
 * is a loop that takes items from the stage before it; leaving the last one closes them all. */
#include <errno.h>
#include <green.h>
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
    int err = errno;
    free(line);
    errno = err;
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
    if (errno == 0)
        return 0;
    fprintf(stderr, "pipeline: %s\n", green_errmsg());
    return 1;
}

static int complain(const char *what, const char *which)
{
    fprintf(stderr, "pipeline: %s%s (see --help)\n", what, which);
    return 2;
}

int main(int argc, char **argv)
{
    long most = INT32_MAX;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            puts("usage: pipeline [-n COUNT] WORD [FILE]\n"
                 "Prints the lines of FILE (standard input) that contain WORD, numbered;\n"
                 "the first COUNT of them.");
            return 0;
        }
        if (strcmp(argv[i], "-n") != 0)
            return complain("unknown option ", argv[i]);
        if (++i == argc)
            return complain("-n needs a number of lines", "");
        most = strtol(argv[i], &end, 10);
        if (*end != '\0' || end == argv[i] || most < 0)
            return complain("no number of lines: ", argv[i]);
    }
    if (i == argc || argc - i > 2)
        return complain(i == argc ? "no word" : "too many arguments: ",
                        i == argc ? "" : argv[i + 2]);
    FILE *file = i + 1 < argc ? fopen(argv[i + 1], "r") : stdin;
    if (file == NULL) {
        fprintf(stderr, "pipeline: %s: %s\n", argv[i + 1], strerror(errno));
        return 1;
    }
    return run(file, argv[i], most);
}
