/* step.h -- one step of training, over all ranks, the same for all architectures.
 *
 * With B rows x (targets t; t = x but for transcoders), an encoder W_enc, a decoder W_dec:
 *
 *   product  = W_enc (x - b_dec), or W_enc x
 *   lists    = what the architecture finds in it: active entries f, entries aside
 *   y        = f W_dec + b_dec (+ W_skip x)       r = y - t
 *   loss     = mean |r|^2 + penalty + what the entries aside make
 *
 *   G        = (2/B) r W_dec^T                    at the entries only
 *   dW_dec   = sum f (2/B) r                      dpi = what the architecture makes of G
 *   dW_enc   = sum dpi (x - b_dec)                db_dec = sum (2/B) r - W_enc^T sum dpi
 *   dW_skip  = sum (2/B) r x
 *
 * Then Adam moves everything.  Where decoder rows have norm 1, their gradients lose their
 * parts along the rows before, and the rows are scaled back to norm 1 after it.
 * A Matryoshka autoencoder (arXiv:2503.17547) has a reconstruction for each prefix of its
 * latents; the loss has the mean of their errors.
 */
#ifndef STEP_H
#define STEP_H

#include "step/workspace.h"

/* What one step saw, before it moved the parameters. */
struct step_report {
    int64_t step;               /* from 0 */
    double  loss;
    double  mse;                /* mean squared norm of r, of the whole dictionary */
    double  auxiliary;          /* part of the loss that the entries aside make */
    double  l0;                 /* mean active latents of a row */
    double  near;               /* mean entries aside of a row (JumpReLU: just below threshold) */
    int64_t dead;               /* latents, this batch counted */
    double  rate, slope;        /* learning rate; coefficient of the mean sparsity */
    double  threshold;          /* mean over the latents */
};

/* Train on one batch of normalised rows, the same on every rank.
 *   x        [batch, inputs]
 *   target   [batch, outputs]; x itself but for transcoders
 * The parameters after it are the same bits on any number of ranks and threads.
 * Collective.  E_NUMERIC, on every rank, if the loss is not finite: nothing has been moved
 * then. */
enum status training_step(struct training *training, struct workspace *workspace,
                          const struct packed_rows *x, const struct packed_rows *target,
                          struct step_report *report);

#endif
