/* The method habits: where heads look in a text of random tokens that repeats itself.
 *
 * A prompt is a first token and P others, which come again, whole or in part.  Of each head, the
 * mean attention over queries to
 *
 *   previous    the token before; from every token
 *   duplicate   the same token, P before; from every token that has come before
 *   induction   the token after that one, P - 1 before; from the same
 *
 * No language can help there, so these are habits of the head (Olsson et al., arXiv:2209.11895,
 * section "per-token analysis"; Wang et al., arXiv:2211.00593, appendix on induction heads).
 */
#include "base/allocate.h"
#include "kernels/attention_weights.h"
#include "lm/forward.h"
#include "methods/fields_page.h"
#include "methods/task_files.h"

#include <math.h>
#include <stdlib.h>

enum { PREVIOUS, DUPLICATE, INDUCTION, HABITS };

static const struct field TABLE[HABITS] = {
    [PREVIOUS]  = { "previous", FIELDS_PER_HEAD, "attention to the token before" },
    [DUPLICATE] = { "duplicate", FIELDS_PER_HEAD, "attention to the same token" },
    [INDUCTION] = { "induction", FIELDS_PER_HEAD, "attention to the token after that" },
};

enum { VERSION = 1 };

/* --- repetition ---------------------------------------------------------------------- */

static bool repeats(const int32_t *ids, int64_t length, int64_t period)
{
    for (int64_t t = 1 + period; t < length; t++)
        if (ids[t] != ids[t - period])
            return false;
    return true;
}

/* The shortest period with which all tokens but the first repeat themselves; 0 if that is not half
 * of them. */
static int64_t period_of(const struct prompts *prompts, int64_t prompt)
{
    const int64_t length = prompts->length[prompt];
    const int32_t *ids = prompts->clean + prompt * prompts->tokens;

    for (int64_t period = 1; 2 * period <= length && 1 + period < length; period++)
        if (repeats(ids, length, period))
            return period;
    return 0;
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    enum status st = OK;

    (void)suite, (void)config;
    for (int64_t p = 0; p < prompts->count; p++)
        REQUIRE(period_of(prompts, p) > 0, E_USAGE, "prompt %lld does not repeat itself after its "
                "first token, as the method habits needs; try 'generator: induction'",
                (long long)p + 1);
done:
    return st;
}

/* --- attention ----------------------------------------------------------------------- */

struct worker {
    const struct circuit *circuit;
    struct forward        forward;
    float                *weights;      /* [tokens] of one query */
};

/* The habits of a head in a sequence of the block, at the site attn of its layer.
 *   mean [HABITS]  out */
static void find_habits(double mean[HABITS], const struct worker *worker, int64_t sequence,
                        int64_t prompt, int32_t head)
{
    const struct prompts *prompts = worker->circuit->prompts;
    const int64_t length = prompts->length[prompt], period = period_of(prompts, prompt);
    const struct attention shape = forward_attention(&worker->forward);

    mean[PREVIOUS] = mean[DUPLICATE] = mean[INDUCTION] = 0;
    for (int64_t t = 1; t < length; t++) {
        attention_weights(worker->weights, worker->forward.qkv, &shape, sequence, t, head);
        mean[PREVIOUS] += (double)worker->weights[t - 1] / (double)(length - 1);
        if (t <= period)
            continue;
        mean[DUPLICATE] += (double)worker->weights[t - period] / (double)(length - 1 - period);
        mean[INDUCTION] += (double)worker->weights[t - period + 1] / (double)(length - 1 - period);
    }
}

static enum status compute(void *context, struct fields *fields, struct range range)
{
    struct worker *worker = context;
    const struct lm_config *c = worker->circuit->config;
    const struct prompts *prompts = worker->circuit->prompts;
    const int64_t columns = fields_columns(FIELDS_PER_HEAD, c);
    double mean[HABITS];
    enum status st;

