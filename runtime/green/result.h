/* green/result.h - a value that is given once and may be waited for by many (a promise). See
 * green/shared.h. */
#pragma once
#include <green/shared.h>

GREEN_BEGIN_DECLS

typedef struct green_result {
    green_guard guard;
    bool given;
    int error; /* an errno: the result is a failure */
    void *value;
    green_waiters waiters;
} green_result;
#define GREEN_RESULT_INIT    \
    {                        \
        {0}, false, 0, NULL, \
        {                    \
            NULL, NULL       \
        }                    \
    }

/* Give the value, or a failure (an errno; EINVAL: not > 0). The value stays the giver's or becomes
 * the getters', as they agree. EALREADY: it was given before. */
GREEN_API int green_result_set(green_result *result, void *value);
GREEN_API int green_result_fail(green_result *result, int error);

/* Wait for it: 0 and the value (which may be NULL, as may `value`); -1 and the errno that was
 * given. Getting it again gives the same. May yield. */
GREEN_API int green_result_get(green_result *result, void **value);

GREEN_END_DECLS
