/* offload_lane.c - making lanes, and their settings: see green/offload.h. */
#include "error.h"
#include "memory.h"
#include "offload.h"
#include <errno.h>
#include <string.h>

static struct green_lane *or_general(struct green_lane *lane)
{
    return lane != NULL ? lane : &offload_general;
}

static struct green_lane *make(const green_lane_options *o, int max)
{
    struct green_lane *lane = memory_get(sizeof *lane);
    if (lane == NULL)
        return NULL;
    strncpy(lane->name, o->name != NULL ? o->name : "green-lane", sizeof lane->name - 1);
    lane->min = o->min;
    lane->max = max;
    lane->room = o->queue;
    lane->idle = o->idle > 0 ? o->idle : offload_general.idle;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->work, NULL);
    list_init(&lane->queue);
    list_init(&lane->starters);
    atomic_init(&lane->references, 1);
    offload_lane_add(lane);
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
    return lane == &offload_general || lane == &offload_dns || lane == &offload_files ||
           lane == &offload_paths;
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

GREEN_API green_lane *green_lane_of(int which)
{
    static struct green_lane *const lanes[] = {&offload_general, &offload_dns, &offload_files,
                                               &offload_paths};
    if (which >= GREEN_LANE_GENERAL && which <= GREEN_LANE_PATHS)
        return lanes[which];
    fail(EINVAL, "green_lane_of: there is no lane %d", which);
    return NULL;
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
