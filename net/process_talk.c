/* process_talk.c - feeding a child and listening to it at once: see green/process.h. A green thread
 * for each pipe; how far each came is kept in the handle. */
#include "error.h"
#include "io.h"
#include "memory.h"
#include "process.h"
#include "sys.h"
#include <errno.h>
#include <green/group.h>
#include <signal.h>
#include <time.h>

/* One call under way. */
struct talk {
    green_process *process;
    const char *input;
    size_t size;
};

/* write(2), but a pipe without a reader is only -EPIPE. */
static long write_quietly(int fd, const void *buf, size_t n)
{
    static const struct timespec at_once;
    sigset_t broken, old, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &old);
    long r = SYS3(SYS_write, fd, buf, n);
    if (r == -EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&broken, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static int feed(void *arg)
{
    struct talk *talk = arg;
    green_process *p = talk->process;
    long r = 0;
    while (p->fed < talk->size && r != -EPIPE) {
        r = green_io_wait(p->pipe[0], POLLOUT);
        if (r == 0)
            r = write_quietly(p->pipe[0], talk->input + p->fed, talk->size - p->fed);
        if (r > 0)
            p->fed += (size_t)r;
        else if (r != -EAGAIN && r != -EPIPE)
            return (int)returned(r);
    }
    return green_process_close(p, 0);
}

static bool make_room(struct gathered *said)
{
    size_t room = said->room == 0 ? 4096 : said->room * 2;
    if (said->room > said->size)
        return true;
    char *data = memory_resize(said->data, room + 1);
    if (data == NULL)
        return false;
    said->data = data;
    said->room = room;
    return true;
}

static int listen_to(green_process *p, int stream)
{
    struct gathered *said = &p->said[stream - 1];
    long n = 1;
    while (n > 0) {
        if (!make_room(said))
            return (int)returned(-ENOMEM);
        n = green_io_read(p->pipe[stream], said->data + said->size, said->room - said->size,
                          IO_BLOCK);
        if (n > 0)
            said->size += (size_t)n;
    }
    return n < 0 ? (int)returned(n) : green_process_close(p, stream);
}

static int listen_out(void *arg)
{
    return listen_to(((struct talk *)arg)->process, 1);
}

static int listen_err(void *arg)
{
    return listen_to(((struct talk *)arg)->process, 2);
}

/* Hand over what was said; an empty text is allocated, too. */
static int hand_over(struct gathered *said, char **data, size_t *size)
{
    if (said->data == NULL && !make_room(said))
        return -ENOMEM;
    said->data[said->size] = '\0';
    *data = said->data;
    *size = said->size;
    return 0;
}

GREEN_API int green_process_communicate(green_process *p, const void *input, size_t size,
                                        green_process_output *output)
{
    static int (*const talkers[3])(void *) = {feed, listen_out, listen_err};
    struct talk talk = {p, input, size};
    green_group group = GREEN_GROUP_INIT;
    int err = 0;
    for (int i = 0; i < 3 && err == 0; i++)
        if (p->pipe[i] >= 0)
            err = green_group_spawn(&group, talkers[i], &talk);
    if (err < 0)
        green_group_cancel(&group);
    if (green_group_join(&group) < 0 || green_process_wait(p, &output->status) < 0)
        return -1;
    if (hand_over(&p->said[0], &output->out, &output->out_size) < 0 ||
        hand_over(&p->said[1], &output->err, &output->err_size) < 0)
        return (int)returned(-ENOMEM);
    p->said[0] = p->said[1] = (struct gathered){0};
    return 0;
}

GREEN_API void green_process_output_free(green_process_output *output)
{
    memory_put(output->out);
    memory_put(output->err);
    *output = (green_process_output){0};
}
