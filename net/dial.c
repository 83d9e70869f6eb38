/* dial.c - green_dial: from a network and an address to a connection. */
#include "conn.h"
#include "error.h"
#include "io.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <green/deadline.h>
#include <green/dns.h>
#include <string.h>

/* Connect to one address: the descriptor, or a negative errno. */
static int connect_one(const struct sockaddr *address, socklen_t length)
{
    int fd = (int)SYS3(SYS_socket, address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    if (address->sa_family != AF_UNIX)
        conn_no_delay(fd);
    int err = (int)green_io_connect(fd, address, length, IO_BLOCK);
    if (err == 0)
        return fd;
    green_io_close(fd);
    return err;
}

/* Would another address end the same way? */
static bool gives_up(int err)
{
    return err == -ECANCELED || err == -EDEADLK || err == -EMFILE || err == -ENFILE ||
           err == -ENOMEM || (err == -ETIMEDOUT && green_remaining() == 0);
}

static int length_of(const struct addrinfo *list)
{
    int n = 0;
    for (; list != NULL; list = list->ai_next)
        n++;
    return n;
}

/* One after the other, so that one that does not answer leaves time for the rest. */
static int connect_any(const struct addrinfo *list, const char *text)
{
    char tried[ADDRESS_TEXT] = "";
    int fd = -ENOENT;
    for (int left = length_of(list); list != NULL; list = list->ai_next, left--) {
        int64_t remaining = green_remaining();
        address_text(list->ai_addr, list->ai_addrlen, tried);
        green_within(remaining == INT64_MAX || left == 1 ? INT64_MAX : remaining / left)
            fd = connect_one(list->ai_addr, list->ai_addrlen);
        if (fd >= 0 || gives_up(fd))
            break;
    }
    if (fd >= 0)
        return fd;
    if (strcmp(tried, text) == 0)
        return fail(-fd, "cannot connect to %s: %s", text, strerror(-fd));
    return fail(-fd, "cannot connect to %s (%s): %s", text, tried, strerror(-fd));
}

static green_conn *dial_local(const char *path)
{
    struct address address;
    if (address_local(path, &address) < 0)
        return NULL;
    int fd = connect_one(&address.any, address.length);
    if (fd < 0) {
        fail(-fd, "cannot connect to %s: %s", path, strerror(-fd));
        return NULL;
    }
    return conn_make(fd);
}

GREEN_API green_conn *green_dial_with(const green_dial_options *options, const char *network,
                                      const char *text)
{
    struct network net;
    struct addrinfo *list;
    char host[HOST_SIZE];
    char port[PORT_SIZE];
    if (hub_here() == NULL || network_parse(network, &net) < 0)
        return NULL;
    if (net.family == AF_UNIX)
        return dial_local(text);
    if (address_split(text, host, port) < 0 || address_find(&net, host, port, false, &list) < 0)
        return NULL;
    int fd = connect_any(list, text);
    green_freeaddrinfo(list);
    if (fd < 0)
        return NULL;
    return net.tls ? tls_connect(fd, host, options) : conn_make(fd);
}

GREEN_API green_conn *green_dial(const char *network, const char *address)
{
    static const green_dial_options standard;
    return green_dial_with(&standard, network, address);
}
