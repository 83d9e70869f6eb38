/* process.h - the handle of a child process: see green/process.h. Private to process*.c. */
#pragma once
#include <green/process.h>

/* What a pipe has said so far. */
struct gathered {
    char *data; /* room for one byte more than `room` */
    size_t size;
    size_t room;
};

struct green_process {
    pid_t pid; /* for people, and for the group: everything else goes through the pidfd */
    int pidfd;
    int pipe[3]; /* our ends; -1: none, or closed */
    bool group;  /* it leads one */

    /* These three inside the lock of process.c. */
    bool over;
    int error;  /* over, but its status went to somebody else */
    int status; /* over: as of waitpid */

    size_t fed;              /* input already written by communicate */
    struct gathered said[2]; /* out and err, so far */
};

void process_free(green_process *process);
