/* primes.c - the first N primes by a sieve of green threads, each a filter between two channels. */
#include <err.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count_up(void *out)
{
    for (int i = 2;; i++)
        if (green_chan_send(out, &i) < 0)
            return 0; /* cancelled: enough */
}

struct filter {
    green_chan *in, *out;
    int prime;
};

/* Passes on what is no multiple of its prime. */
static int filter(void *arg)
{
    struct filter *f = arg;
    for (int i; green_chan_recv(f->in, &i) > 0;)
        if (i % f->prime != 0 && green_chan_send(f->out, &i) < 0)
            break;
    return 0;
}

/* Prints n primes: each that comes out of the last filter gets one of its own. */
static int sieve(green_group *group, green_chan *channels, struct filter *filters, int n)
{
    for (int i = 0; i <= n; i++)
        channels[i] = (green_chan)GREEN_CHAN_INIT(sizeof(int), 0, NULL);
    if (green_group_spawn(group, count_up, &channels[0]) < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        struct filter *f = &filters[i];
        *f = (struct filter){.in = &channels[i], .out = &channels[i + 1]};
        if (green_chan_recv(f->in, &f->prime) < 0)
            return -1;
        printf("%d\n", f->prime);
        if (green_group_spawn(group, filter, f) < 0)
            return -1;
    }
    return 0;
}

static int run(int n)
{
    green_group group = GREEN_GROUP_INIT;
    green_chan *channels = calloc((size_t)n + 1, sizeof *channels);
    struct filter *filters = calloc((size_t)n, sizeof *filters);
    int rc = -1;
    if (channels == NULL || filters == NULL)
        warn(NULL);
    else if ((rc = sieve(&group, channels, filters, n)) < 0)
        warnx("%s", green_errmsg());
    green_group_cancel(&group);
    green_group_join(&group); /* before what its threads use is freed */
    free(channels);
    free(filters);
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: primes N\n"
             "Prints the first N primes: numbers run through a row of green threads, each a "
             "filter.");
        return 0;
    }
    if (argc != 2)
        errx(2, "how many primes? One number is meant (see --help)");
    long n = strtol(argv[1], &end, 10);
    if (*end != '\0' || n < 1 || n > 100000)
        errx(2, "how many primes? '%s' is no number from 1 to 100000", argv[1]);
    int status = run((int)n);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return status;
}
