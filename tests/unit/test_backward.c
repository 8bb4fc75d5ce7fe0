/* The way back through the model: against gradients of others' code, against differences of the
 * loss in every family, and against itself however it is run. */
#include "base/allocate.h"
#include "base/random.h"
#include "lm/backward.h"
#include "lm/head.h"
#include "shard/h5.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/golden.h"
#include "tests/sanitized.h"

/* A model and tokens for it. */
struct scene {
    const char *model, *tokens;
    int64_t     sequences, context;
    enum { WHOLE, NO_NORMS, NO_MLP } kind;
};

#define RANDOM(name, sequences, context, kind) \
    { "tests/golden/" name, "tests/golden/" name "/expected.h5", sequences, context, kind }

static const struct scene FAMILIES[] = {
    RANDOM("gemma1-random", 3, 48, WHOLE),
    RANDOM("gemma2-random", 3, 48, WHOLE),
    RANDOM("gemma3-random", 3, 48, WHOLE),
    RANDOM("gpt2-random", 3, 48, WHOLE),
    RANDOM("gpt2-random", 3, 48, NO_NORMS),
    RANDOM("gpt2-random", 3, 48, NO_MLP),
    RANDOM("llama3-random", 2, 80, WHOLE),
    RANDOM("mistral-random", 2, 48, WHOLE),
    RANDOM("qwen2-random", 2, 48, WHOLE),
    RANDOM("qwen3-random", 2, 48, WHOLE),
    RANDOM("gpt-neox-random", 2, 48, WHOLE),
    RANDOM("olmo2-random", 2, 48, WHOLE),
    RANDOM("phi3-random", 2, 48, WHOLE),
};

enum { FAMILIES_COUNT = sizeof FAMILIES / sizeof *FAMILIES };

/* tests/golden/README.md */
static const struct scene GPT2 = {
    "jobs/circuits/tiny-gpt2", "tests/golden/circuits/backward.h5", 2, 15, WHOLE,
};
static const struct scene GEMMA2 = {
    "tests/golden/gemma2-random", "tests/golden/circuits/gemma2_backward.h5", 3, 48, WHOLE,
};

static const double TOLERANCE = 1e-5;

struct fixture {
    const struct scene *scene;
    struct weights  weights;
    struct forward  forward;
    struct backward backward;
    struct head     head;
    hid_t           file;
    int32_t        *ids;
    int64_t         rows, stream;   /* stream: values of the residual stream */
    float          *last;           /* [stream] gradient by the last residual stream */
};

/* Take away what models written by hand may not have. */
static void take_away(struct weights *weights, const struct scene *scene)
{
    if (scene->kind == NO_MLP)
        weights->config.mlp_width = 0;
    if (scene->kind != NO_NORMS)
        return;
    weights->final_norm.scale = NULL;
    for (int i = 0; i < weights->config.layers; i++) {
        weights->layers[i].attn_norm.scale = NULL;
        weights->layers[i].mlp_norm.scale = NULL;
    }
}

/* The buffers hold one sequence more than the scene has. */
static void set_up(struct fixture *f, const struct scene *scene)
{
    struct lm_config config;

    *f = (struct fixture){ .scene = scene, .rows = scene->sequences * scene->context };
    assert_int_equal(config_read(&config, scene->model), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, scene->model,
                                  MPI_COMM_SELF), OK);
    take_away(&f->weights, scene);
    forward_make(&f->forward, &f->weights, scene->sequences + 1, scene->context);
    backward_make(&f->backward, &f->forward);
    head_make(&f->head, &f->weights);
    assert_int_equal(h5_open(&f->file, scene->tokens), OK);
    f->ids = allocate(f->rows, sizeof *f->ids);
    golden_read(f->file, "tokens", H5T_NATIVE_INT32, f->rows, f->ids);
    f->stream = f->rows * config.width;
    f->last = allocate(f->stream, sizeof *f->last);
}

