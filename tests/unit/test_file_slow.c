/* test_file_slow.c - files on a disk that does not answer: others run meanwhile, calls are given
 * up, descriptors are closed under them. */
#include "disk.h"
#include "forks.h"
#include <sched.h>

static char got[10];
static volatile int ticks;

static int read_some(void *arg)
{
    ssize_t n = green_read(fd, got, (size_t)(intptr_t)arg);
    return n < 0 ? -errno : (int)n;
}

static int write_some(void *arg)
{
    ssize_t n = green_write(fd, arg, strlen(arg));
    return n < 0 ? -errno : (int)n;
}

static int tick(void *arg)
{
    (void)arg;
    while (green_sleep(GREEN_MS) == 0)
        ticks++;
    return 0;
}

/* Cancelled once the disk is at work for it. */
static int give_up(green_thread *t, int at_the_disk)
{
    int result = -1000;
    wait_for(waiting == at_the_disk);
    assert_int_equal(green_kill(t, &result), 0);
    return result;
}

static void slow_disk(void)
{
    cold = slow = true;
}

/* Scenario 119: with files, too: a disk that does not answer stops only who waits for it. */
static void others_run_meanwhile(void **state)
{
    (void)state;
    slow_disk();
    green_thread *ticker = green_spawn(tick, NULL);
    green_thread *t = green_spawn(read_some, (void *)4);
    wait_for(waiting == 1);
    int before = ticks;
    wait_for(ticks > before + 3);
    let(1);
    assert_int_equal(join(t), 4);
    assert_memory_equal(got, "0123", 4);
    assert_int_equal(green_kill(ticker, NULL), 0);
}

/* Readers and writers at one position take turns. */
static void users_of_a_position_take_turns(void **state)
{
    (void)state;
    slow_disk();
    green_thread *a = green_spawn(read_some, (void *)4);
    green_thread *b = green_spawn(write_some, "ab");
    green_thread *c = green_spawn(read_some, (void *)3);
    wait_for(waiting == 1);
    green_yield();
    assert_int_equal(waiting, 1);
    let(3);
    assert_int_equal(join(a), 4);
    assert_int_equal(join(b), 2);
    assert_int_equal(join(c), 3);
    assert_memory_equal(got, "678", 3);
    assert_int_equal(position(), 9);
    assert_content("0123ab6789");
}

/* Given up while the disk is at work: the position stays, the memory is left alone. */
static void reads_given_up(void **state)
{
    (void)state;
    slow_disk();
    memset(got, '-', sizeof got);
    assert_int_equal(give_up(green_spawn(read_some, (void *)4), 1), -ECANCELED);
    green_within(10 * GREEN_MS)
        assert_int_equal(read_some((void *)4), -ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(give_up(green_spawn(read_some, (void *)4), at_work(GREEN_LANE_FILES) + 1),
                     -ECANCELED);
    let(waiting);
    wait_for(at_work(GREEN_LANE_FILES) == 0);
    assert_true(asked >= 2);
    assert_memory_equal(got, "----------", 10);
    assert_int_equal(position(), 0);
    slow = false;
    assert_int_equal(read_some((void *)4), 4); /* nothing was lost */
    assert_memory_equal(got, "0123", 4);
}

/* A write given up while the disk is at work may have been done; one before its turn has not. */
static void writes_given_up(void **state)
{
    static char text[] = "abcd";
    (void)state;
    slow_disk();
    assert_int_equal(give_up(green_spawn(write_some, text), 1), -ECANCELED);
    memset(text, '-', 4); /* the memory is ours again */
    let(1);
    wait_for(asked == 1 && at_work(GREEN_LANE_FILES) == 0);
    assert_content("abcd456789");
    assert_int_equal(position(), 0);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_FILES), 0, 0), 0);
    green_within(10 * GREEN_MS)
        assert_int_equal(write_some(text), -ETIMEDOUT);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_FILES), 0, 64), 0);
    slow = false;
    assert_int_equal(green_fsync(fd), 0);
    assert_content("abcd456789");
}

enum { SEVERAL = 600 * 1024 };

static int write_zeros(void *data)
{
    return (int)green_write(fd, data, SEVERAL);
}

/* The part that was done is told; the rest is given up. */
static void parts(void **state)
{
    char *data = calloc(1, SEVERAL);
    (void)state;
    slow_disk();
    green_thread *t = green_spawn(write_zeros, data);
    let(1);
    wait_for(asked == 1);
    assert_int_equal(give_up(t, 1), 256 * 1024);
    assert_int_equal(position(), 256 * 1024);
    let(1);
    wait_for(at_work(GREEN_LANE_FILES) == 0);
    free(data);
}

/* ---- closing ---- */

/* Scenario 127: with files, too: the number does not mean another file while a call is on its way.
 */
static void closed_meanwhile(void **state)
{
    struct stat st;
    (void)state;
    slow_disk();
    int fds = fds_open();
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_FILES), 0, 1), 0);
    assert_int_equal(give_up(green_spawn(write_some, "left behind"), 1), -ECANCELED);
    green_thread *late = green_spawn(read_some, (void *)4);
    wait_for(stats_of(GREEN_LANE_FILES).queued == 1);
    assert_int_equal(green_close(fd), 0);
    int next = open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_not_equal(next, fd);
    assert_fails(green_fsync(fd), EBADF); /* it counts as closed */
    let(1);
    assert_int_equal(join(late), -EBADF);
    wait_for(fds_open() == fds);
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(next);
    assert_int_equal(green_lane_resize(green_lane_of(GREEN_LANE_FILES), 0, 64), 0);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_content("left behind");
}

