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
 */
#include "base/memory.h"
#include "base/regroup.h"
#include "base/run.h"
#include "corpus/selection.h"
#include "kernels/bf16.h"
#include "lm/forward.h"
#include "shard/activation_writer.h"
#include "suite/tasks.h"

#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "saemill-harvest SUITE [--task N]\n"
    "\n"
    "Feed the training sequences to the model and keep the activations of every site and layer\n"
    "that the suite asks for: RUN/harvest/NNNNN/SITE.LL.h5, a folder for every shard of\n"
    "harvest.shard sequences.  Shards that are done are skipped.  --task N does shard N alone.\n";

/* A stream's rows on this rank that are computed but not yet written. */
struct held {
    struct stream stream;
    struct activation_writer writer;
    void *values;               /* [room, width] in the stream's store */
};

struct harvest {
    struct run       *run;
    struct suite      suite;
    struct selection  selection;
    struct weights    weights;
    struct forward    forward;
    struct tasks      tasks;
    int64_t           shards;
    int64_t           room;         /* rows a buffer of one block holds */

    struct stream    *streams;      /* [taps] in the order in which the model comes to them */
    struct held      *held;         /* [taps] */
    struct row_origin *origins;     /* [room] of the held rows, the same for every stream */
    struct range      rows;         /* which rows of the shard are held */
    void             *values_out;   /* [room, widest row] rows on their way to disk */
    struct row_origin *origins_out; /* [room] */

    int32_t          *ids;          /* [shard, context] */
    struct sequence_origin *sequences;  /* [shard] */
    int64_t          *rows_before;  /* [shard + 1] stored rows of the sequences before each */
    int64_t           stored;       /* rows, in this run */
    double            bytes;        /* on disk before compression, in this run */
};

/* --- set up ------------------------------------------------------------------------ */

static int by_step(const void *a, const void *b)
{
    const struct stream *x = a, *y = b;
    const int64_t p = tap_step(x->tap), q = tap_step(y->tap);

    return (p > q) - (p < q);
}

static void list_streams(struct harvest *harvest, const struct lm_config *config,
                         enum store store)
{
    const int taps = harvest->tasks.taps_count;

    harvest->streams = allocate(taps, sizeof *harvest->streams);
    for (int t = 0; t < taps; t++) {
        const struct tap tap = harvest->tasks.taps[t];
        harvest->streams[t] = (struct stream){ tap, tap_width(config, tap.site), store };
    }
    qsort(harvest->streams, (size_t)taps, sizeof *harvest->streams, by_step);
}

/* Which of the chosen sequences make a shard. */
static struct range shard_range(const struct harvest *harvest, int64_t number)
{
    return split_block(harvest->selection.sequences, harvest->suite.harvest.shard, number);
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Bytes of all that allocate_all() allocates, of the model and its forward pass.  Collective. */
static int64_t bytes_needed(const struct harvest *harvest, const struct lm_config *config,
                            enum precision precision, enum store store)
{
    const struct suite *suite = &harvest->suite;
    const int64_t row = store_bytes(store);
    int64_t widest = 0, bytes = weights_reading_bytes(config);

    if (comm_first_of_node(harvest->run->comm))
        bytes += weights_bytes(config, precision);
    for (int t = 0; t < harvest->tasks.taps_count; t++) {
        const int64_t width = tap_width(config, harvest->tasks.taps[t].site);
        bytes += harvest->room * width * row;
        widest = most(widest, width);
    }
    bytes += harvest->room * (widest * row + 2 * (int64_t)sizeof(struct row_origin));
    bytes += forward_bytes(config, precision, suite->harvest.block, suite->corpus.context);
    bytes += suite->harvest.shard * suite->corpus.context * (int64_t)sizeof *harvest->ids;
    return bytes;
}

static void allocate_all(struct harvest *harvest, enum store store)
{
    const int64_t row = store_bytes(store), shard = harvest->suite.harvest.shard;
    int64_t widest = 0;

    harvest->held = allocate(harvest->tasks.taps_count, sizeof *harvest->held);
    for (int t = 0; t < harvest->tasks.taps_count; t++) {
        struct held *held = &harvest->held[t];
        held->stream = harvest->streams[t];
        held->values = allocate(harvest->room * held->stream.width, row);
        widest = most(widest, held->stream.width);
    }
    harvest->origins = allocate(harvest->room, sizeof *harvest->origins);
    harvest->values_out = allocate(harvest->room * widest, row);
    harvest->origins_out = allocate(harvest->room, sizeof *harvest->origins_out);
    harvest->ids = allocate(shard * harvest->suite.corpus.context, sizeof *harvest->ids);
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
        rows += token_is_text(harvest->selection.tokens.special, ids[i]);
    for (int t = 0; t < harvest->tasks.taps_count; t++)
        *bytes += activation_bytes(rows, harvest->streams[t]);
done:
    free(origins);
    free(ids);
    return st;
}

/* Is there room on disk for all shards that are asked for and missing?  As sequences lie in a
 * random order, the first of these shards tells how large the others will be.  What killed runs
 * left of them is removed.  For rank 0. */
static enum status check_disk(struct harvest *harvest)
{
    char folder[PATH_LENGTH], part[PATH_LENGTH], purpose[80];
    int64_t bytes = 0, missing = 0;
    enum status st = OK;

