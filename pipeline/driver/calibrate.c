#include "driver/calibrate.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/split.h"
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "corpus/inputs.h"
#include "driver/cores.h"
#include "driver/cost.h"
#include "driver/launch.h"
#include "driver/layout.h"
#include "driver/stage.h"
#include "driver/suite_model.h"
#include "shard/activations.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double SHORT = 2, LONG = 8;    /* seconds that each stage of a slice is to take */
static const double HOLDOUT = 0.3;          /* of a slice, so that it has enough to score */
static const double TEXT_OF_A_TOKEN = 6;    /* bytes of text to take; English has 4 to 5 */

struct slice {
    const struct suite *whole;
    const struct lm_config *model;
    int           cores;
    struct suite  suite;
    struct cost   cost;
    char          folder[PATH_LENGTH], path[PATH_LENGTH];   /* of all of it; of the suite file */
    double        text;         /* bytes in the sample */
    double        seconds[STAGES];
};

static int64_t at_most(double number, int64_t most)
{
    return number < (double)most ? (int64_t)number : most;
}

/* --- the slice --------------------------------------------------------------------- */

/* Take documents from all files of the corpus in turn until there is enough text. */
static enum status take_text(struct slice *slice, double bytes)
{
    struct corpus corpus = {0};
    struct documents documents = {0};
    char path[PATH_LENGTH];
    FILE *out = NULL;
    enum status st;

    path_print(path, "%s/sample.jsonl", slice->folder);
    TRY(corpus_list(&corpus, slice->whole->corpus.files, slice->whole->corpus.files_count));
    out = fopen(path, "w");
    TRY(out != NULL ? OK : file_refuse("write", path));
    for (int f = 0; f < corpus.files && !corpus_is_ids(corpus.paths[f]); f++) {
        const char *text = "";
        int64_t size;
        TRY(documents_open(&documents, corpus.paths[f], 1,
                           slice->whole->corpus.chat != CHAT_NONE));
        while (text != NULL && slice->text < bytes * (f + 1) / corpus.files) {
            TRY(documents_next(&documents, &text, &size));
            if (text == NULL)
                continue;
            json_t *line = json_pack("{s:s%}", "text", text, (size_t)size);
            if (line != NULL && json_dumpf(line, out, JSON_COMPACT) == 0)
                fputc('\n', out);
            json_decref(line);
            slice->text += (double)size;
        }
        documents_close(&documents);
    }
    REQUIRE(slice->text > 0, E_USAGE, "measuring needs text; the corpus of %s has only token ids",
            slice->whole->name);
done:
    documents_close(&documents);
    if (out != NULL && fclose(out) != 0 && st == OK)
        st = file_refuse("write", path);
    corpus_free(&corpus);
    return st;
}

static void set_text(char **member, const char *text)
{
    free(*member);
    *member = strdup(text);
    if (*member == NULL)
        die("no memory for a path");
}

static struct layout layout_here(const struct slice *slice, enum stage stage)
{
    return layout_of(stage, &slice->suite, slice->model, layout_nodes_here());
}

/* Whole rounds, at least one, in which each rank of a stage has a block of sequences. */
static int64_t whole_rounds(const struct slice *slice, enum stage stage, double sequences)
{
    const int64_t round = layout_here(slice, stage).ranks * slice->suite.harvest.block;
    const double rounds = floor(sequences / (double)round + 0.5);

    return round * (rounds < 1 ? 1 : (int64_t)rounds);
}

/* Cut the suite down to what takes `seconds` seconds a stage at the expected rates. */
static enum status cut(struct slice *slice, const struct rates *rates, double seconds)
{
    struct suite *suite = &slice->suite;
    const double speed = seconds * slice->cores;
    const int64_t context = suite->corpus.context;
    char path[PATH_LENGTH];
    enum status st;

    TRY(cost_of(&slice->cost, suite, slice->model, rates));
    const struct cost *all = &slice->cost;
    const double harvest = speed * rates->stage[STAGE_HARVEST].work
                           / all->stage[STAGE_HARVEST].work;
    const double evaluate = speed * rates->stage[STAGE_EVALUATE].work
                            / all->stage[STAGE_EVALUATE].work;
    const double train = fmin(1, speed * rates->stage[STAGE_TRAIN].work
                                 / all->stage[STAGE_TRAIN].work);

