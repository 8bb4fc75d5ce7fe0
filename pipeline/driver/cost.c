#include "driver/cost.h"
#include "base/split.h"
#include "corpus/corpus.h"
#include "corpus/selection.h"
#include "driver/layout.h"
#include "lm/forward.h"
#include "shard/stream.h"
#include "shuffle/shuffle_plan.h"
#include "train/resume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* On disk, of a row's origin (document, position, token) with every stream; the file that
 * holds it all shrinks to about that. */
static const double ORIGIN_BYTES = 8;

/* Rows of float32 have 16 bits that nearly do not shrink. */
static double kept_of(const struct suite *suite, const struct rates *rates)
{
    return suite->harvest.store == STORE_F32 ? (1 + rates->kept) / 2 : rates->kept;
}

double cost_forward(const struct lm_config *model, const struct suite *suite, int layers)
{
    const double heads = (double)model->heads * model->head_width;
    const double kv = (double)model->kv_heads * model->head_width;
    const double matrices = (double)model->width * (2 * heads + 2 * kv)
                            + (double)model->width * model->mlp_width * (model->gated ? 3 : 2);
    double flops = 0;

    for (int layer = 0; layer < layers; layer++) {
        double seen = (double)suite->corpus.context / 2;
        if (model->window[layer] > 0 && model->window[layer] < seen)
            seen = model->window[layer];
        flops += 2 * matrices + 4 * heads * seen;
    }
    return flops;
}

double cost_logits(const struct lm_config *model)
{
    return 2.0 * model->width * model->vocabulary;
}

/* --- text -------------------------------------------------------------------------- */

/* Bytes of text, compressed: what is not shrinks to about a third. */
static enum status text_bytes(double *bytes, int64_t *files, const struct suite *suite)
{
    struct corpus corpus = {0};
    int64_t size;
    enum status st;

    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    *files = corpus.files;
    for (int f = 0; f < corpus.files; f++) {
        TRY(file_size(corpus.paths[f], &size));
        *bytes += (double)size / (path_ends(corpus.paths[f], ".zst") ? 1 : 3);
    }
done:
    corpus_free(&corpus);
    return st;
}

/* The exact number of sequences, where tokenize is done. */
static bool count_sequences(struct cost *cost, const struct suite *suite)
{
    struct selection harvest = {0}, evaluate = {0};
    const bool known = selection_of_harvest(&harvest, suite) == OK
                       && selection_of_evaluate(&evaluate, suite) == OK;

    if (known) {
        cost->tokens = (double)(harvest.sequences * suite->corpus.context);
        cost->held_out = (double)(evaluate.sequences * suite->corpus.context);
    }
    selection_close(&harvest);
    selection_close(&evaluate);
    refuse_clear();
    return known;
}

static enum status count_text(struct cost *cost, const struct suite *suite,
                              const struct rates *rates)
{
    struct stage_cost *tokenize = &cost->stage[STAGE_TOKENIZE];
    const double wanted = (double)suite->harvest.tokens, context = (double)suite->corpus.context;
    double text = 0, all;
    enum status st = text_bytes(&text, &tokenize->tasks, suite);

    /* Padding is fed to the model, too. */
    const double sequences_rows = rates->rows * context;
    if (st != OK) {     /* no corpus here: as much as is wanted */
        TRY(wanted > 0 ? OK : refuse(E_USAGE, "%s: the corpus is not here, and the suite does not "
                                     "say how much of it to take; give harvest.tokens",
                                     suite->path));
        refuse_clear();
        st = OK;
        text = wanted * rates->token_bytes / (1 - suite->corpus.holdout);
        tokenize->tasks = 1;
    }
    all = text / rates->token_bytes / sequences_rows * context;
    tokenize->work = text;
    tokenize->longest = 1 / (double)tokenize->tasks;
    if (!count_sequences(cost, suite)) {
        const double there = all * (1 - suite->corpus.holdout);
        cost->tokens = wanted > 0 && wanted < there ? wanted : there;
        cost->held_out = all * suite->corpus.holdout;
        if (suite->evaluate.sequences > 0)
            cost->held_out = fmin(cost->held_out, (double)suite->evaluate.sequences * context);
    }
    cost->rows = cost->tokens * rates->rows;
    tokenize->read = text;
    tokenize->written = tokenize->left = 1.5 * all;     /* ids below 2^16 mostly, compressed */
    tokenize->files = (double)tokenize->tasks;
done:
    return st;
}

