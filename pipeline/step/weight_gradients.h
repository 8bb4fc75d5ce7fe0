/* weight_gradients.h -- the gradients of the matrices, a few latents at a time. */
#ifndef WEIGHT_GRADIENTS_H
#define WEIGHT_GRADIENTS_H

#include "step/dense.h"
#include "step/gradients.h"
#include "step/residuals.h"

/* What they are computed from. */
struct weight_sources {
    const struct training  *training;
    const struct batch     *batch;
    const struct residuals *residuals;
    const struct gradients *gradients;
    struct step_scratch    *scratch;
};

/* Call visit() on every block of the gradients of the pass: of the decoder, over the own columns,
 * before `along` is taken away; of the encoder, of the own latents.  Local. */
void weight_gradients_decoder(const struct weight_sources *sources, visit_gradient *visit,
                              void *context);
void weight_gradients_encoder(const struct weight_sources *sources, visit_gradient *visit,
                              void *context);

/* The gradient of the skip matrix's rows of one block of own columns, in this thread's scratch.
 *   returns   [columns, inputs]
 * Local, called by all threads. */
float *weight_gradients_skip(const struct weight_sources *sources, struct range columns);

struct scratch_size weight_gradients_scratch(const struct step_sizes *sizes);

#endif
