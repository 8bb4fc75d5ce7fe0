/* harvest -- run the language model over text and keep its activations.
 *
 *   mpirun -n RANKS bin/saemill-harvest SUITE
 *
 *   reads   RUN/tokens/00000.h5 ...         sequences, in a random order
 *   writes  RUN/harvest/00000/res.01.h5 ... a folder a shard of sequences, a file a stream
 *
 * One forward pass serves every site of every layer.  The sequences of a shard are computed
 * in blocks of a fixed number, each by one rank, so that the values do not depend on the
 * number of ranks.  BOS, EOS and padding are fed to the model, but their rows are not stored:
 * an autoencoder should not spend latents on them (Gemma Scope, arXiv:2408.05147, 3.1).
 * Tokens whose norm stands out may be dropped as well (norm_filter.h), once a shard is written.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/human.h"
#include "base/memory.h"
#include "base/run.h"
#include "corpus/inputs.h"
#include "corpus/selection.h"
#include "harvest/harvest_stage.h"
#include "harvest/norm_filter.h"
#include "harvest/taps.h"
#include "shard/maker.h"
#include "shard/store.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <omp.h>
#include <stdlib.h>

static const char HELP[] =
    "saemill-harvest SUITE [--task N]\n"
    "\n"
    "Feed the training sequences to the model and keep the activations of every site and layer\n"
    "that the suite asks for: RUN/harvest/NNNNN/SITE.LL.h5, a folder for every shard of\n"
    "harvest.shard sequences.  Shards that are done are skipped.  --task N does shard N alone.\n";

struct harvest {
    struct run       *run;
    struct suite      suite;
    struct selection  selection;
    struct weights    weights;
    struct taps       taps;
    struct tasks      tasks;
    int64_t           shards;

    int32_t          *ids;          /* [shard, context] */
    struct sequence_origin *sequences;  /* [shard] */
    int64_t          *rows_before;  /* [shard + 1] stored rows of the sequences before each */
    int64_t           dropped;      /* rows of the present shard, for their norm */
    int64_t           stored;       /* rows, in this run */
    int64_t           fed;          /* tokens, in this run */
    double            bytes;        /* on disk before compression, in this run */
};

/* --- set up ------------------------------------------------------------------------ */

/* Which of the chosen sequences make a shard. */
static struct range shard_range(const struct harvest *harvest, int64_t number)
{
    return split_block(harvest->selection.sequences, harvest->suite.harvest.shard, number);
}

/* Of this rank; the first of a node counts the model.  Collective. */
static int64_t bytes_needed(const struct harvest *harvest, const struct lm_config *config,
                            enum precision precision)
{
    const struct stage_host host = {
        .suite = &harvest->suite, .model = config, .tasks = &harvest->tasks, .nodes = 1,
        .ranks = harvest->run->size, .threads = omp_get_max_threads(),
    };
    const bool first = comm_first_of_node(harvest->run->comm);

    return harvest_rank_bytes(&host, harvest->run->rank)
           + (first ? weights_bytes(config, precision) : 0);
}

static void allocate_all(struct harvest *harvest)
{
    const struct suite *suite = &harvest->suite;
    const int64_t block = suite->harvest.block, context = suite->corpus.context;
    const int64_t shard = suite->harvest.shard;

    taps_make(&harvest->taps, harvest->run->comm, &harvest->weights,
              harvest->selection.tokens.special, block, context);
    harvest->ids = allocate(shard * context, sizeof *harvest->ids);
    harvest->sequences = allocate(shard, sizeof *harvest->sequences);
    harvest->rows_before = allocate(shard + 1, sizeof *harvest->rows_before);
}

/* Bytes on disk, before compression, of a shard. */
static enum status measure_shard(struct harvest *harvest, struct range shard, int64_t *bytes)
{
    const int64_t sequences = shard.end - shard.first, context = harvest->suite.corpus.context;
    int32_t *ids = allocate(sequences * context, sizeof *ids);
    struct sequence_origin *origins = allocate(sequences, sizeof *origins);
    int64_t rows = 0;
    enum status st;

