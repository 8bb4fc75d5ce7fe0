/* resume.h -- checkpoints, from which a training goes on exactly: FORMATS.md, "Checkpoint".
 *
 * It does not depend on the number of ranks: training may go on with another.  The newest
 * checkpoint and the one before it are kept, so that one that is damaged costs only time.
 */
#ifndef RESUME_H
#define RESUME_H

#include "base/file.h"
#include "step/training.h"

enum { CHECKPOINTS = 2 };

/* Where the checkpoint number `age` of an autoencoder is, 0 being the newest.
 *   stem   path of the autoencoder's files, without ending */
void resume_path(char path[PATH_LENGTH], const char *stem, int age);

/* Remove all of an autoencoder.  Local.  E_IO. */
enum status resume_remove(const char *stem);

/* Write it beside the newest, then become the newest.
 *   data   identifies the rows it is trained on (struct row_statistics, hash)
 * Collective.  E_IO, E_SPACE; E_NUMERIC if a parameter is not finite: then the ones that are
 * there stay as they are. */
enum status resume_save(const struct training *training, uint64_t data, const char *stem);

/* What resume_load() found. */
struct resumption {
    bool found;         /* there was a checkpoint */
    char damage[512];   /* what is wrong with the newest, if it is from the one before; else "" */
};

/* Give a training made from the same recipe the state of its newest checkpoint, or, if that is
 * damaged, of the one before, which takes its place.  Refuses one of another recipe, shape or
 * data.  Collective.  E_IO, E_USAGE; E_FORMAT if none that is there can be read. */
enum status resume_load(struct training *training, uint64_t data, const char *stem,
                          struct resumption *resumption);

#endif
