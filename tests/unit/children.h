/* children.h - what the tests of child processes share. */
#pragma once
#include "net_unit.h"
#include <green/fd.h>
#include <green/process.h>
#include <sys/wait.h>

#define ARGV(...)  ((char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("sh", "-c", script)

static const green_process_options pipes = {.in = GREEN_PIPE, .out = GREEN_PIPE, .err = GREEN_PIPE};

static inline green_process *spawn(const green_process_options *options, char *const argv[])
{
    green_process *p = green_process_spawn(options, argv);
    assert_non_null(p);
    return p;
}

static inline int status_of(green_process *p)
{
    int status = -1;
    assert_int_equal(green_process_wait(p, &status), 0);
    return status;
}

/* No child is left, in whatever state. */
static inline void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static inline int wait_for_end(void *arg)
{
    int status;
    return green_process_wait(arg, &status) < 0 ? -1 : WEXITSTATUS(status);
}
