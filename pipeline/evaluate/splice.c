#include "evaluate/splice.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/measure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of text that go through an autoencoder at a time. */
enum { TILE_ROWS = 512 };

/* --- memory -------------------------------------------------------------------------- */

/* Bytes of the state that takes most, over all sites. */
static int64_t widest_state_bytes(const struct lm_config *config, int64_t sequences,
                                  int64_t context)
{
    int64_t most = 0;

    for (enum site site = 0; site < SITES; site++) {
        const struct tap tap = { .site = site };
        const int64_t bytes = forward_state_bytes(config, tap, sequences, context);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static int64_t tile_rows(const struct splice_capacity *capacity)
{
    return min_int64(TILE_ROWS, capacity->sequences * capacity->context);
}

int64_t splice_bytes(const struct lm_config *config, enum precision precision,
                     const struct splice_capacity *capacity, int threads)
{
    const int64_t sequences = capacity->sequences, context = capacity->context;
    const int64_t rows = sequences * context, runs = RUN_SAES + capacity->saes;
    const int64_t read = capacity->transcoders ? lm_widest_site(config) : 0;
    const int64_t row = (int64_t)sizeof(float)
                      * (runs * (config->width + 1) + capacity->saes + read)
                      + (int64_t)(sizeof(int64_t) + sizeof(int32_t));
    const int64_t tile = (int64_t)sizeof(float) * (2 * lm_widest_site(config) + capacity->latents)
                       + (int64_t)(2 * sizeof(double) + sizeof(struct fidelity));

    return rows * row + tile_rows(capacity) * tile
           + forward_bytes(config, precision, sequences, context, threads)
           + head_bytes(config) + widest_state_bytes(config, sequences, context);
}

void splice_make(struct splice *splice, const struct weights *weights,
                 struct special_tokens special, const struct splice_capacity *capacity)
{
    const struct lm_config *config = &weights->config;
    const int64_t rows = capacity->sequences * capacity->context, runs = RUN_SAES + capacity->saes;
    const int64_t tile = tile_rows(capacity);

    *splice = (struct splice){
        .special = special,
        .saes = capacity->saes,
        .latents = capacity->latents,
        .text = allocate(rows, sizeof *splice->text),
        .next = allocate(rows, sizeof *splice->next),
        .streams = allocate(runs * rows * config->width, sizeof(float)),
        .losses = allocate(runs * rows, sizeof(float)),
        .kls = allocate(capacity->saes * rows, sizeof(float)),
        .x = allocate(tile * lm_widest_site(config), sizeof(float)),
        .y = allocate(tile * lm_widest_site(config), sizeof(float)),
        .f = allocate(tile * capacity->latents, sizeof(float)),
        .l0 = allocate(tile, sizeof(double)),
        .l1 = allocate(tile, sizeof(double)),
        .fidelity = allocate(tile, sizeof(struct fidelity)),
    };
    if (capacity->transcoders)
        splice->read = allocate(rows * lm_widest_site(config), sizeof(float));
    forward_make(&splice->forward, weights, capacity->sequences, capacity->context);
    head_make(&splice->head, weights);
}

void splice_free(struct splice *splice)
{
    free(splice->text);
    free(splice->next);
    free(splice->read);
    free(splice->streams);
    free(splice->losses);
    free(splice->kls);
    free(splice->x);
    free(splice->y);
    free(splice->f);
    free(splice->l0);
    free(splice->l1);
    free(splice->fidelity);
    forward_state_free(&splice->kept);
    forward_free(&splice->forward);
    head_free(&splice->head);
    *splice = (struct splice){0};
}

/* --- a block ------------------------------------------------------------------------- */

enum status splice_start(struct splice *splice, const int32_t *ids, int64_t sequences)
{
    const int64_t context = splice->forward.context;
    enum status st;

    tokens_seen(splice->next, ids, sequences * context);
    TRY(forward_start(&splice->forward, splice->next, sequences));
    head_next(splice->next, splice->next, sequences, context);
    splice->texts = 0;
    for (int64_t r = 0; r < sequences * context; r++) {
        if (tokens_is_text(splice->special, ids[r]))
            splice->text[splice->texts++] = r;
        if (splice->next[r] == splice->special.pad)
            splice->next[r] = -1;
    }
done:
    return st;
}

void splice_add_rows(struct splice *splice, struct tap tap, double *sum)
{
    forward_to(&splice->forward, tap);
    for (int64_t i = 0; i < splice->texts; i++) {
        const float *row = splice->forward.values + splice->text[i] * splice->forward.width;
        for (int32_t k = 0; k < splice->forward.width; k++)
            sum[k] += (double)row[k];
    }
}

/* Set the rows of text to one row; NULL is zero. */
static void set_rows(struct splice *splice, const float *row)
{
    const size_t bytes = (size_t)splice->forward.width * sizeof *row;

    for (int64_t i = 0; i < splice->texts; i++) {
        float *to = splice->forward.values + splice->text[i] * splice->forward.width;
        if (row == NULL)
            memset(to, 0, bytes);
        else
            memcpy(to, row, bytes);
    }
}

/* Go on to the end, and keep the last residual stream as that of run number `run`. */
static void finish_run(struct splice *splice, int run)
{
    struct forward *forward = &splice->forward;

    forward_to(forward, forward_end(forward));
    memcpy(splice->streams + run * forward->rows * forward->width, forward->values,
           (size_t)(forward->rows * forward->width) * sizeof(float));
}

/* --- an autoencoder ------------------------------------------------------------------ */

/* Add up what a tile of rows says.
 *   text [rows]  where in the block they are */
static void add_tile(const struct splice *splice, struct score_sums *sums, int sae,
                     const int64_t *text, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        const struct fidelity *row = &splice->fidelity[i];
        double *sum = scores_sums_of_sae(sums, scores_sums_span(text[i] % sums->context), sae);
        const double x = sqrt(row->x_square), y = sqrt(row->y_square);

        sum[SAE_L0] += splice->l0[i];
        sum[SAE_L1] += splice->l1[i];
        sum[SAE_ERROR] += row->error;
        sum[SAE_Y_SQUARE] += row->y_square;
        sum[SAE_DOT] += row->dot;
        sum[SAE_COSINE] += x > 0 && y > 0 ? row->dot / (x * y) : 0;
        sum[SAE_L2_RATIO] += x > 0 ? y / x : 0;
    }
}

/* Rows of text of the site where the model stands.
 *   to     [rows, width]
 *   text   [rows]   where in the block they are */
static void take_rows(const struct splice *splice, float *to, const int64_t *text, int64_t rows)
{
    const int32_t width = splice->forward.width;

    for (int64_t i = 0; i < rows; i++)
        memcpy(to + i * width, splice->forward.values + text[i] * width,
               (size_t)width * sizeof *to);
}

/* Put reconstructions in the place of the rows of text, and measure them.  What they are made
 * from is `read`, or NULL: the same rows. */
static void reconstruct(struct splice *splice, struct score_sums *sums, int number,
                        int64_t *fired, const struct sae *sae, const float *read)
{
    const int32_t width = splice->forward.width;
    const size_t bytes = (size_t)width * sizeof(float);

    for (int64_t from = 0; from < splice->texts; from += TILE_ROWS) {
        const int64_t rows = min_int64(TILE_ROWS, splice->texts - from);
        const int64_t *text = splice->text + from;

        const float *from_rows = read == NULL ? splice->x : read + from * sae->inputs;

        take_rows(splice, splice->x, text, rows);
        sae_encode(sae, splice->f, from_rows, rows);
        sae_decode(sae, splice->y, splice->f, from_rows, rows);
        measure_sparsity(splice->l0, splice->l1, splice->f, rows, sae->latents);
        measure_firing(fired, splice->f, rows, sae->latents);
        measure_fidelity(splice->fidelity, splice->x, splice->y, rows, width);
        add_tile(splice, sums, number, text, rows);
        for (int64_t i = 0; i < rows; i++)
            memcpy(splice->forward.values + text[i] * width, splice->y + i * width, bytes);
    }
}

/* --- all of it ----------------------------------------------------------------------- */

static void add_variance(const struct splice *splice, struct score_sums *sums,
                         const float *mean)
{
    const int32_t width = splice->forward.width;
    struct fidelity row;

    for (int64_t i = 0; i < splice->texts; i++) {
        const int64_t r = splice->text[i];
        double *sum = scores_sums_of_model(sums, scores_sums_span(r % sums->context));
        measure_fidelity(&row, splice->forward.values + r * width, mean, 1, width);
        sum[MODEL_ROWS]++;
        sum[MODEL_VARIANCE] += row.error;
    }
}

/* Losses and divergences of all runs. */
static void add_losses(struct splice *splice, struct score_sums *sums, int count)
{
    const int64_t rows = splice->forward.rows, width = splice->forward.weights->config.width;
    const int runs = RUN_SAES + count;
    struct head_task *tasks = allocate(runs, sizeof *tasks);

    for (int run = 0; run < runs; run++)
        tasks[run] = (struct head_task){
            .stream = splice->streams + run * rows * width,
            .loss = splice->losses + run * rows,
            .kl = run < RUN_SAES ? NULL : splice->kls + (run - RUN_SAES) * rows,
        };
    head_score(&splice->head, tasks, runs, splice->next, rows);
    for (int64_t r = 0; r < rows; r++) {
        const int span = scores_sums_span(r % sums->context);
        double *model = scores_sums_of_model(sums, span);
        if (splice->next[r] < 0)
            continue;
        model[MODEL_PREDICTIONS]++;
        model[MODEL_LOSS] += (double)tasks[RUN_AS_IT_IS].loss[r];
        model[MODEL_LOSS_ZERO] += (double)tasks[RUN_ZERO].loss[r];
        model[MODEL_LOSS_MEAN] += (double)tasks[RUN_MEAN].loss[r];
        for (int i = 0; i < count; i++)
            scores_sums_of_sae(sums, span, i)[SAE_LOSS] += (double)tasks[RUN_SAES + i].loss[r];
    }
    for (int64_t i = 0; i < splice->texts; i++) {
        const int64_t r = splice->text[i];
        const int span = scores_sums_span(r % sums->context);
        for (int k = 0; k < count; k++)
            scores_sums_of_sae(sums, span, k)[SAE_KL] += (double)tasks[RUN_SAES + k].kl[r];
    }
    free(tasks);
}

enum status splice_score(struct splice *splice, struct score_sums *sums, int64_t **fired,
                         struct splice_place place, const float *mean,
                         const struct sae *saes, int count)
{
    struct forward *forward = &splice->forward;
    const struct lm_config *config = &forward->weights->config;
    const struct tap tap = place.replaced;
    const bool transcode = site_tap_step(place.read) < site_tap_step(tap);
    const int32_t inputs = lm_site_width(config, place.read.site);
    const int32_t outputs = lm_site_width(config, tap.site);
    struct forward_state *kept = &splice->kept;

    assert(count <= splice->saes && sums->context == forward->context);
    for (int i = 0; i < count; i++)
        if (saes[i].inputs != inputs || saes[i].outputs != outputs)
            return refuse(E_FORMAT, "an autoencoder that makes rows of %d values from %d cannot "
                          "be spliced in where %d are made from %d", (int)saes[i].outputs,
                          (int)saes[i].inputs, (int)outputs, (int)inputs);
    if (kept->residual == NULL || site_tap_step(kept->tap) != site_tap_step(tap)) {
        forward_state_free(kept);
        forward_state_make(kept, forward, tap);
    }
    if (transcode) {
        forward_to(forward, place.read);
        take_rows(splice, splice->read, splice->text, splice->texts);
    }
    forward_to(forward, tap);
    forward_save(forward, kept);
    add_variance(splice, sums, mean);
    finish_run(splice, RUN_AS_IT_IS);
    forward_load(forward, kept);
    set_rows(splice, NULL);
    finish_run(splice, RUN_ZERO);
    forward_load(forward, kept);
    set_rows(splice, mean);
    finish_run(splice, RUN_MEAN);
    for (int i = 0; i < count; i++) {
        assert(saes[i].latents <= splice->latents);
        forward_load(forward, kept);
        reconstruct(splice, sums, i, fired[i], &saes[i], transcode ? splice->read : NULL);
        finish_run(splice, RUN_SAES + i);
    }
    add_losses(splice, sums, count);
    return OK;
}
