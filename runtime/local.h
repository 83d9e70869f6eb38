/* local.h - what thread.c does with thread-local values. See green/local.h. */
#pragma once
#include <stdbool.h>

struct green_thread;

/* Give a thread that has not run yet those of its spawner's values that are inherited. False: no
 * memory; the thread has none then. */
bool locals_inherit(struct green_thread *child, const struct green_thread *parent);

/* Destroy the running thread's values. */
void locals_end(struct green_thread *thread);