    for (int64_t shard = 0; shard < harvest->shards; shard++) {
        path_harvest(folder, &harvest->suite, shard);
        if (!run_does_task(harvest->run, shard) || file_exists(folder))
            continue;
        path_print(part, "%s.part", folder);
        TRY(file_remove(part));
        if (missing++ == 0)
            TRY(measure_shard(harvest, shard_range(harvest, shard), &bytes));
    }
    snprintf(purpose, sizeof purpose, "harvest (%lld shards of %d streams, before compression)",
             (long long)missing, harvest->tasks.taps_count);
    path_print(folder, "%s/harvest", harvest->suite.run);
    TRY(disk_check(folder, missing * bytes, purpose));
done:
    return st;
}

/* Everything that is known before the first forward pass.  Collective. */
static enum status set_up(struct harvest *harvest)
{
    const struct suite *suite = &harvest->suite;
    MPI_Comm comm = harvest->run->comm;
    struct lm_config config;
    enum precision precision;
    enum store store;
    enum status st;

    TRY_ALL(comm, precision_parse(&precision, suite->model.precision));
    TRY_ALL(comm, config_read(&config, suite->model.path));
    TRY_ALL(comm, tasks_make(&harvest->tasks, suite, config.layers));
    TRY_ALL(comm, store_parse(&store, suite->harvest.store));
    TRY_ALL(comm, selection_of_harvest(&harvest->selection, suite));
    harvest->shards = split_blocks(harvest->selection.sequences, suite->harvest.shard);
    TRY(run_check_task(harvest->run, harvest->shards));
    /* What is held when a round ends is a block and less than a chunk of the round before;
     * what a rank writes is its share of the chunks of that. */
    harvest->room = suite->harvest.block * suite->corpus.context + 2 * CHUNK_ROWS;
    list_streams(harvest, &config, store);
    TRY(memory_check(comm, bytes_needed(harvest, &config, precision, store), "harvest"));
    TRY_ALL(comm, harvest->run->rank == 0 ? check_disk(harvest) : OK);
    TRY(weights_read(&harvest->weights, &config, precision, suite->model.path, comm));
    forward_make(&harvest->forward, &harvest->weights, suite->harvest.block,
                 suite->corpus.context);
    allocate_all(harvest, store);
done:
    return st;
}

static void tear_down(struct harvest *harvest)
{
    for (int t = 0; harvest->held != NULL && t < harvest->tasks.taps_count; t++)
        free(harvest->held[t].values);
    free(harvest->held);
    free(harvest->streams);
    free(harvest->origins);
    free(harvest->values_out);
    free(harvest->origins_out);
    free(harvest->ids);
    free(harvest->sequences);
    free(harvest->rows_before);
    forward_free(&harvest->forward);
    weights_free(&harvest->weights);
    selection_close(&harvest->selection);
    tasks_free(&harvest->tasks);
    suite_free(&harvest->suite);
}

/* --- a block ----------------------------------------------------------------------- */

/* Append the stored rows of the site where the cursor stands to what is held of it.
 *   kept  [kept rows]  in: which rows of the block are stored */
static void hold_rows(struct held *held, int64_t already, const struct forward *forward,
                      const int32_t *kept, int64_t count)
{
    const int64_t width = held->stream.width;

    #pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        const float *from = forward->values + kept[i] * width;
        const int64_t to = (already + i) * width;
        if (held->stream.store == STORE_BF16)
            bf16_from_float((uint16_t *)held->values + to, from, width);
        else
            memcpy((float *)held->values + to, from, (size_t)width * sizeof *from);
    }
}

/* Note where the stored rows of sequence `s` come from, and which rows of the block they are. */
static int64_t keep_rows(struct harvest *harvest, int64_t s, int64_t first_row,
                         struct row_origin *origins, int32_t *kept)
{
    const int64_t context = harvest->suite.corpus.context;
    const struct sequence_origin from = harvest->sequences[s];
    const int32_t *ids = harvest->ids + s * context;
    int64_t count = 0;

