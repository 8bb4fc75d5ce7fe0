#include "intervene/question_attribution.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/minmax.h"
#include "base/split.h"
#include "circuit/metric.h"
#include "kernels/values.h"
#include "lm/backward.h"

#include <stdlib.h>
#include <string.h>

/* Rows that are encoded at a time. */
enum { TILE_ROWS = 512 };

/* What a block is computed with. */
struct attributor {
    const struct clamped_runs_setup *setup;
    const struct prompts *prompts;
    struct forward  forward;
    struct backward backward;
    struct head     head;
    float   *x;             /* [block * tokens, width of the site] its rows */
    float   *f;             /* [tile of them, latents] */
    float   *gradient;      /* [block * tokens, width] by the last stream */
    int64_t *ends;          /* [block] rows where prompts end */
    float   *by_logits;     /* [block, outputs] */
    float   *last;          /* [tile of the head, width] streams there */
};

/* --- memory -------------------------------------------------------------------------- */

int64_t question_attribution_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                                   int64_t tokens, int threads)
{
    const int64_t rows = block * tokens;
    const int64_t floats = rows * (lm_widest_site(config) + config->width)
                           + min_int64(TILE_ROWS, rows) * latents
                           + block * config->outputs + head_tile(config) * config->width;

    return forward_bytes(config, PRECISION_F32, block, tokens, threads)
         + backward_bytes(config, block, tokens, threads) + head_bytes(config)
         + floats * (int64_t)sizeof(float) + block * (int64_t)sizeof(int64_t);
}

static void make(struct attributor *a, const struct clamped_runs_setup *setup,
                 const struct prompts *prompts)
{
    const struct lm_config *config = &setup->weights->config;
    const int64_t rows = setup->block * setup->tokens;

    *a = (struct attributor){
        .setup = setup, .prompts = prompts,
        .x = allocate(rows * setup->sae->inputs, sizeof *a->x),
        .f = allocate(min_int64(TILE_ROWS, rows) * setup->sae->latents, sizeof *a->f),
        .gradient = allocate(rows * config->width, sizeof *a->gradient),
        .ends = allocate(setup->block, sizeof *a->ends),
        .by_logits = allocate(setup->block * config->outputs, sizeof *a->by_logits),
        .last = allocate(head_tile(config) * config->width, sizeof *a->last),
    };
    forward_make(&a->forward, setup->weights, setup->block, setup->tokens);
    backward_make(&a->backward, &a->forward);
    head_make(&a->head, setup->weights);
}

static void tear_down(struct attributor *a)
{
    head_free(&a->head);
    backward_free(&a->backward);
    forward_free(&a->forward);
    free(a->last);
    free(a->by_logits);
    free(a->ends);
    free(a->gradient);
    free(a->f);
    free(a->x);
}

/* --- a block ------------------------------------------------------------------------- */

static struct range prompts_of(const struct attributor *a, int64_t block)
{
    return split_block(a->prompts->count, a->setup->block, block);
}

/* Run a block to the end, and keep the rows of the site. */
static enum status walk(struct attributor *a, struct range range)
{
    enum status st;

    TRY(forward_start(&a->forward, a->prompts->clean + range.first * a->prompts->tokens,
                      range_length(range)));
    backward_walk(&a->backward, a->setup->tap);
    memcpy(a->x, a->forward.values,
           (size_t)(a->forward.rows * a->setup->sae->inputs) * sizeof *a->x);
    backward_walk(&a->backward, forward_end(&a->forward));
done:
    return st;
}

/* The derivatives of D by the logits of one prompt.  The metric is minus D. */
static void differentiate(const struct attributor *a, int64_t prompt, float *by_logits,
                          const float *logits)
{
    const int32_t outputs = a->setup->weights->config.outputs;
    struct question question = { .prompt = prompt };

    question.answers = (int32_t)prompts_list(&a->prompts->answers, prompt, &question.answer);
    question.wrongs = (int32_t)prompts_list(&a->prompts->wrong, prompt, &question.wrong);
    metric_gradient(METRIC_LOGIT_DIFFERENCE, &question, by_logits, logits, NULL, outputs);
    values_scale(by_logits, -1, outputs);
}

/* The same of some prompts of a block, as many as the head takes at a time. */
static void differentiate_some(struct attributor *a, struct range some, int64_t first)
{
    const struct lm_config *config = &a->setup->weights->config;
    const int64_t width = config->width, outputs = config->outputs;

    for (int64_t p = some.first; p < some.end; p++) {
        a->ends[p - first] = (p - first) * a->prompts->tokens + a->prompts->length[p] - 1;
        memcpy(a->last + (p - some.first) * width, a->forward.values + a->ends[p - first] * width,
               (size_t)width * sizeof *a->last);
    }
    head_logits(&a->head, a->head.first, a->last, range_length(some));
    for (int64_t p = some.first; p < some.end; p++)
        differentiate(a, p, a->by_logits + (p - first) * outputs,
                      a->head.first + (p - some.first) * outputs);
}

/* Go back from the ends of prompts to the site. */
static void go_back(struct attributor *a, struct range range)
{
    const int64_t tile = a->head.tile;

    for (int64_t p = range.first; p < range.end; p += tile)
        differentiate_some(a, (struct range){ p, min_int64(p + tile, range.end) }, range.first);
    head_back(&a->head, a->gradient, a->by_logits, a->forward.values, a->forward.rows, a->ends,
              range_length(range));
    backward_start(&a->backward, a->gradient);
    backward_to(&a->backward, a->setup->tap);
}

/* Add the attribution in one row. */
static void add_row(const struct attributor *a, const float *f, const float *by_row, double *sums)
{
    const struct sae *sae = a->setup->sae;

    for (int64_t i = 0; i < sae->latents; i++)
        if (f[i] > 0)
            sums[i] += (double)f[i] * values_dot(by_row, sae->decoder + i * sae->inputs,
                                                 sae->inputs);
}

static enum status attribute_block(void *context, int64_t block, double *sums)
{
    struct attributor *a = context;
    const struct sae *sae = a->setup->sae;
    const struct range range = prompts_of(a, block);
    enum status st;

    TRY(walk(a, range));
    go_back(a, range);
    for (int64_t from = 0; from < a->forward.rows; from += TILE_ROWS) {
        const int64_t rows = min_int64(TILE_ROWS, a->forward.rows - from);
        sae_encode(sae, a->f, a->x + from * sae->inputs, rows);
        for (int64_t r = 0; r < rows; r++)
            if (prompts_row_counts(a->prompts, range.first, from + r, a->setup->bos))
                add_row(a, a->f + r * sae->latents,
                        a->backward.gradient + (from + r) * sae->inputs, sums);
    }
done:
    return st;
}

enum status question_attribution_find(const struct clamped_runs_setup *setup,
                                      const struct prompts *prompts, double *attribution)
{
    struct attributor a;
    const struct block_sum job = {
        .run = setup->run, .blocks = split_blocks(prompts->count, setup->block),
        .count = setup->sae->latents, .context = &a, .compute = attribute_block,
    };

    make(&a, setup, prompts);
    const enum status st = block_sum_run(&job, attribution);
    for (int32_t i = 0; i < setup->sae->latents; i++)
        attribution[i] /= (double)prompts->count;
    tear_down(&a);
    return st;
}
