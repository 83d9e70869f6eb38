/* green/deadline.h - time is ambient: a scope bounds every blocking call inside it.
 *
 *     green_within(2 * GREEN_SEC) {
 *         if (green_conn_read(c, buf, sizeof buf) < 0)
 *             perror("read");                    -- ETIMEDOUT, if it took longer
 *     }
 *     if (green_expired()) ...                   -- it was this scope's deadline, not an outer one
 *
 * Scopes nest, the nearest deadline rules. The threads of a group inherit their spawner's deadline.
 * A call whose result is ready succeeds even after the deadline; one that would block fails. Only a
 * thread that never blocks is stopped all the same: its calls fail once it has used up a slice. */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

/* One deadline in force on one green thread. Lives on that thread's stack; fields are private. */
typedef struct green_scope {
    struct green_scope *outer; /* the scope around this one */
    int64_t outer_deadline;    /* what was in force before */
    green_thread *thread;      /* whose; NULL if the hub could not be made */
    uint8_t shields;           /* how many are around it */
    bool rules;                /* this scope's deadline is nearer than the outer ones */
    bool expired;              /* a call failed because of this very scope */
} green_scope;

/* Put a deadline `nanoseconds` from now in force (<= 0: already passed; INT64_MAX: none of its
 * own), and end it. Scopes are left in the reverse order of entering; green_within sees to that. */
GREEN_API green_scope *green_scope_enter(green_scope *scope, int64_t nanoseconds);
GREEN_API void green_scope_leave(green_scope *scope);

/* Let the time of a scope begin anew: its deadline is `nanoseconds` from now instead (INT64_MAX: it
 * has none any more), and no call has failed by it yet. For what is to be bounded by its progress:
 * the callback of somebody else's function calls this with the scope that is around the function.
 * Deadlines of outer scopes hold as before, as does what threads have inherited. EINVAL: it is not
 * the innermost scope of the caller, or was left, or there is a shield inside of it. */
GREEN_API int green_scope_restart(green_scope *scope, int64_t nanoseconds);

/* Did the scope that this thread left last make a call fail by its own deadline? */
GREEN_API bool green_expired(void);

/* Time left until the nearest deadline: >= 0, or INT64_MAX when there is none. */
GREEN_API int64_t green_remaining(void);

/* The clock that deadlines are measured with: CLOCK_MONOTONIC in nanoseconds. */
GREEN_API int64_t green_now(void);

/* green_within(ns) { ... }: a scope around a block. Leave it by its end, break or return. (break
 * and continue end this block, not a loop around it.) */
#define green_within(ns)                                                    \
    for (green_scope GREEN_PASTE(green_scope_, __LINE__)                    \
             __attribute__((cleanup(green_scope_leave))),                   \
         *GREEN_PASTE(green_once_, __LINE__) =                              \
             green_scope_enter(&GREEN_PASTE(green_scope_, __LINE__), (ns)); \
         GREEN_PASTE(green_once_, __LINE__); GREEN_PASTE(green_once_, __LINE__) = NULL)

GREEN_END_DECLS
