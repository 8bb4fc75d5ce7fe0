/* workspace.h -- the memory of a training step, shared by all autoencoders of a stream.
 *
 * Everything that depends on the batch and is forgotten after the step.  Made once, for the
 * widest of them.  The lists have room for the worst case, every latent active in every
 * row; pages that are never touched cost nothing, and are not planned for.
 */
#ifndef WORKSPACE_H
#define WORKSPACE_H

#include "kernels/product.h"
#include "kernels/select.h"
#include "kernels/square.h"
#include "step/packed_rows.h"
#include "step/step_memory.h"
#include "step/step_timer.h"

/* Shapes that do not depend on ranks or threads: rows of a product of the encoder's, and of
 * the decoder's. */
enum { ENCODE_ROWS = 512, ROW_BLOCK = 128 };

/* Rows whose input is there at a time, to be met by all tiles: in bf16, where tiles are packed anew
 * for each, more. */
static inline int64_t input_rows(enum precision precision)
{
    return precision == PRECISION_BF16 ? 4 * ENCODE_ROWS : ENCODE_ROWS;
}

enum { RESIDUALS_MOST = PREFIXES_MOST + 1 };

struct workspace {
    struct step_room   room;
    int64_t       batch;
    int           ranks, threads;

    const struct packed_rows *x;        /* [batch, inputs] */
    const struct packed_rows *target;   /* [batch, outputs] what is to be reconstructed */
    struct packed_rows residual[RESIDUALS_MOST];
                                    /* [batch, own columns] y - target; of a Matryoshka, one a
                                       prefix, each with the sum of those from there on; last, if
                                       there is one, that of the entries aside (residual.h) */
    bool          aside_decoded;    /* there is one */
    bool          kept[RESIDUALS_MOST];     /* residuals that are until the step ends */

    int64_t       turns, turn;      /* of this step, and whose lists these are (turns.h) */
    bool          derived;          /* the columns are made of them, and have their gradients */
    int64_t       active, aside;    /* entries of the batch, in all turns */

    float        *threshold;        /* [own latents] what active pre-activations exceed */
    float        *floor;            /* [own latents] what those aside exceed */
    float        *gain;             /* [own latents] of the encoder's product */
    float         bar[BARS];        /* of this batch */
    double       *sparsity;         /* [batch] what the penalty counts of a row, in all turns */
    double       *slope;            /* [batch] derivative of the penalty by it, where rows differ */
    double        aside_scale;      /* 2 times the derivative of the loss by |aside's residual|^2 */
    double        clipped;          /* factor that gradients were scaled by */
    int32_t      *fired;            /* [latents] active entries in the batch */
    int32_t      *in_window;        /* [own latents] entries that move a threshold (jumprelu.c) */

    void         *shared;           /* by all threads, one after the other: where the rows of the
                                       pieces begin, with the input; a slice of all decoder rows
                                       (slice.h); or blocks of dense products (dense.h) */
    void         *input;            /* [input_rows(), inputs] what the encoder sees of some
                                       rows, in its precision; in `shared` */
    struct square square;           /* of these */

    struct codes *pieces;           /* [blocks of input_rows(), own tiles] what each product gave */
    struct {
        int32_t  *index;
        float    *value;
        int64_t   count;
    } found;                        /* the pieces' entries, one behind the other */
    struct codes *own;              /* by row, own latents */
    struct codes *gathered;         /* [ranks] every rank's `own`, with more ranks than one */
    int32_t      *lengths;          /* [ranks, 2, batch] active and near entries of their rows */
    struct codes *rows;             /* by row, all latents, on every rank; with one rank `own` */
    int32_t      *cuts[RESIDUALS_MOST]; /* [batch] where group g > 0 of a row's entries begins */
    struct cut   *active_cuts, *aside_cuts;     /* [batch] of rows whose entries displace others */
    struct codes *listed;           /* by row, all that was found in the rows whose input is there,
                                       before; in `dots` and `gradient` */
    float        *dots;             /* [entries of rows] residual . decoder row */
    bool          dots_begun;       /* decode() has made this rank's: it is rank 0 */
    struct codes *columns;          /* by latent; its values become the decoder's coefficients */
    float        *gradient;         /* [entries of columns] dLoss / d pre-activation */

    double       *along;            /* [latents] how much of a decoder row its gradient loses */
    double       *norms;            /* [latents] squared norms of decoder rows */
    double       *gradient_norms;   /* [latents] squared norms of gradients */
    double        gradient_square;  /* of all gradients */
    float        *block_norms;      /* [own column blocks, latents], or of the encoder */
    double       *input_sum;        /* [own latents] gradients by pre-activations */
    float        *vector_gradient[VECTORS]; /* [own latents] */
    float        *decoder_bias_gradient;    /* [outputs] */
    float        *tile_sums;        /* [own tiles, inputs] of the encoder, by input_sum */
    double       *encoder_sums;     /* [inputs] */
    double       *squares;          /* [residuals, own column blocks, row blocks] */
    double       *block_sums;       /* [row blocks, own columns] of the first residual */
    double       *sums;             /* [outputs + residuals * column blocks + tiles]: step.c */
    double       *column_sums;      /* [outputs] of the residual, in `sums` */
    double        square_sums[RESIDUALS_MOST];
    float       **scratch;          /* [threads] for pieces of products */
    struct product **products;      /* [threads] the encoder's, bf16; of LATENT_TILE latents */
    double        spent[PARTS];     /* seconds, since the workspace was made */
};

void workspace_make(struct workspace *workspace, MPI_Comm comm, const struct step_room *room);
void workspace_free(struct workspace *workspace);

/* Bytes of it that are used, at most, on the rank that gets most: of the lists, what the start of
 * training fills, when the thresholds have not yet learnt to leave out anything.
 *   ahead   bytes of the batch that is read ahead while lists are short; counted too */
int64_t workspace_bytes(const struct step_room *room, int ranks, int threads, int64_t ahead);

#endif
