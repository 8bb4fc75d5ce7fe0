#include "base/walk.h"
#include "base/die.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void walk_names_free(struct walk_names *names)
{
    for (int64_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct walk_names){0};
}

/* The capacity doubles whenever the count reaches a power of two. */
static void append(struct walk_names *names, const char *name)
{
    if ((names->count & (names->count - 1)) == 0) {
        const size_t capacity = names->count == 0 ? 1 : 2 * (size_t)names->count;

        names->name = realloc(names->name, capacity * sizeof *names->name);
        if (names->name == NULL)
            die("no memory for a list of %zu files", capacity);
    }
    names->name[names->count] = strdup(name);
    if (names->name[names->count++] == NULL)
        die("no memory for a list of files");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Read the names.  Returns 0, or the error of the system. */
static int read_names(struct walk_names *names, const char *folder)
{
    DIR *open = opendir(folder);
    const struct dirent *entry;
    int error;

    *names = (struct walk_names){0};
    if (open == NULL)
        return errno;
    while ((void)(errno = 0), (entry = readdir(open)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            append(names, entry->d_name);
    error = errno;      /* 0 at the end of the folder */
    closedir(open);
    if (names->count > 0)
        qsort(names->name, (size_t)names->count, sizeof *names->name, by_bytes);
    return error;
}

enum status walk_names(struct walk_names *names, const char *folder)
{
    const int error = read_names(names, folder);
    enum status st;

    REQUIRE(error == 0, E_IO, "cannot list the folder %s: %s", folder, strerror(error));
done:
    if (st != OK)
        walk_names_free(names);
    return st;
}

static enum status visit_below(const char *path, walk_visit *visit, void *context);

/* The content of a folder.  Sets *gone if the folder vanished. */
static enum status visit_content(const char *folder, walk_visit *visit, void *context, bool *gone)
{
    char path[PATH_LENGTH];
    struct walk_names names;
    const int error = read_names(&names, folder);
    enum status st = OK;

    *gone = error == ENOENT;
    REQUIRE(error == 0 || *gone, E_IO, "cannot list the folder %s: %s", folder, strerror(error));
    for (int64_t i = 0; i < names.count && !*gone; i++) {
        path_print(path, "%s/%s", folder, names.name[i]);
        TRY(visit_below(path, visit, context));
    }
done:
    walk_names_free(&names);
    return st;
}

static enum status visit_below(const char *path, walk_visit *visit, void *context)
{
    struct walk_place place = { .path = path, .kind = WALK_OTHER };
    struct stat about;
    bool gone = false;
    enum status st = OK;

    if (lstat(path, &about) != 0) {
        gone = errno == ENOENT;
        REQUIRE(gone, E_IO, "cannot find %s: %s", path, strerror(errno));
    } else if (S_ISDIR(about.st_mode)) {
        place.kind = WALK_FOLDER;
        TRY(visit_content(path, visit, context, &gone));
    } else if (S_ISREG(about.st_mode)) {
        place.kind = WALK_FILE;
        place.bytes = about.st_size;
    }
    if (!gone)
        TRY(visit(&place, context));
done:
    return st;
}

enum status walk_tree(const char *path, walk_visit *visit, void *context)
{
    struct stat about;
    enum status st;

    REQUIRE(lstat(path, &about) == 0, E_IO, "cannot find %s: %s", path, strerror(errno));
    TRY(visit_below(path, visit, context));
done:
    return st;
}
