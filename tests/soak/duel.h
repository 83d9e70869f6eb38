/* duel.h - two hubs fight over one primitive: the unit test `duel` in short, tests/soak at length.
 *
 * Six fighters, three a hub, do round after round. They fight in lives of some rounds, on one hub
 * and then on the other. Every third round has a deadline so near that it often expires; every
 * fourth life is cancelled by whoever joins it, mostly from the other hub. Nothing may be lost,
 * given twice or held by nobody after that. */
#pragma once
#include <errno.h>
#include <green/shared.h>
#include <stdbool.h>

struct duel {
    const char *name;
    /* Make what is fought over; 0 or -1. */
    int (*begin)(long rounds);
    /* One round of one of the fighters, 0 to 5: 0; -1 and ETIMEDOUT or ECANCELED: it gave up and
     * holds nothing; -1 and anything else: something is wrong. */
    int (*round)(int who, long number);
    /* Called every now and then: help out where a fighter may rightly wait for another that has
     * given up, or has done its rounds. NULL: nobody does. */
    void (*help)(void);
    /* After all: is everything accounted for, and nothing held? Frees it. */
    bool (*end)(void);
};

extern const struct duel duel_mutex, duel_recursive, duel_rwlock, duel_condition, duel_semaphore,
    duel_event, duel_result, duel_wait_group, duel_barrier, duel_once, duel_fifo, duel_lifo,
    duel_priority, duel_buffered, duel_rendezvous, duel_select, duel_threads;
extern const struct duel *const duels[];
extern const int duels_count;

struct duel_score {
    long done;    /* rounds fought out */
    long gave_up; /* those that a deadline ended */
    long killed;  /* those that a cancellation ended */
};

/* 0; or -1 and a line on stderr. */
int duel_run(const struct duel *duel, long rounds, struct duel_score *score);

/* What a round returns that found something wrong. */
static inline int wrong(void)
{
    errno = EPROTO;
    return -1;
}

static inline bool nobody(const green_waiters *waiters)
{
    return waiters->first == NULL && waiters->last == NULL;
}
