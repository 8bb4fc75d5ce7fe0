#include "shard/passes.h"
#include "base/file.h"
#include "shard/records.h"

/* Buffers beyond this size make nothing faster. */
static const int64_t BUFFER_BYTES = 8 << 20;

/* A share of a dealt file that is read in one go should not be smaller, or else disks spend
 * their time between reads; but a few groups can always be dealt to. */
static const int64_t SHARE_BYTES = 256 << 10;
enum { FANOUT_LEAST = 8, FANOUT_MOST = 1 << 16 };

/* What stdio takes to write a dealt file (dealt.c). */
static const int64_t STREAM_BYTES = 64 << 10;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- room ------------------------------------------------------------------------------ */

/* Values and origins of a chunk. */
static int64_t chunk_bytes(const struct room *room)
{
    return CHUNK_ROWS * (room->row_bytes + (int64_t)sizeof(struct row_origin));
}

/* A dealt row in memory: the record, its group and its place in the sorted file. */
static int64_t dealt_bytes(const struct room *room)
{
    return room->record_bytes + 2 * (int64_t)sizeof(int32_t);
}

int64_t room_chunk_bytes(const struct room *room)
{
    return chunk_bytes(room) + CHUNK_ROWS * (int64_t)sizeof(int64_t);
}

int64_t room_window_bytes(const struct room *room)
{
    const int64_t sent = room->ranks > 1 ? room->batch + room->ranks * room->pair : 0;

    return room->held * chunk_bytes(room) + (room->batch + sent) * room->record_bytes
           + room->batch * (int64_t)sizeof(int32_t);
}

int64_t room_unit_bytes(const struct room *room)
{
    return room->unit * dealt_bytes(room);
}

int64_t room_writing_bytes(const struct room *room)
{
    return most(2 * room->stretch * chunk_bytes(room), STREAM_BYTES);
}

enum status room_make(struct room *room, int64_t memory, int ranks, int64_t row_bytes)
{
    const int64_t buffer = least(BUFFER_BYTES, memory / 32);

    *room = (struct room){ .ranks = ranks, .row_bytes = row_bytes,
                           .record_bytes = record_bytes(row_bytes) };
    room->batch = most(CHUNK_ROWS, buffer / room->record_bytes);
    room->pair = 2 * room->batch / ranks + 8;
    room->stretch = most(1, buffer / chunk_bytes(room));
    const int64_t besides = room_chunk_bytes(room) + room_writing_bytes(room);
    const int64_t exchange = room_window_bytes(room);
    room->held = (memory - besides - exchange) / chunk_bytes(room);
    room->unit = least((memory - besides) / dealt_bytes(room), INT32_MAX);
    room->fanout = least(FANOUT_MOST, most(FANOUT_LEAST, memory / SHARE_BYTES));
    if (room->held < 1)
        return refuse(E_USAGE, "shuffle.memory is %s, but rows of %s need at least %s on each of "
                      "%d ranks; set it higher", bytes_text((double)memory),
                      bytes_text((double)row_bytes),
                      bytes_text((double)(besides + exchange + chunk_bytes(room))), ranks);
    return OK;
}

/* --- passes ---------------------------------------------------------------------------- */

/* Of so many chunks in one shard and window, how many does a rank hold?  Rank 0 holds the
 * most. */
static int64_t chunks_held(const struct room *room, int64_t chunks, int rank)
{
    const int64_t call = room->ranks * room->stretch;
    const struct range rest = split_range(chunks % call, rank, room->ranks);

    return chunks / call * room->stretch + rest.end - rest.first;
}

/* The smallest number whose power `exponent` reaches n. */
static int64_t root_above(int64_t n, int64_t exponent)
{
    for (int64_t root = 1; ; root++) {
        int64_t power = 1;

        for (int64_t e = 0; e < exponent && power < n; e++)
            power *= root;
        if (power >= n)
            return root;
    }
}

/* How many windows there are, once span and window are known. */
static int64_t count_windows(const struct passes *passes)
{
    return passes->rows / passes->span * split_blocks(passes->span, passes->window)
           + split_blocks(passes->rows % passes->span, passes->window);
}

