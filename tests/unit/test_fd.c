/* test_fd.c - the twins of the POSIX calls (green/fd.h) on TCP, UDP, unix sockets and pipes. */
#include "unit.h"

#include "fd.h"
#include "self.h"
#include <fcntl.h>
#include <green/fd.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- pairs of connected descriptors ---- */

static int tcp_listen(struct sockaddr_in *addr)
{
    socklen_t len = sizeof *addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET};
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof *addr), 0);
    assert_int_equal(listen(fd, 128), 0);
    getsockname(fd, (struct sockaddr *)addr, &len);
    return fd;
}

static void tcp_pair(int fd[2])
{
    struct sockaddr_in addr;
    int l = tcp_listen(&addr);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(green_connect(fd[0], (struct sockaddr *)&addr, sizeof addr), 0);
    fd[1] = green_accept4(l, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd[1] >= 0);
    green_close(l);
}

static void unix_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static void pipe_pair(int fd[2]) /* fd[0] is written, fd[1] read, as in the others */
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd[0] = ends[1];
    fd[1] = ends[0];
}

typedef void pair_fn(int fd[2]);
static pair_fn *const pairs[] = {tcp_pair, unix_pair, pipe_pair};

static void close_pair(int fd[2])
{
    assert_int_equal(green_close(fd[0]), 0);
    assert_int_equal(green_close(fd[1]), 0);
}

/* ---- moving data ---- */

struct flow {
    int fd;
    size_t bytes;
    size_t chunk;
    bool slow;   /* yield after each piece */
    bool broken; /* not the pattern that was sent */
};

static int drain(void *arg)
{
    struct flow *f = arg;
    char *buf = malloc(f->chunk); /* its own: a call may yield after it has filled it */
    unsigned char next = 0;
    ssize_t n;
    while ((n = green_read(f->fd, buf, f->chunk)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if ((unsigned char)buf[i] != next++)
                f->broken = true;
        f->bytes += (size_t)n;
        if (f->slow)
            green_yield();
    }
    int err = errno;
    free(buf);
    if (f->broken)
        return -1;
    return n < 0 ? -err : 0;
}

static char *pattern(size_t size)
{
    char *p = malloc(size + 1);
    assert_non_null(p);
    for (size_t i = 0; i < size; i++)
        p[i] = (char)(unsigned char)i;
    return p;
}

/* Scenarios 121, 122: nothing, a byte, and far more than fits, to a slow reader. */
static void test_sizes(void **state)
{
    size_t sizes[] = {0, 1, 4096, (size_t)fewer(50 << 20)};
    (void)state;
    for (size_t k = 0; k < COUNT(pairs); k++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            int fd[2], result = -1;
            green_hub_stats before = stats_now();
            pairs[k](fd);
            char *data = pattern(sizes[i]);
            struct flow f = {.fd = fd[1], .chunk = 65536, .slow = true};
            green_thread *t = green_spawn(drain, &f);
            assert_int_equal(green_write(fd[0], data, sizes[i]), sizes[i]);
            assert_int_equal(green_close(fd[0]), 0);
            assert_int_equal(green_join(t, &result), 0);
            assert_int_equal(result, 0);
            assert_int_equal(f.bytes, sizes[i]);
            green_close(fd[1]);
            free(data);
            assert_nothing_left(before);
        }
}

struct duplex {
    int fd;
    const char *data;
    size_t size;
};

static int pour(void *arg)
{
    struct duplex *d = arg;
    ssize_t n = green_send(d->fd, d->data, d->size, MSG_NOSIGNAL);
    return n == (ssize_t)d->size && green_shutdown(d->fd, SHUT_WR) == 0 ? 0 : -1;
}

/* Scenario 121: both directions of both sockets at once. */
static void test_full_duplex(void **state)
{
    enum { SIZE = 4 << 20 };
    int fd[2];
    (void)state;
    tcp_pair(fd);
    char *data = pattern(SIZE);
    struct duplex out[2] = {{fd[0], data, SIZE}, {fd[1], data, SIZE}};
    struct flow in[2] = {{.fd = fd[0], .chunk = 10000}, {.fd = fd[1], .chunk = 777}};
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < 2; i++) {
        green_group_spawn(&g, pour, &out[i]);
        green_group_spawn(&g, drain, &in[i]);
    }
    assert_int_equal(green_group_join(&g), 0);
    assert_int_equal(in[0].bytes, SIZE);
    assert_int_equal(in[1].bytes, SIZE);
    close_pair(fd);
    free(data);
}

