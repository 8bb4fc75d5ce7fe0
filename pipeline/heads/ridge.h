/* ridge.h -- linear classifiers by ridge regression, in closed form.
 *
 * For each label, weights and an offset are fitted to 1 on its rows and 0 on the others, by least
 * squares with a penalty on the weights.  A row gets the label of the largest prediction.  There is
 * no start and no step size, so the result depends on the rows alone.  For few rows: it solves a
 * system of rows x rows, in double.  Everything here is Local, and runs on one thread.
 */
#ifndef RIDGE_H
#define RIDGE_H

#include <stdint.h>

/* The penalty, relative to the mean squared norm of the rows less their mean. */
#define RIDGE_PENALTY 0.01

struct ridge {
    int32_t labels, width;
    float  *weight;         /* [labels, width] */
    double *offset;         /* [labels] */
    float  *centre;         /* [width] the mean of the rows */
};

/* Bytes that ridge_fit() allocates, the result included. */
int64_t ridge_bytes(int32_t labels, int32_t width, int64_t rows);

/* Fit.  ridge_free() accepts an empty one.
 *   x     [rows, width]  in
 *   label [rows]         in: 0 to labels - 1 */
void ridge_fit(struct ridge *ridge, const float *x, const int32_t *label, int64_t rows,
               int32_t width, int32_t labels);
void ridge_free(struct ridge *ridge);

/* The label of a row, the lowest of equal ones.
 *   x [width]  in */
int32_t ridge_label(const struct ridge *ridge, const float *x);

#endif
