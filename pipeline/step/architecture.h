/* architecture.h -- what each kind of autoencoder does in its own way.
 *
 * The step (step.h) is the same for all of them: products, lists, sums over ranks, Adam.  They
 * differ in the parameters of a latent beyond its two directions, in which latents of a row are
 * listed and with which values, in what is added to the loss, and in its derivatives.  Each
 * architecture is one constant struct in a file of its own (jumprelu.c, gated.c, topk.c, relu.c)
 * and one row of suite/architectures.def.
 *
 * Entries of architectures that keep k latents displace each other, so one pass (pass.h) lists all
 * latents.  The functions below see the entries of the others one pass after the other.
 */
#ifndef ARCHITECTURE_H
#define ARCHITECTURE_H

#include "base/split.h"
#include "kernels/codes.h"
#include "kernels/select.h"
#include "step/parameters.h"
#include "step/recipe.h"
#include "suite/architectures.h"

struct criteria;
struct errors;
struct gradients;
struct penalty;
struct step_report;
struct training;

/* What the auxiliary entries of a row are for. */
enum auxiliary {
    AUXILIARY_NEAR,     /* their gradients: they add nothing to a reconstruction */
    AUXILIARY_ROW,      /* a second reconstruction of the row, with the decoder held fixed */
    AUXILIARY_REST,     /* a reconstruction of the error that the active entries leave */
};

struct architecture {
    const struct architecture_traits *traits;   /* what others must know of it */
    const char *vectors[VECTORS];   /* parameters of a latent, from ENCODER_BIAS on; NULL: none */
    bool        centred;            /* the encoder sees x - b_dec, and not x */
    bool        unit_decoder;       /* decoder rows are kept at norm 1 */
    double      decoder_norm;       /* of the first decoder rows */
    enum auxiliary auxiliary;

    /* Set the vectors, which are 0, to their first values.  NULL: they stay 0.  Local. */
    void (*start)(struct training *training);

    /* Upper bound of the entries that a first batch lists, by row and latent, dead latents apart.
     * Local. */
    double (*first_density)(const struct recipe *recipe, struct shape shape);

    /* Set the criteria of a batch from the parameters; bounds are set already.  Local. */
    void (*prepare)(const struct training *training, struct criteria *criteria);

    /* List the entries of some rows in one tile.
     *   piece     out   memory for all entries
     *   pre       in    [rows, own]  products with the encoder
     *   own       in    latents, counted from this rank's first one
     * Local, called by all threads. */
    void (*scan)(const struct training *training, const struct criteria *criteria,
                 struct codes *piece, const float *pre, int64_t rows, struct range own);

    /* Architectures that keep k latents; else NULL.
     *
     * Find which entries of a batch stay.  Called for a rank's own lists, and again for those of
     * all ranks together.
     *   active, auxiliary   out   [batch]  cutoff of each row's section
     * Local. */
    void (*select)(const struct training *training, const struct criteria *criteria,
                   const struct codes *rows, struct cutoff *active, struct cutoff *auxiliary);

    /* Were lower bounds for collecting too high, so that entries are missing which should have been
     * kept?  Lowers those.  Local, the same on every rank. */
    bool (*lower_bounds)(const struct training *training, struct criteria *criteria,
                         const struct codes *rows);

    /* The sparsity of a row, which the penalty sums.  NULL: the number of its active entries.
     *   norms   [latents]  squared norms of decoder rows, unless these are kept at 1
     * Local. */
    double (*sparsity)(const struct codes *rows, int64_t row, const double *norms);

    /* Add the penalty to the report's loss, and set its derivatives in `penalty`.  The report's l0
     * and mse, and the penalty's sparsity and counts are there.  Local, the same on every rank. */
    void (*penalise)(const struct training *training, const struct errors *errors,
                     struct penalty *penalty, struct step_report *report);

    /* Sum over the entries of one latent, in the order of the rows.
     *   gradients   in    gradient: at each entry the dot product of decoder row and residual
     *               out   gradient: by the product with the encoder; latents.value: the decoder's
     *                     coefficient; for the latent: along, and of this rank's own latents
     *                     input_sum, vector and in_window
     * Local, called by all threads. */
    void (*differentiate)(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, struct gradients *gradients,
                          int64_t latent);

    /* After Adam: bring parameters back into bounds, and learn what has no gradient.  NULL:
     * nothing.
     *   rows   lists of the last pass
     * Local. */
    void (*settle)(struct training *training, const struct criteria *criteria,
                   const struct codes *rows, const struct gradients *gradients);

    /* The encoder as it is used when training is over: pi = gain * product + bias, active
     * above threshold.
     *   [own latents]  out
     * Local. */
    void (*infer)(const struct training *training, float *gain, float *bias, float *threshold);
};

/* JumpReLU's second vector. */
enum { THRESHOLD = ENCODER_BIAS + 1 };

/* JUMPRELU, GATED, ...: a constant for each row of architectures.def. */
#define ARCHITECTURE(id, name, meaning, ...) extern const struct architecture id;
#include "suite/architectures.def"

const struct architecture *architecture_of(enum architecture_id id);

/* Do dead latents reconstruct the error that is left?  Then they are the auxiliary entries. */
static inline bool architecture_has_auxk(const struct recipe *recipe)
{
    return ARCHITECTURES[recipe->architecture].auxk && recipe->train.auxk > 0;
}

#endif
