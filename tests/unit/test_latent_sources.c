/* Latents of attention outputs taken apart: decoder rows by hand; parts of a pre-activation against
 * attention() with other values, and against products in double, on models of several families. */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "base/random.h"
#include "heads/effective.h"
#include "heads/latent_heads.h"
#include "heads/latent_sources.h"
#include "kernels/attention.h"
#include "sae/latent_nodes.h"
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

/* --- decoder rows ------------------------------------------------------------------------ */

/* Two heads of two values. */
static float rows[] = {
    3, 4, 0, 0,         /* head 0 alone */
    3, 0, 0, 1,         /* three quarters of head 0 */
    0, 0, 0, 0,         /* none */
    0, 2, 0, 6,         /* one quarter */
    0, 5, 5, 0,         /* half */
    -6, 0, 0, -2,       /* three quarters, as latent 1 */
};

static const struct sae BY_HAND = { .inputs = 4, .outputs = 4, .latents = 6, .decoder = rows };

static void shares_are_those_by_hand(void **state)
{
    const double want[] = { 1, 0, 0.75, 0.25, 0, 0, 0.25, 0.75, 0.5, 0.5, 0.75, 0.25 };
    double share[12];

    (void)state;
    latent_heads_shares(share, &BY_HAND, 2);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(share[i] - want[i]) < 1e-15);
}

static void strongest_latents_come_first(void **state)
{
    const int32_t want[] = { 0, 1, 5, 4, 3, 2 }, other[] = { 3, 4, 1 };
    double share[12];
    int32_t latent[10];

    (void)state;
    latent_heads_shares(share, &BY_HAND, 2);
    assert_int_equal(latent_heads_strongest(latent, 10, share, 6, 2, 0), 6);
    assert_memory_equal(latent, want, sizeof want);
    assert_int_equal(latent_heads_strongest(latent, 3, share, 6, 2, 1), 3);
    assert_memory_equal(latent, other, sizeof other);
}

/* Head 1 writes (0, 1), (0, 6), (0, -2) and (5, 0): squares of cosines sum up to 9 + 1. */
static void directions_are_counted(void **state)
{
    const int32_t line[] = { 1, 3, 5 }, both[] = { 1, 3, 5, 4, 2 }, cross[] = { 1, 4 };

    (void)state;
    assert_true(fabs(latent_heads_directions(&BY_HAND, 2, 1, line, 3) - 1) < 1e-12);
    assert_true(fabs(latent_heads_directions(&BY_HAND, 2, 1, both, 5) - 1.6) < 1e-12);
    assert_true(fabs(latent_heads_directions(&BY_HAND, 2, 1, cross, 2) - 2) < 1e-12);
    assert_true(latent_heads_directions(&BY_HAND, 2, 0, both + 4, 1) == 0);
}

/* --- models ------------------------------------------------------------------------------ */

enum { LATENTS = 24, SEQUENCES = 2 };

struct model {
    const char *folder, *expected;
    int64_t     sequences, context;     /* of the golden tokens */
    int         layer;
    int64_t     token;
};

/* Fused weights and LayerNorm; windows and soft-cap; two key-value heads for four; biases of
 * values; no norm before attention; attention beside the MLP. */
#define MODEL(name) "tests/golden/" name, "tests/golden/" name "/expected.h5"
static const struct model MODELS[] = {
    { MODEL("gpt2-random"), 3, 48, 2, 40 },   { MODEL("gemma2-random"), 3, 48, 2, 47 },
    { MODEL("llama3-random"), 2, 80, 1, 60 }, { MODEL("qwen2-random"), 2, 48, 3, 20 },
    { MODEL("olmo2-random"), 2, 48, 2, 33 },  { MODEL("gpt-neox-random"), 2, 48, 2, 47 },
};

enum { MODELS_COUNT = sizeof MODELS / sizeof *MODELS };

struct fixture {
    const struct model *model;
    hid_t           file;
    struct weights  weights;
    struct forward  forward;
    int64_t         rows, sequence;
    struct sae      sae, below;         /* of the heads, and of the stream that they read */
    struct latent_sources_target target;
    struct latent_sources sources;
};

enum { LATENT = 5 };

