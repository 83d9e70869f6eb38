/* tls_context.c - see tls_context.h. The system's certificates are read once a process; a file of
 * one's own at each use. */
#include "tls_context.h"
#include "error.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>

static const char *openssl_says(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text != NULL ? text : "no memory";
}

/* TLS 1.2 and later, no renegotiation. */
static SSL_CTX *context_make(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

static SSL_CTX *system_context;

static void make_system_context(void)
{
    SSL_CTX *context = context_make();
    if (context != NULL && SSL_CTX_set_default_verify_paths(context) == 1)
        system_context = context;
    else
        SSL_CTX_free(context);
}

/* A reference to the context that trusts what the options say. */
static SSL_CTX *context_for(const green_dial_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ERR_clear_error();
    if (options->ca_file == NULL) {
        pthread_once(&once, make_system_context);
        if (system_context == NULL)
            fail(ENOMEM, "cannot set up TLS: %s", openssl_says());
        else
            SSL_CTX_up_ref(system_context);
        return system_context;
    }
    SSL_CTX *context = context_make();
    if (context == NULL) {
        fail(ENOMEM, "cannot set up TLS: %s", openssl_says());
    } else if (SSL_CTX_load_verify_file(context, options->ca_file) != 1) {
        fail(EINVAL, "no certificates in %s: %s", options->ca_file, openssl_says());
        SSL_CTX_free(context);
        context = NULL;
    }
    return context;
}

/* Demand a certificate for this name; say the name to the server, unless it is an address. */
static bool expect(SSL *ssl, const char *name)
{
    unsigned char ip[sizeof(struct in6_addr)];
    char plain[256];
    size_t n = strcspn(name, "%"); /* the scope of a link-local address */
    if (n > 0 && n < sizeof plain && name[n] == '\0' && name[n - 1] == '.')
        n--;
    if (n == 0 || n >= sizeof plain)
        return false;
    memcpy(plain, name, n);
    plain[n] = '\0';
    if (inet_pton(AF_INET, plain, ip) == 1 || inet_pton(AF_INET6, plain, ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), plain) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, plain) == 1 && SSL_set_tlsext_host_name(ssl, plain) == 1;
}

SSL *tls_session(const green_dial_options *options, const char *name)
{
    SSL_CTX *context = context_for(options);
    if (context == NULL)
        return NULL;
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context); /* the session has its own reference */
    if (ssl == NULL) {
        fail(ENOMEM, "cannot set up TLS: %s", openssl_says());
        return NULL;
    }
    if (!expect(ssl, name)) {
        fail(EINVAL, "'%s' is no name that a certificate can have", name);
        SSL_free(ssl);
        return NULL;
    }
    if (options->insecure)
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    return ssl;
}
