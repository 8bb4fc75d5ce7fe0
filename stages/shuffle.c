/* shuffle -- give every activation row an unpredictable place.
 *
 *   mpirun -n RANKS bin/saemill-shuffle SUITE [--task N]
 *
 *   reads   RUN/harvest/00000/TAP.h5 ...    rows in the order of the corpus
 *   writes  RUN/shuffle/TAP/00000.h5 ...    the same rows, in an order drawn from shuffle.seed
 *
 * The order depends on the seed and the number of rows alone, so it is the same for all
 * streams: row i is one token throughout.  A stream is a task.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/run.h"
#include "corpus/inputs.h"
#include "corpus/selection.h"
#include "lm/config.h"
#include "shard/maker.h"
#include "shard/store.h"
#include "shuffle/reorder.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <stdlib.h>

static const char HELP[] =
    "saemill-shuffle SUITE [--task N]\n"
    "\n"
    "Move the rows of every harvested stream to random places, RUN/shuffle/TAP/*.h5, with\n"
    "shuffle.memory bytes a rank; if that does not hold them all, by way of files in\n"
    "RUN/shuffle/TAP.part.  Streams that are done are skipped.  --task N does stream N alone.\n";

struct work {
    struct run   *run;
    struct suite  suite;
    struct tasks  tasks;
    struct selection selection;     /* the sequences of the harvest */
    int64_t       shards;           /* of harvest */
    int64_t       rows;             /* moved by this run */
    struct reorder_rows memory;     /* for those of a stream */
    double        bytes;
};

/* What there is to do.  Local. */
static enum status set_up(struct work *work)
{
    struct lm_config config;
    enum status st;

    TRY(config_read(&config, work->suite.model.path));
    TRY(tasks_make(&work->tasks, &work->suite, config.layers));
    TRY(run_check_task(work->run, work->tasks.taps_count));
    TRY(selection_of_harvest(&work->selection, &work->suite));
    work->shards = split_blocks(work->selection.sequences, work->suite.harvest.shard);
done:
    return st;
}

/* Open a stream as harvest left it.  Local. */
static enum status open_stream(struct activations *input, const struct work *work, struct tap tap)
{
    char (*paths)[PATH_LENGTH] = allocate(work->shards, sizeof *paths);
    struct identity *wanted = allocate(work->shards, sizeof *wanted);
    char folder[PATH_LENGTH], name[32];
    enum status st;

    for (int64_t shard = 0; shard < work->shards; shard++) {
        paths_harvest(folder, &work->suite, shard);
        path_print(paths[shard], "%s/%s.h5", folder, site_tap_name(name, tap));
        const struct identity of = identities_harvest(&work->selection.identities, shard);
        wanted[shard] = identity_of_stream(&of, tap);
        REQUIRE(file_exists(paths[shard]), E_USAGE, "cannot shuffle %s: %s is not there yet; let "
                "saemill-harvest finish first", name, paths[shard]);
    }
    TRY(activations_open(input, paths, wanted, (int)work->shards));
done:
    free(wanted);
    free(paths);
    return st;
}

/* Collective. */
static enum status shuffle_stream(struct work *work, struct tap tap)
{
    const struct suite *suite = &work->suite;
    struct activations input = {0};
    char folder[PATH_LENGTH], name[32];
    enum status st;

    paths_shuffle(folder, suite, tap);
    if (comm_file_exists(work->run->comm, folder))
        return OK;
    TRY_ALL(work->run->comm, open_stream(&input, work, tap));

    const int64_t rows = input.statistics.rows;
    const struct reorder job = {
        .input = &input, .folder = folder,
        .identity = identities_shuffle(&work->selection.identities, tap),
        .order = { .rows = rows, .seed = (uint64_t)suite->shuffle.seed,
                   .bucket = suite_bucket(suite, rows) },
        .shard = suite->shuffle.shard, .memory = suite->shuffle.memory,
        .rows = &work->memory,
    };
    TRY(reorder_stream(&job, work->run));
    work->rows += rows;
    work->bytes += (double)(rows * input.stream.width * store_bytes(input.stream.store));
    run_note(work->run, "%s: %lld rows in %s", site_tap_name(name, tap), (long long)rows, folder);
done:
    activations_close(&input);
    return st;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct work work = { .run = &run };
    enum status st;

    TRY(run_start(&run, "shuffle", HELP, argc, argv));
    TRY(suite_read(&work.suite, &run));
    TRY(maker_settle(&run, &work.suite));
    TRY_ROOT(run.comm, inputs_keep(&work.suite));
    TRY_ALL(run.comm, set_up(&work));
    for (int t = 0; t < work.tasks.taps_count; t++)
        if (run_does_task(&run, t))
            TRY(shuffle_stream(&work, work.tasks.taps[t]));
    run_summary(&run, (double)work.rows, "rows", work.bytes);
done:
    free(work.memory.memory);
    selection_close(&work.selection);
    tasks_free(&work.tasks);
    suite_free(&work.suite);
    return run_finish(&run, st);
}
