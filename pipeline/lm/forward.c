#include "lm/forward.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/attention.h"
#include "kernels/narrow.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/rows.h"

#include <assert.h>
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go through the MLP at a time: its hidden layer is the widest buffer, and these rows
 * still keep all threads busy. */
enum { PIECE_ROWS = 4096 };

/* --- shapes and memory --------------------------------------------------------------- */

static int64_t heads_width(const struct lm_config *c)
{
    return (int64_t)c->heads * c->head_width;
}

static int64_t qkv_width(const struct lm_config *c)
{
    return (int64_t)(c->heads + 2 * c->kv_heads) * c->head_width;
}

static struct attention attention_shape(const struct lm_config *c, enum precision precision,
                                        int layer, int64_t sequences, int64_t context)
{
    return (struct attention){
        .precision = precision,
        .sequences = sequences,
        .context = context,
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .head_width = c->head_width,
        .window = c->window[layer],
        .scale = c->score_scale,
        .cap = c->score_cap,
    };
}

struct attention forward_attention(const struct forward *f)
{
    return attention_shape(&f->weights->config, f->weights->precision, f->tap.layer, f->sequences,
                           f->context);
}

/* Bytes of attention's scratch, for all threads. */
static int64_t attention_bytes(const struct lm_config *c, enum precision precision,
                               int64_t sequences, int64_t context, int threads)
{
    const struct attention shape = attention_shape(c, precision, 0, sequences, context);

    return attention_scratch(&shape, threads);
}

/* Bytes of the input of a product; its rows are filled up to whole blocks. */
static int64_t input_bytes(enum precision precision, int64_t rows, int64_t width)
{
    const int64_t whole = (rows + LINEAR_ROWS - 1) / LINEAR_ROWS * LINEAR_ROWS;

    return whole * width * linear_input_bytes(precision);
}

/* Bytes of the widest rounded input; in float32 inputs are not rounded. */
static int64_t rounding_bytes(const struct lm_config *c, enum precision precision, int64_t rows)
{
    const int64_t width = c->width > heads_width(c) ? c->width : heads_width(c);

    return precision == PRECISION_F32 ? 0 : input_bytes(precision, rows, width);
}

static int64_t hidden_bytes(const struct lm_config *c, enum precision precision, int64_t rows)
{
    return input_bytes(precision, min_int64(rows, PIECE_ROWS), c->mlp_width);
}

int64_t forward_bytes(const struct lm_config *c, enum precision precision, int64_t sequences,
                      int64_t context, int threads)
{
    const int64_t rows = sequences * context;
    const int64_t floats = rows * (3 * c->width + qkv_width(c) + heads_width(c))
                         + context * c->head_width;

    return floats * (int64_t)sizeof(float) + rounding_bytes(c, precision, rows)
         + hidden_bytes(c, precision, rows) + linear_scratch(precision, threads)
         + attention_bytes(c, precision, sequences, context, threads);
}

void forward_make(struct forward *forward, const struct weights *weights, int64_t sequences,
                  int64_t context)
{
    const struct lm_config *c = &weights->config;
    const enum precision precision = weights->precision;
    const int64_t rows = sequences * context, angles = context * c->head_width / 2;

    *forward = (struct forward){
        .weights = weights,
        .context = context,
        .most = sequences,
        .residual = allocate_big(rows * c->width, sizeof(float)),
        .normed = allocate_big(rows * c->width, sizeof(float)),
        .branch = allocate_big(rows * c->width, sizeof(float)),
        .qkv = allocate_big(rows * qkv_width(c), sizeof(float)),
        .heads = allocate_big(rows * heads_width(c), sizeof(float)),
        .rounded = allocate_big(rounding_bytes(c, precision, rows), 1),
        .hidden = allocate_big(hidden_bytes(c, precision, rows), 1),
        .tiles = allocate_big(linear_scratch(precision, omp_get_max_threads()), 1),
        .scratch = allocate_big(attention_bytes(c, precision, sequences, context,
                                                omp_get_max_threads()), 1),
        .cosine = allocate(angles, sizeof(float)),
        .sine = allocate(angles, sizeof(float)),
    };
}