static int write_zeros_at(void *data)
{
    return (int)green_pwrite(fd, data, SEVERAL, 0);
}

/* Scenario 127: closed by the end of one part, and another file has the number before the next. */
static void closed_between_parts(void **state)
{
    static int (*const calls[])(void *) = {write_zeros, write_zeros_at};
    char *data = calloc(1, SEVERAL);
    struct stat st;
    (void)state;
    for (size_t i = 0; i < COUNT(calls); i++) {
        slow_disk();
        green_thread *t = green_spawn(calls[i], data);
        wait_for(waiting == 1);
        assert_int_equal(green_close(fd), 0);
        slow = false;
        let(1);
        while (fcntl(fd, F_GETFD) >= 0) /* and its caller has not run yet */
            sched_yield();
        unlink(other); /* the second time it is what was written to */
        assert_int_equal(open(other, O_RDWR | O_CREAT | O_CLOEXEC, 0600), fd);
        assert_int_equal(join(t), 256 * 1024);
        assert_int_equal(position(), 0);
        assert_int_equal(stat(other, &st), 0);
        assert_int_equal(st.st_size, 0);
    }
    free(data);
}

static int close_it(void *arg)
{
    (void)arg;
    return green_close(fd);
}

/* Scenario 126: closed by another hub: the next in line hears of it, too. */
static void closed_elsewhere(void **state)
{
    int result = 0;
    green_spawn_options there = {.hub = green_hub_nth(0)};
    (void)state;
    if (there.hub == green_hub_self())
        there.hub = green_hub_nth(1);
    slow_disk();
    green_thread *a = green_spawn(read_some, (void *)4), *b = green_spawn(read_some, (void *)4);
    wait_for(waiting == 1);
    assert_int_equal(join(green_spawn_with(&there, close_it, NULL)), 0);
    let(1);
    assert_int_equal(join(a), 4);
    green_within(10 * GREEN_SEC)
        assert_int_equal(green_join(b, &result), 0);
    assert_int_equal(result, -EBADF);
}

#ifndef GREEN_TEST_EMULATED
static int is_closed(void)
{
    must(fcntl(fd, F_GETFD) < 0);
    return 0;
}

/* Scenario 120: closed while a call was on its way, it is closed in a child, too. */
static void closed_in_a_child(void **state)
{
    (void)state;
    slow_disk();
    green_thread *t = green_spawn(read_some, (void *)4);
    wait_for(waiting == 1);
    assert_int_equal(green_close(fd), 0);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    in_child(is_closed);
    let(1);
    assert_int_equal(join(t), 4);
}
#endif

static int open_it(void *path)
{
    int opened = green_open(path, O_RDONLY | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}

/* What was opened for somebody who has left is closed. */
static void opening_given_up(void **state)
{
    (void)state;
    slow_disk();
    int fds = fds_open();
    assert_int_equal(give_up(green_spawn(open_it, name), 1), -ECANCELED);
    let(1);
    wait_for(asked == 1 && at_work(GREEN_LANE_PATHS) == 0);
    wait_for(fds_open() == fds);
}

/* ---- FIFOs ---- */

static int open_to_read(void *arg)
{
    char c = 0;
    (void)arg;
    int in = green_open(other, O_RDONLY | O_CLOEXEC);
    if (in < 0 || green_read(in, &c, 1) != 1 || green_close(in) < 0)
        return -errno;
    return c;
}

/* Opening a FIFO waits for its other end, which a green thread of the same hub may open. */
static void fifos(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(other, 0600), 0);
    green_thread *t = green_spawn(open_to_read, NULL);
    wait_for(at_work(GREEN_LANE_PATHS) == 1);
    int out = green_open(other, O_WRONLY | O_CLOEXEC);
    assert_true(out >= 0);
    assert_int_equal(green_write(out, "x", 1), 1);
    assert_int_equal(join(t), 'x');
    assert_int_equal(green_close(out), 0);
    int fds = fds_open();
    int result = 0;
    t = green_spawn(open_it, other);
    wait_for(at_work(GREEN_LANE_PATHS) == 1);
    assert_int_equal(green_kill(t, &result), 0);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(at_work(GREEN_LANE_PATHS), 1);
    out = green_open(other, O_WRONLY | O_CLOEXEC); /* its OS thread still stands there */
    assert_true(out >= 0);
    assert_int_equal(green_close(out), 0);
    wait_for(at_work(GREEN_LANE_PATHS) == 0 && fds_open() == fds);
}

/* ---- nothing is left ---- */

static int threads;

static void as_before(void **state)
{
    (void)state;
    assert_int_equal(green_lane_set_idle(green_lane_of(GREEN_LANE_FILES), 0), 0);
    assert_int_equal(green_lane_set_idle(green_lane_of(GREEN_LANE_PATHS), 0), 0);
    wait_for(os_threads() == threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_run_meanwhile),
        TEST(users_of_a_position_take_turns),
        TEST(reads_given_up),
        TEST(writes_given_up),
        TEST(parts),
        TEST(closed_meanwhile),
        TEST(closed_between_parts),
        TEST(closed_elsewhere),
#ifndef GREEN_TEST_EMULATED
        TEST(closed_in_a_child),
#endif
        TEST(opening_given_up),
        TEST(fifos),
        cmocka_unit_test(as_before),
    };
    parent = getpid();
    if (green_hubs(2) != 2)
        return 1;
    threads = os_threads();
    sem_init(&turned, 0, 0);
    return cmocka_run_group_tests_name("file_slow", tests, NULL, NULL);
}
