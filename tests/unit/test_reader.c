/* Reading by lines: whatever the pieces are that the bytes come in. */
#include "net_unit.h"
#include <green/fd.h>
#include <green/reader.h>

/* A source that gives its text in pieces, and fails where it is told to. */
struct pieces {
    const char *text;
    size_t piece; /* bytes at a time */
    long fail_at; /* after so many; < 0: never */
};

static ssize_t read_piece(void *source, void *buf, size_t n)
{
    struct pieces *p = source;
    size_t left = strlen(p->text);
    n = n < p->piece ? n : p->piece;
    n = n < left ? n : left;
    if (p->fail_at == 0) {
        p->fail_at = -1;
        errno = EIO;
        return -1;
    }
    if (p->fail_at > 0 && n > (size_t)p->fail_at)
        n = (size_t)p->fail_at;
    memcpy(buf, p->text, n);
    p->text += n;
    p->fail_at -= p->fail_at > 0 ? (long)n : 0;
    return (ssize_t)n;
}

static const char text[] = "one\r\n\ntwo three\n\r\nfo\rur\nlast\r";
static const char *const lines[] = {"one", "", "two three", "", "fo\rur", "last\r"};

/* In every piece and every room that can have them, and a failure at every place takes nothing. */
static void test_lines_in_pieces(void **state)
{
    (void)state;
    for (size_t size = 11; size < 40; size++)
        for (size_t piece = 1; piece < sizeof text; piece += 3)
            for (long fail_at = -1; fail_at < (long)sizeof text; fail_at++) {
                struct pieces p = {text, piece, fail_at};
                char room[40], *line;
                size_t length;
                int failures = 0;
                green_reader r = {read_piece, &p, room, size, 0, 0};
                for (size_t i = 0; i < COUNT(lines);) {
                    int got = green_reader_line(&r, &line, &length);
                    failures += got < 0;
                    if (got < 0)
                        continue;
                    assert_int_equal(got, 1);
                    assert_string_equal(line, lines[i]);
                    assert_int_equal(length, strlen(lines[i++]));
                }
                failures += green_reader_line(&r, &line, NULL) < 0;
                assert_int_equal(failures, fail_at >= 0);
                assert_int_equal(green_reader_line(&r, &line, NULL), 0);
            }
}

static void test_nothing_at_all(void **state)
{
    struct pieces none = {"", 1, -1}, ended = {"x\n", 5, -1};
    char room[8], *line;
    (void)state;
    green_reader r = {read_piece, &none, room, sizeof room, 0, 0};
    assert_int_equal(green_reader_line(&r, &line, NULL), 0);
    r = (green_reader){read_piece, &ended, room, sizeof room, 0, 0};
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "x");
    assert_int_equal(green_reader_line(&r, &line, NULL), 0); /* no empty line behind the last */
}

/* One that is too long stays, and can be had as bytes. */
static void test_a_line_too_long(void **state)
{
    struct pieces p = {"123456789\nx", 4, -1};
    char room[8], *line, buf[16];
    (void)state;
    green_yield(); /* sentences are kept by green threads */
    green_reader r = {read_piece, &p, room, sizeof room, 0, 0};
    assert_fails(green_reader_line(&r, &line, NULL), EMSGSIZE);
    assert_fails(green_reader_line(&r, &line, NULL), EMSGSIZE);
    assert_non_null(strstr(green_errmsg(), "7 bytes"));
    assert_int_equal(green_reader_read(&r, buf, sizeof buf), 7);
    assert_memory_equal(buf, "1234567", 7);
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "89");
    r = (green_reader){read_piece, &p, room, 0, 0, 0};
    assert_fails(green_reader_line(&r, &line, NULL), EMSGSIZE);
}

/* A head of lines, then bytes: what was read ahead comes first. */
static void test_bytes_behind_lines(void **state)
{
    struct ends e = connected("tcp", "127.0.0.1:0");
    char room[64], *line, buf[64];
    (void)state;
    green_reader r = green_reader_of_conn(e.b, room, sizeof room);
    assert_int_equal(green_conn_write(e.a, "head\r\n\r\nbody", 12), 12);
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "head");
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "");
    assert_int_equal(green_reader_read(&r, buf, 3), 3);
    assert_int_equal(green_reader_read(&r, buf + 3, sizeof buf), 1);
    assert_memory_equal(buf, "body", 4);
    assert_int_equal(green_conn_write(e.a, "more", 4), 4);
    assert_int_equal(green_reader_read(&r, buf, sizeof buf), 4);
    assert_int_equal(green_conn_shutdown(e.a), 0);
    assert_int_equal(green_reader_read(&r, buf, sizeof buf), 0);
    assert_int_equal(green_reader_line(&r, &line, NULL), 0);
    disconnect(e);
}

/* A deadline in the middle of a line, and the line goes on. */
static void test_a_deadline_loses_nothing(void **state)
{
    int p[2], got = 0;
    char room[16], *line;
    (void)state;
    assert_int_equal(pipe(p), 0);
    green_reader r = green_reader_of_fd(p[0], room, sizeof room);
    assert_int_equal(green_write(p[1], "a li", 4), 4);
    green_within(GREEN_MS)
        assert_fails(green_reader_line(&r, &line, NULL), ETIMEDOUT);
    assert_true(green_expired());
    assert_int_equal(green_write(p[1], "ne\nand ano", 10), 10);
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "a line");
    green_within(0)
        got = green_reader_line(&r, &line, NULL);
    assert_int_equal(got, -1);
    green_close(p[1]);
    assert_int_equal(green_reader_line(&r, &line, NULL), 1);
    assert_string_equal(line, "and ano");
    assert_int_equal(green_reader_line(&r, &line, NULL), 0);
    green_close(p[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_in_pieces),          cmocka_unit_test(test_nothing_at_all),
        cmocka_unit_test(test_a_line_too_long),          cmocka_unit_test(test_bytes_behind_lines),
        cmocka_unit_test(test_a_deadline_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
