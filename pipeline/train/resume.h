/* resume.h -- checkpoints, from which a training goes on to the same bits.
 *
 * FORMATS.md, "Checkpoint".  A checkpoint does not depend on the number of ranks: training may go
 * on with another number.  The newest checkpoint and the one before it are kept, so that a damaged
 * one costs only time.
 */
#ifndef RESUME_H
#define RESUME_H

#include "base/file.h"
#include "shard/identity.h"
#include "step/training.h"

enum { CHECKPOINTS = 2 };

/* The path of an autoencoder's checkpoint number `age`, from 0, the newest.
 *   stem   path of the autoencoder's files, without ending */
void resume_path(char path[PATH_LENGTH], const char *stem, int age);

/* Remove all checkpoints of an autoencoder.  Local.  E_IO. */
enum status resume_remove(const char *stem);

/* What a checkpoint was made from. */
struct checkpoint_source {
    uint64_t        data;       /* the rows of the training (struct row_statistics, hash) */
    struct identity identity;   /* of the autoencoder's files */
};

/* Write a checkpoint next to the newest one, and make it the newest when it is complete.
 * Collective.  E_IO, E_SPACE; E_NUMERIC if a parameter is not finite: then the checkpoints stay as
 * they are. */
enum status resume_save(const struct training *training, const struct checkpoint_source *source,
                        const char *stem);

/* What resume_load() found. */
struct resumption {
    bool found;         /* there was a checkpoint */
    char damage[512];   /* what is wrong with the newest, if it is from the one before; else "" */
};

/* Load the newest checkpoint into a training that was made from the same recipe.  If it is damaged,
 * load the one before, which then becomes the newest.  Collective.  E_IO; E_USAGE if the checkpoint
 * has another recipe, source or place; E_FORMAT if there are checkpoints and none can be read. */
enum status resume_load(struct training *training, const struct checkpoint_source *source,
                        const char *stem, struct resumption *resumption);

#endif
