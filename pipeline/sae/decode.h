/* decode.h -- the decoder's two products: codes to residuals, residuals back to codes.
 *
 * While many latents are active the lists are spread out into dense matrices, a block of
 * rows at a time, and go through BLAS; below DENSE_ABOVE the sparse kernels are faster.
 */
#ifndef DECODE_H
#define DECODE_H

#include "sae/workspace.h"

/* The share of active entries above which dense products are used.  Decided by the previous
 * batch's share, never by timing, so that it is the same on every rank, in every run.
 *
 * Measured on one core of an AVX-512 machine (EPYC, OpenBLAS 0.3.21), milliseconds of a whole
 * step, sparse and dense, at a share of 2 %, 11 % and 21 %:
 *   256 inputs, 1024 latents, 2048 rows:    20, 38, 55 and 70, 71, 74
 *   2304 inputs, 2048 latents, 1024 rows:  216, 526, 656 and 630, 632, 691
 * The lines cross near 0.30 and 0.23. */
static const double DENSE_ABOVE = 0.25;

/* Residual number g of the workspace is that of the reconstruction by the groups up to g, and
 * the one behind those of the groups is that of the entries aside, if they are decoded:
 *
 *   residual[g] = f W_dec + b_dec (+ W_skip x) - target    for the own columns
 *
 * `squares` gets the sum of squares of each block of rows and columns; then the residual of
 * group g becomes the sum of those from g on, on which its latents' gradients depend.  Rank 0
 * begins the dot products of decode_back().  `block_sums` gets the columns' sums of the first
 * one then.  Local. */
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
