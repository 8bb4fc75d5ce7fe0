#include "lm/backward.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/attention_back.h"
#include "kernels/norm.h"

#include <assert.h>
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go through the MLP at a time, and through the receivers of attention, where they
 * stay in a core's own cache from the product to the sum. */
enum { PIECE_ROWS = 2048, TILE_ROWS = 128 };

/* --- shapes and memory --------------------------------------------------------------- */

int32_t backward_receivers(const struct lm_config *c)
{
    return c->heads + 2 * c->kv_heads;
}

static int64_t qkv_width(const struct lm_config *c)
{
    return (int64_t)backward_receivers(c) * c->head_width;
}

static int64_t heads_width(const struct lm_config *c)
{
    return (int64_t)c->heads * c->head_width;
}

static int64_t hidden_width(const struct lm_config *c)
{
    return (c->gated ? 2 : 1) * (int64_t)c->mlp_width;
}

static int64_t between_floats(const struct lm_config *c, int64_t rows)
{
    return c->parallel ? 0 : c->layers * rows * c->width;
}

static int64_t attention_bytes(int64_t context, int threads)
{
    return attention_back_scratch(&(struct attention){ .context = context }, threads);
}

int64_t backward_bytes(const struct lm_config *c, int64_t sequences, int64_t context, int threads)
{
    const int64_t rows = sequences * context, piece = min_int64(rows, PIECE_ROWS);
    const int64_t streams = backward_receivers(c) + c->layers + 4;
    const int64_t floats = rows * (streams * c->width + heads_width(c) + qkv_width(c))
                         + between_floats(c, rows) + piece * (hidden_width(c) + c->mlp_width);

    return floats * (int64_t)sizeof(float) + attention_bytes(context, threads);
}

static float *allocate_floats(int64_t count)
{
    return allocate_big(count, sizeof(float));
}

void backward_make(struct backward *backward, struct forward *forward)
{
    const struct lm_config *c = &forward->weights->config;
    const int64_t rows = forward->most * forward->context, stream = rows * c->width;
    const int64_t piece = min_int64(rows, PIECE_ROWS);

    assert(forward->weights->precision == PRECISION_F32);
    *backward = (struct backward){
        .forward = forward,
        .attention = allocate_floats(backward_receivers(c) * stream),
        .mlp = allocate_floats(stream),
        .residual = allocate_floats(stream),
        .normed = allocate_floats(stream),
        .branch = allocate_floats(stream),
        .heads = allocate_floats(rows * heads_width(c)),
        .qkv = allocate_floats(rows * qkv_width(c)),
        .before = allocate_floats(c->layers * stream),
        .between = c->parallel ? NULL : allocate_floats(between_floats(c, rows)),
        .hidden = allocate_floats(piece * hidden_width(c)),
        .activated = allocate_floats(piece * c->mlp_width),
        .scratch = allocate_big(attention_bytes(forward->context, omp_get_max_threads()), 1),
    };
}

void backward_free(struct backward *backward)
{
    free(backward->attention);
    free(backward->mlp);
    free(backward->residual);
    free(backward->normed);
    free(backward->branch);
    free(backward->heads);
    free(backward->qkv);
    free(backward->before);
    free(backward->between);
    free(backward->hidden);
    free(backward->activated);
    free(backward->scratch);
    *backward = (struct backward){0};
}

/* --- the streams --------------------------------------------------------------------- */

/* The place of a layer in `before` or `between`. */
static float *stream_of(const struct backward *b, float *streams, int layer)
{
    const struct forward *f = b->forward;

    return streams + layer * f->most * f->context * f->weights->config.width;
}

/* What the MLP's norm reads in the layer where the cursor stands. */
static const float *mlp_stream(const struct backward *b)
{
    return stream_of(b, b->between != NULL ? b->between : b->before, b->tap.layer);
}

/* Keep the stream that the forward cursor is about to leave. */
static void keep(struct backward *b)
{
    const struct forward *f = b->forward;
    const int64_t count = f->rows * f->weights->config.width;

    if (f->tap.site == SITE_RES)
        norm_copy_rows(stream_of(b, b->before, f->tap.layer + 1), f->residual, count);
    else if (f->tap.site == SITE_MLP_IN && b->between != NULL)
        norm_copy_rows(stream_of(b, b->between, f->tap.layer), f->residual, count);
}

void backward_walk(struct backward *b, struct tap tap)
{
    struct forward *f = b->forward;

    assert(f->tap.layer == -1 || site_tap_step(f->tap) == site_tap_step(b->kept));
    while (site_tap_step(f->tap) < site_tap_step(tap)) {
        keep(b);
        forward_next(f);
    }
    b->kept = f->tap;
}

