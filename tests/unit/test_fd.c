/* test_fd.c - the twins of the POSIX calls (green/fd.h) on TCP, unix sockets and pipes: moving
 * data, deadlines, order, bad input. */
#include "fd_pairs.h"

#include "fd.h"
#include "self.h"
#include <limits.h>

/* ---- moving data ---- */

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
    assert_false(green_expired());
    close_pair(fd);
    fd[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    green_within(10 * GREEN_SEC)
        assert_fails(green_recv(fd[0], buf, sizeof buf, MSG_ERRQUEUE), EAGAIN);
    assert_int_equal(green_close(fd[0]), 0);
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
            while (n > 0)                  /* what there has been room for since */
                n = green_write(fd[0], data, BIG);
            assert_true(n < 0 && errno == ETIMEDOUT);
        }
        green_within(0) { /* data is there: it is given */
            assert_int_equal(green_read(fd[1], &c, 1), 1);
        }
        close_pair(fd);
        assert_nothing_left(before);
    }
    free(data);
}

static int drip(void *arg)
{
    struct flow *f = arg;
    char buf[4096];
    ssize_t n;
    while ((n = green_read(f->fd, buf, sizeof buf)) > 0) {
        f->bytes += (size_t)n;
        green_sleep(100 * GREEN_US);
    }
    return n == 0 ? 0 : -1;
}

/* Scenario 123: the deadline is for the whole of a write, though there is always some progress. */
static void test_slow_progress(void **state)
{
    const size_t big = (size_t)fewer(256 << 20);
    (void)state;
    char *data = calloc(1, big);
    assert_non_null(data);
    for (size_t k = 0; k < COUNT(pairs); k++) {
        int fd[2], result = -1;
        ssize_t n = 0;
        green_hub_stats before = stats_now();
        pairs[k](fd);
        struct flow f = {.fd = fd[1]};
        green_thread *t = green_spawn(drip, &f);
        green_within(20 * GREEN_MS)
            n = green_write(fd[0], data, big);
        assert_true(n > 0 && n < (ssize_t)big);
        assert_true(green_expired());
        assert_int_equal(green_close(fd[0]), 0);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(f.bytes, n); /* what it says has arrived */
        assert_int_equal(green_close(fd[1]), 0);
        assert_nothing_left(before);
    }
    free(data);
}

static int read_something(void *arg)
{
    char c;
    return green_read(*(int *)arg, &c, 1) == 1 ? c : -errno;
}

/* Scenario 124: the calls wait whatever O_NONBLOCK says, and leave it as it is. */
static void test_nonblocking_mode(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(pairs); k++)
        for (int mode = 0; mode <= O_NONBLOCK; mode += O_NONBLOCK) {
            int fd[2], result = -1;
            char c;
            pairs[k](fd);
            for (int i = 0; i < 2; i++)
                assert_int_equal(fcntl(fd[i], F_SETFL, fcntl(fd[i], F_GETFL) | mode), 0);
            green_thread *t = green_spawn(read_something, &fd[1]);
            green_sleep(GREEN_MS);
            assert_int_equal(green_write(fd[0], "z", 1), 1);
            assert_int_equal(green_join(t, &result), 0);
            assert_int_equal(result, 'z');
            green_within(GREEN_MS)
                assert_fails(green_read(fd[1], &c, 1), ETIMEDOUT);
            for (int i = 0; i < 2; i++)
                assert_int_equal(fcntl(fd[i], F_GETFL) & O_NONBLOCK, mode);
            close_pair(fd);
        }
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
        cmocka_unit_test(test_slow_progress),
        cmocka_unit_test(test_nonblocking_mode),
        cmocka_unit_test(test_cancelled_reader_takes_nothing),
        cmocka_unit_test(test_readers_in_order),
        cmocka_unit_test(test_writes_are_not_mixed),
        cmocka_unit_test(test_polled_pipe),
        cmocka_unit_test(test_bad_descriptors),
        cmocka_unit_test(test_too_many_buffers),
    };
    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
