#include "base/file.h"
#include "base/allocate.h"
#include "base/human.h"
#include "base/walk.h"

#include <errno.h>
#include <fcntl.h>
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
    return refuse(error == ENOMEM ? E_SPACE : E_IO, "cannot %s %s: %s", what, path,
                  strerror(error));
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
    if (st != OK)
        unlink(part);       /* the first reason stays */
    return st;
}

/* Some file systems cannot sync a folder, and say EINVAL; they keep renames in order by themselves,
 * or not at all. */
static enum status sync_one(const char *path, bool folder)
{
    const int fd = open(path, O_RDONLY);
    enum status st = OK;

    if (fd < 0)
        return file_refuse("open", path);
    if (fsync(fd) != 0 && !(folder && errno == EINVAL))
        st = file_refuse("sync to disk", path);
    close(fd);
    return st;
}

static enum status sync_place(const struct walk_place *place, void *context)
{
    (void)context;
    return place->kind == WALK_OTHER ? OK : sync_one(place->path, place->kind == WALK_FOLDER);
}

static enum status sync_folder_of(const char *path)
{
    char copy[PATH_LENGTH];

    path_print(copy, "%s", path);
    return sync_one(dirname(copy), true);
}

enum status file_publish(const char *path)
{
    char part[PATH_LENGTH];
    struct stat about;
    enum status st;

    path_print(part, "%s.part", path);
    TRY(walk_tree(part, sync_place, NULL));
    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        TRY(file_remove(path));
    TRY(rename(part, path) == 0 ? OK : file_refuse("publish", path));
    TRY(sync_folder_of(path));
done:
    return st;
}

static enum status remove_place(const struct walk_place *place, void *context)
{
    (void)context;
    return remove(place->path) == 0 || errno == ENOENT ? OK : file_refuse("remove", place->path);
}

enum status file_remove(const char *path)
{
    struct stat about;

    if (lstat(path, &about) != 0)
        return errno == ENOENT ? OK : file_refuse("find", path);
    return walk_tree(path, remove_place, NULL);
}

static enum status add_bytes(const struct walk_place *place, void *bytes)
{
    *(int64_t *)bytes += place->bytes;
    return OK;
}

enum status file_folder_size(const char *path, int64_t *bytes)
{
    *bytes = 0;
    return file_exists(path) ? walk_tree(path, add_bytes, bytes) : OK;
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
