/* step_run() against forty steps computed in float64 by automatic differentiation
 * (tests/golden/README.md, "sae/"). */
#include "base/allocate.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/step.h"

#include <hdf5.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-5;

/* A golden case: its file and its hyper-parameters. */
struct golden {
    hid_t         file;
    int32_t       inputs, latents;
    bool          log_threshold;
    double        prefixes[PREFIXES_MOST];
    struct recipe recipe;
};

/* What our recipes are called there. */
static enum architecture_id architecture_named(const json_t *hparams)
{
    const char *name = json_string_value(json_object_get(hparams, "arch"));

    enum architecture_id id;

    assert_true(architectures_find(&id, strcmp(name, "jumprelu") == 0 ? "gemma_scope" : name));
    return id;
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void golden_open(struct golden *golden, const char *path)
{
    hid_t attribute, type;
    char *text = NULL;

    golden->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(golden->file >= 0);
    attribute = H5Aopen(golden->file, "hparams", H5P_DEFAULT);
    type = H5Aget_type(attribute);
    assert_true(H5Aread(attribute, type, &text) >= 0);
    json_t *h = json_loads(text, 0, NULL);
    assert_non_null(h);
    golden->inputs = (int32_t)number(h, "d");
    golden->latents = (int32_t)number(h, "M");
    const char *threshold = json_string_value(json_object_get(h, "threshold"));
    golden->log_threshold = threshold != NULL && threshold[0] == 'l';
    golden->recipe = (struct recipe){
        .architecture = architecture_named(h),
        .train.batch = (int64_t)number(h, "batch"),
        .steps = (int64_t)number(h, "steps"),
        .train.learning_rate = number(h, "lr"),
        .train.warmup = (int64_t)number(h, "lr_warmup"),
        .sparsity = number(h, "lam"),
        .target_l0 = number(h, "target_l0") + number(h, "k"),
        .train.target_strength = number(h, "lam"),
        .train.sparsity_warmup = (int64_t)number(h, "sparsity_warmup"),
        .train.bandwidth = number(h, "bandwidth"),
        .train.threshold = number(h, "theta0"),
        .train.threshold_form = golden->log_threshold ? THRESHOLD_LOG : THRESHOLD_RAW,
        .train.beta1 = number(h, "beta1"),
        .train.beta2 = number(h, "beta2"),
        .train.epsilon = number(h, "eps"),
        .train.clip = number(h, "clip"),
        .train.auxk = number(h, "auxk_alpha"),
        .train.auxk_latents = (int64_t)number(h, "k_aux"),
        .train.dead_after = number(h, "dead_after_tokens") > 0
                            ? (int64_t)number(h, "dead_after_tokens") : INT64_MAX,
    };
    const json_t *prefixes = json_object_get(h, "prefixes");
    golden->recipe.train.prefixes = golden->prefixes;
    for (size_t p = 0; p < json_array_size(prefixes); p++)
        golden->prefixes[golden->recipe.prefixes++] =
            (double)json_integer_value(json_array_get(prefixes, p)) / golden->latents;
    json_decref(h);
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(attribute);
}

/* A data set as doubles.  Caller frees. */
static double *golden_read(const struct golden *golden, const char *group, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "%s%s", group, name);
    hid_t set = H5Dopen2(golden->file, path, H5P_DEFAULT);
    assert_true(set >= 0);
    hid_t space = H5Dget_space(set);
    double *values = allocate(H5Sget_simple_extent_npoints(space), sizeof *values);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return values;
}

/* What the golden files call one of our tensors. */
static const char *golden_name(const struct golden *golden, const char *name)
{
    static const char *const NAMES[][2] = {
        { "encoder", "W_enc" }, { "decoder", "W_dec" }, { "decoder_bias", "b_dec" },
        { "encoder_bias", "b_enc" }, { "gate_bias", "b_gate" }, { "magnitude_bias", "b_mag" },
        { "log_gain", "r_mag" },
    };

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i][0]) == 0)
            return NAMES[i][1];
    return golden->log_threshold ? "log_theta" : "theta";
}

