/* tls.c - the TLS class of connections: OpenSSL, as the client.
 *
 * OpenSSL never waits here: its BIO is ours, over the socket with MSG_DONTWAIT, and when it wants
 * to read or write the calls return and the green thread parks outside. So calls into OpenSSL on
 * one connection never overlap, its per-OS-thread error queue is ours from call to call, and a
 * reader and a writer can share a connection. Writers take turns, because OpenSSL insists that a
 * write that had to wait is repeated before any other.
 *
 * `users` counts the calls under way and the owner: who is woken by a close still finds the
 * struct, and the last one frees it. */
#include "conn.h"
#include "error.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include "tls_context.h"
#include <errno.h>
#include <green/deadline.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

enum { RECORD = 16384 }; /* the most data that one TLS record carries */

struct tls {
    struct green_conn conn;
    SSL *ssl;
    int users;
    int io_error;              /* a negative errno of the BIO's last call */
    bool ended;                /* the socket has no more data */
    bool closed;               /* green_conn_close was called */
    bool broken;               /* an error after which OpenSSL wants no more calls */
    bool writing;              /* somebody has the writers' turn */
    struct wait_queue writers; /* who waits for it; it is handed over */
    char host[];               /* for sentences */
};

/* ---- the BIO ---- */

static int bio_result(BIO *bio, struct tls *t, long r, int retry)
{
    BIO_clear_retry_flags(bio);
    if (r == -EAGAIN || r == -EINTR)
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    else if (r < 0)
        t->io_error = (int)r;
    return r < 0 ? -1 : (int)r;
}

static int bio_read(BIO *bio, char *buf, int n)
{
    struct tls *t = BIO_get_data(bio);
    long r = SYS6(SYS_recvfrom, t->conn.fd, buf, n, MSG_DONTWAIT, NULL, NULL);
    t->ended = r == 0;
    return bio_result(bio, t, r, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *buf, int n)
{
    struct tls *t = BIO_get_data(bio);
    long r = SYS6(SYS_sendto, t->conn.fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    return bio_result(bio, t, r, BIO_FLAGS_WRITE);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    struct tls *t = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return t->ended;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "green socket");
    if (m != NULL && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_control))
        bio_method = m;
}