static float number(uint64_t index)
{
    return 2 * random_uniform(7, RANDOM_ENCODER, index) - 1;
}

static void make_sae(struct sae *sae, int32_t width, uint64_t seed)
{
    sae_make(sae, width, width, LATENTS);
    for (int32_t i = 0; i < LATENTS * width; i++) {
        sae->encoder[i] = number(seed + 4 * (uint64_t)i);
        sae->decoder[i] = number(seed + 4 * (uint64_t)i + 1);
    }
    for (int i = 0; i < LATENTS; i++)
        sae->encoder_bias[i] = number(seed + 4 * (uint64_t)i + 2);
    for (int i = 0; i < width; i++)
        sae->decoder_bias[i] = number(seed + 4 * (uint64_t)i + 3);
}

/* The sources of the latent in the second sequence. */
static void set_up(struct fixture *f, const struct model *model)
{
    struct lm_config config;

    *f = (struct fixture){ .model = model, .rows = model->sequences * model->context,
                           .sequence = 1 };
    printf("    %s\n", model->folder);
    int32_t *ids = allocate(f->rows, sizeof *ids);
    assert_int_equal(config_read(&config, model->folder), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, model->folder,
                                  MPI_COMM_SELF), OK);
    assert_int_equal(h5_open(&f->file, model->expected), OK);
    golden_read(f->file, "tokens", H5T_NATIVE_INT32, f->rows, ids);
    forward_make(&f->forward, &f->weights, model->sequences, model->context);
    assert_int_equal(forward_start(&f->forward, ids, model->sequences), OK);
    forward_to(&f->forward, (struct tap){ SITE_ATTN, model->layer });
    make_sae(&f->sae, lm_site_width(&config, SITE_ATTN), 0);
    make_sae(&f->below, config.width, 1000000);
    latent_sources_target_make(&f->target, &f->weights, &f->sae, model->layer, LATENT);
    latent_sources_make(&f->sources, &config, model->context);
    latent_sources_find(&f->sources, &f->target, &f->forward, f->sequence, model->token);
    latent_sources_go_below(&f->sources, &f->target, &f->forward, f->sequence);
    free(ids);
}

static void tear_down(struct fixture *f)
{
    latent_sources_free(&f->sources);
    latent_sources_target_free(&f->target);
    sae_free(&f->below);
    sae_free(&f->sae);
    forward_free(&f->forward);
    h5_close(&f->file, f->model->expected, OK);
    weights_free(&f->weights);
}

static const float *encoder_of(const struct fixture *f, int32_t head)
{
    return f->sae.encoder + (int64_t)LATENT * f->sae.inputs
           + (int64_t)head * f->weights.config.head_width;
}

/* The first of a head's own values in a row of head outputs of the token. */
static int64_t place_of(const struct fixture *f, int32_t head)
{
    const struct lm_config *c = &f->weights.config;

    return (f->sequence * f->model->context + f->model->token) * c->heads * c->head_width
           + (int64_t)head * c->head_width;
}

/* The output of attention() if all values of the sequence were 0 but for those of one source,
 * which are `value`, or as they are if that is NULL.  Caller frees. */
static float *attend(const struct fixture *f, int64_t source, const float *value)
{
    const struct lm_config *c = &f->weights.config;
    const struct attention shape = forward_attention(&f->forward);
    const int64_t stride = attention_stride(&shape), width = attention_out_stride(&shape);
    const int64_t keys = (int64_t)(c->heads + c->kv_heads) * c->head_width;
    float *qkv = allocate(f->rows * stride, sizeof *qkv);
    float *out = allocate(f->rows * width, sizeof *out);
    void *scratch = allocate(attention_scratch(&shape, omp_get_max_threads()), 1);

    memcpy(qkv, f->forward.qkv, (size_t)(f->rows * stride) * sizeof *qkv);
    for (int64_t s = 0; s < shape.context; s++) {
        float *values = qkv + (f->sequence * shape.context + s) * stride + keys;
        for (int64_t i = 0; i < stride - keys; i++)
            values[i] = s != source ? 0 : value == NULL ? values[i] : *value;
    }
    attention(out, qkv, scratch, &shape);
    free(scratch);
    free(qkv);
    return out;
}

