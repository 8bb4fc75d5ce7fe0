#include "methods/task_stage.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "shard/maker.h"

#include <omp.h>
#include <stdlib.h>

struct program {
    const struct task_stage *stage;
    struct run        run;
    struct suite      suite;
    struct lm_config  config;
    struct weights    weights;
    struct identities identities;
    bool             *wanted;       /* [tasks] */
};

/* Has the task its files?  Collective. */
static bool is_done(const struct program *program, int64_t task)
{
    char path[PATH_LENGTH];
    bool done = true;

    for (int i = 0; program->stage->traits->path(path, &program->suite, NULL, task, i); i++)
        done = done && comm_file_exists(program->run.comm, path);
    return done;
}

/* Note which tasks are to be done.  Returns how many.  Collective. */
static int64_t find_missing(struct program *program)
{
    const int64_t tasks = program->stage->tasks(&program->suite);
    int64_t missing = 0;

    program->wanted = allocate(tasks, sizeof *program->wanted);
    for (int64_t task = 0; task < tasks; task++) {
        program->wanted[task] = run_does_task(&program->run, task) && !is_done(program, task);
        missing += program->wanted[task];
    }
    return missing;
}

/* Collective. */
static enum status prepare(struct program *program)
{
    const struct task_stage *stage = program->stage;
    const MPI_Comm comm = program->run.comm;
    enum status st;

    TRY_ALL(comm, stage->check(&program->suite));
    TRY_ALL(comm, config_read(&program->config, program->suite.model.path));
    TRY(run_check_task(&program->run, stage->tasks(&program->suite)));
    TRY(identities_open(&program->identities, comm, &program->suite));
done:
    return st;
}

/* Collective. */
static enum status check_memory(const struct program *program)
{
    const struct task_stage *stage = program->stage;
    const struct stage_memory need = stage->memory(&program->suite, &program->config,
                                                   omp_get_max_threads());
    const bool first = comm_first_of_node(program->run.comm);
    enum status st;

    TRY(memory_check(program->run.comm, need.rank + (first ? need.node : 0), stage->name));
    TRY(memory_check_shared(program->run.comm, need.node, stage->name));
done:
    return st;
}

/* Collective. */
static enum status do_missing(struct program *program, const struct task_work *work)
{
    const struct task_stage *stage = program->stage;
    const struct suite *suite = &program->suite;
    const MPI_Comm comm = program->run.comm;
    enum status st;

    TRY_ALL(comm, stage->check_model(suite, &program->config));
    TRY(check_memory(program));
    if (stage->needs_weights == NULL || stage->needs_weights(suite))
        TRY(weights_read(&program->weights, &program->config, PRECISION_F32, suite->model.path,
                         comm));
    TRY(stage->run(work, program->wanted));
done:
    return st;
}

static void tear_down(struct program *program)
{
    free(program->wanted);
    weights_free(&program->weights);
    identities_free(&program->identities);
    suite_free(&program->suite);
}

struct circuit task_stage_circuit(const struct task_work *work, const char *name)
{
    static const struct prompts NONE;

    return (struct circuit){
        .run = work->run, .suite = work->suite, .config = work->config, .weights = work->weights,
        .prompts = &NONE, .identity = identities_result(work->identities, name),
    };
}

int task_stage_main(const struct task_stage *stage, int argc, char **argv)
{
    struct program program = { .stage = stage };
    const struct task_work work = {
        .run = &program.run, .suite = &program.suite, .config = &program.config,
        .weights = &program.weights, .identities = &program.identities,
    };
    int64_t missing = 0;
    enum status st;

    TRY(run_start(&program.run, stage->name, stage->help, argc, argv));
    TRY(suite_read(&program.suite, &program.run));
    TRY(maker_settle(&program.run, &program.suite));
    TRY(prepare(&program));
    missing = find_missing(&program);
    if (missing > 0)
        TRY(do_missing(&program, &work));
    else
        run_note(&program.run, "all results are there already");
    TRY_ROOT(program.run.comm, stage->finish(&work));
    run_summary(&program.run, (double)missing, "results", 0);
done:
    tear_down(&program);
    return run_finish(&program.run, st);
}
