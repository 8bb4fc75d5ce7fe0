#include "methods/ioi.h"
#include "base/allocate.h"
#include "heads/heads.h"

#include <math.h>
#include <stdlib.h>

const struct field IOI_TABLE[IOI_FIELDS] = {
    [IOI_DIFFERENCE]       = { "logit_difference", FIELDS_PER_PROMPT,
                               "logit difference, nats" },
    [IOI_CORRUPTED]        = { "logit_difference_corrupted", FIELDS_PER_PROMPT,
                               "the same after the corrupted prompt, nats" },
    [IOI_PROBABILITY]      = { "probability", FIELDS_PER_PROMPT,
                               "probability of the answers" },
    [IOI_FIRST]            = { "first", FIELDS_PER_PROMPT,
                               "share with an answer first" },
    [IOI_DIRECT_EMBEDDING] = { "direct_embedding", FIELDS_PER_PROMPT,
                               "direct effect of the embedding, nats" },
    [IOI_DIRECT_BIAS]      = { "direct_bias", FIELDS_PER_PROMPT,
                               "direct effect of the last bias, nats" },
    [IOI_DIRECT_ATTN_BIAS] = { "direct_attn_bias", FIELDS_PER_LAYER,
                               "direct effect of the bias after attention, nats" },
    [IOI_DIRECT_MLP] = { "direct_mlp", FIELDS_PER_LAYER, "direct effect of the MLP, nats" },
    [IOI_DIRECT_HEAD] = { "direct_head", FIELDS_PER_HEAD,
                          "direct effect on the logit difference, nats" },
    [IOI_DIRECT_ANSWER] = { "direct_head_answer", FIELDS_PER_HEAD,
                            "direct effect on the answers, nats" },
    [IOI_DIRECT_WRONG] = { "direct_head_wrong", FIELDS_PER_HEAD,
                           "direct effect on the wrong answers, nats" },
    [IOI_KNOCKED_END] = { "knocked_out_end", FIELDS_PER_HEAD,
                          "change of the logit difference without the head at the end, nats" },
    [IOI_KNOCKED_ALL] = { "knocked_out", FIELDS_PER_HEAD,
                          "change of the logit difference without the head, nats" },
    [IOI_COPIED] = { "copied", FIELDS_PER_HEAD, "share of names that it copies" },
    [IOI_COPIED_NEGATIVE] = { "copied_negative", FIELDS_PER_HEAD,
                              "share of names that it speaks against" },
    [IOI_ATTENTION] = { "attention", FIELDS_PER_CLASS, "attention from the end" },
    [IOI_ATTENTION_S2] = { "attention_s2", FIELDS_PER_CLASS, "attention from S2" },
};

/* --- what it takes ------------------------------------------------------------------- */

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    int64_t heads;
    enum status st;

    TRY(heads_count(&heads, suite, config));
    TRY(differences_check(prompts, "ioi"));
done:
    return st;
}

static int64_t bytes_of(const struct suite *suite, const struct lm_config *config,
                        struct circuit_shape shape)
{
    return ioi_worker_bytes(suite, config, shape) + template_means_bytes(config, shape)
           + fields_bytes(IOI_TABLE, IOI_FIELDS, config, shape.prompts);
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
static enum status check_finite(const struct circuit *circuit, const struct fields *results)
{
    enum status st = OK;

    for (int64_t p = 0; p < circuit->prompts->count; p++)
        REQUIRE(isfinite(results->values[IOI_DIFFERENCE][p]), E_NUMERIC,
                "the logits of prompt %lld "
                "are infinite or not numbers",
                (long long)p + 1);
done:
    return st;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    struct template_means means = {0};
    struct ioi_worker worker = {0};
    struct fields results;
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    fields_make(&results, IOI_TABLE, IOI_FIELDS, circuit);
    ioi_worker_make(&worker, circuit);
    TRY(template_means_find(&means, circuit, &worker.forward));
    worker.means = &means;
    TRY(fields_fill(&results, ioi_worker_run, &worker, "knocked out"));
    TRY_ROOT(circuit->run->comm, check_finite(circuit, &results));
    TRY_ROOT(circuit->run->comm, ioi_files_write(&results, name));
done:
    ioi_worker_free(&worker);
    template_means_free(&means);
    fields_free(&results);
    return st;
}

const struct circuit_method IOI_METHOD = {
    .name = "ioi", .check = check, .bytes = bytes_of, .work = work_of,
    .disk = ioi_files_bytes, .run = run_task,
};
