/* sleepers.c - N green threads asleep at once, and the memory that each of them takes. */
#include <err.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long asleep;

static int sleeper(void *arg)
{
    (void)arg;
    asleep++;
    green_sleep(INT64_MAX); /* until it is cancelled */
    asleep--;
    return 0;
}

/* Memory and page tables of the process, in bytes. */
static long memory_used(void)
{
    char line[128];
    long sum = 0;
    long kib;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
            sum += kib * 1024;
    if (f != NULL)
        fclose(f);
    return sum;
}

static int run(long n)
{
    green_group group = GREEN_GROUP_INIT;
    int rc = 0;
    green_yield(); /* now the hub is there, and counts as memory used before */
    long before = memory_used();
    int64_t begin = green_now();
    for (long i = 0; i < n && rc == 0; i++) {
        rc = green_group_spawn(&group, sleeper, NULL);
        if (i % 1000 == 999)
            green_yield(); /* let them fall asleep */
    }
    if (rc < 0)
        warnx("%s", green_errmsg());
    while (rc == 0 && asleep < n)
        green_yield();
    if (rc == 0)
        printf("%ld threads asleep, %ld bytes each, started in %.2f s\n", n,
               (memory_used() - before) / n, (double)(green_now() - begin) / (double)GREEN_SEC);
    green_group_cancel(&group);
    green_group_join(&group);
    return rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: sleepers N\n"
             "Puts N green threads to sleep and says how much memory each takes.");
        return 0;
    }
    if (argc != 2)
        errx(2, "how many threads? One number is meant (see --help)");
    long n = strtol(argv[1], &end, 10);
    if (*end != '\0' || n < 1 || n > 100000000)
        errx(2, "how many threads? '%s' is no number from 1 to 100000000", argv[1]);
    int status = run(n);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return status;
}