/* writev and sendmsg go on behind a part, too */
static void test_vectors(void **state)
{
    enum { PIECES = 7 };
    (void)state;
    for (size_t k = 0; k < COUNT(pairs); k++) {
        int fd[2], result = -1;
        struct iovec iov[PIECES];
        size_t total = 0;
        char *data = pattern(8 << 20);
        pairs[k](fd);
        for (int i = 0; i < PIECES; i++) {
            iov[i] = (struct iovec){data + total, (size_t)(i * 300000 + i)};
            total += iov[i].iov_len;
        }
        struct flow f = {.fd = fd[1], .chunk = 65536};
        green_thread *t = green_spawn(drain, &f);
        assert_int_equal(green_writev(fd[0], iov, PIECES), total);
        green_close(fd[0]);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(f.bytes, total);
        green_close(fd[1]);
        free(data);
    }
}

static int send_slowly(void *arg)
{
    const char *text = "whole";
    for (int i = 0; i < 5; i++) {
        green_send(*(int *)arg, text + i, 1, 0);
        green_sleep(100 * GREEN_US);
    }
    return 0;
}

static void test_waitall_and_peek(void **state)
{
    char buf[8] = "";
    int fd[2];
    (void)state;
    tcp_pair(fd);
    green_thread *t = green_spawn(send_slowly, &fd[0]);
    assert_int_equal(green_recv(fd[1], buf, 2, MSG_PEEK | MSG_WAITALL) >= 1, 1);
    assert_int_equal(green_recv(fd[1], buf, 5, MSG_WAITALL), 5);
    assert_string_equal(buf, "whole");
    green_join(t, NULL);
    close_pair(fd);
}

static int send_and_close(void *arg)
{
    int fd = *(int *)arg;
    bool ok = green_send(fd, "part", 4, 0) == 4;
    return green_close(fd) == 0 && ok ? 0 : -1;
}

/* Scenario 121: the end may already be there, its edge spent. */
static void test_waitall_meets_the_end(void **state)
{
    char buf[8];
    struct iovec part = {buf, sizeof buf};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    (void)state;
    for (int way = 0; way < 2; way++) {
        int fd[2];
        tcp_pair(fd);
        green_within(GREEN_MS)
            assert_fails(green_recv(fd[1], buf, 1, 0), ETIMEDOUT);
        assert_int_equal(send_and_close(&fd[0]), 0);
        green_sleep(5 * GREEN_MS);
        green_within(10 * GREEN_SEC) {
            if (way == 0)
                assert_int_equal(green_recv(fd[1], buf, sizeof buf, MSG_WAITALL), 4);
            else
                assert_int_equal(green_recvmsg(fd[1], &msg, MSG_WAITALL), 4);
        }
        assert_false(green_expired());
        assert_int_equal(green_close(fd[1]), 0);
    }
}

