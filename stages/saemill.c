/* saemill -- the command a person types: it starts the stages and says how far they are.
 *
 * It is no MPI program; each stage is one, and is started under mpirun.  What it knows of
 * a run it sees from the files in the run folder, so that it needs no memory of its own.
 */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "corpus/inputs.h"
#include "corpus/selection.h"
#include "driver/calibrate.h"
#include "driver/conditions.h"
#include "driver/cores.h"
#include "driver/launch.h"
#include "driver/layout.h"
#include "driver/lock.h"
#include "driver/plan.h"
#include "driver/record.h"
#include "driver/results.h"
#include "driver/stage.h"
#include "driver/submit.h"
#include "driver/survey.h"
#include "driver/task.h"
#include "suite/explain.h"
#include "suite/ownership.h"
#include "suite/yaml_limits.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HELP[] =
    "saemill: sparse autoencoders for every layer and site of a language model\n"
    "\n"
    "  saemill plan SUITE [--json]    what it takes: time, disk, memory; before anything runs\n"
    "  saemill measure SUITE          how fast this machine is, for plans: two minutes of work\n"
    "  saemill run SUITE              do all that is missing, here, with the cores there are\n"
    "  saemill submit SUITE [--dry-run]\n"
    "                                 the same as Slurm job arrays; or only their commands\n"
    "  saemill status SUITE [--json]  how far it is, and what went wrong\n"
    "  saemill verify FOLDER          is this release what its sums say?\n"
    "  saemill explain [STAGE]        a suite file with every key explained; or a task file\n"
    "\n"
    "A suite file says which model, which text and which autoencoders.  From it a run makes,\n"
    "stage by stage, in its folder (runs/NAME unless the suite says otherwise), all up to\n"
    "release.  A later stage has a file of its own, a task file, with a section of its name:\n"
    "\n";

static const char HELP_END[] =
    "\n"
    "On a cluster, submit makes a job array of each stage, a task an index, of what is missing\n"
    "and not in the queue yet; the suite's section resources says what a task gets, and\n"
    "slurm/site.sh how ranks are started there.  plan needs neither checkpoint nor corpus.\n"
    "RUN/logs holds what each task says, and status the reason of each failure.\n"
    "\n"
    "What exists is complete.  Stop a run whenever you like (Ctrl-C); the same command goes on\n"
    "where it was, and ends with the same bits.  A stage can also be run by hand, on as many\n"
    "ranks as you like: mpirun -n 8 bin/saemill-harvest SUITE; with --help it says what it does.\n";

/* Read the suite file without MPI.  Local. */
static enum status read_suite(struct suite *suite, const char *path)
{
    char *yaml = NULL;
    int64_t bytes;
    enum status st;

    TRY(suite_check_file(path));
    TRY(file_read(path, &yaml, &bytes));
    TRY(yaml_limits_check_bytes(yaml, bytes, path));
    TRY(suite_parse(suite, yaml, path));
    TRY(ownership_check_source(suite->run, suite->text, path));
done:
    free(yaml);
    return st;
}

/* --- run --------------------------------------------------------------------------- */

/* Start one stage, and keep what it complains of and how it ended. */
static enum status run_stage(enum stage stage, const char *path, const struct suite *suite,
                             struct layout layout)
{
    struct record record = { .ending = ENDED_NOT };
    char program[64], log[PATH_LENGTH];
    enum status st, ended;

    snprintf(program, sizeof program, "saemill-%s", stage_name(stage));
    record_log_path(log, suite, stage, WHOLE_STAGE);
    TRY(record_write(&record, suite, stage, WHOLE_STAGE));
    ended = launch(&(struct launch){ .program = program, .argument = path, .log = log,
                                     .ranks = layout.ranks, .threads = layout.threads,
                                     .live = isatty(STDOUT_FILENO), .brief = true });
    if (ended == OK) {
        TRY(record_remove(suite, stage, WHOLE_STAGE));
    } else {
        record.ending = ended == E_STOPPED ? ENDED_STOPPED : ENDED_FAILED;
        if (record_write(&record, suite, stage, WHOLE_STAGE) != OK)
            refuse_clear();     /* the stage has said why it failed, perhaps for a full disk */
    }
    st = ended;
done:
    return st;
}

