/* reader.c - see green/reader.h. What is there stands at room[first], `count` bytes of it; the last
 * byte of the room is never read into, so that a line has place for its '\0'. */
#include "error.h"
#include <errno.h>
#include <green/fd.h>
#include <green/reader.h>
#include <string.h>

static ssize_t read_conn(void *source, void *buf, size_t n)
{
    return green_conn_read(source, buf, n);
}

static ssize_t read_fd(void *source, void *buf, size_t n)
{
    return green_read((int)(intptr_t)source, buf, n);
}

GREEN_API green_reader green_reader_of_conn(green_conn *conn, void *room, size_t size)
{
    return (green_reader){read_conn, conn, room, size, 0, 0};
}

GREEN_API green_reader green_reader_of_fd(int fd, void *room, size_t size)
{
    return (green_reader){read_fd, (void *)(intptr_t)fd, room, size, 0, 0};
}

/* Read some more behind what is there. */
static ssize_t more(green_reader *r)
{
    if (r->first > 0)
        memmove(r->room, r->room + r->first, r->count);
    r->first = 0;
    if (r->count + 1 >= r->size)
        return fail(EMSGSIZE,
                    "a line is longer, with its end, than the %zu bytes that there is room for",
                    r->count);
    ssize_t n = r->read(r->source, r->room + r->count, r->size - 1 - r->count);
    r->count += n > 0 ? (size_t)n : 0;
    return n;
}

/* Hand out a line of so many bytes, and `end` that end it. */
static int hand_out(green_reader *r, size_t length, size_t end, char **line, size_t *count)
{
    char *text = r->room + r->first;
    r->first += length + end;
    r->count -= length + end;
    if (end > 0 && length > 0 && text[length - 1] == '\r')
        length--;
    text[length] = '\0';
    *line = text;
    if (count != NULL)
        *count = length;
    return 1;
}

GREEN_API int green_reader_line(green_reader *r, char **line, size_t *length)
{
    for (size_t seen = 0;;) {
        const char *text = r->room + r->first;
        const char *end = memchr(text + seen, '\n', r->count - seen);
        if (end != NULL)
            return hand_out(r, (size_t)(end - text), 1, line, length);
        seen = r->count;
        ssize_t n = more(r);
        if (n < 0)
            return -1;
        if (n == 0)
            return r->count > 0 ? hand_out(r, r->count, 0, line, length) : 0;
    }
}

GREEN_API ssize_t green_reader_read(green_reader *r, void *buf, size_t n)
{
    if (r->count == 0)
        return r->read(r->source, buf, n);
    size_t part = n < r->count ? n : r->count;
    memcpy(buf, r->room + r->first, part);
    r->first += part;
    r->count -= part;
    return (ssize_t)part;
}
