/* duel.c - see duel.h. */
#include "duel.h"
#include <green/deadline.h>
#include <green/hub.h>
#include <green/thread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { FIGHTERS = 6, LIFE = 50 };

struct fighter {
    const struct duel *duel;
    int who;
    long rounds, tried;
    struct duel_score score;
    int error; /* errno of a round that went wrong */
};

static atomic_int fighting;

/* Some rounds, until cancelled. Its fighter waits for it, so they do not meet in `f`. */
static int life(void *arg)
{
    struct fighter *f = arg;
    for (int i = 0; i < LIFE && f->tried < f->rounds; i++) {
        bool hasty = f->tried % 3 == 0;
        int err = 0;
        green_within(hasty ? 20 * GREEN_US : 60 * GREEN_SEC)
            err = f->duel->round(f->who, f->tried++) < 0 ? errno : 0;
        if (err == 0) {
            f->score.done++;
        } else if (err == ETIMEDOUT && hasty) {
            f->score.gave_up++;
        } else if (err == ECANCELED) {
            f->score.killed++;
            break;
        } else {
            f->error = err;
            break;
        }
    }
    return 0;
}

static int fight(void *arg)
{
    struct fighter *f = arg;
    for (int lives = 0; f->tried < f->rounds && f->error == 0; lives++) {
        green_spawn_options options = {.hub = green_hub_nth((unsigned)(f->who + lives) % 2)};
        green_thread *t = green_spawn_with(&options, life, f);
        if (t == NULL) {
            f->error = errno;
            break;
        }
        if (lives % 4 == 3) {
            green_sleep(lives % 5 * 2 * GREEN_US);
            green_cancel(t);
        }
        green_join(t, NULL);
    }
    fighting--;
    return 0;
}

static int verdict(const struct fighter *fighters, const struct duel *duel, bool fair)
{
    for (int i = 0; i < FIGHTERS; i++)
        if (fighters[i].error != 0) {
            fprintf(stderr, "%s: round %ld: %s\n", duel->name, fighters[i].tried,
                    strerror(fighters[i].error));
            return -1;
        }
    if (!fair)
        fprintf(stderr, "%s: something was lost, given twice, or is still held\n", duel->name);
    return fair ? 0 : -1;
}

int duel_run(const struct duel *duel, long rounds, struct duel_score *score)
{
    struct fighter fighters[FIGHTERS];
    green_thread *threads[FIGHTERS];
    *score = (struct duel_score){0};
    if (green_hubs(2) < 2 || duel->begin(rounds) < 0) {
        perror(duel->name);
        return -1;
    }
    fighting = FIGHTERS;
    for (int i = 0; i < FIGHTERS; i++) {
        green_spawn_options options = {.hub = green_hub_nth((unsigned)i % 2)};
        fighters[i] = (struct fighter){.duel = duel, .who = i, .rounds = rounds};
        threads[i] = green_spawn_with(&options, fight, &fighters[i]);
        if (threads[i] == NULL) {
            perror(duel->name);
            return -1;
        }
    }
    while (fighting > 0) {
        green_sleep(GREEN_MS);
        if (duel->help != NULL)
            duel->help();
    }
    for (int i = 0; i < FIGHTERS; i++) {
        green_join(threads[i], NULL);
        score->done += fighters[i].score.done;
        score->gave_up += fighters[i].score.gave_up;
        score->killed += fighters[i].score.killed;
    }
    return verdict(fighters, duel, duel->end());
}

const struct duel *const duels[] = {
    &duel_mutex,  &duel_recursive, &duel_rwlock,     &duel_condition, &duel_semaphore,
    &duel_event,  &duel_result,    &duel_wait_group, &duel_barrier,   &duel_once,
    &duel_fifo,   &duel_lifo,      &duel_priority,   &duel_buffered,  &duel_rendezvous,
    &duel_select, &duel_threads,
};
const int duels_count = sizeof duels / sizeof duels[0];
