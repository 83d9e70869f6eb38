/* green/local.h - values that each green thread has for itself, as pthread_key_create(3).
 *
 *     static green_key request;
 *     green_key_create(&request, free);         once
 *     green_set_local(request, strdup(id));     in each thread
 *     log("%s", (char *)green_get_local(request));
 *
 * A thread that sets none pays nothing. A compiler's thread-local variable (_Thread_local) is
 * another thing: it belongs to the OS thread, all green threads of a hub share it. */
#pragma once
#include <green/thread.h>

GREEN_BEGIN_DECLS

/* Zero is never a key. A key is good in all threads of all hubs. */
typedef unsigned green_key;

typedef struct green_key_options {
    /* Called with each value that is left (not NULL) when its thread ends, on that thread: after
     * its function and its green_defer handlers; not with those of the main() thread. It may yield,
     * and set other values: what is set again is destroyed again, up to four rounds. */
    void (*destroy)(void *value);
    /* The spawn tree: a thread starts with its spawner's value. Values with a `destroy` need a
     * `copy`, too. */
    bool inherit;
    /* What the child gets instead. It must not block; for a child on another hub it is called on
     * that hub's OS thread. NULL: the value itself. */
    void *(*copy)(void *value);
} green_key_options;

/* Make a key; destroy may be NULL. EAGAIN: 1024 keys exist. EINVAL: see green_key_options. */
GREEN_API int green_key_create(green_key *key, void (*destroy)(void *value));
GREEN_API int green_key_create_with(green_key *key, const green_key_options *options);

/* Give a key back. Values that threads still have are forgotten, not destroyed. EINVAL. */
GREEN_API int green_key_delete(green_key key);

/* The calling thread's value: NULL until it is set. Do not yield. EINVAL: no such key; ENOMEM;
 * EDEADLK: in a callback of the event loop. */
GREEN_API int green_set_local(green_key key, void *value);
GREEN_API void *green_get_local(green_key key);

GREEN_END_DECLS
