#include "heads/self_repair.h"
#include "base/allocate.h"
#include "heads/effective.h"
#include "kernels/gemm.h"
#include "kernels/values.h"

#include <stdlib.h>
#include <string.h>

static int64_t heads_width(const struct lm_config *c)
{
    return (int64_t)c->heads * c->head_width;
}

int64_t self_repair_bytes(const struct lm_config *c, int64_t context, int threads)
{
    const int64_t floats = c->layers * (3 * heads_width(c) + 2) + 2 * (int64_t)c->width;

    return floats * (int64_t)sizeof(float) + forward_bytes(c, PRECISION_F32, 1, context, threads);
}

static void make_run(struct self_repair_run *run, const struct lm_config *c)
{
    run->heads = allocate(c->layers * heads_width(c), sizeof(float));
    run->gain = allocate(c->layers, sizeof(float));
}

static void free_run(struct self_repair_run *run)
{
    free(run->heads);
    free(run->gain);
}

void self_repair_make(struct self_repair *s, const struct self_repair_job *job)
{
    const struct lm_config *c = &job->weights->config;

    *s = (struct self_repair){
        .job = *job,
        .direction = allocate(c->width, sizeof(float)),
        .reading = allocate(c->layers * heads_width(c), sizeof(float)),
        .row = allocate(c->width, sizeof(float)),
    };
    make_run(&s->clean, c);
    make_run(&s->ablated, c);
    forward_make(&s->forward, job->weights, 1, job->context);
}

void self_repair_free(struct self_repair *s)
{
    free_run(&s->clean);
    free_run(&s->ablated);
    free(s->direction);
    free(s->reading);
    free(s->row);
    forward_free(&s->forward);
    *s = (struct self_repair){0};
}

/* --- one run --------------------------------------------------------------------------- */

/* Replace the outputs of ablated heads at the layer where the cursor stands. */
static void ablate(struct self_repair *s)
{
    const struct lm_config *c = &s->job.weights->config;
    const int64_t e = c->head_width, wide = heads_width(c), context = s->job.context;
    const float *mean = s->job.mean == NULL ? NULL
                      : s->job.mean + s->forward.tap.layer * context * wide;

    for (int64_t h = 0; h < c->heads; h++)
        for (int64_t t = 0; s->job.ablated[s->forward.tap.layer * c->heads + h] && t < context;
             t++)
            for (int64_t i = h * e; i < (h + 1) * e; i++)
                s->forward.values[t * wide + i] = mean == NULL ? 0 : mean[t * wide + i];
}

/* 1 / size of the norm after attention at the row `heads`. */
static float find_gain(struct self_repair *s, const float *heads)
{
    const struct lm_config *c = &s->job.weights->config;
    const struct layer_weights *w = &s->job.weights->layers[s->forward.tap.layer];
    float size;

    if (!c->post_norms)
        return 1;
    linear_apply(&w->attn_out, s->row, heads, w->attn_out_bias, 1, s->forward.tiles);
    effective_norm_size(&size, s->row, w->attn_post_norm, c, 1);
    return 1 / size;
}

/* The difference of logits of the last stream's row. */
static double find_metric(struct self_repair *s, const float *stream,
                          const struct self_repair_prompt *prompt)
{
    const struct weights *w = s->job.weights;
    const int64_t width = w->config.width;

    weights_normalise(s->row, stream, w->final_norm, &w->config, 1);
    return values_dot(s->row, w->unembedding + prompt->right * width, width)
         - values_dot(s->row, w->unembedding + prompt->wrong * width, width);
}

static enum status run(struct self_repair *s, struct self_repair_run *run, bool ablated,
                       const struct self_repair_prompt *prompt)
{
    const struct weights *w = s->job.weights;
    const int64_t wide = heads_width(&w->config);
    float size;
    enum status st;

    TRY(forward_start(&s->forward, prompt->ids, 1));
    for (int layer = 0; layer < w->config.layers; layer++) {
        forward_to(&s->forward, (struct tap){ .site = SITE_ATTN, .layer = layer });
        if (ablated)
            ablate(s);
        memcpy(run->heads + layer * wide, s->forward.values + prompt->end * wide,
               (size_t)wide * sizeof(float));
        run->gain[layer] = find_gain(s, run->heads + layer * wide);
    }
    forward_to(&s->forward, forward_end(&s->forward));
    const float *stream = s->forward.values + prompt->end * w->config.width;
    effective_norm_size(&size, stream, w->final_norm, &w->config, 1);
    run->size = (double)size;
    run->metric = find_metric(s, stream, prompt);
done:
    return st;
}

/* --- both ------------------------------------------------------------------------------ */

/* What an output of a head, before W_O, adds to the metric for each unit of it. */
static void read_direction(struct self_repair *s, const struct self_repair_prompt *prompt)
{
    const struct unembedding *u = s->job.unembedding;
    const struct lm_config *c = &s->job.weights->config;
    const int64_t width = c->width, wide = heads_width(c);

    for (int64_t i = 0; i < width; i++)
        s->direction[i] = u->direction[prompt->right * width + i]
                        - u->direction[prompt->wrong * width + i];
    for (int layer = 0; layer < c->layers; layer++) {
        const struct layer_weights *w = &s->job.weights->layers[layer];
        for (int64_t i = 0; i < width; i++)
            s->row[i] = s->direction[i]
                      * (w->attn_post_norm.scale == NULL ? 1 : w->attn_post_norm.scale[i]);
        gemm_nn(s->reading + layer * wide, wide, s->row, width, linear_matrix(&w->attn_out), wide,
                1, wide, width, false);
    }
}

/* What head `head` with these outputs adds to the metric directly, by the norms of a run. */
static double direct(const struct self_repair *s, const float *heads, int64_t head,
                     const struct self_repair_run *norms)
{
    const int64_t e = s->job.weights->config.head_width;

    return values_dot(heads + head * e, s->reading + head * e, e)
         * (double)norms->gain[head / s->job.weights->config.heads] / norms->size;
}

enum status self_repair_add(struct self_repair *s, double *sums,
                            const struct self_repair_prompt *prompt)
{
    const struct lm_config *c = &s->job.weights->config;
    enum status st;

    TRY(run(s, &s->clean, false, prompt));
    TRY(run(s, &s->ablated, true, prompt));
    read_direction(s, prompt);
    sums[SELF_REPAIR_CLEAN] += s->clean.metric;
    sums[SELF_REPAIR_ABLATED] += s->ablated.metric;
    for (int64_t h = 0; h < (int64_t)c->layers * c->heads; h++) {
        const double before = direct(s, s->clean.heads, h, &s->clean);
        sums[SELF_REPAIR_HEADS + h] += direct(s, s->ablated.heads, h, &s->ablated) - before;
        if (s->job.ablated[h])
            sums[SELF_REPAIR_PREDICTED] += before - direct(s, s->ablated.heads, h, &s->clean);
    }
done:
    return st;
}

double self_repair_total(const double *sums)
{
    return sums[SELF_REPAIR_PREDICTED] - (sums[SELF_REPAIR_CLEAN] - sums[SELF_REPAIR_ABLATED]);
}

double self_repair_share(const double *sums, int64_t head)
{
    return sums[SELF_REPAIR_HEADS + head] / self_repair_total(sums);
}
