/* sbatch.h -- what is submitted, in the words of sbatch.
 */
#ifndef SBATCH_H
#define SBATCH_H

#include "base/file.h"
#include "base/split.h"
#include "lm/config.h"
#include "suite/stages.h"

/* What the commands of one suite have in common. */
struct sbatch {
    const struct suite *suite;
    const char *path;               /* of the suite file */
    char        root[PATH_LENGTH];  /* where bin/ and slurm/ are */
    struct lm_config model;
    int         digits;             /* of an index in an array */
};

/* A job array for those tasks of `chunk` that are `chosen` (by task number); a task's index is
 * its place in the chunk.  `dependency` is as sbatch wants it, and may name variables of the
 * shell; "" if there is none.  Caller frees. */
char *sbatch_array(const struct sbatch *sbatch, enum stage stage, const bool *chosen,
                   struct range chunk, const char *dependency);

/* A job that calls `saemill submit` again.  Caller frees. */
char *sbatch_rest(const struct sbatch *sbatch, const char *dependency);

#endif
