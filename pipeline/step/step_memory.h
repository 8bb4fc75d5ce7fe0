/* step_memory.h -- upper bounds on the memory of a training step, known before anything is
 * allocated, so that plan can ask, too.
 *
 * Lists have memory for the worst case, every latent active in every row, since pages that are
 * never touched cost nothing.  What is planned for is what a first batch fills, when thresholds
 * have not yet learnt to leave out anything.
 */
#ifndef STEP_MEMORY_H
#define STEP_MEMORY_H

#include "shard/h5.h"
#include "shard/store.h"
#include "step/batch.h"

/* What the steps of some trainings, which share the memory of a step, need at most. */
struct step_needs {
    int64_t      batch;
    struct shape shape;         /* the widest of each */
    int          groups, residuals;     /* the most of each */
    bool         dense;         /* some training takes dense products, at least when it starts */
    bool         skip;          /* some transcoder has a skip matrix */
    bool         short_tile;    /* some dictionary does not end with a whole tile */
    bool         overlaps;      /* some architecture may list an entry in both sections */
    double       found, kept;   /* entries that a pass finds in a batch, and that it keeps */
    enum precision precision;   /* bf16 if one training's is */
};

/* Add the needs of a training.  Local. */
void step_needs_add(struct step_needs *needs, const struct recipe *recipe, struct shape shape);

/* The sizes of everything, for the rank that gets most. */
struct step_sizes {
    struct step_needs needs;
    int        ranks, threads;
    enum store store;                           /* of residuals and of the encoder's input */
    int64_t    row_blocks;
    int64_t    column_blocks, tiles;            /* in all */
    int64_t    own_column_blocks, own_tiles;
    int64_t    own_columns, own_latents;        /* with the last block and tile full */
    int64_t    entries, own_entries;            /* the worst case: of all latents, of the own */
    double     own_share;                       /* of the entries, that are in own latents */
};

struct step_sizes step_sizes_of(const struct step_needs *needs, int ranks, int threads);

#endif
