#include "kernels/measure.h"
#include "kernels/clones.h"

CLONES static struct fidelity fidelity_of_row(const float *x, const float *y, int32_t width)
{
    double error = 0, x_square = 0, y_square = 0, dot = 0;

    #pragma omp simd reduction(+ : error, x_square, y_square, dot)
    for (int32_t i = 0; i < width; i++) {
        const double a = (double)x[i], b = (double)y[i];
        error += (a - b) * (a - b);
        x_square += a * a;
        y_square += b * b;
        dot += a * b;
    }
    return (struct fidelity){ error, x_square, y_square, dot };
}

void measure_fidelity(struct fidelity *out, const float *x, const float *y, int64_t rows,
                      int32_t width)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        out[r] = fidelity_of_row(x + r * width, y + r * width, width);
}

CLONES static void sparsity_of_row(double *l0, double *l1, const float *f, int32_t latents)
{
    int32_t active = 0;
    double sum = 0;

    #pragma omp simd reduction(+ : active, sum)
    for (int32_t i = 0; i < latents; i++) {
        active += f[i] != 0;
        sum += (double)f[i];
    }
    *l0 = active;
    *l1 = sum;
}

void measure_sparsity(double *l0, double *l1, const float *f, int64_t rows, int32_t latents)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        sparsity_of_row(l0 + r, l1 + r, f + r * latents, latents);
}

CLONES static void firing_of_row(int64_t *fired, const float *f, int32_t latents)
{
    for (int32_t i = 0; i < latents; i++)
        fired[i] += f[i] != 0;
}

/* Each thread counts some of the latents. */
void measure_firing(int64_t *fired, const float *f, int64_t rows, int32_t latents)
{
    enum { PIECE = 1024 };

    #pragma omp parallel for
    for (int32_t from = 0; from < latents; from += PIECE)
        for (int64_t r = 0; r < rows; r++)
            firing_of_row(fired + from, f + r * latents + from,
                          latents - from < PIECE ? latents - from : PIECE);
}
