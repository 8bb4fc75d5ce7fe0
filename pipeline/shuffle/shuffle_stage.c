/* What is known of shuffle before it runs.  A task is a stream. */
#include "harvest/harvest_stage.h"
#include "lm/config.h"
#include "shard/stream.h"
#include "shuffle/shuffle_plan.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <fts.h>
#include <math.h>

enum { SHARD_COUNTS = 1000000 };    /* more than there are spill files, which its completion
                                       removes */

static double given_rate(const struct suite *suite)
{
    return suite->rates.shuffle;
}

static struct stage_memory bytes(const struct stage_host *host)
{
    return (struct stage_memory){ .rank = host->suite->shuffle.memory };
}

/* Passes but the last that a shuffle makes over a stream. */
static int64_t partition_passes(const struct stage_host *host, int64_t rows, struct tap tap)
{
    const struct suite *suite = host->suite;
    const int64_t row = (int64_t)harvest_value_bytes(host, 1, tap);
    const struct shuffle_memory_rows about = {
        .bytes = row, .value = row / lm_site_width(host->model, tap.site),
        .input_chunk = shuffle_plan_chunk(rows, CHUNK_ROWS),
        .output_chunk = shuffle_plan_chunk(rows, suite->shuffle.shard),
    };
    struct shuffle_plan plan = {0};
    struct shuffle_memory memory;

    if (shuffle_memory_make(&memory, suite->shuffle.memory, host->nodes * host->ranks, &about)
        == OK)
        shuffle_plan_make(&plan, rows, suite->shuffle.shard, suite_bucket(suite, rows), &memory);
    refuse_clear();
    return plan.partitions;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const int64_t rows = amounts->rows >= 1 ? (int64_t)amounts->rows : 1;
    const int taps = host->tasks->taps_count;
    struct stage_cost cost = { .tasks = taps };
    double widest = 0, all = 0;

    for (int t = 0; t < taps; t++) {
        const struct tap tap = host->tasks->taps[t];
        const double values = harvest_value_bytes(host, amounts->rows, tap);
        const double spilled = (double)partition_passes(host, rows, tap) * values;
        cost.work += values + spilled;
        cost.read += spilled;
        cost.left += harvest_stream_bytes(host, amounts, tap);
        if (spilled > 0) {
            cost.passing.all += values;
            cost.passing.task = fmax(cost.passing.task, values);
        }
        widest = fmax(widest, values);
        all += values;
    }
    cost.written = cost.read + cost.left;
    cost.read += cost.left;
    cost.longest = widest / all;
    cost.files = (double)(taps * split_blocks(rows, host->suite->shuffle.shard));
    return cost;
}

/* --- tasks --------------------------------------------------------------------------- */

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    (void)suite, (void)ready;
    *count = tasks->taps_count;
    return OK;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    paths_shuffle(path, suite, tasks->taps[task]);
    return i == 0;
}

/* Files under their final names in a folder NAME.part: shards, and below them spill files. */
static int64_t progress(const struct suite *suite, const struct tasks *tasks, int64_t task)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    int64_t files = 0;

    paths_shuffle(path, suite, tasks->taps[task]);
    path_print(part, "%s.part", path);
    char *const roots[] = { part, NULL };
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *entry; tree != NULL && (entry = fts_read(tree)) != NULL; )
        if (entry->fts_info == FTS_F && !path_ends(entry->fts_path, ".part"))
            files += entry->fts_level == 1 ? SHARD_COUNTS : 1;
    if (tree != NULL)
        fts_close(tree);
    return files;
}

const struct stage_traits SHUFFLE_STAGE = {
    .about = "the same rows in random order", .several_nodes = true,
    .rate = 60e6, .rate_unit = 1e6, .rate_name = "MB/s",
    .less_memory = ", or a smaller shuffle.memory", .less_time = "", .given = given_rate,
    .bytes = bytes, .cost = cost, .count = count_tasks, .path = path_made, .progress = progress,
};
