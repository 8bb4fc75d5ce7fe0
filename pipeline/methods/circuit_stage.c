#include "methods/circuit_stage.h"
#include "base/minmax.h"
#include "base/split.h"
#include "suite/paths.h"

#include <string.h>

/* Templates that a file of words is taken to have before it is read. */
enum { TEMPLATES = 16 };

/* Texts and JSON of a task's second file; style and suite of a page, and what it has of each head
 * in the method with the most maps. */
static const double SUMMARY_BYTES = 50000, PAGE_BYTES = 20000, PAGE_HEAD_BYTES = 2600;

/* Tasks of one name would write the same files. */
static enum status check_names(const struct suite *suite)
{
    char name[METHODS_NAME], other[METHODS_NAME];
    enum status st = OK;

    for (int64_t task = 0; task < methods_tasks(suite); task++)
        for (int64_t before = 0; before < task; before++) {
            methods_name(name, suite, task);
            methods_name(other, suite, before);
            REQUIRE(strcmp(name, other) != 0, E_USAGE, "two tasks are called %s; take one out",
                    name);
        }
done:
    return st;
}

enum status circuit_stage_check(const struct suite *suite)
{
    const bool files = suite->circuit.prompts_count > 0;
    const bool made = suite->circuit.generator != GENERATOR_NONE;
    const bool none = methods_of(suite)->without_prompts;
    char place[SUITE_PLACE];
    enum status st = OK;

    REQUIRE(!none || (!files && !made), E_USAGE,
            "%s: this method has no use for prompts; take "
            "'prompts' and 'generator' out",
            suite_place(place, suite, "circuit", 0, "method"));
    REQUIRE(none || files != made, E_USAGE, "%s: %s",
            suite_place(place, suite, "circuit", 0, "prompts"),
            files ? "'prompts' and 'generator' exclude each other; keep one of them"
                  : "where do prompts come from?  Give files as 'prompts', or a 'generator'");
    REQUIRE(suite->model.precision == PRECISION_F32, E_USAGE, "%s: circuits are computed in "
            "float32, whose differences are small enough; take 'precision' out",
            suite_place(place, suite, "model", 0, "precision"));
    TRY(check_names(suite));
done:
    return st;
}

/* As far as the suite says. */
static struct circuit_shape shape_of(const struct suite *suite, int ranks, int threads)
{
    if (methods_of(suite)->without_prompts)
        return (struct circuit_shape){ .ranks = ranks, .threads = threads };
    return (struct circuit_shape){
        .prompts = suite->circuit.count, .tokens = suite->circuit.context,
        .templates = min_int64(TEMPLATES, suite->circuit.count), .ranks = ranks,
        .threads = threads,
    };
}

struct stage_memory circuit_stage_memory(const struct suite *suite, const struct lm_config *config,
                                         struct circuit_shape shape)
{
    const struct circuit_method *method = methods_of(suite);
    const int64_t work = method->bytes(suite, config, shape);
    const int64_t shared = method->shared == NULL ? 0 : method->shared(suite, config);

    return (struct stage_memory){
        .rank = max_int64(work, weights_reading_bytes(config, shape.threads)),
        .node = weights_bytes(config, PRECISION_F32) + shared,
    };
}

static struct stage_memory bytes(const struct stage_host *host)
{
    return circuit_stage_memory(host->suite, host->model,
                                shape_of(host->suite, host->ranks, host->threads));
}

/* --- time, disk and tasks ------------------------------------------------------------ */

/* What the names of a task's files end with. */
static const char *const ENDINGS[] = { ".h5", ".json", ".html" };

enum { FILES = sizeof ENDINGS / sizeof *ENDINGS };

/* Of the JSON and the page. */
static double texts_bytes(const struct lm_config *config)
{
    return SUMMARY_BYTES + PAGE_BYTES + (double)config->layers * config->heads * PAGE_HEAD_BYTES;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const struct suite *suite = host->suite;
    const struct circuit_method *method = methods_of(suite);
    const struct circuit_shape shape = shape_of(suite, host->ranks, host->threads);

    (void)amounts;
    const int64_t tasks = methods_tasks(suite);
    const double left = (double)tasks * (method->disk(host->model, shape)
                                         + texts_bytes(host->model));
    return (struct stage_cost){
        .tasks = tasks, .work = method->work(suite, host->model, shape),
        .longest = 1 / (double)tasks,
        .pieces = split_blocks(suite->circuit.count, suite->circuit.block),
        .read = (double)(tasks * host->weights), .written = left, .left = left,
        .files = FILES * (double)tasks,
    };
}

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    enum status st;

    (void)tasks, (void)ready;
    TRY(circuit_stage_check(suite));
    *count = methods_tasks(suite);
done:
    return st;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    char name[METHODS_NAME];

    (void)tasks;
    if (i == FILES)
        return false;
    methods_name(name, suite, task);
    paths_result(path, suite, name, ENDINGS[i]);
    return true;
}

static void write_source(FILE *out, const struct suite *suite)
{
    if (!methods_of(suite)->without_prompts)
        fprintf(out, " from %lld prompts", (long long)suite->circuit.count);
}

const struct stage_traits CIRCUIT_STAGE = {
    .about = "what the model's parts do on prompts",
    .rate = 30e9, .rate_unit = 1e9, .rate_name = "GFLOP/s",
    .less_memory = ", or a smaller circuit.block", .less_time = "",
    .bytes = bytes, .cost = cost, .count = count_tasks, .path = path_made,
    .source = write_source,
};
