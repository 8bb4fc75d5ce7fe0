/* path.h -- names of files. */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>

enum { PATH_LENGTH = 1024 };

/* Most bytes of a path that a person gives: names in that folder fit into PATH_LENGTH. */
enum { PATH_LONGEST = 767 };

/* snprintf() into a path; dies if it does not fit. */
void path_print(char path[PATH_LENGTH], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Remove the slashes at the end of a folder's path, which shells add; "/" stays. */
void path_trim(char path[PATH_LENGTH]);

/* The folder that holds the folder `path`: "a" of "a/b", "." of "a", "../.." of "..". */
void path_above(char above[PATH_LENGTH], const char *path);

/* The last part of a path, or its first 255 bytes: "b" of "a/b", and of "a/b/". */
enum { PATH_NAME = 256 };
void path_name(char name[PATH_NAME], const char *path);

/* Does a path end with `ending`, such as ".txt", after at least one other character? */
bool path_ends(const char *path, const char *ending);

#endif
