/* streams.c - streams of bytes between threads of several hubs, over pipes, unix sockets and TCP,
 * written and read in random pieces by all the calls there are, under random deadlines, while the
 * ends are closed and their users cancelled at random.
 *
 *   streams [--seconds S] [--hubs N] [--threads N] [--seed N]
 *
 * Each stream has its own sequence of bytes, so that a byte that is lost, doubled or another
 * stream's (numbers of descriptors are used again at once) is seen. Who reads to the end has got
 * all that was written. At the end no thread, timer, watch or descriptor is left. Exit status 1 and
 * a line say what went wrong. */
#include "fuzz.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>

enum { PIECE_BITS = 16, PIECE = 1 << (PIECE_BITS - 1) };

static atomic_long bytes, streams, whole;

struct end {
    struct stream *stream;
    green_thread *user;
    uint64_t die;
    uint64_t at; /* how many bytes went through here */
    int fd;
    bool closed;
    bool whole; /* reading: up to the end of the stream */
    uint8_t buf[PIECE];
};

struct stream {
    uint64_t seed;
    bool socket;
    struct end in, out;
};

static uint8_t byte_at(const struct stream *s, uint64_t at)
{
    uint64_t x = (s->seed + (at >> 3)) * 0x9e3779b97f4a7c15U;
    x ^= x >> 29;
    return (uint8_t)(x * 0xbf58476d1ce4e5b9U >> (8 * (at & 7)));
}

static void close_end(struct end *e)
{
    if (e->closed)
        return;
    e->closed = true;
    require(green_close(e->fd) == 0, "an end could not be closed");
}

/* ---- one call each ---- */

static ssize_t read_piece(struct end *e, uint8_t *buf, size_t n)
{
    bool socket = e->stream->socket;
    struct pollfd p = {.fd = e->fd, .events = POLLIN};
    switch (draw(&e->die, 6)) {
    case 0:
        return green_readv(e->fd, (struct iovec[]){{buf, n / 2}, {buf + n / 2, n - n / 2}}, 2);
    case 1:
        return socket ? green_recv(e->fd, buf, n, draw(&e->die, 2) == 0 ? MSG_DONTWAIT : 0)
                      : green_read(e->fd, buf, n);
    case 2:
        if (green_poll(&p, 1, (int)draw(&e->die, 4) - 1) < 0)
            return -1;
        break;
    case 3:
        if (green_select(GREEN_READABLE(e->fd), GREEN_AFTER(draw(&e->die, 300) * GREEN_US)) < 0)
            return -1;
        break;
    default:
        break;
    }
    if (e->closed) { /* while we polled */
        errno = EBADF;
        return -1;
    }
    return green_read(e->fd, buf, n);
}

static ssize_t write_piece(struct end *e, uint8_t *buf, size_t n)
{
    bool socket = e->stream->socket;
    switch (draw(&e->die, 4)) {
    case 0:
        return green_writev(e->fd, (struct iovec[]){{buf, n / 2}, {buf + n / 2, n - n / 2}}, 2);
    case 1:
        if (socket)
            return green_send(e->fd, buf, n, MSG_NOSIGNAL | (draw(&e->die, 2) ? MSG_DONTWAIT : 0));
        break;
    case 2:
        if (green_select(GREEN_WRITABLE(e->fd), GREEN_AFTER(draw(&e->die, 300) * GREEN_US)) < 0)
            return -1;
        if (e->closed) {
            errno = EBADF;
            return -1;
        }
        break;
    default:
        break;
    }
    return green_write(e->fd, buf, n);
}

static ssize_t in_time(struct end *e, ssize_t (*call)(struct end *, uint8_t *, size_t), size_t n)
{
    ssize_t r = -1;
    green_within(draw_bound(&e->die))
        r = call(e, e->buf, n);
    return r;
}

/* ---- the two users ---- */

/* Of a piece: as often small as large. */
static size_t draw_size(struct end *e)
{
    return 1 + draw(&e->die, 1U << draw(&e->die, PIECE_BITS));
}

static bool is_over(ssize_t r)
{
    return r < 0 && errno != ETIMEDOUT && errno != EAGAIN;
}

static int read_stream(void *arg)
{
    struct end *e = arg;
    while (!e->closed && !e->whole) {
        ssize_t n = in_time(e, read_piece, draw_size(e));
        for (ssize_t i = 0; i < n; i++)
            require(e->buf[i] == byte_at(e->stream, e->at++), "a wrong byte");
        e->whole = n == 0;
        if (is_over(n))
            break;
    }
    close_end(e);
    return 0;
}

