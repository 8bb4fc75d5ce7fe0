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
#include "step/recipe.h"

enum { LATENT_TILE = 128 };

/* The tensors of a training.  From ENCODER_BIAS on they are the architecture's vectors, a number
 * a latent. */
enum { ENCODER, DECODER, DECODER_BIAS, SKIP, ENCODER_BIAS, VECTORS = 3,
       TENSORS = ENCODER_BIAS + VECTORS };

/* Of architectures that keep a number of latents: a guess of what all entries exceed that will
 * stay, active ones and those aside.  What is below need not be listed. */
enum { BAR_ACTIVE, BAR_ASIDE, BARS };

/* A matrix of parameters, of which this rank holds a rectangle.  A vector is a matrix of one
 * column; the decoder's bias every rank holds whole.  One that this training has not has no
 * rows and no name. */
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

struct training {
    struct recipe recipe;
    MPI_Comm      comm;
    int32_t       inputs, outputs, latents;
    bool          centred;              /* the encoder sees x - b_dec, and not x */
    struct range  own_latents;          /* of the encoder and the vectors */
    struct range  own_columns;          /* of the decoder; rows of the skip matrix */
    struct tensor tensors[TENSORS];
    int64_t      *silent;               /* [latents] rows since each was last active; every rank */
    int64_t       step;                 /* steps done */
    double        density;              /* entries of the last batch's lists, by row and latent */
    int64_t       listable;             /* entries that its lists may hold at a time: turns.h */
    double        bar[BARS];            /* the next batch's, below 0 if nothing is known of it; not
                                           in checkpoints */
    double        least;                /* mean squared error of its steps so far; 0 at the start */
    double        cut;                  /* running mean of a batch's least kept value (BatchTopK) */
};

/* Step zero: decoder rows drawn He-uniform and scaled to norm 1, the encoder its copy (a
 * transcoder's is drawn for itself), the skip matrix 0, vectors as the architecture says.  What
 * is drawn depends on the recipe's seed and the place in the matrix alone.  Every rank must be
 * given the same recipe. */
void training_make(struct training *training, MPI_Comm comm, const struct recipe *recipe,
                   struct shape shape);
void training_free(struct training *training);

/* Bytes training_make() allocates on the rank that gets most. */
int64_t training_bytes(const struct recipe *recipe, struct shape shape, int ranks);

/* How many latents have been silent for the recipe's dead_after rows. */
int64_t training_dead(const struct training *training);

#endif
