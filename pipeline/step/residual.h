/* residual.h -- the residuals of a step, a block of all of them at a time.
 *
 * Residual number g is that of the reconstruction by the groups of latents up to g, and the one
 * behind those of the groups is that of the entries aside, if they are decoded:
 *
 *   residual[g] = f W_dec + b_dec (+ W_skip x) - target    for the own columns
 *
 * When they are complete that of group g becomes the sum of those from g on, on which its latents'
 * gradients depend, and all are rounded to the precision in which they are multiplied.
 *
 * While latents take turns, and where products are dense, residuals are kept until the step ends.
 * Else those that need not be are made anew where they are used: of a Matryoshka all, those of the
 * entries aside, and the first while lists are long (turns.h).  It costs their entries' part of
 * decode() once more, and spares two bytes a value, or four.
 *
 * All here is local, and but for what is asked of a recipe called by all threads.
 */
#ifndef RESIDUAL_H
#define RESIDUAL_H

#include "kernels/slice.h"
#include "step/dense.h"
#include "step/workspace.h"

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

/* How many there are in this step; number r with the entries that are added in it. */
int            residual_count(const struct training *training, const struct workspace *workspace);
struct section residual_section(const struct training *training,
                                const struct workspace *workspace, int r);

/* Is residual number r of the step that begins kept?  And if lists of all latents are there at
 * once, with sparse products? */
bool residual_kept(const struct training *training, const struct workspace *workspace, int r);
bool residual_kept_at_once(const struct recipe *recipe, int r, bool long_lists);

/* A block of rows in a block of own columns, SLICE_COLUMNS of them at most. */
struct block {
    struct range rows, columns;
};

/* One of all residuals while it is worked on, in a thread's scratch (decode_scratch(),
 * workspace.c).  Rows are counted from the block's first on.
 *   value   [count][rows, SLICE_COLUMNS]   filled up with zeros as slices are */
struct residuals {
    struct block block;
    int          count;
    float       *value[RESIDUALS_MOST];
    float       *x;         /* [rows, inputs], if there is a skip matrix */
};

/* The first `count`, nothing in them yet. */
struct residuals residuals_at(const struct workspace *workspace, struct block block, int count);

static inline float *residual_row(const struct residuals *residuals, int r, int64_t row)
{
    return residuals->value[r] + row * SLICE_COLUMNS;
}

/* Begin those that do not begin with the one before: as they are without any latent. */
void residuals_begin(const struct training *training, const struct workspace *workspace,
                     const struct residuals *residuals);

/* Add what the entries of the turn write to a row.  The decoder's slice must be in `shared`. */
void residuals_add(const struct training *training, const struct workspace *workspace,
                   const struct residuals *residuals, int64_t row);

/* Make of a row that is complete what is multiplied. */
void residuals_finish(const struct training *training, const struct workspace *workspace,
                      const struct residuals *residuals, int64_t row);

/* Keep them, as far as they are kept; have what is kept; have them once more when they are
 * complete, for which the decoder's slice must be in `shared` unless all are kept. */
void residuals_keep(const struct workspace *workspace, const struct residuals *residuals);
void residuals_load(const struct workspace *workspace, const struct residuals *residuals);
void residuals_again(const struct training *training, const struct workspace *workspace,
                     const struct residuals *residuals);

#endif
