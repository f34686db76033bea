/* Loaded before the C library: counts the calls that change a folder, and lets one of them fail.

   arm(folder, n, mode, ...) begins to count: the n-th call from then on (from 0) fails. Modes: an
   errno; KILL, which ends the process before the call; or HALF, which writes half and then ends it.
   A disk that is full stays full: after ENOSPC all that needs room fails.
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KILL = -1, HALF = -2 };
static char folder[PATH_MAX];
static long count, at = -1;
static int mode, armed;

void arm(const char *path, long n, int how)
{
    strncpy(folder, path, sizeof folder - 1);
    count = 0, at = n, mode = how, armed = 1;
}

long calls(void) { return count; }

static int is_below(const char *path)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static int is_open_below(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = 0;
    return is_below(path);
}

/* Whether the call fails now: 0, or an errno, or HALF. */
static int fails(int needs_room)
{
    long now = count++;
    if (now == at) {
        if (mode == KILL || (mode == HALF && !needs_room))
            kill(getpid(), SIGKILL);
        return mode;
    }
    return at >= 0 && now > at && mode == ENOSPC && needs_room ? ENOSPC : 0;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))
#define FAIL_IF(condition, needs_room)                                                             \
    if (armed && (condition)) {                                                                    \
        int error = fails(needs_room);                                                             \
        if (error == HALF)                                                                         \
            kill(getpid(), SIGKILL);                                                               \
        if (error) {                                                                               \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
    }

ssize_t write(int fd, const void *data, size_t n)
{
    if (armed && is_open_below(fd)) {
        int error = fails(1);
        if (error == HALF) {
            REAL(ssize_t, "write", int, const void *, size_t)(fd, data, n / 2);
            kill(getpid(), SIGKILL);
        }
        if (error) {
            errno = error;
            return -1;
        }
    }
    return REAL(ssize_t, "write", int, const void *, size_t)(fd, data, n);
}

int fsync(int fd)
{
    FAIL_IF(is_open_below(fd), 0)
    return REAL(int, "fsync", int)(fd);
}

int rename(const char *source, const char *target)
{
    FAIL_IF(is_below(source), 0)
    return REAL(int, "rename", const char *, const char *)(source, target);
}

int mkdir(const char *path, mode_t bits)
{
    FAIL_IF(is_below(path), 1)
    return REAL(int, "mkdir", const char *, mode_t)(path, bits);
}

int unlink(const char *path)
{
    FAIL_IF(is_below(path), 0)
    return REAL(int, "unlink", const char *)(path);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t bits = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL_IF((flags & O_CREAT) && is_below(path), 1)
    return REAL(int, "open64", const char *, int, ...)(path, flags, bits);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t bits = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL_IF((flags & O_CREAT) && is_below(path), 1)
    return REAL(int, "open", const char *, int, ...)(path, flags, bits);
}
