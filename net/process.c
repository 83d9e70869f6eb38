/* process.c - starting children, waiting for them, signals: see green/process.h.
 *
 * posix_spawn(3) does the delicate part: the child runs in our memory with a stack of its own and
 * all signals blocked until it has become the program, and tells us why it could not. A pidfd
 * stands for it from then on: readable in any hub's loop when it ends. */
#include "process.h"
#include "error.h"
#include "io.h"
#include "memory.h"
#include "self.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <green/fd.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child's standard streams ---- */

/* What the spawn has to be told, and what is to be closed afterwards. */
struct plan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int lent[3]; /* opened by us for the child; -1: none */
    int ours[3]; /* our ends of pipes */
};

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            green_io_close(fds[i]);
        fds[i] = -1;
    }
}

/* Copies for the child stand above its standard streams, so that setting up one stream does not
 * overwrite what another is to be made of. */
static int lift(int fd)
{
    int up = (int)SYS3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (up >= 0)
        green_io_forget(up);
    return up;
}

static int plan_pipe(struct plan *plan, int n)
{
    int ends[2];
    int err = (int)SYS2(SYS_pipe2, ends, O_CLOEXEC);
    if (err < 0)
        return err;
    int theirs = ends[n == 0 ? 0 : 1];
    plan->ours[n] = ends[n == 0 ? 1 : 0];
    plan->lent[n] = theirs;
    green_io_forget(ends[0]);
    green_io_forget(ends[1]);
    if (n == 0) /* nobody else has this end: communicate wants no write that blocks */
        SYS3(SYS_fcntl, plan->ours[n], F_SETFL, O_NONBLOCK);
    if (theirs < 3) {
        plan->lent[n] = lift(theirs);
        green_io_close(theirs);
    }
    return plan->lent[n] < 0 ? plan->lent[n] : 0;
}

static int plan_stream(struct plan *plan, int n, int wish)
{
    int from = wish;
    int err = 0;
    if (wish == GREEN_INHERIT)
        return 0;
    if (wish == GREEN_NULL)
        return -posix_spawn_file_actions_addopen(&plan->actions, n, "/dev/null", O_RDWR, 0);
    if (wish == GREEN_TO_OUT && n == 2) {
        from = 1;
    } else if (wish == GREEN_PIPE) {
        err = plan_pipe(plan, n);
        from = plan->lent[n];
    } else if (wish < 0) {
        err = -EINVAL;
    } else if (wish < 3 && wish != n) {
        err = from = plan->lent[n] = lift(wish);
    }
    return err < 0 ? err : -posix_spawn_file_actions_adddup2(&plan->actions, from, n);
}

static int plan_signals(struct plan *plan, const green_process_options *options)
{
    sigset_t set;
    short flags = POSIX_SPAWN_SETSIGMASK;
    sigemptyset(&set); /* a hub's OS thread may have blocked all */
    posix_spawnattr_setsigmask(&plan->attributes, &set);
    if (options->reset_signals) {
        sigfillset(&set);
        posix_spawnattr_setsigdefault(&plan->attributes, &set);
        flags |= POSIX_SPAWN_SETSIGDEF;
    }
    if (options->group)
        flags |= POSIX_SPAWN_SETPGROUP; /* the attribute's group is 0: the child's own number */
    return -posix_spawnattr_setflags(&plan->attributes, flags);
}

static int plan_fill(struct plan *plan, const green_process_options *options)
{
    int wishes[3] = {options->in, options->out, options->err};
    int err = plan_signals(plan, options);
    for (int n = 0; n < 3 && err == 0; n++)
        err = plan_stream(plan, n, wishes[n]);
    if (err == 0 && !options->keep_fds)
        err = -posix_spawn_file_actions_addclosefrom_np(&plan->actions, 3);
    if (err == 0 && options->cwd != NULL)
        err = -posix_spawn_file_actions_addchdir_np(&plan->actions, options->cwd);
    return err;
}

/* ---- starting ---- */

/* A descriptor that will surely be free for the pidfd, and a kernel that knows pidfds. */
static int reserve(void)
{
    return (int)SYS2(SYS_pidfd_open, SYS0(SYS_getpid), 0);
}

