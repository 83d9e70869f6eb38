/* pthread_processes.c - fork, commands, and a semaphore in memory shared with a child. */
#include "pthread_semantics.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *fork_inside(void *arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t[10];
        for (long i = 0; i < 10; i++)
            t[i] = spawn(same, (void *)i);
        for (long i = 0; i < 10; i++)
            if (join(t[i]) != (void *)i)
                _exit(1);
        _exit(failure == NULL && getpid() == syscall(SYS_gettid) ? 42 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    return arg;
}

static void check_fork(void)
{
    sem_t gate;
    sem_init(&gate, 0, 0);
    pthread_t other = spawn(wait_for_gate, &gate), t = spawn(fork_inside, NULL);
    join(t);
    fork_inside(NULL);
    sem_post(&gate);
    join(other);
}

static void *run_commands(void *arg)
{
    char line[32] = "";
    FILE *p = popen("echo green; exit 3", "r");
    CHECK(p != NULL && fgets(line, sizeof line, p) != NULL && strcmp(line, "green\n") == 0);
    CHECK(p != NULL && WEXITSTATUS(pclose(p)) == 3);
    CHECK(WEXITSTATUS(system("exit 5")) == 5);
    return arg;
}

static void check_commands(void)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        t[i] = spawn(run_commands, NULL);
    for (int i = 0; i < 4; i++)
        join(t[i]);
}

/* A semaphore in memory shared with a child. */
static void check_shared_semaphore(void)
{
    sem_t *gate = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(&gate[0], 1, 0);
    sem_init(&gate[1], 1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        sem_wait(&gate[0]);
        sem_post(&gate[1]);
        _exit(0);
    }
    pthread_t t = spawn(wait_for_gate, &gate[1]);
    usleep(2000);
    sem_post(&gate[0]);
    join(t);
    waitpid(pid, NULL, 0);
    munmap(gate, 4096);
}

const struct check processes[] = {
    {"fork", check_fork},
    {"commands", check_commands},
    {"shared_semaphore", check_shared_semaphore},
    {NULL, NULL},
};
