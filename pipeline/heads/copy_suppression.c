#include "heads/copy_suppression.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "heads/effective.h"
#include "kernels/attention_weights.h"
#include "kernels/entropy.h"
#include "kernels/gemm.h"
#include "kernels/values.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Rows whose ablated logits exist at a time. */
enum { TILE = 256 };

/* The lens value of a function word, and what a lens value may lack to reach the k-th, both as in
 * the authors' code. */
static const float MASKED = -1e9f, SLACK = 1e-6f;

/* --- memory ---------------------------------------------------------------------------- */

static int64_t heads_width(const struct lm_config *c)
{
    return (int64_t)c->heads * c->head_width;
}

int64_t copy_suppression_bytes(const struct lm_config *c, int64_t context, int variants,
                               int threads)
{
    const int64_t logits = (c->logit_cap > 0 ? 2 : 1) * context + min_int64(TILE, context);
    const int64_t floats = logits * c->outputs + 6 * context * c->width + 5 * context * context
                         + (variants + 4) * context + 2 * min_int64(TILE, context);

    return floats * (int64_t)sizeof(float) + context * (int64_t)sizeof(bool)
         + forward_bytes(c, PRECISION_F32, 1, context, threads);
}

void copy_suppression_make(struct copy_suppression *s, const struct copy_suppression_job *job)
{
    const struct lm_config *c = &job->weights->config;
    const int64_t context = job->context, square = context * context, rows = context * c->width;

    *s = (struct copy_suppression){
        .job = *job,
        .stream = allocate(rows, sizeof(float)),
        .size = allocate(context, sizeof(float)),
        .clean = allocate_big(context * c->outputs, sizeof(float)),
        .clean_sum = allocate(context, sizeof(float)),
        .unit = allocate(rows, sizeof(float)),
        .lens = allocate(square, sizeof(float)),
        .threshold = allocate(job->count * context, sizeof(float)),
        .sorted = allocate(square, sizeof(float)),
        .fresh = allocate(context, sizeof(bool)),
        .gain = allocate(context, sizeof(float)),
        .attention = allocate(square, sizeof(float)),
        .parts = allocate(square, sizeof(float)),
        .along = allocate(context, sizeof(float)),
        .written = allocate(rows, sizeof(float)),
        .own = allocate(rows, sizeof(float)),
        .mean = allocate(rows, sizeof(float)),
        .factors = allocate(square, sizeof(float)),
        .change = allocate(rows, sizeof(float)),
        .tile = min_int64(TILE, context),
    };
    s->capped = c->logit_cap > 0 ? allocate_big(context * c->outputs, sizeof(float)) : s->clean;
    s->logits = allocate_big(s->tile * c->outputs, sizeof(float));
    s->logits_sum = allocate(s->tile, sizeof(float));
    s->kl = allocate(s->tile, sizeof(float));
    forward_make(&s->forward, job->weights, 1, context);
}

void copy_suppression_free(struct copy_suppression *s)
{
    if (s->capped != s->clean)
        free(s->capped);
    free(s->stream);
    free(s->size);
    free(s->clean);
    free(s->clean_sum);
    free(s->unit);
    free(s->lens);
    free(s->threshold);
    free(s->sorted);
    free(s->fresh);
    free(s->gain);
    free(s->attention);
    free(s->parts);
    free(s->along);
    free(s->written);
    free(s->own);
    free(s->mean);
    free(s->factors);
    free(s->change);
    free(s->logits);
    free(s->logits_sum);
    free(s->kl);
    forward_free(&s->forward);
    *s = (struct copy_suppression){0};
}

/* --- the clean run --------------------------------------------------------------------- */

/* Run the model and keep its last stream and its logits. */
static enum status run_clean(struct copy_suppression *s, const int32_t *ids)
{
    const struct weights *w = s->job.weights;
    const struct lm_config *c = &w->config;
    const int64_t rows = s->job.context, width = c->width;
    enum status st;

