/* state_threads.c - State Threads (Debian: libst-dev): see peer.h. It has no channels: a word goes
 * to the other thread by a variable and a condition. */
#include "peer.h"
#include <netinet/in.h>
#include <st.h>

static void *yield_often(void *n)
{
    for (long i = (long)n; i > 0; i--)
        st_usleep(0);
    return NULL;
}

static void peer_switches(long n)
{
    st_thread_t a = st_thread_create(yield_often, (void *)(n / 2), 1, 0);
    st_thread_t b = st_thread_create(yield_often, (void *)(n / 2), 1, 0);
    st_thread_join(a, NULL);
    st_thread_join(b, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void peer_spawns(long n)
{
    for (long i = 0; i < n; i++)
        st_thread_join(st_thread_create(nothing, NULL, 1, 0), NULL);
}

struct pair {
    st_cond_t there, back;
    long value, answer;
};

static void *answer(void *arg)
{
    struct pair *p = arg;
    while (p->value >= 0) {
        p->answer = p->value;
        st_cond_signal(p->back);
        st_cond_wait(p->there);
    }
    return NULL;
}

static void peer_round_trips(long n)
{
    struct pair p = {st_cond_new(), st_cond_new(), 0, 0};
    st_thread_t t = st_thread_create(answer, &p, 1, 0);
    for (long v = 0; v < n; v++) {
        p.value = v;
        st_cond_signal(p.there);
        st_cond_wait(p.back);
    }
    p.value = -1;
    st_cond_signal(p.there);
    st_thread_join(t, NULL);
    st_cond_destroy(p.there);
    st_cond_destroy(p.back);
}

static void *sleep_long(void *arg)
{
    st_sleep(3600);
    return arg;
}

static void peer_start_sleepers(long n)
{
    for (long i = 0; i < n; i++)
        if (st_thread_create(sleep_long, NULL, 0, 0) == NULL) {
            perror("state_threads: a sleeper");
            exit(1);
        }
    st_usleep(0);
}

static void *echo(void *arg)
{
    st_netfd_t c = arg;
    char buf[4096];
    ssize_t n;
    while ((n = st_read(c, buf, sizeof buf, ST_UTIME_NO_TIMEOUT)) > 0)
        if (st_write(c, buf, (size_t)n, ST_UTIME_NO_TIMEOUT) < 0)
            break;
    st_netfd_close(c);
    return NULL;
}

static void peer_serve(unsigned short port)
{
    struct sockaddr_in at = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&at, sizeof at) < 0 || listen(s, 1024) < 0)
        return;
    st_netfd_t listener = st_netfd_open_socket(s), c;
    while ((c = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) != NULL)
        st_thread_create(echo, c, 0, 0);
}

int main(int argc, char **argv)
{
    st_set_eventsys(ST_EVENTSYS_ALT); /* epoll */
    if (st_init() < 0)
        return 1;
    return peer_main(argc, argv);
}
