/* listener.h - the inside of a listener, for servers. */
#pragma once
#include "conn.h"

struct green_listener {
    int fd;
    bool local;             /* a unix socket */
    struct address address; /* of a unix socket: its file is removed at the end, */
    dev_t device;           /* if it is still this one */
    ino_t inode;
};

/* The next connection's descriptor, or a negative errno. While descriptors or memory are exhausted
 * it waits, and goes on. */
int listener_accept(green_listener *listener);

/* One more listener at a TCP listener's address: the kernel spreads connections over both. NULL,
 * errno and a sentence. */
green_listener *listener_twin(green_listener *first, const green_listen_options *options);
