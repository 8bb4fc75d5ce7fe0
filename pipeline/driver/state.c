#include "driver/state.h"
#include "base/allocate.h"
#include "corpus/corpus.h"
#include "corpus/selection.h"
#include "driver/suite_model.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool state_stage_complete(const struct stage_state *state)
{
    return state->done == state->total;
}

static void make_tasks(struct stage_state *state, int64_t tasks)
{
    state->tasks = tasks;
    state->task_done = allocate(tasks, sizeof *state->task_done);
    memset(state->task_done, true, (size_t)tasks);
}

/* One of the things that a task makes; the task is done when all of them are there. */
static void count(struct stage_state *state, int64_t task, const char *path)
{
    struct stat about;
    const bool there = stat(path, &about) == 0;

    state->total++;
    state->done += there;
    state->task_done[task] = state->task_done[task] && there;
    if (there && (state->first == 0 || about.st_mtime < state->first))
        state->first = about.st_mtime;
    if (there && about.st_mtime > state->last)
        state->last = about.st_mtime;
}

static enum status count_tokens(struct stage_state *state, const struct suite *suite)
{
    struct corpus corpus = {0};
    char path[PATH_LENGTH];
    enum status st;

    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    make_tasks(state, corpus.files);
    for (int f = 0; f < corpus.files; f++) {
        paths_tokens(path, suite, f);
        count(state, f, path);
    }
done:
    corpus_free(&corpus);
    return st;
}

/* The number of shards follows from the tokens; as long as some are missing, it is known
 * only if the suite limits it, and the corpus is expected to be long enough. */
static enum status count_harvest(struct stage_state *state, const struct suite *suite,
                                 bool tokenized)
{
    int64_t sequences = split_blocks(suite->harvest.tokens, suite->corpus.context);
    struct selection selection = {0};
    char path[PATH_LENGTH];
    enum status st = OK;

    if (tokenized) {
        TRY(selection_of_harvest(&selection, suite));
        sequences = selection.sequences;
    }
    make_tasks(state, split_blocks(sequences, suite->harvest.shard));
    for (int64_t s = 0; s < state->tasks; s++) {
        paths_harvest(path, suite, s);
        count(state, s, path);
    }
    if (state->tasks == 0)
        state->total = -1;
done:
    selection_close(&selection);
    return st;
}

static void count_streams(struct state *state, const struct suite *suite,
                          const struct tasks *tasks)
{
    char path[PATH_LENGTH];

    for (int stage = STAGE_SHUFFLE; stage <= STAGE_EVALUATE; stage++)
        make_tasks(&state->stage[stage], tasks->taps_count);
    for (int t = 0; t < tasks->taps_count; t++) {
        const struct tap_task *task = &tasks->train[t];
        paths_shuffle(path, suite, task->tap);
        count(&state->stage[STAGE_SHUFFLE], t, path);
        for (int s = 0; s < task->count; s++) {
            paths_sae(path, suite, task->tap, task->saes[s].name, ".h5");
            count(&state->stage[STAGE_TRAIN], t, path);
            paths_scores(path, suite, task->tap, task->saes[s].name);
            count(&state->stage[STAGE_EVALUATE], t, path);
        }
    }
}

static bool is_part(const FTSENT *entry)
{
    static const char ENDING[] = ".part";
    const size_t ending = sizeof ENDING - 1;

    return entry->fts_namelen > ending
        && strcmp(entry->fts_name + entry->fts_namelen - ending, ENDING) == 0;
}

/* What an unfinished run left behind; a folder counts once, with all that is in it. */
static int64_t count_leftovers(char *folder)
{
    char *const roots[] = { folder, NULL };
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    int64_t leftovers = 0;

    if (tree == NULL)
        return 0;
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL; )
        if (entry->fts_info != FTS_DP && is_part(entry)) {
            leftovers++;
            fts_set(tree, entry, FTS_SKIP);
        }
    fts_close(tree);
    return leftovers;
}

enum status state_read(struct state *state, const struct suite *suite)
{
    struct stage_state *stage = state->stage;
    struct tasks tasks = {0};
    struct lm_config model;
    char path[PATH_LENGTH];
    enum status st;

    *state = (struct state){0};
    TRY(suite_model_read(&model, suite));
    TRY(tasks_make(&tasks, suite, model.layers));
    TRY(count_tokens(&stage[STAGE_TOKENIZE], suite));
    TRY(count_harvest(&stage[STAGE_HARVEST], suite, state_stage_complete(&stage[STAGE_TOKENIZE])));
    count_streams(state, suite, &tasks);
    paths_release(path, suite);
    make_tasks(&stage[STAGE_RELEASE], 1);
    count(&stage[STAGE_RELEASE], 0, path);
    state->leftovers = count_leftovers(suite->run);
done:
    tasks_free(&tasks);
    return st;
}

void state_free(struct state *state)
{
    for (int s = 0; s < STAGES; s++)
        free(state->stage[s].task_done);
    *state = (struct state){0};
}
