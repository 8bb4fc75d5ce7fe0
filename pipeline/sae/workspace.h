/* workspace.h -- the memory of a training step, shared by all autoencoders of a stream.
 *
 * Everything that depends on the batch and is forgotten after the step.  Made once, for the
 * widest of them.  The lists have room for the worst case, every latent active in every
 * row; pages that are never touched cost nothing.
 */
#ifndef WORKSPACE_H
#define WORKSPACE_H

#include "kernels/codes.h"
#include "sae/parts.h"
#include "sae/training.h"

enum { ROW_BLOCK = 128 };   /* rows of a product: shapes do not depend on ranks or threads */

struct workspace {
    int64_t       batch;
    int32_t       inputs, latents;  /* the widest */
    int           ranks, threads;

    float        *centred;          /* [batch, inputs] x - b_dec */
    float        *residual;         /* [batch, own columns] y - x */
    float        *threshold;        /* [own latents] as they count, not their logarithms */

    struct codes *pieces;           /* [row blocks, own tiles] what each product gave */
    struct codes *own;              /* by row, own latents */
    struct codes *gathered;         /* [ranks] every rank's `own`, with more ranks than one */
    int32_t      *lengths;          /* [ranks, 2, batch] active and near entries of their rows */
    struct codes *rows;             /* by row, all latents, on every rank; with one rank `own` */
    float        *dots;             /* [entries of rows] residual . decoder row */
    struct codes *columns;          /* by latent; its values become the decoder's coefficients */
    float        *gradient;         /* [entries of columns] dLoss / d pre-activation */

    double       *along;            /* [latents] decoder gradient . decoder row */
    double       *norms;            /* [latents] squared norms of decoder rows */
    double       *block_norms;      /* [own column blocks, latents] */
    float        *bias_gradient;        /* [own latents] */
    float        *threshold_gradient;   /* [own latents] */
    float        *decoder_bias_gradient;    /* [inputs] */
    double       *tile_sums;        /* [own tiles, inputs] */
    double       *encoder_sums;     /* [inputs] */
    double       *squares;          /* [own column blocks, row blocks] of the residual */
    double       *sums;             /* [inputs + column blocks + tiles] see step.c */
    float       **scratch;          /* [threads] for pieces of dense products */
    double        spent[PARTS];     /* seconds, since the workspace was made */
};

void workspace_make(struct workspace *workspace, MPI_Comm comm, int64_t batch, int32_t inputs,
                    int32_t latents);
void workspace_free(struct workspace *workspace);

/* Bytes workspace_make() allocates, at most, on the rank that gets most. */
int64_t workspace_bytes(int64_t batch, int32_t inputs, int32_t latents, int ranks, int threads);

#endif
