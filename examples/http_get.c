/* http_get.c - fetches several URLs at once: a green thread for each. */
#include <err.h>
#include <getopt.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fetch {
    const char *url;
    double seconds; /* its deadline */
    int status;     /* -1: failed */
    size_t length;
    int64_t took;
    char error[256];
};

static int fetch(void *arg)
{
    struct fetch *f = arg;
    green_http_response response;
    int64_t begin = green_now();
    green_within((int64_t)(f->seconds * (double)GREEN_SEC)) {
        if (green_http_get(f->url, NULL, &response) == 0) {
            f->status = response.status;
            f->length = response.length;
            green_http_free(&response);
        } else {
            f->status = -1;
            snprintf(f->error, sizeof f->error, "%s", green_errmsg());
        }
    }
    f->took = green_now() - begin;
    return 0; /* a failure is no reason to give up the others */
}

static int fetch_all(struct fetch *fetches, int count)
{
    int status = 0;
    green_group group = GREEN_GROUP_INIT;
    for (int i = 0; i < count; i++)
        if (green_group_spawn(&group, fetch, &fetches[i]) < 0) {
            fetches[i].status = -1;
            snprintf(fetches[i].error, sizeof fetches[i].error, "%s", green_errmsg());
        }
    green_group_join(&group);
    for (struct fetch *f = fetches; f < fetches + count; f++) {
        if (f->status < 0) {
            warnx("%s: %s", f->url, f->error);
            status = 1;
        } else {
            printf("%d %zu bytes %ld ms %s\n", f->status, f->length, (long)(f->took / GREEN_MS),
                   f->url);
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    double seconds = 30;
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "+ht:", options, NULL)) >= 0;)
        switch (option) {
        case 'h':
            puts("usage: http_get [-t SECONDS] URL...\n"
                 "Fetches all URLs at once; each may take SECONDS (30).");
            return 0;
        case 't':
            seconds = strtod(optarg, &end);
            if (*end != '\0' || !(seconds > 0 && seconds < 1e9))
                errx(2, "no number of seconds: '%s' (see --help)", optarg);
            break;
        default:
            return 2; /* getopt has said why */
        }
    int count = argc - optind;
    if (count == 0)
        errx(2, "no URL (see --help)");
    struct fetch *fetches = calloc((size_t)count, sizeof *fetches);
    if (fetches == NULL)
        err(1, NULL);
    for (int k = 0; k < count; k++)
        fetches[k] = (struct fetch){.url = argv[optind + k], .seconds = seconds};
    int status = fetch_all(fetches, count);
    free(fetches);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return status;
}
