/* linked_semantics.c - descriptors under the linked door that others than its green threads handle:
 * OS threads, and the children of the process.
 *
 *     linked_semantics          "ok NAME" or "not ok NAME" a check
 */
#include <green.h>
#include <green/monkey.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int pair[2];

static int reader(void *arg)
{
    char c;
    (void)arg;
    return read(pair[0], &c, 1) == 1 ? 0 : -1;
}

static int write_one(void *arg)
{
    (void)arg;
    return write(pair[1], "x", 1) == 1 ? 0 : -1;
}

/* A child with `pair[0]` closed; 0 when it ended well. */
static int spawn_without(void *arg)
{
    char *argv[] = {"true", NULL};
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;
    (void)arg;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, pair[0]);
    if (posix_spawnp(&pid, "true", &actions, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0 ? write_one(NULL) : -1;
}

static int fork_without(void *arg)
{
    int status = -1;
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        _exit(close(pair[0]) == 0 ? 0 : 1);
    waitpid(pid, &status, 0);
    return status == 0 ? write_one(NULL) : -1;
}

static void *close_pair(void *arg)
{
    close(pair[0]), close(pair[1]);
    return arg;
}

/* One green thread waits for what the other brings about. */
static int beside_a_reader(int (*fn)(void *))
{
    green_group g = GREEN_GROUP_INIT;
    green_group_spawn(&g, reader, NULL);
    green_group_spawn(&g, fn, NULL);
    return green_group_join(&g);
}

/* The numbers then mean another pair, and are waited on as such. */
static int closed_by_an_os_thread(void)
{
    pthread_t t;
    if (beside_a_reader(write_one) < 0 || pthread_create(&t, NULL, close_pair, NULL) != 0)
        return -1;
    pthread_join(t, NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return -1;
    return beside_a_reader(write_one);
}

/* What the child of a fork does; 0 when it went well there. */
static int in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20); /* a call that is not green would wait for ever */
        _exit(fn() == 0 ? 0 : 1);
    }
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int all_in_child(void)
{
    if (beside_a_reader(write_one) < 0 || beside_a_reader(spawn_without) < 0)
        return -1;
    return beside_a_reader(fork_without) < 0 ? -1 : closed_by_an_os_thread();
}

static int fork_green(void *arg)
{
    (void)arg;
    return in_child(all_in_child);
}

/* A forked child is green, whichever green thread it comes from. */
static int green_children(void)
{
    int result = -1;
    if (in_child(all_in_child) < 0)
        return -1;
    return green_join(green_spawn(fork_green, NULL), &result) < 0 ? -1 : result;
}

static int check(const char *name, int result)
{
    printf("%s %s\n", result == 0 ? "ok" : "not ok", name);
    return result;
}

int main(void)
{
    if (green_monkey_patch() < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return 1;
    int r = check("posix_spawn", beside_a_reader(spawn_without));
    r |= check("fork", beside_a_reader(fork_without));
    r |= check("children of a fork", green_children());
    r |= check("closed by an OS thread", closed_by_an_os_thread());
    return r != 0;
}
