/* conn.h - the inside of a connection: a descriptor and the class that knows how to use it.
 *
 * The classes are socket (conn.c: TCP and unix) and TLS (tls.c). Their calls keep the public
 * conventions: -1, errno and a sentence. */
#pragma once
#include "address.h"
#include <green/conn.h>

struct conn_class {
    ssize_t (*read)(green_conn *conn, void *buf, size_t n);
    ssize_t (*write)(green_conn *conn, const void *buf, size_t n);
    ssize_t (*writev)(green_conn *conn, const struct iovec *parts, int count);
    int (*shutdown)(green_conn *conn);
    int (*close)(green_conn *conn); /* also frees it */
};

struct green_conn {
    const struct conn_class *class;
    int fd;
};

/* A socket that somebody else's struct contains: closing does not free it, sets fd to -1. */
extern const struct conn_class conn_embedded;

/* A connection over this descriptor; on failure (NULL, ENOMEM) the descriptor is closed. */
green_conn *conn_make(int fd);

/* No waiting for more data to fill a packet: small answers go out at once. */
void conn_no_delay(int fd);

/* TLS over a connected TCP socket: the handshake, as the client. Takes the descriptor over: on
 * failure (NULL, errno and a sentence) it is closed. `host` as it was dialled. */
green_conn *tls_connect(int fd, const char *host, const green_dial_options *options);
