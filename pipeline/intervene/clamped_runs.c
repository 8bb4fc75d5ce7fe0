#include "intervene/clamped_runs.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/minmax.h"
#include "base/split.h"
#include "kernels/measure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go through the autoencoder, or through the head, at a time. */
enum { TILE_ROWS = 512 };

static int64_t tile_rows(int64_t rows)
{
    return min_int64(TILE_ROWS, rows);
}

int64_t clamped_runs_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                           int64_t tokens, int threads)
{
    const int64_t rows = block * tokens, tile = tile_rows(rows);
    const int64_t row = (int64_t)(sizeof(int64_t) + sizeof(int32_t) + sizeof(float));
    const int64_t of_tile = lm_widest_site(config) + latents;

    return forward_bytes(config, PRECISION_F32, block, tokens, threads) + head_bytes(config)
         + rows * row + tile * of_tile * (int64_t)sizeof(float)
         + head_tile(config) * config->width * (int64_t)sizeof(float);
}

void clamped_runs_make(struct clamped_runs *runs, const struct clamped_runs_setup *setup)
{
    const struct lm_config *config = &setup->weights->config;
    const int64_t rows = setup->block * setup->tokens, tile = tile_rows(rows);

    assert(setup->sae->inputs == lm_site_width(config, setup->tap.site));
    *runs = (struct clamped_runs){
        .run = setup->run, .sae = setup->sae, .tap = setup->tap, .bos = setup->bos,
        .block = setup->block,
        .at = allocate(rows, sizeof *runs->at),
        .next = allocate(rows, sizeof *runs->next),
        .loss = allocate(rows, sizeof *runs->loss),
        .x = allocate(tile * setup->sae->inputs, sizeof *runs->x),
        .f = allocate(tile * setup->sae->latents, sizeof *runs->f),
        .last = allocate(head_tile(config) * config->width, sizeof *runs->last),
    };
    forward_make(&runs->forward, setup->weights, setup->block, setup->tokens);
    head_make(&runs->head, setup->weights);
}

void clamped_runs_free(struct clamped_runs *runs)
{
    free(runs->at);
    free(runs->next);
    free(runs->loss);
    free(runs->x);
    free(runs->f);
    free(runs->last);
    head_free(&runs->head);
    forward_free(&runs->forward);
    *runs = (struct clamped_runs){0};
}

/* --- a block ------------------------------------------------------------------------- */

/* What a block is computed for. */
struct pass {
    struct clamped_runs  *runs;
    const struct prompts *prompts;
    const struct clamp   *clamp;
};

static struct range prompts_of(const struct pass *pass, int64_t block)
{
    return split_block(pass->prompts->count, pass->runs->block, block);
}

/* Embed a block, and note the rows that count, `count` of them. */
static enum status start(int64_t *count, const struct pass *pass, int64_t block)
{
    struct clamped_runs *runs = pass->runs;
    const struct prompts *prompts = pass->prompts;
    const struct range range = prompts_of(pass, block);
    const int32_t *ids = prompts->clean + range.first * prompts->tokens;
    enum status st;

    *count = 0;
    TRY(forward_start(&runs->forward, ids, range_length(range)));
    for (int64_t r = 0; r < range_length(range) * prompts->tokens; r++)
        if (prompts_row_counts(prompts, range.first, r, runs->bos))
            runs->at[(*count)++] = r;
done:
    return st;
}

/* Read rows of the site, `count` of them. */
static void read_rows(struct clamped_runs *runs, const int64_t *at, int64_t count)
{
    const int32_t width = runs->forward.width;

    for (int64_t i = 0; i < count; i++)
        memcpy(runs->x + i * width, runs->forward.values + at[i] * width,
               (size_t)width * sizeof *runs->x);
}

/* The same, and their latents. */
static void encode(struct clamped_runs *runs, const int64_t *at, int64_t count)
{
    read_rows(runs, at, count);
    sae_encode(runs->sae, runs->f, runs->x, count);
}

