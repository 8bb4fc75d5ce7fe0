/* svd.h -- the singular value decomposition of a square matrix in double.
 *
 *   A = U S V^T
 *
 * By one-sided Jacobi rotations (Hestenes 1958; Golub and Van Loan, Matrix Computations, section
 * 8.6.3): pairs of rows are rotated until all rows are orthogonal.  In a round the pairs have no
 * row in common and threads divide them, so the bits do not depend on the number of threads.
 */
#ifndef SVD_H
#define SVD_H

#include <stdint.h>

/* Decompose a matrix.  Singular values are in no order.
 *   left  [n, n]  out: U^T, a singular vector a row
 *   value [n]     out: S
 *   a     [n, n]  in: A; out: V^T, a singular vector a row, 0 where the singular value is 0 */
void svd_square(double *left, double *value, double *a, int64_t n);

#endif
