/* test_file.c - files (green/file.h), on a disk that is as slow as the test wants: file_ask is
 * wrapped. */
#include "file.h"
#include "net_unit.h"
#include "sys.h"
#include <green/event.h>
#include <green/file.h>
#include <semaphore.h>
#include <stdatomic.h>

/* ---- the disk ---- */

static atomic_bool cold;   /* nothing is in the page cache: no call succeeds at once */
static atomic_bool slow;   /* OS threads wait for `turned` before each call */
static atomic_int waiting; /* that many do */
static atomic_int asked;   /* calls made by OS threads */
static atomic_int part;    /* > 0: what is in the page cache of each read */
static sem_t turned;

long __real_file_ask(long nr, const long arg[6]);
long __wrap_file_ask(long nr, const long arg[6]);

long __wrap_file_ask(long nr, const long arg[6])
{
    if (nr == SYS_preadv2 || nr == SYS_pwritev2) {
        if (cold)
            return -EAGAIN;
        struct iovec first = *(const struct iovec *)arg[1];
        if (part == 0 || first.iov_len <= (size_t)part)
            return __real_file_ask(nr, arg);
        first.iov_len = (size_t)part;
        const long less[6] = {arg[0], (long)&first, 1, arg[3], arg[4], arg[5]};
        return __real_file_ask(nr, less);
    }
    if (slow) {
        waiting++;
        while (sem_wait(&turned) < 0)
            continue;
        waiting--;
    }
    asked++;
    return __real_file_ask(nr, arg);
}

static void let(int calls)
{
    while (calls-- > 0)
        sem_post(&turned);
}

static char name[100], other[100];
static int fd;

static int before_each(void **state)
{
    (void)state;
    cold = false;
    slow = false;
    asked = 0;
    part = 0;
    snprintf(name, sizeof name, "/tmp/test_file.%d", (int)getpid());
    snprintf(other, sizeof other, "/tmp/test_file.%d.other", (int)getpid());
    unlink(name);
    unlink(other);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, "0123456789", 10) != 10 || lseek(fd, 0, SEEK_SET) != 0 ? -1 : 0;
}

static int after_each(void **state)
{
    (void)state;
    green_close(fd);
    unlink(name);
    unlink(other);
    return 0;
}

static off_t position(void)
{
    return lseek(fd, 0, SEEK_CUR);
}

static void assert_content(const char *text)
{
    char buf[200] = {0};
    size_t n = strlen(text);
    assert_int_equal(pread(fd, buf, sizeof buf, 0), n);
    assert_memory_equal(buf, text, n);
}

static green_lane_stats stats_of(int lane)
{
    green_lane_stats s;
    green_lane_stats_get(green_lane_of(lane), &s);
    return s;
}

static int at_work(int lane)
{
    green_lane_stats s = stats_of(lane);
    return s.threads - s.idle;
}

/* ---- what the calls do ---- */

static void transfers(void)
{
    char buf[20] = {0};
    struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    struct iovec in[3] = {{buf, 1}, {NULL, 0}, {buf + 10, 10}};
    assert_int_equal(green_read(fd, buf, 4), 4);
    assert_memory_equal(buf, "0123", 4);
    assert_int_equal(position(), 4);
    assert_int_equal(green_write(fd, "xy", 2), 2);
    assert_int_equal(position(), 6);
    assert_int_equal(green_pread(fd, buf, 20, 3), 7);
    assert_memory_equal(buf, "3xy6789", 7);
    assert_int_equal(green_pwrite(fd, "Z", 1, 0), 1);
    assert_int_equal(position(), 6);
    assert_int_equal(green_writev(fd, out, 3), 5);
    assert_int_equal(position(), 11);
    assert_content("Z123xyabcde");
    assert_int_equal(green_pwritev(fd, out, 3, 12), 5);
    assert_int_equal(green_preadv(fd, in, 3, 8), 9);
    assert_memory_equal(buf, "c", 1);
    assert_memory_equal(buf + 10, "de\0abcde", 8);
    assert_int_equal(green_readv(fd, in, 3), 6);
    assert_int_equal(green_read(fd, buf, 5), 0); /* the end */
    assert_int_equal(green_pread(fd, buf, 5, 1000), 0);
    assert_int_equal(green_read(fd, buf, 0), 0);
    assert_int_equal(position(), 17);
}

/* Data, positions and ends are those of the calls without prefix; in the page cache,
 * and not. */
static void reads_and_writes(void **state)
{
    (void)state;
    transfers();
}

static void reads_and_writes_by_jobs(void **state)
{
    (void)state;
    cold = true;
    transfers();
    assert_true(asked >= 10);
}