/* The size that errors are measured by: that of the largest of some parts. */
static double largest(const double *part, int64_t count)
{
    double most = 0;

    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(part[i]));
    return most;
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void parts_are_what_single_values_make(struct fixture *f)
{
    const struct lm_config *c = &f->weights.config;
    const int64_t context = f->model->context;
    const double unit = largest(f->sources.part, c->heads * context);
    double worst = 0;

    for (int64_t s = 0; s < context; s++) {
        float *out = attend(f, s, NULL);
        for (int32_t k = 0; k < c->heads; k++) {
            const double want = dot(encoder_of(f, k), out + place_of(f, k), c->head_width);
            worst = fmax(worst, fabs(f->sources.part[k * context + s] - want) / unit);
        }
        free(out);
    }
    printf("        parts: worst difference %.2g of the largest\n", worst);
    assert_true(worst < 1e-5);
}

/* The golden row of head outputs, of somebody else's program. */
static void sums_are_the_golden_pre_activation(struct fixture *f)
{
    const struct lm_config *c = &f->weights.config;
    const int64_t width = f->sae.inputs;
    float *golden = allocate(f->rows * width, sizeof *golden);
    double *head = allocate(c->heads, sizeof *head), sum = (double)f->sae.encoder_bias[LATENT];
    double heads = sum;
    char name[32];

    snprintf(name, sizeof name, "attn.%d", f->model->layer);
    golden_read(f->file, name, H5T_NATIVE_FLOAT, f->rows * width, golden);
    const double want = dot(encoder_of(f, 0), golden + place_of(f, 0), width) + sum;
    const double pi = latent_sources_pre_activation(head, &f->target,
                                                    f->forward.values + place_of(f, 0));
    for (int64_t i = 0; i < c->heads * f->model->context; i++)
        sum += f->sources.part[i];
    for (int32_t k = 0; k < c->heads; k++)
        heads += head[k];
    const double unit = largest(head, c->heads);
    printf("        pre-activation %.6f: golden %+.2g, heads %+.2g, heads and sources %+.2g\n", pi,
           want - pi, heads - pi, sum - pi);
    assert_true(fabs(heads - pi) < 1e-12 * unit);
    assert_true(fabs(sum - pi) < 1e-5 * unit && fabs(sum - pi) < 1e-5);
    assert_true(fabs(want - pi) < 2e-5 * unit);
    free(head);
    free(golden);
}

/* What vector x in the stream at source s adds, by the definition: through the norm with the size
 * of the row there, the values' matrix, the attention of each head.
 *   attention [heads] */
static double through(const struct fixture *f, const double *attention, int64_t s, const float *x)
{
    const struct lm_config *c = &f->weights.config;
    const struct norm_weights norm = f->weights.layers[f->model->layer].attn_norm;
    const float *row = f->forward.residual + (f->sequence * f->model->context + s) * c->width;
    double *y = allocate(c->width, sizeof *y), mean = 0, squares = 0, own = 0, sum = 0;

    for (int32_t i = 0; i < c->width && norm.bias != NULL; i++) {
        mean += (double)row[i] / c->width;
        own += (double)x[i] / c->width;
    }
    for (int32_t i = 0; i < c->width; i++)
        squares += ((double)row[i] - mean) * ((double)row[i] - mean) / c->width;
    for (int32_t i = 0; i < c->width; i++)
        y[i] = norm.scale == NULL ? (double)x[i]
             : (double)norm.scale[i] * ((double)x[i] - own)
               / sqrt(squares + (double)c->norm_epsilon);
    for (int32_t k = 0; k < c->heads; k++) {
        const float *matrix = effective_head(&f->weights, f->model->layer, k).value;
        for (int32_t j = 0; j < c->head_width; j++) {
            double value = 0;
            for (int32_t i = 0; i < c->width; i++)
                value += (double)matrix[(int64_t)j * c->width + i] * y[i];
            sum += attention[k] * (double)encoder_of(f, k)[j] * value;
        }
    }
    free(y);
    return sum;
}

