#include "invert/invert_stage.h"
#include "invert/inversion_files.h"
#include "suite/paths.h"

/* Bytes of the page and the JSON of a task. */
static const double FILES_BYTES = 100000;

static enum status check_network(const struct suite *suite)
{
    const struct suite_invert *invert = &suite->invert;
    enum status st;

    REQUIRE(invert->layers_count > 0, E_USAGE,
            "%s: 'invert.layers' is missing: the activations of "
            "the generator's layers",
            suite->path);
    REQUIRE(invert->texts_count == 0, E_USAGE,
            "%s: 'invert.texts' is of no use for a network: what "
            "is seen is the tensor seen of %s",
            suite->path, invert->networks);
done:
    return st;
}

static enum status check_texts(const struct suite *suite)
{
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(suite->invert.texts_count > 0, E_USAGE, "%s: 'invert.texts' is missing: files of JSON "
            "Lines, whose rows are explained", suite->path);
    REQUIRE(suite->model.precision == PRECISION_F32, E_USAGE, "%s: rows that are explained are "
            "computed in float32; take 'precision' out",
            suite_place(place, suite, "model", 0, "precision"));
done:
    return st;
}

enum status invert_stage_check(const struct suite *suite)
{
    const struct suite_invert *invert = &suite->invert;
    const bool network = invert->generator == INVERT_NETWORK;
    enum status st;

    REQUIRE(invert->networks[0] != '\0'
                || !(network || invert->map_count > 0 || invert->features_count > 0
                     || invert->observation != OBSERVATION_NONE),
            E_USAGE,
            "%s: 'invert.networks' is missing: "
            "the safetensors file of networks, or of the operator",
            suite->path);
    TRY(network ? check_network(suite) : check_texts(suite));
done:
    return st;
}

static struct stage_memory bytes(const struct stage_host *host)
{
    return inversions_memory(host->suite, host->model, host->threads);
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const int64_t tasks = inversions_tasks(host->suite);
    const double left = (double)tasks * FILES_BYTES;
    const bool network = host->suite->invert.generator == INVERT_NETWORK;

    (void)amounts;
    return (struct stage_cost){
        .tasks = tasks, .work = inversions_work(host->suite, host->model),
        .longest = 1 / (double)tasks, .pieces = host->suite->invert.restarts,
        .read = network ? 0 : (double)(tasks * host->weights), .written = left, .left = left,
        .files = 2 * (double)tasks,
    };
}

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    enum status st;

    (void)tasks, (void)ready;
    TRY(invert_stage_check(suite));
    *count = inversions_tasks(suite);
done:
    return st;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    static const char *const ENDINGS[] = { ".html", ".json" };
    char name[METHODS_NAME];

    (void)tasks;
    if (i > 1)
        return false;
    inversion_files_name(name, task);
    paths_result(path, suite, name, ENDINGS[i]);
    return true;
}

static bool summary_made(char path[PATH_LENGTH], const struct suite *suite)
{
    inversion_files_summary_path(path, suite);
    return true;
}

const struct stage_traits INVERT_STAGE = {
    .about = "explanations by a generator",
    .rate = 2e9, .rate_unit = 1e9, .rate_name = "GFLOP/s",
    .less_memory = "", .less_time = ", or fewer invert.restarts",
    .bytes = bytes, .cost = cost, .count = count_tasks, .path = path_made,
    .summary = summary_made,
};
