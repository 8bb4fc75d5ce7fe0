#include "methods/template_means.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/split.h"

#include <stdlib.h>
#include <string.h>

/* Arrays of doubles that a sum over blocks has at a time: of the block, in all, on its way. */
enum { ARRAYS = 3 };

static int64_t sums_of(const struct lm_config *config, int64_t tokens)
{
    return tokens * config->layers * config->heads * config->head_width;
}

int64_t template_means_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    return sums_of(config, shape.tokens)
           * (shape.templates * (int64_t)sizeof(float) + ARRAYS * (int64_t)sizeof(double));
}

/* The prompts of one template. */
struct chosen {
    const struct circuit *circuit;
    struct forward *forward;
    int64_t        *prompt;     /* [count] */
    int64_t         count;
    int32_t        *ids;        /* [block, tokens] */
};

/* Add the heads' outputs of the layer where the cursor stands.
 *   sums [tokens, width]  in and out */
static void add_rows(double *sums, const struct chosen *chosen, struct range range)
{
    const struct forward *f = chosen->forward;

    for (int64_t i = range.first; i < range.end; i++) {
        const int64_t length = chosen->circuit->prompts->length[chosen->prompt[i]];
        const float *row = f->values + (i - range.first) * f->context * f->width;
        for (int64_t v = 0; v < length * f->width; v++)
            sums[v] += (double)row[v];
    }
}

/* Local. */
static enum status compute_block(void *context, int64_t block, double *sums)
{
    const struct chosen *chosen = context;
    const struct prompts *prompts = chosen->circuit->prompts;
    struct forward *forward = chosen->forward;
    const struct range range = split_block(chosen->count, chosen->circuit->suite->circuit.block,
                                           block);
    enum status st;

    for (int64_t i = range.first; i < range.end; i++)
        memcpy(chosen->ids + (i - range.first) * prompts->tokens,
               prompts->corrupted + chosen->prompt[i] * prompts->tokens,
               (size_t)prompts->tokens * sizeof(int32_t));
    TRY(forward_start(forward, chosen->ids, range_length(range)));
    for (int layer = 0; layer < chosen->circuit->config->layers; layer++) {
        forward_to(forward, (struct tap){ SITE_ATTN, layer });
        add_rows(sums + layer * prompts->tokens * forward->width, chosen, range);
    }
done:
    return st;
}

/* Divide sums by the number of prompts that have the position. */
static void divide(float *mean, const double *sums, const struct template_means *means,
                   const struct chosen *chosen)
{
    for (int64_t t = 0; t < means->tokens; t++) {
        int64_t have = 0;
        for (int64_t i = 0; i < chosen->count; i++)
            have += t < chosen->circuit->prompts->length[chosen->prompt[i]];
        for (int64_t layer = 0; layer < means->layers && have > 0; layer++)
            for (int64_t v = 0; v < means->width; v++) {
                const int64_t at = (layer * means->tokens + t) * means->width + v;
                mean[at] = (float)(sums[at] / (double)have);
            }
    }
}

/* Collective. */
static enum status find_template(struct template_means *means, struct chosen *chosen,
                                 int32_t template, double *sums)
{
    const struct circuit *circuit = chosen->circuit;
    const struct prompts *prompts = circuit->prompts;
    const int64_t count = sums_of(circuit->config, prompts->tokens);
    enum status st;

    chosen->count = 0;
    for (int64_t p = 0; p < prompts->count; p++)
        if (prompts->template[p] == template)
            chosen->prompt[chosen->count++] = p;
    const struct block_sum sum = {
        .run = circuit->run, .count = count, .context = chosen, .compute = compute_block,
        .blocks = split_blocks(chosen->count, circuit->suite->circuit.block),
    };
    TRY(block_sum_run(&sum, sums));
    divide(means->mean + template * count, sums, means, chosen);
done:
    return st;
}

enum status template_means_find(struct template_means *means, const struct circuit *circuit,
                                struct forward *forward)
{
    const struct prompts *prompts = circuit->prompts;
    const struct lm_config *config = circuit->config;
    const int32_t templates = prompts_templates(prompts);
    const int64_t count = sums_of(config, prompts->tokens);
    double *sums = allocate(count, sizeof *sums);
    struct chosen chosen = {
        .circuit = circuit, .forward = forward,
        .prompt = allocate(prompts->count, sizeof *chosen.prompt),
        .ids = allocate(circuit->suite->circuit.block * prompts->tokens, sizeof *chosen.ids),
    };
    enum status st = OK;

    *means = (struct template_means){
        .layers = config->layers, .tokens = prompts->tokens,
        .width = (int64_t)config->heads * config->head_width,
        .mean = allocate(templates * count, sizeof *means->mean),
    };
    for (int32_t template = 0; template <templates; template ++)
        TRY(find_template(means, &chosen, template, sums));
done:
    free(chosen.ids);
    free(chosen.prompt);
    free(sums);
    return st;
}

void template_means_free(struct template_means *means)
{
    free(means->mean);
    *means = (struct template_means){0};
}

const float *template_means_row(const struct template_means *means, int64_t template,
                                int64_t layer, int64_t token)
{
    return means->mean + ((template * means->layers + layer) * means->tokens + token)
                         * means->width;
}

void template_means_put(const struct template_means *means, struct forward *f, int64_t sequence,
                        int64_t template, int layer, int32_t head, int64_t token)
{
    const int64_t width = f->weights->config.head_width;
    const float *mean = template_means_row(means, template, layer, token) + head * width;

    memcpy(f->values + (sequence * f->context + token) * f->width + head * width, mean,
           (size_t)width * sizeof(float));
}
