/* step.h -- one step of training, over all ranks, the same for all architectures.
 *
 * With B rows x (targets t; t = x but for transcoders), an encoder W_enc, a decoder W_dec:
 *
 *   product  = W_enc (x - b_dec), or W_enc x
 *   lists    = what the architecture finds in it: active entries f, auxiliary entries
 *   y        = f W_dec + b_dec (+ W_skip x)       r = y - t
 *   loss     = mean |r|^2 + penalty + what auxiliary entries make
 *
 *   G        = (2/B) r W_dec^T                    at the entries only
 *   dW_dec   = sum f (2/B) r                      dpi = what the architecture makes of G
 *   dW_enc   = sum dpi (x - b_dec)                db_dec = sum (2/B) r - W_enc^T sum dpi
 *   dW_skip  = sum (2/B) r x
 *
 * Then Adam moves everything.  Where decoder rows have norm 1, their gradients lose their parts
 * along these rows, and the moved rows are scaled back to norm 1.  A Matryoshka autoencoder
 * (arXiv:2503.17547) has a reconstruction for each prefix of its latents; the loss has the mean of
 * their errors.
 *
 * The way of a batch, phase by phase.  A phase reads what those before it made, through const
 * pointers, writes its own product, and forgets its scratch:
 *
 *   phase               reads                        makes
 *   encode()            parameters, batch            criteria, lists: entries of each row
 *   loss_count()        lists                        penalty: counts of all passes
 *   decode()            parameters, batch, lists     residuals
 *   loss_sum_errors()   residuals, criteria          errors: sums over ranks
 *   loss_find()         errors, penalty              the loss, and its derivatives in penalty
 *   backpropagate()     parameters, lists,           gradients: entries by latent, their
 *                       residuals, penalty           coefficients, the vectors' gradients
 *   clip_...()          gradients, residuals, batch  their common factor
 *   update_...()        gradients, residuals, batch  the next parameters and moments
 *
 * While many latents are active encode(), loss_count() and decode() run in several passes over the
 * latents, and after loss_find() encode(), backpropagate() and update_weights() (pass.h).
 */
#ifndef STEP_H
#define STEP_H

#include "step/backpropagate.h"
#include "step/encode.h"
#include "step/norms.h"

/* The memory of a step, shared by all trainings of a stream. */
struct step {
    struct step_sizes   sizes;
    struct step_scratch scratch;
    struct encoder   encoder;
    struct criteria  criteria;
    struct lists     lists;
    struct penalty   penalty;
    struct residuals residuals;
    struct errors    errors;
    struct gradients gradients;
    struct norms     norms;
};

/* Make it for all trainings whose needs are added (step_memory.h).  Local. */
void step_make(struct step *step, MPI_Comm comm, const struct step_needs *needs);
void step_free(struct step *step);

/* Bytes of it that are used, at most, on the rank that gets most. */
int64_t step_bytes(const struct step_needs *needs, int ranks, int threads);

/* Train on one batch of normalised rows, the same on every rank.
 *   x        [batch, inputs]
 *   target   [batch, outputs]; x itself but for transcoders
 * The parameters after it are the same bits on any number of ranks and threads.
 * Collective.  E_NUMERIC, on every rank, if the loss is not finite: nothing has been moved
 * then. */
enum status step_run(struct step *step, struct training *training, const struct packed_rows *x,
                     const struct packed_rows *target, struct step_report *report);

#endif
