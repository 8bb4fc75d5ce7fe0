#include "intervene/steered_runs.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "base/split.h"
#include "kernels/rows.h"
#include "kernels/values.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go through the autoencoder at a time. */
enum { TILE_ROWS = 512 };

static int64_t tile_rows(int64_t rows)
{
    return min_int64(TILE_ROWS, rows);
}

int64_t steered_runs_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                           int64_t tokens, int threads)
{
    const int64_t rows = block * tokens;
    const int64_t row = (int64_t)(sizeof(int64_t) + sizeof(int32_t) + sizeof(float));

    return forward_bytes(config, PRECISION_F32, block, tokens, threads) + head_bytes(config)
         + rows * row + tile_rows(rows) * (config->width + latents) * (int64_t)sizeof(float)
         + max_int64(config->width, latents) * (int64_t)sizeof(double);
}

int64_t steered_runs_kept_bytes(const struct lm_config *config, int64_t texts, int64_t block,
                                int64_t tokens)
{
    const struct tap tap = { SITE_RES, 0 };

    return split_blocks(texts, block) * forward_state_bytes(config, tap, block, tokens);
}

void steered_runs_make(struct steered_runs *runs, const struct steered_runs_setup *setup)
{
    const struct lm_config *config = &setup->weights->config;
    const int64_t rows = setup->block * setup->texts->tokens, tile = tile_rows(rows);

    assert(setup->tap.site == SITE_RES && setup->read.site == SITE_RES);
    *runs = (struct steered_runs){
        .setup = *setup,
        .at = allocate(rows, sizeof *runs->at),
        .next = allocate(rows, sizeof *runs->next),
        .loss = allocate(rows, sizeof *runs->loss),
        .x = allocate(tile * config->width, sizeof *runs->x),
        .f = allocate(tile * setup->sae->latents, sizeof *runs->f),
        .sums = allocate(max_int64(config->width, setup->sae->latents), sizeof *runs->sums),
    };
    forward_make(&runs->forward, setup->weights, setup->block, setup->texts->tokens);
    head_make(&runs->head, setup->weights);
}

void steered_runs_free(struct steered_runs *runs)
{
    for (int64_t b = 0; b < runs->blocks; b++)
        forward_state_free(&runs->states[b]);
    free(runs->states);
    free(runs->at);
    free(runs->next);
    free(runs->loss);
    free(runs->x);
    free(runs->f);
    free(runs->sums);
    head_free(&runs->head);
    forward_free(&runs->forward);
    *runs = (struct steered_runs){0};
}

/* --- a block ------------------------------------------------------------------------- */

static int64_t blocks_of(const struct steered_runs *runs)
{
    return split_blocks(runs->setup.texts->count, runs->setup.block);
}

static struct range texts_of(const struct steered_runs *runs, int64_t block)
{
    return split_block(runs->setup.texts->count, runs->setup.block, block);
}

/* Note the rows that count. */
static void find_rows(struct steered_runs *runs, struct range range)
{
    const struct prompts *texts = runs->setup.texts;

    runs->count = 0;
    for (int64_t r = 0; r < range_length(range) * texts->tokens; r++)
        if (prompts_row_counts(texts, range.first, r, runs->setup.bos))
            runs->at[runs->count++] = r;
}

/* Bring a block to where vectors are added. */
static enum status start(struct steered_runs *runs, int64_t block)
{
    const struct prompts *texts = runs->setup.texts;
    const struct range range = texts_of(runs, block);
    enum status st = OK;

    if (runs->states != NULL) {
        forward_load(&runs->forward, &runs->states[block]);
    } else {
        TRY(forward_start(&runs->forward, texts->clean + range.first * texts->tokens,
                          range_length(range)));
        forward_to(&runs->forward, runs->setup.tap);
    }
    find_rows(runs, range);
done:
    return st;
}

void steered_runs_add(struct forward *forward, struct steering steering)
{
    const int64_t width = forward->width;
    const float scale = (float)steering.scale;

    if (scale == 0)
        return;
    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < forward->rows; r++)
        for (int64_t k = 0; k < width; k++)
            forward->values[r * width + k] += scale * steering.vector[k];
}

/* Take some rows that count. */
static void take(struct steered_runs *runs, int64_t from, int64_t count)
{
    const int64_t width = runs->forward.width;

    for (int64_t i = 0; i < count; i++)
        memcpy(runs->x + i * width, runs->forward.values + runs->at[from + i] * width,
               (size_t)width * sizeof *runs->x);
}