static int write_stream(void *arg)
{
    struct end *e = arg;
    uint64_t most = draw(&e->die, 1 << 18);
    while (!e->closed && e->at < most && !stop) {
        size_t n = draw_size(e);
        for (size_t i = 0; i < n; i++)
            e->buf[i] = byte_at(e->stream, e->at + i);
        ssize_t r = in_time(e, write_piece, n);
        e->at += r > 0 ? (uint64_t)r : 0;
        if (is_over(r))
            break;
    }
    close_end(e);
    return 0;
}

/* Closes an end on the hub of its user, which thus never begins a call on it afterwards. */
static int close_early(void *arg)
{
    struct end *e = arg;
    green_sleep(draw(&e->die, 3000) * GREEN_US);
    close_end(e);
    return 0;
}

/* ---- streams ---- */

static void connect_tcp(int fds[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    require(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0 &&
                getsockname(listener, (struct sockaddr *)&at, &len) == 0,
            "no listener");
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    require(green_connect(fds[1], (struct sockaddr *)&at, len) == 0, "no connection");
    fds[0] = green_accept(listener, NULL, NULL);
    require(fds[0] >= 0 && green_close(listener) == 0, "no connection");
}

static void open_stream(struct stream *s, uint64_t *die)
{
    int fds[2];
    uint32_t kind = draw(die, 3);
    s->socket = kind != 0;
    if (kind == 0)
        require(pipe(fds) == 0, "no pipe");
    else if (kind == 1)
        require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "no sockets");
    else
        connect_tcp(fds);
    s->seed = *die;
    s->in = (struct end){.stream = s, .fd = fds[0], .die = *die + 1};
    s->out = (struct end){.stream = s, .fd = fds[1], .die = *die + 2};
}

static green_thread *start(green_hub *hub, int (*fn)(void *), void *arg)
{
    green_thread *t = green_spawn_with(&(green_spawn_options){.hub = hub}, fn, arg);
    require(t != NULL, "a thread could not be started");
    return t;
}

/* Kill the user of an end; one that never ran has not closed it. */
static void cut(struct end *e, green_thread *user, uint64_t *die)
{
    green_sleep(draw(die, 3000) * GREEN_US);
    require(green_kill(user, NULL) == 0, "no end");
    close_end(e);
}

/* One stream from its beginning to its end. */
static void run_stream(struct stream *s, uint64_t *die)
{
    green_hub *here = green_hub_next(), *there = green_hub_next();
    green_thread *reader = start(here, read_stream, &s->in), *closer = NULL;
    green_thread *writer = start(there, write_stream, &s->out);
    uint32_t fate = draw(die, 8);
    if (fate == 0)
        closer = start(here, close_early, &s->in);
    else if (fate == 1)
        closer = start(there, close_early, &s->out);
    if (fate == 2)
        cut(&s->in, reader, die);
    else if (fate == 3)
        cut(&s->out, writer, die);
    require(closer == NULL || green_join(closer, NULL) == 0, "no end");
    require(fate == 3 || green_join(writer, NULL) == 0, "no end");
    require(fate == 2 || green_join(reader, NULL) == 0, "no end");
    require(!s->in.whole || s->in.at == s->out.at, "the end came too early");
    atomic_fetch_add(&bytes, (long)s->in.at);
    atomic_fetch_add(&whole, s->in.whole);
    atomic_fetch_add(&streams, 1);
}

static int run_streams(void *arg)
{
    uint64_t die = seed + (uint64_t)(long)arg;
    struct stream *s = malloc(sizeof *s);
    require(s != NULL, "no memory");
    while (!stop) {
        draw(&die, 2);
        open_stream(s, &die);
        run_stream(s, &die);
    }
    free(s);
    return 0;
}

static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int main(int argc, char **argv)
{
    fuzz_begin(argc, argv,
               "usage: streams [--seconds S] [--hubs N] [--threads N] [--seed N]\n"
               "Streams of bytes in random pieces, cut at random (10 s, 2 hubs, 40 streams).\n");
    signal(SIGPIPE, SIG_IGN);
    int fds = count_fds();
    green_group g = GREEN_GROUP_INIT;
    for (long i = 0; i < count; i++)
        require(green_group_spawn(&g, run_streams, (void *)(i * 1000003)) == 0, "no memory");
    green_sleep(seconds * GREEN_SEC);
    stop = true;
    require(green_group_join(&g) == 0, "no end");
    require(count_fds() == fds, "descriptors are left");
    printf("%ld streams, %ld of them whole, %ld bytes, ", (long)streams, (long)whole, (long)bytes);
    fuzz_end();
    return 0;
}