static void tear_down(struct fixture *f)
{
    free(f->last);
    free(f->ids);
    assert_int_equal(h5_close(&f->file, f->scene->tokens, OK), OK);
    head_free(&f->head);
    backward_free(&f->backward);
    forward_free(&f->forward);
    weights_free(&f->weights);
}

/* --- losses -------------------------------------------------------------------------- */

/* The cross-entropy of the next tokens, summed over each sequence. */
static void sum_losses(struct fixture *f, double *sums)
{
    float *loss = allocate(f->rows, sizeof *loss);
    int32_t *next = allocate(f->rows, sizeof *next);

    head_next(next, f->ids, f->scene->sequences, f->scene->context);
    head_score(&f->head, &(struct head_task){ .stream = f->forward.values, .loss = loss }, 1, next,
               f->rows);
    for (int64_t r = 0; r < f->rows; r++)
        sums[r / f->scene->context] += (double)loss[r];
    free(next);
    free(loss);
}

/* The gradient of a row's loss by its logits, times `weight`: softmax less the next token. */
static void differentiate_loss(float *row, int32_t words, int32_t next, double weight)
{
    double sum = 0;

    for (int32_t i = 0; i < words; i++)
        sum += exp((double)row[i]);
    for (int32_t i = 0; i < words; i++)
        row[i] = (float)(weight * (exp((double)row[i]) / sum - (i == next)));
}

/* Put the gradient of all losses, times `weight`, by the last residual stream into f->last.  The
 * last token of a sequence has no loss. */
static void differentiate_losses(struct fixture *f, double weight)
{
    const int64_t context = f->scene->context, words = f->weights.config.vocabulary;
    float *logits = allocate(f->rows * words, sizeof *logits);
    int64_t *chosen = allocate(f->rows, sizeof *chosen), count = 0;

    for (int64_t r = 0; r < f->rows; r++)
        if ((r + 1) % context != 0) {
            float *row = logits + count * words;
            head_logits(&f->head, row, f->forward.values + r * f->weights.config.width, 1);
            differentiate_loss(row, (int32_t)words, f->ids[r + 1], weight);
            chosen[count++] = r;
        }
    head_back(&f->head, f->last, logits, f->forward.values, f->rows, chosen, count);
    free(chosen);
    free(logits);
}

/* Run forward to the end, and stand there on the way back from the sum of all losses. */
static void start_back(struct fixture *f, double weight)
{
    assert_int_equal(forward_start(&f->forward, f->ids, f->scene->sequences), OK);
    backward_walk(&f->backward, forward_end(&f->forward));
    differentiate_losses(f, weight);
    backward_start(&f->backward, f->last);
}

/* --- golden gradients ---------------------------------------------------------------- */

static void check_of_layer(const struct fixture *f, const char *format, int layer,
                           const float *values, int64_t count)
{
    char name[32];

    snprintf(name, sizeof name, format, layer);
    golden_check(f->file, name, values, count, TOLERANCE);
}

/* Check the gradient of the site where the cursor stands, and what else is open there. */
static void check_site(const struct fixture *f,
                       void (*check_attention)(const struct fixture *f, int layer))
{
    static const char *const NAMES[SITES] = {
        [SITE_ATTN] = "site/attn.%d", [SITE_MLP_IN] = "site/mlp_in.%d",
        [SITE_MLP] = "site/mlp.%d", [SITE_RES] = "site/res.%d",
    };
    const struct backward *b = &f->backward;
    const int layer = b->tap.layer;

    check_of_layer(f, layer < 0 ? "site/embed" : NAMES[b->tap.site], layer, b->gradient,
                   f->rows * b->width);
    if (b->tap.site == SITE_ATTN) {
        check_of_layer(f, "site/res_mid.%d", layer, b->residual, f->stream);
        check_of_layer(f, "receiver/%d.mlp", layer, b->mlp, f->stream);
    }
    if (b->tap.site == SITE_RES && layer + 1 < f->weights.config.layers)
        check_attention(f, layer + 1);
}

