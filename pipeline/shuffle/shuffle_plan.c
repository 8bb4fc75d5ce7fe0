#include "shuffle/shuffle_plan.h"
#include "base/minmax.h"
#include "shard/stream.h"

/* --- passes ---------------------------------------------------------------------------- */

/* How many of the `chunks` chunks in one shard and window holder number `rank` keeps.  The first
 * holder keeps the most. */
static int64_t chunks_of_holder(const struct shuffle_memory *memory, int64_t chunks, int rank)
{
    const int64_t call = memory->holders * memory->write_chunks;
    const struct range last = split_range(chunks % call, rank, memory->holders);

    return chunks / call * memory->write_chunks + range_length(last);
}

/* The smallest number whose power `exponent` is n or more. */
static int64_t root_above(int64_t n, int64_t exponent)
{
    for (int64_t root = 1;; root++) {
        int64_t power = 1;

        for (int64_t e = 0; e < exponent && power < n; e++)
            power *= root;
        if (power >= n)
            return root;
    }
}

/* The number of windows, once period and window are known. */
static int64_t count_windows(const struct shuffle_plan *plan)
{
    return plan->rows / plan->period * split_blocks(plan->period, plan->window)
           + split_blocks(plan->rows % plan->period, plan->window);
}

int64_t shuffle_plan_chunk(int64_t rows, int64_t shard)
{
    return min_int64(CHUNK_ROWS, min_int64(rows, shard));
}

int shuffle_plan_window_buffers(const struct shuffle_plan *plan)
{
    return plan->windows == 1 || plan->placement == SHUFFLE_OWN_ONE_PASS ? 1 : 2;
}

/* Choose the size of windows: as large as `capacity` chunks a holder allow, and such that all
 * groups of holders get the same number of windows. */
static void size_windows(struct shuffle_plan *plan, const struct shuffle_memory *memory,
                         int64_t capacity)
{
    const int64_t chunk = memory->rows.output_chunk;
    const int64_t chunks = split_blocks(min_int64(plan->rows, plan->shard), chunk);
    const int64_t shard_chunks = chunks_of_holder(memory, chunks, 0);
    const int64_t shards = split_blocks(plan->rows, plan->shard);
    const int64_t owners = memory->ranks / memory->holders;

    if (shard_chunks <= capacity) {     /* a window has one or more whole shards */
        const int64_t fit = min_int64(capacity / shard_chunks, shards);
        const int64_t rounds = split_blocks(shards, fit * owners);
        plan->period = plan->window = split_blocks(shards, rounds * owners) * plan->shard;
    } else {                            /* a shard has several windows of about the same size */
        const int64_t windows = split_blocks(chunks, capacity * memory->holders);
        plan->period = plan->shard;
        plan->window = split_blocks(chunks, windows) * chunk;
    }
    plan->windows = count_windows(plan);
}

static struct shuffle_memory with_holders(const struct shuffle_memory *memory,
                                          enum shuffle_placement placement)
{
    struct shuffle_memory with = *memory;

    with.holders = placement == SHUFFLE_SHARED ? memory->ranks : 1;
    return with;
}

/* Plan one pass, if memory holds all windows at the same time. */
static bool plan_one_pass(struct shuffle_plan *plan, enum shuffle_placement placement,
                          const struct shuffle_memory *memory)
{
    const struct shuffle_memory with = with_holders(memory, placement);

    plan->placement = placement;
    size_windows(plan, &with, memory->window_chunks);
    return placement == SHUFFLE_SHARED ? plan->windows == 1
           : plan->windows <= memory->ranks && plan->period == plan->window;
}

/* Plan windows of which memory holds two, one filled while the other is written, and as many
 * partition passes as they need. */
static void plan_several_windows(struct shuffle_plan *plan, enum shuffle_placement placement,
                                 int64_t bucket, const struct shuffle_memory *memory)
{
    const struct shuffle_memory with = with_holders(memory, placement);

    plan->placement = placement;
    plan->partitions = plan->fanout = plan->run_rows = 0;
    size_windows(plan, &with, memory->window_chunks / 2);
    if (bucket <= plan->window)
        return;
    for (int64_t groups = 1; groups < plan->windows; groups *= memory->fanout)
        plan->partitions++;
    plan->fanout = root_above(plan->windows, plan->partitions);
    /* Every rank gets the same number of runs, of about the same size. */
    const int64_t runs = split_blocks(split_blocks(plan->rows, memory->run_rows), memory->ranks);
    plan->run_rows = split_blocks(plan->rows, runs * memory->ranks);
}

/* If ranks take whole shards in turn, do they wait no more than a ninth of their time for the
 * ranks that have one more? */
static bool shared_evenly(const struct shuffle_plan *plan, int ranks)
{
    const int64_t shards = split_blocks(plan->rows, plan->shard);

    return 8 * split_blocks(shards, ranks) * ranks <= 9 * shards;
}

