#include "circuit/experiment.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/minmax.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* --- blocks ------------------------------------------------------------------------------ */

static int64_t block_sequences(const struct experiment_setup *s)
{
    return min_int64(s->prompts, max_int64(1, EXPERIMENT_ROWS / s->context));
}

static int64_t blocks_of(const struct experiment_setup *s, int rank, int size)
{
    return (split_blocks(s->prompts, block_sequences(s)) - rank + size - 1) / size;
}

struct range experiment_prompts(const struct experiment *e, int64_t block)
{
    return split_block(e->setup.prompts, e->sequences, block * e->size + e->rank);
}

/* The questions of those prompts, which lie one after the other. */
static struct range questions_of(const struct experiment *e, struct range prompts)
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

/* --- logits ------------------------------------------------------------------------------ */

/* What is done with the logits of a question. */
typedef void take_logits(struct experiment *e, int64_t question, const float *logits);

/* Compute the logits at all questions of a block and hand them on, a tile at a time. */
static void visit_logits(struct experiment *e, int64_t block, const struct graph_edges *edges,
                         take_logits *take)
{
    const struct range prompts = experiment_prompts(e, block), all = questions_of(e, prompts);
    const int64_t outputs = e->setup.weights->config.outputs;
    int64_t *rows = allocate(e->head.tile, sizeof *rows);

    for (int64_t from = all.first; from < all.end; from += e->head.tile) {
        const int64_t count = min_int64(e->head.tile, all.end - from);
        for (int64_t i = 0; i < count; i++) {
            const struct question *q = &e->setup.questions[from + i];
            rows[i] = (q->prompt - prompts.first) * e->setup.context + q->position;
        }
        graph_forward_end(&e->forwards[block], edges, e->stream, rows, count);
        head_logits(&e->head, e->logits, e->stream, count);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < count; i++)
            take(e, from + i, e->logits + i * outputs);
    }
    free(rows);
}

static void keep_clean(struct experiment *e, int64_t question, const float *logits)
{
    const int64_t outputs = e->setup.weights->config.outputs;

    memcpy(e->clean + question * outputs, logits, (size_t)outputs * sizeof *logits);
}

/* --- making it --------------------------------------------------------------------------- */

int64_t experiment_bytes(const struct experiment_setup *s, const struct lm_config *c, int size,
                         int threads)
{
    const int64_t logits = s->count * c->outputs * (int64_t)sizeof(float);

    return blocks_of(s, 0, size) * graph_forward_bytes(s->graph, c, block_sequences(s), s->context,
                                                       threads)
         + 2 * head_bytes(c) + logits + (s->prompts + s->count) * (int64_t)sizeof(double);
}

/* The clean run of a block, then its reference, then the start of its run. */
static enum status prepare(struct experiment *e, int64_t block, const struct graph_edges *none)
{
    const struct experiment_setup *s = &e->setup;
    struct graph_forward *f = &e->forwards[block];
    const struct range prompts = experiment_prompts(e, block);
    const int32_t *clean = s->clean + prompts.first * s->context;
    enum status st;

    TRY(graph_forward_reference(f, clean, range_length(prompts), false));
    visit_logits(e, block, none, keep_clean);
    if (s->corrupted != NULL)
        TRY(graph_forward_reference(f, s->corrupted + prompts.first * s->context,
                                    range_length(prompts), false));
    else
        TRY(graph_forward_reference(f, clean, range_length(prompts), true));
    TRY(graph_forward_start(f, clean));
done:
    return st;
}

static enum status prepare_all(struct experiment *e)
{
    struct graph_edges none = {0};
    enum status st = OK;

    graph_edges_make(&none, e->setup.graph, false);
    for (int64_t block = 0; block < e->blocks; block++)
        TRY(prepare(e, block, &none));
done:
    graph_edges_free(&none);
    return st;
}

enum status experiment_make(struct experiment *e, const struct experiment_setup *setup, MPI_Comm comm)
{
    const struct lm_config *c = &setup->weights->config;
    enum status st;

    *e = (struct experiment){ .setup = *setup, .comm = comm, .sequences = block_sequences(setup) };
    MPI_Comm_rank(comm, &e->rank);
    MPI_Comm_size(comm, &e->size);
    e->blocks = max_int64(0, blocks_of(setup, e->rank, e->size));
    head_make(&e->head, setup->weights);
    e->forwards = allocate(e->blocks, sizeof *e->forwards);
    for (int64_t block = 0; block < e->blocks; block++)
        graph_forward_make(&e->forwards[block], setup->graph, setup->weights, e->sequences,
                           setup->context);
    e->clean = allocate_big(setup->count * c->outputs, sizeof(float));
    e->logits = allocate(e->head.tile * c->outputs, sizeof(float));
    e->stream = allocate(e->head.tile * c->width, sizeof(float));
    e->scores = allocate(setup->count, sizeof *e->scores);
    e->values = allocate(setup->prompts, sizeof *e->values);
    TRY_ALL(comm, prepare_all(e));
done:
    return st;
}

void experiment_free(struct experiment *e)
{
    for (int64_t block = 0; block < e->blocks; block++)
        graph_forward_free(&e->forwards[block]);
    free(e->forwards);
    head_free(&e->head);
    free(e->clean);
    free(e->logits);
    free(e->stream);
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

/* Threads take the questions of a prompt in any order, so each adds a value of its own. */
static void measure(struct experiment *e, int64_t question, const float *logits)
{
    const int32_t outputs = e->setup.weights->config.outputs;
    const struct question *q = &e->setup.questions[question];

    e->scores[question] = metric_value(e->setup.metric, q, logits, e->clean + question * outputs,
                                       outputs);
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

double experiment_value(struct experiment *e, const struct graph_edges *edges, int32_t receiver)
{
    memset(e->scores, 0, (size_t)e->setup.count * sizeof *e->scores);
    for (int64_t block = 0; block < e->blocks; block++) {
        graph_forward_run(&e->forwards[block], edges, receiver);
        visit_logits(e, block, edges, measure);
    }
    /* Each score is one rank's; the others add 0. */
    MPI_Allreduce(MPI_IN_PLACE, e->scores, comm_count(e->setup.count), MPI_DOUBLE, MPI_SUM, e->comm);
    return average(e);
}

const double *experiment_values(const struct experiment *e)
{
    return e->values;
}