    suite->harvest.tokens = context * whole_rounds(slice, STAGE_HARVEST,
                                                   harvest * all->amounts.tokens / (double)context);
    suite->evaluate.sequences = whole_rounds(slice, STAGE_EVALUATE,
                                             evaluate * all->amounts.held_out / (double)context);
    for (unsigned g = 0; g < suite->saes_count; g++) {
        const double rows = fmax(train * (double)suite->saes[g].tokens,
                                 8 * (double)suite->train.batch);
        suite->saes[g].tokens = at_most(rows, suite->saes[g].tokens);
    }
    suite->train.warmup = (int64_t)(train * (double)suite->train.warmup);
    suite->train.sparsity_warmup = (int64_t)(train * (double)suite->train.sparsity_warmup);
    suite->corpus.holdout = HOLDOUT;
    suite->corpus.chat = CHAT_NONE;         /* what take_text() takes is text */
    TRY(take_text(slice, TEXT_OF_A_TOKEN
                         * ((double)suite->harvest.tokens
                              + (double)(suite->evaluate.sequences * context) / HOLDOUT)));
    path_print(path, "%s/sample.jsonl", slice->folder);
    set_text(&suite->corpus.files[0], path);
    while (suite->corpus.files_count > 1)
        free(suite->corpus.files[--suite->corpus.files_count]);
    path_print(path, "%s/run", slice->folder);
    set_text(&suite->run, path);
    suite_render(suite);
    TRY(file_write(slice->path, suite->text, (int64_t)strlen(suite->text)));
done:
    return st;
}

/* --- the stages -------------------------------------------------------------------- */

/* Run one stage of the slice; the seconds it takes. */
static enum status time_stage(struct slice *slice, enum stage stage, double *seconds)
{
    const struct layout layout = layout_here(slice, stage);
    struct timespec from, to;
    char program[64], log[PATH_LENGTH];
    enum status st;

    snprintf(program, sizeof program, "saemill-%s", stage_name(stage));
    path_print(log, "%s/log", slice->folder);
    clock_gettime(CLOCK_MONOTONIC, &from);
    st = launch(&(struct launch){ .program = program, .argument = slice->path, .log = log,
                                  .ranks = layout.ranks, .threads = layout.threads,
                                  .brief = true });
    clock_gettime(CLOCK_MONOTONIC, &to);
    *seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    return st;
}

/* Rows of a stream, as they came out. */
static enum status count_rows(const struct slice *slice, const struct tasks *tasks, int64_t *rows)
{
    char (*paths)[PATH_LENGTH] = allocate(1, sizeof *paths);
    char folder[PATH_LENGTH], name[32];
    struct activations stream = {0};
    enum status st = OK;

    *rows = 0;
    for (int64_t shard = 0;; shard++) {
        paths_harvest(folder, &slice->suite, shard);
        if (!file_exists(folder))
            break;
        path_print(paths[0], "%s/%s.h5", folder, site_tap_name(name, tasks->taps[0]));
        TRY(activations_open(&stream, paths, NULL, 1));
        *rows += stream.statistics.rows;
        activations_close(&stream);
    }
done:
    activations_close(&stream);
    free(paths);
    return st;
}

/* Tokens that the sample became, with BOS and padding: all of it, not only what the stages
 * took. */
static enum status count_tokens(const struct slice *slice, const struct rates *rates,
                                double *tokens)
{
    struct suite all = slice->suite;    /* shares its lists */
    struct cost cost;
    enum status st;

    all.harvest.tokens = 0;
    all.evaluate.sequences = 0;
    TRY(cost_of(&cost, &all, slice->model, rates));
    *tokens = cost.amounts.tokens + cost.amounts.held_out;
done:
    return st;
}

/* What the slice tells of its text, and of how rows compress. */
static enum status learn_text(struct rates *rates, struct slice *slice)
{
    struct tasks tasks = {0};
    char path[PATH_LENGTH];
    int64_t rows, bytes;
    double tokens;
    enum status st;

    TRY(tasks_make(&tasks, &slice->suite, slice->model->layers));
    TRY(count_rows(slice, &tasks, &rows));
    TRY(cost_of(&slice->cost, &slice->suite, slice->model, rates));
    rates->rows = (double)rows / slice->cost.amounts.tokens;
    TRY(cost_of(&slice->cost, &slice->suite, slice->model, rates));
    path_print(path, "%s/harvest", slice->suite.run);
    TRY(file_folder_size(path, &bytes));
    rates->kept *= (double)bytes / slice->cost.stage[STAGE_HARVEST].left;
    TRY(count_tokens(slice, rates, &tokens));
    rates->token_bytes = slice->cost.stage[STAGE_TOKENIZE].work / (tokens * rates->rows);
done:
    tasks_free(&tasks);
    return st;
}

