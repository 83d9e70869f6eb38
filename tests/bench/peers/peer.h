/* peer.h - what the C and C++ peers share: the same moves, measured and told in the same way.
 *
 * A peer is a program: `PEER moves` prints a line a figure ("switch 14.2", in ns of CPU time, the
 * median of several runs), `PEER sleepers N` the bytes that each of N sleeping threads takes,
 * `PEER echo PORT` serves, a thread a connection. Each defines the functions below. */
#pragma once
#include "../bench.h"
#include <string.h>
#include <unistd.h>

static void peer_switches(long n);       /* n switches between two threads, in turns */
static void peer_spawns(long n);         /* start a thread that does nothing and join it, n times */
static void peer_round_trips(long n);    /* a word to another thread and back, n times */
static void peer_start_sleepers(long n); /* start n threads, and let them run until they sleep */
static void peer_serve(unsigned short port); /* echo; does not return */

/* Bytes of memory, page tables included. */
static long memory_now(void)
{
    char line[128];
    long kib, sum = 0;
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL)
        return 0;
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
            sum += kib;
    fclose(status);
    return sum * 1024;
}

static int peer_main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "moves") == 0) {
        printf("switch %.1f\n", median_cost(peer_switches, 1000000));
        printf("spawn %.1f\n", median_cost(peer_spawns, 300000));
        printf("round-trip %.1f\n", median_cost(peer_round_trips, 300000));
    } else if (argc == 3 && strcmp(argv[1], "sleepers") == 0) {
        long n = atol(argv[2]), before = memory_now();
        peer_start_sleepers(n);
        printf("sleeper %ld\n", (memory_now() - before) / n);
        fflush(stdout);
        _exit(0);
    } else if (argc == 3 && strcmp(argv[1], "echo") == 0) {
        peer_serve((unsigned short)atoi(argv[2]));
        perror(argv[0]);
        return 1;
    } else {
        fprintf(stderr, "usage: %s moves | sleepers N | echo PORT\n", argv[0]);
        return 2;
    }
    return 0;
}
