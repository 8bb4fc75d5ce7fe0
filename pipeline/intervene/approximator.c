#include "intervene/approximator.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "base/random.h"
#include "base/split.h"
#include "kernels/adam.h"
#include "kernels/gemm.h"
#include "kernels/permute.h"
#include "kernels/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Those of the authors' program. */
static const double BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

void approximator_make(struct approximator *approximator, int32_t width, int32_t latents)
{
    *approximator = (struct approximator){
        .width = width, .latents = latents,
        .matrix = allocate((int64_t)width * latents, sizeof(float)),
        .bias = allocate(latents, sizeof(float)),
    };
}

void approximator_free(struct approximator *approximator)
{
    free(approximator->matrix);
    free(approximator->bias);
    *approximator = (struct approximator){0};
}

int64_t approximator_bytes(int32_t width, int32_t latents)
{
    return ((int64_t)width + 1) * latents * (int64_t)sizeof(float);
}

/* --- a block ------------------------------------------------------------------------- */

/* Numbers of M with b after it, and of a batch. */
struct fit {
    const struct approximator_recipe *recipe;
    int64_t width, columns, latents;    /* columns: latents of the block; latents: of all */
    int64_t values;             /* (width + 1) * columns */
    float  *value;              /* [values] */
    float  *mean, *square;      /* [values] Adam's moments */
    float  *gradient;           /* [values] */
    double *sums;               /* [columns] */
    float  *x;                  /* [batch, width] */
    float  *error;              /* [batch, columns] */
    int64_t steps;
};

int64_t approximator_fit_bytes(int32_t width, int64_t batch)
{
    const int64_t values = ((int64_t)width + 1) * APPROXIMATOR_LATENTS;

    return (4 * values + batch * (width + APPROXIMATOR_LATENTS)) * (int64_t)sizeof(float)
         + APPROXIMATOR_LATENTS * (int64_t)sizeof(double);
}

static void make_fit(struct fit *fit)
{
    fit->values = (fit->width + 1) * fit->columns;
    fit->value = allocate(fit->values, sizeof(float));
    fit->mean = allocate(fit->values, sizeof(float));
    fit->square = allocate(fit->values, sizeof(float));
    fit->gradient = allocate(fit->values, sizeof(float));
    fit->sums = allocate(fit->columns, sizeof(double));
    fit->x = allocate(fit->recipe->batch * fit->width, sizeof(float));
    fit->error = allocate(fit->recipe->batch * fit->columns, sizeof(float));
}

static void free_fit(struct fit *fit)
{
    free(fit->value);
    free(fit->mean);
    free(fit->square);
    free(fit->gradient);
    free(fit->sums);
    free(fit->x);
    free(fit->error);
}

/* Adam's numbers of the next step. */
static struct adam next_adam(struct fit *fit, double rate)
{
    const double t = (double)++fit->steps;

    return (struct adam){
        .rate = (float)rate, .epsilon = (float)EPSILON,
        .beta1 = (float)BETA1, .rest1 = (float)(1 - BETA1), .correct1 = (float)(1 - pow(BETA1, t)),
        .beta2 = (float)BETA2, .rest2 = (float)(1 - BETA2), .correct2 = (float)(1 - pow(BETA2, t)),
    };
}

/* The gradient of the mean squared error of a batch, whose y stands in fit->error. */
static void find_gradient(struct fit *fit, int64_t vectors)
{
    const int64_t columns = fit->columns, matrix = fit->width * columns;
    const float factor = (float)(2 / ((double)vectors * (double)fit->latents));

    for (int64_t i = 0; i < vectors * columns; i++)
        fit->error[i] = fit->value[matrix + i % columns] - fit->error[i];
    gemm_nn(fit->error, columns, fit->x, fit->width, fit->value, columns, vectors, columns,
            fit->width, true);
    for (int64_t i = 0; i < vectors * columns; i++)
        fit->error[i] *= factor;
    gemm_tn(fit->gradient, columns, fit->x, fit->width, fit->error, columns, fit->width, columns,
            vectors, false);
    rows_sum(fit->sums, fit->error, columns, vectors, columns);
    for (int64_t i = 0; i < columns; i++)
        fit->gradient[matrix + i] = (float)fit->sums[i];
}

static void move(struct fit *fit, double rate)
{
    const struct adam adam = next_adam(fit, rate);

    #pragma omp parallel for schedule(static)
    for (int64_t row = 0; row <= fit->width; row++) {
        const int64_t at = row * fit->columns;
        adam_update(fit->value + at, fit->mean + at, fit->square + at, fit->gradient + at, 0,
                    fit->columns, &adam);
    }
}

/* Learn from all vectors once, in an order of their own. */
static void run_epoch(struct fit *fit, int64_t epoch, const float *x, const float *y,
                      int64_t vectors)
{
    const double turn = acos(-1) * (double)epoch / (double)fit->recipe->epochs;
    struct permute order;

    permute_make(&order, vectors, fit->recipe->seed, RANDOM_VECTORS, (uint64_t)epoch);
    for (int64_t from = 0; from < vectors; from += fit->recipe->batch) {
        const int64_t count = min_int64(fit->recipe->batch, vectors - from);
        for (int64_t i = 0; i < count; i++) {
            int64_t chosen = from + i;
            permute_forward(&chosen, &chosen, 1, &order);
            memcpy(fit->x + i * fit->width, x + chosen * fit->width,
                   (size_t)fit->width * sizeof *x);
            memcpy(fit->error + i * fit->columns, y + chosen * fit->columns,
                   (size_t)fit->columns * sizeof *y);
        }
        find_gradient(fit, count);
        move(fit, fit->recipe->rate * (1 + cos(turn)) / 2);
    }
}

void approximator_fit(struct approximator *approximator, int64_t block,
                      const struct approximator_recipe *recipe, const float *x, const float *y,
                      int64_t vectors)
{
    const struct range own = split_block(approximator->latents, APPROXIMATOR_LATENTS, block);
    struct fit fit = {
        .recipe = recipe, .width = approximator->width, .columns = range_length(own),
        .latents = approximator->latents,
    };

    make_fit(&fit);
    for (int64_t epoch = 0; epoch < recipe->epochs; epoch++)
        run_epoch(&fit, epoch, x, y, vectors);
    for (int64_t row = 0; row <= fit.width; row++) {
        float *to = row < fit.width ? approximator->matrix + row * fit.latents : approximator->bias;
        memcpy(to + own.first, fit.value + row * fit.columns,
               (size_t)fit.columns * sizeof(float));
    }
    free_fit(&fit);
}

void approximator_predict(const struct approximator *approximator, int64_t block, float *y,
                          const float *x, int64_t vectors)
{
    const int64_t latents = approximator->latents;
    const struct range own = split_block(latents, APPROXIMATOR_LATENTS, block);
    const int64_t columns = range_length(own);

    for (int64_t i = 0; i < vectors; i++)
        memcpy(y + i * columns, approximator->bias + own.first, (size_t)columns * sizeof *y);
    gemm_nn(y, columns, x, approximator->width, approximator->matrix + own.first, latents, vectors,
            columns, approximator->width, true);
}
