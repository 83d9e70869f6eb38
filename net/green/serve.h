/* green/serve.h - a server: a listener, and a green thread for each connection. */
#pragma once
#include <green/conn.h>

GREEN_BEGIN_DECLS

/* Called on a green thread of its own for each connection. The server closes the connection when it
 * returns; what it returns concerns nobody else. */
typedef int green_handler(green_conn *conn, void *arg);

typedef struct green_serve_options {
    int hubs;            /* OS threads that serve; 0: $GREEN_HUBS, or 1 */
    int backlog;         /* see green_listen_options */
    int max_connections; /* at once, on each hub: more wait to be accepted. 0: no limit */
    /* Called once, when connections are accepted, with the address (its port is never 0). */
    void (*on_listen)(const char *address, void *arg);
} green_serve_options;

/* Accept connections at an address (see green/conn.h) for ever; other threads run. options and arg
 * are used until it returns. Returns only -1: with ECANCELED or ETIMEDOUT when the caller is
 * cancelled or its deadline expires: then nobody gets in any more, connections have been cancelled,
 * and their handlers have returned (last words are for green_shield); or with what made listening
 * fail.
 *
 * With several hubs each has a listener of its own (SO_REUSEPORT), and a handler runs on the OS
 * thread of the hub that accepted; handlers of one hub see the deadline of the call, others do not.
 * Until it has returned these hubs cannot be ended (green_hubs_end). Unix sockets have one listener
 * and are served by the caller's hub. */
GREEN_API int green_serve(const char *network, const char *address, green_handler *handler,
                          void *arg);
GREEN_API int green_serve_with(const green_serve_options *options, const char *network,
                               const char *address, green_handler *handler, void *arg);

GREEN_END_DECLS
