/* norms.h -- squared norms of the rows of matrices, whose columns may lie on several ranks. */
#ifndef NORMS_H
#define NORMS_H

#include "step/step_memory.h"
#include "step/storage.h"

/* Scratch of clip.h and update.h. */
struct norms {
    float  *blocks;     /* [blocks of COLUMNS, rows] squares of each block of each row: of the own
                           columns of the decoder, or of the own latents of the encoder */
    double *sums;       /* [latents] */
};

void norms_storage(struct norms *norms, const struct step_sizes *sizes, struct storage *storage);

/* Square the blocks of some own columns of a decoder row.  Local, called by all threads. */
void norms_square_row(struct norms *norms, const struct training *training, int64_t latent,
                      struct range columns);

/* Sum the decoder's blocks, when all are there, over all columns.
 *   sums   [latents]   out, on every rank
 * Collective. */
void norms_sum_blocks(const struct norms *norms, const struct training *training, double *sums);

/* Both, for the whole decoder.  Collective. */
void norms_of_decoder(struct norms *norms, const struct training *training, double *sums);

#endif
