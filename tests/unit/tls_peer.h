/* tls_peer.h - a TLS server to test against: plain OpenSSL, blocking, on an OS thread of its own,
 * for one connection, behaving as the test wants. */
#pragma once
#include <openssl/ssl.h>
#include <pthread.h>

/* A self-signed certificate, valid from now for so many days (negative: it has expired). */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char file[64]; /* the certificate as PEM: what a client trusts */
};
void identity_make(struct identity *identity, const char *names, int days);
void identity_free(struct identity *identity);

struct peer {
    const struct identity *identity;
    int protocol;                                /* at most; 0: any */
    const char *ciphers;                         /* of TLS 1.2; NULL: any */
    void (*greet)(struct peer *peer, int fd);    /* instead of a handshake */
    void (*behave)(struct peer *peer, SSL *ssl); /* after the handshake; NULL: close at once */
    char server_name[64];                        /* what the client said (SNI) */
    char address[64];                            /* localhost:port */
    char numeric[64];                            /* 127.0.0.1:port */
    int listener;
    int gate[2]; /* peer_wait returns after peer_release */
    pthread_t thread;
};
void peer_start(struct peer *peer);
void peer_wait(struct peer *peer);
void peer_release(struct peer *peer);
/* Release it, and wait for its end. */
void peer_end(struct peer *peer);

/* Behaviours. */
void peer_echo(struct peer *peer, SSL *ssl); /* until the end, then says it */
void peer_hold(struct peer *peer, SSL *ssl); /* does nothing until it is released */
void peer_mute(struct peer *peer, int fd);   /* greets with nothing */
