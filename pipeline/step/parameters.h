/* parameters.h -- the parameters of an autoencoder in training, and Adam's moments. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "base/split.h"

#include <stdint.h>

/* Latents that belong to one rank together. */
enum { LATENT_TILE = 128 };

/* The tensors of a training.  From ENCODER_BIAS on they are the architecture's vectors, one number
 * a latent. */
enum { ENCODER, DECODER, DECODER_BIAS, SKIP, ENCODER_BIAS, VECTORS = 3,
       TENSORS = ENCODER_BIAS + VECTORS };

/* A matrix of parameters; this rank holds a rectangle of it.  A vector is a matrix of one
 * column; every rank holds the whole decoder bias.  A tensor that this training does not have has
 * no rows and no name. */
struct tensor {
    const char  *name;
    int64_t      rows, columns;         /* of the whole */
    struct range own_rows, own_columns;
    float       *value;                 /* [own_rows, own_columns], as are these: */
    float       *mean;                  /* first moments; NULL if the recipe's beta1 is 0 */
    float       *square;                /* second moments */
};

struct shape {
    int32_t inputs;     /* values of a row */
    int32_t outputs;    /* of a row that is reconstructed: the same, but for a transcoder */
    int32_t latents;
};

#endif
