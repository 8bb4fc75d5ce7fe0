#include "methods/suppression.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/minmax.h"
#include "base/split.h"
#include "heads/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Arrays of doubles that a sum over blocks has at a time: of the block, in all, on its way. */
enum { ARRAYS = 3 };

/* --- memory ---------------------------------------------------------------------------- */

static int count_variants(const struct suite *suite)
{
    return 2 * (int)suite->circuit.shares_count + 1;
}

static bool has_ranks(const struct lm_config *config, int kind)
{
    return kind == COPY_RANKS_OV || config->qk_norm == LM_QK_NORM_NONE;
}

/* Means of all heads. */
static int64_t count_means(const struct lm_config *c, int64_t tokens)
{
    return tokens * c->layers * c->heads * c->head_width;
}

int64_t suppression_bytes(const struct suite *suite, const struct lm_config *c,
                          struct circuit_shape shape, int64_t heads)
{
    const int variants = count_variants(suite);
    const int64_t kinds = COPY_SUPPRESSION_VARIANTS + variants;
    const int64_t sums = heads * kinds * shape.tokens;
    const int64_t ranks = heads * c->vocabulary * 2 * (int64_t)sizeof(int32_t);
    const int64_t scoring = copy_suppression_bytes(c, shape.tokens, variants, shape.threads)
                          + ARRAYS * max_int64(sums, count_means(c, shape.tokens))
                                * (int64_t)sizeof(double)
                          + count_means(c, shape.tokens) * (int64_t)sizeof(float);

    return ranks + sums * (int64_t)sizeof(double)
         + max_int64(copy_ranks_bytes(c, shape.threads), scoring);
}

static void list_variants(struct suppression *s)
{
    const struct suite_circuit *options = &s->circuit->suite->circuit;

    s->shares = options->shares_count;
    s->variants = count_variants(s->circuit->suite);
    s->variant = allocate(s->variants, sizeof *s->variant);
    for (int64_t i = 0; i < s->shares; i++) {
        s->variant[i].share = s->variant[s->shares + i].share = options->shares[i];
        s->variant[s->shares + i].whole = true;
    }
    s->variant[2 * s->shares].share = 1;
}

void suppression_make(struct suppression *s, const struct circuit *circuit, const bool *chosen)
{
    const int64_t tokens = circuit->prompts->tokens;

    *s = (struct suppression){ .circuit = circuit };
    s->heads = heads_list(&s->head, chosen, circuit->config);
    list_variants(s);
    for (int kind = 0; kind < 2; kind++)
        if (has_ranks(circuit->config, kind))
            s->rank[kind] = allocate(s->heads * circuit->config->vocabulary, sizeof(int32_t));
    s->texts_at = allocate(tokens, sizeof *s->texts_at);
    s->sums = allocate(s->heads * (COPY_SUPPRESSION_VARIANTS + s->variants) * tokens,
                       sizeof *s->sums);
}

void suppression_free(struct suppression *s)
{
    free(s->head);
    free(s->variant);
    free(s->rank[COPY_RANKS_OV]);
    free(s->rank[COPY_RANKS_QK]);
    free(s->texts_at);
    free(s->sums);
    *s = (struct suppression){0};
}

/* --- ranks ----------------------------------------------------------------------------- */

/* The tokens whose ranks this rank computes: whole tiles, so that their bits are the same on any
 * number of ranks. */
static struct range own_tokens(const struct circuit *circuit)
{
    const int64_t tokens = circuit->config->vocabulary;
    const struct range tiles = split_range(split_blocks(tokens, COPY_RANKS_TILE),
                                           circuit->run->rank, circuit->run->size);

    return (struct range){ min_int64(tiles.first * COPY_RANKS_TILE, tokens),
                           min_int64(tiles.end * COPY_RANKS_TILE, tokens) };
}

/* Add up on rank 0: each rank has some, and 0 for the others.  Collective. */
static void collect(int32_t *rank, const struct circuit *circuit)
{
    const struct run *run = circuit->run;

    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : rank, rank, comm_count(circuit->config->vocabulary),
               MPI_INT32_T, MPI_SUM, 0, run->comm);
}

enum status suppression_rank(struct suppression *s, const struct unembedding *unembedding)
{
    const struct circuit *circuit = s->circuit;
    const struct lm_config *c = circuit->config;
    const struct range tokens = own_tokens(circuit);
    const double since = MPI_Wtime();
    struct copy_ranks ranks;
    enum status st = OK;

    copy_ranks_make(&ranks, circuit->weights, unembedding);
    for (int64_t i = 0; i < s->heads; i++) {
        for (int kind = 0; kind < 2; kind++) {
            if (s->rank[kind] == NULL)
                continue;
            int32_t *rank = s->rank[kind] + i * c->vocabulary;
            copy_ranks_of(&ranks, rank + tokens.first, (enum copy_ranks_kind)kind,
                          (int)(s->head[i] / c->heads), (int)(s->head[i] % c->heads), tokens);
            collect(rank, circuit);
        }
        run_progress(circuit->run, "ranked tokens of", since, 0, i + 1, s->heads, "heads");
        TRY(run_stopping(circuit->run) ? run_stopped() : OK);
    }
done:
    copy_ranks_free(&ranks);
    return st;
}

/* --- texts ----------------------------------------------------------------------------- */

