/* ping_pong.c - two green threads, on one OS thread or on two, throw a ball N times. Shows
 * channels, select and hubs. */
#include <err.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
    green_chan ping, pong;
};

/* Returns each ball until there are no more. */
static int player(void *arg)
{
    struct table *t = arg;
    for (long ball; green_chan_recv(&t->ping, &ball) > 0;)
        if (green_chan_send(&t->pong, &ball) < 0)
            return -1;
    return 0;
}

/* Serves, and wonders if nothing comes back for a second. */
static int play(struct table *t, long rounds)
{
    long ball = 1, back;
    bool served = false;
    while (ball <= rounds) {
        switch (green_select(GREEN_RECV(&t->pong, &back),
                             GREEN_SEND(served ? NULL : &t->ping, &ball), GREEN_AFTER(GREEN_SEC))) {
        case 0:
            served = false;
            ball++;
            break;
        case 1:
            served = true;
            break;
        case 2:
            printf("nothing came back for a second\n");
            break;
        default:
            return -1;
        }
    }
    return 0;
}

static int run(long rounds, int hubs)
{
    struct table t = {GREEN_CHAN_INIT(sizeof(long), 0, NULL),
                      GREEN_CHAN_INIT(sizeof(long), 0, NULL)};
    green_spawn_options other = {.name = "player"};
    if (green_hubs(hubs) < 0)
        return -1;
    while (hubs == 2 && (other.hub = green_hub_next()) == green_hub_self())
        continue;
    green_thread *thread = green_spawn_with(&other, player, &t);
    if (thread == NULL)
        return -1;
    int64_t begin = green_now();
    int rc = play(&t, rounds);
    double each = (double)(green_now() - begin) / (double)rounds;
    green_chan_close(&t.ping);
    if (rc < 0 || green_join(thread, NULL) < 0)
        return -1;
    printf("%ld rounds on %d OS thread%s, %.0f ns each\n", rounds, hubs, hubs > 1 ? "s" : "", each);
    return 0;
}

int main(int argc, char **argv)
{
    int hubs = 1, at = 1;
    char *end = NULL;
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: ping_pong [-2] N\n"
             "Two green threads throw a ball N times, over channels. -2: on two OS threads.");
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "-2") == 0) {
        hubs = 2;
        at = 2;
    }
    if (argc != at + 1)
        errx(2, "how many rounds? One number is meant (see --help)");
    long n = strtol(argv[at], &end, 10);
    if (*end != '\0' || n < 1 || n > 1000000000)
        errx(2, "how many rounds? '%s' is no number from 1 to 1000000000", argv[at]);
    if (run(n, hubs) < 0)
        errx(1, "%s", green_errmsg());
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
