#include "methods/ioi.h"
#include "base/allocate.h"
#include "base/split.h"
#include "heads/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a field has a number for. */
enum per { PER_PROMPT, PER_LAYER, PER_HEAD, PER_CLASS };

static const struct {
    const char *name;
    enum per    per;
} FIELDS[IOI_FIELDS] = {
    [IOI_DIFFERENCE]       = { "logit_difference", PER_PROMPT },
    [IOI_CORRUPTED]        = { "logit_difference_corrupted", PER_PROMPT },
    [IOI_PROBABILITY]      = { "probability", PER_PROMPT },
    [IOI_FIRST]            = { "first", PER_PROMPT },
    [IOI_DIRECT_EMBEDDING] = { "direct_embedding", PER_PROMPT },
    [IOI_DIRECT_BIAS]      = { "direct_bias", PER_PROMPT },
    [IOI_DIRECT_ATTN_BIAS] = { "direct_attn_bias", PER_LAYER },
    [IOI_DIRECT_MLP]       = { "direct_mlp", PER_LAYER },
    [IOI_DIRECT_HEAD]      = { "direct_head", PER_HEAD },
    [IOI_DIRECT_ANSWER]    = { "direct_head_answer", PER_HEAD },
    [IOI_DIRECT_WRONG]     = { "direct_head_wrong", PER_HEAD },
    [IOI_KNOCKED_END]      = { "knocked_out_end", PER_HEAD },
    [IOI_KNOCKED_ALL]      = { "knocked_out", PER_HEAD },
    [IOI_ATTENTION]        = { "attention", PER_CLASS },
};

const char *ioi_field_name(enum ioi_field field)
{
    return FIELDS[field].name;
}

int64_t ioi_field_columns(enum ioi_field field, const struct lm_config *config)
{
    const int64_t heads = (int64_t)config->layers * config->heads;

    switch (FIELDS[field].per) {
    case PER_LAYER:
        return config->layers;
    case PER_HEAD:
        return heads;
    case PER_CLASS:
        return heads * PROMPTS_CLASSES;
    default:
        return 1;
    }
}

/* --- the results --------------------------------------------------------------------- */

static void results_make(struct ioi_results *results, const struct circuit *circuit)
{
    for (int f = 0; f < IOI_FIELDS; f++)
        results->field[f] = allocate(circuit->prompts->count
                                     * ioi_field_columns((enum ioi_field)f, circuit->config),
                                     sizeof(double));
}

static void results_free(struct ioi_results *results)
{
    for (int f = 0; f < IOI_FIELDS; f++)
        free(results->field[f]);
}

static double results_bytes(const struct lm_config *config, int64_t prompts)
{
    int64_t columns = 0;

    for (int f = 0; f < IOI_FIELDS; f++)
        columns += ioi_field_columns((enum ioi_field)f, config);
    return (double)(prompts * columns) * sizeof(double);
}

/* The blocks of a rank, and their prompts. */
static struct range blocks_of(const struct circuit *circuit, int rank)
{
    return split_range(split_blocks(circuit->prompts->count, circuit->suite->circuit.block), rank,
                       circuit->run->size);
}

static struct range prompts_of(const struct circuit *circuit, int rank)
{
    const struct range blocks = blocks_of(circuit, rank);
    const int64_t block = circuit->suite->circuit.block, count = circuit->prompts->count;

    return (struct range){ blocks.first * block < count ? blocks.first * block : count,
                           blocks.end * block < count ? blocks.end * block : count };
}

/* Gather a field from the ranks that computed its prompts, on rank 0.  Collective. */
static void gather_field(double *field, int64_t columns, const struct circuit *circuit)
{
    const int size = circuit->run->size, rank = circuit->run->rank;
    const struct range own = prompts_of(circuit, rank);
    int *counts = allocate(2 * size, sizeof *counts), *starts = counts + size;

    for (int r = 0; r < size; r++) {
        const struct range range = prompts_of(circuit, r);
        counts[r] = comm_count(range_length(range) * columns);
        starts[r] = comm_count(range.first * columns);
    }
    if (rank == 0)
        MPI_Gatherv(MPI_IN_PLACE, 0, MPI_DOUBLE, field, counts, starts, MPI_DOUBLE, 0,
                    circuit->run->comm);
    else
        MPI_Gatherv(field + own.first * columns, counts[rank], MPI_DOUBLE, NULL, NULL, NULL,
                    MPI_DOUBLE, 0, circuit->run->comm);
    free(counts);
}

/* --- what it takes ------------------------------------------------------------------- */

static int64_t tasks(const struct suite *suite)
{
    (void)suite;
    return 1;
}

static void name_task(char name[METHODS_NAME], const struct suite *suite, int64_t task)
{
    (void)suite, (void)task;
    snprintf(name, METHODS_NAME, "ioi");
}

