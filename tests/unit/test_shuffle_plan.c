/* passes_*(): windows cover the output, ranks have a place for every row, memory is kept. */
#include "base/allocate.h"
#include "base/refuse.h"
#include "shard/stream.h"
#include "shuffle/shuffle_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROW_BYTES = 512 };

static const int64_t SIZES[] = { 1, 512, 513, 5000, 20011, 100003 };
static const int64_t SHARDS[] = { 512, 1000, 8192, 1 << 20 };
static const int64_t MEMORIES[] = { 6000000, 9000000, 40000000 };
enum { SIZES_COUNT = 6, SHARDS_COUNT = 4, MEMORIES_COUNT = 3, RANKS = 5 };

/* Rows of ROW_BYTES, in chunks of the usual size if there are enough. */
static struct shuffle_memory_rows about(int64_t rows, int64_t shard)
{
    return (struct shuffle_memory_rows){ ROW_BYTES, 2, CHUNK_ROWS, shuffle_plan_chunk(rows, shard) };
}

/* Call `check` with passes and room of every combination of the above. */
static void for_all(void (*check)(const struct shuffle_plan *, const struct shuffle_memory *))
{
    for (int i = 0; i < SIZES_COUNT * SHARDS_COUNT * MEMORIES_COUNT * RANKS; i++) {
        const int64_t rows = SIZES[i % SIZES_COUNT];
        const int64_t shard = SHARDS[i / SIZES_COUNT % SHARDS_COUNT];
        const int64_t memory = MEMORIES[i / SIZES_COUNT / SHARDS_COUNT % MEMORIES_COUNT];
        const int ranks = 1 + i / (SIZES_COUNT * SHARDS_COUNT * MEMORIES_COUNT);
        const struct shuffle_memory_rows like = about(rows, shard);
        struct shuffle_plan passes;
        struct shuffle_memory room;

        assert_int_equal(shuffle_memory_make(&room, memory, ranks, &like), OK);
        shuffle_plan_make(&passes, rows, shard, rows, &room);
        assert_true(shuffle_plan_fit(&passes, &room));
        check(&passes, &room);
    }
}

/* Windows follow each other, each in chunks of one shard, or in whole shards. */
static void check_windows(const struct shuffle_plan *passes, const struct shuffle_memory *room)
{
    int64_t end = 0;

    (void)room;
    for (int64_t w = 0; w < passes->windows; w++) {
        const struct range window = shuffle_plan_range(passes, w);
        const int64_t shard = window.first / passes->shard;

        assert_int_equal(window.first, end);
        assert_true(window.end > window.first);
        end = window.end;
        if (window.end <= (shard + 1) * passes->shard)
            assert_int_equal((window.first - shard * passes->shard) % CHUNK_ROWS, 0);
        else
            assert_int_equal(window.first % passes->shard, 0);
        assert_true(window.end % passes->shard == 0 || window.end == passes->rows
                    || window.end / passes->shard == shard);
        assert_int_equal(shuffle_plan_window(passes, window.first), w);
        assert_int_equal(shuffle_plan_window(passes, window.end - 1), w);
    }
    assert_int_equal(end, passes->rows);
}

static void windows_cover_the_output(void **state)
{
    (void)state;
    for_all(check_windows);
}

/* In each window: no two rows in one place, no place outside a rank's memory, and what a
 * rank writes at once lies together there. */
static void check_seats(const struct shuffle_plan *passes, const struct shuffle_memory *room)
{
    const int64_t slots = room->held * CHUNK_ROWS;
    const bool together = passes->way == SHUFFLE_TOGETHER;
    char *taken = allocate(room->ranks * slots, 1);

    for (int64_t w = 0; w < passes->windows; w++) {
        const struct range window = shuffle_plan_range(passes, w);
        const int owner = shuffle_plan_owner(passes, w, room->ranks);

        memset(taken, 0, (size_t)(room->ranks * slots));
        for (int64_t row = window.first; row < window.end; row++) {
            const struct shuffle_position shuffle_position = shuffle_plan_position(passes, room, row);

            assert_in_range(shuffle_position.rank, 0, room->ranks - 1);
            assert_in_range(shuffle_position.slot, 0, slots - 1);
            assert_int_equal(taken[shuffle_position.rank * slots + shuffle_position.slot]++, 0);
        }
        for (int64_t at = window.first; at < window.end; ) {
            const int64_t shard_end = (at / passes->shard + 1) * passes->shard;
            const struct range part = { at, shard_end < window.end ? shard_end : window.end };

            for (int64_t call = 0; call < shuffle_plan_calls(room, part); call++)
                for (int rank = 0; rank < room->team; rank++) {
                    const struct range mine = shuffle_plan_stretch(room, part, call, rank);

                    if (mine.first == mine.end)
                        continue;
                    assert_int_equal(mine.first, at);
                    at = mine.end;
                    const struct shuffle_position first = shuffle_plan_position(passes, room, mine.first);
                    const struct shuffle_position last = shuffle_plan_position(passes, room, mine.end - 1);
                    assert_int_equal(first.rank, together ? rank : owner);
                    assert_int_equal(last.rank, first.rank);
                    assert_int_equal(last.slot - first.slot, mine.end - 1 - mine.first);
                }
            assert_int_equal(at, part.end);
        }
    }
    free(taken);
}

static void every_row_has_a_place_of_its_own(void **state)
{
    (void)state;
    for_all(check_seats);
}

