/* The gradients of training_step() against finite differences of the mean squared error in
 * double, at a shape with whole and broken tiles and blocks; on the dense and sparse path.
 *
 * Which latents are active is held fixed, as the straight-through estimator does; the error
 * is then quadratic in each parameter, and a central difference is exact at any distance.
 * The thresholds' gradients, which are no derivatives, are in test_jumprelu.c. */
#include "base/random.h"
#include "sae/architecture.h"
#include "sae/step.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { INPUTS = 140, LATENTS = 150, BATCH = 130, LOOKS = 40 };

static const struct recipe RECIPE = {
    .architecture = &JUMPRELU, .batch = BATCH, .steps = 10, .learning_rate = 1e-3, .sparsity = 0.01, .bandwidth = 0.01,
    .threshold = 0.08, .beta2 = 0.999, .epsilon = 1e-8, .dead_after = BATCH, .seed = 3,
};

static const struct shape SHAPE = { INPUTS, INPUTS, LATENTS };

struct reference {
    double x[BATCH * INPUTS];
    double tensors[TENSORS][LATENTS * INPUTS];
    bool   active[BATCH * LATENTS];
};

static double pre_activation(const struct reference *r, int row, int latent)
{
    double sum = r->tensors[ENCODER_BIAS][latent];

    for (int j = 0; j < INPUTS; j++)
        sum += r->tensors[ENCODER][latent * INPUTS + j]
               * (r->x[row * INPUTS + j] - r->tensors[DECODER_BIAS][j]);
    return sum;
}

/* Mean squared error with the active latents held fixed. */
static double error_of(const struct reference *r)
{
    double error = 0;

    for (int row = 0; row < BATCH; row++) {
        double y[INPUTS];
        for (int j = 0; j < INPUTS; j++)
            y[j] = r->tensors[DECODER_BIAS][j];
        for (int i = 0; i < LATENTS; i++) {
            if (!r->active[row * LATENTS + i])
                continue;
            const double f = pre_activation(r, row, i);
            for (int j = 0; j < INPUTS; j++)
                y[j] += f * r->tensors[DECODER][i * INPUTS + j];
        }
        for (int j = 0; j < INPUTS; j++)
            error += pow(y[j] - r->x[row * INPUTS + j], 2);
    }
    return error / BATCH;
}

static double derivative(struct reference *r, int tensor, int64_t k)
{
    double *value = &r->tensors[tensor][k];
    const double middle = *value, h = 1e-3;

    *value = middle + h;
    const double above = error_of(r);
    *value = middle - h;
    const double below = error_of(r);
    *value = middle;
    return (above - below) / (2 * h);
}

/* Copy a training of one rank, find what is active; returns the mean L0. */
static double copy_training(struct reference *r, const struct training *training, const float *x)
{
    int64_t active = 0;

    for (int k = 0; k < BATCH * INPUTS; k++)
        r->x[k] = (double)x[k];
    for (int t = 0; t < TENSORS; t++)
        for (int64_t k = 0; k < training->tensors[t].rows * training->tensors[t].columns; k++)
            r->tensors[t][k] = (double)training->tensors[t].value[k];
    for (int row = 0; row < BATCH; row++)
        for (int i = 0; i < LATENTS; i++) {
            const bool on = pre_activation(r, row, i) > r->tensors[THRESHOLD][i];
            r->active[row * LATENTS + i] = on;
            active += on;
        }
    return (double)active / BATCH;
}

/* The first step leaves 1 - beta2 times the squared gradient as second moment. */
static void assert_gradient(const struct tensor *tensor, int64_t k, double want, double norm)
{
    const double ours = sqrt((double)tensor->square[k] / (1 - RECIPE.beta2));

    if (fabs(ours - fabs(want)) > 1e-5 * norm)
        fail_msg("gradient %lld of %s is %g and not %g", (long long)k, tensor->name, ours, want);
}

/* All of one decoder row, whose part along the row is taken away. */
static void check_decoder_row(struct reference *r, const struct training *after, int latent)
{
    double gradient[INPUTS], along = 0, norm = 0;

    for (int j = 0; j < INPUTS; j++) {
        gradient[j] = derivative(r, DECODER, latent * INPUTS + j);
        along += gradient[j] * r->tensors[DECODER][latent * INPUTS + j];
        norm += gradient[j] * gradient[j];
    }
    for (int j = 0; j < INPUTS; j++)
        assert_gradient(&after->tensors[DECODER], latent * INPUTS + j,
                        gradient[j] - along * r->tensors[DECODER][latent * INPUTS + j],
                        sqrt(norm));
}

static void check_path(double density)
{
    static const int CHECKED[] = { ENCODER, ENCODER_BIAS, DECODER_BIAS };
    struct reference *r = allocate(1, sizeof *r);
    struct training training = {0};
    struct workspace workspace = {0};
    struct step_report report;
    struct room room = {0};
    float x[BATCH * INPUTS];

    for (int k = 0; k < BATCH * INPUTS; k++)
        x[k] = 0.3f * (random_uniform(5, 5, (uint64_t)k) - 0.5f);
    training_make(&training, MPI_COMM_SELF, &RECIPE, SHAPE);
    room_add(&room, &RECIPE, SHAPE);
    for (int t = ENCODER_BIAS; t < TENSORS; t++)    /* biases and thresholds that differ */
        for (int64_t k = 0; k < training.tensors[t].rows; k++)
            training.tensors[t].value[k] += 0.04f * random_uniform(6, (uint32_t)t, (uint64_t)k);
    training.density = density;
    const double l0 = copy_training(r, &training, x);
    workspace_make(&workspace, MPI_COMM_SELF, &room);
    assert_int_equal(training_step(&training, &workspace, x, x, &report), OK);
    assert_true(report.l0 == l0 && l0 > 5);
    assert_true(fabs(report.mse / error_of(r) - 1) < 1e-6);

    for (int c = 0; c < 3; c++) {
        const struct tensor *t = &training.tensors[CHECKED[c]];
        double scale = 0;
        for (int64_t k = 0; k < t->rows * t->columns; k++)
            scale = fmax(scale, sqrt((double)t->square[k] / (1 - RECIPE.beta2)));
        for (uint64_t look = 0; look < LOOKS; look++) {
            const int64_t k = (int64_t)((float)(t->rows * t->columns) * random_uniform(7, 7, look));
            assert_gradient(t, k, derivative(r, CHECKED[c], k), scale);
        }
    }
    check_decoder_row(r, &training, LATENTS - 2);
    workspace_free(&workspace);
    training_free(&training);
    free(r);
}

static void sparse_path_follows_the_error(void **state)
{
    (void)state;
    check_path(0);
}

static void dense_path_follows_the_error(void **state)
{
    (void)state;
    check_path(1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparse_path_follows_the_error),
        cmocka_unit_test(dense_path_follows_the_error),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
