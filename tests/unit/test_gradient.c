/* The gradients of step_run() against finite differences of the loss in double, for every
 * architecture, at a shape with whole and broken tiles and blocks; on the dense and sparse path.
 *
 * The loss is written down here once more, from the definitions (tests/golden/README.md),
 * dense and plain.  Which latents are active is held fixed, as the straight-through estimator
 * does, and so is what an auxiliary loss takes as given; the rest is smooth.  JumpReLU's
 * thresholds have no derivatives; theirs are compared with the estimator's definition. */
#include "base/allocate.h"
#include "base/random.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/pass.h"
#include "step/step.h"
#include "tests/sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 140, OUTPUTS = 130, LATENTS = 150, BATCH = 130, K = 9 };

/* Values of a tensor whose gradients are compared, and of how many tensors one is. */
enum { LOOKS = SANITIZED(1, 3), EVERY = SANITIZED(3, 1) };

static const struct recipe RECIPE = {
    .steps = 10, .sparsity = 0.01,
    .train = { .batch = BATCH, .learning_rate = 1e-3, .bandwidth = 0.01, .threshold = 0.08,
               .beta2 = 0.999, .epsilon = 1e-8, .dead_after = 2 * BATCH, .seed = 3,
               .auxk_latents = 4 },
};

struct reference {
    const struct recipe *recipe;
    bool   centred;
    int    outputs;
    double x[BATCH * INPUTS], target[BATCH * INPUTS];
    double tensors[TENSORS][LATENTS * INPUTS], held[TENSORS][LATENTS * INPUTS];
    double rest[BATCH * INPUTS], variance;      /* what AuxK takes as given */
    bool   active[BATCH * LATENTS], auxiliary[BATCH * LATENTS];
    double loss, gradient[TENSORS][LOOKS];      /* what is expected */
};

static double product(const struct reference *r, int row, int latent)
{
    double sum = 0;

    for (int j = 0; j < INPUTS; j++)
        sum += r->tensors[ENCODER][latent * INPUTS + j]
               * (r->x[row * INPUTS + j] - (r->centred ? r->tensors[DECODER_BIAS][j] : 0));
    return sum;
}

/* What an active latent writes, given the product. */
static double value_of(const struct reference *r, int latent, double p)
{
    return r->recipe->architecture == ARCHITECTURE_GATED
        ? exp(r->tensors[ENCODER_BIAS + 1][latent]) * p + r->tensors[ENCODER_BIAS + 2][latent]
        : p + r->tensors[ENCODER_BIAS][latent];
}

/* y - target of one row, of the latents before `end`.
 *   f   [LATENTS]   0 where not active */
static void residual_of(const struct reference *r, double *out, const double *f, int row, int end)
{
    for (int j = 0; j < r->outputs; j++) {
        out[j] = r->tensors[DECODER_BIAS][j] - r->target[row * r->outputs + j];
        for (int k = 0; k < INPUTS && r->recipe->skip; k++)
            out[j] += r->tensors[SKIP][j * INPUTS + k] * r->x[row * INPUTS + k];
    }
    for (int i = 0; i < end; i++)
        for (int j = 0; j < r->outputs && f[i] != 0; j++)
            out[j] += f[i] * r->tensors[DECODER][i * r->outputs + j];
}

static double square(const double *x, int n)
{
    double sum = 0;

    for (int j = 0; j < n; j++)
        sum += x[j] * x[j];
    return sum;
}

/* What the gates alone make of a row, with the decoder held. */
static double error_of_gates(const struct reference *r, const double *p, int row)
{
    double out[INPUTS], sparsity = 0;

    for (int j = 0; j < r->outputs; j++) {
        out[j] = r->held[DECODER_BIAS][j] - r->target[row * r->outputs + j];
        for (int k = 0; k < INPUTS && r->recipe->skip; k++)
            out[j] += r->held[SKIP][j * INPUTS + k] * r->x[row * INPUTS + k];
    }
    for (int i = 0; i < LATENTS; i++) {
        const double gate = p[i] + r->tensors[ENCODER_BIAS][i];
        if (!r->auxiliary[row * LATENTS + i])
            continue;
        sparsity += gate;
        for (int j = 0; j < r->outputs; j++)
            out[j] += gate * r->held[DECODER][i * r->outputs + j];
    }
    return square(out, r->outputs) + r->recipe->sparsity * sparsity;
}