    TRY(selection_read(&harvest->selection, shard, ids, origins));
    for (int64_t i = 0; i < sequences * context; i++)
        rows += tokens_is_text(harvest->selection.tokens.special, ids[i]);
    for (int t = 0; t < harvest->taps.count; t++)
        *bytes += activation_writer_bytes(rows, harvest->taps.streams[t]);
done:
    free(origins);
    free(ids);
    return st;
}

/* Is there space on disk for all shards that are asked for and missing?  As sequences lie in a
 * random order, the first of these shards tells how large the others will be.  What killed runs
 * left of them is removed.  For rank 0. */
static enum status check_disk(struct harvest *harvest)
{
    char folder[PATH_LENGTH], part[PATH_LENGTH], purpose[80];
    int64_t bytes = 0, missing = 0;
    enum status st = OK;

    for (int64_t shard = 0; shard < harvest->shards; shard++) {
        paths_harvest(folder, &harvest->suite, shard);
        if (!run_does_task(harvest->run, shard) || file_exists(folder))
            continue;
        path_print(part, "%s.part", folder);
        TRY(file_remove(part));
        if (missing++ == 0)
            TRY(measure_shard(harvest, shard_range(harvest, shard), &bytes));
    }
    snprintf(purpose, sizeof purpose, "harvest (%lld shards of %d streams, before compression)",
             (long long)missing, harvest->taps.count);
    path_print(folder, "%s/harvest", harvest->suite.run);
    TRY(file_check_disk(folder, missing * bytes, purpose));
done:
    return st;
}

/* Everything that is known before the first forward pass.  Collective. */
static enum status set_up(struct harvest *harvest)
{
    const struct suite *suite = &harvest->suite;
    MPI_Comm comm = harvest->run->comm;
    struct lm_config config;
    const enum precision precision = suite->model.precision;
    double start;
    enum status st;

    TRY_ALL(comm, weights_check_precision(precision));
    TRY_ALL(comm, config_read(&config, suite->model.path));
    TRY_ALL(comm, tasks_make(&harvest->tasks, suite, config.layers));
    TRY_ROOT(comm, inputs_keep(suite));
    TRY_ALL(comm, selection_of_harvest(&harvest->selection, suite));
    harvest->shards = split_blocks(harvest->selection.sequences, suite->harvest.shard);
    TRY(run_check_task(harvest->run, harvest->shards));
    taps_list(&harvest->taps, harvest->tasks.taps, harvest->tasks.taps_count, &config,
              suite->harvest.store);
    TRY(memory_check(comm, bytes_needed(harvest, &config, precision), "harvest"));
    TRY(memory_check_shared(comm, weights_bytes(&config, precision), "harvest"));
    TRY_ROOT(comm, check_disk(harvest));
    start = MPI_Wtime();
    TRY(weights_read(&harvest->weights, &config, precision, suite->model.path, comm));
    run_note(harvest->run, "%d layers, %s of weights on a node, read in %.1f s", (int)config.layers,
             human_bytes((double)weights_bytes(&config, precision)), MPI_Wtime() - start);
    allocate_all(harvest);
done:
    return st;
}

static void tear_down(struct harvest *harvest)
{
    taps_free(&harvest->taps);
    free(harvest->ids);
    free(harvest->sequences);
    free(harvest->rows_before);
    weights_free(&harvest->weights);
    selection_close(&harvest->selection);
    tasks_free(&harvest->tasks);
    suite_free(&harvest->suite);
}

/* --- a shard ----------------------------------------------------------------------- */

/* A block of the shard's sequences. */
static struct fed fed_to_model(const struct harvest *harvest, struct range block)
{
    return (struct fed){
        .ids = harvest->ids + block.first * harvest->suite.corpus.context,
        .origins = harvest->sequences + block.first,
        .count = block.end - block.first,
    };
}

