/* narrow.h -- y = x W^T for few rows x, each as if it were alone.
 *
 * The bits of a row depend neither on the other rows, nor on their number, nor on its place among
 * them.  BLAS does not promise that: some of its kernels add in another order in some rows.  It
 * also copies W for each product, which is most of its time when there are few rows.
 *
 * Here a row of x is a lane of vectors, and W is read where it is.  So x is packed first: in groups
 * of NARROW_ROWS rows, [inputs, NARROW_ROWS] each.  A sum is taken in the order of the inputs, in
 * runs of NARROW_RUN of them; the sums of the runs are added in their order.  Everything is
 * float32.
 */
#ifndef NARROW_H
#define NARROW_H

#include <stdint.h>

enum { NARROW_ROWS = 32, NARROW_RUN = 256, NARROW_OUTPUTS = 48 };

/* Values of the packed x. */
int64_t narrow_count(int64_t rows, int64_t inputs);

/* Pack x.  Uses all threads.
 *   packed [narrow_count()]   out
 *   x      [rows, inputs]     in */
void narrow_pack(float *packed, const float *x, int64_t rows, int64_t inputs);

/* Multiply, on one thread.
 *   y      [rows, outputs]    out, rows ldy values apart
 *   packed                    in, from narrow_pack()
 *   w      [outputs, inputs]  in; at most NARROW_OUTPUTS outputs */
void narrow_product(float *y, int64_t ldy, const float *packed, const float *w, int64_t rows,
                    int64_t outputs, int64_t inputs);

/* The same for any number of outputs, on all threads.  The bits are those of narrow_product(),
 * however the outputs are divided. */
void narrow_apply(float *y, int64_t ldy, const float *packed, const float *w, int64_t rows,
                  int64_t outputs, int64_t inputs);

#endif