/* Scenarios 124, 132: what never waits in the kernel does not wait here. */
static void test_never_waits(void **state)
{
    char buf[8];
    int fd[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    green_within(10 * GREEN_SEC) {
        assert_int_equal(green_read(fd[1], buf, 0), 0);
        assert_int_equal(green_send(fd[0], "one", 3, 0), 3);
        assert_int_equal(green_recv(fd[1], buf, sizeof buf, MSG_WAITALL), 3); /* no stream */
        assert_fails(green_recv(fd[1], buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
    }
    close_pair(fd);
    fd[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    green_within(10 * GREEN_SEC)
        assert_fails(green_recv(fd[0], buf, sizeof buf, MSG_ERRQUEUE), EAGAIN);
    assert_int_equal(green_close(fd[0]), 0);
}

/* ---- deadlines and cancellation ---- */

/* Scenarios 1, 6, 8, 123: reads and writes; a part is told; what is there is had. */
static void test_deadlines(void **state)
{
    enum { BIG = 64 << 20 };
    (void)state;
    char *data = malloc(BIG), c;
    memset(data, 0, BIG);
    for (size_t k = 0; k < COUNT(pairs); k++) {
        int fd[2];
        green_hub_stats before = stats_now();
        pairs[k](fd);
        green_within(2 * GREEN_MS)
            assert_fails(green_read(fd[1], &c, 1), ETIMEDOUT);
        assert_true(green_expired());
        green_within(2 * GREEN_MS) {
            ssize_t n = green_write(fd[0], data, BIG);
            assert_true(n > 0 && n < BIG); /* the part that was moved */
            assert_fails(green_write(fd[0], data, BIG), ETIMEDOUT);
        }
        green_within(0) { /* data is there: it is given */
            assert_int_equal(green_read(fd[1], &c, 1), 1);
        }
        close_pair(fd);
        assert_nothing_left(before);
    }
    free(data);
}

static int read_errno(void *arg)
{
    char c;
    return green_read(*(int *)arg, &c, 1) < 0 ? errno : 0;
}

/* Scenario 5: of two readers. */
static void test_cancelled_reader_takes_nothing(void **state)
{
    int fd[2], result = 0;
    char c = 0;
    (void)state;
    tcp_pair(fd);
    green_thread *a = green_spawn(read_errno, &fd[1]), *b = green_spawn(read_errno, &fd[1]);
    green_yield();
    assert_int_equal(green_kill(a, &result), 0);
    assert_int_equal(result, ECANCELED);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    assert_int_equal(green_join(b, &result), 0);
    assert_int_equal(result, 0);
    green_within(GREEN_MS)
        assert_fails(green_read(fd[1], &c, 1), ETIMEDOUT);
    close_pair(fd);
}

/* ---- several on one descriptor ---- */

struct turn {
    int fd;
    char got;
};

static int read_one(void *arg)
{
    struct turn *t = arg;
    return green_read(t->fd, &t->got, 1) == 1 ? 0 : -1;
}

/* Scenario 128: first come, first served. */
static void test_readers_in_order(void **state)
{
    enum { N = 5 };
    struct turn turns[N];
    (void)state;
    for (size_t k = 0; k < COUNT(pairs); k++) {
        int fd[2];
        green_group g = GREEN_GROUP_INIT;
        pairs[k](fd);
        for (int i = 0; i < N; i++) {
            turns[i] = (struct turn){fd[1], 0};
            green_group_spawn(&g, read_one, &turns[i]);
        }
        green_yield();
        assert_int_equal(green_write(fd[0], "ab", 2), 2);
        green_sleep(GREEN_MS);
        assert_int_equal(green_write(fd[0], "cde", 3), 3);
        assert_int_equal(green_group_join(&g), 0);
        for (int i = 0; i < N; i++)
            assert_int_equal(turns[i].got, 'a' + i);
        close_pair(fd);
    }
}

struct block {
    int fd;
    char fill;
};

enum { BLOCK = 1 << 20 };

static int write_block(void *arg)
{
    struct block *b = arg;
    char *data = malloc(BLOCK);
    memset(data, b->fill, BLOCK);
    ssize_t n = green_write(b->fd, data, BLOCK);
    free(data);
    return n == BLOCK ? 0 : -1;
}

/* Scenario 128: nor writers: each write whole. */
static void test_writes_are_not_mixed(void **state)
{
    enum { N = 3 };
    struct block blocks[N];
    int fd[2];
    char *in = malloc(BLOCK);
    (void)state;
    unix_pair(fd);
    green_group g = GREEN_GROUP_INIT;
    for (int i = 0; i < N; i++) {
        blocks[i] = (struct block){fd[0], (char)('a' + i)};
        green_group_spawn(&g, write_block, &blocks[i]);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(green_recv(fd[1], in, BLOCK, MSG_WAITALL), BLOCK);
        for (int j = 0; j < BLOCK; j++)
            if (in[j] != 'a' + i)
                fail();
    }
    assert_int_equal(green_group_join(&g), 0);
    free(in);
    close_pair(fd);
}

/* ---- closing ---- */

static int accept_errno(void *arg)
{
    return green_accept(*(int *)arg, NULL, NULL) < 0 ? errno : 0;
}

static int poll_nval(void *arg)
{
    struct pollfd p = {*(int *)arg, POLLIN, 0};
    return green_poll(&p, 1, -1) == 1 ? p.revents : -1;
}

static int write_lots_errno(void *arg)
{
    char *data = calloc(1, 64 << 20);
    ssize_t n;
    do
        n = green_send(*(int *)arg, data, 64 << 20, MSG_NOSIGNAL);
    while (n > 0);
    free(data);
    return errno;
}

/* Scenario 126: readers in line, a writer, one who polls, one who accepts. */
static void test_close_wakes_waiters(void **state)
{
    struct sockaddr_in addr;
    int fd[2], result = 0;
    (void)state;
    green_hub_stats before = stats_now();
    tcp_pair(fd);
    green_thread *r1 = green_spawn(read_errno, &fd[0]), *r2 = green_spawn(read_errno, &fd[0]);
    green_thread *w = green_spawn(write_lots_errno, &fd[0]);
    green_thread *p = green_spawn(poll_nval, &fd[0]);
    green_sleep(GREEN_MS);
    assert_int_equal(green_close(fd[0]), 0);
    assert_int_equal(green_join(r1, &result), 0);
    assert_int_equal(result, EBADF);
    assert_int_equal(green_join(r2, &result), 0);
    assert_int_equal(result, EBADF);
    assert_int_equal(green_join(w, &result), 0);
    assert_int_equal(result, EBADF);
    assert_int_equal(green_join(p, &result), 0);
    assert_int_equal(result, POLLNVAL);
    green_close(fd[1]);
    int l = tcp_listen(&addr);
    green_thread *a = green_spawn(accept_errno, &l);
    green_sleep(GREEN_MS);
    assert_int_equal(green_close(l), 0);
    assert_int_equal(green_join(a, &result), 0);
    assert_int_equal(result, EBADF);
    assert_nothing_left(before);
}

/* Scenario 127: by another descriptor, at once. */
static void test_reused_number(void **state)
{
    int old[2], new[2], result = 0;
    char c = 0;
    (void)state;
    unix_pair(old);
    green_thread *t = green_spawn(read_errno, &old[1]);
    green_sleep(GREEN_MS);
    int number = old[1];
    assert_int_equal(green_close(old[1]), 0);
    unix_pair(new); /* takes the number before the waiter has run */
    assert_int_equal(new[0], number);
    assert_int_equal(green_send(new[1], "x", 1, 0), 1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EBADF);
    assert_int_equal(green_read(new[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    /* woken by data, and closed before it could run */
    t = green_spawn(read_errno, &new[0]);
    green_sleep(GREEN_MS);
    close_pair(new);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EBADF);
    green_close(old[0]);
}

static int read_and_replace(void *arg)
{
    int *fd = arg, new[2];
    char c;
    if (green_read(fd[1], &c, 1) != 1) /* passes the turn on */
        return -1;
    int number = fd[1];
    green_close(fd[1]);
    green_close(fd[0]);
    unix_pair(new);
    fd[0] = new[0] == number ? new[1] : new[0];
    fd[1] = number;
    return green_send(fd[0], "x", 1, 0) == 1 && (new[0] == number || new[1] == number) ? 0 : -1;
}

/* Scenario 127: closed after the next in line was given the turn, and before it had it. */
static void test_reused_number_in_line(void **state)
{
    int fd[2], result = 0;
    (void)state;
    unix_pair(fd);
    int number = fd[1];
    green_thread *first = green_spawn(read_and_replace, fd);
    green_thread *second = green_spawn(read_errno, &number);
    green_sleep(GREEN_MS);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    assert_int_equal(green_join(first, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_join(second, &result), 0);
    assert_int_equal(result, EBADF);
    close_pair(fd);
}

static int read_all(void *arg)
{
    char c;
    ssize_t n;
    while ((n = green_read(*(int *)arg, &c, 1)) > 0)
        continue;
    return n == 0 ? 0 : -errno;
}

/* Scenario 130: each way. */
static void test_shutdown(void **state)
{
    int fd[2], result = -1;
    (void)state;
    tcp_pair(fd);
    green_thread *t = green_spawn(read_all, &fd[0]);
    green_sleep(GREEN_MS);
    assert_int_equal(green_shutdown(fd[0], SHUT_RD), 0); /* own end */
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    t = green_spawn(read_all, &fd[1]);
    green_sleep(GREEN_MS);
    assert_int_equal(green_shutdown(fd[0], SHUT_WR), 0); /* the peer's */
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    close_pair(fd);
}

struct far {
    int fd;
    int result;
};

static void *read_on_another_hub(void *arg)
{
    struct far *f = arg;
    char c;
    f->result = green_read(f->fd, &c, 1) < 0 ? errno : 0;
    return NULL;
}

/* Scenario 126: between hubs. */
static void test_close_wakes_other_hubs(void **state)
{
    int fd[2];
    pthread_t thread;
    (void)state;
    unix_pair(fd);
    struct far f = {fd[1], 0};
    assert_int_equal(pthread_create(&thread, NULL, read_on_another_hub, &f), 0);
    green_sleep(20 * GREEN_MS); /* it probably waits now; the result is the same if not */
    assert_int_equal(green_close(fd[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f.result, EBADF);
    green_close(fd[0]);
}

struct meeting {
    int fd;
    atomic_int round; /* of the closer; < 0: over */
    atomic_int met;   /* of the reader */
    int hung;
};

static void dawdle(void)
{
    for (volatile int n = rand() % 400; n > 0; n--)
        continue;
}

static void *read_while_it_is_closed(void *arg)
{
    struct meeting *m = arg;
    for (int round = 0;; m->met = round) {
        char c;
        while (m->round == round)
            sched_yield();
        if ((round = m->round) < 0)
            return NULL;
        dawdle();
        green_within(10 * GREEN_SEC)
            green_read(m->fd, &c, 1);
        m->hung += green_expired();
    }
}

/* Scenario 126: whoever begins to wait just then on another hub is not forgotten. */
static void test_close_meets_wait(void **state)
{
    struct meeting m = {0};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_while_it_is_closed, &m), 0);
    for (int round = 1; round <= 2000; round++) {
        int fd[2];
        unix_pair(fd);
        m.fd = fd[1];
        m.round = round;
        dawdle();
        green_close(fd[1]);
        while (m.met != round)
            sched_yield();
        green_close(fd[0]);
    }
    m.round = -1;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(m.hung, 0);
}

static void *close_without_a_hub(void *arg)
{
    return green_close(*(int *)arg) == 0 ? NULL : "failed";
}

/* Scenario 126: closed by an OS thread that has no hub. */
static void test_close_from_outside(void **state)
{
    int fd[2], result = 0;
    pthread_t thread;
    void *why = NULL;
    (void)state;
    unix_pair(fd);
    green_thread *t = green_spawn(read_errno, &fd[1]);
    green_sleep(GREEN_MS);
    assert_int_equal(pthread_create(&thread, NULL, close_without_a_hub, &fd[1]), 0);
    assert_int_equal(pthread_join(thread, &why), 0);
    assert_null(why);
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EBADF);
    green_close(fd[0]);
}

struct handed {
    int fd;
    atomic_int turn;
    const char *why;
};

static void *read_two_files(void *arg)
{
    struct handed *h = arg;
    char buf[8];
    h->why = green_read(h->fd, buf, 1) == 1 ? NULL : "file";
    h->turn = 1;
    while (h->turn != 2)
        green_sleep(GREEN_US);
    green_within(GREEN_MS) /* a socket now: waits, and lets the hub run */
        if (green_read(h->fd, buf, 1) >= 0 || errno != ETIMEDOUT)
            h->why = "socket";
    return NULL;
}

/* Scenario 127: a hub forgets what a number was that another has closed, even if nobody waits
 * there. */
static void test_number_of_another_kind(void **state)
{
    pthread_t thread;
    int fd[2];
    (void)state;
    struct handed h = {.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    assert_int_equal(pthread_create(&thread, NULL, read_two_files, &h), 0);
    while (h.turn != 1)
        green_sleep(GREEN_US);
    green_close(h.fd);
    unix_pair(fd);
    assert_int_equal(fd[0], h.fd);
    h.turn = 2;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_null(h.why);
    close_pair(fd);
}

/* ---- an RST that comes with the data must not hang the reader ---- */

static void test_reset(void **state)
{
    struct linger hard = {1, 0};
    char buf[64];
    (void)state;
    for (int round = 0; round < 50; round++) {
        int fd[2];
        tcp_pair(fd);
        green_within(GREEN_MS / 10) /* registers the descriptor */
            green_recv(fd[1], buf, sizeof buf, 0);
        setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        assert_int_equal(green_send(fd[0], "data", 4, 0), 4);
        green_close(fd[0]);
        green_within(20 * GREEN_SEC) {
            ssize_t n;
            while ((n = green_recv(fd[1], buf, sizeof buf, 0)) > 0)
                continue;
            assert_true(n == 0 || errno == ECONNRESET);
        }
        green_close(fd[1]);
    }
}

/* ---- connect ---- */

/* Scenario 125: refused; nobody there. */
static void test_connect(void **state)
{
    struct sockaddr_in addr;
    (void)state;
    green_hub_stats before = stats_now();
    int l = tcp_listen(&addr);
    green_close(l);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_fails(green_connect(fd, (struct sockaddr *)&addr, sizeof addr), ECONNREFUSED);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    green_close(fd);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_fails(green_connect(fd, (struct sockaddr *)&un, sizeof un), ENOENT);
    green_close(fd);
    assert_nothing_left(before);
}

static int accept_late(void *arg)
{
    green_sleep(5 * GREEN_MS);
    int fd = green_accept(*(int *)arg, NULL, NULL);
    return fd >= 0 ? green_close(fd) : -1;
}

/* Scenario 125: TCP drops and retries; a unix listener says EAGAIN and gives no edge. */
static void test_full_backlog(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t);
    int first, second;
    (void)state;
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&un, len), 0); /* a name of the kernel's */
    len = sizeof un;
    getsockname(l, (struct sockaddr *)&un, &len);
    assert_int_equal(listen(l, 0), 0);
    first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(green_connect(first, (struct sockaddr *)&un, len), 0);
    green_within(3 * GREEN_MS)
        assert_fails(green_connect(second, (struct sockaddr *)&un, len), ETIMEDOUT);
    green_thread *t = green_spawn(accept_late, &l);
    assert_int_equal(green_connect(second, (struct sockaddr *)&un, len), 0);
    assert_int_equal(green_join(t, NULL), 0);
    green_close(first);
    green_close(second);
    green_close(l);
}

static int receive_late(void *arg)
{
    char c;
    green_sleep(20 * GREEN_MS);
    return green_recv(*(int *)arg, &c, 1, 0) == 1 ? 0 : -1;
}

/* Scenario 132: a full queue of datagrams gives the sender no edge that means anything, nor may
 * it spin. */
static void test_full_datagram_queue(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t);
    int result = -1;
    (void)state;
    int to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(to, (struct sockaddr *)&un, len), 0);
    len = sizeof un;
    getsockname(to, (struct sockaddr *)&un, &len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    while (green_sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&un, len) == 1)
        continue;
    green_within(3 * GREEN_MS)
        assert_fails(green_sendto(fd, "x", 1, 0, (struct sockaddr *)&un, len), ETIMEDOUT);
    green_hub_stats before = stats_now();
    green_thread *t = green_spawn(receive_late, &to);
    struct iovec iov = {"x", 1};
    struct msghdr msg = {.msg_name = &un, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1};
    assert_int_equal(green_sendmsg(fd, &msg, 0), 1);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_in_range(stats_now().polls - before.polls, 1, 1000);
    green_close(fd);
    green_close(to);
}

/* Where RWF_NOWAIT does not know pipes (Linux before 6.4) a large write must not block the hub. */
static void test_polled_pipe(void **state)
{
    enum { SIZE = 1 << 20 };
    int fd[2], result = -1;
    (void)state;
    pipe_pair(fd);
    char *data = pattern(SIZE);
    for (int i = 0; i < 2; i++)
        fd_slot(self_hub(), fd[i])->kind = FD_POLLED;
    struct iovec parts[] = {{data, 0}, {data, 1}, {data + 1, SIZE - 1}};
    struct flow f = {.fd = fd[1], .chunk = 65536};
    green_thread *t = green_spawn(drain, &f);
    assert_int_equal(green_writev(fd[0], parts, 3), SIZE);
    assert_int_equal(green_close(fd[0]), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(f.bytes, SIZE);
    green_close(fd[1]);
    free(data);
}

/* ---- UDP ---- */

static int send_datagram(void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t n = green_sendto(fd, "datagram", 8, 0, arg, sizeof(struct sockaddr_in));
    green_close(fd);
    return n == 8 ? 0 : -1;
}

/* Scenario 132: not connected, and cut. */
static void test_udp(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET}, from;
    socklen_t len = sizeof addr;
    char buf[4];
    (void)state;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    green_thread *t = green_spawn(send_datagram, &addr);
    struct iovec iov = {buf, sizeof buf};
    struct msghdr msg = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1};
    assert_int_equal(green_recvmsg(fd, &msg, 0), 4);
    assert_true((msg.msg_flags & MSG_TRUNC) != 0);
    assert_int_equal(from.sin_family, AF_INET);
    assert_int_equal(green_join(t, NULL), 0);
    green_close(fd);
}

/* Scenario 133: they arrive. */
static void test_descriptor_passing(void **state)
{
    int fd[2], pass[2];
    char c = 'x', control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec iov = {&c, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    (void)state;
    unix_pair(fd);
    pipe_pair(pass);
    struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
    *h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &pass[1], sizeof(int));
    assert_int_equal(green_sendmsg(fd[0], &msg, 0), 1);
    assert_int_equal(green_recvmsg(fd[1], &msg, 0), 1);
    int got;
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof got);
    assert_int_equal(green_write(pass[0], "y", 1), 1);
    assert_int_equal(green_read(got, &c, 1), 1);
    assert_int_equal(c, 'y');
    green_close(got);
    close_pair(fd);
    close_pair(pass);
}