static int hold(struct green_process *p, int reserved)
{
    SYS1(SYS_close, reserved);
    p->pidfd = (int)SYS2(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd >= 0) {
        green_io_forget(p->pidfd);
        return 0;
    }
    if (p->pidfd == -ESRCH) { /* SIGCHLD is ignored, and it has ended already */
        p->over = true;
        p->error = ECHILD;
        return 0;
    }
    SYS2(SYS_kill, p->pid, SIGKILL);
    SYS4(SYS_wait4, p->pid, NULL, 0, NULL);
    return p->pidfd;
}

static int start(struct green_process *p, struct plan *plan, const green_process_options *options,
                 char *const argv[])
{
    const char *path = options->path != NULL ? options->path : argv[0];
    char *const *env = options->env != NULL ? options->env : environ;
    int err = plan_fill(plan, options);
    int reserved = err == 0 ? reserve() : err;
    if (reserved < 0)
        return reserved;
    err = -posix_spawnp(&p->pid, path, &plan->actions, &plan->attributes, argv, env);
    if (err < 0) {
        SYS1(SYS_close, reserved);
        return err;
    }
    return hold(p, reserved);
}

/* One sentence: was it the program, or the directory? */
static void explain(int err, const green_process_options *options, char *const argv[])
{
    const char *path = options->path != NULL ? options->path : argv[0];
    if (options->cwd != NULL && access(options->cwd, X_OK) < 0)
        fail(err, "cannot run %s in %s: %s", path, options->cwd, strerror(err));
    else
        fail(err, "cannot run %s: %s", path, strerror(err));
}

static struct green_process *process_make(void)
{
    struct green_process *p = memory_get(sizeof *p);
    if (p == NULL)
        return NULL;
    p->pidfd = p->pipe[0] = p->pipe[1] = p->pipe[2] = -1;
    return p;
}

void process_free(struct green_process *p)
{
    close_all(p->pipe);
    if (p->pidfd >= 0)
        green_io_close(p->pidfd);
    for (int i = 0; i < 2; i++)
        memory_put(p->said[i].data);
    memory_put(p);
}

GREEN_API green_process *green_process_spawn(const green_process_options *options,
                                             char *const argv[])
{
    static const green_process_options standard;
    struct plan plan = {.lent = {-1, -1, -1}, .ours = {-1, -1, -1}};
    if (options == NULL)
        options = &standard;
    if (argv == NULL || argv[0] == NULL) {
        fail(EINVAL, "green_process_spawn: no program");
        return NULL;
    }
    struct green_process *p = process_make();
    if (p == NULL) {
        failed(-ENOMEM);
        return NULL;
    }
    posix_spawn_file_actions_init(&plan.actions);
    posix_spawnattr_init(&plan.attributes);
    int err = start(p, &plan, options, argv);
    posix_spawnattr_destroy(&plan.attributes);
    posix_spawn_file_actions_destroy(&plan.actions);
    close_all(plan.lent);
    if (err < 0) {
        close_all(plan.ours);
        process_free(p);
        explain(-err, options, argv);
        return NULL;
    }
    memcpy(p->pipe, plan.ours, sizeof p->pipe);
    p->group = options->group;
    return p;
}

/* ---- the end ---- */

static pthread_mutex_t reaping = PTHREAD_MUTEX_INITIALIZER; /* never held while parked */

/* No fork happens while another OS thread reaps: the child could not any more. */
static void fork_begin(void)
{
    pthread_mutex_lock(&reaping);
}

static void fork_end(void)
{
    pthread_mutex_unlock(&reaping);
}

static __attribute__((constructor)) void watch_forks(void)
{
    pthread_atfork(fork_begin, fork_end, fork_end);
}