/* Bring the forward cursor to "attn" of the layer where this one stands. */
static void compute_heads(struct backward *b)
{
    const struct forward_state before = {
        .tap = { .site = SITE_RES, .layer = b->tap.layer - 1 },
        .sequences = b->forward->sequences,
        .residual = stream_of(b, b->before, b->tap.layer),
    };

    forward_load(b->forward, &before);
    forward_next(b->forward);
}

/* --- products ------------------------------------------------------------------------ */

/* From the gradient by y = x W^T to that by x. */
static void multiply_back(float *x, const struct linear *w, const float *y, int64_t rows)
{
    linear_apply_back(w, x, y, w->outputs, (struct range){ 0, w->outputs }, rows);
}

/* The MLP without its norms, forward, for a piece of rows. */
static void compute_mlp(struct backward *b, float *y, const struct layer_weights *w,
                        const float *x, int64_t rows)
{
    const enum activation activation = b->forward->weights->config.activation;

    linear_activate(&w->mlp_in, activation, b->activated, x, w->mlp_in_bias, rows,
                    b->forward->tiles);
    linear_apply(&w->mlp_out, y, b->activated, w->mlp_out_bias, rows, b->forward->tiles);
}

/* From the gradient by the MLP's output y to that by its input x.
 *   x       [rows, width]  in: the input
 *   x_back  [rows, width]  out
 *   y_back  [rows, width]  in */
static void back_mlp(struct backward *b, float *x_back, const struct layer_weights *w,
                     const float *x, const float *y_back, int64_t rows)
{
    const enum activation activation = b->forward->weights->config.activation;

    linear_apply(&w->mlp_in, b->hidden, x, w->mlp_in_bias, rows, b->forward->tiles);
    multiply_back(b->activated, &w->mlp_out, y_back, rows);
    linear_activate_back(&w->mlp_in, activation, b->hidden, b->activated, rows);
    multiply_back(x_back, &w->mlp_in, b->hidden, rows);
}

/* --- the stretches of a layer -------------------------------------------------------- */

static void to_mlp(struct backward *b, const struct layer_weights *w)
{
    (void)w;
    norm_copy_rows(b->branch, b->residual, b->rows * b->forward->weights->config.width);
}

/* Go back through the norm after the MLP, if there is one, from what it has read. */
static void back_mlp_post_norm(struct backward *b, const struct layer_weights *w)
{
    const struct forward *f = b->forward;
    const struct lm_config *c = &f->weights->config;

    if (!c->post_norms)
        return;
    for (int64_t from = 0; from < b->rows; from += PIECE_ROWS)
        compute_mlp(b, f->branch + from * c->width, w, f->normed + from * c->width,
                    min_int64(PIECE_ROWS, b->rows - from));
    weights_normalise_back(b->branch, b->branch, f->branch, w->mlp_post_norm, c, b->rows);
}

static void to_mlp_in(struct backward *b, const struct layer_weights *w)
{
    const struct forward *f = b->forward;
    const struct lm_config *c = &f->weights->config;

    if (c->mlp_width == 0) {
        memset(b->normed, 0, (size_t)(b->rows * c->width) * sizeof *b->normed);
        return;
    }
    weights_normalise(f->normed, mlp_stream(b), w->mlp_norm, c, b->rows);
    back_mlp_post_norm(b, w);
    for (int64_t from = 0; from < b->rows; from += PIECE_ROWS) {
        const int64_t at = from * c->width;
        back_mlp(b, b->normed + at, w, f->normed + at, b->branch + at,
                 min_int64(PIECE_ROWS, b->rows - from));
    }
}

/* The same after attention, from the heads. */
static void back_attn_post_norm(struct backward *b, const struct layer_weights *w)
{
    const struct forward *f = b->forward;
    const struct lm_config *c = &f->weights->config;

    if (!c->post_norms)
        return;
    linear_apply(&w->attn_out, f->branch, f->heads, w->attn_out_bias, b->rows, f->tiles);
    weights_normalise_back(b->branch, b->branch, f->branch, w->attn_post_norm, c, b->rows);
}

static void to_attn(struct backward *b, const struct layer_weights *w)
{
    const struct lm_config *c = &b->forward->weights->config;
    const int64_t count = b->rows * c->width;

    weights_normalise_back(b->mlp, b->normed, mlp_stream(b), w->mlp_norm, c, b->rows);
    if (!c->parallel)
        norm_add_rows(b->residual, b->mlp, count);
    norm_copy_rows(b->branch, b->residual, count);
    compute_heads(b);
    back_attn_post_norm(b, w);
    multiply_back(b->heads, &w->attn_out, b->branch, b->rows);
}

/* Go back through the norms of queries and keys, if there are any.  They have overwritten what they
 * read, so it is multiplied again. */
