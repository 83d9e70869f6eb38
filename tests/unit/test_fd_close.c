/* test_fd_close.c - the end of a descriptor or of its stream while somebody waits for it: closed,
 * its number used again, shut down, reset; here and on another hub. */
#include "fd_pairs.h"
#include "net_unit.h"

#include <green/state.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

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

struct call_out {
    int fd;
    struct sockaddr_storage to;
    socklen_t len;
};

static int connect_errno(void *arg)
{
    struct call_out *c = arg;
    return green_connect(c->fd, (struct sockaddr *)&c->to, c->len) < 0 ? errno : 0;
}

/* Scenarios 126, 127: one who connects, where the backlog is full; closed here, or elsewhere. */
static void test_close_wakes_connect(void **state)
{
    static const int families[] = {AF_INET, AF_UNIX};
    (void)state;
    green_hub_stats before = stats_now();
    for (size_t k = 0; k < 2 * COUNT(families); k++) {
        struct call_out first, second;
        size_t i = k / 2;
        int l = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0), result = 0;
        struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        first = (struct call_out){.to = {.ss_family = AF_UNIX}, .len = sizeof(sa_family_t)};
        if (families[i] == AF_INET) {
            memcpy(&first.to, &loopback, sizeof loopback);
            first.len = sizeof loopback;
        }
        assert_int_equal(bind(l, (struct sockaddr *)&first.to, first.len), 0);
        assert_int_equal(listen(l, 0), 0);
        first.len = sizeof first.to;
        assert_int_equal(getsockname(l, (struct sockaddr *)&first.to, &first.len), 0);
        second = first;
        first.fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
        second.fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect_errno(&first), 0);
        green_thread *t = green_spawn(connect_errno, &second);
        green_sleep(GREEN_MS);
        assert_true(k % 2 != 0 ? close_elsewhere(second.fd) : green_close(second.fd) == 0);
        assert_int_equal(socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0), second.fd);
        assert_int_equal(green_close(first.fd), 0); /* there is room now, for whom it may concern */
        assert_int_equal(green_close(green_accept(l, NULL, NULL)), 0);
        assert_int_equal(green_join(t, &result), 0);
        assert_int_equal(result, EBADF);
        assert_fails(getpeername(second.fd, (struct sockaddr *)&first.to, &first.len), ENOTCONN);
        assert_int_equal(green_close(second.fd), 0);
        assert_int_equal(green_close(l), 0);
    }
    assert_nothing_left(before);
}

/* Scenario 129: several descriptors of one socket: closing one ends the calls on it alone, and the
 * last close ends the connection. */
static void test_duplicates(void **state)
{
    (void)state;
    green_hub_stats before = stats_now();
    for (size_t k = 0; k < COUNT(pairs); k++) {
        int fd[2], result = -1;
        char c;
        pairs[k](fd);
        int in = dup(fd[1]), out = dup(fd[0]);
        green_thread *first = green_spawn(read_errno, &fd[1]);
        green_sleep(GREEN_MS);
        green_thread *second = green_spawn(read_errno, &in);
        green_sleep(GREEN_MS);
        assert_int_equal(green_close(fd[1]), 0);
        assert_int_equal(green_join(first, &result), 0);
        assert_int_equal(result, EBADF);
        assert_int_equal(green_thread_state(second), GREEN_WAITING);
        assert_int_equal(green_write(fd[0], "x", 1), 1);
        assert_int_equal(green_join(second, &result), 0);
        assert_int_equal(result, 0);
        assert_int_equal(green_close(fd[0]), 0);
        green_within(GREEN_MS)
            assert_fails(green_read(in, &c, 1), ETIMEDOUT); /* open: there is another */
        assert_int_equal(green_write(out, "y", 1), 1);
        assert_int_equal(green_close(out), 0);
        assert_int_equal(green_read(in, &c, 1), 1);
        assert_int_equal(c, 'y');
        assert_int_equal(green_read(in, &c, 1), 0);
        assert_int_equal(green_close(in), 0);
        assert_nothing_left(before);
    }
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

/* Scenario 127: closed behind the library's back, and accepted anew: nothing of the old is left. */
static void test_reused_by_accept(void **state)
{
    struct sockaddr_in addr;
    int client[2], server[2], result = -1;
    char c = 0;
    (void)state;
    int l = tcp_listen(&addr);
    for (int i = 0; i < 2; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(green_connect(client[i], (struct sockaddr *)&addr, sizeof addr), 0);
    }
    server[0] = green_accept(l, NULL, NULL);
    green_within(GREEN_MS)
        assert_fails(green_read(server[0], &c, 1), ETIMEDOUT);
    close(server[0]);
    server[1] = green_accept(l, NULL, NULL);
    assert_int_equal(server[1], server[0]);
    assert_int_equal(green_send(client[1], "x", 1, 0), 1);
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_read(server[1], &c, 1), 1);
    assert_int_equal(c, 'x');
    green_thread *t = green_spawn(read_errno, &server[1]);
    green_sleep(GREEN_MS);
    assert_int_equal(green_send(client[1], "y", 1, 0), 1);
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, 0);
    green_close(server[1]);
    close_pair(client);
    green_close(l);
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

