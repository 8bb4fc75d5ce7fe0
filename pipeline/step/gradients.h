/* gradients.h -- what the loss asks of every parameter.
 *
 * The gradients of the weights exist only a few latents at a time: they are sums over the
 * entries of a latent, made when they are used.
 */
#ifndef GRADIENTS_H
#define GRADIENTS_H

#include "step/workspace.h"

/* Of the latents whose turn it is, the gradients that are sums over their entries, and the
 * coefficients of the weights' gradients: the entries by latent, and what the architecture makes
 * of them.  To be called after decode_back().  Local. */
void find_latent_gradients(const struct training *training, struct workspace *workspace);

/* decoder_bias_gradient, when find_latent_gradients() has been called in every turn.
 * Collective. */
void find_decoder_bias_gradient(const struct training *training, struct workspace *workspace);

/* Look at the gradients of some columns of some latents, and use them up.
 *   gradient   [latents, columns]   `ld` from row to row
 * Local, called by all threads. */
typedef void visit_gradient(void *context, struct range latents, struct range columns,
                            float *gradient, int64_t ld);

/* Have the gradients of the latents whose turn it is looked at: of the decoder, over the own
 * columns, before `along` is taken away; of the encoder, of the own latents.  Local. */
void visit_decoder_gradients(const struct training *training, struct workspace *workspace,
                             visit_gradient *visit, void *context);
void visit_encoder_gradients(const struct training *training, struct workspace *workspace,
                             visit_gradient *visit, void *context);

/* The gradient of the skip matrix's rows of one block of own columns, in this thread's
 * scratch.  Local, called by all threads. */
float *skip_gradient(const struct training *training, struct workspace *workspace,
                     struct range columns);

/* Add the rows of `values` [count, width] to sums that go round the ranks in order.
 *   sum   [width]   out, on every rank
 * Collective. */
void sum_over_ranks(MPI_Comm comm, double *sum, const float *values, int64_t count,
                    int64_t width);

#endif
