/* What a step must have found, by its definitions in double.  The step moves the parameters by
 * no more than 1e-7, so it does not matter that they are looked at after it. */
#include "base/allocate.h"
#include "base/die.h"
#include "kernels/bf16.h"
#include "step/decode.h"
#include "step/encode.h"
#include "tests/bench/train_scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, LATENTS = 4 };

/* Of products of rows and encoder rows of norm 1 in bf16; relative, of sums; of residuals that were
 * rounded to bf16 in each of many passes. */
static const double TOLERANCE = 2e-3, RELATIVE = 1e-2, ROUNDED = 3e-2;

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;

    for (int64_t j = 0; j < n; j++)
        sum += (double)a[j] * (double)b[j];
    return sum;
}

static double norm(const double *x, int64_t n)
{
    double squares = 0;

    for (int64_t j = 0; j < n; j++)
        squares += x[j] * x[j];
    return sqrt(squares);
}

/* One row of some.
 *   out   [inputs] */
static void take_row(float *out, const struct scene *scene, const struct packed_rows *rows,
                     int64_t row)
{
    const struct range all = { 0, scene->training.inputs };

    packed_rows_load(out, all.end, rows, (struct range){ row, row + 1 }, all);
}

/* What the encoder saw of a row.
 *   x   [inputs] */
static void encoder_sees(float *x, const struct scene *scene, int64_t row)
{
    const int64_t inputs = scene->training.inputs;
    const struct batch batch = { scene->trial->batch, &scene->reader.batch, &scene->reader.batch };
    const struct packed_rows input = batch_encoder_input(&batch, &scene->training);
    uint16_t *rounded = allocate(inputs, sizeof *rounded);

    take_row(x, scene, &input, row);
    if (scene->training.recipe.train.precision == PRECISION_BF16) {
        bf16_from_float(rounded, x, inputs);
        bf16_to_float(x, rounded, inputs);
    }
    free(rounded);
}

/* What the step listed as active in a row.
 *   f   [latents]   0 where it listed nothing */
