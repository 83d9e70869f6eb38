/* waits.h - a table of the calls that wait, each with what it takes to try it: for
 * test_blocking.c. */
#pragma once
#include "net_unit.h"

enum {
    ALONE = 1,       /* one thread at a time waits here */
    NEVER_READY = 2, /* what is given, is given to who waits already */
    LATE = 4,        /* what is given arrives only after other threads, or others, have run */
    YIELDS = 8,      /* even if it fails at once: has its own threads, or asks another hub */
    ON_MAIN = 16,    /* makes sense on the main thread only */
    PROCESS = 32,    /* starts a process */
};

/* A call that waits. The functions work on one object (or a few), made anew each time. */
struct call {
    const char *name;    /* NULL: the end of the table */
    void (*begin)(void); /* make the object: who calls now has to wait */
    int (*wait)(void);   /* the call: 0, or -1 and errno */
    void (*give)(void);  /* let one go on, of those who wait or come; NULL: nothing lets it */
    bool (*given)(void); /* has it arrived? NULL: at once */
    void (*end)(void);   /* the object's end, however far it got */
    int is;
};

/* Two sockets that are each other's end, for both tables with descriptors: waits_outside.c. */
extern int fd[2];
void begin_pair(void);
void begin_full_pair(void); /* fd[0] has no room */
void give_byte(void);       /* to fd[1] */
void drain(void);           /* make room */
void end_pair(void);

extern const struct call waits_inside[];  /* for other threads */
extern const struct call waits_outside[]; /* for the system */
extern const struct call waits_select[];  /* for the first of several */
