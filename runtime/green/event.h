/* green/event.h - a flag to wait for. See green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_event {
    green_guard guard;
    bool set;
    green_waiters waiters;
} green_event;
#define GREEN_EVENT_INIT \
    {                    \
        {0}, false,      \
        {                \
            NULL, NULL   \
        }                \
    }

/* Set it: all who wait now go on, even if it is cleared before they run. */
GREEN_API int green_event_set(green_event *event);
GREEN_API int green_event_clear(green_event *event);
GREEN_API bool green_event_is_set(green_event *event);
/* Wait until it is set; at once if it is. May yield. */
GREEN_API int green_event_wait(green_event *event);

GREEN_END_DECLS
