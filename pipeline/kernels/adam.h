/* adam.h -- one step of Adam (Kingma and Ba, arXiv:1412.6980), and the constraint that
 * decoder rows have norm 1.
 */
#ifndef ADAM_H
#define ADAM_H

#include <stdint.h>

/* The constants of one step.  `rest` is 1 - beta, computed in double because 1 - 0.999 in float is
 * off by 5e-5.  `correct` is 1 - beta^t, with t = 1 in the first step: the moments start at zero
 * and are too small by these factors. */
struct adam {
    float rate, epsilon;
    float beta1, rest1, correct1;
    float beta2, rest2, correct2;
};

/* Update n parameters with g = gradient - along * value.  If `along` is the dot product of
 * gradient and value, this removes the part of the gradient along the parameters, so a row of
 * norm 1 keeps its norm to first order.
 *   mean      first moments, or NULL: beta1 must then be 0
 *   square    second moments */
void adam_update(float *restrict value, float *restrict mean, float *restrict square,
                 const float *restrict gradient, float along, int64_t n,
                 const struct adam *adam);

/* The same for rows of a matrix, each with its own `along`.
 *   value, mean, square   [rows, columns]   rows `ld` values apart
 *   gradient              [rows, columns]   rows `ld_gradient` values apart
 *   along                 [rows], or NULL: all 0 */
void adam_rows(float *restrict value, float *restrict mean, float *restrict square, int64_t ld,
               const float *restrict gradient, int64_t ld_gradient, const double *along,
               int64_t rows, int64_t columns, const struct adam *adam);

#endif