static enum status check_prompts(const struct prompts *prompts)
{
    enum status st = OK;

    for (int64_t p = 0; p < prompts->count; p++) {
        const struct prompts_lists *answers = &prompts->answers, *wrong = &prompts->wrong;
        REQUIRE(answers->first[p] < answers->first[p + 1] && wrong->first[p] < wrong->first[p + 1],
                E_USAGE,
                "prompt %lld has no %s, but the method ioi compares answers with wrong "
                "ones",
                (long long)p + 1,
                answers->first[p] < answers->first[p + 1] ? "\"wrong\"" : "\"answers\"");
        REQUIRE(prompts->positions.first[p + 1] - prompts->positions.first[p] == 1, E_USAGE,
                "prompt %lld has %d \"positions\", but the method ioi looks at one",
                (long long)p + 1, prompts->positions.first[p + 1] - prompts->positions.first[p]);
    }
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    int64_t heads;
    enum status st;

    TRY(heads_count(&heads, suite, config));
    TRY(check_prompts(prompts));
done:
    return st;
}

static int64_t bytes_of(const struct suite *suite, const struct lm_config *config,
                        struct circuit_shape shape)
{
    return ioi_worker_bytes(suite, config, shape) + template_means_bytes(config, shape)
           + (int64_t)results_bytes(config, shape.prompts);
}

/* Three passes, and for each head that is knocked out two from its layer on. */
static double work_of(const struct suite *suite, const struct lm_config *config,
                      struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };
    const double whole = forward_work(config, end, shape.tokens), logits = head_work(config);
    bool *chosen = allocate((int64_t)config->layers * config->heads, sizeof *chosen);
    double work = 3 * whole + 2 * logits;

    if (heads_choose(chosen, suite, config) != OK)
        refuse_clear();     /* check() will refuse it */
    for (int layer = 0; layer < config->layers; layer++)
        for (int32_t h = 0; h < config->heads; h++)
            if (chosen[layer * config->heads + h])
                work += 2 * (whole - forward_work(config, (struct tap){ SITE_ATTN, layer },
                                                  shape.tokens) + logits);
    free(chosen);
    return work * (double)shape.prompts;
}

/* --- the task ------------------------------------------------------------------------ */

/* Local. */
static enum status compute_block(struct ioi_worker *worker, struct ioi_results *results,
                                 int64_t block)
{
    const struct circuit *circuit = worker->circuit;

    return ioi_worker_run(worker, results, split_block(circuit->prompts->count,
                                                       circuit->suite->circuit.block, block));
}

/* Each rank computes its blocks.  Collective. */
static enum status compute(struct ioi_worker *worker, struct ioi_results *results)
{
    const struct circuit *circuit = worker->circuit;
    const struct range mine = blocks_of(circuit, circuit->run->rank);
    const int64_t rounds = range_length(blocks_of(circuit, 0));     /* rank 0 has most */
    const double since = MPI_Wtime();
    enum status st = OK;

    for (int64_t r = 0; r < rounds; r++) {
        const int64_t block = mine.first + r;
        TRY_ALL(circuit->run->comm, block < mine.end ? compute_block(worker, results, block) : OK);
        run_progress(circuit->run, "knocked out", since, 0, r + 1, rounds, "blocks of prompts");
        TRY(run_stopping(circuit->run) ? run_stopped() : OK);
    }
    for (int f = 0; f < IOI_FIELDS; f++)
        gather_field(results->field[f], ioi_field_columns((enum ioi_field)f, circuit->config),
                     circuit);
done:
    return st;
}

/* Local. */
static enum status check_finite(const struct circuit *circuit, const struct ioi_results *results)
{
    enum status st = OK;

    for (int64_t p = 0; p < circuit->prompts->count; p++)
        REQUIRE(isfinite(results->field[IOI_DIFFERENCE][p]), E_NUMERIC, "the logits of prompt %lld "
                "are infinite or not numbers", (long long)p + 1);
done:
    return st;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    struct template_means means = {0};
    struct ioi_worker worker = {0};
    struct ioi_results results;
    char name[METHODS_NAME];
    enum status st;

    name_task(name, circuit->suite, task);
    results_make(&results, circuit);
    ioi_worker_make(&worker, circuit);
    TRY(template_means_find(&means, circuit, &worker.forward));
    worker.means = &means;
    TRY(compute(&worker, &results));
    TRY_ROOT(circuit->run->comm, check_finite(circuit, &results));
    TRY_ROOT(circuit->run->comm, ioi_files_write(circuit, &results, name));
done:
    ioi_worker_free(&worker);
    template_means_free(&means);
    results_free(&results);
    return st;
}

const struct circuit_method IOI_METHOD = {
    .tasks = tasks, .name = name_task, .check = check, .bytes = bytes_of, .work = work_of,
    .disk = ioi_files_bytes, .run = run_task,
};