/* What dead latents leave of the rest. */
static double error_of_dead(const struct reference *r, const double *p, int row)
{
    double out[INPUTS];

    memcpy(out, r->rest + row * r->outputs, (size_t)r->outputs * sizeof *out);
    for (int i = 0; i < LATENTS; i++)
        for (int j = 0; j < r->outputs && r->auxiliary[row * LATENTS + i]; j++)
            out[j] += (p[i] + r->tensors[ENCODER_BIAS][i])
                      * r->tensors[DECODER][i * r->outputs + j];
    return r->recipe->train.auxk * square(out, r->outputs) / r->variance;
}

static double loss_of_row(const struct reference *r, int row)
{
    enum architecture_id a = r->recipe->architecture;
    const int groups = r->recipe->prefixes > 0 ? r->recipe->prefixes : 1;
    double p[LATENTS], f[LATENTS] = {0}, out[INPUTS], loss = 0;

    for (int i = 0; i < LATENTS; i++) {
        p[i] = product(r, row, i);
        if (r->active[row * LATENTS + i])
            f[i] = value_of(r, i, p[i]);
        if (a == ARCHITECTURE_RELU_L1)
            loss += r->recipe->sparsity * f[i]
                    * sqrt(square(r->tensors[DECODER] + i * r->outputs, r->outputs));
    }
    for (int g = 0; g < groups; g++) {
        residual_of(r, out, f, row, (int)recipe_group(r->recipe, LATENTS, g).end);
        loss += square(out, r->outputs) / groups;
    }
    if (a == ARCHITECTURE_GATED)
        loss += error_of_gates(r, p, row);
    if (r->recipe->train.auxk > 0)
        loss += error_of_dead(r, p, row);
    return loss;
}

static double loss_of(const struct reference *r)
{
    double loss = 0;

    #pragma omp parallel for reduction(+ : loss)
    for (int row = 0; row < BATCH; row++)
        loss += loss_of_row(r, row);
    return loss / BATCH;
}

/* ---- which latents are active ---- */

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* Of `count` candidates with values above 0, those among the k largest. */
static void choose(bool *chosen, const double *value, int count, int64_t k)
{
    double *sorted = allocate(count, sizeof *sorted);

    memcpy(sorted, value, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, descending);
    for (int i = 0; i < count; i++)
        chosen[i] = value[i] > 0 && value[i] >= sorted[k - 1];
    free(sorted);
}

static void find_active(struct reference *r, const struct training *training)
{
    enum architecture_id a = r->recipe->architecture;
    double *value = allocate(BATCH * LATENTS, sizeof *value), dead[LATENTS];

    for (int row = 0; row < BATCH; row++)
        for (int i = 0; i < LATENTS; i++) {
            const int64_t at = row * LATENTS + i;
            const double p = product(r, row, i);
            value[at] = value_of(r, i, p);
            r->auxiliary[at] = a == ARCHITECTURE_GATED && p + r->tensors[ENCODER_BIAS][i] > 0;
            const double theta = r->tensors[THRESHOLD][i];
            r->active[at] = a == ARCHITECTURE_JUMPRELU
                          ? value[at] > (r->recipe->train.threshold_form == THRESHOLD_LOG
                                         ? exp(theta) : theta)
                          : value[at] > 0 && (a != ARCHITECTURE_GATED || r->auxiliary[at]);
        }
    if (a == ARCHITECTURE_BATCH_TOPK || a == ARCHITECTURE_MATRYOSHKA)
        choose(r->active, value, BATCH * LATENTS, K * BATCH);
    for (int row = 0; row < BATCH && a == ARCHITECTURE_TOPK; row++)
        choose(r->active + row * LATENTS, value + row * LATENTS, LATENTS, K);
    for (int row = 0; row < BATCH && r->recipe->train.auxk > 0; row++) {
        for (int i = 0; i < LATENTS; i++)
            dead[i] = training->rows_since_active[i] >= r->recipe->train.dead_after
                      ? value[row * LATENTS + i] : 0;
        choose(r->auxiliary + row * LATENTS, dead, LATENTS, r->recipe->train.auxk_latents);
    }
    free(value);
}