/* A part is in the page cache: the rest comes by a job, in one call. */
static void half_cached(void **state)
{
    char buf[10] = {0};
    (void)state;
    part = 3;
    assert_int_equal(green_read(fd, buf, 10), 10);
    assert_memory_equal(buf, "0123456789", 10);
    assert_int_equal(position(), 10);
    assert_int_equal(green_pread(fd, buf, 10, 5), 5);
    assert_memory_equal(buf, "56789", 5);
}

static void large_ones(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    char *data = malloc(SIZE), *back = malloc(SIZE);
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 >> 5);
    for (int i = 0; i < 2; i++, cold = true) {
        assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
        assert_int_equal(green_write(fd, data, SIZE), SIZE);
        assert_int_equal(position(), 5 + SIZE);
        assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
        memset(back, 0, SIZE);
        assert_int_equal(green_read(fd, back, SIZE), SIZE);
        assert_memory_equal(data, back, SIZE);
        assert_int_equal(green_pread(fd, back, SIZE, 6), SIZE - 1);
        assert_memory_equal(data + 1, back, SIZE - 1);
    }
    free(data);
    free(back);
}

static void appending(void **state)
{
    char buf[4];
    (void)state;
    int end = green_open(name, O_RDWR | O_APPEND | O_CLOEXEC);
    assert_true(end >= 0);
    cold = true;
    assert_int_equal(green_write(end, "ab", 2), 2);
    assert_int_equal(lseek(end, 0, SEEK_CUR), 12);
    assert_int_equal(green_pwrite(fd, "-", 1, 0), 1);
    assert_int_equal(green_write(end, "cd", 2), 2);
    assert_int_equal(green_read(end, buf, 4), 0);
    assert_content("-123456789abcd");
    assert_int_equal(green_close(end), 0);
}