/* The rows of the shard that it makes. */
static struct range rows_of(const struct harvest *harvest, struct range block)
{
    return (struct range){ harvest->rows_before[block.first], harvest->rows_before[block.end] };
}

/* Compute all rows of a shard whose files are open: in a round, a block on every rank.
 * Collective. */
static enum status harvest_rows(struct harvest *harvest, struct range shard, double since,
                                int64_t before)
{
    const int64_t sequences = shard.end - shard.first, size = harvest->suite.harvest.block;
    const int64_t blocks = split_blocks(sequences, size);
    struct run *run = harvest->run;
    enum status st = OK;

    for (int64_t first = 0; first < blocks; first += run->size) {
        const int64_t next = first + run->size < blocks ? first + run->size : blocks;
        const int64_t done = split_block(sequences, size, next - 1).end;
        const struct range block = first + run->rank < next
            ? split_block(sequences, size, first + run->rank) : (struct range){ done, done };
        const struct fed fed = fed_to_model(harvest, block);

        TRY_ALL(run->comm, taps_start(&harvest->taps, fed));
        taps_run(&harvest->taps, fed, rows_of(harvest, block), harvest->rows_before[done]);
        comm_meet(run->comm);
        TRY_ALL(run->comm, spool_status(&harvest->taps.spool));
        run_progress(run, "sequences through the model", since, before, shard.first + done,
                     harvest->selection.sequences, "sequences");
        TRY(run_stopping(run) ? run_stopped() : OK);
    }
done:
    return st;
}

static void count_rows(struct harvest *harvest, int64_t sequences)
{
    const int64_t context = harvest->suite.corpus.context;

    for (int64_t s = 0; s < sequences; s++) {
        int64_t count = 0;
        for (int64_t i = 0; i < context; i++)
            count += tokens_is_text(harvest->selection.tokens.special,
                                    harvest->ids[s * context + i]);
        harvest->rows_before[s + 1] = harvest->rows_before[s] + count;
    }
}

/* Drop the rows of a written shard whose norm stands out, if the suite asks for it.
 * Collective. */
