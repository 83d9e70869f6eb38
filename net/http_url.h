/* http_url.h - the parts of an http or https URL. */
#pragma once
#include "address.h"

struct http_url {
    bool tls;
    char host[HOST_SIZE]; /* without brackets */
    char port[PORT_SIZE];
    const char
        *path; /* in the text that was parsed: path and query; may be empty, may begin by ? */
    size_t path_size;
};

/* 0; or -1, EINVAL and a sentence. */
int http_url_parse(const char *text, struct http_url *url);

/* The value of the Host header: the port only where it is not the scheme's own. */
enum { HTTP_HOST_SIZE = HOST_SIZE + PORT_SIZE + 3 };
void http_url_host(const struct http_url *url, char text[static HTTP_HOST_SIZE]);

/* What a Location header means, seen from this URL: the text to be freed by memory_put, or NULL
 * and ENOMEM. */
char *http_url_follow(const struct http_url *url, const char *location);
