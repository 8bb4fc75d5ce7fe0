#include "base/file.h"
#include "base/allocate.h"
#include "base/human.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum status file_refuse(const char *what, const char *path)
{
    const int error = errno;

    if (error == ENOSPC || error == EDQUOT)
        return refuse(E_SPACE, "cannot %s %s: %s; free some space and run the same command "
                      "again, it continues where it stopped", what, path, strerror(error));
    return refuse(E_IO, "cannot %s %s: %s", what, path, strerror(error));
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum status file_size(const char *path, int64_t *bytes)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return file_refuse("find", path);
    *bytes = about.st_size;
    return OK;
}

enum status file_read(const char *path, char **bytes, int64_t *size)
{
    FILE *file = NULL;
    enum status st;

    *bytes = NULL;
    TRY(file_size(path, size));
    file = fopen(path, "rb");
    TRY(file != NULL ? OK : file_refuse("open", path));
    *bytes = allocate(*size + 1, 1);
    REQUIRE(fread(*bytes, 1, (size_t)*size, file) == (size_t)*size, E_IO,
            "cannot read %s: it has fewer than its %lld bytes", path, (long long)*size);
done:
    if (file != NULL)
        fclose(file);
    if (st != OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return st;
}

enum status file_write(const char *path, const void *bytes, int64_t size)
{
    char part[PATH_LENGTH];
    FILE *file = NULL;
    enum status st;

    path_print(part, "%s.part", path);
    TRY(file_make_folder_above(path));
    file = fopen(part, "wb");
    TRY(file != NULL ? OK : file_refuse("create", part));
    TRY(fwrite(bytes, 1, (size_t)size, file) == (size_t)size ? OK : file_refuse("write", part));
    const bool closed = fclose(file) == 0;
    file = NULL;
    TRY(closed ? OK : file_refuse("write", part));
    TRY(file_publish(path));
done:
    if (file != NULL)
        fclose(file);
    return st;
}

static enum status sync_one(const char *path)
{
    const int fd = open(path, O_RDONLY);
    enum status st = OK;

    if (fd < 0)
        return file_refuse("open", path);
    if (fsync(fd) != 0)
        st = file_refuse("sync", path);
    close(fd);
    return st;
}

/* Visitors for nftw(), which stops at the first that returns another value than 0. */
static int sync_visit(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return sync_one(path) != OK;
}

static int remove_visit(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return remove(path) != 0;
}

enum { OPEN_FOLDERS = 16 };     /* descriptors nftw() may keep open */

static enum status sync_folder_of(const char *path)
{
    char copy[PATH_LENGTH];

    path_print(copy, "%s", path);
    return sync_one(dirname(copy));
}

enum status file_publish(const char *path)
{
    char part[PATH_LENGTH];
    struct stat about;
    enum status st;

    path_print(part, "%s.part", path);
    if (nftw(part, sync_visit, OPEN_FOLDERS, FTW_PHYS | FTW_DEPTH) != 0)
        return refuse(E_IO, "cannot sync %s to disk", part);
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        TRY(file_remove(path));
    TRY(rename(part, path) == 0 ? OK : file_refuse("publish", path));
    TRY(sync_folder_of(path));
done:
    return st;
}

enum status file_remove(const char *path)
{
    struct stat about;

    if (lstat(path, &about) != 0)
        return errno == ENOENT ? OK : file_refuse("find", path);
    if (nftw(path, remove_visit, OPEN_FOLDERS, FTW_PHYS | FTW_DEPTH) != 0)
        return file_refuse("remove", path);
    return OK;
}

/* The sum of size_visit(): nftw() cannot pass a context to it. */
static int64_t folder_bytes;

static int size_visit(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)path, (void)where;
    folder_bytes += type == FTW_F ? about->st_size : 0;
    return 0;
}

enum status file_folder_size(const char *path, int64_t *bytes)
{
    folder_bytes = 0;
    if (nftw(path, size_visit, OPEN_FOLDERS, FTW_PHYS) != 0 && errno != ENOENT)
        return file_refuse("look into", path);
    *bytes = folder_bytes;
    return OK;
}

enum status file_make_folder(const char *path)
{
    char folder[PATH_LENGTH];

    path_print(folder, "%s", path);
    for (char *slash = folder + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return file_refuse("make the folder", folder);
        *slash = '/';
    }
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return file_refuse("make the folder", folder);
    return OK;
}

enum status file_make_folder_above(const char *path)
{
    char copy[PATH_LENGTH];

    path_print(copy, "%s", path);
    return file_make_folder(dirname(copy));
}

enum status file_check_disk(const char *path, int64_t bytes, const char *purpose)
{
    char folder[PATH_LENGTH];
    struct statvfs disk;

    path_print(folder, "%s", path);
    while (!file_exists(folder)) {
        const char *above = dirname(folder);    /* points into `folder`, or to a constant */
        memmove(folder, above, strlen(above) + 1);
    }
    if (statvfs(folder, &disk) != 0)
        return file_refuse("ask the free space of", folder);
    const double available = (double)disk.f_bavail * (double)disk.f_frsize;
    if (available < (double)bytes)
        return refuse(E_SPACE, "%s needs %s of disk under %s, which has %s free; free some "
                      "space or set 'run' to a larger disk", purpose, human_bytes((double)bytes),
                      folder, human_bytes(available));
    return OK;
}

enum status file_reserve(const char *path, int64_t bytes)
{
    const int fd = open(path, O_WRONLY);
    enum status st = OK;

    if (fd < 0)
        return file_refuse("open", path);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes) != 0 && errno != EOPNOTSUPP)
        st = file_refuse("reserve disk space for", path);
    close(fd);
    return st;
}

void file_let_go(const char *path)
{
    const int fd = open(path, O_WRONLY);

    if (fd < 0)
        return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);   /* starts to write dirty pages */
    close(fd);
}

enum status file_trim(const char *path)
{
    int64_t bytes;
    enum status st;

    TRY(file_size(path, &bytes));
    TRY(truncate(path, bytes) == 0 ? OK : file_refuse("trim", path));
done:
    return st;
}
