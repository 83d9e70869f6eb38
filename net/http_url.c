/* http_url.c - see http_url.h. */
#include "http_url.h"
#include "error.h"
#include "memory.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *default_port(bool tls)
{
    return tls ? "443" : "80";
}

/* Nothing that could end a request line. */
static int check_bytes(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return fail(EINVAL, "a URL cannot have a space or control character ('%.100s')", text);
    return 0;
}

/* host, host:port, [v6], [v6]:port */
static int parse_authority(const char *at, size_t n, struct http_url *url)
{
    char both[HOST_SIZE + PORT_SIZE];
    if (n >= sizeof both || memchr(at, '@', n) != NULL)
        return fail(EINVAL, "cannot use '%.*s' as a URL's host", (int)(n < 100 ? n : 100), at);
    memcpy(both, at, n);
    both[n] = '\0';
    const char *port = strrchr(both, ':');
    if (port == NULL || strchr(port, ']') != NULL || port[1] == '\0') {
        if (port != NULL && port[1] == '\0')
            both[n - 1] = '\0';
        strncat(both, ":", sizeof both - strlen(both) - 1);
        strncat(both, default_port(url->tls), sizeof both - strlen(both) - 1);
    }
    if (address_split(both, url->host, url->port) < 0)
        return -1;
    return *url->host != '\0' ? 0 : fail(EINVAL, "the URL has no host");
}

int http_url_parse(const char *text, struct http_url *url)
{
    if (text == NULL || check_bytes(text) < 0)
        return text == NULL ? fail(EINVAL, "no URL") : -1;
    if (strncasecmp(text, "http://", 7) == 0)
        url->tls = false;
    else if (strncasecmp(text, "https://", 8) == 0)
        url->tls = true;
    else
        return fail(EINVAL, "'%.100s' is not an http or https URL", text);
    const char *authority = strchr(text, '/') + 2;
    size_t n = strcspn(authority, "/?#");
    url->path = authority + n;
    url->path_size = strcspn(url->path, "#");
    return parse_authority(authority, n, url);
}

void http_url_host(const struct http_url *url, char text[static HTTP_HOST_SIZE])
{
    bool v6 = strchr(url->host, ':') != NULL;
    bool standard = strcmp(url->port, default_port(url->tls)) == 0;
    snprintf(text, HTTP_HOST_SIZE, "%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
             standard ? "" : ":", standard ? "" : url->port);
}

static bool has_scheme(const char *location)
{
    size_t n = strcspn(location, ":/?#");
    return n > 0 && location[n] == ':' && isalpha((unsigned char)*location);
}

/* How much of the path stays in front of a relative location. */
static size_t kept_path(const struct http_url *url, const char *location)
{
    size_t n = 0;
    if (*location == '/')
        return 0;
    while (n < url->path_size && url->path[n] != '?')
        n++;
    if (*location == '?' || *location == '#' || *location == '\0')
        return n;
    while (n > 0 && url->path[n - 1] != '/')
        n--;
    return n;
}

char *http_url_follow(const struct http_url *url, const char *location)
{
    char host[HTTP_HOST_SIZE];
    bool network = strncmp(location, "//", 2) == 0;
    bool whole = has_scheme(location);
    http_url_host(url, host);
    size_t kept = whole || network ? 0 : kept_path(url, location);
    size_t size = strlen(location) + strlen(host) + kept + sizeof "https:///";
    char *text = memory_get(size);
    if (text == NULL) {
        returned(-ENOMEM);
        return NULL;
    }
    if (whole)
        return strcpy(text, location);
    bool slash = !network && kept == 0 && *location != '/';
    snprintf(text, size, "%s:%s%s%.*s%s%s", url->tls ? "https" : "http", network ? "" : "//",
             network ? "" : host, (int)kept, url->path, slash ? "/" : "", location);
    return text;
}
