/* Steering vectors from effects that are made by hand: singular values, a planted map that is
 * recovered, vectors that move their latent and nothing else, scales of known loss curves. */
#include "base/blas_core.h"
#include "base/random.h"
#include "intervene/scale_search.h"
#include "intervene/steering_ways.h"
#include "kernels/svd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Number i of a list of them, from -1 to 1. */
static double noise(uint32_t list, int64_t i)
{
    return 2 * (double)random_uniform(7, 1000 + list, (uint64_t)i) - 1;
}

static double dot(const double *x, const double *y, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Rows that are orthogonal and of norm 1, by Gram and Schmidt. */
static void make_rotation(double *q, int n, uint32_t list)
{
    for (int i = 0; i < n; i++) {
        double *row = q + i * n;
        for (int k = 0; k < n; k++)
            row[k] = noise(list, i * n + k);
        for (int j = 0; j < i; j++) {
            const double along = dot(row, q + j * n, n);
            for (int k = 0; k < n; k++)
                row[k] -= along * q[j * n + k];
        }
        const double norm = sqrt(dot(row, row, n));
        for (int k = 0; k < n; k++)
            row[k] /= norm;
    }
}

/* --- singular values -------------------------------------------------------------------- */

/* A^T A has the eigenvalues 45 and 5. */
static void finds_singular_values(void **state)
{
    double a[] = { 3, 0, 4, 5 }, left[4], value[2];

    (void)state;
    svd_square(left, value, a, 2);
    assert_true(fabs(fmax(value[0], value[1]) - sqrt(45)) < 1e-14);
    assert_true(fabs(value[0] * value[1] - 15) < 1e-13);
}

/* The factors are orthogonal and give the matrix again, of odd and of even size; row 2 of each is
 * the sum of rows 0 and 1, so one value is 0. */
static void decomposes(int n)
{
    double a[10 * 10], right[10 * 10], left[10 * 10], value[10], least = 1;

    for (int i = 0; i < n * n; i++)
        a[i] = noise(1, i);
    for (int k = 0; k < n; k++)
        a[2 * n + k] = a[k] + a[n + k];
    memcpy(right, a, sizeof a);
    svd_square(left, value, right, n);
    for (int i = 0; i < n; i++)
        least = fmin(least, value[i]);
    assert_true(least < 1e-14);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            double sum = 0;
            for (int s = 0; s < n; s++)
                sum += left[s * n + i] * value[s] * right[s * n + k];
            assert_true(fabs(sum - a[i * n + k]) < 1e-13);
            assert_true(fabs(dot(left + i * n, left + k * n, n) - (i == k)) < 1e-13);
            if (value[i] > 1e-10 && value[k] > 1e-10)
                assert_true(fabs(dot(right + i * n, right + k * n, n) - (i == k)) < 1e-13);
        }
}

static void decomposes_a_matrix_that_has_no_inverse(void **state)
{
    (void)state;
    decomposes(9);
    decomposes(10);
}

/* --- a planted map ---------------------------------------------------------------------- */

enum { WIDTH = 12, FEW = 8, MANY = 40, VECTORS = 512 };

/* What effects are made of. */
struct planted {
    int    latents;
    double matrix[WIDTH * MANY], bias[MANY];
    double decoder[MANY * WIDTH];
};

static void predict(const struct planted *p, double *y, const double *x)
{
    for (int i = 0; i < p->latents; i++) {
        y[i] = p->bias[i];
        for (int k = 0; k < WIDTH; k++)
            y[i] += x[k] * p->matrix[k * p->latents + i];
    }
}

/* A vector of norm 1. */
static void make_vector(double x[WIDTH], int64_t number)
{
    for (int k = 0; k < WIDTH; k++)
        x[k] = noise(2, number * WIDTH + k);
    const double norm = sqrt(dot(x, x, WIDTH));
    for (int k = 0; k < WIDTH; k++)
        x[k] /= norm;
}

/* Fit vectors and their effects. */
static void fit(struct approximator *found, const struct planted *p)
{
    static const struct approximator_recipe RECIPE = { .epochs = 80, .batch = 64, .rate = 0.02 };
    float *x = calloc(VECTORS * WIDTH, sizeof *x), *y = calloc(VECTORS * MANY, sizeof *y);

    for (int v = 0; v < VECTORS; v++) {
        double one[WIDTH], effect[MANY];
        make_vector(one, v);
        predict(p, effect, one);
        for (int k = 0; k < WIDTH; k++)
            x[v * WIDTH + k] = (float)one[k];
        for (int i = 0; i < p->latents; i++)
            y[v * p->latents + i] = (float)effect[i];
    }
    approximator_make(found, WIDTH, p->latents);
    approximator_fit(found, 0, &RECIPE, x, y, VECTORS);
    free(x);
    free(y);
}

