/* green/conn.h - connections and listeners: TCP, unix sockets and TLS as one type.
 *
 * A network is "tcp" (IPv4 and IPv6), "tcp4", "tcp6", "unix" or "tls". An address is "host:port",
 * ":port", "[::1]:80" (the port a number or a service name); for unix sockets a path, or "@name"
 * for one in the abstract name space. Everything here may yield unless it says otherwise, and
 * green_errmsg() names the host and what it said.
 *
 * A connection belongs to one hub. One green thread may read while another writes; several writers
 * take turns, a whole write each. Closing it makes whoever is inside a call on it fail with EBADF;
 * calls that begin after the close are the caller's mistake. */
#pragma once
#include <green/base.h>
#include <sys/uio.h>

GREEN_BEGIN_DECLS

typedef struct green_conn green_conn;
typedef struct green_listener green_listener;

/* ---- opening ---- */

/* For TLS; zero is the default everywhere. */
typedef struct green_dial_options {
    const char *ca_file;     /* trust the certificates in this PEM file, and no others. Default: the
                                system's, or $SSL_CERT_FILE and $SSL_CERT_DIR */
    const char *server_name; /* whom the certificate must name. Default: the address's host */
    bool insecure;           /* accept any certificate */
} green_dial_options;

/* Connect. All addresses of the host are tried in turn; when a deadline bounds the call, each gets
 * its share of what is left. NULL and
 *   EINVAL        network or address make no sense,
 *   ENOENT        the host or service does not exist; EAGAIN: the name server fails,
 *   ECONNREFUSED, ETIMEDOUT, ENETUNREACH...  as connect(2) says of the last address tried,
 *   EKEYREJECTED  TLS: the certificate is not trusted, or is somebody else's,
 *   EPROTO        TLS: the two sides do not come to terms,
 *   EMFILE, ENOMEM. */
GREEN_API green_conn *green_dial(const char *network, const char *address);
GREEN_API green_conn *green_dial_with(const green_dial_options *options, const char *network,
                                      const char *address);

/* ---- using ---- */

/* What is there, at most n bytes: > 0; 0: the other side will send no more; -1. Under TLS an end
 * without the protocol's own sign of it is an error (ECONNABORTED): the data may be cut. */
GREEN_API ssize_t green_conn_read(green_conn *conn, void *buf, size_t n);

/* Exactly n bytes, or fewer if the end comes first; -1 (what was read by then is in buf). */
GREEN_API ssize_t green_conn_read_full(green_conn *conn, void *buf, size_t n);

/* All n bytes: returns n; or -1, and an unknown part was sent. A deadline is for the whole call.
 * EPIPE: the other side is gone, or (TLS) an earlier write was cut. No SIGPIPE. */
GREEN_API ssize_t green_conn_write(green_conn *conn, const void *buf, size_t n);
GREEN_API ssize_t green_conn_writev(green_conn *conn, const struct iovec *parts, int count);

/* Say that no more will be written; reading goes on. */
GREEN_API int green_conn_shutdown(green_conn *conn);

/* Close and free. Under TLS the end is announced to the other side: bounded by the deadline and by
 * a second. The connection is gone whatever is returned. NULL is fine. */
GREEN_API int green_conn_close(green_conn *conn);

/* The descriptor: still the connection's. (That it is not readable does not say that there is
 * nothing to read: under TLS some may have been decrypted ahead. Reading inside green_within(0)
 * tells.) Does not yield. */
GREEN_API int green_conn_fd(const green_conn *conn);

/* The text of the other side's address, or of this side's, into buf (cut to fit). 0 or -1. */
GREEN_API int green_conn_peer(const green_conn *conn, char *buf, size_t size);
GREEN_API int green_conn_address(const green_conn *conn, char *buf, size_t size);

/* ---- listening ---- */

typedef struct green_listen_options {
    int backlog;     /* connections waiting to be accepted; 0: 4096, capped by the kernel */
    bool reuse_port; /* SO_REUSEPORT: the kernel spreads connections over several listeners */
} green_listen_options;

/* Open a listener. "tcp" with an empty host listens on IPv4 and IPv6. Port 0: any free one, see
 * green_listener_address. A unix socket's file left by a dead server is replaced. NULL and
 * EINVAL, ENOENT, EAGAIN as above, EADDRINUSE, EADDRNOTAVAIL, EACCES... as bind(2) says. */
GREEN_API green_listener *green_listen(const char *network, const char *address);
GREEN_API green_listener *green_listen_with(const green_listen_options *options,
                                            const char *network, const char *address);

/* The next connection (TCP_NODELAY on); NULL and errno. When descriptors or memory are exhausted it
 * waits until there are some, and goes on. EBADF: the listener was closed meanwhile. */
GREEN_API green_conn *green_listener_accept(green_listener *listener);

/* Close and free; removes a unix socket's file. NULL is fine. Does not yield. */
GREEN_API int green_listener_close(green_listener *listener);

/* Where it listens, the port included. 0 or -1. Does not yield. */
GREEN_API int green_listener_address(const green_listener *listener, char *buf, size_t size);

GREEN_END_DECLS
