#include "harvest/harvest_stage.h"
#include "base/minmax.h"
#include "corpus/selection.h"
#include "corpus/tokenize_stage.h"
#include "harvest/norm_filter.h"
#include "harvest/taps.h"
#include "suite/paths.h"
#include "suite/tasks.h"

/* Minimum tiles of a matrix product per thread, for load balance. */
enum { TILES_OF_A_THREAD = 16 };

/* On disk, of a row's origin (document, position, token), 16 bytes before compression: 2.3 in the
 * demo's harvest, 5.3 when it is shuffled, more with more documents. */
static const double ORIGIN_BYTES = 8;

/* --- memory -------------------------------------------------------------------------- */

int64_t harvest_rank_bytes(const struct stage_host *host, int rank)
{
    const struct suite *suite = host->suite;
    const enum precision precision = suite->model.precision;
    const int64_t context = suite->corpus.context, shard = suite->harvest.shard;
    const int64_t reading = weights_reading_bytes(host->model, host->threads);
    struct taps taps;

    taps_list(&taps, host->tasks->taps, host->tasks->taps_count, host->model, suite->harvest.store);
    int64_t bytes = taps_bytes(&taps, host->model, precision, suite->harvest.block, context, rank,
                               host->nodes * host->ranks, host->threads);
    bytes += shard * context * (int64_t)sizeof(int32_t);    /* ids */
    if (suite->harvest.max_norm > 0)
        bytes += norm_filter_bytes(taps.streams, taps.count, shard * context);
    taps_free(&taps);
    return max_int64(bytes, reading);
}

struct stage_memory harvest_bytes(const struct stage_host *host)
{
    const int64_t others = harvest_rank_bytes(host, 1);

    return (struct stage_memory){
        .rank = others, .node = host->weights + harvest_rank_bytes(host, 0) - others,
    };
}

/* Ranks of a node, so that a block's narrowest product has tiles for all threads: threads share one
 * writer and one set of buffers, and need not wait for each other's blocks.  With Gemma 2 2B they
 * are faster than ranks by a sixth. */
static int ranks(const struct stage_host *host)
{
    const struct suite *suite = host->suite;
    const int64_t rows = suite->harvest.block * suite->corpus.context;
    const enum precision precision = suite->model.precision;
    const int64_t threads = linear_tiles(precision, host->model->width, rows) / TILES_OF_A_THREAD;

    if (threads <= 1)
        return host->cores;
    return threads < host->cores ? host->cores / (int)threads : 1;
}

/* --- time and disk ------------------------------------------------------------------- */

double harvest_value_bytes(const struct stage_host *host, double rows, struct tap tap)
{
    return rows * (double)(lm_site_width(host->model, tap.site)
                           * store_bytes(host->suite->harvest.store));
}

/* Of values of float32 16 bits nearly do not shrink. */
double harvest_stream_bytes(const struct stage_host *host, const struct stage_amounts *amounts,
                            struct tap tap)
{
    const bool bf16 = host->suite->harvest.store == STORE_BF16;
    const double kept = bf16 ? amounts->kept : (1 + amounts->kept) / 2;

    return kept * harvest_value_bytes(host, amounts->rows, tap) + ORIGIN_BYTES * amounts->rows;
}

double harvest_work(const struct stage_host *host)
{
    double work = 0;

    for (int t = 0; t < host->tasks->taps_count; t++) {
        const double to_tap = forward_work(host->model, host->tasks->taps[t],
                                           host->suite->corpus.context);
        work = to_tap > work ? to_tap : work;
    }
    return work;
}

static double given_rate(const struct suite *suite)
{
    return suite->rates.harvest;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const struct suite *suite = host->suite;
    const int64_t sequences = split_blocks((int64_t)amounts->tokens, suite->corpus.context);
    const int taps = host->tasks->taps_count;
    struct stage_cost cost = { .tasks = split_blocks(sequences, suite->harvest.shard) };

    cost.pieces = split_blocks(min_int64(sequences, suite->harvest.shard), suite->harvest.block);
    cost.work = amounts->tokens / (double)suite->corpus.context * harvest_work(host);
    cost.longest = cost.tasks > 0 ? 1 / (double)cost.tasks : 1;
    for (int t = 0; t < taps; t++)
        cost.left += harvest_stream_bytes(host, amounts, host->tasks->taps[t]);
    cost.written = cost.left;
    cost.read = tokenize_stage_bytes(amounts);
    cost.files = (double)cost.tasks * taps;
    return cost;
}

/* --- tasks --------------------------------------------------------------------------- */

/* The number of shards follows from the tokens; before they are there, it is known only if the
 * suite limits it, and the corpus is expected to be long enough. */
static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    int64_t sequences = split_blocks(suite->harvest.tokens, suite->corpus.context);
    struct selection selection = {0};
    enum status st = OK;

    (void)tasks;
    if (ready) {
        TRY(selection_of_harvest(&selection, suite));
        sequences = selection.sequences;
    }
    *count = split_blocks(sequences, suite->harvest.shard);
done:
    selection_close(&selection);
    return st;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    (void)tasks;
    paths_harvest(path, suite, task);
    return i == 0;
}

const struct stage_traits HARVEST_STAGE = {
    .about = "activations of the model at every site asked for",
    .rate = 50e9, .rate_unit = 1e9, .rate_name = "GFLOP/s", .less_memory = "",
    .less_time = ", or lower harvest.shard", .given = given_rate, .ranks = ranks,
    .bytes = harvest_bytes, .cost = cost, .count = count_tasks, .path = path_made,
};