static BIO *bio_make(struct tls *t)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (bio != NULL) {
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- errors ---- */

static int fail_by_protocol(struct tls *t)
{
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_REASON(e);
    const char *text = ERR_reason_error_string(e);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return fail(EKEYREJECTED, "certificate of %s: %s", t->host,
                    X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return fail(ECONNABORTED, "%s closed the connection %s", t->host,
                    SSL_is_init_finished(t->ssl) ? "without a TLS end: data may be missing"
                                                 : "during the TLS handshake");
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return fail(EPROTO, "TLS alert from %s: %s", t->host,
                    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    return fail(EPROTO, "TLS with %s: %s", t->host, text != NULL ? text : "unknown error");
}

/* A call into OpenSSL did not succeed: wait until it can be repeated (0), or fail (-1). */
static int again(struct tls *t, int result)
{
    int err;
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        err = (int)green_io_wait(t->conn.fd, POLLIN);
        break;
    case SSL_ERROR_WANT_WRITE:
        err = (int)green_io_wait(t->conn.fd, POLLOUT);
        break;
    case SSL_ERROR_SSL:
        t->broken = true;
        return fail_by_protocol(t);
    default:
        t->broken = true;
        err = t->io_error != 0 ? t->io_error : -ECONNABORTED;
        return fail(-err, "TLS with %s: %s", t->host, strerror(-err));
    }
    return (int)returned(t->closed ? -EBADF : err);
}

/* ---- calls ---- */

static void leave(struct tls *t)
{
    if (--t->users > 0)
        return;
    SSL_free(t->ssl);
    memory_put(t);
}

/* Each call begins here; 0 or -1. */
static int enter(struct tls *t)
{
    struct green_hub *hub = hub_here();
    if (hub->current->refused)
        return (int)returned(park_refused(hub));
    t->users++;
    if (!hub_spend(hub) || !t->closed)
        return 0;
    leave(t);
    return (int)returned(-EBADF);
}

static ssize_t tls_read(green_conn *c, void *buf, size_t n)
{
    struct tls *t = (struct tls *)c;
    int most = n < INT_MAX ? (int)n : INT_MAX;
    int r = 0;
    if (n == 0 || enter(t) < 0)
        return n == 0 ? 0 : -1;
    for (;;) {
        ERR_clear_error();
        r = SSL_read(t->ssl, buf, most);
        if (r > 0)
            break;
        if (SSL_get_error(t->ssl, r) == SSL_ERROR_ZERO_RETURN) {
            r = 0;
            break;
        }
        if (again(t, r) < 0) {
            r = -1;
            break;
        }
    }
    leave(t);
    return r;
}

/* Enter as a writer, when it is our turn. */
static int write_enter(struct tls *t)
{
    if (enter(t) < 0)
        return -1;
    if (t->writing) {
        int err = park(hub_here(), &t->writers, WAIT_BACK, INT64_MAX, "turn to write on fd %",
                       t->conn.fd);
        if (err < 0) {
            leave(t);
            return (int)returned(err);
        }
    }
    t->writing = true;
    return 0;
}

static void write_leave(struct tls *t)
{
    t->writing = wake_first(&t->writers, 0);
    leave(t);
}

/* With the turn: may the socket still be used? It may have been closed after the turn was handed
 * over, or while others ran: its number may be another file's. */
static int write_look(const struct tls *t)
{
    if (t->closed)
        return (int)returned(-EBADF);
    if (t->broken)
        return fail(EPIPE, "TLS with %s: an earlier call on it failed", t->host);
    return 0;
}

/* All of it, with the turn. After half a record no other can follow. */
static int write_all(struct tls *t, const char *buf, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t part = n - done < RECORD ? n - done : RECORD;
        if (write_look(t) < 0)
            return -1;
        ERR_clear_error();
        int r = SSL_write(t->ssl, buf + done, (int)part);
        if (r > 0) {
            done += (size_t)r;
            hub_spend(hub_here());
        } else if (again(t, r) < 0) {
            t->broken = true;
            return -1;
        }
    }
    return t->closed ? write_look(t) : 0;
}

static ssize_t tls_write(green_conn *c, const void *buf, size_t n)
{
    struct tls *t = (struct tls *)c;
    if (write_enter(t) < 0)
        return -1;
    int r = write_all(t, buf, n);
    write_leave(t);
    return r < 0 ? -1 : (ssize_t)n;
}

/* Small parts travel together: gathered into records' worth of data. */
static ssize_t write_parts(struct tls *t, const struct iovec *parts, int count, char *record)
{
    ssize_t sum = 0;
    size_t held = 0;
    for (; count > 0; parts++, count--) {
        if (held > 0 && parts->iov_len > RECORD - held) {
            if (write_all(t, record, held) < 0)
                return -1;
            held = 0;
        }
        if (parts->iov_len > RECORD) {
            if (write_all(t, parts->iov_base, parts->iov_len) < 0)
                return -1;
        } else if (parts->iov_len > 0) {
            memcpy(record + held, parts->iov_base, parts->iov_len);
            held += parts->iov_len;
        }
        sum += (ssize_t)parts->iov_len;
    }
    return write_all(t, record, held) < 0 ? -1 : sum;
}

static ssize_t tls_writev(green_conn *c, const struct iovec *parts, int count)
{
    struct tls *t = (struct tls *)c;
    char *record = memory_get(RECORD);
    if (record == NULL)
        return returned(-ENOMEM);
    ssize_t r = write_enter(t);
    if (r == 0) {
        r = write_parts(t, parts, count, record);
        write_leave(t);
    }
    memory_put(record);
    return r;
}

/* Send close_notify, with the turn. */
static int say_end(struct tls *t)
{
    int r;
    if (t->closed || t->broken)
        return (int)returned(t->closed ? -EBADF : -EPIPE);
    do {
        ERR_clear_error();
        r = SSL_shutdown(t->ssl);
    } while (r < 0 && again(t, r) == 0);
    return r < 0 ? -1 : 0;
}

static int tls_shutdown(green_conn *c)
{
    struct tls *t = (struct tls *)c;
    if (write_enter(t) < 0)
        return -1;
    int r = say_end(t);
    write_leave(t);
    return r;
}

/* Whoever is inside is woken and leaves. A write under way is cut: then there is no end to say. */
static int tls_close(green_conn *c)
{
    struct tls *t = (struct tls *)c;
    int kept = errno;
    if (!t->writing && !t->broken) {
        t->writing = true;
        green_within(GREEN_SEC)
            say_end(t);
    }
    t->closed = true;
    wake_all(&t->writers, -EBADF);
    int err = green_io_close(t->conn.fd);
    leave(t);
    errno = kept;
    return (int)returned(err);
}

static const struct conn_class conn_tls = {
    tls_read, tls_write, tls_writev, tls_shutdown, tls_close,
};

/* ---- opening ---- */

static struct tls *tls_make(int fd, const char *host, const green_dial_options *options)
{
    size_t size = strlen(host) + 1;
    struct tls *t = memory_get(sizeof *t + size);
    if (t == NULL) {
        fail(ENOMEM, "no memory for TLS with %s", host);
        return NULL;
    }
    t->conn = (struct green_conn){&conn_tls, fd};
    t->users = 1;
    memcpy(t->host, host, size);
    t->ssl = tls_session(options, options->server_name != NULL ? options->server_name : host);
    BIO *bio = t->ssl != NULL ? bio_make(t) : NULL;
    if (bio != NULL) {
        SSL_set_bio(t->ssl, bio, bio);
        return t;
    }
    if (t->ssl != NULL)
        fail(ENOMEM, "no memory for TLS with %s", host);
    SSL_free(t->ssl);
    memory_put(t);
    return NULL;
}

static int handshake(struct tls *t)
{
    int r;
    do {
        ERR_clear_error();
        r = SSL_connect(t->ssl);
    } while (r <= 0 && again(t, r) == 0);
    if (r > 0)
        return 0;
    if (errno == ETIMEDOUT)
        fail(ETIMEDOUT, "TLS handshake with %s: timed out", t->host);
    return -1;
}

green_conn *tls_connect(int fd, const char *host, const green_dial_options *options)
{
    struct tls *t = tls_make(fd, host, options);
    if (t != NULL && handshake(t) == 0)
        return &t->conn;
    green_io_close(fd);
    if (t != NULL)
        leave(t);
    return NULL;
}