static void listed(double *f, const struct scene *scene, int64_t row)
{
    const struct codes *codes = &scene->step.lists.rows;

    for (int64_t i = 0; i < scene->training.latents; i++)
        f[i] = 0;
    for (int64_t k = codes->start[row]; k < codes->middle[row]; k++)
        f[codes->index[k]] = (double)codes->value[k];
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* What the pre-activations of a row's active latents exceed. */
static double threshold_of(const struct training *training, const double *pre, int64_t latent)
{
    enum architecture_id architecture = training->recipe.architecture;
    const int64_t k = llround(training->recipe.target_l0);

    if (architecture == ARCHITECTURE_JUMPRELU)
        return (double)training->tensors[THRESHOLD].value[latent];
    if (architecture != ARCHITECTURE_TOPK)
        return ARCHITECTURES[architecture].keeps_k ? training->state.batch_threshold : 0;
    double *sorted = allocate(training->latents, sizeof *sorted), threshold;
    for (int64_t i = 0; i < training->latents; i++)
        sorted[i] = pre[i];
    qsort(sorted, (size_t)training->latents, sizeof *sorted, descending);
    threshold = sorted[k - 1];
    free(sorted);
    return threshold;
}

/* A row's latents: on the right side of their thresholds, and of the right value?  A gated one's
 * value is the product, without the gate's bias.  Lists are those of the last pass; f gets the
 * values of other passes by definition. */
static void check_latents(const struct scene *scene, double *f, int64_t row)
{
    const struct training *training = &scene->training;
    const struct pass pass = scene->step.lists.pass;
    const int64_t inputs = training->inputs;
    const float *bias = training->tensors[ENCODER_BIAS].value;
    double *pre = allocate(training->latents, sizeof *pre);
    float *x = allocate(inputs, sizeof *x);

    encoder_sees(x, scene, row);

    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        pre[i] = dot(x, training->tensors[ENCODER].value + i * inputs, inputs) + (double)bias[i];
    const bool same = training->recipe.architecture != ARCHITECTURE_JUMPRELU;
    const double common = threshold_of(training, pre, 0);
    for (int64_t i = 0; i < training->latents; i++) {
        const double over = pre[i] - (same ? common : threshold_of(training, pre, i));
        const double value = pre[i]
            - (training->recipe.architecture == ARCHITECTURE_GATED ? (double)bias[i] : 0);
        if (i / LATENT_TILE % pass.count != pass.number) {
            f[i] = over > 0 ? value : 0;
            continue;
        }
        if ((over > TOLERANCE && f[i] == 0) || (over < -TOLERANCE && f[i] != 0)
            || (f[i] != 0 && fabs(f[i] - value) > TOLERANCE))
            die("row %lld: latent %lld is %g; its pre-activation is %g, %g over the threshold",
                (long long)row, (long long)i, f[i], pre[i], over);
    }
    free(x);
    free(pre);
}

/* y - x of a row, of the latents before `end`.
 *   out, x   [inputs] */
static void residual_of(double *out, const struct scene *scene, const double *f, int64_t end,
                        const float *x)
{
    const struct training *training = &scene->training;
    const int64_t inputs = training->inputs;

    for (int64_t j = 0; j < inputs; j++)
        out[j] = -(double)x[j];
    for (int64_t i = 0; i < end; i++)
        for (int64_t j = 0; j < inputs && f[i] != 0; j++)
            out[j] += f[i] * (double)training->tensors[DECODER].value[i * inputs + j];
}

static void check_row(const struct scene *scene, int64_t row)
{
    const int64_t inputs = scene->training.inputs;
    double *f = allocate(scene->training.latents, sizeof *f);
    double *residual = allocate(inputs, sizeof *residual);
    float *x = allocate(inputs, sizeof *x), *ours = allocate(inputs, sizeof *ours);

    listed(f, scene, row);
    check_latents(scene, f, row);
    take_row(x, scene, &scene->reader.batch, row);
    take_row(ours, scene, &scene->step.residuals.rows[training_groups(&scene->training) - 1], row);
    residual_of(residual, scene, f, scene->training.latents, x);
    const double wanted = norm(residual, inputs);
    for (int64_t j = 0; j < inputs; j++)
        residual[j] -= (double)ours[j];
    const double error = norm(residual, inputs) / wanted;
    if (!(error < (scene->step.lists.pass.count > 1 ? ROUNDED : RELATIVE)))
        die("the residual of row %lld is wrong: relative error %g", (long long)row, error);
    free(ours);
    free(x);
    free(residual);
    free(f);
}

/* The number of the residual that a latent's gradients depend on. */
static int group_of(const struct training *training, int64_t latent)
{
    int group = 0;

    while (latent >= recipe_group(&training->recipe, training->latents, group).end)
        group++;
    return group;
}

/* Have auxiliary entries a part in the weights' gradients? */
static bool with_auxiliary(const struct scene *scene)
{
    return scene->step.criteria.auxiliary_decoded
           && architecture_of(scene->trial->architecture)->auxiliary == AUXILIARY_REST;
}

/* A latent's gradients, from the lists and residuals of rows in which it is active, or auxiliary,
 * with the part along the decoder's row taken away from the decoder's.
 *   encoder, decoder   [inputs]   out */
static void gradients_of(double *encoder, double *decoder, const struct scene *scene,
                         int64_t latent)
{
    const struct training *training = &scene->training;
    const struct residuals *residuals = &scene->step.residuals;
    const struct codes *rows = &scene->step.lists.rows;
    const int64_t inputs = training->inputs;
    const float *row_of = training->tensors[DECODER].value + latent * inputs;
    float *x = allocate(inputs, sizeof *x), *residual = allocate(inputs, sizeof *residual);
    double along = 0;

    for (int64_t row = 0; row < rows->groups; row++)
        for (int64_t k = rows->start[row]; k < rows->start[row + 1]; k++) {
            const bool auxiliary = k >= rows->middle[row];
            const double scale = auxiliary ? scene->step.penalty.auxiliary_scale
                                           : residuals_scale(training);
            if (rows->index[k] != latent || (auxiliary && !with_auxiliary(scene)))
                continue;
            const int r = auxiliary ? residuals->groups : group_of(training, latent);
            take_row(residual, scene, &residuals->rows[r], row);
            const double f = (double)rows->value[k];
            const double g = scale * dot(residual, row_of, inputs);
            encoder_sees(x, scene, row);
            for (int64_t j = 0; j < inputs; j++) {
                encoder[j] += g * (double)x[j];
                decoder[j] += scale * f * (double)residual[j];
            }
            along += f * g;
        }
    for (int64_t j = 0; j < inputs && training->architecture->unit_decoder; j++)
        decoder[j] -= along * (double)row_of[j];
    free(residual);
    free(x);
}

/* The first step leaves 1 - beta2 times the squared gradient as second moment. */
static void check_gradient(const struct scene *scene, int tensor, int64_t latent, double *wanted)
{
    const struct training *training = &scene->training;
    const int64_t inputs = training->inputs;
    const float *square = training->tensors[tensor].square + latent * inputs;
    const double length = norm(wanted, inputs);

    for (int64_t j = 0; j < inputs; j++)
        wanted[j] = fabs(wanted[j]) - sqrt((double)square[j] / (1 - training->recipe.train.beta2));
    const double error = norm(wanted, inputs) / length;
    if (!(error < RELATIVE))
        die("the gradient of latent %lld's %s is wrong: relative error %g", (long long)latent,
            training->tensors[tensor].name, error);
}

/* Gated encoders have a gradient from their gates too, tests/unit/test_gradient.c looks at it. */
static void check_latent(const struct scene *scene, int64_t latent)
{
    const int64_t inputs = scene->training.inputs;
    double *encoder = allocate(inputs, sizeof *encoder);
    double *decoder = allocate(inputs, sizeof *decoder);

    gradients_of(encoder, decoder, scene, latent);
    check_gradient(scene, DECODER, latent, decoder);
    if (architecture_of(scene->trial->architecture)->auxiliary != AUXILIARY_ROW)
        check_gradient(scene, ENCODER, latent, encoder);
    free(decoder);
    free(encoder);
}

void scene_check(struct scene *scene)
{
    struct step_report report;

    scene_step(scene, 0, &report);
    for (int64_t i = 0; i < ROWS; i++)          /* from the first to the last */
        check_row(scene, i * (scene->trial->batch - 1) / (ROWS - 1));
    const struct codes *rows = &scene->step.lists.rows;
    for (int64_t i = 0; i < LATENTS; i++)       /* some of the first row's */
        check_latent(scene, rows->index[i * rows->middle[0] / LATENTS]);
}
