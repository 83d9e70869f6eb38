/* shared_loop.c - libevent callbacks and green threads in one loop, on one OS thread: a server that
 * answers by callbacks (evconnlistener, bufferevent), and clients that block on green threads. */
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
    int err = 0;
    if (green_conn_write(c, line, (size_t)n) < 0 || green_conn_read_full(c, answer, (size_t)n) < n)
        err = -1;
    green_conn_close(c);
    if (err == 0)
        puts(answer);
    return err;
}

int main(int argc, char **argv)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    int clients = argc > 1 ? atoi(argv[1]) : 3;
    if (argc > 2 || clients < 1) {
        bool help = argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"));
        fprintf(help ? stdout : stderr,
                help ? "usage: shared_loop [CLIENTS]\n"
                       "libevent callbacks serve CLIENTS green threads (3)"
                       " in one loop.\n"
                     : "shared_loop: unknown argument %s (see --help)\n",
                argv[argc - 1]);
        return help ? 0 : 2;
    }
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct evconnlistener *listener = evconnlistener_new_bind(
        green_hub_event_base(), on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
        (struct sockaddr *)&any, sizeof any);
    if (listener == NULL) {
        perror("shared_loop: listen");
        return 1;
    }
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&any, &len);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(any.sin_port));
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < clients; i++)
        green_group_spawn(&g, client, (void *)(intptr_t)i);
    int err = green_group_join(&g); /* the loop runs while main waits here */
    if (err < 0)
        fprintf(stderr, "shared_loop: %s\n", green_errmsg());
    evconnlistener_free(listener);
    return err < 0;
}
