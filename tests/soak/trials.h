/* trials.h - what tests/soak does in great numbers, besides the duels: each returns 0, or -1 and a
 * line on stderr. */
#pragma once

int trial_spawns(long n); /* threads that start and end, many at a time */
int trial_chain(long n);  /* each starts the next and ends */
int trial_nest(long n);   /* each starts the next and waits for it, up to 10,000 deep */
int trial_timers(long n); /* deadlines that fire, that are taken back, and threads cancelled */
int trial_hubs(long n);   /* hubs that end with their OS threads, with threads alive */
