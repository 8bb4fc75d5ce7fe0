#include "driver/lock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number in an open lock file: who took the lock last. */
static long written_in(int fd)
{
    char text[32] = "";

    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

enum status lock_take(const char *folder)
{
    char path[PATH_LENGTH];
    enum status st;

    TRY(folder_make(folder));
    path_print(path, "%s/lock", folder);
    const int fd = open(path, O_RDWR | O_CREAT, 0666);
    if (fd < 0)
        return refuse(E_IO, "cannot create %s: %s", path, strerror(errno));
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        const int error = errno;
        const long holder = written_in(fd);
        close(fd);
        if (error != EAGAIN && error != EACCES)
            return refuse(E_IO, "cannot lock %s: %s", path, strerror(error));
        return refuse(E_USAGE, "another `saemill run` (process %ld) is at work in %s; `saemill "
                      "status` shows how far it is", holder, folder);
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        st = refuse(E_IO, "cannot write %s: %s", path, strerror(errno));
done:
    return st;
}

long lock_holder(const char *folder)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[PATH_LENGTH];
    long holder = 0;

    path_print(path, "%s/lock", folder);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK)
        holder = written_in(fd);
    close(fd);
    return holder;
}
