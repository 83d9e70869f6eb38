/* narrow.h - a lane whose queue is full: for the tests of green/offload.h. */
#pragma once
#include "gate.h"

static green_lane *narrow; /* one OS thread, held by a job; a queue of one, full */
static green_job *held[2]; /* these two */
static int order[4];
static atomic_int ordered;

static inline int note(void *arg)
{
    order[atomic_fetch_add(&ordered, 1)] = *(int *)arg; /* in turn while it is one OS thread */
    return 0;
}

static inline void make_narrow(void)
{
    static int zero;
    ordered = 0;
    narrow = green_lane_make(&(green_lane_options){.max = 1, .queue = 1});
    held[0] = start_on(narrow, pass_gate, NULL);
    held[1] = start_on(narrow, note, &zero);
    wait_for(atomic_load(&inside) == 1);
    assert_int_equal(stats_of(narrow).queued, 1);
}

static inline void free_narrow(void)
{
    finish(held[0], 0);
    (void)green_job_wait(held[1], NULL); /* cancelled or run: no note of it comes later */
    green_job_free(held[1]);
    green_lane_free(narrow);
}