/* ---- fairness ---- */

struct hog {
    int fd;
    bool stop;
    long reads;
};

static int hog(void *arg)
{
    struct hog *h = arg;
    char c;
    while (!h->stop && green_recv(h->fd, &c, 1, MSG_PEEK) == 1)
        h->reads++;
    return 0;
}

/* Scenarios 54, 137: sleepers are on time beside an always ready socket. */
static void test_ready_socket_does_not_starve(void **state)
{
    int fd[2];
    (void)state;
    tcp_pair(fd);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    struct hog h = {.fd = fd[1]};
    green_thread *t = green_spawn(hog, &h);
    for (int i = 0; i < 5; i++) {
        int64_t start = green_now();
        assert_int_equal(green_sleep(GREEN_MS), 0);
        assert_true(green_now() - start < 200 * GREEN_MS);
    }
    green_within(5 * GREEN_MS) /* an always-ready caller notices its own deadline, too */
        hog(&h);
    assert_true(green_expired());
    h.stop = true;
    assert_int_equal(green_join(t, NULL), 0);
    close_pair(fd);
}

/* Scenarios 54, 137: the loop is polled after each slice, however long its calls take. */
static void test_slices_end_with_a_poll(void **state)
{
    enum { SLICES = 16 };
    int fd[2];
    char c;
    (void)state;
    unix_pair(fd);
    assert_int_equal(green_send(fd[0], "x", 1, 0), 1);
    green_hub_stats before = stats_now();
    for (int i = 0; i < SLICES * OPS_SLICE; i++)
        assert_int_equal(green_recv(fd[1], &c, 1, MSG_PEEK), 1);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    before = stats_now();
    for (int i = 0; i < SLICES * OPS_SLICE; i++)
        assert_int_equal(green_recv(fd[1], &c, 1, MSG_PEEK | MSG_DONTWAIT), 1);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    close_pair(fd);
}