void passes_make(struct passes *passes, int64_t rows, int64_t shard, const struct room *room)
{
    const int64_t chunks = split_blocks(least(rows, shard), CHUNK_ROWS);
    const int64_t held = chunks_held(room, chunks, 0);

    *passes = (struct passes){ .rows = rows, .shard = shard };
    if (held <= room->held) {       /* windows of several shards */
        passes->span = passes->window = least(room->held / held, split_blocks(rows, shard)) * shard;
    } else {                        /* several windows for a shard, of like size */
        const int64_t cuts = split_blocks(chunks, room->held * room->ranks);
        passes->span = shard;
        passes->window = split_blocks(chunks, cuts) * CHUNK_ROWS;
    }
    passes->windows = count_windows(passes);

    for (int64_t reach = 1; reach < passes->windows; reach *= room->fanout)
        passes->dealings++;
    passes->fanout = root_above(passes->windows, passes->dealings);
    if (passes->dealings > 0) {     /* as many units as ranks, or a multiple, of like size */
        const int64_t units = split_blocks(split_blocks(rows, room->unit), room->ranks);
        passes->unit = split_blocks(rows, units * room->ranks);
    }
}

/* Chunks of a window's part of a shard, the longest. */
static int64_t part_chunks(const struct passes *passes)
{
    return split_blocks(least(passes->rows, least(passes->shard, passes->window)), CHUNK_ROWS);
}

bool passes_fit(const struct passes *passes, struct room *room)
{
    const int64_t parts = split_blocks(least(passes->window, passes->rows), passes->shard);
    const int64_t held = parts * chunks_held(room, part_chunks(passes), 0);

    if (held > room->held || passes->unit > room->unit)
        return false;
    room->held = held;
    room->unit = passes->unit;
    return true;
}

int64_t passes_bytes(const struct passes *passes, const struct room *room)
{
    const int64_t all = passes->rows * room->record_bytes;

    /* Groups are dealt again one after the other, so one of them at a time. */
    return passes->dealings == 0 ? 0 : passes->dealings == 1 ? all : all + all / passes->fanout;
}

struct range passes_range(const struct passes *passes, int64_t window)
{
    const int64_t each = split_blocks(passes->span, passes->window);
    const struct range span = split_block(passes->rows, passes->span, window / each);
    const int64_t first = span.first + window % each * passes->window;

    return (struct range){ first, least(first + passes->window, span.end) };
}

int64_t passes_window(const struct passes *passes, int64_t row)
{
    const int64_t each = split_blocks(passes->span, passes->window);

    return row / passes->span * each + row % passes->span / passes->window;
}

/* --- seats ----------------------------------------------------------------------------- */

struct seat passes_seat(const struct passes *passes, const struct room *room,
                        struct range window, int64_t row)
{
    const int64_t shard = row / passes->shard;
    const int64_t first = most(shard * passes->shard, window.first);
    const int64_t end = least((shard + 1) * passes->shard, window.end);
    const int64_t call_chunks = room->ranks * room->stretch;
    const int64_t chunk = (row - first) / CHUNK_ROWS, call = chunk / call_chunks;
    const int64_t chunks = least(call_chunks, split_blocks(end - first, CHUNK_ROWS)
                                              - call * call_chunks);
    const int rank = split_part(chunks, chunk % call_chunks, room->ranks);
    const struct range mine = split_range(chunks, rank, room->ranks);
    const int64_t before = (shard - window.first / passes->shard)
                           * chunks_held(room, part_chunks(passes), rank)
                           + call * room->stretch + chunk % call_chunks - mine.first;

    return (struct seat){ rank, before * CHUNK_ROWS + (row - first) % CHUNK_ROWS };
}

int64_t passes_calls(const struct room *room, struct range part)
{
    return split_blocks(split_blocks(part.end - part.first, CHUNK_ROWS),
                        room->ranks * room->stretch);
}

struct range passes_stretch(const struct room *room, struct range part, int64_t call, int rank)
{
    const int64_t chunks = split_blocks(part.end - part.first, CHUNK_ROWS);
    const struct range all = split_block(chunks, room->ranks * room->stretch, call);
    const struct range mine = split_range(all.end - all.first, rank, room->ranks);

    return (struct range){
        least(part.end, part.first + (all.first + mine.first) * CHUNK_ROWS),
        least(part.end, part.first + (all.first + mine.end) * CHUNK_ROWS),
    };
}