static void back_qk_norms(struct backward *b, const struct layer_weights *w)
{
    struct forward *f = b->forward;
    const struct lm_config *c = &f->weights->config;
    const bool whole = c->qk_norm == LM_QK_NORM_WHOLE;
    const int32_t queries = c->heads * c->head_width, keys = c->kv_heads * c->head_width;

    if (c->qk_norm == LM_QK_NORM_NONE)
        return;
    forward_project(f, w);
    norm_rms_heads_back(b->qkv, f->qkv, qkv_width(c), w->query_norm, b->rows,
                        whole ? 1 : c->heads, whole ? queries : c->head_width, c->norm_epsilon);
    norm_rms_heads_back(b->qkv + queries, f->qkv + queries, qkv_width(c), w->key_norm, b->rows,
                        whole ? 1 : c->kv_heads, whole ? keys : c->head_width, c->norm_epsilon);
}

/* From the gradient by the heads to that by the product that made queries, keys and values. */
static void back_heads(struct backward *b, const struct layer_weights *w)
{
    const struct forward *f = b->forward;
    const struct lm_config *c = &f->weights->config;
    const struct attention shape = forward_attention(f);

    attention_back(b->qkv, b->heads, f->qkv, b->scratch, &shape);
    if (!c->learned_positions)
        rope_rotate_back(b->qkv, qkv_width(c), f->cosine, f->sine, b->rows, f->context,
                         c->heads + c->kv_heads, c->head_width, f->rope.width);
    back_qk_norms(b, w);
}

static void scale(float *x, float factor, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] *= factor;
}

/* Go back through each receiver of attention by itself, for some rows, and add its gradient to that
 * of the stream. */
static void receive(struct backward *b, const struct layer_weights *w, int64_t from, int64_t rows)
{
    const struct lm_config *c = &b->forward->weights->config;
    const int64_t at = from * c->width;
    const float *stream = stream_of(b, b->before, b->tap.layer);
    const struct forward_gates *gates = b->forward->gates;

    for (int32_t i = 0; i < backward_receivers(c); i++) {
        float *receiver = b->attention + i * b->rows * c->width + at;
        const struct range head = { i * c->head_width, (i + 1) * c->head_width };
        linear_apply_back(&w->qkv, receiver, b->qkv + from * qkv_width(c) + head.first,
                          qkv_width(c), head, rows);
        if (gates != NULL)
            scale(receiver, gates->gate[b->tap.layer * gates->stride + i], rows * c->width);
        weights_normalise_back(receiver, receiver, stream + at, w->attn_norm, c, rows);
        norm_add_rows(b->residual + at, receiver, rows * c->width);
    }
}

static void to_res(struct backward *b, const struct layer_weights *w)
{
    const struct lm_config *c = &b->forward->weights->config;

    back_heads(b, w);
    if (c->parallel)
        norm_add_rows(b->residual, b->mlp, b->rows * c->width);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t from = 0; from < b->rows; from += TILE_ROWS)
        receive(b, w, from, min_int64(TILE_ROWS, b->rows - from));
}

/* --- the cursor ---------------------------------------------------------------------- */

/* How the cursor comes to a site from the one after it. */
static const struct stretch {
    void (*run)(struct backward *b, const struct layer_weights *w);
    size_t gradient;        /* which pointer of struct backward is the site's gradient then */
} STRETCHES[SITES] = {
    [SITE_RES]    = { to_res,    offsetof(struct backward, residual) },
    [SITE_MLP]    = { to_mlp,    offsetof(struct backward, branch) },
    [SITE_MLP_IN] = { to_mlp_in, offsetof(struct backward, normed) },
    [SITE_ATTN]   = { to_attn,   offsetof(struct backward, heads) },
};

struct tap backward_end(void)
{
    return (struct tap){ .site = site_at(SITES - 1), .layer = -1 };
}

static void stand_at(struct backward *b, struct tap tap)
{
    b->tap = tap;
    b->gradient = *(float *const *)((const char *)b + STRETCHES[tap.site].gradient);
    b->width = lm_site_width(&b->forward->weights->config, tap.site);
}

void backward_start(struct backward *b, const float *gradient)
{
    const struct forward *f = b->forward;

    assert(f->tap.site == SITE_RES && site_tap_step(f->tap) == site_tap_step(b->kept));
    b->rows = f->rows;
    norm_copy_rows(b->residual, gradient, b->rows * f->weights->config.width);
    stand_at(b, f->tap);
}

void backward_next(struct backward *b)
{
    const int order = site_order(b->tap.site);
    const struct tap before = {
        .site = site_at(order > 0 ? order - 1 : SITES - 1),
        .layer = order > 0 ? b->tap.layer : b->tap.layer - 1,
    };

    assert(b->tap.layer >= 0);
    STRETCHES[before.site].run(b, &b->forward->weights->layers[b->tap.layer]);
    stand_at(b, before);
}

void backward_to(struct backward *b, struct tap tap)
{
    assert(site_tap_step(tap) <= site_tap_step(b->tap));
    while (site_tap_step(tap) < site_tap_step(b->tap))
        backward_next(b);
}
