#include "kernels/svd.h"

#include <math.h>
#include <stdbool.h>

/* Rows count as orthogonal if the cosine between them is below this; a few rounds more than are
 * ever needed. */
static const double ORTHOGONAL = 1e-15;

enum { SWEEPS_MOST = 60 };

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void rotate(double *x, double *y, double cosine, double sine, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double before = x[i];
        x[i] = cosine * before - sine * y[i];
        y[i] = sine * before + cosine * y[i];
    }
}

/* Rotate two rows so that they are orthogonal.  Returns false if they are that already. */
static bool separate(double *left, double *a, int64_t p, int64_t q, int64_t n)
{
    double *x = a + p * n, *y = a + q * n;
    const double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);

    if (fabs(xy) <= ORTHOGONAL * sqrt(xx) * sqrt(yy))
        return false;
    const double zeta = (yy - xx) / (2 * xy);
    const double tangent = copysign(1, zeta) / (fabs(zeta) + hypot(1, zeta));
    const double cosine = 1 / hypot(1, tangent), sine = cosine * tangent;

    rotate(x, y, cosine, sine, n);
    rotate(left + p * n, left + q * n, cosine, sine, n);
    return true;
}

/* A row of pair number `pair` in a round of a tournament in which each plays each: the last one
 * stays where it is, and the others go round. */
static int64_t player(int64_t round, int64_t pair, bool second, int64_t players)
{
    const int64_t circle = players - 1;

    if (pair == 0)
        return second ? circle : round;
    return (round + (second ? circle - pair : pair)) % circle;
}

/* Rotate all pairs.  Returns whether any had to be. */
static bool sweep(double *left, double *a, int64_t n)
{
    const int64_t players = n + n % 2;
    bool moved = false;

    for (int64_t round = 0; round < players - 1; round++) {
        #pragma omp parallel for schedule(static) reduction(|| : moved)
        for (int64_t pair = 0; pair < players / 2; pair++) {
            const int64_t p = player(round, pair, false, players);
            const int64_t q = player(round, pair, true, players);
            if (p < n && q < n)
                moved = separate(left, a, p, q, n) || moved;
        }
    }
    return moved;
}

void svd_square(double *left, double *value, double *a, int64_t n)
{
    for (int64_t i = 0; i < n * n; i++)
        left[i] = i / n == i % n;
    for (int s = 0; s < SWEEPS_MOST && sweep(left, a, n); s++)
        ;
    for (int64_t i = 0; i < n; i++) {
        value[i] = sqrt(dot(a + i * n, a + i * n, n));
        for (int64_t k = 0; k < n && value[i] > 0; k++)
            a[i * n + k] /= value[i];
    }
}
