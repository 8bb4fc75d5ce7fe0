/* The forward pass of the hand-made models, against their definition and their golden outputs. */
#include "tests/handmade.h"

#include "lm/forward.h"
#include "lm/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const MODELS[] = { "x_proportion", "induction", "or_gate", "copy_suppression",
                                      "successor" };

enum { MODELS_COUNT = sizeof MODELS / sizeof *MODELS };

/* Logits of all tokens, [rows, context, outputs].  Caller frees. */
static float *run(const struct weights *weights, const int32_t *ids, int64_t rows, int64_t context)
{
    float *logits = allocate(rows * context * weights->config.outputs, sizeof *logits);
    struct forward forward;
    struct head head;

    forward_make(&forward, weights, rows, context);
    head_make(&head, weights);
    assert_int_equal(forward_start(&forward, ids, rows), OK);
    forward_to(&forward, forward_end(&forward));
    assert_true(forward.rows <= head.tile);
    head_logits(&head, logits, forward.values, forward.rows);
    head_free(&head);
    forward_free(&forward);
    return logits;
}

/* --- the definition, in double, from the arrays of the file ---------------------------- */

/* An array of a layer. */
static float *layer_floats(hid_t file, int layer, const char *what, int64_t count)
{
    char name[HANDMADE_NAME];

    return handmade_floats(file, handmade_name(name, layer, what), count);
}

/* y [columns] = x [rows] W [rows, columns] + b [columns], or without b if it is NULL. */
static void times(double *y, const double *x, const float *w, const float *b, int64_t rows,
                  int64_t columns)
{
    for (int64_t j = 0; j < columns; j++) {
        y[j] = b == NULL ? 0 : (double)b[j];
        for (int64_t i = 0; i < rows; i++)
            y[j] += x[i] * (double)w[i * columns + j];
    }
}

/* q, k or v of a head at all positions, [context, head_width]. */
static void project(double *y, const double *x, hid_t file, const struct lm_config *c, int layer,
                    int head, char which, int64_t context)
{
    const int64_t d = c->width, e = c->head_width, heads = c->heads;
    const char matrix[] = { 'W', '_', which, 0 }, bias[] = { 'b', '_', which, 0 };
    float *w = layer_floats(file, layer, matrix, heads * d * e);
    float *b = layer_floats(file, layer, bias, heads * e);

    for (int64_t t = 0; t < context; t++)
        times(y + t * e, x + t * d, w + head * d * e, b + head * e, d, e);
    free(b);
    free(w);
}

/* Add what a head emits to y [context, width]. */
static void add_head(double *y, const double *x, hid_t file, const struct lm_config *c, int layer,
                     int head, int64_t context)
{
    const int64_t d = c->width, e = c->head_width;
    double *qkv[3], *z = allocate(e, sizeof *z), *out = allocate(d, sizeof *out);
    float *w = layer_floats(file, layer, "W_O", c->heads * e * d);

    for (int part = 0; part < 3; part++) {
        qkv[part] = allocate(context * e, sizeof **qkv);
        project(qkv[part], x, file, c, layer, head, "QKV"[part], context);
    }
    for (int64_t i = 0; i < context; i++) {
        double sum = 0;
        memset(z, 0, (size_t)e * sizeof *z);
        for (int64_t j = 0; j <= i; j++) {
            double score = 0;
            for (int64_t k = 0; k < e; k++)
                score += qkv[0][i * e + k] * qkv[1][j * e + k];
            score = exp(score / sqrt((double)e));
            sum += score;
            for (int64_t k = 0; k < e; k++)
                z[k] += score * qkv[2][j * e + k];
        }
        for (int64_t k = 0; k < e; k++)
            z[k] /= sum;
        times(out, z, w + head * e * d, NULL, e, d);
        for (int64_t k = 0; k < d; k++)
            y[i * d + k] += out[k];
    }
    for (int part = 0; part < 3; part++)
        free(qkv[part]);
    free(w);
    free(out);
    free(z);
}

static void add_mlp(double *x, hid_t file, const struct lm_config *c, int layer, int64_t context)
{
    const int64_t d = c->width, m = c->mlp_width;
    float *in = layer_floats(file, layer, "W_in", d * m);
    float *b_in = layer_floats(file, layer, "b_in", m);
    float *out = layer_floats(file, layer, "W_out", m * d);
    float *b_out = layer_floats(file, layer, "b_out", d);
    double *h = allocate(m, sizeof *h), *y = allocate(d, sizeof *y);

    for (int64_t t = 0; t < context; t++) {
        times(h, x + t * d, in, b_in, d, m);
        for (int64_t i = 0; i < m; i++)
            h[i] = fmax(h[i], 0);
        times(y, h, out, b_out, m, d);
        for (int64_t i = 0; i < d; i++)
            x[t * d + i] += y[i];
    }
    free(y);
    free(h);
    free(b_out);
    free(out);
    free(b_in);
    free(in);
}

