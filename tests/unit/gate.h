/* gate.h - functions that block until the test lets them end: for the tests of green/offload.h. */
#pragma once
#include "net_unit.h"

#include "offload.h"
#include <green/offload.h>
#include <stdatomic.h>

static inline green_lane_stats stats_of(green_lane *lane)
{
    green_lane_stats s;
    green_lane_stats_get(lane, &s);
    return s;
}

/* Functions that wait for a byte each: the test decides when they end. */
static int gate[2];
static atomic_int inside;
static atomic_int released;

static inline int pass_gate(void *arg)
{
    char c;
    (void)arg;
    atomic_fetch_add(&inside, 1);
    ssize_t n = read(gate[0], &c, 1);
    atomic_fetch_sub(&inside, 1);
    return n == 1 ? 0 : -1;
}

static inline void open_gate(int times)
{
    while (times-- > 0)
        assert_int_equal(write(gate[1], "x", 1), 1);
}

static inline void release(void *arg)
{
    free(arg);
    atomic_fetch_add(&released, 1);
}

static int before_all;

static inline int open_pipe(void **state)
{
    if (green_hubs(2) != 2)
        return -1;
    before_all = os_threads();
    *state = &before_all;
    return pipe(gate);
}

static inline int twice(void *arg)
{
    return 2 * *(int *)arg;
}

static inline green_job *start_on(green_lane *lane, int (*fn)(void *), void *arg)
{
    green_job *job = green_job_start(&(green_job_options){.lane = lane}, fn, arg);
    assert_non_null(job);
    return job;
}

static inline void finish(green_job *job, int expected)
{
    int result = expected + 1;
    assert_int_equal(green_job_wait(job, &result), 0);
    assert_int_equal(result, expected);
    green_job_free(job);
}