    TRY(forward_start(&s->forward, ids, 1));
    forward_to(&s->forward, forward_end(&s->forward));
    memcpy(s->stream, s->forward.values, (size_t)(rows * width) * sizeof *s->stream);
    effective_norm_size(s->size, s->stream, w->final_norm, c, rows);
    weights_normalise(s->change, s->stream, w->final_norm, c, rows);
    gemm_nt(s->clean, c->outputs, s->change, width, w->unembedding, width, rows, c->outputs, width,
            false);
    if (s->capped != s->clean) {
        memcpy(s->capped, s->clean, (size_t)(rows * c->outputs) * sizeof *s->clean);
        entropy_soft_cap(s->capped, rows, c->outputs, c->logit_cap);
    }
    entropy_log_sums(s->clean_sum, s->capped, rows, c->outputs);
done:
    return st;
}

/* The unit directions of the sequence's tokens, and which of them are new. */
static void find_directions(struct copy_suppression *s, const int32_t *ids)
{
    const struct unembedding *u = s->job.unembedding;

    #pragma omp parallel for
    for (int64_t t = 0; t < s->job.context; t++) {
        const float *direction = u->direction + (int64_t)ids[t] * u->width;
        const float length = u->length[ids[t]];
        for (int64_t i = 0; i < u->width; i++)
            s->unit[t * u->width + i] = length > 0 ? direction[i] / length : 0;
        s->fresh[t] = true;
        for (int64_t before = 0; before < t; before++)
            s->fresh[t] &= ids[before] != ids[t];
    }
}

/* --- which sources survive ------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

/* The k-th highest of the values of distinct tokens, highest first; infinite if k is 0. */
static float kth(const float *sorted, int64_t distinct,
                 const struct copy_suppression_variant *variant, int64_t tokens)
{
    int64_t k = variant->tokens > 0 ? variant->tokens
                                    : (int64_t)ceil(variant->share * (double)tokens);

    k = min_int64(k, distinct);
    return k == 0 ? INFINITY : sorted[k - 1];
}

/* Fill row d of the lens, which holds the stream's products with the unit directions, and the
 * thresholds of d. */
static void find_thresholds(struct copy_suppression *s, const int32_t *ids, int64_t d)
{
    const int64_t context = s->job.context;
    float *lens = s->lens + d * context, *sorted = s->sorted + d * context;
    int64_t distinct = 0;

    for (int64_t t = 0; t <= d; t++) {
        const bool masked = s->job.function_word != NULL && s->job.function_word[ids[t]];
        lens[t] = masked ? MASKED : lens[t] * s->job.unembedding->length[ids[t]] / s->size[d];
        if (s->fresh[t])
            sorted[distinct++] = lens[t];
    }
    qsort(sorted, (size_t)distinct, sizeof *sorted, descending);
    for (int v = 0; v < s->job.count; v++)
        s->threshold[v * context + d] = kth(sorted, distinct, &s->job.variants[v], d + 1);
}

/* Look through the logit lens at the stream before a layer: the cursor stands at its heads. */
static void look(struct copy_suppression *s, const int32_t *ids)
{
    const int64_t context = s->job.context, width = s->job.weights->config.width;

    gemm_nt(s->lens, context, s->forward.residual, width, s->unit, width, context, context, width,
            false);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t d = 0; d < context; d++)
        find_thresholds(s, ids, d);
}

/* --- a head ---------------------------------------------------------------------------- */

/* What the norm after attention multiplies the outputs of all heads with, scale aside: that of the
 * clean run. */
static void find_gains(struct copy_suppression *s)
{
    const struct weights *w = s->job.weights;
    const struct layer_weights *layer = &w->layers[s->forward.tap.layer];

    for (int64_t d = 0; d < s->job.context; d++)
        s->gain[d] = 1;
    if (!w->config.post_norms)
        return;
    linear_apply(&layer->attn_out, s->own, s->forward.heads, layer->attn_out_bias, s->job.context,
                 s->forward.tiles);
    effective_norm_size(s->gain, s->own, layer->attn_post_norm, &w->config, s->job.context);
    for (int64_t d = 0; d < s->job.context; d++)
        s->gain[d] = 1 / s->gain[d];
}

static void find_attention(struct copy_suppression *s, int head)
{
    const struct lm_config *c = &s->job.weights->config;
    const struct attention shape = {
        .sequences = 1, .context = s->job.context, .heads = c->heads, .kv_heads = c->kv_heads,
        .head_width = c->head_width, .window = c->window[s->forward.tap.layer],
        .scale = c->score_scale, .cap = c->score_cap,
    };

    #pragma omp parallel for schedule(dynamic)
    for (int64_t d = 0; d < s->job.context; d++)
        attention_weights(s->attention + d * s->job.context, s->forward.qkv, &shape, 0, d, head);
}

