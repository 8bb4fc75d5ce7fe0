/* path_value.h -- paths in a suite file, written as one writes them in a shell. */
#ifndef PATH_VALUE_H
#define PATH_VALUE_H

#include "base/refuse.h"

#include <stdio.h>

/* Expand "~/" at the front to the home folder, $NAME and ${NAME} to the environment's, and $$ to
 * one dollar.  `place` begins the messages: file, line and key.  Caller frees. Local.  E_USAGE: a
 * variable that is not set, another use of ~ or $, a path that is too long. */
enum status path_value_expand(char **path, const char *text, const char *place);

/* Write dollars of a path doubled, so that it is read as it is.  `text` is any part of it. */
void path_value_write(FILE *out, const char *text);

#endif
