/* echo_server.c - sends back what it gets: a green thread a connection. */
#include <err.h>
#include <green.h>
#include <stdio.h>
#include <string.h>

static int echo(green_conn *c, void *arg)
{
    char buf[4096];
    ssize_t n;
    (void)arg;
    while ((n = green_conn_read(c, buf, sizeof buf)) > 0)
        if (green_conn_write(c, buf, (size_t)n) < 0) /* all of it, or -1 */
            break;
    return 0; /* the server closes c */
}

static void say(const char *address, void *arg)
{
    (void)arg;
    printf("listening on %s\n", address);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const green_serve_options options = {.on_listen = say};
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:7000";
    if (strcmp(address, "-h") == 0 || strcmp(address, "--help") == 0) {
        puts("usage: echo_server [ADDRESS]\n"
             "Echoes on ADDRESS: host:port, :port, or the path of a unix socket (127.0.0.1:7000).\n"
             "GREEN_HUBS=n in the environment: on n OS threads.");
        return 0;
    }
    if (address[0] == '-' || argc > 2)
        errx(2, "unknown argument %s (see --help)", argv[argc - 1]);
    const char *network = strpbrk(address, "/@") != NULL ? "unix" : "tcp";
    green_serve_with(&options, network, address, echo, NULL);
    errx(1, "%s", green_errmsg());
}