static enum status filter_rows(struct harvest *harvest, const char *folder,
                               const struct identity *identity)
{
    const struct norm_filter filter = {
        .comm = harvest->run->comm,
        .folder = folder,
        .streams = harvest->taps.streams,
        .count = harvest->taps.count,
        .most = harvest->suite.harvest.max_norm,
        .identity = identity,
    };
    enum status st = OK;

    harvest->dropped = 0;
    phase_enter(PHASE_WRITE);
    if (filter.most > 0)
        st = norm_filter_shard(&filter, &harvest->dropped);
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* All streams of one shard of sequences.  Collective. */
static enum status harvest_shard(struct harvest *harvest, int64_t number, double since,
                                 int64_t before)
{
    const struct range shard = shard_range(harvest, number);
    const struct identity identity = identities_harvest(&harvest->selection.identities, number);
    MPI_Comm comm = harvest->run->comm;
    char folder[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    paths_harvest(folder, &harvest->suite, number);
    path_print(part, "%s.part", folder);
    TRY_ROOT(comm, file_make_folder(part));
    TRY_ALL(comm, selection_read(&harvest->selection, shard, harvest->ids, harvest->sequences));
    count_rows(harvest, shard.end - shard.first);
    TRY(spool_open(&harvest->taps.spool, part, harvest->rows_before[shard.end - shard.first],
                   &identity));
    TRY(harvest_rows(harvest, shard, since, before));
done:
    phase_enter(PHASE_NONE);
    st = spool_close(&harvest->taps.spool, st);
    phase_enter(PHASE_COMPUTE);
    if (st == OK)
        st = filter_rows(harvest, part, &identity);
    if (st == OK)
        st = agree(comm, harvest->run->rank == 0 ? file_publish(folder) : OK);
    return st;
}

/* Add a shard that is complete to the account, and say so. */
static void count_shard(struct harvest *harvest, int64_t number)
{
    const struct range shard = shard_range(harvest, number);
    const int64_t sequences = shard.end - shard.first;
    const int64_t rows = harvest->rows_before[sequences] - harvest->dropped;
    char dropped[64] = "";

    harvest->stored += rows;
    harvest->fed += sequences * harvest->suite.corpus.context;
    for (int t = 0; t < harvest->taps.count; t++)
        harvest->bytes += (double)(rows * stream_row_bytes(harvest->taps.streams[t]));
    if (harvest->suite.harvest.max_norm > 0)
        snprintf(dropped, sizeof dropped, ", %lld dropped for their norm",
                 (long long)harvest->dropped);
    run_note(harvest->run, "shard %lld of %lld: %lld rows of %d streams from %lld tokens%s",
             (long long)number + 1, (long long)harvest->shards, (long long)rows,
             harvest->taps.count, (long long)(sequences * harvest->suite.corpus.context),
             dropped);
}

/* All shards that are asked for and missing.  Collective. */
static enum status harvest_shards(struct harvest *harvest)
{
    const double since = MPI_Wtime();
    int64_t before = 0, skipped = 0;
    char folder[PATH_LENGTH];
    enum status st = OK;

    for (int64_t shard = 0; shard < harvest->shards; shard++) {
        const struct range range = shard_range(harvest, shard);
        paths_harvest(folder, &harvest->suite, shard);
        if (!run_does_task(harvest->run, shard))
            continue;
        if (comm_file_exists(harvest->run->comm, folder)) {
            before = range.end;
            skipped++;
            continue;
        }
        TRY(harvest_shard(harvest, shard, since, before));
        count_shard(harvest, shard);
    }
    if (skipped > 0)
        run_note(harvest->run, "%lld of %lld shards were there already", (long long)skipped,
                 (long long)harvest->shards);
done:
    return st;
}

/* How fast it went since `start` (MPI_Wtime), when `before` was the time of the phases, and what
 * the cores did: the slowest rank counts.  Collective. */
static void note_speed(struct harvest *harvest, double start, const double before[PHASES])
{
    const struct lm_config *config = &harvest->weights.config;
    const struct tap last = harvest->taps.streams[harvest->taps.count - 1].tap;
    const double seconds = MPI_Wtime() - start, *spent = harvest->taps.forward.spent;
    const double sequences = (double)harvest->fed / (double)harvest->suite.corpus.context;
    const double work = sequences * forward_work(config, last, harvest->suite.corpus.context);
    double phases[PHASES];

    phase_seconds(phases);
    double share[] = { spent[FORWARD_PRODUCTS], spent[FORWARD_ATTENTION], spent[FORWARD_OTHER],
                       phases[PHASE_COMPRESS] - before[PHASE_COMPRESS],
                       phases[PHASE_WRITE] - before[PHASE_WRITE] };
    for (int i = 0; i < 5; i++)
        share[i] *= 100 / seconds;
    MPI_Allreduce(MPI_IN_PLACE, share, 5, MPI_DOUBLE, MPI_MAX, harvest->run->comm);
    if (harvest->fed > 0)
        run_note(harvest->run,
                 "%.1f tokens/s, %.1f GFLOP/s for %.1f s; products %.1f %%, attention "
                 "%.1f %%, other arithmetic %.1f %%; meanwhile compression %.1f %%, writing "
                 "%.1f %%", (double)harvest->fed / seconds, work / seconds * 1e-9, seconds,
                 share[0], share[1], share[2], share[3], share[4]);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct harvest harvest = { .run = &run };
    double phases[PHASES], start;
    enum status st;

    TRY(run_start(&run, "harvest", HELP, argc, argv));
    TRY(suite_read(&harvest.suite, &run));
    TRY(maker_settle(&run, &harvest.suite));
    TRY(set_up(&harvest));
    phase_seconds(phases);
    start = MPI_Wtime();
    TRY(harvest_shards(&harvest));
    note_speed(&harvest, start, phases);
    run_summary(&run, (double)harvest.stored, "rows", harvest.bytes);
done:
    tear_down(&harvest);
    return run_finish(&run, st);
}