/* Do what is missing of one stage; `state` is that before it, and then that after it. */
static enum status complete_stage(enum stage stage, const char *path, const struct suite *suite,
                                  const struct lm_config *model, struct state *state)
{
    struct stage_state *of = &state->stage[stage];
    enum status st = OK;

    if (state_stage_complete(of)) {
        printf("%s: complete, %lld %s\n", stage_name(stage), (long long)of->total,
               stage_row(stage)->makes);
        return OK;
    }
    TRY(selection_check_parts(suite));
    TRY(run_stage(stage, path, suite, layout_of(stage, suite, model, layout_nodes_here())));
    state_free(state);
    TRY(state_read(state, suite));
    REQUIRE(state_stage_complete(of), E_IO, "%s ended well, but its work is not complete: %lld of "
            "%lld %s", stage_name(stage), (long long)of->done, (long long)of->total,
            stage_row(stage)->makes);
done:
    if (st != OK)
        refuse(st, "%s did not finish; what is complete is kept, and saemill run %s goes on "
               "from there", stage_name(stage), path);
    return st;
}

static enum status print_end(const struct suite *suite)
{
    enum status st = OK;

    puts("");
    if (suite_has_stage(suite, STAGE_RELEASE)) {
        TRY(results_print(stdout, suite));
        printf("\nThe release is complete.  Open %s/release/index.html\n", suite->run);
    } else {
        printf("All is complete, in %s/%s\n", suite->run, stage_row(stage_last(suite))->folder);
    }
done:
    return st;
}

static enum status run(const char *path, bool unused)
{
    struct suite suite = {0};
    struct lm_config model;
    struct state state = {0};
    enum status st;

    (void)unused;
    TRY(read_suite(&suite, path));
    TRY(config_read(&model, suite.model.path));
    TRY(state_read(&state, &suite));
    TRY(conditions_check(&suite));
    TRY(lock_take(suite.run));
    TRY(ownership_claim(suite.run, suite.text));
    TRY(inputs_keep(&suite));
    for (int stage = 0; stage < STAGES; stage++)
        if (suite_has_stage(&suite, (enum stage)stage))
            TRY(complete_stage((enum stage)stage, path, &suite, &model, &state));
    TRY(print_end(&suite));
done:
    state_free(&state);
    suite_free(&suite);
    return st;
}

/* --- status ------------------------------------------------------------------------ */

static enum status status(const char *path, bool json)
{
    struct suite suite = {0};
    struct survey survey = {0};
    enum status st;

    TRY(read_suite(&suite, path));
    TRY(survey_make(&survey, &suite));
    if (json)
        survey_print_json(stdout, &survey, &suite);
    else
        survey_print(stdout, &survey, &suite, path);
done:
    survey_free(&survey);
    suite_free(&suite);
    return st;
}

/* --- plan -------------------------------------------------------------------------- */

static enum status plan_suite(const char *path, bool json)
{
    struct suite suite = {0};
    struct plan plan;
    enum status st;

    TRY(read_suite(&suite, path));
    TRY(plan_make(&plan, &suite));
    if (json)
        plan_print_json(stdout, &plan, &suite);
    else
        plan_print(stdout, &plan, &suite);
done:
    suite_free(&suite);
    return st;
}

static enum status measure_suite(const char *path, bool unused)
{
    struct suite suite = {0};
    enum status st;

    (void)unused;
    TRY(read_suite(&suite, path));
    TRY(calibrate(&suite));
done:
    suite_free(&suite);
    return st;
}

/* --- Slurm ------------------------------------------------------------------------- */

static enum status submit_suite(const char *path, bool dry)
{
    struct suite suite = {0};
    enum status st;

    TRY(read_suite(&suite, path));
    TRY(submit(&suite, path, dry));
done:
    suite_free(&suite);
    return st;
}

/* What the batch scripts call: SUITE STAGE FIRST STARTER. */
static enum status task(char *const *words)
{
    const bool srun = strcmp(words[3], "srun") == 0;
    struct suite suite = {0};
    enum stage stage;
    enum status st;

