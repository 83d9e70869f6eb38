/* green/http.h - an HTTP/1.1 client: GET.
 *
 *     green_http_response r;
 *     green_within(10 * GREEN_SEC)
 *         if (green_http_get("https://example.org/", NULL, &r) == 0) {
 *             fwrite(r.body, 1, r.length, stdout);
 *             green_http_free(&r);
 *         } */
#pragma once
#include <green/conn.h>

GREEN_BEGIN_DECLS

/* Zero is the default everywhere. */
typedef struct green_http_options {
    green_dial_options tls; /* for https */
    size_t limit;           /* most bytes to receive; 0: 64 MiB */
    int redirects;          /* followed at most; 0: 10, < 0: none */
    const char *headers;    /* further header lines, each ended by "\r\n" */
} green_http_options;

typedef struct green_http_response {
    int status;    /* 200... */
    char *body;    /* ended by a zero, which is not counted */
    size_t length; /* of the body */
    char *url;     /* where it came from: the last redirect's target */
    char *headers; /* "name\0value\0name\0value\0"... */
    size_t headers_size;
} green_http_response;

/* Fetch an http or https URL into *response. 0, with whatever status the server gave; -1 and
 *   EINVAL      not such a URL,
 *   EPROTO      the answer is not HTTP; ECONNABORTED: it ended too early,
 *   EFBIG       it is larger than the limit; ELOOP: too many redirects,
 *   EACCES      a redirect from https to http,
 *   those of green_dial and of reading and writing; ENOMEM.
 * Redirects (301, 302, 303, 307, 308) are followed. Content-Length, chunked transfer and an end by
 * closing are understood, compression is not asked for. On -1 there is nothing to free. May yield.
 */
GREEN_API int green_http_get(const char *url, const green_http_options *options,
                             green_http_response *response);

/* The first header of this name (in any case), or NULL. */
GREEN_API const char *green_http_header(const green_http_response *response, const char *name);

GREEN_API void green_http_free(green_http_response *response);

GREEN_END_DECLS
