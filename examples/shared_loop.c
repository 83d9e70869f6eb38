/* shared_loop.c - libevent callbacks and green threads in one loop, on one OS thread: a server that
 * answers by callbacks (evconnlistener, bufferevent), and clients that block on green threads. */
#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <green.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the callbacks' side: what comes goes back in capitals ---- */

static void on_read(struct bufferevent *bev, void *arg)
{
    char buf[256];
    size_t n;
    (void)arg;
    while ((n = bufferevent_read(bev, buf, sizeof buf)) > 0) {
        for (size_t i = 0; i < n; i++)
            if (buf[i] >= 'a' && buf[i] <= 'z')
                buf[i] = (char)(buf[i] - 'a' + 'A');
        bufferevent_write(bev, buf, n);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)arg;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(bev);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
                      int len, void *arg)
{
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    (void)addr, (void)len, (void)arg;
    if (bev == NULL)
        return;
    bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* ---- the green threads' side ---- */

static char address[64];

static int client(void *arg)
{
    char line[64], answer[64] = "";
    green_conn *c = green_dial("tcp", address);
    if (c == NULL)
        return -1;
    int n = snprintf(line, sizeof line, "hello from green thread %d", (int)(intptr_t)arg);
    int rc = 0;
    if (green_conn_write(c, line, (size_t)n) < 0 || green_conn_read_full(c, answer, (size_t)n) < n)
        rc = -1;
    green_conn_close(c);
    if (rc == 0)
        puts(answer);
    return rc;
}

int main(int argc, char **argv)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    char *end = "";
    long clients = argc > 1 ? strtol(argv[1], &end, 10) : 3;
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        puts("usage: shared_loop [CLIENTS]\n"
             "libevent callbacks serve CLIENTS green threads (3) in one loop.");
        return 0;
    }
    if (argc > 2 || *end != '\0' || clients < 1 || clients > 10000)
        errx(2, "how many clients? '%s' is no number from 1 to 10000 (see --help)", argv[argc - 1]);
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct evconnlistener *listener = evconnlistener_new_bind(
        green_hub_event_base(), on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
        (struct sockaddr *)&any, sizeof any);
    if (listener == NULL)
        err(1, "listen");
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&any, &len);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(any.sin_port));
    green_group g = GREEN_GROUP_INIT;
    for (long i = 0; i < clients; i++)
        if (green_group_spawn(&g, client, (void *)i) < 0)
            errx(1, "%s", green_errmsg());
    if (green_group_join(&g) < 0) /* the loop runs while main waits here */
        errx(1, "%s", green_errmsg());
    evconnlistener_free(listener);
    if (fflush(stdout) != 0 || ferror(stdout))
        err(1, "standard output");
    return 0;
}