/* Scenario 137: large reads use a slice up sooner. */
static void test_bytes_count_too(void **state)
{
    enum { SLICES = 8, SIZE = 32 * 1024, CALLS = OPS_SLICE / 3 + 1 };
    static char buf[SIZE];
    int fd[2];
    (void)state;
    unix_pair(fd);
    assert_int_equal(green_send(fd[0], buf, SIZE, 0), SIZE);
    green_hub_stats before = stats_now();
    for (int i = 0; i < SLICES * CALLS; i++)
        assert_int_equal(green_recv(fd[1], buf, SIZE, MSG_PEEK), SIZE);
    assert_in_range(stats_now().polls - before.polls, SLICES - 1, SLICES + 1);
    close_pair(fd);
}

static int yield_until(void *stop)
{
    while (!*(bool *)stop)
        green_yield();
    return 0;
}

static int write_after_turns(void *fd)
{
    for (int i = 0; i < 1000; i++)
        green_yield();
    return write(*(int *)fd, "x", 1) == 1 ? 0 : -1;
}

/* Scenario 54: threads that only yield let descriptors through, too. */
static void test_spinners_do_not_starve(void **state)
{
    int fd[2], result = -1;
    bool stop = false;
    char c;
    (void)state;
    unix_pair(fd);
    green_thread *spinners[2] = {green_spawn(yield_until, &stop), green_spawn(yield_until, &stop)};
    green_thread *writer = green_spawn(write_after_turns, &fd[0]);
    assert_int_equal(green_read(fd[1], &c, 1), 1); /* waits, while all of them are ready */
    stop = true;
    assert_int_equal(green_join(writer, &result), 0);
    assert_int_equal(result, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(green_join(spinners[i], NULL), 0);
    close_pair(fd);
}

static int read_for_ever(void *arg)
{
    char c;
    while (green_recv(*(int *)arg, &c, 1, MSG_PEEK) == 1)
        continue;
    return errno;
}

/* A thread that never blocks is still cancelled, and its deadline holds. */
static void test_ready_socket_and_cancel(void **state)
{
    int fd[2], result = 0;
    (void)state;
    tcp_pair(fd);
    green_send(fd[0], "x", 1, 0);
    green_thread *t = green_spawn(read_for_ever, &fd[1]);
    green_yield();
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, ECANCELED);
    green_within(5 * GREEN_MS)
        assert_int_equal(read_for_ever(&fd[1]), ETIMEDOUT);
    close_pair(fd);
}

