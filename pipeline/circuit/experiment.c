#include "circuit/experiment.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/minmax.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* --- blocks ------------------------------------------------------------------------------ */

int64_t experiment_sequences(const struct experiment_setup *s)
{
    const int64_t most = max_int64(1, EXPERIMENT_ROWS / s->context);
    const int64_t blocks = split_blocks(s->prompts, most);

    return split_blocks(s->prompts, blocks);
}

struct range experiment_blocks(const struct experiment_setup *s, int rank, int size)
{
    return split_range(split_blocks(s->prompts, experiment_sequences(s)), rank, size);
}

struct range experiment_prompts(const struct experiment *e, int64_t block)
{
    return split_block(e->setup.prompts, e->sequences, e->blocks.first + block);
}

struct range experiment_questions(const struct experiment *e, struct range prompts)
{
    const struct question *questions = e->setup.questions;
    struct range range = { 0, 0 };

    while (range.first < e->setup.count && questions[range.first].prompt < prompts.first)
        range.first++;
    for (range.end = range.first; range.end < e->setup.count; range.end++)
        if (questions[range.end].prompt >= prompts.end)
            break;
    return range;
}

int64_t experiment_row(const struct experiment *e, struct range prompts, int64_t question)
{
    const struct question *q = &e->setup.questions[question];

    return (q->prompt - prompts.first) * e->setup.context + q->position;
}

static float *own_scratch(const struct experiment *e)
{
    return e->scratch + omp_get_thread_num()
                        * graph_forward_scratch(e->setup.graph, &e->setup.weights->config);
}

/* --- logits ------------------------------------------------------------------------------ */

/* The last streams at a block's questions. */
static void end_block(struct experiment *e, int64_t block, const struct graph_edges *edges)
{
    const struct range prompts = experiment_prompts(e, block),
                       questions = experiment_questions(e, prompts);
    const int64_t width = e->setup.weights->config.width;

    for (int64_t i = questions.first; i < questions.end; i++) {
        const int64_t row = experiment_row(e, prompts, i);
        graph_forward_end(&e->forwards[block], edges, e->streams + i * width, &row, 1);
    }
}

/* Each row is one rank's; the others add 0. */
static void share(const struct experiment *e, float *rows)
{
    MPI_Allreduce(MPI_IN_PLACE, rows, comm_count(e->setup.count * e->setup.weights->config.width),
                  MPI_FLOAT, MPI_SUM, e->comm);
}

/* What is done with the logits of `count` questions, from number `from` on. */
typedef void take_logits(struct experiment *e, int64_t from, int64_t count, const float *logits);

/* Give every rank the last streams of all, and hand on the logits of this rank's tiles.
 * Collective. */
static void visit_logits(struct experiment *e, take_logits *take)
{
    const struct lm_config *c = &e->setup.weights->config;
    const int64_t tile = e->head.tile;

    if (!e->shared)
        share(e, e->streams);
    e->shared = true;
    for (int64_t from = e->rank * tile; from < e->setup.count; from += e->size * tile) {
        const int64_t count = min_int64(tile, e->setup.count - from);
        head_logits(&e->head, e->logits, e->streams + from * c->width, count);
        take(e, from, count, e->logits);
    }
}

/* The questions of the first rank's tiles, which are as many as any rank's, or more. */
static int64_t questions_of_rank(const struct experiment_setup *s, const struct lm_config *c,
                                 int size)
{
    const int64_t tile = head_tile(c), tiles = split_blocks(s->count, tile);

    return min_int64(s->count, split_blocks(tiles, size) * tile);
}

/* The clean logits of the tile that begins at question `from`: a rank keeps its own tiles. */
static float *clean_of(const struct experiment *e, int64_t from)
{
    const int64_t before = from / e->head.tile / e->size;

    return e->clean + before * e->head.tile * e->setup.weights->config.outputs;
}

static void keep_clean(struct experiment *e, int64_t from, int64_t count, const float *logits)
{
    const int64_t outputs = e->setup.weights->config.outputs;

    memcpy(clean_of(e, from), logits, (size_t)(count * outputs) * sizeof *logits);
}

