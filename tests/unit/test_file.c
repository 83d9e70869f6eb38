/* test_file.c - what the calls on files do (green/file.h), in the page cache and by jobs. */
#include "disk.h"

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
    for (int64_t bound = 50 * GREEN_MS; sent <= 0 && bound < 20 * GREEN_SEC; bound *= 4)
        green_within(bound) /* a slow disk may have given nothing by then */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_and_writes), TEST(reads_and_writes_by_jobs),
        TEST(half_cached),      TEST(large_ones),
        TEST(appending),        TEST(direct),
        TEST(errors),           TEST(paths),
        TEST(sending_files),    TEST(sending_given_up),
    };
    if (green_hubs(2) != 2)
        return 1;
    sem_init(&turned, 0, 0);
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