static void recovers_a_planted_map(void **state)
{
    struct planted p = { .latents = MANY };
    struct approximator found;
    double error = 0, square = 0, x[WIDTH], y[MANY];
    float x_float[WIDTH], guess[MANY];

    (void)state;
    for (int i = 0; i < WIDTH * MANY; i++)
        p.matrix[i] = noise(3, i);
    for (int i = 0; i < MANY; i++)
        p.bias[i] = noise(4, i);
    fit(&found, &p);
    for (int v = VECTORS; v < VECTORS + 50; v++) {
        make_vector(x, v);
        predict(&p, y, x);
        for (int k = 0; k < WIDTH; k++)
            x_float[k] = (float)x[k];
        approximator_predict(&found, 0, guess, x_float, 1);
        for (int i = 0; i < MANY; i++) {
            error += ((double)guess[i] - y[i]) * ((double)guess[i] - y[i]);
            square += y[i] * y[i];
        }
    }
    assert_true(sqrt(error / square) < 0.01);
    error = square = 0;
    for (int i = 0; i < WIDTH * MANY; i++) {
        error += ((double)found.matrix[i] - p.matrix[i]) * ((double)found.matrix[i] - p.matrix[i]);
        square += p.matrix[i] * p.matrix[i];
    }
    assert_true(sqrt(error / square) < 0.01);
    approximator_free(&found);
}

/* Latent 1026 alone changes, with value 2 of the vectors; all others stay as they are. */
static void fits_blocks_by_themselves(void **state)
{
    enum { LATENTS = APPROXIMATOR_LATENTS + 6, COUNT = 64 };
    static const struct approximator_recipe RECIPE = { .epochs = 200, .batch = 16, .rate = 0.02 };
    struct approximator found;
    float x[COUNT * 3], y[COUNT * 6] = {0};

    (void)state;
    for (int v = 0; v < COUNT; v++) {
        for (int k = 0; k < 3; k++)
            x[v * 3 + k] = (float)noise(5, v * 3 + k);
        y[v * 6 + 2] = x[v * 3 + 2];
    }
    approximator_make(&found, 3, LATENTS);
    approximator_fit(&found, 1, &RECIPE, x, y, COUNT);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < LATENTS; i++)
            assert_float_equal(found.matrix[k * LATENTS + i], k == 2 && i == 1026, 0.01);
    approximator_predict(&found, 1, y, x, 1);
    for (int i = 0; i < 6; i++)
        assert_float_equal(y[i], i == 2 ? x[2] : 0, 0.02);
    approximator_free(&found);
}

/* --- vectors of a latent ---------------------------------------------------------------- */

/* The effects of a vector. */
static void steer(const struct planted *p, double *y, const float *vector)
{
    double x[WIDTH];

    for (int k = 0; k < WIDTH; k++)
        x[k] = (double)vector[k];
    predict(p, y, x);
}

static void open_ways(struct steering_ways *ways, struct approximator *found, float *decoder,
                      const struct planted *p, double common)
{
    for (int i = 0; i < p->latents * WIDTH; i++)
        decoder[i] = (float)p->decoder[i];
    fit(found, p);
    steering_ways_make(ways, found, decoder, common);
}

/* Columns of M are orthogonal and of norm 1; b has norm 1 / sqrt(2) and is 0 for the target j.
 * Then |M b| = |b|, and with s = M_j - M b / |b|, of norm sqrt(2), the effect of s / |s| is
 * (e_j - b / |b|) / sqrt(2) + b = e_j / sqrt(2). */
