/* echo_client.c - many clients of an echo server at once: each sends, waits for the answer, checks
 * it, and sends again. */
#include <err.h>
#include <getopt.h>
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *address;
    long clients;
    long messages; /* of each client */
    long size;     /* of a message */
} wish = {"127.0.0.1:7000", 1, 10, 64};

static int exchange(green_conn *c, char *message, char *answer)
{
    size_t size = (size_t)wish.size;
    for (long i = 0; i < wish.messages; i++) {
        memset(message, (int)('a' + i % 26), size);
        if (green_conn_write(c, message, size) < 0)
            return -1;
        ssize_t n = green_conn_read_full(c, answer, size);
        if (n < 0)
            return -1;
        if ((size_t)n < size)
            errx(1, "%s: the server closed the connection", wish.address);
        if (memcmp(message, answer, size) != 0)
            errx(1, "%s: a wrong answer", wish.address);
    }
    return 0;
}

static int client(void *arg)
{
    (void)arg;
    const char *network = strpbrk(wish.address, "/@") != NULL ? "unix" : "tcp";
    char *buffers = malloc(2 * (size_t)wish.size);
    green_conn *c = buffers != NULL ? green_dial(network, wish.address) : NULL;
    int rc = c != NULL ? exchange(c, buffers, buffers + wish.size) : -1;
    if (rc < 0) /* the first that fails speaks for all */
        errx(1, "%s: %s", wish.address, green_errmsg());
    green_conn_close(c);
    free(buffers);
    return 0;
}

static void run(void)
{
    green_group group = GREEN_GROUP_INIT;
    int64_t begin = green_now();
    for (long i = 0; i < wish.clients; i++)
        if (green_group_spawn(&group, client, NULL) < 0)
            errx(1, "%s", green_errmsg());
    if (green_group_join(&group) < 0)
        errx(1, "%s", green_errmsg());
    double seconds = (double)(green_now() - begin) / (double)GREEN_SEC;
    long total = wish.clients * wish.messages;
    printf("%ld clients, %ld messages, %.2f s, %.0f messages/s\n", wish.clients, total, seconds,
           (double)total / seconds);
}

static long number(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || n < 1 || n > 1000000)
        errx(2, "'%s' is no number from 1 to 1000000 (see --help)", text);
    return n;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "+hc:n:s:", options, NULL)) >= 0;)
        switch (option) {
        case 'h':
            puts("usage: echo_client [-c CLIENTS] [-n MESSAGES] [-s SIZE] [ADDRESS]\n"
                 "CLIENTS at once (1) send MESSAGES each (10) of SIZE bytes (64) to an echo\n"
                 "server at ADDRESS: host:port or the path of a unix socket (127.0.0.1:7000).");
            return 0;
        case 'c':
            wish.clients = number(optarg);
            break;
        case 'n':
            wish.messages = number(optarg);
            break;
        case 's':
            wish.size = number(optarg);
            break;
        default:
            return 2; /* getopt has said why */
        }
    if (argc - optind > 1)
        errx(2, "what is meant by %s? (see --help)", argv[optind + 1]);
    if (optind < argc)
        wish.address = argv[optind];
    run();
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