/* AuxK's rest: y - target, and the variance of its rows. */
static void hold_rest(struct reference *r)
{
    double mean[INPUTS] = {0}, f[LATENTS], all = 0;

    for (int row = 0; row < BATCH; row++) {
        for (int i = 0; i < LATENTS; i++)
            f[i] = r->active[row * LATENTS + i] ? value_of(r, i, product(r, row, i)) : 0;
        residual_of(r, r->rest + row * r->outputs, f, row, LATENTS);
        all += square(r->rest + row * r->outputs, r->outputs) / BATCH;
        for (int j = 0; j < r->outputs; j++)
            mean[j] += r->rest[row * r->outputs + j] / BATCH;
    }
    r->variance = all - square(mean, r->outputs);
}

/* Copy a training of one rank, with the recipe.  Caller frees. */
static struct reference *copy_training(const struct training *training, const struct recipe *recipe,
                                       const float *x, const float *target)
{
    struct reference *r = allocate(1, sizeof *r);

    r->recipe = recipe;
    r->centred = training->centred;
    r->outputs = training->outputs;
    for (int k = 0; k < BATCH * INPUTS; k++)
        r->x[k] = (double)x[k];
    for (int k = 0; k < BATCH * r->outputs; k++)
        r->target[k] = (double)target[k];
    for (int t = 0; t < TENSORS; t++)
        for (int64_t k = 0; k < training->tensors[t].rows * training->tensors[t].columns; k++)
            r->tensors[t][k] = r->held[t][k] = (double)training->tensors[t].value[k];
    find_active(r, training);
    hold_rest(r);
    return r;
}

/* ---- gradients ---- */

static double derivative(struct reference *r, int tensor, int64_t k)
{
    double *value = &r->tensors[tensor][k];
    const double middle = *value, h = 1e-4;

    *value = middle + h;
    const double above = loss_of(r);
    *value = middle - h;
    const double below = loss_of(r);
    *value = middle;
    return (above - below) / (2 * h);
}

/* Along a decoder row, for each unit of its length squared. */
static double derivative_along(struct reference *r, int latent)
{
    double *row = r->tensors[DECODER] + latent * r->outputs, loss[2];
    const double h = 1e-4, length = square(row, r->outputs);

    for (int side = 0; side < 2; side++) {
        const double factor = side == 0 ? 1 + h : (1 - h) / (1 + h);
        for (int j = 0; j < r->outputs; j++)
            row[j] *= factor;
        loss[side] = loss_of(r);
    }
    for (int j = 0; j < r->outputs; j++)
        row[j] /= 1 - h;
    return (loss[0] - loss[1]) / (2 * h) / length;
}

/* The first step leaves 1 - beta2 times the squared gradient as second moment. */
static double gradient_left(const struct tensor *tensor, int64_t k)
{
    return sqrt((double)tensor->square[k] / (1 - RECIPE.train.beta2));
}

/* Other tensors for each architecture, if not all of them are compared. */
static bool is_compared(const struct training *training, int tensor)
{
    const enum architecture_id a = training->recipe.architecture;

    return training->tensors[tensor].name != NULL && (tensor + (int)a) % EVERY == 0
        && (a != ARCHITECTURE_JUMPRELU || tensor != THRESHOLD);
}

/* The place in a tensor of a value that is compared. */
static int64_t place_of(const struct training *training, int tensor, int look)
{
    const struct tensor *t = &training->tensors[tensor];

    return (int64_t)((float)(t->rows * t->columns)
                     * random_uniform(7, (uint32_t)tensor, (uint64_t)look));
}

static double gradient_of(struct reference *r, int tensor, int64_t k)
{
    const double gradient = derivative(r, tensor, k);

    if (tensor != DECODER || !architecture_of(r->recipe->architecture)->unit_decoder)
        return gradient;
    return gradient - derivative_along(r, (int)(k / r->outputs)) * r->tensors[DECODER][k];
}

