/* ownership.h -- a run folder belongs to one suite.
 *
 * In a run folder, a file that exists is complete; but it is the right one only for the suite that
 * made it.  So the folder keeps the effective suite, RUN/suite.yaml, and its checksum.  A
 * suite that differs is refused while anything exists that depends on the difference.
 */
#ifndef OWNERSHIP_H
#define OWNERSHIP_H

#include "base/refuse.h"

enum { OWNERSHIP_LIST = 128 };

/* Refuse if the suite file `source`, with the effective text `text`, would itself be replaced by
 * the claim, that is, if it is RUN/suite.yaml and not the claim of this very suite.  Local.
 * E_USAGE. */
enum status ownership_check_source(const char *run, const char *text, const char *source);

/* Refuse the file `path` if the effective suite `made` that it was made with differs from `text` in
 * a value that is not technical, in the sections from "model" to the one before `until`.
 * Local.  E_USAGE. */
enum status ownership_check_made(const char *path, const char *made, const char *text,
                                 const char *until);

/* Claim the run folder `run` for a suite whose effective text is `text`, or refuse.  Technical
 * values may change (schema.h), and groups of autoencoders may be added after the others.
 * Local; one process of a run calls it.  E_USAGE names the value and what was made with it;
 * E_FORMAT if RUN/suite.yaml is not whole; E_IO, E_SPACE. */
enum status ownership_claim(const char *run, const char *text);

/* The folders of the stage `first` and those after it, those that exist: "train, release".
 * Returns whether there are any.  Local. */
bool ownership_list_made(char list[OWNERSHIP_LIST], const char *run, const char *first);

/* Write the file `name` of the run folder whole, although other processes may write the same at
 * this moment: E_IO then if one of them has swept before it is published.  Local.  E_SPACE. */
enum status ownership_write(const char *run, const char *name, const char *content);

/* Remove unfinished files `name`, of processes that were killed in ownership_write(), and nothing
 * else; to be called when a complete one is there.  What cannot be removed does no harm.  Local. */
void ownership_sweep(const char *run, const char *name);

#endif