static void check_golden(struct fixture *f,
                         void (*check_attention)(const struct fixture *f, int layer))
{
    golden_check(f->file, "receiver/final", f->last, f->stream, TOLERANCE);
    check_site(f, check_attention);
    while (f->backward.tap.layer >= 0) {
        backward_next(&f->backward);
        check_site(f, check_attention);
    }
}

/* Queries, keys and values of all heads: as receivers, and as the product makes them. */
static void check_gpt2_attention(const struct fixture *f, int layer)
{
    static const char *const NAMES[] = { "site/q.%d", "site/k.%d", "site/v.%d" };
    const struct lm_config *c = &f->weights.config;
    const int64_t width = c->heads * c->head_width;
    float *part = allocate(f->rows * width, sizeof *part);

    check_of_layer(f, "receiver/%d.qkv", layer, f->backward.attention,
                   backward_receivers(c) * f->stream);
    for (int i = 0; i < 3; i++) {
        for (int64_t r = 0; r < f->rows; r++)
            memcpy(part + r * width, f->backward.qkv + (3 * r + i) * width,
                   (size_t)width * sizeof *part);
        check_of_layer(f, NAMES[i], layer, part, f->rows * width);
    }
    free(part);
}

/* The loss is the sum over prompts of logit(io) - logit(s) at their end. */
static void agrees_with_the_reference_on_gpt2(void **state)
{
    enum { PROMPTS = 2 };
    struct fixture f;
    int32_t length[PROMPTS], io[PROMPTS], s[PROMPTS];
    int64_t ends[PROMPTS];

    (void)state;
    set_up(&f, &GPT2);
    const int32_t words = f.weights.config.vocabulary;
    float *by_logits = allocate(PROMPTS * words, sizeof *by_logits);
    golden_read(f.file, "length", H5T_NATIVE_INT32, PROMPTS, length);
    golden_read(f.file, "io", H5T_NATIVE_INT32, PROMPTS, io);
    golden_read(f.file, "s", H5T_NATIVE_INT32, PROMPTS, s);
    for (int i = 0; i < PROMPTS; i++) {
        ends[i] = i * GPT2.context + length[i] - 1;
        by_logits[i * words + io[i]] = 1;
        by_logits[i * words + s[i]] = -1;
    }
    assert_int_equal(forward_start(&f.forward, f.ids, PROMPTS), OK);
    backward_walk(&f.backward, forward_end(&f.forward));
    head_back(&f.head, f.last, by_logits, f.forward.values, f.rows, ends, PROMPTS);
    backward_start(&f.backward, f.last);
    check_golden(&f, check_gpt2_attention);
    free(by_logits);
    tear_down(&f);
}

static void check_gemma2_attention(const struct fixture *f, int layer)
{
    const struct lm_config *c = &f->weights.config;
    const float *queries = f->backward.attention, *keys = queries + c->heads * f->stream;

    check_of_layer(f, "receiver/%d.q", layer, queries, c->heads * f->stream);
    check_of_layer(f, "receiver/%d.k", layer, keys, c->kv_heads * f->stream);
    check_of_layer(f, "receiver/%d.v", layer, keys + c->kv_heads * f->stream,
                   c->kv_heads * f->stream);
}

/* The loss is the mean over all tokens but the first. */
static void agrees_with_the_reference_on_gemma2(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, &GEMMA2);
    start_back(&f, 1.0 / (double)(GEMMA2.sequences * (GEMMA2.context - 1)));
    check_golden(&f, check_gemma2_attention);
    tear_down(&f);
}

/* --- differences --------------------------------------------------------------------- */

/* A place where values can be moved: a site, or the stream between attention and MLP, to which
 * attention's output is not yet added when the forward cursor stands at "attn". */
