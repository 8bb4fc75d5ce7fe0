#include "base/allocate.h"
#include "base/minmax.h"
#include "base/split.h"
#include "heads/attribution.h"
#include "heads/heads.h"
#include "kernels/attention_weights.h"
#include "methods/ioi.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS, WRONG, DIRECTIONS };

/* --- memory -------------------------------------------------------------------------- */

static int64_t heads_width(const struct lm_config *c)
{
    return (int64_t)c->heads * c->head_width;
}

static struct tap attn_of(int layer)
{
    return (struct tap){ SITE_ATTN, layer };
}

int64_t ioi_worker_bytes(const struct suite *suite, const struct lm_config *c,
                         struct circuit_shape shape)
{
    const int64_t block = suite->circuit.block;
    const int64_t floats = block * c->heads * (heads_width(c) + c->width) + shape.tokens;
    const int64_t doubles = (block * DIRECTIONS + 1) * c->width;

    return floats * (int64_t)sizeof(float) + doubles * (int64_t)sizeof(double)
           + forward_bytes(c, PRECISION_F32, block, shape.tokens, shape.threads)
           + forward_state_bytes(c, attn_of(0), block, shape.tokens) + differences_bytes(suite, c)
           + name_copies_bytes(suite, c) + linear_scratch(PRECISION_F32, shape.threads);
}

/* The mean over tokens of the unembedding. */
static void find_unembedding(double *mean, const struct weights *weights)
{
    const struct lm_config *c = &weights->config;

    for (int32_t id = 0; id < c->vocabulary; id++)
        for (int32_t i = 0; i < c->width; i++)
            mean[i] += (double)weights->unembedding[(int64_t)id * c->width + i];
    for (int32_t i = 0; i < c->width; i++)
        mean[i] /= c->vocabulary;
}

void ioi_worker_make(struct ioi_worker *worker, const struct circuit *circuit)
{
    const struct lm_config *c = circuit->config;
    const int64_t block = circuit->suite->circuit.block;

    *worker = (struct ioi_worker){
        .circuit = circuit,
        .chosen = allocate((int64_t)c->layers * c->heads, sizeof(bool)),
        .masked = allocate(block * c->heads * heads_width(c), sizeof(float)),
        .parts = allocate(block * c->heads * c->width, sizeof(float)),
        .pattern = allocate(circuit->prompts->tokens, sizeof(float)),
        .direction = allocate(block * DIRECTIONS * c->width, sizeof(double)),
        .unembedding = allocate(c->width, sizeof(double)),
        .scratch = allocate_big(linear_scratch(PRECISION_F32, omp_get_max_threads()), 1),
    };
    forward_make(&worker->forward, circuit->weights, block, circuit->prompts->tokens);
    forward_state_make(&worker->state, &worker->forward, attn_of(0));
    differences_make(&worker->differences, circuit);
    name_copies_make(&worker->copies, circuit);
    find_unembedding(worker->unembedding, circuit->weights);
    if (heads_choose(worker->chosen, circuit->suite, c) != OK)
        refuse_clear();     /* check() has refused what is wrong */
}

void ioi_worker_free(struct ioi_worker *worker)
{
    free(worker->chosen);
    free(worker->masked);
    free(worker->parts);
    free(worker->pattern);
    free(worker->direction);
    free(worker->unembedding);
    free(worker->scratch);
    differences_free(&worker->differences);
    name_copies_free(&worker->copies);
    forward_state_free(&worker->state);
    forward_free(&worker->forward);
    *worker = (struct ioi_worker){0};
}

/* The row of the present site where prompt p of the block ends. */
static const float *end_row(const struct ioi_worker *worker, struct range range, int64_t prompt)
{
    return differences_row(&worker->differences, &worker->forward, range, prompt);
}

/* The answers' probability, and whether one of them has the largest logit. */
static void find_performance(const struct ioi_worker *worker, struct fields *results,
                             struct range range, int64_t prompt)
{
    const float *logits = differences_logits(&worker->differences, range, prompt);
    const int32_t outputs = worker->circuit->config->outputs;
    const int32_t *answers;
    const int64_t count = prompts_list(&worker->circuit->prompts->answers, prompt, &answers);
    float largest = logits[0], best = -INFINITY;
    double sum = 0, of_answers = 0;