/* Before it is reduced to what is needed, a room takes what memory there is, to a chunk
 * and two records, but for an eighth, at most 8 MiB, that is left to libraries; and more of it is
 * for windows if ranks send nothing. */
static void keeps_to_the_memory(void **state)
{
    const struct shuffle_memory_rows like = about(1 << 20, 1 << 20);

    (void)state;
    for (int m = 0; m < MEMORIES_COUNT; m++)
        for (int ranks = 1; ranks <= RANKS; ranks++) {
            const int64_t memory = MEMORIES[m], chunk = CHUNK_ROWS * (ROW_BYTES + 16);
            const int64_t ours = memory < 64 << 20 ? memory - memory / 8 : memory - (8 << 20);
            struct shuffle_memory room, apart;

            assert_int_equal(shuffle_memory_make(&room, memory, ranks, &like), OK);
            assert_in_range(shuffle_memory_window_bytes(&room) + shuffle_memory_window_other_bytes(&room),
                            ours - chunk, ours);
            apart = shuffle_memory_apart(&room);
            assert_in_range(shuffle_memory_window_bytes(&apart) + shuffle_memory_window_other_bytes(&apart),
                            ours - chunk, ours);
            assert_true(apart.held > room.held);
            assert_in_range(shuffle_memory_run_bytes(&room) + shuffle_memory_run_other_bytes(&room), ours - 2 * 1024,
                            ours);
        }
}

/* A terabyte in rows of 4608 bytes, a gigabyte a rank, shards of 2^20 rows, by hand: 48 ranks
 * hold nine shards or less of one window, four of each of two, 1 or 2 ranks part of one; a unit
 * is half a gigabyte, 2^12 shares of 128 kB, so two passes reach nearly 2^12 windows. */
static void takes_as_few_passes_as_it_can(void **state)
{
    const int64_t rows = 217013888, shard = 1 << 20;
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_plan passes;
    struct shuffle_memory room;

    (void)state;
    assert_int_equal(shuffle_memory_make(&room, 1 << 30, 48, &like), OK);
    shuffle_plan_make(&passes, 9 * shard, shard, 9 * shard, &room);
    assert_int_equal(passes.dealings, 0);
    assert_int_equal(passes.windows, 1);
    shuffle_plan_make(&passes, rows, shard, rows, &room);
    assert_int_equal(passes.dealings, 1);
    assert_in_range(passes.windows, 48, 56);
    assert_int_equal(passes.fanout, passes.windows);
    assert_int_equal(shuffle_memory_make(&room, 1 << 30, 1, &like), OK);
    shuffle_plan_make(&passes, rows, shard, rows, &room);
    assert_int_equal(passes.dealings, 1);
    shuffle_plan_make(&passes, 1000 * rows, shard, 1000 * rows, &room);
    assert_int_equal(passes.dealings, 2);
    assert_true(passes.windows > 1 << 12);
    assert_true((passes.fanout - 1) * (passes.fanout - 1) < passes.windows);
    assert_true(passes.fanout * passes.fanout >= passes.windows);
}

/* Two shards of one chunk fit into the memory of each of two ranks; of four shards that ranks
 * share, the first would hold all. */
static void takes_one_pass_for_whole_shards(void **state)
{
    const struct shuffle_memory_rows like = about(4 * CHUNK_ROWS, CHUNK_ROWS);
    struct shuffle_plan passes;
    struct shuffle_memory room;

    (void)state;
    assert_int_equal(shuffle_memory_make(&room, 40000000, 2, &like), OK);
    room.held = 2;
    shuffle_plan_make(&passes, 4 * CHUNK_ROWS, CHUNK_ROWS, 4 * CHUNK_ROWS, &room);
    assert_int_equal(passes.dealings, 0);
    assert_int_equal(passes.windows, 2);
    assert_true(shuffle_plan_fit(&passes, &room));
}

/* Half a gigabyte holds 2^17 - 2^13 rows of 4608 bytes or more. */
static void takes_one_pass_for_buckets_that_fit(void **state)
{
    const int64_t rows = 217013888, shard = 1 << 20;
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_plan passes;
    struct shuffle_memory room;

    (void)state;
    assert_int_equal(shuffle_memory_make(&room, 1 << 30, 1, &like), OK);
    shuffle_plan_make(&passes, rows, shard, 1, &room);
    assert_int_equal(passes.dealings, 0);
    shuffle_plan_make(&passes, rows, shard, 100000, &room);
    assert_int_equal(passes.dealings, 0);
    assert_true(passes.windows > 1);
    shuffle_plan_make(&passes, rows, shard, 1000000, &room);
    assert_int_equal(passes.dealings, 1);
}

static void refuses_too_little_memory_with_a_figure(void **state)
{
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_memory room;

    (void)state;
    assert_int_equal(shuffle_memory_make(&room, 1000000, 2, &like), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "shuffle.memory is 1 MB"));
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_output),
        cmocka_unit_test(every_row_has_a_place_of_its_own),
        cmocka_unit_test(keeps_to_the_memory),
        cmocka_unit_test(takes_as_few_passes_as_it_can),
        cmocka_unit_test(takes_one_pass_for_whole_shards),
        cmocka_unit_test(takes_one_pass_for_buckets_that_fit),
        cmocka_unit_test(refuses_too_little_memory_with_a_figure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