struct place {
    struct tap tap;
    bool       between;
};

static float *values_at(struct fixture *f, struct place place)
{
    return place.between ? f->forward.residual : f->forward.values;
}

/* Move the values of one position in every sequence along a direction, and go on to the end.
 *   sums [sequences]  out: losses */
static void move(struct fixture *f, struct place place, const struct forward_state *kept,
                 const float *direction, int64_t width, int64_t position, float step, double *sums)
{
    forward_load(&f->forward, kept);
    for (int64_t s = 0; s < f->scene->sequences; s++)
        for (int64_t i = 0; i < width; i++)
            values_at(f, place)[(s * f->scene->context + position) * width + i]
                += step * direction[i];
    forward_to(&f->forward, forward_end(&f->forward));
    memset(sums, 0, (size_t)f->scene->sequences * sizeof *sums);
    sum_losses(f, sums);
}

/* Squares of differences between slopes of the loss and what the gradient says, and of the
 * latter, for all sequences. */
struct squares {
    double errors, slopes;
};

static void compare(struct fixture *f, struct place place, const struct forward_state *kept,
                    const float *gradient, int64_t width, int64_t position, float step,
                    struct squares *squares)
{
    float *direction = allocate(width, sizeof *direction);
    double sums[2][8];

    for (int64_t i = 0; i < width; i++)
        direction[i] = random_uniform(5, (uint32_t)position, (uint64_t)i) - 0.5f;
    move(f, place, kept, direction, width, position, -step, sums[0]);
    move(f, place, kept, direction, width, position, step, sums[1]);
    for (int64_t s = 0; s < f->scene->sequences; s++) {
        const float *at = gradient + (s * f->scene->context + position) * width;
        double along = 0;
        for (int64_t i = 0; i < width; i++)
            along += (double)at[i] * (double)direction[i];
        const double error = (sums[1][s] - sums[0][s]) / (2 * (double)step) - along;
        squares->errors += error * error;
        squares->slopes += along * along;
    }
    free(direction);
}

static double root_mean_square(const float *values, int64_t count)
{
    double squares = 0;

    for (int64_t i = 0; i < count; i++)
        squares += (double)values[i] * (double)values[i];
    return sqrt(squares / (double)count);
}

/* Of early, middle and late tokens one in EVERY moves, by a small part of what its values are. */
enum { EVERY = SANITIZED(3, 1) };

static void check_place(struct fixture *f, struct place place)
{
    const int64_t context = f->scene->context;
    const int64_t positions[] = { 0, 1, context / 3, context / 2, context - 3, context - 2 };
    const struct backward *b = &f->backward;
    struct forward_state kept;
    struct squares squares = {0};
    char name[32];

    start_back(f, 1);
    backward_to(&f->backward, place.tap);
    const float *gradient = place.between ? b->residual : b->gradient;
    const int64_t width = place.between ? f->weights.config.width : b->width;
    forward_state_make(&kept, &f->forward, place.tap);
    assert_int_equal(forward_start(&f->forward, f->ids, f->scene->sequences), OK);
    forward_to(&f->forward, place.tap);
    forward_save(&f->forward, &kept);
    const double size = root_mean_square(values_at(f, place), f->rows * width);
    const float step = size > 0 ? (float)(0.02 * size) : 0.02f;
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i += EVERY)
        compare(f, place, &kept, gradient, width, positions[i], step, &squares);
    printf("    %-8s%s relative error %.2g\n", site_tap_name(name, place.tap),
           place.between ? "'" : " ", sqrt(squares.errors / squares.slopes));
    assert_true(sqrt(squares.errors) <= 0.01 * sqrt(squares.slopes));
    forward_state_free(&kept);
}