/* ---- bad input ---- */

static void test_bad_descriptors(void **state)
{
    char c = 0;
    (void)state;
    assert_fails(green_read(-1, &c, 1), EBADF);
    assert_fails(green_read(9999, &c, 1), EBADF);
    assert_fails(green_write(1 << 30, &c, 1), EBADF);
    assert_fails(green_close(9999), EBADF);
    assert_fails(green_recv(0x7fffffff, &c, 1, 0), EBADF);
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(green_read(fd, &c, 1), 0);
    assert_int_equal(green_write(fd, &c, 1), 1);
    assert_fails(green_recv(fd, &c, 1, 0), ENOTSOCK);
    green_close(fd);
    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(green_read(fd, &c, 1), 1);
    assert_int_equal(c, 0x7f);
    green_close(fd);
}

/* Lists of buffers that are too long, or whose count does not fit an int: each call as libc's. */
static void test_too_many_buffers(void **state)
{
    static char c;
    static struct iovec iov[IOV_MAX + 1];
    static const size_t counts[] = {IOV_MAX, IOV_MAX + 1, (size_t)1 << 32, SIZE_MAX};
    int fd[2];
    (void)state;
    unix_pair(fd);
    for (size_t i = 0; i < COUNT(iov); i++)
        iov[i] = (struct iovec){&c, 1};
    assert_fails((int)green_writev(fd[0], iov, IOV_MAX + 1), EINVAL);
    assert_fails((int)green_readv(fd[1], iov, IOV_MAX + 1), EINVAL);
    assert_fails((int)green_writev(fd[0], iov, -1), EINVAL);
    for (size_t i = 0; i < COUNT(counts); i++) {
        if (RUNNING_ON_VALGRIND && counts[i] > COUNT(iov)) {
            print_message("# skipped in part: valgrind looks at all of %zu buffers\n", counts[i]);
            continue;
        }
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = counts[i]};
        ssize_t theirs = sendmsg(fd[0], &msg, 0);
        int error = theirs < 0 ? errno : 0;
        ssize_t ours = green_sendmsg(fd[0], &msg, 0);
        assert_int_equal(ours, theirs);
        assert_int_equal(ours < 0 ? errno : 0, error);
        ours = green_recvmsg(fd[1], &msg, 0);
        assert_int_equal(ours, theirs);
        assert_int_equal(ours < 0 ? errno : 0, error);
        assert_int_equal(error, i == 0 ? 0 : EMSGSIZE);
    }
    close_pair(fd);
}

