/* saemill -- the command a person types: it starts the stages and says how far they are.
 *
 * It is no MPI program; each stage is one, and is started under mpirun.  What it knows of
 * a run it sees from the files in the run folder, so that it needs no memory of its own.
 */
#include "base/file.h"
#include "base/memory.h"
#include "driver/cores.h"
#include "driver/launch.h"
#include "driver/layout.h"
#include "driver/lock.h"
#include "driver/results.h"
#include "driver/state.h"
#include "suite/claim.h"
#include "suite/explain.h"

#include <hdf5.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char HELP[] =
    "saemill: sparse autoencoders for every layer and site of a language model\n"
    "\n"
    "  saemill run SUITE              do all that is missing, here, with the cores there are\n"
    "  saemill status SUITE [--json]  how far it is\n"
    "  saemill verify FOLDER          is this release what its sums say?\n"
    "  saemill explain                a suite file with every key explained\n"
    "\n"
    "A suite file says which model, which text and which autoencoders.  From it a run makes,\n"
    "stage by stage, in its folder (runs/NAME unless the suite says otherwise):\n"
    "\n"
    "  tokenize  tokens/    the text as sequences of token ids\n"
    "  harvest   harvest/   activations of the model at every site asked for\n"
    "  shuffle   shuffle/   the same rows in random order\n"
    "  train     train/     autoencoders, and a log of each training\n"
    "  evaluate  evaluate/  scores of each, spliced into the model on held-out text\n"
    "  release   release/   all of it for others to load; open release/index.html first\n"
    "\n"
    "What exists is complete.  Stop a run whenever you like (Ctrl-C); the same command goes on\n"
    "where it was, and ends with the same bits.  A stage can also be run by hand, on as many\n"
    "ranks as you like: mpirun -n 8 bin/saemill-harvest SUITE; with --help it says what it does.\n";

/* Read the suite file without MPI.  Local. */
static enum status read_suite(struct suite *suite, const char *path)
{
    char *yaml;
    int64_t bytes;
    enum status st;

    TRY(file_read(path, &yaml, &bytes));
    st = suite_parse(suite, yaml, path);
    free(yaml);
done:
    return st;
}

/* --- run --------------------------------------------------------------------------- */

/* Do what is missing of one stage; `state` is that before it, and then that after it. */
static enum status run_stage(enum stage stage, const char *path, const struct suite *suite,
                             const struct lm_config *model, struct state *state)
{
    const int cores = cores_available();
    const struct layout layout = layout_of(stage, suite, model, cores, memory_limit());
    char program[64];
    enum status st = OK;

    if (stage_complete(&state->stage[stage])) {
        printf("%s: complete, %lld %s\n", stage_name(stage),
               (long long)state->stage[stage].total, stage_tasks(stage));
        return OK;
    }
    snprintf(program, sizeof program, "saemill-%s", stage_name(stage));
    TRY(launch(&(struct launch){ .program = program, .argument = path, .ranks = layout.ranks,
                                 .threads = layout.threads, .live = isatty(STDOUT_FILENO),
                                 .brief = true }));
    TRY(state_read(state, suite));
    TRY(stage_complete(&state->stage[stage]) ? OK
        : refuse(E_IO, "%s ended well, but its work is not complete: %lld of %lld %s",
                 stage_name(stage), (long long)state->stage[stage].done,
                 (long long)state->stage[stage].total, stage_tasks(stage)));
done:
    if (st != OK)
        refuse(st, "%s did not finish; what is complete is kept, and saemill run %s goes on "
               "from there", stage_name(stage), path);
    return st;
}

static enum status run(const char *path)
{
    struct suite suite = {0};
    struct lm_config model;
    struct state state;
    enum status st;

    TRY(read_suite(&suite, path));
    TRY(config_read(&model, suite.model.path));
    TRY(state_read(&state, &suite));
    TRY(lock_take(suite.run));
    TRY(suite_claim(&suite));
    for (int stage = 0; stage < STAGES; stage++)
        TRY(run_stage((enum stage)stage, path, &suite, &model, &state));
    puts("");
    TRY(results_print(stdout, &suite));
    printf("\nThe release is complete.  Open %s/release/index.html\n", suite.run);
done:
    suite_free(&suite);
    return st;
}

/* --- status ------------------------------------------------------------------------ */

static void print_state(const char *path, const struct suite *suite, const struct state *state,
                        long holder)
{
    bool complete = true;

    printf("%s, in %s: ", suite->name, suite->run);
    if (holder != 0)
        printf("a run is going on (process %ld)\n", holder);
    else
        printf("no run is going on\n");
    for (int s = 0; s < STAGES; s++) {
        const struct stage_state *stage = &state->stage[s];
        complete = complete && stage_complete(stage);
        printf("  %-9s ", stage_name((enum stage)s));
        if (stage->total < 0)
            puts("waits for the stage before it");
        else
            printf("%5lld of %5lld %s%s\n", (long long)stage->done, (long long)stage->total,
                   stage_tasks((enum stage)s), stage_complete(stage) ? ", complete" : "");
    }
    if (state->leftovers > 0 && holder == 0)
        printf("  unfinished files or folders (*.part): %lld; the next run replaces them\n",
               (long long)state->leftovers);
    if (complete)
        printf("The release is complete.  Open %s/release/index.html\n", suite->run);
    else if (holder == 0)
        printf("To go on: saemill run %s\n", path);
}

static void print_json(const struct suite *suite, const struct state *state, long holder)
{
    json_t *stages = json_array();

    for (int s = 0; s < STAGES; s++) {
        json_t *total = state->stage[s].total < 0 ? json_null()
                                                  : json_integer(state->stage[s].total);
        json_array_append_new(stages, json_pack("{s:s, s:I, s:o}",
                                                "stage", stage_name((enum stage)s),
                                                "done", (json_int_t)state->stage[s].done,
                                                "total", total));
    }
    json_t *all = json_pack("{s:s, s:s, s:b, s:I, s:o}", "name", suite->name, "run", suite->run,
                            "running", holder != 0, "leftovers", (json_int_t)state->leftovers,
                            "stages", stages);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static enum status status(const char *path, bool json)
{
    struct suite suite = {0};
    struct state state;
    enum status st;

    TRY(read_suite(&suite, path));
    TRY(state_read(&state, &suite));
    const long holder = lock_holder(suite.run);
    if (json)
        print_json(&suite, &state, holder);
    else
        print_state(path, &suite, &state, holder);
done:
    suite_free(&suite);
    return st;
}

/* --- the command line -------------------------------------------------------------- */

static enum status verify(const char *folder)
{
    return launch(&(struct launch){ .program = "saemill-verify", .argument = folder,
                                    .ranks = cores_available(), .threads = 1 });
}

static enum status command(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "--help";
    const bool json = argc == 4 && strcmp(argv[3], "--json") == 0;

    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        fputs(HELP, stdout);
        return OK;
    }
    if (argc == 3 && strcmp(verb, "run") == 0)
        return run(argv[2]);
    if ((argc == 3 || json) && strcmp(verb, "status") == 0)
        return status(argv[2], json);
    if (argc == 3 && strcmp(verb, "verify") == 0)
        return verify(argv[2]);
    if (argc == 2 && strcmp(verb, "explain") == 0) {
        suite_explain(stdout);
        return OK;
    }
    return refuse(E_USAGE, "this is not a command; try saemill --help");
}

int main(int argc, char **argv)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const enum status st = command(argc, argv);

    fflush(stdout);
    if (status_reason()[0] != '\0')
        fprintf(stderr, "saemill: %s\n", status_reason());
    return st;
}
