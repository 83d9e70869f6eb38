/* hub_event.h - what the hub and the descriptor table want of libevent. The only other file that
 * knows libevent is hub_event.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct green_hub;

/* Readiness bits, libevent's. CLOSED: the peer will send no more. */
enum { WATCH_READ = 0x02, WATCH_WRITE = 0x04, WATCH_CLOSED = 0x80 };

enum { WATCH_SIZE = 128 };

/* Memory for one registration: a descriptor's persistent edge-triggered event. */
struct watch {
    _Alignas(8) char event[WATCH_SIZE];
};

/* Called on the hub's stack; must not block. */
typedef void watch_fn(int fd, short ready, void *arg);

/* Register a descriptor for all its edges: reading, writing, hang-up. 0; -EPERM for files that
 * cannot be polled (they never block in poll's sense), -ENOMEM, -EBADF. */
int watch_add(struct green_hub *hub, struct watch *watch, int fd, watch_fn *fn, void *arg);

/* Before the descriptor is closed: libevent counts by number and would lose a later one's
 * events. */
void watch_remove(struct green_hub *hub, struct watch *watch);

/* Has the program events of its own in the loop? */
bool hub_has_foreign_events(struct green_hub *hub);

/* hub.c's: open and close the loop, poll it once (wait: until something happens), set the alarm
 * that ends a wait at a time. False: it cannot, for want of its descriptors. */
int hub_events_open(struct green_hub *hub);
void hub_events_close(struct green_hub *hub);
/* In the child of a fork: drop the hub's own descriptors, but leave the loop alone. */
void hub_events_forget(struct green_hub *hub);
bool hub_poll(struct green_hub *hub, bool wait);
bool hub_alarm(struct green_hub *hub, int64_t time);
