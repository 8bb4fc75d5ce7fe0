/* residuals.h -- the errors of the reconstructions of a batch: what decode() gives.
 *
 * Residual number g is that of the reconstruction by the groups of latents up to g (a Matryoshka
 * has several groups, the others one).  After those of the groups comes that of the auxiliary
 * entries, if they are decoded:
 *
 *   residual = f W_dec + b_dec (+ W_skip x) - target        for the own columns
 *
 * When they are complete that of group g becomes the sum of those from g on, on which its latents'
 * gradients depend.
 */
#ifndef RESIDUALS_H
#define RESIDUALS_H

#include "kernels/slice.h"
#include "step/lists.h"
#include "step/step_scratch.h"

enum { RESIDUALS_MOST = PREFIXES_MOST + 1 };

struct residuals {
    int    groups, count;       /* of latents; of residuals: one more with auxiliary entries */
    int    stored;              /* the first ones, which others than decode() need */
    struct packed_rows rows[RESIDUALS_MOST];    /* [batch, own columns] in the precision of
                                                   products */
    double *squares;            /* [count, own column blocks, row blocks] sums of squares */
    double *column_sums;        /* [row blocks, own columns] of number 0 */
};

void residuals_storage(struct residuals *residuals, const struct step_sizes *sizes,
                       struct storage *storage);

/* Begin a batch of this training.
 *   dots_complete   decode() makes all dot products of the residuals, on this rank in this pass
 * Local. */
void residuals_begin(struct residuals *residuals, const struct training *training,
                     bool auxiliary_decoded, bool dots_complete);

/* Is it the residual of auxiliary entries?  The entries that are added in it.  Local. */
bool           residuals_is_auxiliary(const struct residuals *residuals, int r);
struct section residuals_section(const struct residuals *residuals, const struct lists *lists,
                                 int r);

/* The derivative of the loss by a group's residual is this times it. */
double residuals_scale(const struct training *training);

/* Place of the sum of squares of residual r, of a block of columns and one of rows. */
double *residuals_square(const struct residuals *residuals, int64_t rows, int r,
                         int64_t column_block, int64_t row_block);

/* A block of rows and of own columns, SLICE_COLUMNS at most, of all residuals, while a thread works
 * on it in its own scratch.  Rows are counted from the first one of the block. */
struct residual_block {
    struct range rows, columns;
    int          count;
    float       *value[RESIDUALS_MOST];     /* [rows, SLICE_COLUMNS] columns filled up with zeros */
};

/* Local, called by all threads. */
struct residual_block residuals_block(const struct residuals *residuals,
                                      const struct step_scratch *scratch, struct range rows,
                                      struct range columns);
void residuals_load(const struct residuals *residuals, const struct residual_block *block);
void residuals_store(const struct residuals *residuals, const struct residual_block *block);

static inline float *residuals_row(const struct residual_block *block, int r, int64_t row)
{
    return block->value[r] + row * SLICE_COLUMNS;
}

/* Floats that the blocks of a thread take. */
int64_t residuals_block_floats(const struct step_sizes *sizes);

#endif