static void every_gradient_is_the_slope_of_the_loss(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < FAMILIES_COUNT; i++) {
        printf("    %s\n", FAMILIES[i].model);
        set_up(&f, &FAMILIES[i]);
        check_place(&f, (struct place){ backward_end(), false });
        for (int layer = 0; layer < f.weights.config.layers; layer++) {
            for (enum site site = 0; site < SITES; site++)
                check_place(&f, (struct place){ { site, layer }, false });
            if (!f.weights.config.parallel)
                check_place(&f, (struct place){ { SITE_ATTN, layer }, true });
        }
        tear_down(&f);
    }
}

/* --- invariants ---------------------------------------------------------------------- */

static void add(double *sum, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] += (double)values[i];
}

/* Add all receivers of the model on the way back to the embeddings. */
static void add_receivers(struct fixture *f, double *sum)
{
    struct backward *b = &f->backward;

    add(sum, f->last, f->stream);
    while (b->tap.layer >= 0) {
        backward_next(b);
        if (b->tap.site == SITE_ATTN)
            add(sum, b->mlp, f->stream);
        for (int i = 0; b->tap.site == SITE_RES && i < backward_receivers(&f->weights.config); i++)
            add(sum, b->attention + i * f->stream, f->stream);
    }
}

static void the_gradient_of_the_embeddings_is_the_sum_over_all_receivers(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < FAMILIES_COUNT; i++) {
        double difference = 0, norm = 0;
        set_up(&f, &FAMILIES[i]);
        double *sum = allocate(f.stream, sizeof *sum);
        start_back(&f, 1);
        add_receivers(&f, sum);
        for (int64_t k = 0; k < f.stream; k++) {
            const double g = (double)f.backward.gradient[k];
            difference += (g - sum[k]) * (g - sum[k]);
            norm += g * g;
        }
        assert_true(sqrt(difference / norm) < 1e-6);
        free(sum);
        tear_down(&f);
    }
}

/* Walk back to the embeddings; the caller frees their gradient, and after it attention's receivers
 * of layer 0. */
static float *gradients(struct fixture *f)
{
    const int64_t receivers = backward_receivers(&f->weights.config);
    float *copy = allocate((1 + receivers) * f->stream, sizeof *copy);

    start_back(f, 1);
    backward_to(&f->backward, backward_end());
    memcpy(copy, f->backward.gradient, (size_t)f->stream * sizeof *copy);
    memcpy(copy + f->stream, f->backward.attention,
           (size_t)(receivers * f->stream) * sizeof *copy);
    return copy;
}

static void gives_the_same_bits_on_any_number_of_threads(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < FAMILIES_COUNT; i++) {
        omp_set_num_threads(3);
        set_up(&f, &FAMILIES[i]);
        float *three = gradients(&f);
        omp_set_num_threads(1);
        float *one = gradients(&f);
        assert_memory_equal(one, three, (size_t)((1 + backward_receivers(&f.weights.config))
                                                 * f.stream) * sizeof *one);
        free(one);
        free(three);
        tear_down(&f);
    }
}

/* A stream that the caller replaces is the one that counts: of other tokens, here. */
static void goes_back_from_a_stream_that_was_replaced(void **state)
{
    const struct tap tap = { SITE_RES, 0 };
    struct fixture f;

    (void)state;
    set_up(&f, &GPT2);
    const size_t bytes = (size_t)f.stream * sizeof(float);
    float *stream = allocate(f.stream, sizeof *stream);
    float *gradient = allocate(f.stream, sizeof *gradient);
    start_back(&f, 1);
    backward_to(&f.backward, tap);
    memcpy(gradient, f.backward.gradient, bytes);
    assert_int_equal(forward_start(&f.forward, f.ids, GPT2.sequences), OK);
    forward_to(&f.forward, tap);
    memcpy(stream, f.forward.values, bytes);
    for (int i = 0; i < 2; i++) {
        f.ids[1] = 5;
        assert_int_equal(forward_start(&f.forward, f.ids, GPT2.sequences), OK);
        backward_walk(&f.backward, tap);
        if (i == 1)
            memcpy(f.forward.values, stream, bytes);
        backward_walk(&f.backward, forward_end(&f.forward));
        backward_start(&f.backward, f.last);
        backward_to(&f.backward, tap);
        assert_int_equal(memcmp(f.backward.gradient, gradient, bytes) == 0, i == 1);
    }
    free(gradient);
    free(stream);
    tear_down(&f);
}

