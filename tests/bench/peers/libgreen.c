/* libgreen.c - this library, as one of the peers: see peer.h. */
#include "../pairs.h"
#include "peer.h"
#include <green.h>

static int yield_often(void *n)
{
    for (long i = (long)n; i > 0; i--)
        green_yield();
    return 0;
}

static void peer_switches(long n)
{
    green_group g = GREEN_GROUP_INIT;
    green_group_spawn(&g, yield_often, (void *)(n / 2));
    green_group_spawn(&g, yield_often, (void *)(n / 2));
    green_group_join(&g);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void peer_spawns(long n)
{
    for (long i = 0; i < n; i++)
        green_join(green_spawn(nothing, NULL), NULL);
}

static void peer_round_trips(long n)
{
    round_trips(NULL, n, 0);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return green_sleep(3600 * GREEN_SEC);
}

static void peer_start_sleepers(long n)
{
    for (long i = 0; i < n; i++)
        green_detach(green_spawn(sleep_long, NULL));
    green_yield();
}

static int echo(green_conn *c, void *arg)
{
    char buf[4096];
    ssize_t n;
    (void)arg;
    while ((n = green_conn_read(c, buf, sizeof buf)) > 0)
        if (green_conn_write(c, buf, (size_t)n) < 0)
            break;
    return 0;
}

static void peer_serve(unsigned short port)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    green_serve("tcp", address, echo, NULL);
}

int main(int argc, char **argv)
{
    return peer_main(argc, argv);
}
