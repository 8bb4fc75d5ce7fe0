/* resume.h -- checkpoints, from which a training goes on exactly: FORMATS.md, "Checkpoint".
 *
 * It does not depend on the number of ranks: training may go on with another.
 */
#ifndef RESUME_H
#define RESUME_H

#include "sae/training.h"

/* Write it beside the one that is there, then take its place.
 *   data   identifies the rows it is trained on (struct row_statistics, hash)
 * Collective.  E_IO, E_ROOM. */
enum status training_save(const struct training *training, uint64_t data, const char *path);

/* Give a training made from the same recipe the state of a checkpoint.  Refuses one of
 * another recipe, shape or data.  Collective.  E_IO, E_FORMAT, E_USAGE. */
enum status training_load(struct training *training, uint64_t data, const char *path);

#endif