    for (int64_t i = 0; i < context; i++)
        if (token_is_text(harvest->selection.tokens.special, ids[i])) {
            origins[count] = (struct row_origin){ from.document, (int32_t)(from.start + i - 1),
                                                  ids[i] };
            kept[count++] = (int32_t)(first_row + i);
        }
    return count;
}

/* Feed a block of the shard's sequences to the model, and hold what comes out.  Local. */
static enum status compute_block(struct harvest *harvest, struct range block)
{
    const int64_t context = harvest->suite.corpus.context;
    const int64_t already = harvest->rows.end - harvest->rows.first;
    int32_t *kept = allocate((block.end - block.first) * context, sizeof *kept);
    struct forward *forward = &harvest->forward;
    int64_t count = 0, taps = harvest->tasks.taps_count;
    enum status st;

    for (int64_t s = block.first; s < block.end; s++)
        count += keep_rows(harvest, s, (s - block.first) * context,
                           harvest->origins + already + count, kept + count);
    TRY(forward_start(forward, harvest->ids + block.first * context, block.end - block.first));
    for (int64_t found = 0; found < taps; ) {
        forward_next(forward);
        for (int64_t t = 0; t < taps; t++)
            if (tap_step(harvest->held[t].stream.tap) == tap_step(forward->tap)) {
                hold_rows(&harvest->held[t], already, forward, kept, count);
                found++;
            }
    }
    harvest->rows.end += count;
done:
    free(kept);
    return st;
}

/* --- a round: a block on every rank, then whole chunks to disk ---------------------- */

/* Write the whole chunks among the rows that the ranks hold (at the end, all), bring the rest
 * to rank 0, where the next rows will follow it.  Collective. */
