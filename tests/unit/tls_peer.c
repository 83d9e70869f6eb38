/* tls_peer.c - see tls_peer.h. */
#include "tls_peer.h"
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "the TLS peer cannot %s\n", what);
        abort();
    }
}

void identity_make(struct identity *id, const char *names, int days)
{
    id->key = EVP_EC_gen("P-256");
    X509 *x = id->certificate = X509_new();
    check(id->key != NULL && x != NULL, "make a key");
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_time_adj_ex(X509_getm_notBefore(x), days < 0 ? 2 * days : -1, 0, NULL);
    X509_time_adj_ex(X509_getm_notAfter(x), days, 0, NULL);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"peer", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, id->key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    check(X509_sign(x, id->key, EVP_sha256()) > 0, "sign a certificate");
    strcpy(id->file, "/tmp/green-tls-XXXXXX");
    FILE *f = fdopen(mkstemp(id->file), "w");
    check(f != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0, "write a certificate");
}

void identity_free(struct identity *id)
{
    unlink(id->file);
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
}

static SSL *session(struct peer *p)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    check(SSL_CTX_use_certificate(context, p->identity->certificate) == 1 &&
              SSL_CTX_use_PrivateKey(context, p->identity->key) == 1,
          "use its certificate");
    if (p->protocol != 0)
        SSL_CTX_set_max_proto_version(context, p->protocol);
    if (p->ciphers != NULL)
        check(SSL_CTX_set_cipher_list(context, p->ciphers) == 1, "use its ciphers");
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    return ssl;
}

static void talk(struct peer *p, int fd)
{
    if (p->greet != NULL) {
        p->greet(p, fd);
        return;
    }
    SSL *ssl = session(p);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(p->server_name, sizeof p->server_name, "%s", name != NULL ? name : "");
        if (p->behave != NULL)
            p->behave(p, ssl);
    }
    SSL_free(ssl);
}

static void *run(void *arg)
{
    struct peer *p = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = accept(p->listener, NULL, NULL);
    if (fd >= 0) {
        talk(p, fd);
        close(fd);
    }
    return NULL;
}

void peer_start(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof a;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(p->listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(p->listener, 8) == 0 &&
              getsockname(p->listener, (struct sockaddr *)&a, &size) == 0,
          "listen");
    snprintf(p->address, sizeof p->address, "localhost:%u", ntohs(a.sin_port));
    snprintf(p->numeric, sizeof p->numeric, "127.0.0.1:%u", ntohs(a.sin_port));
    check(pipe(p->gate) == 0 && pthread_create(&p->thread, NULL, run, p) == 0, "start");
}

void peer_wait(struct peer *p)
{
    char c;
    check(read(p->gate[0], &c, 1) >= 0, "wait");
}

void peer_release(struct peer *p)
{
    close(p->gate[1]);
    p->gate[1] = -1;
}

void peer_end(struct peer *p)
{
    if (p->gate[1] >= 0)
        peer_release(p);
    shutdown(p->listener, SHUT_RDWR); /* if nobody came */
    pthread_join(p->thread, NULL);
    close(p->listener);
    close(p->gate[0]);
}

void peer_echo(struct peer *p, SSL *ssl)
{
    char buf[5000];
    int n;
    (void)p;
    while ((n = SSL_read(ssl, buf, sizeof buf)) > 0)
        if (SSL_write(ssl, buf, n) != n)
            return;
    SSL_shutdown(ssl);
}

void peer_hold(struct peer *p, SSL *ssl)
{
    (void)ssl;
    peer_wait(p);
}

void peer_mute(struct peer *p, int fd)
{
    (void)fd;
    peer_wait(p);
}
