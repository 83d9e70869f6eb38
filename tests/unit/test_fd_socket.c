/* test_fd_socket.c - what only sockets have: connecting, accepting, datagrams, descriptors passed.
 */
#include "fd_pairs.h"

#include <sys/un.h>

/* ---- connect ---- */

/* Scenario 125: refused; nobody there. */
static void test_connect(void **state)
{
    struct sockaddr_in addr;
    (void)state;
    green_hub_stats before = stats_now();
    int deaf = loopback_socket(SOCK_STREAM, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_fails(green_connect(fd, (struct sockaddr *)&addr, sizeof addr), ECONNREFUSED);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    green_close(fd);
    green_close(deaf);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_fails(green_connect(fd, (struct sockaddr *)&un, sizeof un), ENOENT);
    green_close(fd);
    assert_nothing_left(before);
}

static int accept_one(void *listener)
{
    int fd = green_accept(*(int *)listener, NULL, NULL);
    return fd >= 0 ? green_close(fd) : -1;
}

/* Scenarios 124, 125: sockets and listeners with O_NONBLOCK: both sides wait all the same. */
static void test_connect_nonblocking(void **state)
{
    struct sockaddr_in addr;
    int result = -1;
    (void)state;
    int l = tcp_listen(&addr);
    assert_int_equal(fcntl(l, F_SETFL, O_NONBLOCK), 0);
    green_thread *t = green_spawn(accept_one, &l);
    green_yield();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(green_connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    green_close(fd);
    green_close(l);
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

/* Scenario 131: many at once; each is accepted. */
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

/* ---- datagrams ---- */

static int send_datagram(void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in *to = arg, from = {0};
    socklen_t len = sizeof from;
    char buf[8];
    ssize_t n = green_sendto(fd, "datagram", 8, 0, arg, sizeof *to);
    ssize_t back = green_recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);
    green_close(fd);
    return n == 8 && back == 4 && memcmp(buf, "data", 4) == 0 && from.sin_port == to->sin_port ? 0
                                                                                               : -1;
}

/* Scenario 132: not connected, and cut; an answer to where it came from. */
static void test_udp(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET}, from;
    socklen_t len = sizeof addr;
    int result = -1;
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
    assert_memory_equal(buf, "data", 4);
    assert_int_equal(from.sin_family, AF_INET);
    assert_int_equal(green_sendto(fd, buf, 4, 0, (struct sockaddr *)&from, msg.msg_namelen), 4);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    green_close(fd);
}

/* Scenario 132: nobody there, which ICMP says later: to who waits by then, once. */
static void test_nobody_receives(void **state)
{
    struct sockaddr_in addr;
    char c;
    (void)state;
    green_hub_stats before = stats_now();
    int deaf = loopback_socket(SOCK_DGRAM, &addr); /* to all but itself */
    assert_int_equal(connect(deaf, (struct sockaddr *)&addr, sizeof addr), 0);
    for (int how = 0; how < 2; how++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(green_connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
        struct iovec iov = {&c, 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        green_within(GREEN_MS) /* watched before it comes */
            assert_fails(green_recv(fd, &c, 1, 0), ETIMEDOUT);
        assert_int_equal(green_send(fd, "x", 1, 0), 1);
        green_within(10 * GREEN_SEC)
            assert_fails((int)(how == 0 ? green_recv(fd, &c, 1, 0) : green_recvmsg(fd, &msg, 0)),
                         ECONNREFUSED);
        green_within(GREEN_MS)
            assert_fails(green_recv(fd, &c, 1, 0), ETIMEDOUT);
        green_close(fd);
    }
    green_close(deaf);
    assert_nothing_left(before);
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

/* ---- descriptors ---- */

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

struct parcel {
    int fd;
    int got[4], count; /* descriptors that came */
};

static int receive_parcel(void *arg)
{
    struct parcel *p = arg;
    static char buf[10000];
    char control[CMSG_SPACE(4 * sizeof(int))];
    ssize_t n, sum = 0;
    do {
        struct iovec iov = {buf, sizeof buf};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
        n = green_recvmsg(p->fd, &msg, MSG_CMSG_CLOEXEC);
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); n > 0 && h != NULL;
             h = CMSG_NXTHDR(&msg, h)) {
            int more = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            if (p->count + more > (int)COUNT(p->got))
                return -1;
            memcpy(&p->got[p->count], CMSG_DATA(h), (size_t)more * sizeof(int));
            p->count += more;
        }
        sum += n > 0 ? n : 0;
    } while (n > 0);
    return n < 0 ? -1 : (int)sum;
}

/* Scenario 133: several with a message that goes in parts: they arrive once, and are of use. */
static void test_descriptors_with_parts(void **state)
{
    enum { SIZE = 2 << 20 };
    int fd[2], pass[2], result = -1;
    char *data = pattern(SIZE), control[CMSG_SPACE(2 * sizeof(int))] = "", c;
    struct iovec iov = {data, SIZE};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    (void)state;
    green_hub_stats before = stats_now();
    unix_pair(fd);
    unix_pair(pass);
    struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
    *h = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(h), pass, sizeof pass);
    struct parcel p = {.fd = fd[1]};
    green_thread *t = green_spawn(receive_parcel, &p);
    assert_int_equal(green_sendmsg(fd[0], &msg, 0), SIZE);
    close_pair(pass);
    assert_int_equal(green_close(fd[0]), 0);
    assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, SIZE);
    assert_int_equal(p.count, 2);
    green_within(GREEN_MS)
        assert_fails(green_read(p.got[1], &c, 1), ETIMEDOUT);
    assert_int_equal(green_write(p.got[0], "y", 1), 1);
    assert_int_equal(green_read(p.got[1], &c, 1), 1);
    assert_int_equal(c, 'y');
    close_pair(p.got);
    assert_int_equal(green_close(fd[1]), 0);
    free(data);
    assert_nothing_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_connect_nonblocking),
        cmocka_unit_test(test_full_backlog),
        cmocka_unit_test(test_full_datagram_queue),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_nobody_receives),
        cmocka_unit_test(test_descriptor_passing),
        cmocka_unit_test(test_descriptors_with_parts),
        cmocka_unit_test(test_accept_storm),
    };
    return cmocka_run_group_tests_name("fd_socket", tests, NULL, NULL);
}