/* What the head writes from each source, what it writes at each destination, and its mean. */
static void find_outputs(struct copy_suppression *s, int head)
{
    const struct lm_config *c = &s->job.weights->config;
    const struct effective_head h = effective_head(s->job.weights, s->forward.tap.layer, head);
    const int64_t context = s->job.context, e = c->head_width, wide = heads_width(c);
    const int64_t kv = head / (c->heads / c->kv_heads);
    const float *values = s->forward.qkv + (c->heads + c->kv_heads + kv) * e;

    effective_write(s->written, &h, c, values, wide + 2 * (int64_t)c->kv_heads * e, context);
    effective_write(s->own, &h, c, s->forward.heads + head * e, wide, context);
    for (int64_t i = 0; i < context * c->width; i++)
        s->own[i] *= s->gain[i / c->width];
    if (s->job.mean != NULL)
        effective_write(s->mean, &h, c, s->job.mean + s->forward.tap.layer * context * wide
                        + head * e, wide, context);
    else
        memset(s->mean, 0, (size_t)(context * c->width) * sizeof *s->mean);
}

/* change = mean - own: the head ablated. */
static void start_change(struct copy_suppression *s)
{
    const int64_t n = s->job.context * s->job.weights->config.width;

    #pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++)
        s->change[i] = s->mean[i] - s->own[i];
}

/* parts(d,s) = A(d,s) (gain v(s) W_O - mean(d)) . u(s) */
static void find_parts(struct copy_suppression *s)
{
    const int64_t context = s->job.context, width = s->job.weights->config.width;

    #pragma omp parallel for
    for (int64_t t = 0; t < context; t++)
        s->along[t] = (float)values_dot(s->written + t * width, s->unit + t * width, width);
    gemm_nt(s->parts, context, s->mean, width, s->unit, width, context, context, width, false);
    #pragma omp parallel for
    for (int64_t i = 0; i < context * context; i++)
        s->parts[i] = s->attention[i] * (s->gain[i / context] * s->along[i % context]
                                         - s->parts[i]);
}

static bool survives(const struct copy_suppression *s, int variant, int64_t d, int64_t t)
{
    return s->lens[d * s->job.context + t] + SLACK
           >= s->threshold[variant * s->job.context + d];
}

/* Add what projection keeps: the parts of survivors that are negative, along u(s). */
static void add_projected(struct copy_suppression *s, int variant)
{
    const int64_t context = s->job.context, width = s->job.weights->config.width;

    #pragma omp parallel for
    for (int64_t d = 0; d < context; d++)
        for (int64_t t = 0; t < context; t++) {
            const float part = s->parts[d * context + t];
            const bool kept = t <= d && survives(s, variant, d, t) && part < 0;
            s->factors[d * context + t] = kept ? part : 0;
        }
    gemm_nn(s->change, width, s->factors, context, s->unit, width, context, width, context, true);
}

/* Add all that survivors contribute: A(d,s) (gain v(s) W_O - mean(d)). */
static void add_whole(struct copy_suppression *s, int variant)
{
    const int64_t context = s->job.context, width = s->job.weights->config.width;

    #pragma omp parallel for
    for (int64_t d = 0; d < context; d++) {
        float kept = 0;
        for (int64_t t = 0; t < context; t++) {
            const bool here = t <= d && survives(s, variant, d, t);
            const float weight = here ? s->attention[d * context + t] : 0;
            s->factors[d * context + t] = weight * s->gain[d];
            kept += weight;
        }
        for (int64_t i = 0; i < width; i++)
            s->change[d * width + i] -= kept * s->mean[d * width + i];
    }
    gemm_nn(s->change, width, s->factors, context, s->written, width, context, width, context,
            true);
}

/* --- divergence ------------------------------------------------------------------------ */

/* Ablated logits of a tile: clean + change . directions / size.  Under a soft-cap the mean of the
 * directions counts, too. */