static void check_tensor(const struct reference *r, const struct training *after, int tensor)
{
    const struct tensor *t = &after->tensors[tensor];
    double scale = 0;

    for (int64_t k = 0; k < t->rows * t->columns; k++)
        scale = fmax(scale, gradient_left(t, k));
    assert_true(scale > 0);
    for (int look = 0; look < LOOKS; look++) {
        const int64_t k = place_of(after, tensor, look);
        const double want = r->gradient[tensor][look];
        if (fabs(gradient_left(t, k) - fabs(want)) > 2e-5 * scale)
            fail_msg("%s: gradient %lld of %s is %g and not %g",
                     ARCHITECTURES[r->recipe->architecture].name,
                     (long long)k, t->name, gradient_left(t, k), want);
    }
}

/* L0 of a row, and of all latents' rows. */
static int active_of(const struct reference *r, int row)
{
    int active = 0;

    for (int i = 0; i < LATENTS; i++)
        active += r->active[row * LATENTS + i];
    return active;
}

static double share_of(const struct reference *r, int latent)
{
    double active = 0;

    for (int row = 0; row < BATCH; row++)
        active += r->active[row * LATENTS + latent];
    return active / BATCH;
}

/* The penalty by its definition; `slope` gets its derivative by the L0 of each row, times
 * BATCH. */
static double penalty_of(const struct reference *r, double slope[BATCH])
{
    const struct recipe *recipe = r->recipe;
    const double target = recipe->target_l0, strength = recipe->train.target_strength;
    double l0 = 0, penalty = 0;

    for (int row = 0; row < BATCH; row++)
        l0 += (double)active_of(r, row) / BATCH;
    for (int row = 0; row < BATCH; row++) {
        const double over = active_of(r, row) - target;
        if (!(target > 0)) {
            slope[row] = recipe->sparsity;
            penalty += recipe->sparsity * active_of(r, row) / BATCH;
        } else if (recipe->train.target_form == TARGET_RATIO) {
            slope[row] = 2 * strength * (l0 / target - 1) / target;
            penalty += strength * pow(l0 / target - 1, 2) / BATCH;
        } else {
            slope[row] = strength * over / target;
            penalty += strength * over * over / (2 * target) / BATCH;
        }
    }
    for (int i = 0; i < LATENTS && recipe->train.frequency_strength > 0; i++)
        penalty += recipe->train.frequency_strength * pow(share_of(r, i), 2)
                   / recipe->train.frequency;
    return penalty;
}

/* -1/eps sum over |pi - theta| < eps/2 of (theta G + slope/B), times theta for logarithms. */
static double threshold_gradient(const struct reference *r, const double slope[BATCH], int latent)
{
    const struct recipe *recipe = r->recipe;
    const double trained = r->tensors[THRESHOLD][latent];
    const double theta = recipe->train.threshold_form == THRESHOLD_LOG ? exp(trained) : trained;
    const double often = recipe->train.frequency_strength > 0
        ? 2 * recipe->train.frequency_strength * share_of(r, latent) / recipe->train.frequency : 0;
    double sum = 0;

    for (int row = 0; row < BATCH; row++) {
        double g = 0;
        if (fabs(value_of(r, latent, product(r, row, latent)) - theta)
            >= recipe->train.bandwidth / 2)
            continue;
        for (int j = 0; j < r->outputs; j++)
            g += 2.0 / BATCH * r->rest[row * r->outputs + j]
                 * r->tensors[DECODER][latent * r->outputs + j];
        sum -= (theta * g + (slope[row] + often) / BATCH) / recipe->train.bandwidth;
    }
    return recipe->train.threshold_form == THRESHOLD_LOG ? sum * theta : sum;
}

static void check_thresholds(const struct reference *r, const struct training *after,
                             const double slope[BATCH])
{
    double scale = 0;

    for (int i = 0; i < LATENTS; i++)
        scale = fmax(scale, gradient_left(&after->tensors[THRESHOLD], i));
    for (int i = 0; i < LATENTS; i++) {
        const double ours = gradient_left(&after->tensors[THRESHOLD], i);
        const double want = fabs(threshold_gradient(r, slope, i));
        if (fabs(ours - want) > 2e-5 * scale)
            fail_msg("gradient of threshold %d is %g and not %g", i, ours, want);
    }
}

