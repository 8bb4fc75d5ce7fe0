/* circuit -- find out what the parts of a model do for its answers to prompts.
 *
 *   mpirun -n RANKS bin/saemill-circuit SUITE
 *
 *   reads   the model; files of prompts, or of the words that prompts are made of
 *   writes  RUN/circuit/NAME.h5, NAME.json, and of some methods NAME.html, a page, for each task:
 *           pipeline/methods/RESULTS.md
 *
 * Rank 0 makes the prompts, all have the same.  A method (methods/methods.h) divides blocks of
 * prompts among the ranks; its results have the same bits on any number of them.
 */
#include "base/agree.h"
#include "base/memory.h"
#include "base/run.h"
#include "corpus/identities.h"
#include "lm/weights_permute.h"
#include "methods/circuit_stage.h"
#include "prompts/generators.h"
#include "shard/maker.h"
#include "suite/paths.h"

#include <omp.h>

static const char HELP[] =
    "saemill-circuit SUITE [--task N]\n"
    "\n"
    "Do on prompts what the suite's section circuit asks for, and write RUN/circuit/NAME.h5 and\n"
    ".json.  What is done is skipped.  --task N does task N alone.\n";

struct work {
    struct run        run;
    struct suite      suite;
    struct lm_config  config;
    struct weights    weights;
    struct prompts    prompts;
    struct identities identities;
    const struct circuit_method *method;
};

/* --- prompts ------------------------------------------------------------------------- */

static enum status read_files(struct prompts *prompts, const struct wording *wording,
                              const struct suite_circuit *circuit)
{
    enum status st = OK;

    for (unsigned f = 0; f < circuit->prompts_count; f++)
        TRY(prompts_read(prompts, wording, circuit->prompts[f], circuit->count));
    REQUIRE(prompts->count > 0, E_USAGE, "%s has no prompts", circuit->prompts[0]);
done:
    return st;
}

/* Local; rank 0 alone. */
static enum status make_prompts(struct work *work)
{
    const struct suite_circuit *circuit = &work->suite.circuit;
    struct wording wording = {0};
    enum status st;

    TRY(wording_open(&wording, &work->suite, &work->config));
    prompts_make(&work->prompts, circuit->context);
    if (circuit->generator == GENERATOR_NONE)
        TRY(read_files(&work->prompts, &wording, circuit));
    else
        TRY(generators_make(&work->prompts, &wording, circuit));
    prompts_trim(&work->prompts);
done:
    wording_close(&wording);
    return st;
}

/* --- tasks --------------------------------------------------------------------------- */

/* Has the task its files?  Collective. */
static bool is_done(const struct work *work, int64_t task)
{
    char path[PATH_LENGTH];
    bool done = true;

    for (int i = 0; CIRCUIT_STAGE.path(path, &work->suite, NULL, task, i); i++)
        done = done && comm_file_exists(work->run.comm, path);
    return done;
}

/* The number of tasks that are to be done.  Collective. */
static int64_t count_missing(const struct work *work)
{
    int64_t missing = 0;

    for (int64_t task = 0; task < methods_tasks(&work->suite); task++)
        missing += run_does_task(&work->run, task) && !is_done(work, task);
    return missing;
}

/* Collective. */
static enum status prepare(struct work *work)
{
    const MPI_Comm comm = work->run.comm;
    enum status st;

    TRY_ALL(comm, circuit_stage_check(&work->suite));
    work->method = methods_of(&work->suite);
    TRY_ALL(comm, config_read(&work->config, work->suite.model.path));
    TRY(run_check_task(&work->run, methods_tasks(&work->suite)));
    TRY(identities_open(&work->identities, comm, &work->suite));
done:
    return st;
}

/* Memory before the weights are read: of the prompts that there are.  Collective. */
static enum status check_memory(const struct work *work)
{
    const struct circuit_shape shape = {
        .prompts = work->prompts.count,
        .tokens = work->prompts.tokens,
        .templates = prompts_templates(&work->prompts),
        .ranks = work->run.size,
        .threads = omp_get_max_threads(),
    };
    const struct stage_memory need = circuit_stage_memory(&work->suite, &work->config, shape);
    const bool first = comm_first_of_node(work->run.comm);
    enum status st;

    TRY(memory_check(work->run.comm, need.rank + (first ? need.node : 0), "circuit"));
    TRY(memory_check_shared(work->run.comm, need.node, "circuit"));
done:
    return st;
}

/* Collective. */
static enum status do_task(struct work *work, int64_t task)
{
    char name[METHODS_NAME];

    if (!run_does_task(&work->run, task) || is_done(work, task))
        return OK;
    methods_name(name, &work->suite, task);
    const struct circuit circuit = {
        .run = &work->run, .suite = &work->suite, .config = &work->config,
        .weights = &work->weights, .prompts = &work->prompts,
        .identity = identities_result(&work->identities, name),
    };
    if (work->method->without_prompts)
        run_note(&work->run, "%s", name);
    else
        run_note(&work->run, "%s: %lld prompts of up to %lld tokens", name,
                 (long long)work->prompts.count, (long long)work->prompts.tokens);
    return work->method->run(&circuit, task);
}

/* Collective. */
static enum status do_missing(struct work *work)
{
    const MPI_Comm comm = work->run.comm;
    enum status st;

    if (!work->method->without_prompts) {
        TRY_ROOT(comm, make_prompts(work));
        prompts_share(&work->prompts, comm);
    }
    TRY_ALL(comm, work->method->check(&work->suite, &work->config, &work->prompts));
    TRY(check_memory(work));
    TRY(weights_read(&work->weights, &work->config, PRECISION_F32, work->suite.model.path, comm));
    if (work->suite.circuit.control == CONTROL_PERMUTED)
        weights_permute(&work->weights, (uint64_t)work->suite.circuit.seed, comm);
    for (int64_t task = 0; task < methods_tasks(&work->suite); task++)
        TRY(do_task(work, task));
done:
    return st;
}

static void tear_down(struct work *work)
{
    weights_free(&work->weights);
    prompts_free(&work->prompts);
    identities_free(&work->identities);
    suite_free(&work->suite);
}

int main(int argc, char **argv)
{
    struct work work = {0};
    int64_t missing = 0;
    enum status st;

    TRY(run_start(&work.run, "circuit", HELP, argc, argv));
    TRY(suite_read(&work.suite, &work.run));
    TRY(maker_settle(&work.run, &work.suite));
    TRY(prepare(&work));
    missing = count_missing(&work);
    if (missing > 0)
        TRY(do_missing(&work));
    else
        run_note(&work.run, "all results are there already");
    run_summary(&work.run, (double)missing, "results", 0);
done:
    tear_down(&work);
    return run_finish(&work.run, st);
}
