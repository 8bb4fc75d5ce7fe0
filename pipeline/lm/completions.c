#include "lm/completions.h"
#include "base/allocate.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

int64_t completions_bytes(const struct lm_config *c, int64_t capacity, int64_t most, int threads)
{
    const int64_t floats = COMPLETIONS_ROWS * ((int64_t)c->width + c->outputs);

    return forward_bytes(c, PRECISION_F32, COMPLETIONS_ROWS, 1, threads)
         + cache_bytes(c, most, capacity, COMPLETIONS_ROWS, threads) + head_bytes(c)
         + floats * (int64_t)sizeof(float)
         + threads * (int64_t)c->outputs * (int64_t)sizeof(struct sampling_token);
}

void completions_make(struct completions *completions, const struct weights *weights,
                      int64_t capacity, int64_t most)
{
    const struct lm_config *c = &weights->config;
    const int64_t tokens = omp_get_max_threads() * (int64_t)c->outputs;

    assert(0 < most && most <= COMPLETIONS_ROWS);
    *completions = (struct completions){
        .end = -1,
        .stream = allocate(COMPLETIONS_ROWS * (int64_t)c->width, sizeof(float)),
        .logits = allocate(COMPLETIONS_ROWS * (int64_t)c->outputs, sizeof(float)),
        .scratch = allocate(tokens, sizeof(struct sampling_token)),
    };
    forward_make(&completions->forward, weights, COMPLETIONS_ROWS, 1);
    cache_make(&completions->cache, c, most, capacity, COMPLETIONS_ROWS);
    completions->forward.cache = &completions->cache;
    head_make(&completions->head, weights);
}

void completions_free(struct completions *completions)
{
    free(completions->scratch);
    free(completions->logits);
    free(completions->stream);
    head_free(&completions->head);
    cache_free(&completions->cache);
    forward_free(&completions->forward);
    *completions = (struct completions){0};
}

/* --- a step ------------------------------------------------------------------------------ */

/* Those at work: place s holds one, or NULL, whose tokens are sequence s of the cache. */
struct work {
    struct completion *at[COMPLETIONS_ROWS];
    struct completion *next, *end;      /* those that wait */
    int32_t ids[COMPLETIONS_ROWS];      /* of the rows of this step */
    int64_t rows;
    struct completion *ready[COMPLETIONS_ROWS]; /* [chosen] those that get a token in this step */
    int64_t chosen;
};

/* Tokens that are there to be read. */
static int64_t known(const struct completion *completion)
{
    return completion->prompt_tokens + completion->count;
}

static int32_t token_at(const struct completion *completion, int64_t position)
{
    const int64_t prompt = completion->prompt_tokens;

    return position < prompt ? completion->prompt[position] : completion->ids[position - prompt];
}

/* Give free places to those that wait. */
static void fill(struct completions *c, struct work *work)
{
    for (int64_t s = 0; s < c->cache.sequences; s++)
        if (work->at[s] == NULL && work->next < work->end) {
            work->at[s] = work->next++;
            work->at[s]->count = 0;
            c->cache.tokens[s] = 0;
        }
}

/* Add up to `most` tokens of place s to the step, from position `from` on. */
static void add_rows(struct completions *c, struct work *work, int64_t s, int64_t from,
                     int64_t most)
{
    const struct completion *completion = work->at[s];

    for (int64_t t = from; t < known(completion) && t < from + most; t++)
        if (work->rows < COMPLETIONS_ROWS) {
            c->cache.sequence[work->rows] = s;
            work->ids[work->rows++] = token_at(completion, t);
        }
}

/* One token of each, and then what else fits of the prompts. */
static void choose_rows(struct completions *c, struct work *work)
{
    work->rows = 0;
    for (int64_t s = 0; s < c->cache.sequences; s++)
        if (work->at[s] != NULL)
            add_rows(c, work, s, c->cache.tokens[s], 1);
    for (int64_t s = 0; s < c->cache.sequences; s++)
        if (work->at[s] != NULL)
            add_rows(c, work, s, c->cache.tokens[s] + 1, COMPLETIONS_ROWS);
}