static void clamp_site(struct clamped_runs *runs, const struct clamp *clamp, int64_t count)
{
    const int32_t width = runs->forward.width;

    for (int64_t from = 0; from < count; from += TILE_ROWS) {
        const int64_t rows = min_int64(TILE_ROWS, count - from);
        const int64_t *at = runs->at + from;
        if (clamp_steers(clamp->kind))
            read_rows(runs, at, rows);
        else
            encode(runs, at, rows);
        clamp_rows(clamp, runs->x, runs->f, rows);
        for (int64_t i = 0; i < rows; i++)
            memcpy(runs->forward.values + at[i] * width, runs->x + i * width,
                   (size_t)width * sizeof *runs->x);
    }
}

/* Run a block to the end of the model. */
static enum status finish(const struct pass *pass, int64_t block)
{
    struct clamped_runs *runs = pass->runs;
    int64_t count;
    enum status st;

    TRY(start(&count, pass, block));
    if (pass->clamp != NULL) {
        forward_to(&runs->forward, runs->tap);
        clamp_site(runs, pass->clamp, count);
    }
    forward_to(&runs->forward, forward_end(&runs->forward));
done:
    return st;
}

/* Compute all blocks, `count` sums each. */
static enum status sum_blocks(struct pass *pass, double *total, int64_t count,
                              enum status (*compute)(void *context, int64_t block, double *sums))
{
    const struct block_sum job = {
        .run = pass->runs->run,
        .blocks = split_blocks(pass->prompts->count, pass->runs->block),
        .count = count, .context = pass, .compute = compute,
    };

    assert(pass->prompts->tokens == pass->runs->forward.context);
    return block_sum_run(&job, total);
}

/* --- firing -------------------------------------------------------------------------- */

/* The latents' counts, and after them that of the rows. */
static enum status count_firing(void *context, int64_t block, double *sums)
{
    const struct pass *pass = context;
    struct clamped_runs *runs = pass->runs;
    const int32_t latents = runs->sae->latents;
    int64_t count, *fired = allocate(latents, sizeof *fired);
    enum status st;

    TRY(start(&count, pass, block));
    forward_to(&runs->forward, runs->tap);
    for (int64_t from = 0; from < count; from += TILE_ROWS) {
        const int64_t rows = min_int64(TILE_ROWS, count - from);
        encode(runs, runs->at + from, rows);
        measure_firing(fired, runs->f, rows, latents);
    }
    for (int32_t i = 0; i < latents; i++)
        sums[i] = (double)fired[i];
    sums[latents] = (double)count;
done:
    free(fired);
    return st;
}

enum status clamped_runs_firing(struct clamped_runs *runs, const struct prompts *prompts,
                                double *fired, double *rows)
{
    const int32_t latents = runs->sae->latents;
    struct pass pass = { .runs = runs, .prompts = prompts };
    double *sums = allocate(latents + 1, sizeof *sums);
    const enum status st = sum_blocks(&pass, sums, latents + 1, count_firing);

    memcpy(fired, sums, (size_t)latents * sizeof *fired);
    *rows = sums[latents];
    free(sums);
    return st;
}

/* --- means --------------------------------------------------------------------------- */

/* The sums of the rows, and after them their number. */
static enum status sum_rows(void *context, int64_t block, double *sums)
{
    const struct pass *pass = context;
    struct clamped_runs *runs = pass->runs;
    const int32_t width = runs->sae->inputs;
    int64_t count;
    enum status st;

    TRY(start(&count, pass, block));
    forward_to(&runs->forward, runs->tap);
    for (int64_t i = 0; i < count; i++)
        for (int32_t k = 0; k < width; k++)
            sums[k] += (double)runs->forward.values[runs->at[i] * width + k];
    sums[width] = (double)count;
done:
    return st;
}

enum status clamped_runs_mean(struct clamped_runs *runs, const struct prompts *prompts,
                              double *mean)
{
    const int32_t width = runs->sae->inputs;
    struct pass pass = { .runs = runs, .prompts = prompts };
    double *sums = allocate(width + 1, sizeof *sums);
    enum status st;

    TRY(sum_blocks(&pass, sums, width + 1, sum_rows));
    REQUIRE(sums[width] > 0, E_USAGE, "texts have no tokens but BOS");
    for (int32_t k = 0; k < width; k++)
        mean[k] = sums[k] / sums[width];
done:
    free(sums);
    return st;
}