void forward_free(struct forward *forward)
{
    free(forward->residual);
    free(forward->normed);
    free(forward->branch);
    free(forward->qkv);
    free(forward->heads);
    free(forward->rounded);
    free(forward->hidden);
    free(forward->tiles);
    free(forward->scratch);
    free(forward->cosine);
    free(forward->sine);
    *forward = (struct forward){0};
}

/* --- the stretches of a layer -------------------------------------------------------- */

/* Add the time since `start` to that of `part`. */
static void spend(struct forward *f, enum forward_part part, double start)
{
    f->spent[part] += omp_get_wtime() - start;
}

/* The input of a product of few rows. */
static const float *packed(struct forward *f, const float *x, int64_t rows, int64_t inputs)
{
    narrow_pack(f->cache->packed, x, rows, inputs);
    return f->cache->packed;
}

/* y = x W^T, plus a bias unless it is NULL. */
static void multiply(struct forward *f, float *y, const struct linear *w, const float *bias,
                     const float *x, int64_t rows)
{
    const double start = omp_get_wtime();

    if (f->cache != NULL)
        linear_apply_few(w, y, packed(f, x, rows, w->inputs), bias, rows, f->tiles);
    else
        linear_apply(w, y, linear_input(w->precision, f->rounded, x, rows, w->inputs), bias, rows,
                     f->tiles);
    spend(f, FORWARD_PRODUCTS, start);
}

/* The MLP of few rows: product, activation, product. */
static void multiply_few_twice(struct forward *f, float *y, const struct layer_weights *w,
                               const float *x, int64_t rows)
{
    const double start = omp_get_wtime();

    linear_activate_few(&w->mlp_in, f->weights->config.activation, f->hidden,
                        packed(f, x, rows, w->mlp_in.inputs), w->mlp_in_bias, rows, f->tiles);
    linear_apply_few(&w->mlp_out, y, packed(f, f->hidden, rows, w->mlp_out.inputs),
                     w->mlp_out_bias, rows, f->tiles);
    spend(f, FORWARD_PRODUCTS, start);
}

/* The same of any number. */
static void multiply_twice(struct forward *f, float *y, const struct layer_weights *w,
                           const float *x, int64_t rows)
{
    const double start = omp_get_wtime();

    linear_activate(&w->mlp_in, f->weights->config.activation, f->hidden,
                    linear_input(w->mlp_in.precision, f->rounded, x, rows, w->mlp_in.inputs),
                    w->mlp_in_bias, rows, f->tiles);
    linear_apply(&w->mlp_out, y, f->hidden, w->mlp_out_bias, rows, f->tiles);
    spend(f, FORWARD_PRODUCTS, start);
}

/* Normalise queries and keys, each head by itself or all together, if the model does. */
static void normalise_heads(struct forward *f, const struct layer_weights *w)
{
    const struct lm_config *c = &f->weights->config;
    const bool whole = c->qk_norm == LM_QK_NORM_WHOLE;
    const int32_t queries = c->heads * c->head_width, keys = c->kv_heads * c->head_width;

    if (c->qk_norm == LM_QK_NORM_NONE)
        return;
    norm_rms_heads(f->qkv, qkv_width(c), w->query_norm, f->rows, whole ? 1 : c->heads,
                   whole ? queries : c->head_width, c->norm_epsilon);
    norm_rms_heads(f->qkv + queries, qkv_width(c), w->key_norm, f->rows, whole ? 1 : c->kv_heads,
                   whole ? keys : c->head_width, c->norm_epsilon);
}

static bool same_rope(const struct rope *a, const struct rope *b)
{
    return a->width == b->width && a->base == b->base && a->factor == b->factor
           && a->original == b->original && a->low == b->low && a->high == b->high;
}

