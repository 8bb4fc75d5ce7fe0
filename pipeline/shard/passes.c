#include "shard/passes.h"
#include "shard/stream.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
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

int64_t passes_chunk(int64_t rows, int64_t shard)
{
    return least(CHUNK_ROWS, least(rows, shard));
}

int passes_at_once(const struct passes *passes)
{
    return passes->windows == 1 ? 1 : 2;
}

/* Windows so large that `held` chunks a rank can hold one. */
static void cut_windows(struct passes *passes, const struct room *room, int64_t held)
{
    const int64_t chunk = room->rows.out;
    const int64_t chunks = split_blocks(least(passes->rows, passes->shard), chunk);
    const int64_t shard_held = chunks_held(room, chunks, 0);
    const int64_t shards = split_blocks(passes->rows, passes->shard);

    if (shard_held <= held) {       /* windows of several shards */
        passes->span = passes->window = least(held / shard_held, shards) * passes->shard;
    } else {                        /* several windows for a shard, of like size */
        passes->span = passes->shard;
        passes->window = split_blocks(chunks, split_blocks(chunks, held * room->ranks)) * chunk;
    }
    passes->windows = count_windows(passes);
}

void passes_make(struct passes *passes, int64_t rows, int64_t shard, int64_t bucket,
                 const struct room *room)
{
    *passes = (struct passes){ .rows = rows, .shard = shard };
    cut_windows(passes, room, room->held);
    if (passes->windows > 1)
        cut_windows(passes, room, room->held / 2);
    if (passes->windows == 1 || bucket <= passes->window)
        return;
    for (int64_t reach = 1; reach < passes->windows; reach *= room->fanout)
        passes->dealings++;
    passes->fanout = root_above(passes->windows, passes->dealings);
    /* As many units as ranks, or a multiple, of like size. */
    const int64_t units = split_blocks(split_blocks(rows, room->unit), room->ranks);
    passes->unit = split_blocks(rows, units * room->ranks);
}

/* Chunks of a window's part of a shard, the longest. */
static int64_t part_chunks(const struct passes *passes)
{
    return split_blocks(least(passes->rows, least(passes->shard, passes->window)),
                        passes_chunk(passes->rows, passes->shard));
}

bool passes_fit(const struct passes *passes, struct room *room)
{
    const int64_t parts = split_blocks(least(passes->window, passes->rows), passes->shard);
    const int64_t held = passes_at_once(passes) * parts
                         * chunks_held(room, part_chunks(passes), 0);

    if (held > room->held || passes->unit > room->unit)
        return false;
    room->held = held;
    room->unit = passes->unit;
    return true;
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
    const int64_t chunk_rows = room->rows.out, shard = row / passes->shard;
    const int64_t first = most(shard * passes->shard, window.first);
    const int64_t end = least((shard + 1) * passes->shard, window.end);
    const int64_t call_chunks = room->ranks * room->stretch;
    const int64_t chunk = (row - first) / chunk_rows, call = chunk / call_chunks;
    const int64_t chunks = least(call_chunks, split_blocks(end - first, chunk_rows)
                                              - call * call_chunks);
    const int rank = split_part(chunks, chunk % call_chunks, room->ranks);
    const struct range mine = split_range(chunks, rank, room->ranks);
    const int64_t before = (shard - window.first / passes->shard)
                           * chunks_held(room, part_chunks(passes), rank)
                           + call * room->stretch + chunk % call_chunks - mine.first;

    return (struct seat){ rank, before * chunk_rows + (row - first) % chunk_rows };
}

int64_t passes_calls(const struct room *room, struct range part)
{
    return split_blocks(split_blocks(part.end - part.first, room->rows.out),
                        room->ranks * room->stretch);
}

struct range passes_stretch(const struct room *room, struct range part, int64_t call, int rank)
{
    const int64_t chunk_rows = room->rows.out;
    const int64_t chunks = split_blocks(part.end - part.first, chunk_rows);
    const struct range all = split_block(chunks, room->ranks * room->stretch, call);
    const struct range mine = split_range(all.end - all.first, rank, room->ranks);

    return (struct range){
        least(part.end, part.first + (all.first + mine.first) * chunk_rows),
        least(part.end, part.first + (all.first + mine.end) * chunk_rows),
    };
}
