/* mutex.h - what conditions do with mutexes. Negative errno. */
#pragma once
#include "shared.h"
#include <green/mutex.h>

int mutex_lock(struct green_hub *hub, green_mutex *mutex);
int mutex_unlock(struct green_hub *hub, green_mutex *mutex);