void shuffle_plan_make(struct shuffle_plan *plan, int64_t rows, int64_t shard, int64_t bucket,
                       const struct shuffle_memory *memory)
{
    const struct shuffle_memory own_memory = shuffle_memory_own(memory);
    struct shuffle_plan own = { .rows = rows, .shard = shard };
    const bool even = shared_evenly(&own, memory->ranks);

    *plan = own;
    if (even && plan_one_pass(plan, SHUFFLE_OWN_ONE_PASS, memory))
        return;
    if (plan_one_pass(plan, SHUFFLE_SHARED, memory))
        return;
    plan_several_windows(plan, SHUFFLE_SHARED, bucket, memory);
    plan_several_windows(&own, SHUFFLE_OWN, bucket, &own_memory);
    if (even && own.partitions <= plan->partitions)
        *plan = own;
}

/* Most chunks that a window has in one shard. */
static int64_t part_chunks(const struct shuffle_plan *plan)
{
    return split_blocks(min_int64(plan->rows, min_int64(plan->shard, plan->window)),
                        shuffle_plan_chunk(plan->rows, plan->shard));
}

bool shuffle_plan_fit(const struct shuffle_plan *plan, struct shuffle_memory *memory)
{
    const int64_t parts = split_blocks(min_int64(plan->window, plan->rows), plan->shard);
    const struct shuffle_memory whole = plan->placement == SHUFFLE_OWN
                                        ? shuffle_memory_own(memory) : *memory;
    struct shuffle_memory needed = with_holders(&whole,
                                                (enum shuffle_placement)plan->placement);

    needed.run_rows = plan->run_rows;
    needed.window_chunks = shuffle_plan_window_buffers(plan) * parts
                           * chunks_of_holder(&needed, part_chunks(plan), 0);
    if (needed.window_chunks > whole.window_chunks || needed.run_rows > whole.run_rows
        || (plan->placement == SHUFFLE_OWN_ONE_PASS && plan->windows > memory->ranks))
        return false;
    *memory = needed;
    return true;
}

/* --- windows --------------------------------------------------------------------------- */

int64_t shuffle_plan_period_windows(const struct shuffle_plan *plan)
{
    return split_blocks(plan->period, plan->window);
}

struct range shuffle_plan_range(const struct shuffle_plan *plan, int64_t window)
{
    const int64_t windows = shuffle_plan_period_windows(plan);
    const struct range period = split_block(plan->rows, plan->period, window / windows);
    const int64_t first = period.first + window % windows * plan->window;

    return (struct range){ first, min_int64(first + plan->window, period.end) };
}

int64_t shuffle_plan_window(const struct shuffle_plan *plan, int64_t row)
{
    return row / plan->period * shuffle_plan_period_windows(plan)
           + row % plan->period / plan->window;
}

int shuffle_plan_owner(const struct shuffle_plan *plan, int64_t window, int ranks)
{
    return (int)(window / shuffle_plan_period_windows(plan) % ranks);
}

/* --- where a rank holds the rows of a window ------------------------------------------- */

struct shuffle_position shuffle_plan_position(const struct shuffle_plan *plan,
                                              const struct shuffle_memory *memory, int64_t row)
{
    const int64_t number = shuffle_plan_window(plan, row);
    const struct range window = shuffle_plan_range(plan, number);
    const int64_t chunk_rows = memory->rows.output_chunk, shard = row / plan->shard;
    const int64_t first = max_int64(shard * plan->shard, window.first);
    const int64_t end = min_int64((shard + 1) * plan->shard, window.end);
    const int64_t call_chunks = memory->holders * memory->write_chunks;
    const int64_t chunk = (row - first) / chunk_rows, call = chunk / call_chunks;
    const int64_t chunks = min_int64(call_chunks, split_blocks(end - first, chunk_rows)
                                                  - call * call_chunks);
    const int rank = split_part(chunks, chunk % call_chunks, memory->holders);
    const struct range mine = split_range(chunks, rank, memory->holders);
    /* Chunks that this rank writes before this one: in earlier shards of the window, in earlier
     * calls, in this call. */
    const int64_t before = (shard - window.first / plan->shard)
                           * chunks_of_holder(memory, part_chunks(plan), rank)
                           + call * memory->write_chunks + chunk % call_chunks - mine.first;

    return (struct shuffle_position){
        plan->placement == SHUFFLE_SHARED ? rank : shuffle_plan_owner(plan, number, memory->ranks),
        before * chunk_rows + (row - first) % chunk_rows,
    };
}

int64_t shuffle_plan_writes(const struct shuffle_memory *memory, struct range part)
{
    return split_blocks(split_blocks(range_length(part), memory->rows.output_chunk),
                        memory->holders * memory->write_chunks);
}

struct range shuffle_plan_write_range(const struct shuffle_memory *memory, struct range part,
                                      int64_t call, int rank)
{
    const int64_t chunk_rows = memory->rows.output_chunk;
    const int64_t chunks = split_blocks(range_length(part), chunk_rows);
    const struct range all = split_block(chunks, memory->holders * memory->write_chunks, call);
    const struct range mine = split_range(range_length(all), rank, memory->holders);

    return (struct range){
        min_int64(part.end, part.first + (all.first + mine.first) * chunk_rows),
        min_int64(part.end, part.first + (all.first + mine.end) * chunk_rows),
    };
}