static void direct(void **state)
{
    char *buf = aligned_alloc(4096, 8192);
    (void)state;
    int raw = open(name, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (raw < 0) {
        print_message("# skipped: %s: no O_DIRECT here: %s\n", name, strerror(errno));
        free(buf);
        return;
    }
    memset(buf, 'x', 8192);
    cold = true; /* then it is the job's memory that must be aligned */
    assert_int_equal(green_pwrite(raw, buf, 8192, 0), 8192);
    memset(buf, 0, 8192);
    assert_int_equal(green_pread(raw, buf, 8192, 0), 8192);
    for (int i = 0; i < 8192; i++)
        assert_int_equal(buf[i], 'x');
    assert_int_equal(green_close(raw), 0);
    free(buf);
}

/* Errors are the kernel's. */
static void errors(void **state)
{
    char buf[4] = {0};
    int ends[2];
    struct stat st;
    (void)state;
    for (int i = 0; i < 2; i++, cold = true) {
        assert_fails(green_pread(-1, buf, 4, 0), EBADF);
        assert_fails(green_pread(fd, buf, 4, -1), EINVAL);
        assert_fails(green_pread(fd, buf, SIZE_MAX, 0), EINVAL);
        assert_fails(green_preadv(fd, NULL, -1, 0), EINVAL);
        int dir = green_open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(dir >= 0);
        assert_fails(green_read(dir, buf, 4), EISDIR);
        assert_fails(green_pread(dir, buf, 4, 0), EISDIR);
        assert_int_equal(green_close(dir), 0);
        int read_only = green_open(name, O_RDONLY | O_CLOEXEC);
        assert_fails(green_write(read_only, buf, 4), EBADF);
        assert_fails(green_pwrite(read_only, buf, 4, 0), EBADF);
        assert_fails(green_ftruncate(read_only, 4), EINVAL);
        assert_int_equal(green_close(read_only), 0);
        assert_int_equal(pipe(ends), 0);
        assert_fails(green_pread(ends[0], buf, 4, 0), ESPIPE);
        assert_fails(green_fsync(ends[0]), EINVAL);
        assert_int_equal(green_close(ends[0]), 0);
        assert_int_equal(green_close(ends[1]), 0);
    }
    assert_fails(green_open("/tmp/no/such/file", O_RDONLY), ENOENT);
    assert_fails(green_stat("/tmp/no/such/file", &st), ENOENT);
    assert_fails(green_unlink("/tmp/no/such/file"), ENOENT);
    assert_fails(green_fstat(-100, &st), EBADF);
    assert_fails(green_fsync(-1), EBADF);
}

static void paths(void **state)
{
    struct stat st;
    (void)state;
    mode_t mask = umask(022);
    int made = green_open(other, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    umask(mask);
    assert_true(made >= 0);
    assert_int_equal(green_write(made, "abc", 3), 3);
    assert_int_equal(green_fsync(made), 0);
    assert_int_equal(green_fdatasync(made), 0);
    assert_int_equal(green_fstat(made, &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(green_ftruncate(made, 2), 0);
    assert_int_equal(green_close(made), 0);
    assert_int_equal(green_stat(other, &st), 0);
    assert_int_equal(st.st_size, 2);
    assert_int_equal(green_rename(other, name), 0);
    assert_fails(green_stat(other, &st), ENOENT);
    assert_int_equal(green_fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_size, 2);
    int dir = green_open("/tmp", O_PATH | O_CLOEXEC);
    int again = green_openat(dir, strrchr(name, '/') + 1, O_RDONLY | O_CLOEXEC);
    assert_true(again > dir);
    assert_int_equal(green_close(again), 0);
    assert_int_equal(green_close(dir), 0);
    assert_int_equal(green_unlink(name), 0);
    assert_fails(green_stat(name, &st), ENOENT);
}

/* ---- a slow disk ---- */

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

static int join(green_thread *t)
{
    int result = -1000;
    assert_int_equal(green_join(t, &result), 0);
    return result;
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
    assert_int_equal(fds_open(), fds);
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

/* ---- sendfile ---- */

static int receive(void *arg)
{
    static char buf[300000];
    size_t n = 0;
    for (ssize_t r; (r = green_read(*(int *)arg, buf + n, sizeof buf - n)) > 0;)
        n += (size_t)r;
    for (size_t i = 0; i < n; i++)
        if (buf[i] != (char)(i >> 4))
            return -1;
    return (int)n;
}

/* Scenario 134: offsets, the file's position, ends; more than the socket has room for. */
static void sending_files(void **state)
{
    enum { SIZE = 200000 };
    static char data[SIZE];
    int pair[2];
    off_t at = 3;
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i >> 4);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(green_pwrite(fd, data, SIZE, 0), SIZE);
    green_thread *t = green_spawn(receive, &pair[1]);
    assert_int_equal(green_sendfile(pair[0], fd, NULL, 100000), 100000);
    assert_int_equal(position(), 100000);
    cold = true;
    at = 100000;
    assert_int_equal(green_sendfile(pair[0], fd, &at, 1000000), 100000); /* to the end */
    assert_int_equal(at, SIZE);
    assert_int_equal(position(), 100000);
    assert_int_equal(green_sendfile(pair[0], fd, &at, 10), 0);
    assert_int_equal(green_close(pair[0]), 0);
    assert_int_equal(join(t), SIZE);
    assert_int_equal(green_close(pair[1]), 0);
    at = -1;
    assert_fails(green_sendfile(fd, fd, &at, 1), EINVAL);
    assert_int_equal(pipe(pair), 0);
    assert_fails(green_sendfile(fd, pair[0], NULL, 1), ESPIPE);
    at = 0;
    assert_fails(green_sendfile(-1, fd, &at, 1), EBADF);
    assert_int_equal(at, 0);
    green_close(pair[0]);
    green_close(pair[1]);
}

/* Given up half-way it says how much went, and the position is there. */
static void sending_given_up(void **state)
{
    static char data[1 << 20], buf[1 << 20];
    int pair[2];
    ssize_t sent = 0;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(green_pwrite(fd, data, sizeof data, 0), sizeof data);
    green_within(200 * GREEN_MS)
        sent = green_sendfile(pair[0], fd, NULL, sizeof data);
    assert_true(sent > 0 && sent < (ssize_t)sizeof data);
    assert_int_equal(position(), sent);
    assert_int_equal(green_close(pair[0]), 0);
    ssize_t came = 0;
    for (ssize_t r; (r = green_read(pair[1], buf, sizeof buf)) > 0;)
        came += r;
    assert_int_equal(came, sent);
    assert_int_equal(green_close(pair[1]), 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_and_writes),
        TEST(reads_and_writes_by_jobs),
        TEST(half_cached),
        TEST(large_ones),
        TEST(appending),
        TEST(direct),
        TEST(errors),
        TEST(paths),
        TEST(others_run_meanwhile),
        TEST(users_of_a_position_take_turns),
        TEST(reads_given_up),
        TEST(writes_given_up),
        TEST(parts),
        TEST(closed_meanwhile),
        TEST(opening_given_up),
        TEST(fifos),
        TEST(sending_files),
        TEST(sending_given_up),
        cmocka_unit_test(as_before),
    };
    if (green_hubs(2) != 2)
        return 1;
    threads = os_threads();
    sem_init(&turned, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
