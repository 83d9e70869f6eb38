/* subprocess.c - runs several commands at once, each under a deadline, and shows their lines as
 * they come: a green thread for each stream of each command. */
#include <err.h>
#include <getopt.h>
#include <green.h>
#include <signal.h>
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

static int interrupt; /* the signal that ends it all; 0: none */

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
        warnx("%s", green_errmsg());
        return 0; /* no reason to give up the others */
    }
    int rc = 0;
    green_within((int64_t)(job->seconds * (double)GREEN_SEC))
        rc = follow(job);
    if (green_expired())
        warnx("%s: timed out after %g s", job->command, job->seconds);
    else if (rc < 0 && interrupt == 0)
        warnx("%s: %s", job->command, green_errmsg());
    green_process_signal_group(job->process, SIGKILL);
    green_process_destroy(job->process);
    return 0;
}

/* Nobody wants it any more. The commands are in groups of their own: signals are for us alone. */
static int stop(int number, void *group)
{
    interrupt = number;
    green_group_cancel(group);
    return 0;
}

/* How many have failed. */
static int run_all(struct job *jobs, int count)
{
    int failures = 0;
    green_group group = GREEN_GROUP_INIT;
    green_signal *signals =
        green_signal_handle(GREEN_SIGNALS(SIGINT, SIGTERM, SIGPIPE), stop, &group);
    if (signals == NULL)
        errx(1, "%s", green_errmsg());
    for (int i = 0; i < count; i++)
        if (green_group_spawn(&group, run, &jobs[i]) < 0)
            warnx("%s: %s", jobs[i].command, green_errmsg());
    green_group_join(&group);
    green_signal_close(signals);
    for (struct job *job = jobs; job < jobs + count; job++) {
        if (job->status > 0 && WIFSIGNALED(job->status))
            warnx("%s: killed by signal %d", job->command, WTERMSIG(job->status));
        else if (job->status > 0)
            warnx("%s: exit status %d", job->command, WEXITSTATUS(job->status));
        failures += job->status != 0;
    }
    return failures;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    double seconds = 60;
    char *end = "";
    for (int option; (option = getopt_long(argc, argv, "+ht:", options, NULL)) >= 0;)
        switch (option) {
        case 'h':
            puts("usage: subprocess [-t SECONDS] COMMAND...\n"
                 "Runs all commands at once (each by sh -c) and shows their lines, with the\n"
                 "command's number. What takes longer than SECONDS (60) is killed.");
            return 0;
        case 't':
            seconds = strtod(optarg, &end);
            if (*end != '\0' || !(seconds > 0 && seconds < 1e9))
                errx(2, "no number of seconds: '%s' (see --help)", optarg);
            break;
        default:
            return 2; /* getopt has said why */
        }
    int count = argc - optind;
    if (count == 0)
        errx(2, "no command (see --help)");
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    if (jobs == NULL)
        err(1, NULL);
    for (int k = 0; k < count; k++)
        jobs[k] = (struct job){argv[optind + k], k + 1, seconds, NULL, -1};
    setvbuf(stdout, NULL, _IOLBF, 0); /* lines come out as they come in, also into a pipe */
    int failures = run_all(jobs, count);
    free(jobs);
    if (interrupt != 0)
        raise(interrupt); /* now it ends us, as whoever sent it expects */
    if (fflush(stdout) != 0 || ferror(stdout))
        errx(1, "standard output cannot be written");
    return failures > 0;
}
