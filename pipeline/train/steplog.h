/* steplog.h -- a line for every step of one autoencoder's training.
 *
 * FORMATS.md, "Training log".  The log grows as NAME.tsv.part.  It is brought to disk before
 * each checkpoint; when training goes on from one, later lines are cut off, so the finished log
 * has each step once.  Everything here is Local, for one rank.
 */
#ifndef STEPLOG_H
#define STEPLOG_H

#include "base/file.h"
#include "shard/identity.h"
#include "step/step.h"

#include <stdio.h>

struct steplog {
    char    path[PATH_LENGTH];  /* without .part */
    FILE   *file;
    int64_t lines;              /* that it must have, with the header */
    int     error;              /* of the system, at the first write that failed; 0: none */
};

/* Start a log; or, if `steps` > 0, go on with the one that is there after its first `steps` steps.
 * E_IO; E_FORMAT if it has fewer. */
enum status steplog_open(struct steplog *log, const char *path, int64_t steps);

/* Add a line.  If it cannot be written, steplog_sync() refuses, now or later.
 *   rows      trained on, this batch included
 *   variance  of the target, in normalised units */
void steplog_add(struct steplog *log, const struct step_report *report, int64_t rows,
                 double variance);

/* Bring the lines that were added to disk.  E_IO, E_SPACE. */
enum status steplog_sync(struct steplog *log);

/* End the log with its autoencoder's identity and its checksum (base/checksum.h), and give it its
 * final name.  E_IO; also if it does not have a line for each step; E_SPACE. */
enum status steplog_publish(struct steplog *log, const struct identity *identity);

/* Close; accepts a log that was never opened, or published. */
void steplog_close(struct steplog *log);

#endif
