#include "driver/state.h"
#include "corpus/corpus.h"
#include "corpus/selection.h"
#include "lm/config.h"
#include "suite/tasks.h"

#include <fts.h>
#include <string.h>

static const char *const NAMES[STAGES] = {
    "tokenize", "harvest", "shuffle", "train", "evaluate", "release",
};

static const char *const TASKS[STAGES] = {
    "corpus files", "shards", "streams", "autoencoders", "autoencoders", "folder",
};

const char *stage_name(enum stage stage)
{
    return NAMES[stage];
}

const char *stage_tasks(enum stage stage)
{
    return TASKS[stage];
}

bool stage_complete(const struct stage_state *state)
{
    return state->done == state->total;
}

static void count(struct stage_state *state, const char *path)
{
    state->done += file_exists(path);
    state->total++;
}

static enum status count_tokens(struct stage_state *state, const struct suite *suite)
{
    struct corpus corpus = {0};
    char path[PATH_LENGTH];
    enum status st;

    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    for (int f = 0; f < corpus.files; f++) {
        path_tokens(path, suite, f);
        count(state, path);
    }
done:
    corpus_free(&corpus);
    return st;
}

/* The number of shards follows from the tokens: unknown as long as some are missing. */
static enum status count_harvest(struct stage_state *state, const struct suite *suite,
                                 bool tokenized)
{
    struct selection selection = {0};
    char path[PATH_LENGTH];
    int64_t shards = 0;
    enum status st = OK;

    if (tokenized) {
        TRY(selection_of_harvest(&selection, suite));
        shards = split_blocks(selection.sequences, suite->harvest.shard);
    }
    for (int64_t s = 0; s < shards; s++) {
        path_harvest(path, suite, s);
        count(state, path);
    }
    if (!tokenized)
        state->total = -1;
done:
    selection_close(&selection);
    return st;
}

static void count_saes(struct state *state, const struct suite *suite, const struct tasks *tasks)
{
    char path[PATH_LENGTH];

    for (int t = 0; t < tasks->train_count; t++) {
        const struct tap_task *task = &tasks->train[t];
        for (int s = 0; s < task->count; s++) {
            path_sae(path, suite, task->tap, task->saes[s].name, ".h5");
            count(&state->stage[STAGE_TRAIN], path);
            path_scores(path, suite, task->tap, task->saes[s].name);
            count(&state->stage[STAGE_EVALUATE], path);
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
    TRY(config_read(&model, suite->model.path));
    TRY(tasks_make(&tasks, suite, model.layers));
    TRY(count_tokens(&stage[STAGE_TOKENIZE], suite));
    TRY(count_harvest(&stage[STAGE_HARVEST], suite, stage_complete(&stage[STAGE_TOKENIZE])));
    for (int t = 0; t < tasks.taps_count; t++) {
        path_shuffle(path, suite, tasks.taps[t]);
        count(&stage[STAGE_SHUFFLE], path);
    }
    count_saes(state, suite, &tasks);
    path_release(path, suite);
    count(&stage[STAGE_RELEASE], path);
    state->leftovers = count_leftovers(suite->run);
done:
    tasks_free(&tasks);
    return st;
}
