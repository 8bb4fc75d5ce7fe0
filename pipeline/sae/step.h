/* step.h -- one step of training, over all ranks.
 *
 * JumpReLU autoencoders (Rajamanoharan et al., arXiv:2407.14435) as Gemma Scope trains them
 * (Lieberum et al., arXiv:2408.05147, section 3.2).  With B rows x, N latents:
 *
 *   pi = W_enc (x - b_dec) + b_enc        f = pi where pi > theta, else 0
 *   y  = f W_dec + b_dec                  r = y - x
 *   loss = mean |r|^2 + penalty(mean L0)
 *
 *   G        = (2/B) r W_dec^T            needed only at active and near entries
 *   dW_dec   = sum f (2/B) r              dpi    = G where active
 *   dW_enc   = sum dpi (x - b_dec)        db_enc = sum dpi
 *   dtheta   = -1/eps sum over |pi - theta| < eps/2 of (theta G + slope/B)
 *   db_dec   = sum (2/B) r - W_enc^T db_enc
 *
 * with slope the derivative of the penalty by the mean L0, eps the bandwidth of the
 * straight-through estimator.  Then the gradient of a decoder row loses its part along the
 * row, Adam moves everything, decoder rows are scaled back to norm 1, and thresholds are
 * kept from falling below 0, where the released form, f = ReLU(pi) where pi > theta, would
 * be another function.
 */
#ifndef STEP_H
#define STEP_H

#include "sae/workspace.h"

/* What one step saw, before it moved the parameters. */
struct step_report {
    int64_t step;               /* from 0 */
    double  loss, mse;          /* mse: mean squared norm of r */
    double  l0;                 /* mean active latents of a row */
    double  near;               /* mean entries of a row within half a bandwidth of the threshold */
    int64_t dead;               /* latents, this batch counted */
    double  rate, slope;        /* learning rate; derivative of the penalty by the mean L0 */
    double  threshold;          /* mean over the latents */
};

/* Train on one batch of normalised rows.
 *   x   [batch, inputs], the same on every rank
 * The parameters after it are the same bits on any number of ranks and threads.
 * Collective.  E_NUMERIC, on every rank, if the loss is not finite: nothing has been moved
 * then. */
enum status training_step(struct training *training, struct workspace *workspace, const float *x,
                          struct step_report *report);

#endif