static void begin_step(struct completions *c, struct work *work)
{
    fill(c, work);
    choose_rows(c, work);
}

/* Take the streams of those whose last known token was read. */
static void gather(struct completions *c, struct work *work)
{
    const int64_t width = c->forward.width;

    work->chosen = 0;
    for (int64_t r = 0; r < work->rows; r++) {
        struct completion *completion = work->at[c->cache.sequence[r]];
        if (c->cache.position[r] + 1 < known(completion))
            continue;
        memcpy(c->stream + work->chosen * width, c->forward.values + r * width,
               (size_t)width * sizeof *c->stream);
        work->ready[work->chosen++] = completion;
    }
}

/* Choose their next tokens.  E_NUMERIC. */
static enum status choose(struct completions *c, struct work *work)
{
    const int32_t words = c->forward.weights->config.outputs;
    enum status st = OK;
    bool finite = true;

    head_logits_few(&c->head, c->logits, c->stream, work->chosen, c->cache.packed);
    #pragma omp parallel for schedule(dynamic) reduction(&& : finite)
    for (int64_t i = 0; i < work->chosen; i++) {
        struct completion *completion = work->ready[i];
        const float *logits = c->logits + i * words;
        const struct sampling_place place = {
            .prompt = sampling_prompt(completion->prompt, completion->prompt_tokens),
            .sample = completion->sample, .position = completion->count,
        };
        for (int32_t w = 0; w < words; w++)
            finite = finite && isfinite(logits[w]);
        completion->ids[completion->count++] = sampling_choose(
            &c->sampling, logits, words, place, c->scratch + omp_get_thread_num() * (int64_t)words);
    }
    REQUIRE(finite, E_NUMERIC, "the logits of a next token are not finite");
done:
    return st;
}

/* Let those go that are at their end. */
static void release(struct completions *c, struct work *work)
{
    for (int64_t s = 0; s < c->cache.sequences; s++) {
        const struct completion *at = work->at[s];
        if (at != NULL && at->count > 0
            && (at->count == c->tokens || at->ids[at->count - 1] == c->end))
            work->at[s] = NULL;
    }
}

static enum status check(const struct completions *c, const struct completion *completion,
                         int64_t count)
{
    const int64_t most = c->cache.capacity - c->tokens;
    const int32_t positions = c->forward.weights->config.positions;
    enum status st;

    TRY(sampling_check(&c->sampling));
    REQUIRE(c->tokens > 0, E_USAGE, "completions of %lld tokens: there must be one at least",
            (long long)c->tokens);
    REQUIRE(c->cache.capacity <= positions, E_USAGE,
            "prompts and completions of %lld tokens together "
            "are longer than the %d this model was made for",
            (long long)c->cache.capacity, (int)positions);
    for (int64_t i = 0; i < count; i++)
        REQUIRE(completion[i].prompt_tokens <= most, E_USAGE,
                "a prompt of %lld tokens and %lld more "
                "are more than the %lld that are planned for",
                (long long)completion[i].prompt_tokens, (long long)c->tokens,
                (long long)c->cache.capacity);
done:
    return st;
}

enum status completions_run(struct completions *c, struct completion *completion, int64_t count)
{
    struct work work = { .next = completion, .end = completion + count };
    enum status st;

    TRY(check(c, completion, count));
    for (begin_step(c, &work); work.rows > 0; begin_step(c, &work)) {
        TRY(forward_start(&c->forward, work.ids, work.rows));
        if (c->walk != NULL)
            c->walk(&c->forward, c->data);
        else
            forward_to(&c->forward, forward_end(&c->forward));
        gather(c, &work);
        TRY(choose(c, &work));
        release(c, &work);
    }
done:
    return st;
}
