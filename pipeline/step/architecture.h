/* architecture.h -- what each kind of autoencoder does in its own way.
 *
 * The step (step.h) is the same for all of them: products, lists, sums over ranks, Adam.  Here
 * is what differs: the parameters of a latent beyond its two directions, which latents of a row
 * are listed and with which values, what is added to the loss, and the derivatives of that.
 * Each architecture is one constant struct in a file of its own: jumprelu.c, gated.c, topk.c,
 * relu.c.  Architectures that keep k latents need the lists of all latents at once; the others
 * may take turns (turns.h), and the functions below see their entries one turn after the other.
 *
 * The lists (kernels/codes.h) have two sections.  The values of active entries make the
 * reconstruction.  What the entries aside are for, the architecture says.
 */
#ifndef ARCHITECTURE_H
#define ARCHITECTURE_H

#include "step/workspace.h"
#include "suite/architectures.h"

struct step_report;

enum aside {
    ASIDE_NEAR,     /* nothing is made of them; their gradients are asked for */
    ASIDE_ROW,      /* a reconstruction of the row, for which the decoder is held fixed */
    ASIDE_REST,     /* a reconstruction of what the active ones leave */
};

struct architecture {
    const struct architecture_traits *traits;   /* what others must know of it */
    const char *vectors[VECTORS];   /* parameters of a latent, from ENCODER_BIAS on; NULL: none */
    bool        centred;            /* the encoder sees x - b_dec, and not x */
    bool        unit_decoder;       /* decoder rows are kept at norm 1 */
    double      decoder_norm;       /* of the first decoder rows */
    enum aside  aside;

    /* Give the vectors, which are 0, their first values.  Local. */
    void (*start)(struct training *training);

    /* Before a batch: threshold, floor and gain of the workspace, as scan() wants them; and
     * aside_decoded, if entries aside make something in this step.  Local. */
    void (*prepare)(const struct training *training, struct workspace *workspace);

    /* List the entries of some rows in one tile.
     *   piece     out   room for all entries
     *   pre       in    [rows, own] products with the encoder
     *   own       in    latents, from this rank's first one on
     * Local, called by all threads. */
    void (*scan)(const struct training *training, const struct workspace *workspace,
                 struct codes *piece, const float *pre, int64_t rows, struct range own);

    /* If it keeps a number of latents: which entries stay, in active_cuts and aside_cuts of their
     * rows.  First of some rows, `first` and those behind; then, with what has stayed, of the whole
     * batch (NULL: all stay).  Called for a rank's own lists and again for all together; then they
     * return which of the workspace's bars were too high, so that entries may not have been listed
     * that would have been kept: a bit each, 1 << BAR_ACTIVE or 1 << BAR_ASIDE.  Local. */
    unsigned (*cut_rows)(const struct training *training, struct workspace *workspace,
                         const struct codes *codes, int64_t first);
    unsigned (*cut_batch)(const struct training *training, struct workspace *workspace,
                          const struct codes *codes);

    /* What the penalty counts of the entries of a row.  NULL: the active ones.  Local. */
    double (*sparsity)(const struct workspace *workspace, int64_t row);

    /* Add the penalty to the report's loss, and note what differentiate() needs of it.  The
     * report's l0 and mse and the workspace's sparsity are there.  Local, the same on every
     * rank. */
    void (*penalise)(const struct training *training, struct workspace *workspace,
                     struct step_report *report);

    /* One latent's sums over its entries of columns, in the order of the rows.  In: values,
     * and in `gradient` the dot products of decoder row and residual.  Out, for each entry:
     * `gradient`, by the product with the encoder, and in `value` the decoder's coefficient;
     * for the latent: along, input_sum and, if it is this rank's own, vector_gradient.  In a
     * step it may be asked twice for the same.  Local, called by all threads. */
    void (*differentiate)(const struct training *training, struct workspace *workspace,
                          int64_t latent);

    /* After Adam: bring back what went out of bounds, and what is learnt without gradients.
     * NULL: nothing.  Local, the same on every rank. */
    void (*settle)(struct training *training, const struct workspace *workspace);

    /* The encoder as it is used when training is over: pi = gain * product + bias, active
     * above threshold.
     *   [own latents]  out
     * Local. */
    void (*infer)(const struct training *training, float *gain, float *bias, float *threshold);
};

/* Does it make something of dead latents?  Then its entries aside are those of the dead. */
static inline bool has_auxk(const struct recipe *recipe)
{
    return recipe->architecture->traits->auxk && recipe->train.auxk > 0;
}

/* JumpReLU's second vector. */
enum { THRESHOLD = ENCODER_BIAS + 1 };

/* JUMPRELU, GATED, ...: a constant for each row of architectures.def. */
#define ARCHITECTURE(id, name, meaning, ...) extern const struct architecture id;
#include "suite/architectures.def"

const struct architecture *architecture_of(enum architecture_id id);

/* ---- for those who write one ---- */

static inline int64_t own_count(const struct training *training)
{
    return training->own_latents.end - training->own_latents.first;
}

/* Place of a latent among this rank's own, or -1. */
static inline int64_t own_place(const struct training *training, int64_t latent)
{
    const struct range own = training->own_latents;

    return own.first <= latent && latent < own.end ? latent - own.first : -1;
}

/* scan() of all that is above the workspace's threshold, without entries aside. */
void scan_active(const struct training *training, const struct workspace *workspace,
                 struct codes *piece, const float *pre, int64_t rows, struct range own);

/* The part of penalise() that is the recipe's coefficient times the mean of the rows'
 * sparsities. */
void penalise_sparsity(const struct training *training, struct workspace *workspace,
                       struct step_report *report);

/* infer() of those that train one bias and no threshold. */
void infer_plain(const struct training *training, float *gain, float *bias, float *threshold);

#endif
