/* measure.h -- how sparse the latents of an autoencoder are, and how good its reconstructions.
 *
 * Sums over the values of a row are double.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

/* Sums over a row x and its reconstruction y. */
struct fidelity {
    double error;       /* |x - y|^2 */
    double x_square;    /* |x|^2 */
    double y_square;    /* |y|^2 */
    double dot;         /* x . y */
};

/* Compare rows with their reconstructions.
 *   out   [rows]         out
 *   x, y  [rows, width]  in */
void measure_fidelity(struct fidelity *out, const float *x, const float *y, int64_t rows,
                      int32_t width);

/* Count the active latents of each row, and sum their values.
 *   l0, l1  [rows]           out
 *   f       [rows, latents]  in, not negative */
void measure_sparsity(double *l0, double *l1, const float *f, int64_t rows, int32_t latents);

/* Count the rows on which each latent is active.
 *   fired  [latents]        in and out: the counts are added to it
 *   f      [rows, latents]  in */
void measure_firing(int64_t *fired, const float *f, int64_t rows, int32_t latents);

#endif