/* The logits [context, outputs] of one row of tokens. */
static void define(double *logits, hid_t file, const struct lm_config *c, const int32_t *ids,
                   int64_t context)
{
    const int64_t d = c->width;
    float *tok = handmade_floats(file, "model/W_E", c->vocabulary * d);
    float *pos = handmade_floats(file, "model/W_pos", c->positions * d);
    float *out = handmade_floats(file, "model/W_U", d * c->outputs);
    double *x = allocate(context * d, sizeof *x), *before = allocate(context * d, sizeof *before);

    for (int64_t i = 0; i < context * d; i++)
        x[i] = (double)tok[ids[i / d] * d + i % d] + (double)pos[i];
    for (int layer = 0; layer < c->layers; layer++) {
        memcpy(before, x, (size_t)(context * d) * sizeof *x);
        for (int head = 0; head < c->heads; head++)
            add_head(x, before, file, c, layer, head, context);
        if (c->mlp_width > 0)
            add_mlp(x, file, c, layer, context);
    }
    for (int64_t t = 0; t < context; t++)
        times(logits + t * c->outputs, x + t * d, out, NULL, d, c->outputs);
    free(before);
    free(x);
    free(out);
    free(pos);
    free(tok);
}

/* --- the claims ------------------------------------------------------------------------ */

/* The tokens of a model; one that has none in its file gets each token by itself. */
static int32_t *ids_of(hid_t file, const struct lm_config *c, int64_t *rows, int64_t *context)
{
    if (H5Lexists(file, "tokens", H5P_DEFAULT) > 0)
        return handmade_ids(file, "tokens", rows, context);
    int32_t *ids = allocate(c->vocabulary, sizeof *ids);
    for (int32_t i = 0; i < c->vocabulary; i++)
        ids[i] = i;
    *rows = c->vocabulary;
    *context = 1;
    return ids;
}

static void check_definition(const char *model)
{
    const hid_t file = handmade_open(model);
    struct weights weights;
    int64_t rows, context;

    handmade_make(&weights, file);
    const struct lm_config *c = &weights.config;
    int32_t *ids = ids_of(file, c, &rows, &context);
    float *logits = run(&weights, ids, rows, context);
    double *want = allocate(context * c->outputs, sizeof *want);
    for (int64_t r = 0; r < rows; r++) {
        define(want, file, c, ids + r * context, context);
        for (int64_t i = 0; i < context * c->outputs; i++)
            assert_true(fabs(want[i] - (double)logits[r * context * c->outputs + i]) < 1e-5);
    }
    free(want);
    free(logits);
    free(ids);
    weights_free(&weights);
    H5Fclose(file);
}

static void every_model_follows_its_definition(void **state)
{
    (void)state;
    for (int i = 0; i < MODELS_COUNT; i++)
        check_definition(MODELS[i]);
}

/* Compare the logits from position `from` of each row on with a golden data set. */
static void check_golden(const char *model, const char *name, int64_t from)
{
    const hid_t file = handmade_open(model);
    struct weights weights;
    int64_t rows, context;

    handmade_make(&weights, file);
    int32_t *ids = handmade_ids(file, "tokens", &rows, &context);
    float *logits = run(&weights, ids, rows, context);
    const int64_t skipped = from * weights.config.outputs;
    const int64_t count = context * weights.config.outputs - skipped;
    float *want = handmade_floats(file, name, rows * count);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < count; i++)
            assert_true(fabsf(want[r * count + i] - logits[r * (count + skipped) + skipped + i])
                        < 1e-5f);
    free(want);
    free(logits);
    free(ids);
    weights_free(&weights);
    H5Fclose(file);
}

static void gives_the_golden_outputs(void **state)
{
    (void)state;
    check_golden("x_proportion", "output", 0);
    check_golden("induction", "logits_end", 7);
}

/* Either of its two heads alone would do. */
static void the_or_gate_is_on(void **state)
{
    const hid_t file = handmade_open("or_gate");
    struct weights weights;
    const int32_t id = 0;

    (void)state;
    handmade_make(&weights, file);
    float *logits = run(&weights, &id, 1, 1);
    assert_true(*logits == 1);
    free(logits);
    weights_free(&weights);
    H5Fclose(file);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_follows_its_definition),
        cmocka_unit_test(gives_the_golden_outputs),
        cmocka_unit_test(the_or_gate_is_on),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
