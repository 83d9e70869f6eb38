/* threads_echo.c - sends back what it gets, with POSIX threads: one a connection. Nothing here
 * knows of libgreen; `green ./threads_echo` makes its threads green. */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *echo(void *arg)
{
    char buf[4096];
    int fd = (int)(long)arg;
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) < n)
            break;
    close(fd);
    return NULL;
}

static int listen_on(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((in_port_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 4096) < 0)
        err(1, "port %d", port);
    return fd;
}

static _Noreturn void serve(int listener)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            usleep(10000); /* no descriptor is left, perhaps: soon there may be one */
        else if (pthread_create(&thread, &small, echo, (void *)(long)fd) != 0)
            close(fd);
    }
}

int main(int argc, char **argv)
{
    char *end = "";
    long port = argc > 1 ? strtol(argv[1], &end, 10) : 7001;
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: threads_echo [PORT]\n"
             "Echoes on 127.0.0.1:PORT (7001), a POSIX thread a connection.");
        return 0;
    }
    if (argc > 2)
        errx(2, "too many arguments (see --help)");
    if (*end != '\0' || port < 1 || port > 65535)
        errx(2, "not a port: '%s'", argv[1]);
    int listener = listen_on((int)port);
    printf("listening on %ld\n", port);
    fflush(stdout);
    serve(listener);
}
