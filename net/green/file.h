/* green/file.h - files on disk: the POSIX calls, green. Same names behind the prefix, same
 * arguments and results. green_read, green_write, green_readv, green_writev and green_close of
 * green/fd.h are for files, too.
 *
 * A slow disk or server stops only the green thread that waits for it. What can be read (on some
 * file systems: written) without waiting is, by one system call; all else is done by OS threads of
 * two lanes (green/offload.h): GREEN_LANE_FILES, and GREEN_LANE_PATHS for what takes a path. That
 * costs some 10 microseconds and a copy of the data.
 *
 * All may yield. ECANCELED and ETIMEDOUT mean:
 *  - a call whose turn on the lane had not come has done nothing;
 *  - else it goes on without its caller, whose memory it does not touch: what was to be written,
 *    synced, renamed may be or not. What was opened is closed again. Opening a FIFO without a
 *    partner keeps its OS thread until one comes;
 *  - a transfer of more than 256 KiB is done in parts; it returns what is known to be done, if
 *    anything is, and a write may have done up to 256 KiB more.
 *
 * The position of a descriptor moves only by calls that succeed. Its users on one hub take turns;
 * hubs, OS threads or processes that share one do not: there, use green_pread and green_pwrite.
 * Appending (O_APPEND) is always safe; up to 256 KiB are written as a whole.
 *
 * green_close while calls on the descriptor are under way closes it when they are over, those in
 * parts with the part; those that have not begun fail with EBADF. (No error of the late close is
 * told, so green_fsync first.) */
#pragma once
#include <fcntl.h>
#include <green/fd.h>
#include <sys/stat.h>

GREEN_BEGIN_DECLS

GREEN_API int green_open(const char *path, int flags, ... /* mode_t mode */);
GREEN_API int green_openat(int dir, const char *path, int flags, ... /* mode_t mode */);

GREEN_API ssize_t green_pread(int fd, void *buf, size_t count, off_t at);
GREEN_API ssize_t green_pwrite(int fd, const void *buf, size_t count, off_t at);
GREEN_API ssize_t green_preadv(int fd, const struct iovec *iov, int count, off_t at);
GREEN_API ssize_t green_pwritev(int fd, const struct iovec *iov, int count, off_t at);

/* From a file to whatever descriptor, without the caller's buffers. With `at` from there, which is
 * moved by what was sent, while the file's position stays; with NULL from the file's position.
 * Returns less than count at the end of the file, or when something has failed half-way. */
GREEN_API ssize_t green_sendfile(int to, int file, off_t *at, size_t count);

GREEN_API int green_fsync(int fd);
GREEN_API int green_fdatasync(int fd);
GREEN_API int green_ftruncate(int fd, off_t length);

GREEN_API int green_stat(const char *path, struct stat *st);
GREEN_API int green_fstat(int fd, struct stat *st);
GREEN_API int green_fstatat(int dir, const char *path, struct stat *st, int flags);
GREEN_API int green_rename(const char *from, const char *to);
GREEN_API int green_unlink(const char *path);

GREEN_END_DECLS