/* --- losses -------------------------------------------------------------------------- */

/* The id after each id of a block; -1 where a prompt ends, and after it. */
static void find_next(const struct pass *pass, struct range range)
{
    const struct prompts *prompts = pass->prompts;
    int32_t *next = pass->runs->next;

    for (int64_t p = range.first; p < range.end; p++)
        for (int64_t t = 0; t < prompts->tokens; t++)
            *next++ = t + 1 < prompts->length[p] ? prompts->clean[p * prompts->tokens + t + 1] : -1;
}

static enum status sum_losses(void *context, int64_t block, double *sums)
{
    const struct pass *pass = context;
    struct clamped_runs *runs = pass->runs;
    const int64_t rows = range_length(prompts_of(pass, block)) * pass->prompts->tokens;
    enum status st;

    TRY(finish(pass, block));
    find_next(pass, prompts_of(pass, block));
    const struct head_task task = { .stream = runs->forward.values, .loss = runs->loss };
    head_score(&runs->head, &task, 1, runs->next, rows);
    for (int64_t r = 0; r < rows; r++)
        if (runs->next[r] >= 0) {
            sums[0] += (double)runs->loss[r];
            sums[1]++;
        }
done:
    return st;
}

enum status clamped_runs_loss(struct clamped_runs *runs, const struct prompts *prompts,
                              const struct clamp *clamp, double *loss)
{
    struct pass pass = { runs, prompts, clamp };
    double sums[2];
    enum status st;

    TRY(sum_blocks(&pass, sums, 2, sum_losses));
    REQUIRE(sums[1] > 0, E_USAGE, "no text has two tokens, so there is none to predict");
    *loss = sums[0] / sums[1];
done:
    return st;
}

/* --- answers ------------------------------------------------------------------------- */

static float largest(const float *logits, const struct prompts_lists *lists, int64_t prompt)
{
    const int32_t *ids;
    const int64_t count = prompts_list(lists, prompt, &ids);
    float most = -INFINITY;

    for (int64_t i = 0; i < count; i++)
        most = fmaxf(most, logits[ids[i]]);
    return most;
}

/* Answer some prompts of a block, as many as the head takes at a time. */
static void answer(const struct pass *pass, struct range some, int64_t first, double *right)
{
    struct clamped_runs *runs = pass->runs;
    const struct prompts *prompts = pass->prompts;
    const struct lm_config *config = &runs->forward.weights->config;

    for (int64_t p = some.first; p < some.end; p++)
        memcpy(runs->last + (p - some.first) * config->width,
               runs->forward.values
                   + ((p - first) * prompts->tokens + prompts->length[p] - 1) * config->width,
               (size_t)config->width * sizeof *runs->last);
    head_logits(&runs->head, runs->head.first, runs->last, range_length(some));
    for (int64_t p = some.first; p < some.end; p++) {
        const float *logits = runs->head.first + (p - some.first) * config->outputs;
        right[p] = largest(logits, &prompts->answers, p) > largest(logits, &prompts->wrong, p);
    }
}

static enum status answer_block(void *context, int64_t block, double *right)
{
    const struct pass *pass = context;
    const struct range range = prompts_of(pass, block);
    const int64_t tile = pass->runs->head.tile;
    enum status st;

    TRY(finish(pass, block));
    for (int64_t p = range.first; p < range.end; p += tile)
        answer(pass, (struct range){ p, min_int64(p + tile, range.end) }, range.first, right);
done:
    return st;
}

enum status clamped_runs_answers(struct clamped_runs *runs, const struct prompts *prompts,
                                 const struct clamp *clamp, double *right)
{
    struct pass pass = { runs, prompts, clamp };

    return sum_blocks(&pass, right, prompts->count, answer_block);
}
