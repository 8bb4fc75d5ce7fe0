#include "driver/lock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole file, and the byte of a task. */
static const struct flock WHOLE = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static struct flock byte_of(enum stage stage, int64_t task)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
                           .l_start = ((off_t)stage << 40) + task };
}

/* The number in an open lock file: who locked the whole of it last. */
static long written_in(int fd)
{
    char text[32] = "";

    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* Say who holds what we wanted of an open lock file. */
static enum status refuse_held(int fd, struct flock wanted, const char *folder)
{
    if (fcntl(fd, F_OFD_GETLK, &wanted) == 0 && wanted.l_len == 1)
        return refuse(E_USAGE, "tasks that `saemill submit` started are at work in %s; `saemill "
                      "status` shows which", folder);
    return refuse(E_USAGE, "another `saemill run` (process %ld) is at work in %s; `saemill "
                  "status` shows how far it is", written_in(fd), folder);
}

/* Does the error of a call for a lock mean that the file system has none?  NFS without its daemon,
 * Lustre without -o flock, FUSE; 524 is the kernel's own ENOTSUPP, which escapes from some. */
static bool has_no_locks(int error)
{
    return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK || error == 524;
}

/* Lock part of RUN/lock and leave it open: *fd. */
static enum status take(int *fd, const char *folder, struct flock part)
{
    char path[PATH_LENGTH];
    enum status st;

    TRY(file_make_folder(folder));
    path_print(path, "%s/lock", folder);
    *fd = open(path, O_RDWR | O_CREAT, 0666);
    if (*fd < 0)
        return refuse(E_IO, "cannot create %s: %s", path, strerror(errno));
    if (fcntl(*fd, F_OFD_SETLK, &part) == 0)
        goto done;
    if (has_no_locks(errno)) {
        fprintf(stderr, "saemill: warning: the disk of %s has no locks (%s), so nobody is kept "
                "out: start only one run there at a time\n", path, strerror(errno));
    } else {
        st = errno == EAGAIN || errno == EACCES
           ? refuse_held(*fd, part, folder)
           : refuse(E_IO, "cannot lock %s: %s", path, strerror(errno));
        close(*fd);
    }
done:
    return st;
}

enum status lock_take(const char *folder)
{
    enum status st;
    int fd;

    TRY(take(&fd, folder, WHOLE));
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        st = refuse(E_IO, "cannot write %s/lock: %s", folder, strerror(errno));
done:
    return st;
}

enum status lock_take_task(const char *folder, enum stage stage, int64_t task)
{
    int fd;

    return take(&fd, folder, byte_of(stage, task));
}

/* Who holds a lock on `part`?  The process of a run, -1 for a task, 0 for nobody. */
static long holder_of(const char *folder, struct flock part)
{
    char path[PATH_LENGTH];
    long holder = 0;

    path_print(path, "%s/lock", folder);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &part) == 0 && part.l_type != F_UNLCK)
        holder = part.l_len == 0 ? written_in(fd) : -1;
    close(fd);
    return holder;
}

long lock_holder(const char *folder)
{
    const long holder = holder_of(folder, WHOLE);

    return holder > 0 ? holder : 0;
}

bool lock_has_task(const char *folder, enum stage stage, int64_t task)
{
    return holder_of(folder, byte_of(stage, task)) < 0;
}
