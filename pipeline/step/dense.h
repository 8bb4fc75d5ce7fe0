/* dense.h -- the products of a step while many latents are active.
 *
 * The lists are spread out into dense matrices, block by block, which are multiplied with those
 * of the decoder, the residual and the batch (square.h).  Tiles, blocks of columns and blocks of
 * rows are the blocks, so who owns them does not show in the bits.  For architectures that keep a
 * number of latents there is no such path: with them few are active from the start.
 */
#ifndef DENSE_H
#define DENSE_H

#include "step/gradients.h"
#include "step/workspace.h"

/* Entries by row and latent above which products are dense.  Decided by the previous batch's
 * lists, never by timing, so that it is the same on every rank, in every run.
 *
 * Milliseconds of a step beside its encoding, sparse and dense, on two cores of an AMD Zen 5, with
 * 2304 inputs, 16384 latents, 4096 rows, in bf16:
 *   share of entries    2 %   5 %   10 %   19 %
 *   sparse              376   678   1116   2280
 *   dense              2484  2576   2569   3001
 * In float32 the lines cross later, at about 45 %. */
static const double DENSE_ABOVE = 0.25;

bool is_dense(const struct training *training);

/* Bytes of the workspace's `shared` for these products, and of each thread's scratch. */
int64_t dense_shared(const struct step_room *room, int64_t own_columns);
int64_t dense_scratch(const struct step_room *room, int64_t own_columns);

/* Entries of this turn, and their residual.
 *   start, end   [batch] where those of each row begin and end, in ascending order of latents
 *   residual     [batch, own columns] */
struct section {
    const struct packed_rows *residual;
    const int32_t *start, *end;
};

/* Add to a residual what the entries write; in bf16 it is rounded with every few tiles.  Local. */
void dense_decode(const struct training *training, struct workspace *workspace,
                  struct section section);

/* Add to the dot products of the entries in some rows, whole blocks of them but for the last,
 * those with their residual in the own columns, block after block.
 *   sections   [count]   of one residual, 2 at most
 * Local. */
void dense_dots(const struct training *training, struct workspace *workspace, struct range rows,
                const struct section *sections, int count);

/* Have the gradients of the latents whose turn it is looked at: sums over their entries of
 * coefficient * x[row].
 *   latents      that have them, from a tile on
 *   start, end   [all latents] where their entries begin and end
 *   x            [batch, columns] */
struct dense_sum {
    struct range       latents;
    const int32_t     *start, *end;
    const float       *coefficient;
    struct packed_rows x;
};

/* Local. */
void dense_gradients(struct workspace *workspace, const struct dense_sum *sum,
                     visit_gradient *visit, void *context);

#endif
