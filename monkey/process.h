/* process.h - processes: fork, vfork and clone, exec and exit, as a greened program makes them. */
#pragma once
#include "calls.h"

/* True while a child of vfork may run in this process's memory. */
extern bool process_shared;

/* Is the caller such a child? It is no thread of ours and gets the kernel. */
bool process_is_guest(void);

void process_start(void);

call_fn call_clone, call_clone3, call_fork, call_vfork, call_execve, call_exit, call_exit_group;