/* Give queries and keys their positions by RoPE, unless the model has learned ones. */
static void rotate(struct forward *f)
{
    const struct lm_config *c = &f->weights->config;
    const struct rope *rope = &c->rope[f->tap.layer];
    float *cosine = f->cache != NULL ? f->cache->cosine : f->cosine;
    float *sine = f->cache != NULL ? f->cache->sine : f->sine;

    if (c->learned_positions)
        return;
    if (!same_rope(&f->rope, rope)) {
        if (f->cache != NULL)
            rope_angles_at(cosine, sine, f->cache->position, f->rows, rope);
        else
            rope_angles(cosine, sine, f->context, rope);
        f->rope = *rope;
    }
    rope_rotate(f->qkv, qkv_width(c), cosine, sine, f->rows,
                f->cache != NULL ? f->rows : f->context, c->heads + c->kv_heads, c->head_width,
                rope->width);
}

/* Take queries, keys and values in part from the other run. */
static void mix_runs(struct forward *f, const struct forward_gates *gates)
{
    const struct lm_config *c = &f->weights->config;
    const int32_t parts = c->heads + 2 * c->kv_heads;
    const float *gate = gates->gate + f->tap.layer * gates->stride;
    const int64_t layer = f->tap.layer * f->rows * qkv_width(c);

    for (int64_t i = 0; i < f->rows * parts; i++) {
        const int64_t at = i * c->head_width;
        row_mix(f->qkv + at, gates->difference + layer + at, gates->other + layer + at,
                gate[i % parts], c->head_width);
    }
}

void forward_project(struct forward *f, const struct layer_weights *w)
{
    weights_normalise(f->normed, f->residual, w->attn_norm, &f->weights->config, f->rows);
    multiply(f, f->qkv, &w->qkv, w->qkv_bias, f->normed, f->rows);
    if (f->gates != NULL)
        mix_runs(f, f->gates);
}

void forward_attend(struct forward *f, const struct layer_weights *w)
{
    const struct attention shape = forward_attention(f);

    normalise_heads(f, w);
    rotate(f);
    const double start = omp_get_wtime();
    if (f->cache != NULL)
        cache_attend(f->cache, f->heads, f->qkv, f->rows, f->tap.layer, &shape);
    else
        attention(f->heads, f->qkv, f->scratch, &shape);
    spend(f, FORWARD_ATTENTION, start);
}

static void to_attn(struct forward *f, const struct layer_weights *w)
{
    forward_project(f, w);
    forward_attend(f, w);
}

static void to_mlp_in(struct forward *f, const struct layer_weights *w)
{
    const struct lm_config *c = &f->weights->config;

    multiply(f, f->branch, &w->attn_out, w->attn_out_bias, f->heads, f->rows);
    if (c->post_norms)
        weights_normalise(f->branch, f->branch, w->attn_post_norm, c, f->rows);
    if (c->parallel)
        weights_normalise(f->normed, f->residual, w->mlp_norm, c, f->rows);
    norm_add_rows(f->residual, f->branch, f->rows * c->width);
    if (!c->parallel)
        weights_normalise(f->normed, f->residual, w->mlp_norm, c, f->rows);
}

void forward_mlp(struct forward *f, const struct layer_weights *w)
{
    const struct lm_config *c = &f->weights->config;
    const int64_t width = c->width;

    if (c->mlp_width == 0)
        memset(f->branch, 0, (size_t)(f->rows * width) * sizeof *f->branch);
    for (int64_t from = 0; c->mlp_width > 0 && from < f->rows; from += PIECE_ROWS)
        (f->cache != NULL ? multiply_few_twice : multiply_twice)(
            f, f->branch + from * width, w, f->normed + from * width,
            min_int64(PIECE_ROWS, f->rows - from));
    if (c->post_norms)
        weights_normalise(f->branch, f->branch, w->mlp_post_norm, c, f->rows);
}

static void to_res(struct forward *f, const struct layer_weights *w)
{
    (void)w;
    norm_add_rows(f->residual, f->branch, f->rows * f->weights->config.width);
}

