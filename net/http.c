/* http.c - green_http_get: dial, ask, read, follow redirects. See green/http.h. */
#include "error.h"
#include "http_reader.h"
#include "http_url.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/http.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const size_t standard_limit = (size_t)64 << 20;
enum { STANDARD_REDIRECTS = 10 };

static green_conn *dial(const struct http_url *url, const green_http_options *options)
{
    char address[HTTP_HOST_SIZE];
    bool v6 = strchr(url->host, ':') != NULL;
    snprintf(address, sizeof address, "%s%s%s:%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
             url->port);
    return green_dial_with(&options->tls, url->tls ? "tls" : "tcp", address);
}

static int ask(green_conn *conn, const struct http_url *url, const char *host, const char *headers)
{
    static const char format[] = "GET %s%.*s HTTP/1.1\r\nHost: %s\r\nUser-Agent: libgreen\r\n"
                                 "Accept: */*\r\nConnection: close\r\n%s\r\n";
    size_t size = sizeof format + url->path_size + strlen(host) + strlen(headers);
    char *request = memory_get(size);
    if (request == NULL)
        return (int)returned(-ENOMEM);
    int n = snprintf(request, size, format, url->path_size == 0 || *url->path != '/' ? "/" : "",
                     (int)url->path_size, url->path, host, headers);
    ssize_t sent = green_conn_write(conn, request, (size_t)n);
    memory_put(request);
    return sent < 0 ? -1 : 0;
}

/* One question, one answer. */
static int get_once(const struct http_url *url, const green_http_options *options,
                    green_http_response *response)
{
    char host[HTTP_HOST_SIZE];
    http_url_host(url, host);
    green_conn *conn = dial(url, options);
    if (conn == NULL)
        return -1;
    int result = ask(conn, url, host, options->headers != NULL ? options->headers : "");
    if (result == 0)
        result =
            http_read(conn, host, options->limit > 0 ? options->limit : standard_limit, response);
    int err = errno;
    green_conn_close(conn);
    errno = err;
    return result;
}

static const char *redirection(const green_http_response *response)
{
    switch (response->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return green_http_header(response, "location");
    default:
        return NULL;
    }
}

/* The next URL to ask, or NULL, errno and a sentence. */
static char *follow(const struct http_url *from, const char *location)
{
    struct http_url to;
    char *next = http_url_follow(from, location);
    if (next == NULL)
        return NULL;
    if (http_url_parse(next, &to) == 0) {
        if (!from->tls || to.tls)
            return next;
        fail(EACCES, "redirected from https to %.150s", next);
    }
    memory_put(next);
    return NULL;
}

/* Ask, and follow; response->url is what is asked, and stays with the answer. */
static int get(const green_http_options *options, green_http_response *response)
{
    int most = options->redirects != 0 ? options->redirects : STANDARD_REDIRECTS;
    for (int left = most;; left--) {
        struct http_url url;
        const char *location;
        if (http_url_parse(response->url, &url) < 0 || get_once(&url, options, response) < 0)
            return -1;
        if ((location = redirection(response)) == NULL || most < 0)
            return 0;
        if (left == 0)
            return fail(ELOOP, "more than %d redirects", most);
        char *next = follow(&url, location);
        if (next == NULL)
            return -1;
        green_http_free(response);
        response->url = next;
    }
}

GREEN_API int green_http_get(const char *url, const green_http_options *options,
                             green_http_response *response)
{
    static const green_http_options standard;
    struct http_url parsed;
    *response = (green_http_response){0};
    if (options == NULL)
        options = &standard;
    if (hub_here() == NULL)
        return -1;
    size_t n = options->headers != NULL ? strlen(options->headers) : 0;
    if (n > 0 && (n < 2 || strcmp(options->headers + n - 2, "\r\n") != 0))
        return fail(EINVAL, "each header line must be ended by \\r\\n");
    if (http_url_parse(url, &parsed) < 0)
        return -1;
    response->url = memory_get(strlen(url) + 1);
    if (response->url == NULL)
        return (int)returned(-ENOMEM);
    strcpy(response->url, url);
    if (get(options, response) == 0)
        return 0;
    int err = errno;
    green_http_free(response);
    errno = err;
    return -1;
}

GREEN_API const char *green_http_header(const green_http_response *response, const char *name)
{
    const char *end = response->headers + response->headers_size;
    for (const char *at = response->headers; at < end;) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

GREEN_API void green_http_free(green_http_response *response)
{
    memory_put(response->url);
    memory_put(response->headers);
    memory_put(response->body);
    *response = (green_http_response){0};
}
