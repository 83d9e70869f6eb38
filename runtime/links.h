/* links.h - what thread.c does with the links of a thread. See green/link.h. */
#pragma once

struct green_thread;

/* Call them all; before the thread counts as done, so that none of them can free it. */
void links_run(struct green_thread *thread);

/* It has moved to another hub (fork.c). */
void links_move(struct green_thread *thread);