/* What blocks of one text need. */
struct reading {
    const struct suppression *s;
    struct copy_suppression   cspa;
    const struct suppression_texts *texts;
    int32_t *ids;               /* [tokens] of the present text */
    double   since;             /* MPI_Wtime() of the first */
};

static const int32_t *take_text(struct reading *reading, int64_t text)
{
    const struct suppression_texts *texts = reading->texts;
    const int64_t tokens = reading->cspa.job.context;

    memcpy(reading->ids, texts->ids + text * texts->stride,
           (size_t)min_int64(tokens, texts->stride) * sizeof *reading->ids);
    return reading->ids;
}

/* Set the sums of positions that are padding to 0.
 *   sums [rows, tokens, width] */
static void forget_padding(double *sums, int64_t rows, int64_t tokens, int64_t width,
                           int64_t length)
{
    for (int64_t r = 0; r < rows && length < tokens; r++)
        memset(sums + (r * tokens + length) * width, 0,
               (size_t)((tokens - length) * width) * sizeof *sums);
}

/* Local. */
static enum status add_means(void *context, int64_t text, double *sums)
{
    struct reading *reading = context;
    const struct lm_config *c = reading->s->circuit->config;
    enum status st;

    TRY(copy_suppression_add_means(&reading->cspa, sums, take_text(reading, text)));
    forget_padding(sums, c->layers, reading->cspa.job.context, (int64_t)c->heads * c->head_width,
                   reading->texts->length[text]);
done:
    return st;
}

/* Local. */
static enum status add_scores(void *context, int64_t text, double *sums)
{
    struct reading *reading = context;
    const struct suppression *s = reading->s;
    enum status st;

    TRY(copy_suppression_add(&reading->cspa, sums, take_text(reading, text), s->head, s->heads));
    forget_padding(sums, s->heads * (COPY_SUPPRESSION_VARIANTS + s->variants),
                   reading->cspa.job.context, 1, reading->texts->length[text]);
    run_progress(s->circuit->run, "scored on", reading->since, 0, text + 1, reading->texts->count,
                 "texts");
done:
    return st;
}

/* How many texts have each position? */
static void count_texts(int64_t *at, const struct suppression_texts *texts, int64_t tokens)
{
    for (int64_t t = 0; t < tokens; t++) {
        at[t] = 0;
        for (int64_t i = 0; i < texts->count; i++)
            at[t] += t < texts->length[i];
    }
}

/* A sum over texts, a block each.  Collective. */
static enum status run_sum(struct reading *reading, double *sums, int64_t count,
                           enum status (*add)(void *context, int64_t text, double *sums))
{
    const struct block_sum sum = {
        .run = reading->s->circuit->run, .blocks = reading->texts->count, .count = count,
        .context = reading, .compute = add,
    };

    return block_sum_run(&sum, sums);
}

/* The mean output of each head at each position, 0 where no text has it.  Collective.
 *   mean [layers, tokens, width]  out */
static enum status find_means(float *mean, struct reading *reading)
{
    const struct lm_config *c = reading->s->circuit->config;
    const int64_t tokens = reading->cspa.job.context, width = (int64_t)c->heads * c->head_width;
    const int64_t count = count_means(c, tokens);
    double *sums = allocate(count, sizeof *sums);
    int64_t *at = allocate(tokens, sizeof *at);
    enum status st;

    count_texts(at, reading->texts, tokens);
    TRY(run_sum(reading, sums, count, add_means));
    for (int64_t i = 0; i < count; i++) {
        const int64_t have = at[i / width % tokens];
        mean[i] = have > 0 ? (float)(sums[i] / (double)have) : 0;
    }
done:
    free(at);
    free(sums);
    return st;
}

static enum status check_finite(const struct suppression *s, int64_t count)
{
    enum status st = OK;

    for (int64_t i = 0; i < count; i++)
        REQUIRE(isfinite(s->sums[i]), E_NUMERIC, "logits of a text, or of an ablated head, are "
                "infinite or not numbers");
done:
    return st;
}

enum status suppression_score(struct suppression *s, const struct unembedding *unembedding,
                              const struct suppression_texts *texts,
                              const struct suppression_texts *means, const bool *function_word)
{
    const int64_t tokens = s->circuit->prompts->tokens;
    const int64_t count = s->heads * (COPY_SUPPRESSION_VARIANTS + s->variants) * tokens;
    float *mean = allocate(count_means(s->circuit->config, tokens), sizeof *mean);
    struct reading reading = { .s = s, .texts = means, .ids = allocate(tokens, sizeof(int32_t)) };
    const struct copy_suppression_job job = {
        .weights = s->circuit->weights, .unembedding = unembedding, .context = tokens,
        .variants = s->variant, .count = s->variants, .function_word = function_word,
    };
    enum status st;

    copy_suppression_make(&reading.cspa, &job);
    if (means->count > 0) {
        TRY(find_means(mean, &reading));
        reading.cspa.job.mean = mean;
    }
    reading.texts = texts;
    reading.since = MPI_Wtime();
    count_texts(s->texts_at, texts, tokens);
    TRY(run_sum(&reading, s->sums, count, add_scores));
    TRY(check_finite(s, count));
done:
    copy_suppression_free(&reading.cspa);
    free(reading.ids);
    free(mean);
    return st;
}
