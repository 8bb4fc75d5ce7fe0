/* decode.h -- the decoder's two products: codes to residuals, residuals back to codes.
 *
 * Entry by entry (slice.h), or, while many latents are active, by dense products (dense.h).
 */
#ifndef DECODE_H
#define DECODE_H

#include "sae/workspace.h"

/* Residual number g of the workspace is that of the reconstruction by the groups up to g, and
 * the one behind those of the groups is that of the entries aside, if they are decoded:
 *
 *   residual[g] = f W_dec + b_dec (+ W_skip x) - target    for the own columns
 *
 * To be called in every turn; with the last one they are complete.  Then `squares` gets the sum of
 * squares of each block of rows and columns, and the residual of group g becomes the sum of those
 * from g on, on which its latents' gradients depend.  `block_sums` gets the columns' sums of the
 * first one.  Where there is one turn, rank 0 begins the dot products of decode_back().  Local. */
void decode(const struct training *training, struct workspace *workspace);

/* dots = residual . decoder row at every entry, over all columns, on every rank.  To be called
 * after decode().  Collective. */
void decode_back(const struct training *training, struct workspace *workspace);

/* How many groups of latents have a residual of their own. */
static inline int group_count(const struct training *training)
{
    return training->recipe.prefixes > 0 ? training->recipe.prefixes : 1;
}

/* The derivative of the loss by a residual is this times it. */
static inline double residual_scale(const struct training *training, const struct workspace *w)
{
    return 2 / ((double)w->batch * group_count(training));
}

/* Where a group's entries begin and end in each row.  [batch] */
static inline const int32_t *group_start(const struct workspace *w, int group)
{
    return group == 0 ? w->rows->start : w->cuts[group];
}

static inline const int32_t *group_end(const struct workspace *w, int group, int groups)
{
    return group == groups - 1 ? w->rows->middle : w->cuts[group + 1];
}

#endif
