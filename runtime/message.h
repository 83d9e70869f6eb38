/* message.h - what hubs send each other (hub_post in hub.h). */
#pragma once

/* Work sent to another hub; runs there on the hub's stack and must not block. It may free or
 * re-use the message. */
struct message {
    struct message *next;
    void (*run)(struct message *message);
};