void experiment_clear_streams(struct experiment *e)
{
    e->shared = false;
    memset(e->streams, 0,
           (size_t)(e->setup.count * e->setup.weights->config.width) * sizeof *e->streams);
}

/* --- making it --------------------------------------------------------------------------- */

int64_t experiment_bytes(const struct experiment_setup *s, const struct lm_config *c, int size,
                         int threads)
{
    const struct range blocks = experiment_blocks(s, 0, size);
    const int64_t each = experiment_sequences(s);
    const int64_t floats = s->count * c->width
                         + (questions_of_rank(s, c, size) + 2 * head_tile(c)) * c->outputs
                         + (s->graph == NULL ? 0 : threads * graph_forward_scratch(s->graph, c));
    int64_t bytes = floats * (int64_t)sizeof(float) + head_bytes(c)
                  + (s->prompts + s->count) * (int64_t)sizeof(double);

    if (s->graph == NULL)
        return bytes;
    for (int64_t block = blocks.first; block < blocks.end; block++)
        bytes += graph_forward_bytes(s->graph, c,
                                     range_length(split_block(s->prompts, each, block)),
                                     s->context);
    return bytes;
}

/* Make a block, and run its clean prompts. */
static void begin_block(struct experiment *e, int64_t block, const struct graph_edges *none)
{
    const struct experiment_setup *s = &e->setup;
    const struct range prompts = experiment_prompts(e, block);

    graph_forward_make(&e->forwards[block], s->graph, s->weights, range_length(prompts),
                       s->context);
    graph_forward_reference(&e->forwards[block], s->clean + prompts.first * s->context,
                            range_length(prompts), false, own_scratch(e));
    end_block(e, block, none);
}

/* The reference of a block; its clean run becomes the run. */
static void refer_block(struct experiment *e, int64_t block)
{
    const struct experiment_setup *s = &e->setup;
    const int64_t at = experiment_prompts(e, block).first * s->context;
    const bool zero = s->corrupted == NULL;

    graph_forward_refer(&e->forwards[block], (zero ? s->clean : s->corrupted) + at, zero,
                        own_scratch(e));
}

/* The clean logits of all prompts, then the references.  Collective. */
static void run_references(struct experiment *e)
{
    const int64_t blocks = range_length(e->blocks);
    struct graph_edges none;

    e->forwards = allocate(blocks, sizeof *e->forwards);
    e->scratch = allocate_big(omp_get_max_threads()
                              * graph_forward_scratch(e->setup.graph, &e->setup.weights->config),
                              sizeof(float));
    graph_edges_make(&none, e->setup.graph, false);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++)
        begin_block(e, block, &none);
    graph_edges_free(&none);
    visit_logits(e, keep_clean);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++)
        refer_block(e, block);
    e->whole = true;
}

/* Are all ids in the vocabulary? */
static enum status check_ids(const struct experiment_setup *s)
{
    const struct lm_config *c = &s->weights->config;
    const int64_t rows = s->prompts * s->context;
    enum status st;

    TRY(forward_check(c, s->clean, rows, s->context));
    TRY(forward_check(c, s->corrupted, s->corrupted == NULL ? 0 : rows, s->context));
done:
    return st;
}

enum status experiment_make(struct experiment *e, const struct experiment_setup *setup,
                            MPI_Comm comm)
{
    const struct lm_config *c = &setup->weights->config;
    enum status st;

    *e = (struct experiment){ .setup = *setup,
                              .comm = comm,
                              .sequences = experiment_sequences(setup) };
    MPI_Comm_rank(comm, &e->rank);
    MPI_Comm_size(comm, &e->size);
    e->blocks = experiment_blocks(setup, e->rank, e->size);
    head_make(&e->head, setup->weights);
    e->streams = allocate(setup->count * c->width, sizeof(float));
    e->clean = allocate_big(questions_of_rank(setup, c, e->size) * c->outputs, sizeof(float));
    e->logits = allocate(e->head.tile * c->outputs, sizeof(float));
    e->scores = allocate(setup->count, sizeof *e->scores);
    e->values = allocate(setup->prompts, sizeof *e->values);
    TRY_ALL(comm, check_ids(setup));
    if (setup->graph != NULL)
        run_references(e);
done:
    return st;
}