/* Scenario 130: the one that waits for data, for room, or both; a part of a write is told first. */
static void test_shutdown_wakes_the_right_one(void **state)
{
    static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    (void)state;
    green_hub_stats before = stats_now();
    for (size_t k = 0; k < 2; k++) /* sockets */
        for (size_t i = 0; i < COUNT(hows); i++) {
            int fd[2], result = -1;
            pairs[k](fd);
            green_thread *reader = green_spawn(read_all, &fd[0]);
            green_thread *writer = green_spawn(write_lots_errno, &fd[0]);
            green_sleep(GREEN_MS);
            assert_int_equal(green_shutdown(fd[0], hows[i]), 0);
            if (hows[i] != SHUT_WR)
                assert_int_equal(green_join(reader, &result), 0);
            else
                assert_int_equal(green_join(writer, &result), 0);
            assert_int_equal(result, hows[i] != SHUT_WR ? 0 : EPIPE);
            green_sleep(GREEN_MS);
            green_thread *other = hows[i] != SHUT_WR ? writer : reader;
            bool both = hows[i] == SHUT_RDWR;
            wait_for(green_thread_state(other) == (both ? GREEN_DONE : GREEN_WAITING));
            green_close(fd[0]);
            assert_int_equal(green_join(other, &result), 0);
            assert_int_equal(result, both ? EPIPE : other == reader ? -EBADF : EBADF);
            green_close(fd[1]);
            assert_nothing_left(before);
        }
}

struct far {
    int fd;
    _Atomic(green_thread *) thread; /* once it has a hub, whose descriptors would take the number */
    int result;
};

static void *read_on_another_hub(void *arg)
{
    struct far *f = arg;
    char c;
    f->thread = green_self();
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
    struct far f = {.fd = fd[1]};
    assert_int_equal(pthread_create(&thread, NULL, read_on_another_hub, &f), 0);
    wait_for(f.thread != NULL && green_thread_state(f.thread) == GREEN_WAITING);
    assert_int_equal(green_close(fd[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f.result, EBADF);
    green_close(fd[0]);
}

struct meeting {
    int fd;
    atomic_int round; /* of the closer; < 0: over */
    atomic_int met;   /* of the reader; < 0: it has no hub yet */
    int hung;
    int missed; /* so many polls have failed, or reads of what has the number next */
};

static void dawdle(void)
{
    for (volatile int n = rand() % 400; n > 0; n--)
        continue;
}

static bool next_round(struct meeting *m)
{
    int round = m->met;
    while (m->round == round)
        sched_yield();
    return m->round > 0;
}

static void *read_while_it_is_closed(void *arg)
{
    struct meeting *m = arg;
    green_self(); /* a hub's descriptors would take the number that is closed */
    for (m->met = 0; next_round(m); m->met = m->round) {
        struct pollfd p = {m->fd, POLLIN, 0};
        char c;
        dawdle();
        green_within(10 * GREEN_SEC)
            if (m->round % 2 != 0)
                green_read(m->fd, &c, 1);
            else
                m->missed += green_poll(&p, 1, -1) != 1;
        m->hung += green_expired();
    }
    return NULL;
}

/* Scenarios 126, 149: whoever begins to wait just then on another hub is not forgotten. */
static void test_close_meets_wait(void **state)
{
    struct meeting m = {.met = -1};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_while_it_is_closed, &m), 0);
    wait_for(m.met == 0);
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
    assert_int_equal(m.missed, 0);
}