/* A tensor of the golden file in our layout, latent by latent.  Caller frees. */
static double *golden_tensor(const struct golden *golden, const char *group, const char *name)
{
    double *values = golden_read(golden, group, golden_name(golden, name));

    if (strcmp(name, "encoder") != 0)
        return values;
    double *transposed = allocate(golden->latents * golden->inputs, sizeof *transposed);
    for (int32_t i = 0; i < golden->latents; i++)
        for (int32_t j = 0; j < golden->inputs; j++)
            transposed[i * golden->inputs + j] = values[j * golden->latents + i];
    free(values);
    return transposed;
}

static void start_as_golden(struct training *training, const struct golden *golden)
{
    training_make(training, MPI_COMM_SELF, &golden->recipe,
                  (struct shape){ golden->inputs, golden->inputs, golden->latents });
    for (int i = 0; i < TENSORS; i++) {
        struct tensor *t = &training->tensors[i];
        if (t->name == NULL)
            continue;
        double *init = golden_tensor(golden, "init/", t->name);
        for (int64_t k = 0; k < t->rows * t->columns; k++)
            t->value[k] = (float)init[k];
        free(init);
    }
}

/* Norm of the difference over norm. */
static void assert_near(const struct tensor *t, const struct golden *golden, const char *group,
                        double (*ours)(const struct tensor *, int64_t))
{
    double *want = golden_tensor(golden, group, t->name), difference = 0, norm = 0;

    for (int64_t k = 0; k < t->rows * t->columns; k++) {
        const double wanted = ours(t, -1) < 0 ? want[k] : fabs(want[k]);
        difference += pow(ours(t, k) - wanted, 2);
        norm += pow(want[k], 2);
    }
    free(want);
    if (sqrt(difference / norm) > TOLERANCE)
        fail_msg("%s%s: relative error %g", group, t->name, sqrt(difference / norm));
}

static void assert_all_near(const struct training *training, const struct golden *golden,
                            const char *group, double (*ours)(const struct tensor *, int64_t))
{
    for (int i = 0; i < TENSORS; i++)
        if (training->tensors[i].name != NULL)
            assert_near(&training->tensors[i], golden, group, ours);
}

/* A step leaves no gradient behind but its square, which after the first step is the second
 * moment over 1 - beta2.  k = -1 asks whether signs are known: 1 is no. */
static double first_gradient(const struct tensor *tensor, int64_t k)
{
    return k < 0 ? 1 : sqrt((double)tensor->square[k] / 0.001);
}

static double value(const struct tensor *tensor, int64_t k)
{
    return k < 0 ? -1 : (double)tensor->value[k];
}

static void assert_close(double ours, double want, const char *what, int64_t step)
{
    if (fabs(ours - want) > TOLERANCE * fabs(want))
        fail_msg("%s of step %lld is %.9g and not %.9g", what, (long long)step, ours, want);
}

/* `density` makes every step take the dense path (1) or the sparse one (0). */
static void follow(const char *path, double density)
{
    static const int64_t LOOKS[] = { 1, 2, 5, 10, 40 };
    struct golden golden = {0};
    struct training training = {0};
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};
    int look = 0;

    golden_open(&golden, path);
    double *loss = golden_read(&golden, "log/", "loss"), *mse = golden_read(&golden, "log/", "mse");
    double *auxiliary = golden_read(&golden, "log/", "aux");
    double *l0 = golden_read(&golden, "log/", "l0"), *rate = golden_read(&golden, "log/", "lr");
    double *rows = golden_read(&golden, "", "x");
    const int64_t batch = golden.recipe.train.batch * golden.inputs;
    float *x = allocate(batch, sizeof *x);
    const struct packed_rows stored = { x, STORE_F32, golden.inputs, 1, NULL };

    start_as_golden(&training, &golden);
    step_needs_add(&needs, &golden.recipe,
                  (struct shape){ golden.inputs, golden.inputs, golden.latents });
    step_make(&memory, MPI_COMM_SELF, &needs);
    for (int64_t step = 0; step < golden.recipe.steps; step++) {
        char group[48];
        training.density = density;
        for (int64_t k = 0; k < batch; k++)
            x[k] = (float)rows[step * batch + k];
        assert_int_equal(step_run(&memory, &training, &stored, &stored, &report), OK);
        assert_close(report.loss, loss[step], "loss", step);
        if (golden.recipe.prefixes == 0)    /* there mse is the mean over the prefixes */
            assert_close(report.mse, mse[step], "mse", step);
        assert_close(report.auxiliary, auxiliary[step], "auxiliary loss", step);
        assert_close(report.l0, l0[step], "L0", step);
        assert_close(report.rate, rate[step], "learning rate", step);
        if (step == 0)
            assert_all_near(&training, &golden, "grad_step_1/", first_gradient);
        if (step + 1 != LOOKS[look])
            continue;
        snprintf(group, sizeof group, "after_step_%lld/", (long long)LOOKS[look++]);
        assert_all_near(&training, &golden, group, value);
    }
    assert_int_equal(look, 5);
    step_free(&memory);
    training_free(&training);
    free(x);
    free(rows);
    free(rate);
    free(l0);
    free(auxiliary);
    free(mse);
    free(loss);
    H5Fclose(golden.file);
}