/* --- activations ------------------------------------------------------------------- */

static void add_passing(struct passing *passing, double bytes)
{
    passing->all += bytes;
    passing->task = fmax(passing->task, bytes);
}

/* Passes but the last that a shuffle makes over a stream, on a task's nodes. */
static int64_t dealings_of(const struct suite *suite, const struct lm_config *model, int64_t rows,
                           int64_t row_bytes, int64_t value_bytes)
{
    const struct nodes nodes = layout_nodes_of_task(STAGE_SHUFFLE, suite);
    const struct shuffle_memory_rows about = {
        .bytes = row_bytes, .value = value_bytes,
        .input_chunk = shuffle_plan_chunk(rows, CHUNK_ROWS),
        .output_chunk = shuffle_plan_chunk(rows, suite->shuffle.shard),
    };
    struct shuffle_plan passes = {0};
    struct shuffle_memory room;

    if (shuffle_memory_make(&room, suite->shuffle.memory,
                  nodes.count * layout_of(STAGE_SHUFFLE, suite, model, nodes).ranks, &about)
        == OK)
        shuffle_plan_make(&passes, rows, suite->shuffle.shard, suite_bucket(suite, rows), &room);
    refuse_clear();
    return passes.partitions;
}

static void count_streams(struct cost *cost, const struct suite *suite,
                          const struct lm_config *model, const struct tasks *tasks,
                          const struct rates *rates)
{
    struct stage_cost *harvest = &cost->stage[STAGE_HARVEST];
    struct stage_cost *shuffle = &cost->stage[STAGE_SHUFFLE];
    const int64_t value = suite->harvest.store == STORE_F32 ? 4 : 2;
    const int64_t rows = (int64_t)cost->rows > 0 ? (int64_t)cost->rows : 1;
    double widest = 0;
    int layers = 0;

    for (int t = 0; t < tasks->taps_count; t++) {
        const int32_t width = lm_site_width(model, tasks->taps[t].site);
        const double bytes = cost->rows * (double)(width * value);
        const int64_t dealings = dealings_of(suite, model, rows, width * value, value);

        cost->raw += bytes;
        shuffle->work += bytes * (double)(1 + dealings);
        shuffle->read += (double)dealings * bytes;
        shuffle->written += (double)dealings * bytes;
        widest = bytes > widest ? bytes : widest;
        if (dealings > 0)
            add_passing(&cost->dealt, bytes);
        layers = tasks->taps[t].layer + 1 > layers ? tasks->taps[t].layer + 1 : layers;
    }
    const int64_t sequences = split_blocks((int64_t)cost->tokens, suite->corpus.context);
    harvest->tasks = split_blocks(sequences, suite->harvest.shard);
    harvest->pieces = split_blocks(sequences < suite->harvest.shard ? sequences
                                   : suite->harvest.shard, suite->harvest.block);
    harvest->work = cost->tokens * cost_forward(model, suite, layers);
    harvest->longest = harvest->tasks > 0 ? 1 / (double)harvest->tasks : 1;
    harvest->left = cost->raw * kept_of(suite, rates)
                    + ORIGIN_BYTES * cost->rows * tasks->taps_count;
    harvest->written = harvest->left;
    harvest->read = cost->stage[STAGE_TOKENIZE].left;
    harvest->files = (double)harvest->tasks * tasks->taps_count;

    shuffle->tasks = tasks->taps_count;
    shuffle->longest = widest / cost->raw;
    shuffle->left = harvest->left;
    shuffle->written += harvest->left;
    shuffle->read += harvest->left;
    shuffle->files = (double)(tasks->taps_count * split_blocks(rows, suite->shuffle.shard));
}

/* --- autoencoders ------------------------------------------------------------------ */

