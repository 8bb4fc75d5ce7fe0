#include "methods/trial.h"
#include "base/allocate.h"
#include "circuit/eap.h"
#include "circuit/subnetwork.h"

#include <stdlib.h>

/* The questions of all prompts, one for each position where the metric looks.  Caller frees. */
static struct question *list_questions(const struct prompts *prompts, int64_t *count)
{
    const int64_t all = prompts->positions.first[prompts->count];
    struct question *questions = allocate(all, sizeof *questions);

    for (int64_t p = 0; p < prompts->count; p++)
        for (int64_t i = prompts->positions.first[p]; i < prompts->positions.first[p + 1]; i++) {
            struct question *q = &questions[i];
            *q = (struct question){ .prompt = p, .position = prompts->positions.items[i] };
            q->answers = (int32_t)prompts_list(&prompts->answers, p, &q->answer);
            q->wrongs = (int32_t)prompts_list(&prompts->wrong, p, &q->wrong);
        }
    *count = all;
    return questions;
}

enum status trial_check(const struct suite *suite, const struct prompts *prompts)
{
    const enum circuit_metric metric = suite->circuit.metric;
    const int32_t *ids;
    enum status st = OK;

    for (int64_t p = 0; p < prompts->count; p++) {
        REQUIRE(metric_compares(metric) || prompts_list(&prompts->answers, p, &ids) > 0,
                E_USAGE, "prompt %lld has no \"answers\", which the metric %s compares",
                (long long)p + 1, metric_name(metric));
        REQUIRE(!metric_needs_wrong(metric) || prompts_list(&prompts->wrong, p, &ids) > 0,
                E_USAGE, "prompt %lld has no \"wrong\" answers, which the metric %s compares",
                (long long)p + 1, metric_name(metric));
    }
done:
    return st;
}

/* As far as memory depends on it: a question for each prompt. */
static struct experiment_setup shape_setup(const struct graph *graph, struct circuit_shape shape)
{
    return (struct experiment_setup){
        .graph = graph, .prompts = shape.prompts, .context = shape.tokens, .count = shape.prompts,
    };
}

int64_t trial_bytes(const struct suite *suite, const struct lm_config *config,
                    struct circuit_shape shape)
{
    struct graph graph;

    (void)suite;
    if (graph_make(&graph, config, false) != OK)
        refuse_clear();     /* no graph without split embeddings is refused */
    const struct experiment_setup setup = shape_setup(&graph, shape);
    return experiment_bytes(&setup, config, shape.ranks, shape.threads);
}

int64_t trial_scores_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    struct graph graph;

    if (graph_make(&graph, config, false) != OK)
        refuse_clear();
    const struct experiment_setup setup = shape_setup(&graph, shape);
    return eap_bytes(&setup, config, shape.ranks, shape.threads);
}

int64_t trial_gates_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    struct graph graph;

    if (graph_make(&graph, config, false) != OK)
        refuse_clear();
    const struct experiment_setup setup = shape_setup(&graph, shape);
    return subnetwork_bytes(&setup, config, shape.threads);
}

double trial_work(const struct lm_config *config, struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };
    struct graph graph;

    if (graph_make(&graph, config, false) != OK)
        refuse_clear();
    const double mask = 2 * (double)graph_edges(&graph) * (double)shape.tokens * config->width;
    return (double)shape.prompts * (forward_work(config, end, shape.tokens) + mask
                                    + head_work(config));
}

struct experiment_setup trial_setup(const struct circuit *circuit, struct question **questions)
{
    const struct prompts *prompts = circuit->prompts;
    const bool zero = circuit->suite->circuit.ablation == ABLATION_ZERO;
    struct experiment_setup setup = {
        .weights = circuit->weights, .clean = prompts->clean,
        .corrupted = zero ? NULL : prompts->corrupted, .prompts = prompts->count,
        .context = prompts->tokens, .metric = circuit->suite->circuit.metric,
    };

    setup.questions = *questions = list_questions(prompts, &setup.count);
    return setup;
}

/* Of clean prompts and what absent edges carry, or of `ids` in place of both. */
static enum status make(struct trial *trial, const struct circuit *circuit, const int32_t *ids)
{
    struct experiment_setup setup;
    enum status st;

    *trial = (struct trial){0};
    TRY(graph_make(&trial->graph, circuit->config, false));
    setup = trial_setup(circuit, &trial->questions);
    setup.graph = &trial->graph;
    if (ids != NULL)
        setup.clean = setup.corrupted = ids;
    TRY(experiment_make(&trial->experiment, &setup, circuit->run->comm));
done:
    return st;
}

enum status trial_make(struct trial *trial, const struct circuit *circuit)
{
    return make(trial, circuit, NULL);
}

enum status trial_make_plain(struct trial *trial, const struct circuit *circuit,
                             const int32_t *ids)
{
    return make(trial, circuit, ids);
}

void trial_free(struct trial *trial)
{
    experiment_free(&trial->experiment);
    free(trial->questions);
    *trial = (struct trial){0};
}