    for (int32_t id = 1; id < outputs; id++)
        largest = fmaxf(largest, logits[id]);
    for (int32_t id = 0; id < outputs; id++)
        sum += exp((double)logits[id] - (double)largest);
    for (int64_t a = 0; a < count; a++) {
        of_answers += exp((double)logits[answers[a]] - (double)largest);
        best = fmaxf(best, logits[answers[a]]);
    }
    results->values[IOI_PROBABILITY][prompt] = of_answers / sum;
    results->values[IOI_FIRST][prompt] = best >= largest;
}

/* --- direct shares ------------------------------------------------------------------- */

/* The two directions of a prompt, less the mean over tokens. */
static void find_direction(struct ioi_worker *worker, struct range range, int64_t prompt)
{
    const struct prompts *prompts = worker->circuit->prompts;
    const struct prompts_lists *const lists[] = { &prompts->answers, &prompts->wrong };
    const int32_t width = worker->circuit->config->width;

    for (int d = 0; d < DIRECTIONS; d++) {
        double *direction = worker->direction
                            + ((prompt - range.first) * DIRECTIONS + d) * width;
        const int32_t *ids;
        const int64_t count = prompts_list(lists[d], prompt, &ids);
        attribution_direction(direction, worker->circuit->weights, ids, count);
        for (int32_t i = 0; i < width; i++)
            direction[i] -= worker->unembedding[i];
    }
}

/* The shares of a part in a prompt's answers and wrong answers, in units of the final norm's scale:
 * find_scales() divides by it. */
static void find_shares(double share[DIRECTIONS], const struct ioi_worker *worker,
                        struct range range, int64_t prompt, const float *part)
{
    const struct lm_config *c = worker->circuit->config;
    const struct attribution_norm norm = { c, worker->circuit->weights->final_norm, 1 };

    for (int d = 0; d < DIRECTIONS; d++)
        share[d] = attribution_of(&norm, worker->direction
                                         + ((prompt - range.first) * DIRECTIONS + d) * c->width,
                                  part);
}

/* Add the share of a part to number `column` of a field. */
static void add_share(struct ioi_worker *worker, struct fields *results,
                      enum ioi_field field, int64_t column, struct range range, int64_t prompt,
                      const float *part)
{
    const int64_t columns = fields_columns(IOI_TABLE[field].per, worker->circuit->config);
    double share[DIRECTIONS];

    find_shares(share, worker, range, prompt, part);
    results->values[field][prompt * columns + column] = share[ANSWERS] - share[WRONG];
}

/* What each head of the layer adds to the stream where the prompts end. */
static void find_parts(struct ioi_worker *worker, struct range range, int layer)
{
    const struct lm_config *c = worker->circuit->config;
    const struct layer_weights *w = &worker->circuit->weights->layers[layer];
    const int64_t rows = range_length(range) * c->heads, width = heads_width(c);

    memset(worker->masked, 0, (size_t)(rows * width) * sizeof(float));
    for (int64_t p = range.first; p < range.end; p++)
        for (int32_t h = 0; h < c->heads; h++) {
            const int64_t row = (p - range.first) * c->heads + h;
            memcpy(worker->masked + row * width + h * c->head_width,
                   end_row(worker, range, p) + h * c->head_width,
                   (size_t)c->head_width * sizeof(float));
        }
    linear_apply(&w->attn_out, worker->parts, worker->masked, NULL, rows, worker->scratch);
}

/* Where the model has a norm after attention: its scale is that of all heads together. */
static void normalise_parts(struct ioi_worker *worker, float *parts, const float *bias, int layer)
{
    const struct lm_config *c = worker->circuit->config;
    float *sum = worker->differences.ends;

    if (!c->post_norms)
        return;
    for (int32_t i = 0; i < c->width; i++) {
        sum[i] = bias != NULL ? bias[i] : 0;
        for (int32_t h = 0; h < c->heads; h++)
            sum[i] += parts[(int64_t)h * c->width + i];
    }
    const struct attribution_norm norm = attribution_norm_of(
        c, worker->circuit->weights->layers[layer].attn_post_norm, sum);
    for (int32_t h = 0; h < c->heads; h++)
        attribution_normalise(&norm, parts + (int64_t)h * c->width);
}

/* The shares of a layer's heads, whose outputs are at the cursor, and of the bias after them. */
static void share_heads(struct ioi_worker *worker, struct fields *results,
                        struct range range, int layer)
{
    const struct lm_config *c = worker->circuit->config;
    const float *bias = worker->circuit->weights->layers[layer].attn_out_bias;
    const int64_t columns = (int64_t)c->layers * c->heads;

