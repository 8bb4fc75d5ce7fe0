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
#include "intervene/intervene_stage.h"
#include "methods/task_stage.h"

static const char HELP[] =
    "saemill-intervene SUITE [--task N]\n"
    "\n"
    "Do with latents what the suite's section intervene asks for, and write\n"
    "RUN/intervene/NAME.json.  What is done is skipped.  --task N does task N alone.\n";

static struct intervention intervention_of(const struct task_work *work)
{
    return (struct intervention){
        .run = work->run, .suite = work->suite, .config = work->config, .weights = work->weights,
        .identities = work->identities,
    };
}

static int64_t tasks(const struct suite *suite)
{
    return interventions_of(suite)->tasks(suite);
}

static enum status check(const struct suite *suite, const struct lm_config *config)
{
    return interventions_of(suite)->check(suite, config);
}

/* Collective. */
static enum status run(const struct task_work *work, const bool *wanted)
{
    const struct intervention intervention = intervention_of(work);

    return interventions_of(work->suite)->run(&intervention, wanted);
}

static enum status finish(const struct task_work *work)
{
    const struct intervention_method *method = interventions_of(work->suite);
    const struct intervention intervention = intervention_of(work);

    return method->finish == NULL ? OK : method->finish(&intervention);
}

int main(int argc, char **argv)
{
    static const struct task_stage STAGE = {
        .name = "intervene", .help = HELP, .traits = &INTERVENE_STAGE, .tasks = tasks,
        .check = intervene_stage_check, .check_model = check, .memory = intervene_stage_memory,
        .run = run, .finish = finish,
    };

    return task_stage_main(&STAGE, argc, argv);
}