/* On the sparse path and on the dense one. */
static void follow_both(const char *path)
{
    follow(path, 0);
    follow(path, 1);
}

static void follows_log_thresholds(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/jumprelu.h5");
}

static void follows_raw_thresholds(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/jumprelu_direct.h5");
}

static void follows_a_target_l0(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/jumprelu_target_l0.h5");
}

static void follows_gated(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/gated.h5");
}

static void follows_topk_with_auxk(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/topk.h5");
}

static void follows_batch_topk_with_auxk(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/batch_topk.h5");
}

static void follows_matryoshka(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/matryoshka.h5");
}

static void follows_relu_with_l1(void **state)
{
    (void)state;
    follow_both("tests/golden/sae/relu_l1.h5");
}

/* The losses of forty steps with products in bf16, which the golden data allow 2 %. */
static void follow_in_bf16(const char *path)
{
    struct golden golden = {0};
    struct training training = {0};
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};

    golden_open(&golden, path);
    golden.recipe.train.precision = PRECISION_BF16;
    double *loss = golden_read(&golden, "log/", "loss"), *rows = golden_read(&golden, "", "x");
    const int64_t batch = golden.recipe.train.batch * golden.inputs;
    float *x = allocate(batch, sizeof *x);
    const struct packed_rows stored = { x, STORE_F32, golden.inputs, 1, NULL };

    start_as_golden(&training, &golden);
    step_needs_add(&needs, &golden.recipe,
                   (struct shape){ golden.inputs, golden.inputs, golden.latents });
    step_make(&memory, MPI_COMM_SELF, &needs);
    for (int64_t step = 0; step < golden.recipe.steps; step++) {
        training.density = step % 2 == 0;   /* dense and sparse in turn */
        for (int64_t k = 0; k < batch; k++)
            x[k] = (float)rows[step * batch + k];
        assert_int_equal(step_run(&memory, &training, &stored, &stored, &report), OK);
        if (fabs(report.loss / loss[step] - 1) > 2e-2)
            fail_msg("%s: the loss of step %lld is %g and not %g", path, (long long)step,
                     report.loss, loss[step]);
    }
    step_free(&memory);
    training_free(&training);
    free(x);
    free(rows);
    free(loss);
    H5Fclose(golden.file);
}

static void follows_in_bf16(void **state)
{
    (void)state;
    if (!product_offered())
        skip();
    follow_in_bf16("tests/golden/sae/jumprelu_direct.h5");
    follow_in_bf16("tests/golden/sae/gated.h5");
    follow_in_bf16("tests/golden/sae/topk.h5");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_log_thresholds),
        cmocka_unit_test(follows_raw_thresholds),
        cmocka_unit_test(follows_a_target_l0),
        cmocka_unit_test(follows_gated),
        cmocka_unit_test(follows_topk_with_auxk),
        cmocka_unit_test(follows_batch_topk_with_auxk),
        cmocka_unit_test(follows_matryoshka),
        cmocka_unit_test(follows_relu_with_l1),
        cmocka_unit_test(follows_in_bf16),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