    REQUIRE(srun || strcmp(words[3], "mpirun") == 0, E_USAGE, "slurm/site.sh says start=%s, but "
            "must say mpirun or srun", words[3]);
    TRY(stage_parse(&stage, words[1]));
    TRY(read_suite(&suite, words[0]));
    TRY(task_run(&suite, words[0], stage, atoll(words[2]),
                 srun ? STARTER_SRUN : STARTER_MPIRUN));
done:
    suite_free(&suite);
    return st;
}

/* --- the command line -------------------------------------------------------------- */

static enum status verify(const char *folder, bool unused)
{
    (void)unused;
    return launch(&(struct launch){ .program = "saemill-verify", .argument = folder,
                                    .ranks = cores_available(), .threads = 1 });
}

/* What a person types: a verb, a path, and perhaps an option. */
static const struct command {
    const char *verb, *path, *option;
    enum status (*act)(const char *path, bool option);
} COMMANDS[] = {
    { "plan", "SUITE", "--json", plan_suite },
    { "measure", "SUITE", NULL, measure_suite },
    { "run", "SUITE", NULL, run },
    { "submit", "SUITE", "--dry-run", submit_suite },
    { "status", "SUITE", "--json", status },
    { "verify", "FOLDER", NULL, verify },
};

/* The words after the verb: one path, and the option at most once, in any order. */
static enum status act(const struct command *command, int words, char **word)
{
    const char *option = command->option, *path = NULL;
    bool chosen = false, good = true;

    for (int w = 0; w < words; w++)
        if (option != NULL && !chosen && strcmp(word[w], option) == 0)
            chosen = true;
        else if (path == NULL && word[w][0] != '-')
            path = word[w];
        else
            good = false;
    if (path == NULL || !good)
        return refuse(E_USAGE, "that should be: saemill %s %s%s%s%s", command->verb, command->path,
                      option != NULL ? " [" : "", option != NULL ? option : "",
                      option != NULL ? "]" : "");
    return command->act(path, chosen);
}

/* Anywhere on the line, or instead of it. */
static bool asks_for_help(int argc, char **argv)
{
    bool asks = argc < 2 || strcmp(argv[1], "help") == 0;

    for (int w = 1; w < argc; w++)
        asks = asks || strcmp(argv[w], "--help") == 0 || strcmp(argv[w], "-h") == 0;
    return asks;
}

static void print_help(void)
{
    char folder[32];

    fputs(HELP, stdout);
    for (int s = 0; s < STAGES; s++) {
        const struct stage_row *row = stage_row((enum stage)s);
        snprintf(folder, sizeof folder, "%s/", row->folder);
        printf("  %-9s %-10s %s\n", row->name, folder, stage_traits((enum stage)s)->about);
    }
    fputs(HELP_END, stdout);
}

static enum status command(int argc, char **argv)
{
    if (asks_for_help(argc, argv)) {
        print_help();
        return OK;
    }
    const char *verb = argv[1];
    for (size_t c = 0; c < sizeof COMMANDS / sizeof *COMMANDS; c++)
        if (strcmp(verb, COMMANDS[c].verb) == 0)
            return act(&COMMANDS[c], argc - 2, argv + 2);
    if (argc == 6 && strcmp(verb, "task") == 0)
        return task(argv + 2);
    const enum suite_kind kind = argc == 3 ? kinds_find(argv[2]) : SUITE_SAES;
    if (strcmp(verb, "explain") == 0 && argc <= 3 && kind != SUITE_KINDS) {
        explain_suite(stdout, kind);
        return OK;
    }
    return refuse(E_USAGE, "'%s' is not a command; try saemill --help", verb);
}

int main(int argc, char **argv)
{
    blas_core_settle(argv);
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);     /* as in run_start() */
    allocate_for_json();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    enum status st = command(argc, argv);

    if (st == OK)
        st = output_finish();
    fflush(stdout);
    if (refuse_reason()[0] != '\0')
        fprintf(stderr, "saemill: %s\n", refuse_reason());
    return st;
}