static void perturb(struct training *training)
{
    for (int t = ENCODER_BIAS; t < TENSORS; t++)    /* vectors that differ */
        for (int64_t k = 0; k < training->tensors[t].rows; k++)
            training->tensors[t].value[k] += 0.04f * random_uniform(6, (uint32_t)t, (uint64_t)k);
    for (int64_t k = 0; k < training->outputs; k++)
        training->tensors[DECODER_BIAS].value[k] = 0.02f * random_uniform(6, 0, (uint64_t)k);
    for (int64_t k = 0; k < training->tensors[SKIP].rows * INPUTS; k++)
        training->tensors[SKIP].value[k] = 0.02f * random_uniform(6, 1, (uint64_t)k);
    for (int i = 0; i < LATENTS; i += 3)
        training->rows_since_active[i] = training->recipe.train.dead_after;
}

/* The rows of all steps. */
static float x[BATCH * INPUTS], target[BATCH * OUTPUTS];

static int fill_rows(void **state)
{
    (void)state;
    for (int k = 0; k < BATCH * INPUTS; k++)
        x[k] = 0.3f * (random_uniform(5, 5, (uint64_t)k) - 0.5f);
    for (int k = 0; k < BATCH * OUTPUTS; k++)
        target[k] = 0.3f * (random_uniform(5, 4, (uint64_t)k) - 0.5f);
    return 0;
}

static struct shape shape_of(const struct recipe *recipe)
{
    return (struct shape){ INPUTS, recipe->transcoder ? OUTPUTS : INPUTS, LATENTS };
}

/* What every path should give.  Caller frees. */
static struct reference *make_reference(const struct recipe *recipe)
{
    struct training training = {0};

    training_make(&training, MPI_COMM_SELF, recipe, shape_of(recipe));
    perturb(&training);
    struct reference *r = copy_training(&training, recipe, x, recipe->transcoder ? target : x);
    r->loss = loss_of(r);
    for (int t = 0; t < TENSORS; t++)
        for (int look = 0; look < LOOKS && is_compared(&training, t); look++)
            r->gradient[t][look] = gradient_of(r, t, place_of(&training, t, look));
    training_free(&training);
    return r;
}

/* On the dense path or the sparse one, by the density; in one pass or tile by tile. */
static void check_path(const struct reference *r, double density, bool in_passes)
{
    const struct recipe *recipe = r->recipe;
    const struct shape shape = shape_of(recipe);
    struct training training = {0};
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};

    training_make(&training, MPI_COMM_SELF, recipe, shape);
    perturb(&training);
    training.density = density;
    if (in_passes)
        training.list_capacity = (int64_t)(density * BATCH * LATENT_TILE / 2);
    step_needs_add(&needs, recipe, shape);
    step_make(&memory, MPI_COMM_SELF, &needs);
    assert_int_equal(pass_count(&training),
                     in_passes && !ARCHITECTURES[recipe->architecture].keeps_k ? 2 : 1);
    const struct packed_rows rows = { x, STORE_F32, INPUTS, 1, NULL };
    const struct packed_rows targets = { target, STORE_F32, shape.outputs, 1, NULL };
    assert_int_equal(step_run(&memory, &training, &rows, recipe->transcoder ? &targets : &rows,
                              &report), OK);
    double slope[BATCH];
    const bool jumprelu = recipe->architecture == ARCHITECTURE_JUMPRELU;
    const double penalty = jumprelu ? penalty_of(r, slope) : 0;
    if (!(report.l0 > 5 && fabs((report.loss - penalty) / r->loss - 1) < 1e-5))
        fail_msg("%s: L0 is %g, the loss %g and not %g", ARCHITECTURES[recipe->architecture].name,
                 report.l0, report.loss - penalty, r->loss);
    for (int t = 0; t < TENSORS; t++)
        if (is_compared(&training, t))
            check_tensor(r, &training, t);
    if (jumprelu)
        check_thresholds(r, &training, slope);
    step_free(&memory);
    training_free(&training);
}

static void check(enum architecture_id architecture, struct recipe recipe)
{
    recipe.architecture = architecture;
    recipe.target_l0 = ARCHITECTURES[architecture].keeps_k ? K : recipe.target_l0;
    struct reference *r = make_reference(&recipe);
    for (int in_passes = 0; in_passes <= 1; in_passes++) {
        check_path(r, 0.2, in_passes);
        check_path(r, 1, in_passes);
    }
    free(r);
}

