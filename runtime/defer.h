/* defer.h - what thread.c does with a thread's clean-up handlers. See green/defer.h. */
#pragma once

struct green_thread;

/* Run the handlers of the running thread, and those that they add; the last first. */
void defer_run(struct green_thread *thread);