static void tile_logits(struct copy_suppression *s, int64_t from, int64_t rows)
{
    const struct lm_config *c = &s->job.weights->config;
    const struct unembedding *u = s->job.unembedding;
    const int64_t width = c->width, outputs = c->outputs;
    const float *change = s->change + from * width;

    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++) {
        float *logits = s->logits + r * outputs;
        const float shift = (float)values_dot(change + r * width, u->mean, width);
        for (int64_t i = 0; i < outputs; i++)
            logits[i] = s->clean[(from + r) * outputs + i] + shift;
    }
    gemm_nt(s->logits, outputs, change, width, u->direction, width, rows, outputs, width, true);
    entropy_soft_cap(s->logits, rows, c->outputs, c->logit_cap);
}

/* Add KL(clean || changed) at each position; the change is divided by the size of the norm.
 *   sums [context]  in and out */
static void add_divergence(struct copy_suppression *s, double *sums)
{
    const struct lm_config *c = &s->job.weights->config;
    const int64_t context = s->job.context;

    for (int64_t i = 0; i < context * c->width; i++)
        s->change[i] /= s->size[i / c->width];
    for (int64_t from = 0; from < context; from += s->tile) {
        const int64_t rows = min_int64(s->tile, context - from);
        tile_logits(s, from, rows);
        entropy_log_sums(s->logits_sum, s->logits, rows, c->outputs);
        entropy_divergences(s->kl, s->capped + from * c->outputs, s->clean_sum + from, s->logits,
                            s->logits_sum, rows, c->outputs);
        for (int64_t r = 0; r < rows; r++)
            sums[from + r] += (double)s->kl[r];
    }
}

/* --- all ------------------------------------------------------------------------------- */

/* All divergences of a head of the layer where the cursor stands. */
static void add_head(struct copy_suppression *s, double *sums, int head)
{
    const int64_t context = s->job.context, width = s->job.weights->config.width;

    find_attention(s, head);
    find_outputs(s, head);
    find_parts(s);
    start_change(s);
    add_divergence(s, sums + COPY_SUPPRESSION_MEAN * context);
    for (int64_t i = 0; i < context * width; i++)
        s->change[i] = -s->own[i];
    add_divergence(s, sums + COPY_SUPPRESSION_ZERO * context);
    for (int v = 0; v < s->job.count; v++) {
        start_change(s);
        (s->job.variants[v].whole ? add_whole : add_projected)(s, v);
        add_divergence(s, sums + (COPY_SUPPRESSION_VARIANTS + v) * context);
    }
}

enum status copy_suppression_add(struct copy_suppression *s, double *sums, const int32_t *ids,
                                 const int64_t *head, int64_t heads)
{
    const int64_t of_layer = s->job.weights->config.heads;
    const int64_t each = (COPY_SUPPRESSION_VARIANTS + s->job.count) * s->job.context;
    enum status st;

    TRY(run_clean(s, ids));
    find_directions(s, ids);
    TRY(forward_start(&s->forward, ids, 1));
    for (int64_t i = 0; i < heads; i++) {
        const struct tap tap = { .site = SITE_ATTN, .layer = (int)(head[i] / of_layer) };
        if (tap.layer != s->forward.tap.layer) {
            forward_to(&s->forward, tap);
            look(s, ids);
            find_gains(s);
        }
        add_head(s, sums + i * each, (int)(head[i] % of_layer));
    }
done:
    return st;
}

enum status copy_suppression_add_means(struct copy_suppression *s, double *sums,
                                       const int32_t *ids)
{
    const struct lm_config *c = &s->job.weights->config;
    const int64_t wide = heads_width(c), count = s->job.context * wide;
    enum status st;

    TRY(forward_start(&s->forward, ids, 1));
    for (int layer = 0; layer < c->layers; layer++) {
        forward_to(&s->forward, (struct tap){ .site = SITE_ATTN, .layer = layer });
        find_gains(s);
        for (int64_t i = 0; i < count; i++)
            sums[layer * count + i] += (double)(s->forward.values[i] * s->gain[i / wide]);
    }
done:
    return st;
}

double copy_suppression_score(const double *sums, int variant, int64_t context)
{
    double kept = 0, ablated = 0;

    for (int64_t t = 0; t < context; t++) {
        kept += sums[(COPY_SUPPRESSION_VARIANTS + variant) * context + t];
        ablated += sums[COPY_SUPPRESSION_MEAN * context + t];
    }
    return 1 - kept / ablated;
}