/* Scenario 131: accepting when no descriptor is left fails cleanly and works again afterwards. */
static void test_accept_storm(void **state)
{
    enum { N = 200 };
    static int client[N], server[N];
    struct sockaddr_in addr;
    (void)state;
    green_hub_stats before = stats_now();
    int l = tcp_listen(&addr);
    for (int i = 0; i < N; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(green_connect(client[i], (struct sockaddr *)&addr, sizeof addr), 0);
        if (i % 100 == 99)
            for (int j = i - 99; j <= i; j++)
                assert_true((server[j] = green_accept(l, NULL, NULL)) >= 0);
    }
    for (int i = 0; i < N; i++) {
        green_close(client[i]);
        green_close(server[i]);
    }
    green_close(l);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_full_duplex),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_waitall_and_peek),
        cmocka_unit_test(test_waitall_meets_the_end),
        cmocka_unit_test(test_never_waits),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancelled_reader_takes_nothing),
        cmocka_unit_test(test_readers_in_order),
        cmocka_unit_test(test_writes_are_not_mixed),
        cmocka_unit_test(test_close_wakes_waiters),
        cmocka_unit_test(test_reused_number),
        cmocka_unit_test(test_reused_number_in_line),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_close_wakes_other_hubs),
        cmocka_unit_test(test_close_meets_wait),
        cmocka_unit_test(test_close_from_outside),
        cmocka_unit_test(test_number_of_another_kind),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_full_backlog),
        cmocka_unit_test(test_full_datagram_queue),
        cmocka_unit_test(test_polled_pipe),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_descriptor_passing),
        cmocka_unit_test(test_ready_socket_does_not_starve),
        cmocka_unit_test(test_slices_end_with_a_poll),
        cmocka_unit_test(test_spinners_do_not_starve),
        cmocka_unit_test(test_bytes_count_too),
        cmocka_unit_test(test_ready_socket_and_cancel),
        cmocka_unit_test(test_bad_descriptors),
        cmocka_unit_test(test_too_many_buffers),
        cmocka_unit_test(test_accept_storm),
    };
    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
