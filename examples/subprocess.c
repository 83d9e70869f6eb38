/* subprocess.c - runs several commands at once, each under a deadline, and shows their lines as
 * they come: a green thread for each stream of each command. */
#include <green.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct job {
    char *command; /* of the shell */
    int number;
    double seconds;
    green_process *process;
    int status; /* as of waitpid; -1: it was not even started, or took too long */
};

struct stream {
    struct job *job;
    int which; /* 1: out, 2: err */
};

static void show(const struct stream *s, const char *line, size_t length)
{
    fprintf(s->which == 1 ? stdout : stderr, "%d%c %.*s\n", s->job->number,
            s->which == 1 ? ':' : '!', (int)length, line);
}

/* Whole lines; a longer one, or what is left at the end, comes in parts. */
static int show_lines(void *arg)
{
    struct stream *s = arg;
    char text[4096];
    size_t size = 0;
    ssize_t n;
    while ((n = green_read(green_process_fd(s->job->process, s->which), text + size,
                           sizeof text - size)) > 0) {
        char *line = text, *end;
        size += (size_t)n;
        while ((end = memchr(line, '\n', size)) != NULL) {
            show(s, line, (size_t)(end - line));
            size -= (size_t)(end + 1 - line);
            line = end + 1;
        }
        if (size == sizeof text) {
            show(s, line, size);
            size = 0;
        }
        memmove(text, line, size);
    }
    if (size > 0)
        show(s, text, size);
    return (int)n;
}

/* Its output ends when the last process that has it does: the group of the command is one to kill.
 */
static int follow(struct job *job)
{
    struct stream out = {job, 1}, err = {job, 2};
    green_group streams = GREEN_GROUP_INIT;
    if (green_group_spawn(&streams, show_lines, &out) < 0 ||
        green_group_spawn(&streams, show_lines, &err) < 0)
        green_group_cancel(&streams);
    if (green_group_join(&streams) < 0)
        return -1;
    return green_process_wait(job->process, &job->status);
}

static int run(void *arg)
{
    struct job *job = arg;
    static const green_process_options options = {
        .in = GREEN_NULL, .out = GREEN_PIPE, .err = GREEN_PIPE, .group = true};
    char *const argv[] = {"sh", "-c", job->command, NULL};
    job->process = green_process_spawn(&options, argv);
    if (job->process == NULL) {
        fprintf(stderr, "subprocess: %s\n", green_errmsg());
        return 0; /* no reason to give up the others */
    }
    green_within((int64_t)(job->seconds * (double)GREEN_SEC))
        if (follow(job) < 0)
            fprintf(stderr, "subprocess: %s: %s\n", job->command, green_errmsg());
    green_process_signal_group(job->process, SIGKILL);
    green_process_destroy(job->process);
    return 0;
}

static int run_all(struct job *jobs, int count)
{
    int failures = 0;
    green_group group = GREEN_GROUP_INIT;
    for (int i = 0; i < count; i++)
        if (green_group_spawn(&group, run, &jobs[i]) < 0)
            fprintf(stderr, "subprocess: %s: %s\n", jobs[i].command, green_errmsg());
    green_group_join(&group);
    for (struct job *job = jobs; job < jobs + count; job++) {
        if (job->status > 0 && WIFSIGNALED(job->status))
            fprintf(stderr, "subprocess: %s: killed by signal %d\n", job->command,
                    WTERMSIG(job->status));
        else if (job->status > 0)
            fprintf(stderr, "subprocess: %s: exit status %d\n", job->command,
                    WEXITSTATUS(job->status));
        failures += job->status != 0;
    }
    return failures > 0;
}

static int complain(const char *what, const char *which)
{
    fprintf(stderr, "subprocess: %s%s (see --help)\n", what, which);
    return 2;
}

int main(int argc, char **argv)
{
    double seconds = 60;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            puts("usage: subprocess [-t SECONDS] COMMAND...\n"
                 "Runs all commands at once (each by sh -c) and shows their lines, with the\n"
                 "command's number. What takes longer than SECONDS (60) is killed.");
            return 0;
        }
        if (strcmp(argv[i], "-t") != 0)
            return complain("unknown option ", argv[i]);
        if (++i == argc)
            return complain("-t needs a number of seconds", "");
        seconds = strtod(argv[i], &end);
        if (*end != '\0' || end == argv[i] || !(seconds > 0 && seconds < 1e9))
            return complain("no number of seconds: ", argv[i]);
    }
    if (i == argc)
        return complain("no command", "");
    int count = argc - i;
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    if (jobs == NULL)
        return complain("no memory", "");
    for (int k = 0; k < count; k++)
        jobs[k] = (struct job){.command = argv[i + k], k + 1, seconds, NULL, -1};
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines come out as they come in, also into a pipe */
    int status = run_all(jobs, count);
    free(jobs);
    return status;
}
