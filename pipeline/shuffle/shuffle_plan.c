#include "shuffle/shuffle_plan.h"
#include "base/minmax.h"
#include "shard/stream.h"

/* --- passes ---------------------------------------------------------------------------- */

/* Of so many chunks in one shard and window, how many does a rank of a team hold?  The first one
 * holds the most. */
static int64_t chunks_held(const struct shuffle_memory *room, int team, int64_t chunks, int rank)
{
    const int64_t call = team * room->stretch;
    const struct range rest = split_range(chunks % call, rank, team);

    return chunks / call * room->stretch + range_length(rest);
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
static int64_t count_windows(const struct shuffle_plan *passes)
{
    return passes->rows / passes->span * split_blocks(passes->span, passes->window)
           + split_blocks(passes->rows % passes->span, passes->window);
}

int64_t shuffle_plan_chunk(int64_t rows, int64_t shard)
{
    return min_int64(CHUNK_ROWS, min_int64(rows, shard));
}

int shuffle_plan_held(const struct shuffle_plan *passes)
{
    return passes->windows == 1 || passes->way == SHUFFLE_AT_ONCE ? 1 : 2;
}

/* Windows so large that `held` chunks a rank of a team can hold one, and such that all teams
 * have as many. */
static void cut_windows(struct shuffle_plan *passes, const struct shuffle_memory *room, int team, int64_t held)
{
    const int64_t chunk = room->rows.out;
    const int64_t chunks = split_blocks(min_int64(passes->rows, passes->shard), chunk);
    const int64_t shard_held = chunks_held(room, team, chunks, 0);
    const int64_t shards = split_blocks(passes->rows, passes->shard);
    const int64_t teams = room->ranks / team;

    if (shard_held <= held) {       /* windows of several shards */
        const int64_t turns = split_blocks(shards, min_int64(held / shard_held, shards) * teams);
        passes->span = passes->window = split_blocks(shards, turns * teams) * passes->shard;
    } else {                        /* several windows for a shard, of like size */
        passes->span = passes->shard;
        passes->window = split_blocks(chunks, split_blocks(chunks, held * team)) * chunk;
    }
    passes->windows = count_windows(passes);
}

/* Ranks that hold a window together. */
static int team_of(enum shuffle_way way, const struct shuffle_memory *room)
{
    return way == SHUFFLE_TOGETHER ? room->ranks : 1;
}

/* Windows that memory holds all at once: rows come to them in one pass.  False if it does not. */
static bool cut_for_one(struct shuffle_plan *passes, enum shuffle_way way, const struct shuffle_memory *room)
{
    passes->way = way;
    cut_windows(passes, room, team_of(way, room), room->held);
    return way == SHUFFLE_TOGETHER ? passes->windows == 1
           : passes->windows <= room->ranks && passes->span == passes->window;
}

/* Windows of which memory holds two, and through which files rows come to them. */
static void cut_for_several(struct shuffle_plan *passes, enum shuffle_way way, int64_t bucket,
                            const struct shuffle_memory *room)
{
    passes->way = way;
    passes->dealings = passes->fanout = passes->unit = 0;
    cut_windows(passes, room, team_of(way, room), room->held / 2);
    if (bucket <= passes->window)
        return;
    for (int64_t reach = 1; reach < passes->windows; reach *= room->fanout)
        passes->dealings++;
    passes->fanout = root_above(passes->windows, passes->dealings);
    /* As many units as ranks, or a multiple, of like size. */
    const int64_t units = split_blocks(split_blocks(passes->rows, room->unit), room->ranks);
    passes->unit = split_blocks(passes->rows, units * room->ranks);
}

/* If ranks take whole shards in turn, is no more than a ninth of their time spent waiting for
 * those that have one more? */
static bool shared_evenly(const struct shuffle_plan *passes, int ranks)
{
    const int64_t shards = split_blocks(passes->rows, passes->shard);

    return 8 * split_blocks(shards, ranks) * ranks <= 9 * shards;
}

void shuffle_plan_make(struct shuffle_plan *passes, int64_t rows, int64_t shard, int64_t bucket,
                 const struct shuffle_memory *room)
{
    const struct shuffle_memory alone = shuffle_memory_apart(room);
    struct shuffle_plan own = { .rows = rows, .shard = shard };
    const bool even = shared_evenly(&own, room->ranks);

    *passes = own;
    if (even && cut_for_one(passes, SHUFFLE_AT_ONCE, room))
        return;
    if (cut_for_one(passes, SHUFFLE_TOGETHER, room))
        return;
    cut_for_several(passes, SHUFFLE_TOGETHER, bucket, room);
    cut_for_several(&own, SHUFFLE_APART, bucket, &alone);
    if (even && own.dealings <= passes->dealings)
        *passes = own;
}

/* Chunks of a window's part of a shard, the longest. */
static int64_t part_chunks(const struct shuffle_plan *passes)
{
    return split_blocks(min_int64(passes->rows, min_int64(passes->shard, passes->window)),
                        shuffle_plan_chunk(passes->rows, passes->shard));
}

bool shuffle_plan_fit(const struct shuffle_plan *passes, struct shuffle_memory *room)
{
    const int64_t parts = split_blocks(min_int64(passes->window, passes->rows), passes->shard);
    const struct shuffle_memory whole = passes->way == SHUFFLE_APART ? shuffle_memory_apart(room) : *room;
    struct shuffle_memory needed = whole;

    needed.team = team_of((enum shuffle_way)passes->way, room);
    needed.unit = passes->unit;
    needed.held = shuffle_plan_held(passes) * parts
                  * chunks_held(&needed, needed.team, part_chunks(passes), 0);
    if (needed.held > whole.held || needed.unit > whole.unit
        || (passes->way == SHUFFLE_AT_ONCE && passes->windows > room->ranks))
        return false;
    *room = needed;
    return true;
}

int64_t shuffle_plan_each(const struct shuffle_plan *passes)
{
    return split_blocks(passes->span, passes->window);
}

struct range shuffle_plan_range(const struct shuffle_plan *passes, int64_t window)
{
    const int64_t each = shuffle_plan_each(passes);
    const struct range span = split_block(passes->rows, passes->span, window / each);
    const int64_t first = span.first + window % each * passes->window;

    return (struct range){ first, min_int64(first + passes->window, span.end) };
}

int64_t shuffle_plan_window(const struct shuffle_plan *passes, int64_t row)
{
    return row / passes->span * shuffle_plan_each(passes) + row % passes->span / passes->window;
}

int shuffle_plan_owner(const struct shuffle_plan *passes, int64_t window, int ranks)
{
    return (int)(window / shuffle_plan_each(passes) % ranks);
}

/* --- seats ----------------------------------------------------------------------------- */

struct shuffle_position shuffle_plan_position(const struct shuffle_plan *passes, const struct shuffle_memory *room, int64_t row)
{
    const int64_t number = shuffle_plan_window(passes, row);
    const struct range window = shuffle_plan_range(passes, number);
    const int64_t chunk_rows = room->rows.out, shard = row / passes->shard;
    const int64_t first = max_int64(shard * passes->shard, window.first);
    const int64_t end = min_int64((shard + 1) * passes->shard, window.end);
    const int64_t call_chunks = room->team * room->stretch;
    const int64_t chunk = (row - first) / chunk_rows, call = chunk / call_chunks;
    const int64_t chunks = min_int64(call_chunks, split_blocks(end - first, chunk_rows)
                                                  - call * call_chunks);
    const int rank = split_part(chunks, chunk % call_chunks, room->team);
    const struct range mine = split_range(chunks, rank, room->team);
    const int64_t before = (shard - window.first / passes->shard)
                           * chunks_held(room, room->team, part_chunks(passes), rank)
                           + call * room->stretch + chunk % call_chunks - mine.first;

    return (struct shuffle_position){
        passes->way == SHUFFLE_TOGETHER ? rank : shuffle_plan_owner(passes, number, room->ranks),
        before * chunk_rows + (row - first) % chunk_rows,
    };
}

int64_t shuffle_plan_calls(const struct shuffle_memory *room, struct range part)
{
    return split_blocks(split_blocks(range_length(part), room->rows.out),
                        room->team * room->stretch);
}

struct range shuffle_plan_stretch(const struct shuffle_memory *room, struct range part, int64_t call, int rank)
{
    const int64_t chunk_rows = room->rows.out;
    const int64_t chunks = split_blocks(range_length(part), chunk_rows);
    const struct range all = split_block(chunks, room->team * room->stretch, call);
    const struct range mine = split_range(range_length(all), rank, room->team);

    return (struct range){
        min_int64(part.end, part.first + (all.first + mine.first) * chunk_rows),
        min_int64(part.end, part.first + (all.first + mine.end) * chunk_rows),
    };
}