    find_parts(worker, range, layer);
    for (int64_t p = range.first; p < range.end; p++) {
        float *parts = worker->parts + (p - range.first) * c->heads * c->width;
        normalise_parts(worker, parts, bias, layer);
        for (int32_t h = 0; h < c->heads; h++) {
            const int64_t at = p * columns + layer * c->heads + h;
            double share[DIRECTIONS];
            find_shares(share, worker, range, p, parts + (int64_t)h * c->width);
            results->values[IOI_DIRECT_HEAD][at] = share[ANSWERS] - share[WRONG];
            results->values[IOI_DIRECT_ANSWER][at] = share[ANSWERS];
            results->values[IOI_DIRECT_WRONG][at] = share[WRONG];
        }
        if (bias != NULL)
            add_share(worker, results, IOI_DIRECT_ATTN_BIAS, layer, range, p, bias);
    }
}

/* The shares in the true unit, when the last stream is known. */
static void find_scales(struct ioi_worker *worker, struct fields *results, struct range range)
{
    const struct lm_config *c = worker->circuit->config;
    const struct norm_weights *final = &worker->circuit->weights->final_norm;

    for (int64_t p = range.first; p < range.end; p++) {
        const struct attribution_norm norm = attribution_norm_of(c, *final,
                                                                 end_row(worker, range, p));
        const double *direction = worker->direction + (p - range.first) * DIRECTIONS * c->width;
        for (int f = IOI_DIRECT_EMBEDDING; f <= IOI_DIRECT_WRONG; f++) {
            const int64_t columns = fields_columns(IOI_TABLE[f].per, c);
            for (int64_t i = 0; i < columns; i++)
                results->values[f][p * columns + i] *= norm.inverse;
        }
        results->values[IOI_DIRECT_BIAS][p] =
            attribution_of_bias(final, direction + ANSWERS * c->width, c->width)
            - attribution_of_bias(final, direction + WRONG * c->width, c->width);
    }
}

/* --- attention ----------------------------------------------------------------------- */

/* Where a head looks from a token: the weights of the classes.
 *   to [PROMPTS_CLASSES]  out; NaN: class not known */
static void look_from(double *to, struct ioi_worker *worker, int64_t sequence, int64_t token,
                      const int32_t *classes, int32_t head)
{
    const struct attention shape = forward_attention(&worker->forward);

    for (int i = 0; i < PROMPTS_CLASSES; i++)
        to[i] = (double)NAN;
    if (token < 0)
        return;
    attention_weights(worker->pattern, worker->forward.qkv, &shape, sequence, token, head);
    for (int i = 0; i < PROMPTS_CLASSES; i++)
        if (classes[i] >= 0)
            to[i] = (double)worker->pattern[classes[i]];
}

/* From the end, and from the second mention of the subject. */
static void find_attention(struct ioi_worker *worker, struct fields *results,
                           struct range range, int layer)
{
    const struct lm_config *c = worker->circuit->config;
    const struct prompts *prompts = worker->circuit->prompts;
    const int64_t columns = fields_columns(FIELDS_PER_CLASS, c);

    for (int64_t p = range.first; p < range.end; p++) {
        const int32_t *classes = prompts->classes + p * PROMPTS_CLASSES;
        for (int32_t h = 0; h < c->heads; h++) {
            const int64_t at = p * columns + ((int64_t)layer * c->heads + h) * PROMPTS_CLASSES;
            look_from(results->values[IOI_ATTENTION] + at, worker, p - range.first,
                      differences_end(prompts, p), classes, h);
            look_from(results->values[IOI_ATTENTION_S2] + at, worker, p - range.first,
                      classes[PROMPTS_S2], classes, h);
        }
    }
}

/* --- copies -------------------------------------------------------------------------- */

/* Which names each head copies, when the block stands after layer 0. */
static void find_copies(struct ioi_worker *worker, struct fields *results, struct range range)
{
    const struct lm_config *c = worker->circuit->config;
    const int64_t heads = fields_columns(FIELDS_PER_HEAD, c);

    name_copies_read(&worker->copies, &worker->forward, range);
    for (int64_t h = 0; h < heads; h++)
        name_copies_find(&worker->copies, results->values[IOI_COPIED] + range.first * heads + h,
                         results->values[IOI_COPIED_NEGATIVE] + range.first * heads + h, heads,
                         (int)(h / c->heads), (int)(h % c->heads));
}

/* --- knock-outs ---------------------------------------------------------------------- */

