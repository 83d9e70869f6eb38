/* address.h - where to connect to or to listen: from text to socket addresses and back.
 *
 * Texts: "host:port", ":port" (any host), "[::1]:80", with a number or a service name as the port;
 * for unix sockets a path, or "@name" for one in the abstract name space. */
#pragma once
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What a network's name says. */
struct network {
    sa_family_t family; /* AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX */
    bool tls;
};

struct address {
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
};

enum {
    HOST_SIZE = 256, /* a name has 253 bytes at most */
    PORT_SIZE = 32,
    ADDRESS_TEXT = 128 /* unix paths have 108 bytes at most */
};

/* These return 0, or -1 with errno EINVAL and a sentence. */
int network_parse(const char *name, struct network *network);
int address_split(const char *text, char host[static HOST_SIZE], char port[static PORT_SIZE]);
int address_local(const char *path, struct address *address);

/* The addresses of host and port, to be freed by green_freeaddrinfo; an empty host is the loopback,
 * or, to listen (passive), any. -1 with errno and a sentence: ENOENT there is no such name, EAGAIN
 * the name server fails, ENOMEM, or what made the look-up end. May yield. */
int address_find(const struct network *network, const char *host, const char *port, bool passive,
                 struct addrinfo **list);

/* The text of a socket address, in the form that is understood above. */
void address_text(const struct sockaddr *address, socklen_t length, char text[static ADDRESS_TEXT]);
