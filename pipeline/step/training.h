/* training.h -- one autoencoder in training: its parameters, Adam's moments, its counters.
 *
 * It is spread over ranks so that no dense gradient ever travels: a rank owns a contiguous run of
 * tiles of LATENT_TILE latents of the encoder, and a contiguous run of blocks of COLUMNS columns
 * of the decoder (slice.h).  With more ranks than tiles some own nothing.  Tiles and blocks have
 * fixed shapes, so the bits do not show who owns them.
 */
#ifndef TRAINING_H
#define TRAINING_H

#include "base/comm.h"
#include "step/parameters.h"
#include "step/recipe.h"

struct architecture;

/* The two sections of a row's list (lists.h). */
enum { SECTION_ACTIVE, SECTION_AUXILIARY, SECTIONS };

/* What architectures remember from batch to batch. */
struct architecture_state {
    double  bound[SECTIONS];    /* TopK types: lower bounds for collecting the next batch's entries;
                                   negative if unknown.  They change no result and are not in
                                   checkpoints */
    double  batch_threshold;    /* BatchTopK: running mean of the smallest value kept of a batch */
    int64_t in_window;          /* JumpReLU: entries of the last batch that moved a threshold, of
                                   this rank's latents */
};

struct training {
    struct recipe recipe;
    const struct architecture *architecture;
    MPI_Comm      comm;
    int32_t       inputs, outputs, latents;
    int64_t       batch;                /* rows of a step */
    bool          centred;              /* the encoder sees x - b_dec, and not x */
    struct range  own_latents;          /* of the encoder and the vectors */
    struct range  own_columns;          /* of the decoder; rows of the skip matrix */
    struct tensor tensors[TENSORS];
    int64_t      *rows_since_active;    /* [latents], the same on every rank */
    int64_t       step;                 /* steps done */
    double        density;              /* entries of the last batch's lists, by row and latent */
    int64_t       list_capacity;        /* entries that the lists of a pass may hold (pass.h) */
    double        lowest_mse;           /* mean squared error of its best step; 0 at the start */
    struct architecture_state state;
};

/* Step zero: decoder rows are drawn He-uniform and scaled to norm 1, the encoder is their copy (a
 * transcoder's is drawn for itself), the skip matrix is 0, vectors are as the architecture says.
 * The numbers drawn depend on the recipe's seed and the place in the matrix alone.  Every rank
 * must be given the same recipe.  Local. */
void training_make(struct training *training, MPI_Comm comm, const struct recipe *recipe,
                   struct shape shape);
void training_free(struct training *training);

/* Bytes training_make() allocates on the rank that gets most. */
int64_t training_bytes(const struct recipe *recipe, struct shape shape, int ranks);

/* The default of list_capacity: entries that take 1/40 of the memory of the parameters and their
 * second moments, but no fewer than a small dictionary needs. */
int64_t training_list_capacity(struct shape shape);

/* How many latents have not been active for the recipe's dead_after rows. */
int64_t training_dead(const struct training *training);

/* Groups of latents with a reconstruction of their own: a Matryoshka's prefixes, else one. */
static inline int training_groups(const struct training *training)
{
    return training->recipe.prefixes > 0 ? training->recipe.prefixes : 1;
}

static inline int64_t training_own_latents(const struct training *training)
{
    return range_length(training->own_latents);
}

static inline int64_t training_own_columns(const struct training *training)
{
    return range_length(training->own_columns);
}

/* Place of a latent among this rank's own, or -1. */
static inline int64_t training_own_place(const struct training *training, int64_t latent)
{
    const struct range own = training->own_latents;

    return own.first <= latent && latent < own.end ? latent - own.first : -1;
}

#endif
