/* dns_ask.h - libc's look-ups, and forks meanwhile. For dns.c.
 *
 * libc looks up the machine's own addresses, and reads its settings, with locks held that it does
 * not give back in the child of a fork: whoever looks something up there would wait for ever. It
 * does so when a look-up begins. So a fork lets none begin, and waits until each has ended, or has
 * begun long ago and sleeps: it waits for the network. */
#pragma once
#include <netdb.h>

/* getaddrinfo(3) and getnameinfo(3), errno included. They block. */
int ask_addresses(const char *node, const char *service, const struct addrinfo *hints,
                  struct addrinfo **answer);
int ask_names(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size,
              char *service, socklen_t service_size, int flags);
