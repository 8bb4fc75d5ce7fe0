#include "intervene/intervene_stage.h"
#include "base/minmax.h"
#include "base/split.h"
#include "suite/paths.h"

#include <string.h>

/* Bytes of the JSON of a task. */
static const double SUMMARY_BYTES = 5000;

/* Tasks of one name would write the same files. */
static enum status check_names(const struct suite *suite)
{
    const int64_t tasks = interventions_of(suite)->tasks(suite);
    char name[METHODS_NAME], other[METHODS_NAME];
    enum status st = OK;

    for (int64_t task = 0; task < tasks; task++)
        for (int64_t before = 0; before < task; before++) {
            interventions_name(name, suite, task);
            interventions_name(other, suite, before);
            REQUIRE(strcmp(name, other) != 0, E_USAGE, "two tasks are called %s; take one out",
                    name);
        }
done:
    return st;
}

enum status intervene_stage_check(const struct suite *suite)
{
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(suite->model.precision == PRECISION_F32, E_USAGE, "%s: interventions are computed in "
            "float32; take 'precision' out", suite_place(place, suite, "model", 0, "precision"));
    TRY(check_names(suite));
done:
    return st;
}

struct stage_memory intervene_stage_memory(const struct suite *suite,
                                           const struct lm_config *config, int threads)
{
    const struct intervention_method *method = interventions_of(suite);

    return (struct stage_memory){
        .rank = max_int64(method->bytes(suite, config, threads),
                          weights_reading_bytes(config, threads)),
        .node = weights_bytes(config, PRECISION_F32) + method->shared(suite, config),
    };
}

static struct stage_memory bytes(const struct stage_host *host)
{
    return intervene_stage_memory(host->suite, host->model, host->threads);
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const struct suite *suite = host->suite;
    const struct intervention_method *method = interventions_of(suite);
    const int64_t tasks = method->tasks(suite);
    double left = (double)tasks * SUMMARY_BYTES;

    (void)amounts;
    if (method->disk != NULL)
        left += method->disk(suite, host->model);
    return (struct stage_cost){
        .tasks = tasks, .work = method->work(suite, host->model),
        .longest = 1 / (double)tasks,
        .pieces = method->pieces != NULL
                      ? method->pieces(suite)
                      : split_blocks(suite->intervene.texts, suite->intervene.block),
        .read = (double)(tasks * host->weights), .written = left, .left = left,
        .files = (double)tasks,
    };
}

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    enum status st;

    (void)tasks, (void)ready;
    TRY(intervene_stage_check(suite));
    *count = interventions_of(suite)->tasks(suite);
done:
    return st;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    char name[METHODS_NAME];

    (void)tasks;
    if (i > 0)
        return false;
    interventions_name(name, suite, task);
    paths_result(path, suite, name, ".json");
    return true;
}

static bool summary_made(char path[PATH_LENGTH], const struct suite *suite)
{
    const struct intervention_method *method = interventions_of(suite);

    paths_result(path, suite, method->name, ".json");
    return method->finish != NULL;
}

const struct stage_traits INTERVENE_STAGE = {
    .about = "what a model does with latents clamped, or vectors added",
    .rate = 30e9, .rate_unit = 1e9, .rate_name = "GFLOP/s",
    .less_memory = ", or a smaller intervene.block", .less_time = "",
    .bytes = bytes, .cost = cost, .count = count_tasks, .path = path_made,
    .summary = summary_made,
};
