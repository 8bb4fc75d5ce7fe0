#include "base/path.h"
#include "base/die.h"

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
        die("a path is longer than %d characters: %s...", PATH_LENGTH - 1, path);
}

bool path_ends(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);

    return n > m && strcmp(path + n - m, ending) == 0;
}
