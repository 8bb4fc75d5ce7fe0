#include "driver/state.h"
#include "base/allocate.h"
#include "driver/stage.h"
#include "driver/suite_model.h"
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

/* One of the things that a stage makes.  Returns whether it is there. */
static bool count_thing(struct stage_state *state, const char *path, bool lingers)
{
    struct stat about;
    const bool there = stat(path, &about) == 0 && !lingers;

    state->total++;
    state->done += there;
    if (there && (state->first == 0 || about.st_mtime < state->first))
        state->first = about.st_mtime;
    if (there && about.st_mtime > state->last)
        state->last = about.st_mtime;
    return there;
}

/* A task is done when all that it makes is there. */
static void count_task(struct stage_state *state, int64_t task, const struct stage_traits *traits,
                       const struct suite *suite, const struct tasks *tasks)
{
    char path[PATH_LENGTH];

    for (int i = 0; traits->path(path, suite, tasks, task, i); i++) {
        const bool lingers = traits->lingers != NULL
                             && traits->lingers(suite, tasks, task, i);
        state->task_done[task] = count_thing(state, path, lingers) && state->task_done[task];
    }
}

static enum status count_stage(struct state *state, enum stage stage, const struct suite *suite,
                               const struct tasks *tasks)
{
    const struct stage_traits *traits = stage_traits(stage);
    const struct stage_row *row = stage_row(stage);
    const bool ready = row->follows == FOLLOWS_NONE
                       || state_stage_complete(&state->stage[row->after]);
    struct stage_state *of = &state->stage[stage];
    char path[PATH_LENGTH];
    int64_t count;
    enum status st;

    if (!suite_has_stage(suite, stage))
        return OK;
    TRY(traits->count(suite, tasks, ready, &count));
    make_tasks(of, count);
    for (int64_t t = 0; t < count; t++)
        count_task(of, t, traits, suite, tasks);
    if (traits->summary != NULL && traits->summary(path, suite))
        count_thing(of, path, false);
    if (count == 0)
        of->total = -1;
done:
    return st;
}

static bool is_part(const FTSENT *entry)
{
    static const char ENDING[] = ".part";
    const size_t ending = sizeof ENDING - 1;

    return entry->fts_namelen > ending
        && strcmp(entry->fts_name + entry->fts_namelen - ending, ENDING) == 0;
}

/* What unfinished runs left; a folder counts once, with all that is in it. */
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
    struct tasks tasks = {0};
    struct lm_config model;
    enum status st;

    *state = (struct state){0};
    TRY(suite_model_read(&model, suite));
    TRY(tasks_make(&tasks, suite, model.layers));
    for (int s = 0; s < STAGES; s++)
        TRY(count_stage(state, (enum stage)s, suite, &tasks));
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
