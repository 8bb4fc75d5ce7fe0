/* training.h -- one autoencoder in training: its parameters, Adam's moments, its counters.
 *
 * Spread over ranks so that no dense gradient ever travels: a rank owns a contiguous run of
 * tiles of LATENT_TILE latents of the encoder, and a contiguous run of blocks of COLUMNS
 * columns of the decoder (sparse.h).  With more ranks than tiles some own nothing.  Tiles
 * and blocks have fixed shapes, so who owns them does not show in the bits.
 */
#ifndef TRAINING_H
#define TRAINING_H

#include "base/comm.h"
#include "base/split.h"
#include "sae/recipe.h"

enum { LATENT_TILE = 128 };

enum { ENCODER, DECODER, ENCODER_BIAS, THRESHOLD, DECODER_BIAS, TENSORS };

/* A matrix of parameters, of which this rank holds a rectangle.  A vector is a matrix of one
 * column; the decoder's bias every rank holds whole. */
struct tensor {
    const char  *name;
    int64_t      rows, columns;         /* of the whole */
    struct range own_rows, own_columns;
    float       *value;                 /* [own_rows, own_columns], as are these: */
    float       *mean;                  /* first moments; NULL if the recipe's beta1 is 0 */
    float       *square;                /* second moments */
};

struct training {
    struct recipe recipe;
    MPI_Comm      comm;
    int32_t       inputs, latents;
    struct range  own_latents;          /* of the encoder, its bias and the thresholds */
    struct range  own_columns;          /* of the decoder */
    struct tensor tensors[TENSORS];     /* THRESHOLD holds logarithms if the recipe says so */
    int64_t      *silent;               /* [latents] rows since each was last active; every rank */
    int64_t       step;                 /* steps done */
    double        density;              /* active share of the last batch's codes; 1 at the start */
};

/* Step zero: decoder rows drawn He-uniform and scaled to norm 1, the encoder its copy,
 * biases 0, thresholds as the recipe says.  What is drawn depends on the recipe's seed and
 * the place in the matrix alone.  Every rank must be given the same recipe. */
void training_make(struct training *training, MPI_Comm comm, const struct recipe *recipe,
                   int32_t inputs, int32_t latents);
void training_free(struct training *training);

/* Bytes training_make() allocates on the rank that gets most. */
int64_t training_bytes(const struct recipe *recipe, int32_t inputs, int32_t latents, int ranks);

/* How many latents have been silent for the recipe's dead_after rows. */
int64_t training_dead(const struct training *training);

#endif
