/* green/dns.h - name look-ups that park the green thread: getaddrinfo(3) and getnameinfo(3).
 *
 * Same arguments, same answers and same EAI_ codes as libc's. When the caller is cancelled or its
 * deadline expires they return EAI_SYSTEM at once, with errno ECANCELED or ETIMEDOUT; EAI_SYSTEM
 * with EAGAIN or EDEADLK where green/base.h says so. May yield.
 *
 * A fork(2) waits for look-ups that have just begun, mostly for 20 ms at most and never for more
 * than 5 s, so that its child can make its own. */
#pragma once
#include <green/base.h>
#include <netdb.h>

GREEN_BEGIN_DECLS

struct addrinfo; /* strict C modes do not declare it */

GREEN_API int green_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                struct addrinfo **result);
/* Free what green_getaddrinfo gave; NULL is harmless. */
GREEN_API void green_freeaddrinfo(struct addrinfo *list);

GREEN_API int green_getnameinfo(const struct sockaddr *address, socklen_t length, char *host,
                                socklen_t host_size, char *service, socklen_t service_size,
                                int flags);

GREEN_END_DECLS
