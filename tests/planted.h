/* planted.h -- can a training find the directions that its rows are made of?
 *
 * A dictionary of random unit vectors is planted: each row is the sum of a few of them with
 * coefficients from 0.5 to 1.5, scaled so that the mean squared norm is 1.  A planted vector
 * is recovered if some row of the trained decoder has a cosine above 0.95 with it.
 */
#ifndef PLANTED_H
#define PLANTED_H

#include "base/allocate.h"
#include "base/die.h"
#include "base/random.h"
#include "kernels/adam.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/values.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct planted {
    int32_t inputs, atoms, active;
    float  *atom;       /* [atoms, inputs] */
};

/* What a training came to. */
struct planted_result {
    double recovered;   /* share of the atoms */
    double fvu, l0;     /* of the last batch */
};

static inline void planted_make(struct planted *planted, int32_t inputs, int32_t atoms,
                                int32_t active)
{
    *planted = (struct planted){ inputs, atoms, active,
                                 allocate((int64_t)atoms * inputs, sizeof(float)) };
    for (int64_t i = 0; i < atoms; i++) {
        float *atom = planted->atom + i * inputs;
        for (int64_t j = 0; j < inputs; j++) {      /* Box and Muller: no direction is preferred */
            const uint64_t at = (uint64_t)(2 * (i * inputs + j));
            const float u = random_uniform(1, 1, at), v = random_uniform(1, 1, at + 1);
            atom[j] = sqrtf(-2 * logf(1 - u)) * cosf(6.2831853f * v);
        }
        values_scale(atom, (float)(1 / sqrt(values_sum_squares(atom, inputs))), inputs);
    }
}

/* Batch number t.
 *   x   [rows, inputs]  out */
static inline void planted_rows(const struct planted *planted, float *x, int64_t t, int64_t rows)
{
    const int32_t inputs = planted->inputs;
    /* Nearly orthogonal: a coefficient's mean square is 13/12. */
    const float scale = sqrtf(12 / (13 * (float)planted->active));

    memset(x, 0, (size_t)(rows * inputs) * sizeof *x);
    #pragma omp parallel for
    for (int64_t row = 0; row < rows; row++)
        for (int32_t a = 0; a < planted->active; a++) {
            const uint64_t at = (uint64_t)(2 * ((t * rows + row) * planted->active + a));
            const int64_t i = (int64_t)(random_uniform(2, 2, at) * (float)planted->atoms);
            const float c = scale * (0.5f + random_uniform(2, 2, at + 1));
            for (int32_t j = 0; j < inputs; j++)
                x[row * inputs + j] += c * planted->atom[i * inputs + j];
        }
}

static inline double planted_recovered(const struct planted *planted, const float *decoder,
                                       int32_t latents)
{
    float *cosine = allocate((int64_t)planted->atoms * latents, sizeof *cosine);
    double recovered = 0;

    gemm_nt(cosine, latents, planted->atom, planted->inputs, decoder, planted->inputs,
            planted->atoms, latents, planted->inputs, false);
    for (int64_t i = 0; i < planted->atoms; i++) {
        float best = 0;
        for (int64_t k = 0; k < latents; k++) {
            const double norm = sqrt(
                values_sum_squares(decoder + k * planted->inputs, planted->inputs));
            best = fmaxf(best, cosine[i * latents + k] / (float)norm);
        }
        recovered += best > 0.95f;
    }
    free(cosine);
    return recovered / planted->atoms;
}

/* Train on one rank from the recipe's start to its end. */
static inline struct planted_result planted_train(const struct planted *planted,
                                                  const struct recipe *recipe, int32_t latents)
{
    const struct shape shape = { planted->inputs, planted->inputs, latents };
    struct training training = {0};
    struct step memory = {0};
    struct step_report report = {0};
    struct step_needs needs = {0};
    float *x = allocate(recipe->train.batch * planted->inputs, sizeof *x);
    const struct packed_rows rows = { x, STORE_F32, planted->inputs, 1, NULL };

    training_make(&training, MPI_COMM_SELF, recipe, shape);
    step_needs_add(&needs, recipe, shape);
    step_make(&memory, MPI_COMM_SELF, &needs);
    for (int64_t t = 0; t < recipe->steps; t++) {
        planted_rows(planted, x, t, recipe->train.batch);
        if (step_run(&memory, &training, &rows, &rows, &report) != OK)
            die("%s", refuse_reason());
    }
    const struct planted_result result = {
        .recovered = planted_recovered(planted, training.tensors[DECODER].value, latents),
        .fvu = report.mse,
        .l0 = report.l0,
    };
    step_free(&memory);
    training_free(&training);
    free(x);
    return result;
}

#endif
