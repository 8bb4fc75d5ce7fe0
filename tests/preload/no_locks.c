/* A file system without locks: preloaded, flock() and fcntl()'s locks fail with error $NO_LOCKS. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

typedef int fcntl_call(int fd, int command, ...);

static bool asks_for_lock(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_GETLK
           || command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

static int refuse_lock(void)
{
    const char *error = getenv("NO_LOCKS");

    errno = error != NULL ? atoi(error) : ENOLCK;
    return -1;
}

int flock(int fd, int operation)
{
    (void)fd, (void)operation;
    return refuse_lock();
}

int fcntl(int fd, int command, ...)
{
    fcntl_call *real;
    va_list args;

    *(void **)&real = dlsym(RTLD_NEXT, "fcntl");
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return asks_for_lock(command) ? refuse_lock() : real(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    va_list args;

    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    return fcntl(fd, command, argument);
}