/* Replace a head's output by its mean, where the prompts end or at all their tokens. */
static void knock_out(struct ioi_worker *worker, struct range range, int layer, int32_t head,
                      bool everywhere)
{
    const struct prompts *prompts = worker->circuit->prompts;

    for (int64_t p = range.first; p < range.end; p++) {
        const int64_t first = everywhere ? 0 : differences_end(prompts, p);
        const int64_t end = everywhere ? prompts->length[p] : first + 1;
        for (int64_t t = first; t < end; t++)
            template_means_put(worker->means, &worker->forward, p - range.first,
                               prompts->template[p], layer, head, t);
    }
}

/* The logit differences without each chosen head of the layer where the cursor stands, which stays
 * there. */
static void knock_out_each(struct ioi_worker *worker, struct fields *results,
                           struct range range, int layer)
{
    static const enum ioi_field FIELDS[] = { IOI_KNOCKED_END, IOI_KNOCKED_ALL };
    const struct lm_config *c = worker->circuit->config;
    const int64_t columns = (int64_t)c->layers * c->heads;

    worker->state.tap = attn_of(layer);
    forward_save(&worker->forward, &worker->state);
    for (int32_t h = 0; h < c->heads; h++)
        for (int kind = 0; kind < 2; kind++) {
            const int64_t column = (int64_t)layer * c->heads + h;
            double *to = results->values[FIELDS[kind]] + column;
            if (worker->chosen[column]) {
                forward_load(&worker->forward, &worker->state);
                knock_out(worker, range, layer, h, FIELDS[kind] == IOI_KNOCKED_ALL);
                differences_find(&worker->differences, &worker->forward, range);
            }
            for (int64_t p = range.first; p < range.end; p++)
                to[p * columns] = worker->chosen[column]
                                      ? differences_of(&worker->differences, range, p)
                                      : (double)NAN;
        }
    forward_load(&worker->forward, &worker->state);
}

/* Knock-outs so far are the differences without a head; make them changes. */
static void subtract_whole(struct fields *results, const struct lm_config *c,
                           struct range range)
{
    const int64_t columns = (int64_t)c->layers * c->heads;

    for (int64_t p = range.first; p < range.end; p++)
        for (int64_t h = 0; h < columns; h++) {
            results->values[IOI_KNOCKED_END][p * columns + h] -= results->values[IOI_DIFFERENCE][p];
            results->values[IOI_KNOCKED_ALL][p * columns + h] -= results->values[IOI_DIFFERENCE][p];
        }
}

/* --- a block ------------------------------------------------------------------------- */

static enum status start(struct ioi_worker *worker, const int32_t *prompts, struct range range)
{
    return forward_start(&worker->forward, prompts + range.first * worker->forward.context,
                         range_length(range));
}

static void run_layer(struct ioi_worker *worker, struct fields *results, struct range range,
                      int layer)
{
    forward_to(&worker->forward, attn_of(layer));
    find_attention(worker, results, range, layer);
    share_heads(worker, results, range, layer);
    knock_out_each(worker, results, range, layer);
    forward_to(&worker->forward, (struct tap){ SITE_MLP, layer });
    for (int64_t p = range.first; p < range.end; p++)
        add_share(worker, results, IOI_DIRECT_MLP, layer, range, p, end_row(worker, range, p));
    forward_to(&worker->forward, (struct tap){ SITE_RES, layer });
    if (layer == 0)
        find_copies(worker, results, range);
}

enum status ioi_worker_run(void *context, struct fields *results, struct range range)
{
    struct ioi_worker *worker = context;
    const struct circuit *circuit = worker->circuit;
    enum status st;

    TRY(start(worker, circuit->prompts->corrupted, range));
    differences_find(&worker->differences, &worker->forward, range);
    for (int64_t p = range.first; p < range.end; p++) {
        results->values[IOI_CORRUPTED][p] = differences_of(&worker->differences, range, p);
        find_direction(worker, range, p);
    }
    TRY(start(worker, circuit->prompts->clean, range));
    for (int64_t p = range.first; p < range.end; p++)
        add_share(worker, results, IOI_DIRECT_EMBEDDING, 0, range, p, end_row(worker, range, p));
    for (int layer = 0; layer < circuit->config->layers; layer++)
        run_layer(worker, results, range, layer);
    differences_find(&worker->differences, &worker->forward, range);
    find_scales(worker, results, range);
    for (int64_t p = range.first; p < range.end; p++) {
        results->values[IOI_DIFFERENCE][p] = differences_of(&worker->differences, range, p);
        find_performance(worker, results, range, p);
    }
    subtract_whole(results, circuit->config, range);
done:
    return st;
}