static void *read_it_and_the_next(void *arg)
{
    struct meeting *m = arg;
    green_self();
    for (m->met = 0; next_round(m); m->met = m->round) {
        char c;
        bool closed = m->round % 2 != 0;
        if (closed)
            dawdle();
        m->missed += green_read(m->fd, &c, 1) != 1 && !closed;
    }
    return NULL;
}

static void meet(struct meeting *m)
{
    while (m->met != m->round)
        sched_yield();
}

/* Scenario 127: closed just when another hub asks what kind of file it is. */
static void test_close_meets_question(void **state)
{
    struct meeting m = {.met = -1};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_it_and_the_next, &m), 0);
    wait_for(m.met == 0);
    for (int round = 1; round <= 1000; round++) {
        int old[2], new[2];
        unix_pair(old);
        m.fd = old[1];
        m.round++;
        dawdle();
        green_close(old[1]);
        meet(&m);
        pipe_pair(new);
        if (new[1] != m.fd) {
            assert_int_equal(dup2(new[1], m.fd), m.fd);
            close(new[1]);
        }
        assert_int_equal(write(new[0], "x", 1), 1);
        m.round++;
        meet(&m);
        green_close(m.fd);
        green_close(old[0]);
        green_close(new[0]);
    }
    m.round = -1;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(m.missed, 0);
}

/* Scenario 126: closed by an OS thread that has no hub. */
static void test_close_from_outside(void **state)
{
    int fd[2], result = 0;
    (void)state;
    unix_pair(fd);
    green_thread *t = green_spawn(read_errno, &fd[1]);
    green_sleep(GREEN_MS);
    assert_true(close_elsewhere(fd[1]));
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_join(t, &result), 0);
    assert_int_equal(result, EBADF);
    green_close(fd[0]);
}

struct replaced {
    int wait;   /* until this one is readable */
    int number; /* then this one is closed elsewhere, */
    int new[2]; /* and these take its number */
};

static int replace_elsewhere(void *arg)
{
    struct replaced *r = arg;
    char c;
    if (green_read(r->wait, &c, 1) != 1 || !close_elsewhere(r->number))
        return -1;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, r->new) == 0 &&
                   r->new[0] == r->number &&write(r->new[1], "new", 3) == 3
               ? 0
               : -1;
}

/* Scenario 127: closed elsewhere after its reader was woken, and before that has run: the word to
 * this hub has not even arrived. */
static void test_number_reused_elsewhere(void **state)
{
    int fd[2], bell[2], result = 0;
    char buf[8];
    (void)state;
    green_hub_stats before = stats_now();
    unix_pair(fd);
    unix_pair(bell);
    struct replaced r = {.wait = bell[1], .number = fd[1]};
    green_thread *replacer = green_spawn(replace_elsewhere, &r);
    green_thread *reader = green_spawn(read_errno, &r.number);
    green_yield();
    assert_int_equal(write(bell[0], "x", 1), 1); /* first in the loop's list */
    assert_int_equal(write(fd[0], "x", 1), 1);
    assert_int_equal(green_join(replacer, &result), 0);
    assert_int_equal(result, 0);
    assert_int_equal(green_join(reader, &result), 0);
    assert_int_equal(result, EBADF);
    assert_int_equal(green_read(r.new[0], buf, sizeof buf), 3);
    close_pair(bell);
    close_pair(r.new);
    assert_int_equal(green_close(fd[0]), 0);
    assert_nothing_left(before);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_wakes_waiters),
        cmocka_unit_test(test_close_wakes_connect),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_reused_number),
        cmocka_unit_test(test_reused_number_in_line),
        cmocka_unit_test(test_reused_by_accept),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_wakes_the_right_one),
        cmocka_unit_test(test_close_wakes_other_hubs),
        cmocka_unit_test(test_close_meets_wait),
        cmocka_unit_test(test_close_meets_question),
        cmocka_unit_test(test_close_from_outside),
        cmocka_unit_test(test_number_reused_elsewhere),
        cmocka_unit_test(test_number_of_another_kind),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests_name("fd_close", tests, NULL, NULL);
}
