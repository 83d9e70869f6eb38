/* green/reader.h - reading by lines, from a connection, a descriptor or whatever has bytes.
 *
 *     char room[4096], *line;
 *     green_reader r = green_reader_of_conn(c, room, sizeof room);
 *     int got;
 *     while ((got = green_reader_line(&r, &line, NULL)) > 0)
 *         green_conn_write(c, line, strlen(line));
 *     if (got < 0)
 *         fprintf(stderr, "%s\n", green_errmsg());
 *
 * It has read more than it has handed out, so read what it reads from by its calls alone. A call
 * that fails has taken nothing: after a deadline, say, the next one goes on. For one thread at a
 * time. Needs no clean-up, and allocates nothing. */
#pragma once
#include <green/conn.h>

GREEN_BEGIN_DECLS

/* Another source than those below: fill in read, source, room and size, and leave the rest zero. */
typedef struct green_reader {
    ssize_t (*read)(void *source, void *buf, size_t n); /* as read(2) */
    void *source;
    char *room;          /* the caller's memory, for what was read ahead */
    size_t size;         /* of it: a line, with what ends it, is shorter than that */
    size_t first, count; /* private: what is there, and not handed out */
} green_reader;

/* From a connection; or from a descriptor, as green_read (green/fd.h). Do not yield. */
GREEN_API green_reader green_reader_of_conn(green_conn *conn, void *room, size_t size);
GREEN_API green_reader green_reader_of_fd(int fd, void *room, size_t size);

/* The next line, in the reader's room until the next call, ended by '\0' instead of "\n" or "\r\n";
 * *length (may be NULL) without that. What is behind the last "\n" counts as a line, too, unless it
 * is nothing. 1; 0: there are no more; -1. May yield. EMSGSIZE: the line does not fit. */
GREEN_API int green_reader_line(green_reader *reader, char **line, size_t *length);

/* What follows, as bytes, as green_conn_read: at most n of them; 0 at the end; -1. May yield. */
GREEN_API ssize_t green_reader_read(green_reader *reader, void *buf, size_t n);

GREEN_END_DECLS
