/* sud.h - Syscall User Dispatch: system calls from outside our text arrive as SIGSYS. */
#pragma once

/* Takes SIGSYS. 0 or -errno. */
int sud_start(void);

/* Gives SIGSYS back as it was found. */
void sud_stop(void);

/* Arms the calling OS thread. 0 or -errno. */
int sud_arm(void);