void experiment_free(struct experiment *e)
{
    for (int64_t block = 0; e->forwards != NULL && block < range_length(e->blocks); block++)
        graph_forward_free(&e->forwards[block]);
    free(e->forwards);
    head_free(&e->head);
    free(e->scratch);
    free(e->streams);
    free(e->clean);
    free(e->logits);
    free(e->scores);
    free(e->values);
    *e = (struct experiment){0};
}

/* --- values ------------------------------------------------------------------------------ */

/* The questions of a prompt. */
static int64_t questions_of_prompt(const struct experiment *e, int64_t question)
{
    const struct question *q = e->setup.questions;
    int64_t first = question, end = question;

    while (first > 0 && q[first - 1].prompt == q[question].prompt)
        first--;
    while (end < e->setup.count && q[end].prompt == q[question].prompt)
        end++;
    return end - first;
}

static void measure(struct experiment *e, int64_t from, int64_t count, const float *logits)
{
    const int32_t outputs = e->setup.weights->config.outputs;
    const float *clean = clean_of(e, from);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; i++)
        e->scores[from + i] = metric_value(e->setup.metric, &e->setup.questions[from + i],
                                           logits + i * outputs, clean + i * outputs, outputs);
}

/* From scores of questions to values of prompts, and their mean. */
static double average(struct experiment *e)
{
    double sum = 0;

    for (int64_t p = 0; p < e->setup.prompts; p++)
        e->values[p] = 0;
    for (int64_t i = 0; i < e->setup.count; i++)
        e->values[e->setup.questions[i].prompt] += e->scores[i]
                                                   / (double)questions_of_prompt(e, i);
    for (int64_t p = 0; p < e->setup.prompts; p++)
        sum += e->values[p];
    return sum / (double)e->setup.prompts;
}

static void measure_clean(struct experiment *e, int64_t from, int64_t count, const float *logits)
{
    keep_clean(e, from, count, logits);
    measure(e, from, count, logits);
}

static double measure_with(struct experiment *e, take_logits *take)
{
    memset(e->scores, 0, (size_t)e->setup.count * sizeof *e->scores);
    visit_logits(e, take);
    /* Each score is one rank's; the others add 0. */
    MPI_Allreduce(MPI_IN_PLACE, e->scores, comm_count(e->setup.count), MPI_DOUBLE, MPI_SUM,
                  e->comm);
    return average(e);
}

double experiment_measure(struct experiment *e)
{
    return measure_with(e, measure);
}

double experiment_measure_clean(struct experiment *e)
{
    return measure_with(e, measure_clean);
}

double experiment_value(struct experiment *e, const struct graph_edges *edges, int32_t receiver)
{
    e->whole = false;
    experiment_clear_streams(e);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < range_length(e->blocks); block++) {
        graph_forward_run(&e->forwards[block], edges, receiver, own_scratch(e));
        end_block(e, block, edges);
    }
    return experiment_measure(e);
}

/* Gradients of a tile of questions. */
static void differentiate(struct experiment *e, int64_t from, int64_t count, const float *logits)
{
    const int64_t width = e->setup.weights->config.width;
    const int32_t outputs = e->setup.weights->config.outputs;
    const float *clean = clean_of(e, from);
    float *by_logits = allocate(count * outputs, sizeof *by_logits);
    int64_t *rows = allocate(count, sizeof *rows);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < count; i++) {
        const double share = 1 / (double)(e->setup.prompts * questions_of_prompt(e, from + i));
        rows[i] = i;
        metric_gradient(e->setup.metric, &e->setup.questions[from + i], by_logits + i * outputs,
                        logits + i * outputs, clean + i * outputs, outputs);
        for (int64_t j = 0; j < outputs; j++)
            by_logits[i * outputs + j] *= (float)share;
    }
    head_back(&e->head, e->gradients + from * width, by_logits, e->streams + from * width, count,
              rows, count);
    free(rows);
    free(by_logits);
}

void experiment_gradients(struct experiment *e, float *gradients)
{
    e->gradients = gradients;
    memset(gradients, 0,
           (size_t)(e->setup.count * e->setup.weights->config.width) * sizeof *gradients);
    visit_logits(e, differentiate);
    share(e, gradients);
}

const double *experiment_values(const struct experiment *e)
{
    return e->values;
}