/* 0: it is over, *status is set. -EAGAIN: not yet. */
static int reap(struct green_process *p, int *status)
{
    siginfo_t end = {0};
    int err = 0;
    pthread_mutex_lock(&reaping);
    if (!p->over) {
        err = (int)SYS5(SYS_waitid, P_PIDFD, p->pidfd, &end, WEXITED | WNOHANG, NULL);
        p->over = err < 0 || end.si_pid != 0;
        p->error = -err;
        p->status = end.si_code == CLD_EXITED ? (end.si_status & 0xff) << 8 : end.si_status;
        if (end.si_code == CLD_DUMPED)
            p->status |= WCOREFLAG;
    }
    if (!p->over)
        err = -EAGAIN;
    else if (p->error != 0)
        err = -p->error;
    else if (status != NULL)
        *status = p->status;
    pthread_mutex_unlock(&reaping);
    return err;
}

static int await(struct green_process *p, int *status)
{
    int err;
    while ((err = reap(p, status)) == -EAGAIN) {
        err = (int)green_io_wait(p->pidfd, POLLIN);
        if (err < 0)
            break;
    }
    return err;
}

GREEN_API int green_process_wait(green_process *p, int *status)
{
    return (int)returned(await(p, status));
}

GREEN_API int green_process_poll(green_process *p, int *status)
{
    int err = reap(p, status);
    if (err == -EAGAIN)
        return 0;
    return err < 0 ? (int)returned(err) : 1;
}

/* Without a pidfd it had ended before it could be had. */
GREEN_API green_case green_case_exited(green_process *p)
{
    if (p == NULL)
        return GREEN_NEVER;
    return p->pidfd >= 0 ? green_case_readable(p->pidfd) : GREEN_DEFAULT;
}

/* ---- signals ---- */

enum { TO_GROUP = 4 }; /* PIDFD_SIGNAL_PROCESS_GROUP: Linux 6.9 */

static int notify(struct green_process *p, int sig, unsigned flags)
{
    if (p->pidfd < 0)
        return -ESRCH;
    return (int)SYS4(SYS_pidfd_send_signal, p->pidfd, sig, NULL, flags);
}

GREEN_API int green_process_signal(green_process *p, int sig)
{
    return (int)returned(notify(p, sig, 0));
}

/* Without that flag: as long as nobody has taken its status, the number is the child's. */
GREEN_API int green_process_signal_group(green_process *p, int sig)
{
    if (!p->group)
        return fail(EINVAL, "process %d leads no group", (int)p->pid);
    int err = notify(p, sig, TO_GROUP);
    if (err == -EINVAL) {
        pthread_mutex_lock(&reaping);
        err = p->over ? -ESRCH : (int)SYS2(SYS_kill, -p->pid, sig);
        pthread_mutex_unlock(&reaping);
    }
    return (int)returned(err);
}

/* ---- the handle ---- */

static bool has_pipe(const struct green_process *p, int stream)
{
    return stream >= 0 && stream <= 2 && p->pipe[stream] >= 0;
}

GREEN_API int green_process_fd(const green_process *p, int stream)
{
    return has_pipe(p, stream) ? p->pipe[stream] : -1;
}

GREEN_API int green_process_close(green_process *p, int stream)
{
    if (!has_pipe(p, stream))
        return (int)returned(-EBADF);
    int fd = p->pipe[stream];
    p->pipe[stream] = -1;
    return (int)returned(green_io_close(fd));
}

GREEN_API pid_t green_process_pid(const green_process *p)
{
    return p->pid;
}

GREEN_API int green_process_pidfd(const green_process *p)
{
    return p->pidfd;
}

GREEN_API void green_process_destroy(green_process *p)
{
    if (p == NULL)
        return;
    int kept = errno;
    if (reap(p, NULL) == -EAGAIN)
        notify(p, SIGKILL, 0);
    green_shield()
        await(p, NULL);
    process_free(p);
    errno = kept;
}

/* Cancelled only by the end of its hub; then the child is somebody else's. */
static int outlive(void *arg)
{
    struct green_process *p = arg;
    await(p, NULL);
    process_free(p);
    return 0;
}

GREEN_API int green_process_detach(green_process *p)
{
    static const green_spawn_options quietly = {
        .name = "reaper", .detached = true, .background = true};
    if (reap(p, NULL) != -EAGAIN) {
        process_free(p);
        return 0;
    }
    if (green_spawn_with(&quietly, outlive, p) == NULL)
        return -1;
    close_all(p->pipe);
    return 0;
}
