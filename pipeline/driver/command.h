/* command.h -- ask a program of the system, and read its answer. */
#ifndef COMMAND_H
#define COMMAND_H

#include "base/refuse.h"

#include <stdio.h>

/* Run a shell command and read what it prints, up to a NUL.  Caller frees.  Local.
 * E_IO if it cannot be started or fails; what it said of that is on standard error. */
enum status command_read(char **output, const char *command);

/* Is there a program of this name in PATH?  Local. */
bool command_exists(const char *name);

/* Write a space and a word so that a shell takes the word as it is. */
void command_write_word(FILE *out, const char *word);

#endif
