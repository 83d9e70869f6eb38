/* tls_context.h - whom TLS trusts: OpenSSL's contexts and the session made from them. */
#pragma once
#include <green/conn.h>
#include <openssl/ssl.h>

/* A client's session with what the options say, for a server of this name (or IP address). NULL,
 * errno and a sentence. */
SSL *tls_session(const green_dial_options *options, const char *name);
