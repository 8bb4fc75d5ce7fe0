#include "base/path.h"
#include "base/die.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void path_print(char path[PATH_LENGTH], const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(path, PATH_LENGTH, format, args);
    va_end(args);
    if (n < 0 || n >= PATH_LENGTH)
        die_as(E_USAGE, "a path is longer than %d characters: %s...", PATH_LENGTH - 1, path);
}

void path_trim(char path[PATH_LENGTH])
{
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
}

void path_above(char above[PATH_LENGTH], const char *path)
{
    char copy[PATH_LENGTH];

    path_print(copy, "%s", path);
    path_trim(copy);
    if (strcmp(copy, ".") == 0)
        path_print(above, "..");
    else if (strcmp(copy, "..") == 0 || path_ends(copy, "/.") || path_ends(copy, "/.."))
        path_print(above, "%s/..", copy);
    else
        path_print(above, "%s", dirname(copy));
}

void path_name(char name[PATH_NAME], const char *path)
{
    char copy[PATH_LENGTH];

    path_print(copy, "%s", path);
    path_trim(copy);
    const char *slash = strrchr(copy, '/');
    snprintf(name, PATH_NAME, "%.255s", slash == NULL ? copy : slash + 1);
}

bool path_ends(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);

    return n > m && strcmp(path + n - m, ending) == 0;
}
