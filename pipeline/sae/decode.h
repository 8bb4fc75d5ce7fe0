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

/* Copy some of the own columns of the first `count` residuals, SLICE_COLUMNS of them at most, into
 * slices (slice.h), one behind the other.  Those that are not kept are made anew, with the decoder
 * as it is.  To be called after decode(), from outside of parallel regions.
 *   returns   [count][batch, columns]   in `shared`
 * Local. */
void *slice_residuals(const struct training *training, struct workspace *workspace, int count,
                      struct range columns);

/* Is residual number r of a step kept until its end?  While latents take turns, and where products
 * are dense, all are.  Else those that need not be are made where they are used: of a Matryoshka
 * all, of Gated that of its gates, of which only dot products are made.  It costs the entries' part
 * of decode() once more, and spares two bytes a value, or four. */
bool residual_kept(const struct training *training, const struct workspace *workspace, int r);
bool residual_kept_at_once(const struct recipe *recipe, int r);

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
