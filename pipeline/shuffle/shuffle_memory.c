#include "shuffle/shuffle_memory.h"
#include "base/file.h"
#include "base/human.h"
#include "base/minmax.h"
#include "shard/chunk_reader.h"
#include "shard/frame.h"
#include "shuffle/records.h"
#include "shuffle/spill.h"

/* Buffers beyond this size make nothing faster. */
static const int64_t BUFFER_BYTES = 8 << 20;

/* A share of a dealt file that is read in one go should not be smaller, or else disks spend
 * their time between reads; but a few groups can always be dealt to. */
static const int64_t SHARE_BYTES = 128 << 10;
enum { FANOUT_LEAST = 8, FANOUT_MOST = 1 << 16 };

/* What MPI and HDF5 take for themselves while rows go through them, as measured; of little memory
 * not more than an eighth. */
static const int64_t LIBRARY_BYTES = 8 << 20;

int64_t shuffle_memory_chunk_bytes(const struct shuffle_memory *room)
{
    return room->rows.out * (room->rows.bytes + (int64_t)sizeof(struct row_origin));
}

/* A chunk of the input or of a dealt file, as it lies on disk and decompressed. */
static int64_t reading_bytes(const struct shuffle_memory *room)
{
    return chunk_reader_bytes(room->rows.in * room->record_bytes)
           + room->rows.in * (int64_t)sizeof(int64_t);
}

/* HDF5 keeps the compressed chunks of a call, and MPI copies them to the rank that writes; on
 * the way each chunk is copied twice. */
int64_t shuffle_memory_window_other_bytes(const struct shuffle_memory *room)
{
    return reading_bytes(room) + 2 * (room->stretch + 1) * shuffle_memory_chunk_bytes(room) + FRAME_ROOM;
}

int64_t shuffle_memory_run_other_bytes(const struct shuffle_memory *room)
{
    const struct spill_form form = { room->record_bytes, room->rows.value, room->rows.in };

    return reading_bytes(room) + spill_scratch_bytes(&form) + FRAME_ROOM;
}

int64_t shuffle_memory_window_bytes(const struct shuffle_memory *room)
{
    const int64_t sent = room->pair > 0 ? room->batch + room->ranks * room->pair : 0;

    return room->held * shuffle_memory_chunk_bytes(room)
           + (room->batches * room->batch + sent) * room->record_bytes
           + room->batches * room->batch * (int64_t)sizeof(int32_t);
}

/* A dealt row in memory: the record, its group and its place in the sorted file. */
static int64_t dealt_bytes(const struct shuffle_memory *room)
{
    return room->record_bytes + 2 * (int64_t)sizeof(int32_t);
}

int64_t shuffle_memory_run_bytes(const struct shuffle_memory *room)
{
    return 2 * room->unit * dealt_bytes(room);
}

/* What libraries leave of the memory. */
static int64_t ours(const struct shuffle_memory *room)
{
    return room->memory - min_int64(LIBRARY_BYTES, room->memory / 8);
}

/* All that is left is for windows.  Returns the bytes that are not. */
static int64_t hold_the_most(struct shuffle_memory *room)
{
    room->held = 0;
    const int64_t besides = shuffle_memory_window_other_bytes(room) + shuffle_memory_window_bytes(room);
    room->held = (ours(room) - besides) / shuffle_memory_chunk_bytes(room);
    return besides;
}

struct shuffle_memory shuffle_memory_apart(const struct shuffle_memory *room)
{
    struct shuffle_memory apart = *room;

    apart.batches = 1;
    apart.pair = 0;
    apart.stretch = 1;
    hold_the_most(&apart);
    return apart;
}

enum status shuffle_memory_make(struct shuffle_memory *room, int64_t memory, int ranks, const struct shuffle_memory_rows *rows)
{
    const int64_t buffer = min_int64(BUFFER_BYTES, memory / 64);

    *room = (struct shuffle_memory){ .ranks = ranks, .team = ranks, .rows = *rows, .memory = memory,
                           .record_bytes = record_bytes(rows->bytes), .batches = 2 };
    room->batch = max_int64(rows->in, buffer / room->record_bytes);
    room->pair = ranks > 1 ? room->batch * 5 / 4 / ranks + 8 : 0;
    room->stretch = max_int64(1, min_int64(BUFFER_BYTES, memory / 12) / shuffle_memory_chunk_bytes(room));
    const int64_t besides = hold_the_most(room);
    room->unit = min_int64((ours(room) - shuffle_memory_run_other_bytes(room)) / (2 * dealt_bytes(room)),
                       INT32_MAX);
    room->fanout = min_int64(FANOUT_MOST, max_int64(FANOUT_LEAST,
                                               room->unit * room->record_bytes / SHARE_BYTES));
    if (room->held < 2 || room->unit < rows->in)
        return refuse(E_USAGE, "shuffle.memory is %s, but rows of %s need at least %s on each of "
                      "%d ranks; set it higher", human_bytes((double)memory),
                      human_bytes((double)rows->bytes),
                      human_bytes((double)(besides + 2 * shuffle_memory_chunk_bytes(room)) * 8 / 7), ranks);
    return OK;
}