static void the_targeted_vector_moves_its_latent_and_nothing_else(void **state)
{
    struct planted p = { .latents = FEW };
    struct approximator found;
    struct steering_ways ways;
    double q[WIDTH * WIDTH], y[FEW], norm;
    float decoder[MANY * WIDTH], vector[WIDTH];

    (void)state;
    make_rotation(q, WIDTH, 8);
    for (int i = 0; i < FEW; i++) {
        p.bias[i] = i == 3 ? 0 : noise(9, i);
        for (int k = 0; k < WIDTH; k++) {
            p.matrix[k * FEW + i] = q[i * WIDTH + k];
            p.decoder[i * WIDTH + k] = noise(10, i * WIDTH + k);
        }
    }
    norm = sqrt(2 * dot(p.bias, p.bias, FEW));
    for (int i = 0; i < FEW; i++)
        p.bias[i] /= norm;
    open_ways(&ways, &found, decoder, &p, 1);
    assert_true(steering_ways_find(&ways, vector, STEERING_TARGETED, 3));
    steer(&p, y, vector);
    for (int i = 0; i < FEW; i++)
        assert_true(fabs(y[i] - (i == 3 ? sqrt(0.5) : 0)) < 0.01);

    /* t is e_3, and M^+ is M^T: (e_3 - b) M^T, of norm sqrt(1.5). */
    assert_true(steering_ways_find(&ways, vector, STEERING_INVERSE, 3));
    for (int k = 0; k < WIDTH; k++) {
        double expected = q[3 * WIDTH + k];
        for (int i = 0; i < FEW; i++)
            expected -= p.bias[i] * q[i * WIDTH + k];
        assert_true(fabs((double)vector[k] - expected / sqrt(1.5)) < 0.01);
    }

    assert_true(steering_ways_find(&ways, vector, STEERING_DECODER, 3));
    norm = sqrt(dot(p.decoder + 3 * WIDTH, p.decoder + 3 * WIDTH, WIDTH));
    for (int k = 0; k < WIDTH; k++)
        assert_true(fabs((double)vector[k] - p.decoder[3 * WIDTH + k] / norm) < 1e-6);
    steering_ways_free(&ways);
    approximator_free(&found);
}

/* Each column of M is R d, twice as long; latent 5 was never changed, and gets R d all the same. */
static void rotates_as_most_latents_are(void **state)
{
    struct planted p = { .latents = MANY };
    struct approximator found;
    struct steering_ways ways;
    double r[WIDTH * WIDTH];
    float decoder[MANY * WIDTH], vector[WIDTH];

    (void)state;
    make_rotation(r, WIDTH, 11);
    for (int i = 0; i < MANY; i++) {
        double *d = p.decoder + i * WIDTH;
        make_vector(d, 10000 + i);
        for (int k = 0; k < WIDTH && i != 5; k++)
            p.matrix[k * MANY + i] = 2 * dot(r + k * WIDTH, d, WIDTH);
    }
    open_ways(&ways, &found, decoder, &p, 0);
    for (int i = 5; i < 7; i++) {
        assert_true(steering_ways_find(&ways, vector, STEERING_ROTATED, i));
        for (int k = 0; k < WIDTH; k++)
            assert_true(fabs((double)vector[k] - dot(r + k * WIDTH, p.decoder + i * WIDTH, WIDTH))
                        < 0.01);
    }
    assert_false(steering_ways_find(&ways, vector, STEERING_TARGETED, 5));
    assert_false(steering_ways_find(&ways, vector, STEERING_INVERSE, 5));
    steering_ways_free(&ways);
    approximator_free(&found);
}

/* --- scales ----------------------------------------------------------------------------- */

static int asked;

/* 2 + s^2 */
static enum status parabola(void *context, double scale, double *loss)
{
    (void)context;
    asked++;
    *loss = 2 + scale * scale;
    return OK;
}

/* 2.25 at 0.5 and 2.5625 at 0.75: four fifths of this step lead to 2.5.  Up to 0.6 it is never
 * reached. */
static void divides_the_step_that_costs_enough(void **state)
{
    struct scale_search search = { .cost = 0.5, .step = 0.25, .most = 4, .loss = 2 };
    double scale = 0;
    bool found;

    (void)state;
    asked = 0;
    assert_int_equal(scale_search_run(&search, parabola, NULL, &scale, &found), OK);
    assert_true(found && fabs(scale - 0.7) < 1e-12 && asked == 3);
    search.most = 0.6;
    assert_int_equal(scale_search_run(&search, parabola, NULL, &scale, &found), OK);
    assert_true(!found && scale == 0.5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_singular_values),
        cmocka_unit_test(decomposes_a_matrix_that_has_no_inverse),
        cmocka_unit_test(recovers_a_planted_map),
        cmocka_unit_test(fits_blocks_by_themselves),
        cmocka_unit_test(the_targeted_vector_moves_its_latent_and_nothing_else),
        cmocka_unit_test(rotates_as_most_latents_are),
        cmocka_unit_test(divides_the_step_that_costs_enough),
    };

    (void)argc;
    blas_core_settle(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
