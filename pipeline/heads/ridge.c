#include "heads/ridge.h"
#include "base/allocate.h"
#include "kernels/values.h"

#include <math.h>
#include <stdlib.h>

int64_t ridge_bytes(int32_t labels, int32_t width, int64_t rows)
{
    return ((int64_t)labels * width + width + rows * width) * (int64_t)sizeof(float)
         + (labels + rows * rows + rows * labels) * (int64_t)sizeof(double);
}

/* Subtract the mean of the rows.  Caller frees the copy. */
static float *centre_rows(float *mean, const float *x, int64_t rows, int64_t width)
{
    float *centred = allocate(rows * width, sizeof *centred);

    for (int64_t i = 0; i < width; i++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += (double)x[r * width + i];
        mean[i] = (float)(sum / (double)rows);
    }
    for (int64_t i = 0; i < rows * width; i++)
        centred[i] = x[i] - mean[i % width];
    return centred;
}

/* Solve A y = b for `count` right sides by Cholesky's factors, which replace A's lower half.
 *   a [n, n]      symmetric, positive definite
 *   b [n, count]  in: b; out: y */
static void solve(double *a, double *b, int64_t n, int64_t count)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    for (int64_t c = 0; c < count; c++) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t k = 0; k < i; k++)
                b[i * count + c] -= a[i * n + k] * b[k * count + c];
            b[i * count + c] /= a[i * n + i];
        }
        for (int64_t i = n; i-- > 0;) {
            for (int64_t k = i + 1; k < n; k++)
                b[i * count + c] -= a[k * n + i] * b[k * count + c];
            b[i * count + c] /= a[i * n + i];
        }
    }
}

/* The weights are combinations of the rows: solve for their factors (the dual problem).
 *   factor [rows, labels]  out
 *   share  [labels]        out: of the rows */
static void find_factors(double *factor, double *share, const float *x, const int32_t *label,
                         int64_t rows, int64_t width, int64_t labels)
{
    double *gram = allocate(rows * rows, sizeof *gram), trace = 0;

    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j <= i; j++)
            gram[i * rows + j] = gram[j * rows + i] = values_dot(x + i * width, x + j * width,
                                                                 width);
    for (int64_t i = 0; i < rows; i++)
        trace += gram[i * rows + i];
    /* Rows that are all alike leave nothing to fit; any penalty then gives weights 0. */
    for (int64_t i = 0; i < rows; i++)
        gram[i * rows + i] += trace > 0 ? RIDGE_PENALTY * trace / (double)rows : 1;
    for (int64_t i = 0; i < rows; i++)
        share[label[i]] += 1 / (double)rows;
    for (int64_t i = 0; i < rows * labels; i++)
        factor[i] = (label[i / labels] == i % labels) - share[i % labels];
    solve(gram, factor, rows, labels);
    free(gram);
}

void ridge_fit(struct ridge *ridge, const float *x, const int32_t *label, int64_t rows,
               int32_t width, int32_t labels)
{
    double *factor = allocate(rows * labels, sizeof *factor);

    *ridge = (struct ridge){
        .labels = labels,
        .width = width,
        .weight = allocate((int64_t)labels * width, sizeof(float)),
        .offset = allocate(labels, sizeof(double)),
        .centre = allocate(width, sizeof(float)),
    };
    float *centred = centre_rows(ridge->centre, x, rows, width);
    find_factors(factor, ridge->offset, centred, label, rows, width, labels);
    for (int64_t l = 0; l < labels; l++)
        for (int64_t i = 0; i < width; i++) {
            double sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += factor[r * labels + l] * (double)centred[r * width + i];
            ridge->weight[l * width + i] = (float)sum;
        }
    for (int64_t l = 0; l < labels; l++)
        ridge->offset[l] -= values_dot(ridge->weight + l * width, ridge->centre, width);
    free(centred);
    free(factor);
}

void ridge_free(struct ridge *ridge)
{
    free(ridge->weight);
    free(ridge->offset);
    free(ridge->centre);
    *ridge = (struct ridge){0};
}

int32_t ridge_label(const struct ridge *ridge, const float *x)
{
    double highest = -INFINITY;
    int32_t best = 0;

    for (int32_t l = 0; l < ridge->labels; l++) {
        const double value = ridge->offset[l]
                           + values_dot(ridge->weight + (int64_t)l * ridge->width, x, ridge->width);
        if (value > highest) {
            highest = value;
            best = l;
        }
    }
    return best;
}
