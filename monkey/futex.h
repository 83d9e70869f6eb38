/* futex.h - futexes among the green threads of the process: waiting in queues of our own. */
#pragma once
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>

struct call;

/* Wake so many that wait at the word; `shared`: in other processes, too. How many. */
long futex_wake(uint32_t *word, int most, bool shared);

/* SYS_futex. */
long call_futex(struct call *c);

/* In a forked child: nobody waits any more. */
void futex_forked(void);