/* Run a slice of the suite of about `seconds` seconds a stage, and measure its text. */
static enum status run_slice(struct slice *slice, struct rates *rates, double seconds)
{
    enum status st;

    path_print(slice->path, "%s/suite.yaml", slice->folder);
    TRY(suite_parse(&slice->suite, slice->whole->source, slice->whole->path));
    TRY(file_remove(slice->folder));
    TRY(file_make_folder(slice->folder));
    TRY(cut(slice, rates, seconds));
    TRY(inputs_keep(&slice->suite));    /* model and text are hashed once, which no rate includes */
    for (int stage = 0; stage < STAGES; stage++)
        if (suite_has_stage(&slice->suite, (enum stage)stage))
            TRY(time_stage(slice, (enum stage)stage, &slice->seconds[stage]));
    TRY(time_stage(slice, STAGE_TOKENIZE, &rates->start));      /* nothing is left to do */
    TRY(learn_text(rates, slice));
    st = file_remove(slice->folder);
done:
    return st;
}

/* --- the rates --------------------------------------------------------------------- */

/* What a slice tells of a stage: at least a little time, since clocks are not exact. */
static struct sample sample_of(const struct slice *slice, enum stage stage, double start)
{
    const struct stage_cost *cost = &slice->cost.stage[stage];

    return (struct sample){ .seconds = fmax(slice->seconds[stage] - start, 0.05),
                            .tasks = (double)cost->tasks, .work = cost->work };
}

/* The forward passes of task files are short ones, as evaluate's are. */
static void find_rates(struct rates *rates, const struct slice *less, const struct slice *more)
{
    for (int s = 0; s < STAGES; s++)
        if (suite_has_stage(&less->suite, (enum stage)s))
            rates->stage[s] = rates_fit(sample_of(less, (enum stage)s, rates->start),
                                        sample_of(more, (enum stage)s, rates->start),
                                        more->cores);
    for (int s = 0; s < STAGES; s++)
        if (stage_row((enum stage)s)->kind != SUITE_SAES)
            rates->stage[s] = rates->stage[STAGE_EVALUATE];
}

static void print_rates(const struct rates *rates, const struct suite *suite, int cores)
{
    char path[PATH_LENGTH];

    printf("Of each of %d cores:", cores);
    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct stage_traits *traits = stage_traits((enum stage)s);
        printf("%s %s %.3g %s", s > 0 ? "," : "", stage_name((enum stage)s),
               rates->stage[s].work / traits->rate_unit, traits->rate_name);
    }
    printf("\nOf each task besides: %.2g s to start it", rates->start);
    for (int s = 0; s < STAGES; s++)
        if (suite_has_stage(suite, (enum stage)s))
            printf(", %s %.2g s", stage_name((enum stage)s), rates->stage[s].task);
    rates_path(path);
    printf("\nOf the text: %.3g rows a token; on disk %.3g bytes a byte\nKept in %s\n",
           rates->rows, rates->kept, path);
}

enum status calibrate(const struct suite *suite)
{
    struct lm_config model;
    struct slice slice[2];
    struct rates rates;
    enum status st;

    for (int s = 0; s < 2; s++) {
        slice[s] = (struct slice){ .whole = suite, .model = &model, .cores = cores_available() };
        path_print(slice[s].folder, "%s.measure", suite->run);
    }
    REQUIRE(suite_has_stage(suite, STAGE_TOKENIZE), E_USAGE, "%s: rates are measured with a suite "
            "that trains autoencoders, such as jobs/demo.yaml", suite->path);
    TRY(suite_model_read(&model, suite));
    rates_of(&rates, suite);
    TRY(run_slice(&slice[0], &rates, SHORT));
    TRY(run_slice(&slice[1], &rates, LONG));
    find_rates(&rates, &slice[0], &slice[1]);
    TRY(rates_keep(&rates, suite));
    print_rates(&rates, suite, slice[0].cores);
done:
    suite_free(&slice[0].suite);
    suite_free(&slice[1].suite);
    return st;
}