/* The norm of all gradients together, from the second moments that a first step leaves. */
static double norm_after(const struct recipe *recipe, bool in_passes)
{
    const struct shape shape = { INPUTS, INPUTS, LATENTS };
    struct training training = {0};
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};
    double sum = 0;

    training_make(&training, MPI_COMM_SELF, recipe, shape);
    perturb(&training);
    if (in_passes)
        training.list_capacity = (int64_t)(training.density * BATCH * LATENT_TILE / 2);
    step_needs_add(&needs, recipe, shape);
    step_make(&memory, MPI_COMM_SELF, &needs);
    const struct packed_rows rows = { x, STORE_F32, INPUTS, 1, NULL };
    assert_int_equal(step_run(&memory, &training, &rows, &rows, &report), OK);
    for (int t = 0; t < TENSORS; t++)
        for (int64_t k = 0; k < training.tensors[t].rows * training.tensors[t].columns; k++)
            sum += (double)training.tensors[t].square[k] / (1 - recipe->train.beta2);
    step_free(&memory);
    training_free(&training);
    return sqrt(sum);
}

/* A bound that is exceeded becomes the norm, one that is not changes nothing. */
static void clipping(void **state)
{
    (void)state;
    for (int in_passes = 0; in_passes <= 1; in_passes++) {
        struct recipe recipe = RECIPE;
        recipe.architecture = ARCHITECTURE_JUMPRELU;
        const double free_norm = norm_after(&recipe, in_passes);
        recipe.train.clip = free_norm / 3;
        assert_true(fabs(norm_after(&recipe, in_passes) / recipe.train.clip - 1) < 1e-4);
        recipe.train.clip = 2 * free_norm;
        assert_true(fabs(norm_after(&recipe, in_passes) / free_norm - 1) < 1e-6);
    }
}

static void jumprelu(void **state)
{
    (void)state;
    check(ARCHITECTURE_JUMPRELU, RECIPE);
}

static void jumprelu_with_targets(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.target_l0 = 12;
    recipe.train.target_strength = 0.3;
    recipe.train.threshold_form = THRESHOLD_LOG;
    check(ARCHITECTURE_JUMPRELU, recipe);
    recipe.train.threshold_form = THRESHOLD_RAW;
    recipe.train.target_form = TARGET_QUADRATIC;
    recipe.train.frequency_strength = 0.01;
    recipe.train.frequency = 0.1;
    check(ARCHITECTURE_JUMPRELU, recipe);
}

static void gated(void **state)
{
    (void)state;
    check(ARCHITECTURE_GATED, RECIPE);
}

static void topk_with_auxk(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.train.auxk = 0.3;
    check(ARCHITECTURE_TOPK, recipe);
    check(ARCHITECTURE_BATCH_TOPK, recipe);
}

static void matryoshka(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.prefixes = 3;
    recipe.train.prefixes = (double[]){ 0.1, 0.35, 1 };
    check(ARCHITECTURE_MATRYOSHKA, recipe);
}

static void relu_l1(void **state)
{
    (void)state;
    check(ARCHITECTURE_RELU_L1, RECIPE);
}

static void transcoders(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.transcoder = true;
    check(ARCHITECTURE_JUMPRELU, recipe);
    recipe.skip = true;
    check(ARCHITECTURE_JUMPRELU, recipe);
    check(ARCHITECTURE_GATED, recipe);
    check(ARCHITECTURE_RELU_L1, recipe);
    recipe.prefixes = 2;
    recipe.train.prefixes = (double[]){ 0.3, 1 };
    check(ARCHITECTURE_MATRYOSHKA, recipe);
    recipe.prefixes = 0;
    recipe.train.auxk = 0.3;
    check(ARCHITECTURE_BATCH_TOPK, recipe);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumprelu), cmocka_unit_test(jumprelu_with_targets),
        cmocka_unit_test(gated), cmocka_unit_test(topk_with_auxk),
        cmocka_unit_test(matryoshka), cmocka_unit_test(relu_l1), cmocka_unit_test(transcoders),
        cmocka_unit_test(clipping),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, fill_rows, NULL);
    MPI_Finalize();
    return failed;
}