static enum status write_round(struct harvest *harvest, int64_t written, int64_t upto,
                               int64_t computed)
{
    struct run *run = harvest->run;
    const struct range chunks = split_range(split_blocks(upto - written, CHUNK_ROWS), run->rank,
                                            run->size);
    const int64_t first = written + chunks.first * CHUNK_ROWS;
    const int64_t end = written + chunks.end * CHUNK_ROWS;
    const struct range mine = { first < upto ? first : upto, end < upto ? end : upto };
    const struct range rest = { run->rank == 0 ? upto : computed, computed };
    const int64_t origin_bytes = sizeof *harvest->origins;
    struct row_origin kept_origins[CHUNK_ROWS];
    enum status st = OK;

    regroup(harvest->origins_out, mine, harvest->origins, harvest->rows, origin_bytes, run->comm);
    regroup(kept_origins, rest, harvest->origins, harvest->rows, origin_bytes, run->comm);
    memcpy(harvest->origins, kept_origins, (size_t)((rest.end - rest.first) * origin_bytes));
    for (int t = 0; t < harvest->tasks.taps_count; t++) {
        struct held *held = &harvest->held[t];
        const int64_t bytes = held->stream.width * store_bytes(held->stream.store);

        phase_enter(PHASE_EXCHANGE);
        regroup(harvest->values_out, mine, held->values, harvest->rows, bytes, run->comm);
        phase_enter(PHASE_WRITE);
        TRY(activation_write(&held->writer, mine, harvest->values_out, harvest->origins_out));
        phase_enter(PHASE_EXCHANGE);
        regroup(harvest->values_out, rest, held->values, harvest->rows, bytes, run->comm);
        memcpy(held->values, harvest->values_out, (size_t)((rest.end - rest.first) * bytes));
    }
    harvest->rows = rest;
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* Compute and write all rows of a shard whose files are open.  Collective. */
static enum status harvest_rows(struct harvest *harvest, struct range shard, double since,
                                int64_t before)
{
    const int64_t sequences = shard.end - shard.first, block = harvest->suite.harvest.block;
    const int64_t rows = harvest->rows_before[sequences];
    struct run *run = harvest->run;
    int64_t written = 0;
    enum status st = OK;

    harvest->rows = (struct range){ 0, 0 };
    for (int64_t first = 0; first < sequences; first += run->size * block) {
        const int64_t round_end = first + run->size * block;
        const int64_t done = round_end < sequences ? round_end : sequences;
        const int64_t mine = first + run->rank * block;
        const int64_t end = mine + block < sequences ? mine + block : sequences;
        const int64_t computed = harvest->rows_before[done];
        const int64_t upto = done == sequences ? rows : computed / CHUNK_ROWS * CHUNK_ROWS;

        if (run->rank != 0 || first == 0) {     /* rank 0 goes on behind what it holds */
            const int64_t at = harvest->rows_before[mine < sequences ? mine : sequences];
            harvest->rows = (struct range){ at, at };
        }
        TRY_ALL(run->comm, mine < end ? compute_block(harvest, (struct range){ mine, end }) : OK);
        TRY(write_round(harvest, written, upto, computed));
        written = upto;
        run_progress(run, "sequences through the model", since, before, shard.first + done,
                     harvest->selection.sequences, "sequences");
        TRY(run_stopping(run) ? refuse(E_STOPPED, "stopped by a signal; run the same command "
                                       "again to go on") : OK);
    }
done:
    return st;
}

/* --- a shard ----------------------------------------------------------------------- */

static void count_rows(struct harvest *harvest, int64_t sequences)
{
    const int64_t context = harvest->suite.corpus.context;

    for (int64_t s = 0; s < sequences; s++) {
        int64_t count = 0;
        for (int64_t i = 0; i < context; i++)
            count += token_is_text(harvest->selection.tokens.special,
                                   harvest->ids[s * context + i]);
        harvest->rows_before[s + 1] = harvest->rows_before[s] + count;
    }
}

static enum status create_files(struct harvest *harvest, const char *folder, int64_t rows)
{
    char path[PATH_LENGTH], name[32];
    enum status st = OK;

    for (int t = 0; t < harvest->tasks.taps_count; t++) {
        struct held *held = &harvest->held[t];
        path_print(path, "%s/%s.h5", folder, tap_name(name, held->stream.tap));
        TRY(activation_create(&held->writer, harvest->run->comm, path, held->stream, rows,
                              harvest->suite.text));
    }
done:
    return st;
}

/* All streams of one shard of sequences.  Collective. */
static enum status harvest_shard(struct harvest *harvest, int64_t number, double since,
                                 int64_t before)
{
    const struct range shard = shard_range(harvest, number);
    MPI_Comm comm = harvest->run->comm;
    char folder[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    path_harvest(folder, &harvest->suite, number);
    path_print(part, "%s.part", folder);
    TRY_ALL(comm, harvest->run->rank == 0 ? folder_make(part) : OK);
    TRY_ALL(comm, selection_read(&harvest->selection, shard, harvest->ids, harvest->sequences));
    count_rows(harvest, shard.end - shard.first);
    TRY(create_files(harvest, part, harvest->rows_before[shard.end - shard.first]));
    TRY(harvest_rows(harvest, shard, since, before));
done:
    for (int t = 0; t < harvest->tasks.taps_count; t++)
        st = activation_close(&harvest->held[t].writer, st);
    if (st == OK)
        st = agree(comm, harvest->run->rank == 0 ? file_publish(folder) : OK);
    return st;
}

/* All shards that are asked for and missing.  Collective. */
static enum status harvest_shards(struct harvest *harvest)
{
    const int64_t context = harvest->suite.corpus.context;
    const double since = MPI_Wtime();
    int64_t before = 0, skipped = 0;
    char folder[PATH_LENGTH];
    enum status st = OK;

    for (int64_t shard = 0; shard < harvest->shards; shard++) {
        const struct range range = shard_range(harvest, shard);
        path_harvest(folder, &harvest->suite, shard);
        if (!run_does_task(harvest->run, shard))
            continue;
        if (comm_file_exists(harvest->run->comm, folder)) {
            before = range.end;
            skipped++;
            continue;
        }
        TRY(harvest_shard(harvest, shard, since, before));
        const int64_t rows = harvest->rows_before[range.end - range.first];
        harvest->stored += rows;
        for (int t = 0; t < harvest->tasks.taps_count; t++)
            harvest->bytes += (double)(rows * harvest->held[t].stream.width *
                                       store_bytes(harvest->held[t].stream.store));
        run_note(harvest->run, "shard %lld of %lld: %lld rows of %d streams from %lld tokens",
                 (long long)shard + 1, (long long)harvest->shards, (long long)rows,
                 harvest->tasks.taps_count, (long long)((range.end - range.first) * context));
    }
    if (skipped > 0)
        run_note(harvest->run, "%lld of %lld shards were there already", (long long)skipped,
                 (long long)harvest->shards);
done:
    return st;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct harvest harvest = { .run = &run };
    enum status st;

    TRY(run_start(&run, "harvest", HELP, argc, argv));
    TRY(suite_read(&harvest.suite, run.comm, run.suite));
    TRY(set_up(&harvest));
    TRY(harvest_shards(&harvest));
    run_summary(&run, (double)harvest.stored, "rows", harvest.bytes);
done:
    tear_down(&harvest);
    return run_finish(&run, st);
}
