#include "shuffle/shuffle_memory.h"
#include "base/file.h"
#include "base/human.h"
#include "base/minmax.h"
#include "shard/chunk_reader.h"
#include "shard/frame.h"
#include "shuffle/records.h"
#include "shuffle/spill.h"

/* Larger buffers for reading and writing make nothing faster. */
static const int64_t BUFFER_BYTES = 8 << 20;

/* With little memory, a buffer is a share of it instead, so that most is left for windows.  There
 * are up to two batches, and as much again for what is sent and received: one part in 64 each
 * makes a fifteenth.  HDF5 and MPI copy what a call writes twice: one part in 12 each makes a
 * sixth; smaller calls are slower, as HDF5 makes some forty collective calls in each. */
enum { BATCH_SHARE = 64, WRITE_SHARE = 12 };

/* What MPI and HDF5 allocate for themselves while rows go through them, as measured; with little
 * memory, no more than one part in LIBRARY_SHARE is left to them. */
static const int64_t LIBRARY_BYTES = 8 << 20;
enum { LIBRARY_SHARE = 8 };

/* A group's part of a spill file is read in one go and should not be smaller, or disks spend
 * their time between reads; but a partition pass can always have a few groups. */
static const int64_t GROUP_BYTES = 128 << 10;
enum { FANOUT_LEAST = 8, FANOUT_MOST = 1 << 16 };

int64_t shuffle_memory_chunk_bytes(const struct shuffle_memory *memory)
{
    return memory->rows.output_chunk * (memory->rows.bytes + (int64_t)sizeof(struct row_origin));
}

/* A chunk of the input or of a spill file, compressed and decompressed. */
static int64_t reading_bytes(const struct shuffle_memory *memory)
{
    return chunk_reader_bytes(memory->rows.input_chunk * memory->record_bytes)
           + memory->rows.input_chunk * (int64_t)sizeof(int64_t);
}

/* HDF5 keeps the compressed chunks of a call, and MPI copies them to the rank that writes, so
 * there are two copies of each. */
int64_t shuffle_memory_window_other_bytes(const struct shuffle_memory *memory)
{
    return reading_bytes(memory)
           + 2 * (memory->write_chunks + 1) * shuffle_memory_chunk_bytes(memory) + FRAME_SCRATCH;
}

int64_t shuffle_memory_run_other_bytes(const struct shuffle_memory *memory)
{
    const struct spill_form form = { memory->record_bytes, memory->rows.value,
                                     memory->rows.input_chunk };

    return reading_bytes(memory) + spill_scratch_bytes(&form) + FRAME_SCRATCH;
}

int64_t shuffle_memory_window_bytes(const struct shuffle_memory *memory)
{
    const int64_t sent = memory->per_pair > 0 ? memory->batch + memory->ranks * memory->per_pair
                         : 0;

    return memory->window_chunks * shuffle_memory_chunk_bytes(memory)
           + (memory->batches * memory->batch + sent) * memory->record_bytes
           + memory->batches * memory->batch * (int64_t)sizeof(int32_t);
}

/* A row of a run: its record, its group and its place in the sorted run. */
static int64_t run_row_bytes(const struct shuffle_memory *memory)
{
    return memory->record_bytes + 2 * (int64_t)sizeof(int32_t);
}

int64_t shuffle_memory_run_bytes(const struct shuffle_memory *memory)
{
    return 2 * memory->run_rows * run_row_bytes(memory);
}

/* The budget without what libraries take. */
static int64_t own_budget(const struct shuffle_memory *memory)
{
    return memory->budget - min_int64(LIBRARY_BYTES, memory->budget / LIBRARY_SHARE);
}

/* Give windows all the memory that nothing else needs in the last pass.  Returns the bytes that
 * everything else needs. */
static int64_t give_rest_to_windows(struct shuffle_memory *memory)
{
    memory->window_chunks = 0;
    const int64_t others = shuffle_memory_window_other_bytes(memory)
                           + shuffle_memory_window_bytes(memory);
    memory->window_chunks = (own_budget(memory) - others) / shuffle_memory_chunk_bytes(memory);
    return others;
}

struct shuffle_memory shuffle_memory_own(const struct shuffle_memory *memory)
{
    struct shuffle_memory own = *memory;

    own.batches = 1;
    own.per_pair = 0;
    own.write_chunks = 1;
    give_rest_to_windows(&own);
    return own;
}

/* An even share of a batch for each rank, a quarter more, and a few rows: the permutation is
 * random, so hardly any batch needs a second round. */
static int64_t rows_per_pair(int64_t batch, int ranks)
{
    enum { SPARE = 8 };

    return ranks > 1 ? batch * 5 / 4 / ranks + SPARE : 0;
}

/* The smallest budget that leaves `bytes` when libraries take their share. */
static double budget_for(int64_t bytes)
{
    return (double)bytes * LIBRARY_SHARE / (LIBRARY_SHARE - 1);
}

enum status shuffle_memory_make(struct shuffle_memory *memory, int64_t budget, int ranks,
                                const struct shuffle_memory_rows *rows)
{
    enum status st;

    *memory = (struct shuffle_memory){ .ranks = ranks, .holders = ranks, .rows = *rows,
                                       .budget = budget, .batches = 2,
                                       .record_bytes = record_bytes(rows->bytes) };
    const int64_t chunk_bytes = shuffle_memory_chunk_bytes(memory);

    memory->batch = max_int64(rows->input_chunk, min_int64(BUFFER_BYTES, budget / BATCH_SHARE)
                                                 / memory->record_bytes);
    memory->per_pair = rows_per_pair(memory->batch, ranks);
    memory->write_chunks = max_int64(1, min_int64(BUFFER_BYTES, budget / WRITE_SHARE)
                                        / chunk_bytes);
    const int64_t others = give_rest_to_windows(memory);
    memory->run_rows = min_int64((own_budget(memory) - shuffle_memory_run_other_bytes(memory))
                                 / (2 * run_row_bytes(memory)), INT32_MAX);
    memory->fanout = min_int64(FANOUT_MOST,
                               max_int64(FANOUT_LEAST, memory->run_rows * memory->record_bytes
                                                       / GROUP_BYTES));
    REQUIRE(memory->window_chunks >= 2 && memory->run_rows >= rows->input_chunk, E_USAGE,
            "shuffle.memory is %s, but rows of %s need at least %s on each of %d ranks; set it "
            "higher", human_bytes((double)budget), human_bytes((double)rows->bytes),
            human_bytes(budget_for(others + 2 * chunk_bytes)), ranks);
done:
    return st;
}