/* What the stream below is made of, for the whole sequence. */
struct stream {
    float  *latents;            /* [context, LATENTS] */
    double *part;               /* the same */
    float  *error;              /* [context, width] */
    double  unit;               /* size of the largest part */
};

static void make_stream(struct stream *stream, const struct fixture *f)
{
    const int64_t context = f->model->context, width = f->weights.config.width;
    const float *x = f->forward.residual + f->sequence * context * width;

    *stream = (struct stream){ .latents = allocate(context * LATENTS, sizeof(float)),
                               .part = allocate(context * LATENTS, sizeof(double)),
                               .error = allocate(context * width, sizeof(float)) };
    sae_encode(&f->below, stream->latents, x, context);
    latent_nodes_error(&f->below, stream->error, stream->latents, x, context);
    latent_sources_below(stream->part, &f->sources, &f->below, stream->latents);
    stream->unit = largest(stream->part, context * LATENTS);
}

static void free_stream(struct stream *stream)
{
    free(stream->error);
    free(stream->part);
    free(stream->latents);
}

/* The largest difference between parts of latents, and of the error, and their definitions. */
static double check_source(struct fixture *f, const struct stream *stream, int64_t s)
{
    const int32_t width = f->weights.config.width, heads = f->weights.config.heads;
    const float *error = stream->error + s * width, one = 1;
    double *attention = allocate(heads, sizeof *attention);
    float *out = attend(f, s, &one);

    for (int32_t k = 0; k < heads; k++)
        attention[k] = (double)out[place_of(f, k)];
    double worst = fabs(latent_sources_of(&f->sources, s, error, width)
                        - through(f, attention, s, error));
    for (int64_t i = s * LATENTS; i < (s + 1) * LATENTS; i++) {
        const float *direction = f->below.decoder + i % LATENTS * width;
        worst = fmax(worst, fabs(stream->part[i] - (double)stream->latents[i]
                                 * through(f, attention, s, direction)));
    }
    free(out);
    free(attention);
    return worst;
}

/* All that a source adds, by its latents, the error, their bias, and the rest. */
static double sum_of(const struct fixture *f, const struct stream *stream, int64_t s)
{
    const int32_t width = f->weights.config.width;
    double sum = f->sources.constant[s]
               + latent_sources_of(&f->sources, s, stream->error + s * width, width)
               + latent_sources_of(&f->sources, s, f->below.decoder_bias, width);

    for (int i = 0; i < LATENTS; i++)
        sum += stream->part[s * LATENTS + i];
    return sum;
}

static void streams_are_divided_as_defined(struct fixture *f)
{
    const struct lm_config *c = &f->weights.config;
    const int64_t context = f->model->context;
    double worst = 0, off = 0, total = (double)f->sae.encoder_bias[LATENT];
    struct stream stream;

    make_stream(&stream, f);
    for (int64_t s = 0; s < context; s++) {
        double parts = 0;
        for (int32_t k = 0; k < c->heads; k++)
            parts += f->sources.part[k * context + s];
        off = fmax(off, fabs(sum_of(f, &stream, s) - parts) / stream.unit);
        total += sum_of(f, &stream, s);
        if (s % 7 == 6)
            worst = fmax(worst, check_source(f, &stream, s) / stream.unit);
    }
    const double pi = latent_sources_pre_activation(NULL, &f->target,
                                                    f->forward.values + place_of(f, 0));
    printf("        stream below: worst difference %.2g of the largest, of a source's sum %.2g, "
           "of the whole %+.2g\n", worst, off, total - pi);
    assert_true(stream.unit > 1e-3 && worst < 1e-5 && off < 1e-5);
    assert_true(fabs(total - pi) < 1e-4 && fabs(total - pi) < 1e-4 * stream.unit);
    free_stream(&stream);
}

static void takes_latents_apart_in_every_family(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < MODELS_COUNT; i++) {
        set_up(&f, &MODELS[i]);
        parts_are_what_single_values_make(&f);
        sums_are_the_golden_pre_activation(&f);
        streams_are_divided_as_defined(&f);
        tear_down(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_by_hand),
        cmocka_unit_test(strongest_latents_come_first),
        cmocka_unit_test(directions_are_counted),
        cmocka_unit_test(takes_latents_apart_in_every_family),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