    TRY(forward_start(&worker->forward, prompts->clean + range.first * prompts->tokens,
                      range_length(range)));
    for (int layer = 0; layer < c->layers; layer++) {
        forward_to(&worker->forward, (struct tap){ SITE_ATTN, layer });
        for (int64_t p = range.first; p < range.end; p++)
            for (int32_t h = 0; h < c->heads; h++) {
                find_habits(mean, worker, p - range.first, p, h);
                for (int f = 0; f < HABITS; f++)
                    fields->values[f][p * columns + (int64_t)layer * c->heads + h] = mean[f];
            }
    }
done:
    return st;
}

/* --- files --------------------------------------------------------------------------- */

/* Say which head has each habit most. */
static void tell(const struct fields *fields, int field)
{
    const struct circuit *circuit = fields->circuit;
    const int64_t heads = fields_columns(FIELDS_PER_HEAD, circuit->config);
    int64_t best = 0;

    for (int64_t h = 1; h < heads; h++)
        if (fields_mean(fields, field, h) > fields_mean(fields, field, best))
            best = h;
    run_note(circuit->run, "%s: most in head %lld.%lld, %.3f", TABLE[field].name,
             (long long)(best / circuit->config->heads), (long long)(best % circuit->config->heads),
             fields_mean(fields, field, best));
}

static json_t *summary(const struct fields *fields)
{
    const struct circuit *circuit = fields->circuit;
    json_t *object = task_files_summary(circuit), *list = json_array();

    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    for (int64_t h = 0; h < fields_columns(FIELDS_PER_HEAD, circuit->config); h++) {
        json_t *head = json_object();
        json_object_set_new(head, "head", task_files_head(circuit->config, h));
        for (int f = 0; f < HABITS; f++)
            fields_put_mean(head, fields, f, h);
        json_array_append_new(list, head);
    }
    json_object_set_new(object, "heads", list);
    return object;
}

static enum status write_files(const struct fields *fields, const char *name)
{
    enum status st;

    TRY(fields_write(fields, name, "saemill habits", VERSION));
    TRY(fields_page_write(fields, name, "where each head looks in a text that repeats itself"));
    TRY(task_files_write(fields->circuit, name, summary(fields)));
    for (int f = 0; f < HABITS; f++)
        tell(fields, f);
done:
    return st;
}

static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    return fields_disk(TABLE, HABITS, config, shape);
}

/* --- the task ------------------------------------------------------------------------ */

static int64_t bytes_of(const struct suite *suite, const struct lm_config *config,
                        struct circuit_shape shape)
{
    return forward_bytes(config, PRECISION_F32, suite->circuit.block, shape.tokens, shape.threads)
         + shape.tokens * (int64_t)sizeof(float)
         + fields_bytes(TABLE, HABITS, config, shape.prompts);
}

/* A pass, and the scores of all queries once more. */
static double work_of(const struct suite *suite, const struct lm_config *config,
                      struct circuit_shape shape)
{
    const struct tap end = { SITE_ATTN, config->layers - 1 };
    const double pairs = (double)shape.tokens * (double)(shape.tokens + 1) / 2;
    const double scores = 2 * pairs * config->layers * config->heads * config->head_width;

    (void)suite;
    return (double)shape.prompts * (forward_work(config, end, shape.tokens) + scores);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    struct worker worker = { .circuit = circuit,
                             .weights = allocate(circuit->prompts->tokens, sizeof(float)) };
    struct fields fields;
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    fields_make(&fields, TABLE, HABITS, circuit);
    forward_make(&worker.forward, circuit->weights, circuit->suite->circuit.block,
                 circuit->prompts->tokens);
    TRY(fields_fill(&fields, compute, &worker, "observed"));
    TRY_ROOT(circuit->run->comm, write_files(&fields, name));
done:
    forward_free(&worker.forward);
    free(worker.weights);
    fields_free(&fields);
    return st;
}

const struct circuit_method HABITS_METHOD = {
    .name = "habits", .check = check, .bytes = bytes_of, .work = work_of,
    .disk = disk, .run = run_task,
};
