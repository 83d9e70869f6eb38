/* listener.c - green_listen and what follows it. The descriptor is ours alone, so it is in
 * non-blocking mode: accept needs no poll before it. */
#include "listener.h"
#include "error.h"
#include "fd.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <green/dns.h>
#include <green/thread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

/* ---- binding: a descriptor or a negative errno ---- */

static int open_socket(int family)
{
    return (int)SYS3(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void set(int fd, int level, int name, int value)
{
    SYS5(SYS_setsockopt, fd, level, name, &value, sizeof value);
}

enum bind_flags {
    BIND_BOTH = 1,  /* an IPv6 socket that takes IPv4 as well */
    BIND_SHARED = 2 /* others may listen there, too */
};

static int bind_ip(const struct sockaddr *address, socklen_t length, int flags)
{
    int fd = open_socket(address->sa_family);
    if (fd < 0)
        return fd;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (flags & BIND_SHARED)
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (address->sa_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !(flags & BIND_BOTH));
    conn_no_delay(fd); /* what it accepts inherits it */
    int err = (int)SYS3(SYS_bind, fd, address, length);
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

/* Was the socket file left by a server that is gone? */
static bool stale(const struct address *address)
{
    struct stat st;
    if (lstat(address->local.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = open_socket(AF_UNIX);
    if (fd < 0)
        return false;
    int err = (int)SYS3(SYS_connect, fd, &address->any, address->length);
    close(fd);
    return err == -ECONNREFUSED;
}

static int bind_local(const struct address *address)
{
    int fd = open_socket(AF_UNIX);
    if (fd < 0)
        return fd;
    int err = (int)SYS3(SYS_bind, fd, &address->any, address->length);
    if (err == -EADDRINUSE && address->local.sun_path[0] != '\0' && stale(address)) {
        unlink(address->local.sun_path);
        err = (int)SYS3(SYS_bind, fd, &address->any, address->length);
    }
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

/* ---- opening ---- */

static int refuse(int err, const char *text)
{
    return fail(-err, "cannot listen on %s: %s", text, strerror(-err));
}

static green_listener *listener_make(int fd, const struct address *local, const char *text,
                                     const green_listen_options *options)
{
    struct stat st;
    int backlog = options->backlog > 0 ? options->backlog : BACKLOG;
    int err = (int)SYS2(SYS_listen, fd, backlog);
    green_listener *l = err == 0 ? memory_get(sizeof *l) : NULL;
    if (l == NULL) {
        close(fd);
        refuse(err < 0 ? err : -ENOMEM, text);
        return NULL;
    }
    l->fd = fd;
    l->local = local != NULL;
    if (local != NULL && stat(local->local.sun_path, &st) == 0) { /* not so for abstract names */
        l->address = *local;
        l->device = st.st_dev;
        l->inode = st.st_ino;
    }
    return l;
}

static green_listener *listen_local(const green_listen_options *options, const char *path)
{
    struct address address;
    if (address_local(path, &address) < 0)
        return NULL;
    int fd = bind_local(&address);
    if (fd >= 0)
        return listener_make(fd, &address, path, options);
    refuse(fd, path);
    return NULL;
}

/* Bind to the first of a host's addresses that can be had; -1, errno and a sentence. */
static int bind_first(const struct network *net, const char *host, const char *port,
                      const char *text, int flags)
{
    struct addrinfo *list;
    int fd = -ENOENT;
    if (address_find(net, host, port, true, &list) < 0)
        return -1;
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
        fd = bind_ip(at->ai_addr, at->ai_addrlen, flags);
    green_freeaddrinfo(list);
    return fd >= 0 ? fd : refuse(fd, text);
}

static int bind_text(const struct network *net, const char *text, int flags)
{
    static const struct network v6 = {AF_INET6, false}, v4 = {AF_INET, false};
    char host[HOST_SIZE];
    char port[PORT_SIZE];
    if (address_split(text, host, port) < 0)
        return -1;
    if (*host != '\0' || net->family != AF_UNSPEC)
        return bind_first(net, host, port, text, flags);
    int fd = bind_first(&v6, host, port, text, flags | BIND_BOTH);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) /* there is no IPv6 here */
        fd = bind_first(&v4, host, port, text, flags);
    return fd;
}

GREEN_API green_listener *green_listen_with(const green_listen_options *options,
                                            const char *network, const char *text)
{
    struct network net;
    if (hub_here() == NULL || network_parse(network, &net) < 0)
        return NULL;
    if (net.family == AF_UNIX)
        return listen_local(options, text);
    if (net.tls) {
        fail(EINVAL, "cannot listen on network 'tls' (there are tcp, tcp4, tcp6 and unix)");
        return NULL;
    }
    int fd = bind_text(&net, text, options->reuse_port ? BIND_SHARED : 0);
    return fd >= 0 ? listener_make(fd, NULL, text, options) : NULL;
}

GREEN_API green_listener *green_listen(const char *network, const char *address)
{
    static const green_listen_options standard;
    return green_listen_with(&standard, network, address);
}

/* The first one was bound without SO_REUSEPORT, so that a port in use by others shows. */
green_listener *listener_twin(green_listener *first, const green_listen_options *options)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int only = 0;
    socklen_t only_size = sizeof only;
    char text[ADDRESS_TEXT];
    SYS3(SYS_getsockname, first->fd, &address, &length);
    SYS5(SYS_getsockopt, first->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &only_size);
    set(first->fd, SOL_SOCKET, SO_REUSEPORT, 1);
    address_text((struct sockaddr *)&address, length, text);
    int fd = bind_ip((struct sockaddr *)&address, length, BIND_SHARED | (only ? 0 : BIND_BOTH));
    if (fd >= 0)
        return listener_make(fd, NULL, text, options);
    refuse(fd, text);
    return NULL;
}

/* ---- using ---- */

/* What passes when somebody else lets go of something. */
static bool exhausted(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

/* Errors of a connection that is already gone: accept(2) hands them on. */
static bool stillborn(int err)
{
    return err == -ECONNABORTED || err == -EPROTO || err == -ENETDOWN || err == -ENETUNREACH ||
           err == -EHOSTDOWN || err == -EHOSTUNREACH || err == -ENONET || err == -ENOPROTOOPT;
}

/* Let some time pass, until the descriptor is closed at most: its number may be another's then. */
static int rest(int fd, int64_t time)
{
    struct pollfd p = {fd, 0, 0};
    long r = green_io_poll(&p, 1, time);
    if (r == -ENOMEM)
        return green_sleep(time) < 0 ? -errno : 0;
    return r > 0 && (p.revents & POLLNVAL) != 0 ? -EBADF : r < 0 ? (int)r : 0;
}

int listener_accept(green_listener *l)
{
    static const int64_t pause_most = 200 * GREEN_MS;
    int64_t pause = 5 * GREEN_MS;
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -ENOMEM;
    int lfd = l->fd; /* the listener may be freed while we wait, or others run */
    struct fd_mark mark = fd_mark(hub, lfd);
    for (;;) {
        int fd = (int)green_io_accept(lfd, NULL, NULL, SOCK_CLOEXEC, IO_BLOCK);
        if (fd_closed(&mark)) {
            if (fd >= 0)
                green_io_close(fd);
            return -EBADF;
        }
        if (fd >= 0)
            return fd;
        if (exhausted(fd)) {
            int err = rest(lfd, pause);
            if (err < 0)
                return err;
            pause = pause * 2 < pause_most ? pause * 2 : pause_most;
        } else if (!stillborn(fd)) {
            return fd;
        }
    }
}

GREEN_API green_conn *green_listener_accept(green_listener *l)
{
    int fd = listener_accept(l);
    if (fd >= 0)
        return conn_make(fd);
    returned(fd);
    return NULL;
}

GREEN_API int green_listener_close(green_listener *l)
{
    struct stat st;
    if (l == NULL)
        return 0;
    const char *path = l->address.local.sun_path;
    if (l->inode != 0 && stat(path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
        unlink(path);
    int err = green_io_close(l->fd);
    memory_put(l);
    return (int)returned(err);
}

GREEN_API int green_listener_address(const green_listener *l, char *buf, size_t size)
{
    const green_conn as_conn = {NULL, l->fd};
    return green_conn_address(&as_conn, buf, size);
}
