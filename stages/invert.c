/* invert -- explain what is seen by a generator: which z and w make it?
 *
 *   mpirun -n RANKS bin/saemill-invert SUITE
 *
 *   reads   networks, and what is seen; or the model, a trained autoencoder of another run, texts
 *   writes  RUN/invert/NAME.json and NAME.html for each task, and inversions.json, which sums them
 *           up: pipeline/invert/INVERSIONS.md
 *
 * L-BRGM, arXiv:2110.03814.  The searches of a task are divided among the ranks and their threads;
 * results have the same bits on any number of them.
 */
#include "invert/inversion_files.h"
#include "invert/invert_stage.h"

static const char HELP[] =
    "saemill-invert SUITE [--task N]\n"
    "\n"
    "Explain what the suite's section invert says, and write RUN/invert/NAME.json and .html.\n"
    "What is done is skipped.  --task N does task N alone.\n";

static bool needs_weights(const struct suite *suite)
{
    return suite->invert.generator != INVERT_NETWORK;
}

int main(int argc, char **argv)
{
    static const struct task_stage STAGE = {
        .name = "invert", .help = HELP, .traits = &INVERT_STAGE, .tasks = inversions_tasks,
        .check = invert_stage_check, .check_model = inversions_check, .memory = inversions_memory,
        .needs_weights = needs_weights, .run = inversions_run,
        .finish = inversion_files_write_summary,
    };

    return task_stage_main(&STAGE, argc, argv);
}
