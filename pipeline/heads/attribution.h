/* attribution.h -- what a part of the residual stream adds to a difference of logits, directly.
 *
 * The logits are linear in the last residual stream once the scale of the final norm is kept as it
 * is.  The stream is a sum: embedding, heads, biases, MLPs.  So each of them has its share of a
 * logit, and the shares sum up to it (direct logit attribution: Elhage et al., "A mathematical
 * framework for transformer circuits", 2021).  A soft-cap of the logits is left out.
 * Everything here is Local, and sums in double.
 */
#ifndef ATTRIBUTION_H
#define ATTRIBUTION_H

#include "lm/weights.h"

/* A norm whose scale is that of one row: y -> (y - mean(y)) * inverse * scale, of RMSNorm without
 * the mean. */
struct attribution_norm {
    const struct lm_config *config;
    struct norm_weights     weights;    /* without the bias */
    double                  inverse;    /* 1 / sqrt(variance + epsilon) of the row */
};

/* The norm as it is for row x [width]. */
struct attribution_norm attribution_norm_of(const struct lm_config *config,
                                            struct norm_weights weights, const float *x);

/* y [width] in place. */
void attribution_normalise(const struct attribution_norm *norm, float *y);

/* A direction in the residual stream after the final norm: its dot product is a logit, a mean of
 * logits, a difference of them.
 *   direction [width]  out */
void attribution_direction(double *direction, const struct weights *weights, const int32_t *ids,
                           int64_t count);

/* The dot product of a normalised part of the stream with the direction. */
double attribution_of(const struct attribution_norm *norm, const double *direction,
                      const float *part);

/* The same of the final norm's bias; 0 if there is none. */
double attribution_of_bias(const struct norm_weights *norm, const double *direction, int32_t width);

#endif
