/* local.c - thread-local values: see green/local.h.
 *
 * A key is its place in the table of keys and the number of its life there, so that a value stored
 * under a deleted key is never taken for one of the next key in that place. A thread's values are
 * an array by place, as long as the highest key it has set. */
#include "local.h"
#include "error.h"
#include "fork.h"
#include "memory.h"
#include "self.h"
#include <errno.h>
#include <green/local.h>
#include <pthread.h>

enum { KEYS = 1024, ROUNDS = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for making and deleting */
static struct kind {
    _Atomic green_key key; /* 0: there is none here */
    unsigned lives;
    void (*_Atomic destroy)(void *value); /* these as in green_key_options */
    void *(*_Atomic copy)(void *value);
    atomic_bool inherit;
} kinds[KEYS];

struct local {
    green_key key;
    void *value;
};

struct locals {
    unsigned room;
    struct local at[];
};

/* NULL: no such key. */
static struct kind *kind_of(green_key key)
{
    struct kind *kind = &kinds[key % KEYS];
    return key != 0 && atomic_load_explicit(&kind->key, memory_order_acquire) == key ? kind : NULL;
}

/* What was said of the key; false: it is gone. It may go meanwhile, and another come in its place,
 * whose options are not taken for its own: they are put there after it is gone (claim). */
static bool options_of(green_key key, green_key_options *options)
{
    struct kind *kind = kind_of(key);
    if (kind == NULL)
        return false;
    options->destroy = atomic_load_explicit(&kind->destroy, memory_order_acquire);
    options->copy = atomic_load_explicit(&kind->copy, memory_order_acquire);
    options->inherit = atomic_load_explicit(&kind->inherit, memory_order_acquire);
    return kind_of(key) != NULL;
}

/* ---- keys ---- */

static green_key claim(const green_key_options *options)
{
    for (unsigned place = 0; place < KEYS; place++) {
        struct kind *kind = &kinds[place];
        if (kind->key != 0)
            continue;
        if (++kind->lives > UINT32_MAX / KEYS)
            kind->lives = 1;
        atomic_store_explicit(&kind->destroy, options->destroy, memory_order_release);
        atomic_store_explicit(&kind->copy, options->copy, memory_order_release);
        atomic_store_explicit(&kind->inherit, options->inherit, memory_order_release);
        green_key key = kind->lives * KEYS + place;
        atomic_store_explicit(&kind->key, key, memory_order_release);
        return key;
    }
    return 0;
}

GREEN_API int green_key_create_with(green_key *key, const green_key_options *options)
{
    if (options->inherit && options->destroy != NULL && options->copy == NULL)
        return fail(EINVAL, "inherited values that are destroyed must be copied");
    pthread_mutex_lock(&lock);
    *key = claim(options);
    pthread_mutex_unlock(&lock);
    return *key != 0 ? 0 : fail(EAGAIN, "there are %d thread-local keys already", KEYS);
}

GREEN_API int green_key_create(green_key *key, void (*destroy)(void *value))
{
    return green_key_create_with(key, &(green_key_options){.destroy = destroy});
}

GREEN_API int green_key_delete(green_key key)
{
    pthread_mutex_lock(&lock);
    struct kind *kind = kind_of(key);
    if (kind != NULL)
        kind->key = 0;
    pthread_mutex_unlock(&lock);
    return (int)returned(kind != NULL ? 0 : -EINVAL);
}

void locals_fork_begin(void)
{
    pthread_mutex_lock(&lock);
}

void locals_fork_end(void)
{
    pthread_mutex_unlock(&lock);
}

/* ---- values ---- */

static bool make_room(struct green_thread *t, unsigned room)
{
    struct locals *old = t->locals;
    unsigned had = old != NULL ? old->room : 0;
    if (room <= had)
        return true;
    struct locals *l = memory_resize(old, sizeof *l + room * sizeof l->at[0]);
    if (l == NULL)
        return false;
    for (unsigned i = had; i < room; i++)
        l->at[i] = (struct local){0, NULL};
    l->room = room;
    t->locals = l;
    return true;
}

GREEN_API int green_set_local(green_key key, void *value)
{
    struct green_hub *hub = hub_here();
    if (hub == NULL)
        return -1;
    struct green_thread *t = hub->current;
    if (t == &hub->loop)
        return (int)returned(-EDEADLK); /* a callback has no end of its own */
    if (kind_of(key) == NULL)
        return (int)returned(-EINVAL);
    if (!make_room(t, key % KEYS + 1))
        return (int)returned(-ENOMEM);
    t->locals->at[key % KEYS] = (struct local){key, value};
    return 0;
}

GREEN_API void *green_get_local(green_key key)
{
    struct green_hub *hub = self_hub();
    struct locals *l = hub != NULL ? hub->current->locals : NULL;
    unsigned place = key % KEYS;
    return l != NULL && place < l->room && l->at[place].key == key ? l->at[place].value : NULL;
}

/* ---- a thread's beginning and end ---- */

bool locals_inherit(struct green_thread *child, const struct green_thread *parent)
{
    const struct locals *from = parent->locals;
    green_key_options options;
    unsigned room = 0;
    for (unsigned i = 0; i < from->room; i++)
        if (from->at[i].value != NULL && options_of(from->at[i].key, &options) && options.inherit)
            room = i + 1;
    if (!make_room(child, room))
        return false;
    for (unsigned i = 0; i < room; i++) {
        void *value = from->at[i].value;
        if (value == NULL || !options_of(from->at[i].key, &options) || !options.inherit)
            continue;
        if (options.copy != NULL)
            value = options.copy(value);
        child->locals->at[i] = (struct local){from->at[i].key, value};
    }
    return true;
}

/* A destructor may set values: the array may move. */
static bool destroy_round(struct green_thread *t)
{
    bool any = false;
    for (unsigned i = 0; i < t->locals->room; i++) {
        struct local *l = &t->locals->at[i];
        green_key_options options;
        void *value = l->value;
        l->value = NULL;
        if (value == NULL || !options_of(l->key, &options) || options.destroy == NULL)
            continue;
        options.destroy(value);
        any = true;
    }
    return any;
}

void locals_end(struct green_thread *t)
{
    for (int round = 0; round < ROUNDS && t->locals != NULL; round++)
        if (!destroy_round(t))
            break;
    memory_put(t->locals);
    t->locals = NULL;
}
