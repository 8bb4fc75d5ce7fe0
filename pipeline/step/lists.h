/* lists.h -- the entries of a batch by row: what encode() gives.
 *
 * An entry is a latent and its value (kernels/codes.h).  A row's list has two sections.  The values
 * of its active entries make its reconstruction.  The architecture says what its auxiliary entries
 * are for (architecture.h).  In each section latents ascend.
 */
#ifndef LISTS_H
#define LISTS_H

#include "kernels/codes.h"
#include "step/pass.h"
#include "step/step_memory.h"
#include "step/storage.h"

struct lists {
    struct pass  pass;          /* the latents that are listed; number -1: none are yet */
    struct codes rows;          /* [batch] by row, the same on every rank */
    int          groups;        /* of latents (training_groups()) */
    int32_t     *group_start[PREFIXES_MOST];    /* [batch] first entry of group g > 0 of each row;
                                                   that of group 0 is rows.start */
};

void lists_storage(struct lists *lists, const struct step_sizes *sizes, struct storage *storage);

/* Some entries of every row (or of every latent): from start[] to end[] - 1. */
struct section {
    const int32_t *start, *end;
};

/* The active entries of a group of latents; the auxiliary entries.  Local. */
struct section lists_group(const struct lists *lists, int group);
struct section lists_auxiliary(const struct lists *lists);

/* Find where the groups of a Matryoshka begin in rows that are complete.  Local. */
void lists_find_groups(struct lists *lists, const struct training *training);

/* The arrays of a list of so many groups, which may hold `entries`, and will hold `used`. */
void lists_codes_storage(struct codes *codes, int64_t groups, int64_t entries, double used,
                         struct storage *storage);

#endif