/* What one stream adds to train, evaluate and release. */
static void count_stream_saes(struct cost *cost, const struct suite *suite,
                              const struct lm_config *model, const struct tap_task *task,
                              double row_bytes)
{
    const double total = cost_forward(model, suite, model->layers) + cost_logits(model);
    const double to_tap = cost_forward(model, suite, task->tap.layer + 1);
    const double inputs = lm_site_width(model, task->tap.site);
    struct stage_cost *train = &cost->stage[STAGE_TRAIN];
    struct stage_cost *evaluate = &cost->stage[STAGE_EVALUATE];
    struct stage_cost *release = &cost->stage[STAGE_RELEASE];
    const double arrays = suite->train.beta1 > 0 ? 3 : 2;       /* with the moments */
    double most = 0, work = 0, splices = 0, parameters = 0, largest = 0;

    for (int s = 0; s < task->count; s++) {
        const struct sae_task *sae = &task->saes[s];
        const double rows = (double)(sae->tokens / suite->train.batch * suite->train.batch);
        const double its = 2 * inputs * sae->width + 2.0 * sae->width + inputs;
        work += 2 * rows * inputs * sae->width;
        parameters += its;
        largest = fmax(largest, its);
        splices += (total - to_tap) + 4 * inputs * sae->width;
        most = rows > most ? rows : most;
        train->left += 130 * rows / (double)suite->train.batch;     /* its log */
    }
    if (task->count == 0)
        return;
    /* Two of each, and one that is being written. */
    add_passing(&cost->checkpoints, 4 * arrays * (CHECKPOINTS * parameters + largest));
    train->work += work;
    train->longest = work > train->longest ? work : train->longest;
    train->read += most * row_bytes;
    train->left += 0.93 * 4 * parameters;       /* float32 shrinks little */
    evaluate->work += cost->held_out * (to_tap + 3 * (total - to_tap) + splices);
    evaluate->read += 4 * parameters;
    release->left += 2 * 4 * parameters;        /* in two forms */
    release->read += 4 * parameters;
    train->files += 2 * task->count;
    evaluate->files += task->count;
    release->files += 4 * task->count;
    cost->saes += task->count;
    cost->streams++;
}

static void count_saes(struct cost *cost, const struct suite *suite,
                       const struct lm_config *model, const struct tasks *tasks)
{
    struct stage_cost *train = &cost->stage[STAGE_TRAIN];
    struct stage_cost *evaluate = &cost->stage[STAGE_EVALUATE];
    struct stage_cost *release = &cost->stage[STAGE_RELEASE];
    double widths = 0;

    for (int t = 0; t < tasks->taps_count; t++)
        widths += lm_site_width(model, tasks->taps[t].site);
    for (int t = 0; t < tasks->taps_count; t++)
        count_stream_saes(cost, suite, model, &tasks->train[t],
                          cost->stage[STAGE_SHUFFLE].left / cost->rows
                          * lm_site_width(model, tasks->taps[t].site) / widths);
    train->tasks = evaluate->tasks = cost->streams;
    train->longest = train->work > 0 ? train->longest / train->work : 1;
    evaluate->work += cost->held_out * cost_forward(model, suite, model->layers);    /* means */
    evaluate->longest = cost->streams > 0 ? 1 / (double)cost->streams : 1;
    evaluate->pieces = split_blocks((int64_t)cost->held_out,
                                    suite->harvest.block * suite->corpus.context);
    evaluate->left = 10e3 * evaluate->files;
    train->written = train->left;
    evaluate->written = evaluate->left;
    release->written = release->work = release->left;
    release->tasks = 1;
    release->longest = 1;
    release->files += 4;
}

enum status cost_of(struct cost *cost, const struct suite *suite, const struct lm_config *model,
                    const struct rates *rates)
{
    struct tasks tasks = {0};
    enum status st;

    *cost = (struct cost){0};
    TRY(tasks_make(&tasks, suite, model->layers));
    TRY(count_text(cost, suite, rates));
    count_streams(cost, suite, model, &tasks, rates);
    count_saes(cost, suite, model, &tasks);
done:
    tasks_free(&tasks);
    return st;
}
