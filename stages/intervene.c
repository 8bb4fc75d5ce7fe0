/* intervene -- find out what a model does when latents of a trained autoencoder have other values.
 *
 *   mpirun -n RANKS bin/saemill-intervene SUITE
 *
 *   reads   the model; a trained autoencoder of another run; texts and questions
 *   writes  RUN/intervene/NAME.json for each task: pipeline/intervene/INTERVENTIONS.md
 *
 * A method (intervene/interventions.h) measures once what its tasks have in common.  Blocks of
 * texts are divided among the ranks; results have the same bits on any number of them.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "base/run.h"
#include "corpus/identities.h"
#include "intervene/intervene_stage.h"
#include "shard/maker.h"

#include <omp.h>
#include <stdlib.h>

static const char HELP[] =
    "saemill-intervene SUITE [--task N]\n"
    "\n"
    "Do with latents what the suite's section intervene asks for, and write\n"
    "RUN/intervene/NAME.json.  What is done is skipped.  --task N does task N alone.\n";

struct work {
    struct run        run;
    struct suite      suite;
    struct lm_config  config;
    struct weights    weights;
    struct identities identities;
    const struct intervention_method *method;
    bool             *wanted;       /* [tasks] */
};

/* Has the task its file?  Collective. */
static bool is_done(const struct work *work, int64_t task)
{
    char path[PATH_LENGTH];

    INTERVENE_STAGE.path(path, &work->suite, NULL, task, 0);
    return comm_file_exists(work->run.comm, path);
}

/* Note which tasks are to be done.  Returns how many.  Collective. */
static int64_t find_missing(struct work *work)
{
    const int64_t tasks = work->method->tasks(&work->suite);
    int64_t missing = 0;

    work->wanted = allocate(tasks, sizeof *work->wanted);
    for (int64_t task = 0; task < tasks; task++) {
        work->wanted[task] = run_does_task(&work->run, task) && !is_done(work, task);
        missing += work->wanted[task];
    }
    return missing;
}

/* Collective. */
static enum status prepare(struct work *work)
{
    const MPI_Comm comm = work->run.comm;
    enum status st;

    TRY_ALL(comm, intervene_stage_check(&work->suite));
    work->method = interventions_of(&work->suite);
    TRY_ALL(comm, config_read(&work->config, work->suite.model.path));
    TRY(run_check_task(&work->run, work->method->tasks(&work->suite)));
    TRY(identities_open(&work->identities, comm, &work->suite));
done:
    return st;
}

/* Collective. */
static enum status check_memory(const struct work *work)
{
    const struct stage_memory need = intervene_stage_memory(&work->suite, &work->config,
                                                            omp_get_max_threads());
    const bool first = comm_first_of_node(work->run.comm);
    enum status st;

    TRY(memory_check(work->run.comm, need.rank + (first ? need.node : 0), "intervene"));
    TRY(memory_check_shared(work->run.comm, need.node, "intervene"));
done:
    return st;
}

/* Collective. */
static enum status do_missing(struct work *work, const struct intervention *intervention)
{
    const MPI_Comm comm = work->run.comm;
    enum status st;

    TRY_ALL(comm, work->method->check(&work->suite, &work->config));
    TRY(check_memory(work));
    TRY(weights_read(&work->weights, &work->config, PRECISION_F32, work->suite.model.path, comm));
    TRY(work->method->run(intervention, work->wanted));
done:
    return st;
}

static void tear_down(struct work *work)
{
    free(work->wanted);
    weights_free(&work->weights);
    identities_free(&work->identities);
    suite_free(&work->suite);
}

int main(int argc, char **argv)
{
    struct work work = {0};
    const struct intervention intervention = {
        .run = &work.run, .suite = &work.suite, .config = &work.config,
        .weights = &work.weights, .identities = &work.identities,
    };
    int64_t missing = 0;
    enum status st;

    TRY(run_start(&work.run, "intervene", HELP, argc, argv));
    TRY(suite_read(&work.suite, &work.run));
    TRY(maker_settle(&work.run, &work.suite));
    TRY(prepare(&work));
    missing = find_missing(&work);
    if (missing > 0)
        TRY(do_missing(&work, &intervention));
    else
        run_note(&work.run, "all results are there already");
    TRY_ROOT(work.run.comm, work.method->finish(&intervention));
    run_summary(&work.run, (double)missing, "results", 0);
done:
    tear_down(&work);
    return run_finish(&work.run, st);
}
