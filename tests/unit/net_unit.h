/* net_unit.h - what the unit tests of net/ share beyond unit.h. */
#pragma once
#include "counts.h"
#include "unit.h"
#include <green/conn.h>
#include <green/offload.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Let others run until it is so; give up after a minute. */
#define wait_for(condition)                          \
    do {                                             \
        int64_t end_ = green_now() + 60 * GREEN_SEC; \
        while (!(condition)) {                       \
            assert_true(green_now() < end_);         \
            green_sleep(GREEN_MS);                   \
        }                                            \
    } while (0)

/* A failed constructor: NULL, this errno, and a sentence with this in it. */
#define assert_none(call, err, says)                     \
    do {                                                 \
        errno = 0;                                       \
        assert_null(call);                               \
        assert_int_equal(errno, err);                    \
        assert_non_null(strstr(green_errmsg(), (says))); \
    } while (0)

/* Reads a connection, a byte at a time, to its end: 0, or the errno of what ends it. */
static inline int read_bytes_end(void *arg)
{
    char c;
    ssize_t n;
    while ((n = green_conn_read(arg, &c, 1)) > 0)
        continue;
    return n < 0 ? errno : 0;
}

/* A port that is taken, but not listened on: its descriptor, and its address. */
static inline int take_port(char address[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    snprintf(address, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

/* Both ends of a connection of this network ("tcp", or a unix socket's path). */
struct ends {
    green_conn *a; /* dialled */
    green_conn *b; /* accepted */
};

static inline struct ends connected(const char *network, const char *at)
{
    struct ends e;
    char address[128];
    green_listener *l = green_listen(network, at);
    assert_non_null(l);
    assert_int_equal(green_listener_address(l, address, sizeof address), 0);
    e.a = green_dial(network, address);
    assert_non_null(e.a);
    e.b = green_listener_accept(l);
    assert_non_null(e.b);
    assert_int_equal(green_listener_close(l), 0);
    return e;
}

static inline void disconnect(struct ends e)
{
    assert_int_equal(green_conn_close(e.a), 0);
    assert_int_equal(green_conn_close(e.b), 0);
}
