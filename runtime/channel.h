/* channel.h - what select does with channels. */
#pragma once
#include "shared.h"
#include <green/channel.h>

/* Inside the guard: send or receive if that needs no waiting; else -EAGAIN. As green_chan_send and
 * green_chan_recv, errors as negative errno. */
int channel_put(struct green_hub *hub, green_chan *chan, const void *item);
int channel_take(struct green_hub *hub, green_chan *chan, void *item);
