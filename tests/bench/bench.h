/* bench.h - measuring a step: the median over several runs, in CPU time. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 9 };

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs `run(n)` several times: the median cost of one of its `n` steps. */
static double median_cost(void (*run)(long n), long n)
{
    double cost[RUNS];
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_ns();
        run(n);
        cost[i] = (cpu_ns() - start) / (double)n;
    }
    qsort(cost, RUNS, sizeof cost[0], by_value);
    return cost[RUNS / 2];
}

/* The same, printed. */
static inline void measure(const char *what, void (*run)(long n), long n)
{
    printf("%-44s %9.1f ns\n", what, median_cost(run, n));
    fflush(stdout);
}