/* --- their work ---------------------------------------------------------------------- */

/* Pairs of tokens of a sequence such that the second sees the first. */
static double pairs(int64_t context, int32_t window)
{
    const double n = (double)context, w = window > 0 && window < context ? window : n;

    return w * (w + 1) / 2 + (n - w) * w;
}

static double attn_work(const struct lm_config *c, int layer, int64_t context)
{
    const double heads = (double)heads_width(c), width = c->width;

    return 2 * (double)context * width * (double)qkv_width(c)
         + 4 * pairs(context, c->window[layer]) * heads;
}

static double mlp_in_work(const struct lm_config *c, int layer, int64_t context)
{
    (void)layer;
    return 2 * (double)context * (double)heads_width(c) * c->width;
}

static double mlp_work(const struct lm_config *c, int layer, int64_t context)
{
    (void)layer;
    return 2 * (double)context * ((c->gated ? 3.0 : 2.0) * c->mlp_width * c->width);
}

static double res_work(const struct lm_config *c, int layer, int64_t context)
{
    (void)c, (void)layer, (void)context;
    return 0;
}

/* --- the cursor ---------------------------------------------------------------------- */

/* How the cursor comes to a site from the one before. */
static const struct stretch {
    void   (*run)(struct forward *f, const struct layer_weights *w);
    double (*work)(const struct lm_config *c, int layer, int64_t context);
    size_t   values;        /* which pointer of struct forward holds the site's values then */
} STRETCHES[SITES] = {
    [SITE_ATTN]   = { to_attn,   attn_work,   offsetof(struct forward, heads) },
    [SITE_MLP_IN] = { to_mlp_in, mlp_in_work, offsetof(struct forward, normed) },
    [SITE_MLP]    = { forward_mlp, mlp_work,    offsetof(struct forward, branch) },
    [SITE_RES]    = { to_res,    res_work,    offsetof(struct forward, residual) },
};

/* Is the site the residual stream itself? */
static bool is_stream(enum site site)
{
    return STRETCHES[site].values == offsetof(struct forward, residual);
}

double forward_work(const struct lm_config *c, struct tap last, int64_t context)
{
    double work = 0;

    for (int64_t step = 0; step <= site_tap_step(last); step++)
        work += STRETCHES[site_at((int)(step % SITES))].work(c, (int)(step / SITES), context);
    return work;
}

struct tap forward_end(const struct forward *forward)
{
    return (struct tap){ .site = site_at(SITES - 1),
                         .layer = forward->weights->config.layers - 1 };
}

static void stand_at(struct forward *f, struct tap tap)
{
    f->tap = tap;
    f->values = *(float *const *)((const char *)f + STRETCHES[tap.site].values);
    f->width = lm_site_width(&f->weights->config, tap.site);
}

static void embed(float *x, const struct weights *weights, int32_t id, int64_t position)
{
    const struct lm_config *c = &weights->config;

    for (int32_t i = 0; i < c->width; i++)
        x[i] = weights->embedding[(int64_t)id * c->width + i] * c->embedding_scale;
    if (weights->positions != NULL)
        for (int32_t i = 0; i < c->width; i++)
            x[i] += weights->positions[position * c->width + i];
}

enum status forward_check(const struct lm_config *c, const int32_t *ids, int64_t rows,
                          int64_t context)
{
    enum status st = OK;

    REQUIRE(context <= c->positions, E_USAGE, "sequences of %lld tokens are longer than the %d "
            "this model was made for; set 'corpus: context' to at most that", (long long)context,
            (int)c->positions);
    for (int64_t r = 0; r < rows; r++)
        REQUIRE(0 <= ids[r] && ids[r] < c->vocabulary, E_FORMAT, "token id %d is not in the "
                "model's vocabulary of %d; was the text tokenized for another model?", (int)ids[r],
                (int)c->vocabulary);
done:
    return st;
}

