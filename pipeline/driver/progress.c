#include "driver/progress.h"
#include "base/split.h"
#include "shard/h5.h"
#include "suite/paths.h"
#include "train/resume.h"

#include <fts.h>
#include <string.h>

enum { SHARD_COUNTS = 1000000 };    /* more than there are dealt files, which its completion
                                       removes */

/* Files under their final names in a folder NAME.part: shards, and below them dealt files. */
static int64_t files_in_part(const char *folder)
{
    char part[PATH_LENGTH];
    int64_t progress = 0;

    path_print(part, "%s.part", folder);
    char *const roots[] = { part, NULL };
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; tree != NULL && (entry = fts_read(tree)) != NULL; )
        if (entry->fts_info == FTS_F && !path_ends(entry->fts_path, ".part"))
            progress += entry->fts_level == 1 ? SHARD_COUNTS : 1;
    if (tree != NULL)
        fts_close(tree);
    return progress;
}

/* Steps of one autoencoder that need not be done again: those of its newest checkpoint, or, if
 * that cannot be read, of the one before. */
static int64_t steps_of(const struct suite *suite, struct tap tap, const struct sae_task *sae)
{
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    int64_t step = 0;

    paths_sae(path, suite, tap, sae->name, ".h5");
    if (file_exists(path))
        return split_blocks(sae->tokens, suite->train.batch) + 1;
    paths_sae(stem, suite, tap, sae->name, "");
    for (int age = 0; age < CHECKPOINTS && step == 0; age++) {
        hid_t file = -1;
        resume_path(path, stem, age);
        if (file_exists(path) && h5_open(&file, path) == OK
            && h5_read_int(file, path, "step", &step) != OK)
            step = 0;
        h5_close(&file, path, OK);
        refuse_clear();
    }
    return step;
}

int64_t progress_of(const struct suite *suite, const struct tasks *tasks, enum stage stage,
                    int64_t task)
{
    const struct tap_task *stream = task < tasks->taps_count ? &tasks->train[task] : NULL;
    char path[PATH_LENGTH];
    int64_t progress = 0;

    if (stage == STAGE_SHUFFLE && stream != NULL) {
        paths_shuffle(path, suite, stream->tap);
        progress = files_in_part(path);
    }
    for (int s = 0; stage_follows_streams(stage) && stream != NULL && s < stream->count; s++) {
        paths_scores(path, suite, stream->tap, stream->saes[s].name);
        progress += stage == STAGE_TRAIN ? steps_of(suite, stream->tap, &stream->saes[s])
                                         : file_exists(path);
    }
    return progress;
}
