/* echo_client.c - many clients of an echo server at once: each sends, waits for the answer, checks
 * it, and sends again. */
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
        if ((size_t)n < size || memcmp(message, answer, size) != 0) {
            fprintf(stderr, "echo_client: %s: %s\n", wish.address,
                    (size_t)n < size ? "the server closed the connection" : "a wrong answer");
            exit(1);
        }
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
    if (rc < 0) { /* the first that fails speaks for all */
        fprintf(stderr, "echo_client: %s: %s\n", wish.address, green_errmsg());
        exit(1);
    }
    green_conn_close(c);
    free(buffers);
    return 0;
}

static int run(void)
{
    green_group group = GREEN_GROUP_INIT;
    int64_t begin = green_now();
    for (long i = 0; i < wish.clients; i++)
        if (green_group_spawn(&group, client, NULL) < 0) {
            fprintf(stderr, "echo_client: %s\n", green_errmsg());
            return 1;
        }
    if (green_group_join(&group) < 0) {
        fprintf(stderr, "echo_client: %s\n", green_errmsg());
        return 1;
    }
    double seconds = (double)(green_now() - begin) / (double)GREEN_SEC;
    long total = wish.clients * wish.messages;
    printf("%ld clients, %ld messages, %.2f s, %.0f messages/s\n", wish.clients, total, seconds,
           (double)total / seconds);
    return 0;
}

static int complain(const char *what, const char *which)
{
    fprintf(stderr, "echo_client: %s%s (see --help)\n", what, which);
    return 2;
}

int main(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        char *end = NULL;
        const char *option = argv[i];
        if (strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0) {
            puts(
                "usage: echo_client [-c CLIENTS] [-n MESSAGES] [-s SIZE] [ADDRESS]\n"
                "CLIENTS at once (1) send MESSAGES each (10) of SIZE bytes (64) to an echo server\n"
                "at ADDRESS: host:port or the path of a unix socket (127.0.0.1:7000).");
            return 0;
        }
        if (strlen(option) != 2 || strchr("cns", option[1]) == NULL)
            return complain("unknown option ", option);
        if (++i == argc)
            return complain("a number must follow ", option);
        long n = strtol(argv[i], &end, 10);
        if (*end != '\0' || n < 1 || n > 100000000)
            return complain("not such a number: ", argv[i]);
        *(option[1] == 'c' ? &wish.clients : option[1] == 'n' ? &wish.messages : &wish.size) = n;
    }
    if (i < argc)
        wish.address = argv[i++];
    return i < argc ? complain("what is meant by ", argv[i]) : run();
}
