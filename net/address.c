/* address.c - see address.h. */
#include "address.h"
#include "error.h"
#include <arpa/inet.h>
#include <errno.h>
#include <green/dns.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int network_parse(const char *name, struct network *network)
{
    static const struct {
        const char *name;
        struct network network;
    } known[] = {
        {"tcp", {AF_UNSPEC, false}}, {"tcp4", {AF_INET, false}}, {"tcp6", {AF_INET6, false}},
        {"unix", {AF_UNIX, false}},  {"tls", {AF_UNSPEC, true}},
    };
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            *network = known[i].network;
            return 0;
        }
    return fail(EINVAL, "unknown network '%s' (there are tcp, tcp4, tcp6, unix and tls)",
                name != NULL ? name : "");
}

/* ---- host and port ---- */

static int check_port(const char *text, const char *port)
{
    if (*port == '\0')
        return fail(EINVAL, "address '%s' has no port", text);
    if (strlen(port) >= PORT_SIZE)
        return fail(EINVAL, "address '%.60s...': the port is too long", text);
    if (port[strspn(port, "0123456789")] == '\0' && (strlen(port) > 5 || atoi(port) > 65535))
        return fail(EINVAL, "address '%s': there is no port %s", text, port);
    return 0;
}

int address_split(const char *text, char host[static HOST_SIZE], char port[static PORT_SIZE])
{
    const char *begin = text != NULL ? text : "";
    const char *colon = strrchr(begin, ':');
    const char *end = colon;
    if (colon == NULL)
        return fail(EINVAL, "address '%.200s' has no port (host:port is meant)", begin);
    if (*begin == '[') {
        begin++;
        end = colon - 1;
        if (end < begin || *end != ']')
            return fail(EINVAL, "address '%.200s': what is in brackets must be followed by :port",
                        text);
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return fail(EINVAL, "address '%.200s': write an IPv6 address in brackets, [::1]:80", text);
    }
    size_t n = (size_t)(end - begin);
    if (n >= HOST_SIZE)
        return fail(EINVAL, "address '%.60s...': the host is too long", text);
    if (check_port(text, colon + 1) < 0)
        return -1;
    memcpy(host, begin, n);
    host[n] = '\0';
    strcpy(port, colon + 1);
    return 0;
}

int address_local(const char *path, struct address *address)
{
    size_t n = path != NULL ? strlen(path) : 0;
    *address = (struct address){.local.sun_family = AF_UNIX};
    if (n == 0)
        return fail(EINVAL, "a unix socket needs a path");
    if (n >= sizeof address->local.sun_path)
        return fail(EINVAL, "path '%.40s...' is too long for a unix socket (%zu bytes of %zu)",
                    path, n, sizeof address->local.sun_path - 1);
    memcpy(address->local.sun_path, path, n);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (*path == '@') { /* the abstract name space: a zero in front, none at the end */
        address->local.sun_path[0] = '\0';
        address->length--;
    }
    return 0;
}

static int errno_of(int code)
{
    switch (code) {
    case EAI_SYSTEM:
        return errno;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_AGAIN:
    case EAI_FAIL:
        return EAGAIN;
    default:
        return ENOENT;
    }
}

int address_find(const struct network *network, const char *host, const char *port, bool passive,
                 struct addrinfo **list)
{
    /* Not AI_ADDRCONFIG: it leaves out families that have loopback addresses only. */
    struct addrinfo hints = {
        .ai_family = network->family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = passive ? AI_PASSIVE : 0,
    };
    int code = green_getaddrinfo(*host != '\0' ? host : NULL, port, &hints, list);
    if (code == 0)
        return 0;
    int err = errno_of(code);
    if (code == EAI_SERVICE)
        return fail(err, "there is no service named '%s'", port);
    return fail(err, "cannot look up '%s': %s", host,
                code == EAI_SYSTEM ? strerror(err) : gai_strerror(code));
}

/* ---- back to text ---- */

static void text_of_v6(const struct sockaddr_in6 *v6, char text[static ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    char scope[IF_NAMESIZE + 1] = "";
    inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
    if (v6->sin6_scope_id != 0) {
        scope[0] = '%';
        if (if_indextoname(v6->sin6_scope_id, scope + 1) == NULL)
            snprintf(scope + 1, sizeof scope - 1, "%u", v6->sin6_scope_id);
    }
    snprintf(text, ADDRESS_TEXT, "[%s%s]:%u", ip, scope, ntohs(v6->sin6_port));
}

static void text_of_local(const struct sockaddr_un *local, socklen_t length,
                          char text[static ADDRESS_TEXT])
{
    size_t n = length - offsetof(struct sockaddr_un, sun_path);
    if (length <= offsetof(struct sockaddr_un, sun_path))
        snprintf(text, ADDRESS_TEXT, "unnamed");
    else if (local->sun_path[0] == '\0')
        snprintf(text, ADDRESS_TEXT, "@%.*s", (int)(n - 1), local->sun_path + 1);
    else
        snprintf(text, ADDRESS_TEXT, "%.*s", (int)n, local->sun_path);
}

void address_text(const struct sockaddr *address, socklen_t length, char text[static ADDRESS_TEXT])
{
    const union {
        const struct sockaddr *any;
        const struct sockaddr_in *v4;
        const struct sockaddr_in6 *v6;
        const struct sockaddr_un *local;
    } as = {address};
    char ip[INET_ADDRSTRLEN] = "?";
    switch (address->sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &as.v4->sin_addr, ip, sizeof ip);
        snprintf(text, ADDRESS_TEXT, "%s:%u", ip, ntohs(as.v4->sin_port));
        break;
    case AF_INET6:
        text_of_v6(as.v6, text);
        break;
    case AF_UNIX:
        text_of_local(as.local, length, text);
        break;
    default:
        snprintf(text, ADDRESS_TEXT, "an address of family %d", address->sa_family);
    }
}
