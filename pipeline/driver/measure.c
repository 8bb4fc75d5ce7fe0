#include "driver/measure.h"
#include "base/memory.h"
#include "base/split.h"
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "driver/cores.h"
#include "driver/cost.h"
#include "driver/launch.h"
#include "driver/layout.h"
#include "driver/model.h"
#include "shard/activations.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double SECONDS = 8;        /* that each stage is to take */
static const double HOLDOUT = 0.3;      /* of the slice, so that it has enough to score */

struct slice {
    const struct suite *whole;
    struct suite  suite;
    struct lm_config model;
    struct rates  rates;        /* expected, then found */
    struct cost   cost;
    char          folder[PATH_LENGTH], path[PATH_LENGTH];   /* of all of it; of the suite file */
    double        text;         /* bytes in the sample */
    int           cores;
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
        TRY(documents_open(&documents, corpus.paths[f]));
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
    TRY(slice->text > 0 ? OK : refuse(E_USAGE, "measuring needs text; the corpus of %s has only "
                                      "token ids", slice->whole->name));
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

/* Cut the suite down to what takes some seconds at the rates that are expected. */
static enum status cut(struct slice *slice)
{
    struct suite *suite = &slice->suite;
    const double speed = SECONDS * slice->cores;
    const int64_t context = suite->corpus.context;
    char path[PATH_LENGTH];
    enum status st;

    TRY(cost_of(&slice->cost, suite, &slice->model, &slice->rates));
    const struct cost *all = &slice->cost;
    const double tokens = fmax(speed * slice->rates.harvest / all->stage[STAGE_HARVEST].work
                               * all->tokens, (double)(suite->harvest.block * context));
    const double share = fmin(1, speed * slice->rates.train / all->stage[STAGE_TRAIN].work);

    suite->harvest.tokens = at_most(tokens, (int64_t)all->tokens);
    suite->evaluate.sequences = 1 + at_most(speed * slice->rates.evaluate
                                            / all->stage[STAGE_EVALUATE].work * all->held_out,
                                            (int64_t)all->held_out) / context;
    for (unsigned g = 0; g < suite->saes_count; g++) {
        const double rows = fmax(share * (double)suite->saes[g].tokens,
                                 8 * (double)suite->train.batch);
        suite->saes[g].tokens = at_most(rows, suite->saes[g].tokens);
    }
    suite->train.warmup = (int64_t)(share * (double)suite->train.warmup);
    suite->train.sparsity_warmup = (int64_t)(share * (double)suite->train.sparsity_warmup);
    suite->corpus.holdout = HOLDOUT;
    TRY(take_text(slice, 6 * (tokens + (double)(suite->evaluate.sequences * context)
                              / HOLDOUT)));
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
    const struct layout layout = layout_of(stage, &slice->suite, &slice->model, slice->cores,
                                           memory_limit());
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
    for (int64_t shard = 0; ; shard++) {
        path_harvest(folder, &slice->suite, shard);
        if (!file_exists(folder))
            break;
        path_print(paths[0], "%s/%s.h5", folder, tap_name(name, tasks->taps[0]));
        TRY(activations_open(&stream, paths, 1));
        *rows += stream.statistics.rows;
        activations_close(&stream);
    }
done:
    activations_close(&stream);
    free(paths);
    return st;
}

/* What the slice tells of its text, and of how rows compress. */
static enum status learn_text(struct slice *slice)
{
    struct tasks tasks = {0};
    char path[PATH_LENGTH];
    int64_t rows, bytes;
    enum status st;

    TRY(tasks_make(&tasks, &slice->suite, slice->model.layers));
    TRY(count_rows(slice, &tasks, &rows));
    TRY(cost_of(&slice->cost, &slice->suite, &slice->model, &slice->rates));
    slice->rates.rows = (double)rows / slice->cost.tokens;
    TRY(cost_of(&slice->cost, &slice->suite, &slice->model, &slice->rates));
    path_print(path, "%s/harvest", slice->suite.run);
    TRY(folder_size(path, &bytes));
    const double kept = slice->rates.kept * (double)bytes
                        / slice->cost.stage[STAGE_HARVEST].left;
    slice->rates.kept = kept;
    slice->rates.token_bytes = slice->text / 3 * slice->rates.token_bytes
                               / (slice->cost.stage[STAGE_TOKENIZE].left / 1.5
                                  * slice->rates.token_bytes);
done:
    tasks_free(&tasks);
    return st;
}

/* Rates from what the stages took. */
static void find_rates(struct slice *slice)
{
    double *const rate[] = {
        &slice->rates.tokenize, &slice->rates.harvest, &slice->rates.shuffle,
        &slice->rates.train, &slice->rates.evaluate,
    };

    for (int s = 0; s < STAGE_RELEASE; s++) {
        const double busy = fmax(slice->seconds[s] - slice->rates.start, 0.05);
        *rate[s] = slice->cost.stage[s].work / (busy * slice->cores);
    }
}

static void print_rates(const struct slice *slice)
{
    char path[PATH_LENGTH];

    rates_path(path);
    printf("Of each of %d cores: tokenize %.3g MB/s, harvest %.3g GFLOP/s, shuffle %.3g MB/s, "
           "train %.3g GFLOP/s, evaluate %.3g GFLOP/s; %.2g s to start a stage\n"
           "Of the text: %.3g rows a token; on disk %.3g bytes a byte\nKept in %s\n", slice->cores,
           slice->rates.tokenize / 1e6, slice->rates.harvest / 1e9, slice->rates.shuffle / 1e6,
           slice->rates.train / 1e9, slice->rates.evaluate / 1e9, slice->rates.start,
           slice->rates.rows, slice->rates.kept, path);
}

enum status measure(const struct suite *suite)
{
    struct slice slice = { .whole = suite, .cores = cores_available() };
    enum status st;

    path_print(slice.folder, "%s.measure", suite->run);
    path_print(slice.path, "%s/suite.yaml", slice.folder);
    TRY(model_read(&slice.model, suite));
    TRY(suite_parse(&slice.suite, suite->source, suite->path));
    rates_of(&slice.rates, suite);
    TRY(file_remove(slice.folder));
    TRY(folder_make(slice.folder));
    TRY(cut(&slice));
    for (int stage = 0; stage < STAGE_RELEASE; stage++)
        TRY(time_stage(&slice, (enum stage)stage, &slice.seconds[stage]));
    TRY(time_stage(&slice, STAGE_TOKENIZE, &slice.rates.start));    /* nothing is left to do */
    TRY(learn_text(&slice));
    find_rates(&slice);
    TRY(rates_keep(&slice.rates, suite));
    print_rates(&slice);
    st = file_remove(slice.folder);
done:
    suite_free(&slice.suite);
    return st;
}
