/* offload_lane.c - the lanes of the library, making others, and their settings: see
 * green/offload.h. */
#include "compiler.h"
#include "error.h"
#include "fork.h"
#include "memory.h"
#include "offload.h"
#include "standstill.h"
#include <errno.h>
#include <string.h>

/* ---- those of the library ---- */

#define IDLE (3 * GREEN_SEC) /* where nothing is said */

#define LANE(lane, called, what, most)                                                             \
    {                                                                                              \
        .name = (called), .why = (what), .max = (most), .idle = IDLE,                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER,                       \
        .queue = {&(lane).queue, &(lane).queue}, .starters = {&(lane).starters, &(lane).starters}, \
        .references = 1,                                                                           \
    }
struct green_lane offload_general = LANE(offload_general, "green-offload", "an offloaded call", 64);
struct green_lane offload_dns = LANE(offload_dns, "green-dns", "a name look-up", 256);
struct green_lane offload_files = LANE(offload_files, "green-files", "a file operation", 64);
struct green_lane offload_paths = LANE(offload_paths, "green-paths", "an operation on a path", 256);

enum { COUNT = GREEN_LANE_PATHS + 1 };
static struct green_lane *const ours[COUNT] = {
    [GREEN_LANE_GENERAL] = &offload_general,
    [GREEN_LANE_DNS] = &offload_dns,
    [GREEN_LANE_FILES] = &offload_files,
    [GREEN_LANE_PATHS] = &offload_paths,
};

GREEN_API green_lane *green_lane_of(int which)
{
    if (which >= 0 && which < COUNT)
        return ours[which];
    fail(EINVAL, "green_lane_of: there is no lane %d", which);
    return NULL;
}

/* ---- those that were made ---- */

static pthread_mutex_t made_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list made = {&made, &made};

static void add(struct green_lane *lane)
{
    pthread_mutex_lock(&made_lock);
    list_append(&made, &lane->made);
    pthread_mutex_unlock(&made_lock);
}

void offload_lane_drop(struct green_lane *lane)
{
    if (atomic_fetch_sub(&lane->references, 1) != 1)
        return;
    pthread_mutex_lock(&made_lock);
    list_remove(&lane->made);
    pthread_mutex_unlock(&made_lock);
    pthread_mutex_destroy(&lane->lock);
    pthread_cond_destroy(&lane->work);
    memory_put(lane);
}

static struct green_lane *make(const green_lane_options *o, int max)
{
    struct green_lane *lane = memory_get(sizeof *lane);
    if (lane == NULL)
        return NULL;
    strncpy(lane->name, o->name != NULL ? o->name : "green-lane", sizeof lane->name - 1);
    lane->why = "a job of a lane";
    lane->min = o->min;
    lane->max = max;
    lane->room = o->queue;
    lane->idle = o->idle > 0 ? o->idle : IDLE;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->work, NULL);
    list_init(&lane->queue);
    list_init(&lane->starters);
    atomic_init(&lane->references, 1);
    add(lane);
    return lane;
}

GREEN_API green_lane *green_lane_make(const green_lane_options *options)
{
    static const green_lane_options standard;
    const green_lane_options *o = options != NULL ? options : &standard;
    int max = o->max != 0 ? o->max : 64;
    struct green_lane *lane = NULL;
    if (o->min < 0 || max < o->min || o->queue < 0 || o->idle < 0)
        fail(EINVAL, "green_lane_make: no lane can be like that");
    else if ((lane = make(o, max)) == NULL)
        fail(ENOMEM, "no memory for a lane");
    return lane;
}

static bool is_ours(const struct green_lane *lane)
{
    bool any = false;
    for (int i = 0; i < COUNT; i++)
        any = any || lane == ours[i];
    return any;
}

GREEN_API void green_lane_free(green_lane *lane)
{
    if (lane == NULL || is_ours(lane))
        return;
    pthread_mutex_lock(&lane->lock);
    lane->min = 0;
    lane->idle = 0;
    if (lane->max == 0)
        lane->max = 1;
    offload_resized(lane);
    pthread_mutex_unlock(&lane->lock);
    offload_lane_drop(lane);
}

/* ---- settings ---- */

static struct green_lane *or_general(struct green_lane *lane)
{
    return lane != NULL ? lane : &offload_general;
}

GREEN_API int green_lane_resize(green_lane *lane, int min, int max)
{
    lane = or_general(lane);
    if (min < 0 || max < min)
        return (int)returned(-EINVAL);
    pthread_mutex_lock(&lane->lock);
    lane->min = min;
    lane->max = max;
    int err = offload_resized(lane);
    pthread_mutex_unlock(&lane->lock);
    return (int)returned(err);
}

GREEN_API int green_lane_set_queue(green_lane *lane, int queue)
{
    lane = or_general(lane);
    if (queue < 0)
        return (int)returned(-EINVAL);
    pthread_mutex_lock(&lane->lock);
    lane->room = queue;
    int err = offload_resized(lane);
    pthread_mutex_unlock(&lane->lock);
    return (int)returned(err);
}

GREEN_API int green_lane_set_idle(green_lane *lane, int64_t idle)
{
    lane = or_general(lane);
    if (idle < 0)
        return (int)returned(-EINVAL);
    pthread_mutex_lock(&lane->lock);
    lane->idle = idle;
    int err = offload_resized(lane);
    pthread_mutex_unlock(&lane->lock);
    return (int)returned(err);
}

GREEN_API void green_lane_stats_get(green_lane *lane, green_lane_stats *stats)
{
    lane = or_general(lane);
    pthread_mutex_lock(&lane->lock);
    *stats = (green_lane_stats){
        .threads = lane->threads,
        .idle = lane->threads - lane->busy,
        .most = lane->most,
        .queued = lane->queued,
        .done = lane->done,
    };
    pthread_mutex_unlock(&lane->lock);
}

/* ---- forks (fork.h) ---- */

void offload_fork_begin(void)
{
    pthread_mutex_lock(&made_lock);
}

void offload_fork_end(void)
{
    pthread_mutex_unlock(&made_lock);
}

static void lane_forked(struct green_lane *lane)
{
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->work, NULL);
    list_init(&lane->queue);
    list_init(&lane->starters);
    lane->threads = lane->busy = lane->queued = lane->starting = 0;
    lane->forks++;
}

void offload_forked(void)
{
    standstill_forked();
    for (int i = 0; i < COUNT; i++)
        lane_forked(ours[i]);
    for (struct list *l = made.next; l != &made; l = l->next)
        lane_forked(CONTAINER(l, struct green_lane, made));
    pthread_mutex_unlock(&made_lock);
}
