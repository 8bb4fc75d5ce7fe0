/* suite.h -- the suite file: what a person asks for, with a default for all but a few keys.
 *
 * jobs/explained.yaml shows every key with its default, unit and meaning; keys.def is the
 * table it is made from.  Relative paths in a suite file are relative to the folder in
 * which the program is started.
 */
#ifndef SUITE_H
#define SUITE_H

#include "base/run.h"
#include "suite/keys.h"

#include <stdio.h>

enum { SUITE_PLACE = 1100 };

/* Refuse what is far too long to be a suite file, before it is read.  Local.  E_IO, E_USAGE. */
enum status suite_check_file(const char *path);

/* Read and check the suite file of a stage's run, which must have this stage, and make the run
 * folder its own (ownership.h).  Rank 0 reads, all ranks parse the same bytes.  `suite` is filled
 * from the file and the defaults; suite_free() empties it.
 * Collective.  E_IO, E_SPACE, E_USAGE (with file, line and what would be right). */
enum status suite_read(struct suite *suite, const struct run *run);

/* The same from the text of a file; `path` is only for messages.  After a failure
 * `suite` is to be freed as well.  Local.  E_USAGE. */
enum status suite_parse(struct suite *suite, const char *yaml, const char *path);

void suite_free(struct suite *suite);

/* Within how many consecutive rows does the shuffle move a row, of a stream of `rows`?  Local. */
int64_t suite_bucket(const struct suite *suite, int64_t rows);

/* Make `text` from the members again.  Local. */
void suite_render(struct suite *suite);

/* Write the keys of a section on which results depend, "NAME: VALUE" a line, but for paths; of
 * "saes" those that are no lists.  `values` is the section's struct, such as a struct suite_train.
 * Local. */
void suite_write_values(FILE *out, const char *section, const void *values);

/* "FILE:LINE" of a key in the file that the suite was read from (of group number `entry`, if
 * `section` is "saes"), for messages.  Returns `place`.  Local. */
const char *suite_place(char place[SUITE_PLACE], const struct suite *suite, const char *section,
                        unsigned entry, const char *name);

#endif