enum status steered_runs_keep(struct steered_runs *runs)
{
    const int64_t blocks = blocks_of(runs);
    struct forward_state *states = allocate(blocks, sizeof *states);
    enum status st = OK;

    for (int64_t b = 0; b < blocks; b++) {
        TRY(start(runs, b));
        forward_state_make(&states[b], &runs->forward, runs->setup.tap);
        forward_save(&runs->forward, &states[b]);
    }
done:
    runs->states = states;
    runs->blocks = blocks;
    return st;
}

/* --- sums over texts ----------------------------------------------------------------- */

static enum status check_rows(int64_t rows)
{
    enum status st = OK;

    REQUIRE(rows > 0, E_USAGE, "texts have no tokens but BOS");
done:
    return st;
}

/* total += rows, in their order. */
static void add_rows(struct steered_runs *runs, double *total, const float *rows, int64_t count,
                     int64_t columns)
{
    rows_sum(runs->sums, rows, columns, count, columns);
    for (int64_t k = 0; k < columns; k++)
        total[k] += runs->sums[k];
}

static void divide(double *total, int64_t columns, int64_t rows)
{
    for (int64_t k = 0; k < columns; k++)
        total[k] /= (double)rows;
}

enum status steered_runs_rows(struct steered_runs *runs, double *mean, double *norm)
{
    const int32_t width = runs->setup.weights->config.width;
    int64_t rows = 0;
    enum status st;

    memset(mean, 0, (size_t)width * sizeof *mean);
    *norm = 0;
    for (int64_t b = 0; b < blocks_of(runs); b++) {
        TRY(start(runs, b));
        for (int64_t from = 0; from < runs->count; from += TILE_ROWS) {
            const int64_t count = min_int64(TILE_ROWS, runs->count - from);
            take(runs, from, count);
            add_rows(runs, mean, runs->x, count, width);
            for (int64_t i = 0; i < count; i++)
                *norm += sqrt(values_sum_squares(runs->x + i * width, width));
        }
        rows += runs->count;
    }
    TRY(check_rows(rows));
    divide(mean, width, rows);
    *norm /= (double)rows;
done:
    return st;
}

enum status steered_runs_latents(struct steered_runs *runs, struct steering steering, double *mean)
{
    const int32_t latents = runs->setup.sae->latents;
    int64_t rows = 0;
    enum status st;

    memset(mean, 0, (size_t)latents * sizeof *mean);
    for (int64_t b = 0; b < blocks_of(runs); b++) {
        TRY(start(runs, b));
        steered_runs_add(&runs->forward, steering);
        forward_to(&runs->forward, runs->setup.read);
        for (int64_t from = 0; from < runs->count; from += TILE_ROWS) {
            const int64_t count = min_int64(TILE_ROWS, runs->count - from);
            take(runs, from, count);
            sae_encode(runs->setup.sae, runs->f, runs->x, count);
            add_rows(runs, mean, runs->f, count, latents);
        }
        rows += runs->count;
    }
    TRY(check_rows(rows));
    divide(mean, latents, rows);
done:
    return st;
}

/* The id after each id of a block; -1 where a text ends, and after it. */
static void find_next(struct steered_runs *runs, struct range range)
{
    const struct prompts *texts = runs->setup.texts;
    int32_t *next = runs->next;

    for (int64_t p = range.first; p < range.end; p++)
        for (int64_t t = 0; t < texts->tokens; t++)
            *next++ = t + 1 < texts->length[p] ? texts->clean[p * texts->tokens + t + 1] : -1;
}

enum status steered_runs_loss(struct steered_runs *runs, struct steering steering, double *loss)
{
    double sum = 0;
    int64_t tokens = 0;
    enum status st;

    for (int64_t b = 0; b < blocks_of(runs); b++) {
        const int64_t rows = range_length(texts_of(runs, b)) * runs->setup.texts->tokens;
        TRY(start(runs, b));
        steered_runs_add(&runs->forward, steering);
        forward_to(&runs->forward, forward_end(&runs->forward));
        find_next(runs, texts_of(runs, b));
        const struct head_task task = { .stream = runs->forward.values, .loss = runs->loss };
        head_score(&runs->head, &task, 1, runs->next, rows);
        for (int64_t r = 0; r < rows; r++)
            if (runs->next[r] >= 0) {
                sum += (double)runs->loss[r];
                tokens++;
            }
    }
    REQUIRE(tokens > 0, E_USAGE, "no text has two tokens, so there is none to predict");
    *loss = sum / (double)tokens;
done:
    return st;
}