/* With a cache, positions of the rows are new, and so are their angles. */
static void take_positions(struct forward *f)
{
    assert(f->context == 1 && f->weights->precision == PRECISION_F32);
    cache_advance(f->cache, f->rows);
    f->rope = (struct rope){0};
}

enum status forward_start(struct forward *f, const int32_t *ids, int64_t sequences)
{
    const struct lm_config *c = &f->weights->config;
    enum status st;

    assert(0 < sequences && sequences <= f->most);
    TRY(forward_check(c, ids, sequences * f->context,
                      f->cache != NULL ? f->cache->capacity : f->context));
    f->sequences = sequences;
    f->rows = sequences * f->context;
    if (f->cache != NULL)
        take_positions(f);
    #pragma omp parallel for
    for (int64_t r = 0; r < f->rows; r++)
        embed(f->residual + r * c->width, f->weights, ids[r],
              f->cache != NULL ? f->cache->position[r] : r % f->context);
    stand_at(f, (struct tap){ .site = site_at(SITES - 1), .layer = -1 });
done:
    return st;
}

void forward_next(struct forward *f)
{
    const int64_t step = site_tap_step(f->tap) + 1;
    const enum site site = site_at((int)(step % SITES));
    const double start = omp_get_wtime();
    const double counted = f->spent[FORWARD_PRODUCTS] + f->spent[FORWARD_ATTENTION];

    assert(step <= site_tap_step(forward_end(f)));
    f->tap.layer = (int)(step / SITES);
    STRETCHES[site].run(f, &f->weights->layers[f->tap.layer]);
    /* The time of the stretch less the parts that it has counted itself. */
    spend(f, FORWARD_OTHER, start);
    f->spent[FORWARD_OTHER] -= f->spent[FORWARD_PRODUCTS] + f->spent[FORWARD_ATTENTION] - counted;
    stand_at(f, (struct tap){ .site = site, .layer = f->tap.layer });
}

void forward_to(struct forward *f, struct tap tap)
{
    assert(site_tap_step(f->tap) <= site_tap_step(tap));
    while (site_tap_step(f->tap) < site_tap_step(tap))
        forward_next(f);
}

/* --- keeping it ---------------------------------------------------------------------- */

int64_t forward_state_bytes(const struct lm_config *config, struct tap tap, int64_t sequences,
                            int64_t context)
{
    const int64_t site = is_stream(tap.site) ? 0 : lm_site_width(config, tap.site);

    return sequences * context * (config->width + site) * (int64_t)sizeof(float);
}

void forward_state_make(struct forward_state *state, const struct forward *f, struct tap tap)
{
    const struct lm_config *c = &f->weights->config;
    const int64_t rows = f->most * f->context;

    *state = (struct forward_state){
        .tap = tap,
        .residual = allocate(rows * c->width, sizeof(float)),
    };
    if (!is_stream(tap.site))
        state->values = allocate(rows * lm_site_width(c, tap.site), sizeof(float));
}

void forward_state_free(struct forward_state *state)
{
    free(state->residual);
    free(state->values);
    *state = (struct forward_state){0};
}

void forward_save(const struct forward *f, struct forward_state *state)
{
    assert(site_tap_step(f->tap) == site_tap_step(state->tap));
    state->sequences = f->sequences;
    memcpy(state->residual, f->residual,
           (size_t)(f->rows * f->weights->config.width) * sizeof(float));
    if (state->values != NULL)
        memcpy(state->values, f->values, (size_t)(f->rows * f->width) * sizeof(float));
}

void forward_load(struct forward *f, const struct forward_state *state)
{
    f->sequences = state->sequences;
    f->rows = f->sequences * f->context;
    stand_at(f, state->tap);
    memcpy(f->residual, state->residual,
           (size_t)(f->rows * f->weights->config.width) * sizeof(float));
    if (state->values != NULL)
        memcpy(f->values, state->values, (size_t)(f->rows * f->width) * sizeof(float));
}
