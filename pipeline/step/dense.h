/* dense.h -- the products of a step while many latents are active.
 *
 * The lists are spread out into dense matrices, block by block, which are multiplied with those
 * of the decoder, the residual and the batch (square.h).  Tiles, blocks of columns and blocks of
 * rows are the blocks, so the bits do not show who owns them.  Architectures that keep k latents
 * have few active from the start, and no dense products.
 */
#ifndef DENSE_H
#define DENSE_H

#include "step/lists.h"
#include "step/step_scratch.h"

/* Entries by row and latent above which products are dense.  Decided by the previous batch's
 * lists, never by timing, so that it is the same on every rank, in every run.
 *
 * Milliseconds of a step without its encoding, sparse and dense, on two cores of an AMD Zen 5, with
 * 2304 inputs, 16384 latents, 4096 rows, in bf16:
 *   share of entries    2 %   5 %   10 %   19 %
 *   sparse              376   678   1116   2280
 *   dense              2484  2576   2569   3001
 * In float32 the lines cross later, at about 45 %. */
static const double DENSE_ABOVE = 0.25;

bool dense_is_used(const struct training *training);

struct scratch_size dense_scratch(const struct step_sizes *sizes);

/* Add to a residual what the entries of a section write; in bf16 it is rounded with every few
 * tiles.
 *   residual   [batch, own columns]
 * Local. */
void dense_decode(const struct training *training, const struct lists *lists,
                  struct section section, const struct step_scratch *scratch,
                  const struct packed_rows *residual);

/* Add to the dot products of the entries in some rows, whole blocks of them but for the last,
 * those with a residual in the own columns, block after block.
 *   sections   [count]   of entries that need this residual, 2 at most
 *   dots       [entries of lists]
 * Local. */
void dense_dots(const struct training *training, const struct lists *lists,
                const struct packed_rows *residual, const struct step_scratch *scratch,
                struct range rows, const struct section *sections, int count, float *dots);

/* Gradients of a matrix: for each of some latents the sum over its entries of
 * coefficient * x[row].
 *   latents       from a tile on
 *   codes         entries by latent, those of `section` count
 *   x             [batch, columns] */
struct dense_sum {
    struct pass         pass;
    struct range        latents;
    const struct codes *codes;
    struct section      section;
    const float        *coefficient;
    int64_t             rows;
    struct packed_rows  x;
};

/* Use up the gradients of some columns of some latents.
 *   gradient   [latents, columns]   `ld` from row to row
 * Local, called by all threads. */
typedef void visit_gradient(void *context, struct range latents, struct range columns,
                            float *gradient, int64_t ld);

/* Call visit() on every block of the gradients of the pass.  Local. */
void dense_gradients(const struct dense_sum *sum, const struct step_scratch *scratch,
                     visit_gradient *visit, void *context);

#endif