/* A loss may be one of a stream in the middle. */
static void starts_at_any_layer(void **state)
{
    const struct tap tap = { SITE_RES, 1 };
    struct fixture f;

    (void)state;
    set_up(&f, &GPT2);
    const size_t bytes = (size_t)f.stream * sizeof(float);
    float *gradient = allocate(f.stream, sizeof *gradient);
    start_back(&f, 1);
    backward_to(&f.backward, tap);
    memcpy(f.last, f.backward.gradient, bytes);
    backward_to(&f.backward, backward_end());
    memcpy(gradient, f.backward.gradient, bytes);
    assert_int_equal(forward_start(&f.forward, f.ids, GPT2.sequences), OK);
    backward_walk(&f.backward, tap);
    backward_start(&f.backward, f.last);
    backward_to(&f.backward, backward_end());
    assert_memory_equal(gradient, f.backward.gradient, bytes);
    free(gradient);
    tear_down(&f);
}

/* Where the caller sets the gradient of an MLP's output to 0, nothing comes through the MLP, and
 * the stream keeps its gradient. */
static void lets_the_caller_change_a_gradient(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < FAMILIES_COUNT; i++) {
        set_up(&f, &FAMILIES[i]);
        start_back(&f, 1);
        backward_next(&f.backward);
        assert_int_equal(f.backward.tap.site, SITE_MLP);
        memset(f.backward.gradient, 0, (size_t)f.stream * sizeof(float));
        backward_to(&f.backward, (struct tap){ SITE_ATTN, f.backward.tap.layer });
        for (int64_t k = 0; k < f.stream; k++)
            assert_true(f.backward.mlp[k] == 0 && f.backward.residual[k] == f.last[k]);
        tear_down(&f);
    }
}

/* Rows without a loss, which are the last of each sequence, get 0; the others get the same in
 * whatever tiles they go through the head. */
static void the_head_gives_each_row_its_own_gradient(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, &GEMMA2);
    float *whole = allocate(f.stream, sizeof *whole);
    start_back(&f, 1);
    memcpy(whole, f.last, (size_t)f.stream * sizeof *whole);
    assert_int_equal(forward_start(&f.forward, f.ids, GEMMA2.sequences), OK);
    forward_to(&f.forward, forward_end(&f.forward));
    memset(f.last, 1, (size_t)f.stream * sizeof *f.last);
    f.head.tile = 17;
    differentiate_losses(&f, 1);
    for (int64_t r = 0; r < f.rows; r++) {
        const int64_t width = f.weights.config.width;
        const bool without = (r + 1) % GEMMA2.context == 0;
        double difference = 0, norm = 0;
        for (int64_t k = r * width; k < (r + 1) * width; k++) {
            difference += pow((double)whole[k] - (double)f.last[k], 2);
            norm += pow((double)f.last[k], 2);
        }
        assert_true(without ? norm == 0 && difference == 0 : difference < 1e-12 * norm);
    }
    free(whole);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference_on_gpt2),
        cmocka_unit_test(agrees_with_the_reference_on_gemma2),
        cmocka_unit_test(every_gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(the_gradient_of_the_embeddings_is_the_sum_over_all_receivers),
        cmocka_unit_test(gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(goes_back_from_a_stream_that_was_replaced),
        cmocka_unit_test(starts_at_any_layer),
        cmocka_unit_test(lets_the_caller_change_a_gradient),
        cmocka_unit_test(the_head_gives_each_row_its_own_gradient),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
