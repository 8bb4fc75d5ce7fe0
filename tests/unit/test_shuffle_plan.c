/* Shuffle plans: windows cover the output, ranks have a place for every row, memory is kept. */
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
    return (struct shuffle_memory_rows){ ROW_BYTES, 2, CHUNK_ROWS,
                                         shuffle_plan_chunk(rows, shard) };
}

/* Call `check` with the plan and the memory of every combination of the above. */
static void for_all(void (*check)(const struct shuffle_plan *, const struct shuffle_memory *))
{
    for (int i = 0; i < SIZES_COUNT * SHARDS_COUNT * MEMORIES_COUNT * RANKS; i++) {
        const int64_t rows = SIZES[i % SIZES_COUNT];
        const int64_t shard = SHARDS[i / SIZES_COUNT % SHARDS_COUNT];
        const int64_t budget = MEMORIES[i / SIZES_COUNT / SHARDS_COUNT % MEMORIES_COUNT];
        const int ranks = 1 + i / (SIZES_COUNT * SHARDS_COUNT * MEMORIES_COUNT);
        const struct shuffle_memory_rows like = about(rows, shard);
        struct shuffle_plan plan;
        struct shuffle_memory memory;

        assert_int_equal(shuffle_memory_make(&memory, budget, ranks, &like), OK);
        shuffle_plan_make(&plan, rows, shard, rows, &memory);
        assert_true(shuffle_plan_fit(&plan, &memory));
        check(&plan, &memory);
    }
}

/* Windows follow each other, each in chunks of one shard, or in whole shards. */
static void check_windows(const struct shuffle_plan *plan, const struct shuffle_memory *memory)
{
    int64_t end = 0;

    (void)memory;
    for (int64_t w = 0; w < plan->windows; w++) {
        const struct range window = shuffle_plan_range(plan, w);
        const int64_t shard = window.first / plan->shard;

        assert_int_equal(window.first, end);
        assert_true(window.end > window.first);
        end = window.end;
        if (window.end <= (shard + 1) * plan->shard)
            assert_int_equal((window.first - shard * plan->shard) % CHUNK_ROWS, 0);
        else
            assert_int_equal(window.first % plan->shard, 0);
        assert_true(window.end % plan->shard == 0 || window.end == plan->rows
                    || window.end / plan->shard == shard);
        assert_int_equal(shuffle_plan_window(plan, window.first), w);
        assert_int_equal(shuffle_plan_window(plan, window.end - 1), w);
    }
    assert_int_equal(end, plan->rows);
}

static void windows_cover_the_output(void **state)
{
    (void)state;
    for_all(check_windows);
}

/* In each window: no two rows in one place, no place outside a rank's memory, and what a
 * rank writes at once lies together there. */
static void check_positions(const struct shuffle_plan *plan, const struct shuffle_memory *memory)
{
    const int64_t rows_held = memory->window_chunks * CHUNK_ROWS;
    const bool together = plan->placement == SHUFFLE_SHARED;
    char *taken = allocate(memory->ranks * rows_held, 1);

    for (int64_t w = 0; w < plan->windows; w++) {
        const struct range window = shuffle_plan_range(plan, w);
        const int owner = shuffle_plan_owner(plan, w, memory->ranks);

        memset(taken, 0, (size_t)(memory->ranks * rows_held));
        for (int64_t row = window.first; row < window.end; row++) {
            const struct shuffle_position position = shuffle_plan_position(plan, memory, row);

            assert_in_range(position.rank, 0, memory->ranks - 1);
            assert_in_range(position.index, 0, rows_held - 1);
            assert_int_equal(taken[position.rank * rows_held + position.index]++, 0);
        }
        for (int64_t at = window.first; at < window.end; ) {
            const int64_t shard_end = (at / plan->shard + 1) * plan->shard;
            const struct range part = { at, shard_end < window.end ? shard_end : window.end };

            for (int64_t call = 0; call < shuffle_plan_writes(memory, part); call++)
                for (int rank = 0; rank < memory->holders; rank++) {
                    const struct range mine = shuffle_plan_write_range(memory, part, call, rank);

                    if (mine.first == mine.end)
                        continue;
                    assert_int_equal(mine.first, at);
                    at = mine.end;
                    const struct shuffle_position first =
                        shuffle_plan_position(plan, memory, mine.first);
                    const struct shuffle_position last =
                        shuffle_plan_position(plan, memory, mine.end - 1);
                    assert_int_equal(first.rank, together ? rank : owner);
                    assert_int_equal(last.rank, first.rank);
                    assert_int_equal(last.index - first.index, mine.end - 1 - mine.first);
                }
            assert_int_equal(at, part.end);
        }
    }
    free(taken);
}

static void every_row_has_a_place_of_its_own(void **state)
{
    (void)state;
    for_all(check_positions);
}

static int64_t window_bytes(const struct shuffle_memory *memory)
{
    return shuffle_memory_window_bytes(memory) + shuffle_memory_window_other_bytes(memory);
}

/* Before it is reduced to what a plan needs, the memory uses the whole budget, to a chunk and two
 * records, but for an eighth, at most 8 MiB, that is left to libraries; and windows get more of it
 * if ranks send nothing. */
static void keeps_to_the_memory(void **state)
{
    const struct shuffle_memory_rows like = about(1 << 20, 1 << 20);

    (void)state;
    for (int m = 0; m < MEMORIES_COUNT; m++)
        for (int ranks = 1; ranks <= RANKS; ranks++) {
            const int64_t budget = MEMORIES[m], chunk = CHUNK_ROWS * (ROW_BYTES + 16);
            const int64_t ours = budget < 64 << 20 ? budget - budget / 8 : budget - (8 << 20);
            struct shuffle_memory memory, own;

            assert_int_equal(shuffle_memory_make(&memory, budget, ranks, &like), OK);
            assert_in_range(window_bytes(&memory), ours - chunk, ours);
            own = shuffle_memory_own(&memory);
            assert_in_range(window_bytes(&own), ours - chunk, ours);
            assert_true(own.window_chunks > memory.window_chunks);
            assert_in_range(shuffle_memory_run_bytes(&memory)
                            + shuffle_memory_run_other_bytes(&memory), ours - 2 * 1024, ours);
        }
}

/* A terabyte in rows of 4608 bytes, a gigabyte a rank, shards of 2^20 rows, by hand: 48 ranks
 * hold nine shards or less of one window, four of each of two, 1 or 2 ranks part of one; a run
 * is half a gigabyte, 2^12 shares of 128 kB, so two passes reach nearly 2^12 windows. */
static void takes_as_few_passes_as_it_can(void **state)
{
    const int64_t rows = 217013888, shard = 1 << 20;
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_plan plan;
    struct shuffle_memory memory;

    (void)state;
    assert_int_equal(shuffle_memory_make(&memory, 1 << 30, 48, &like), OK);
    shuffle_plan_make(&plan, 9 * shard, shard, 9 * shard, &memory);
    assert_int_equal(plan.partitions, 0);
    assert_int_equal(plan.windows, 1);
    shuffle_plan_make(&plan, rows, shard, rows, &memory);
    assert_int_equal(plan.partitions, 1);
    assert_in_range(plan.windows, 48, 56);
    assert_int_equal(plan.fanout, plan.windows);
    assert_int_equal(shuffle_memory_make(&memory, 1 << 30, 1, &like), OK);
    shuffle_plan_make(&plan, rows, shard, rows, &memory);
    assert_int_equal(plan.partitions, 1);
    shuffle_plan_make(&plan, 1000 * rows, shard, 1000 * rows, &memory);
    assert_int_equal(plan.partitions, 2);
    assert_true(plan.windows > 1 << 12);
    assert_true((plan.fanout - 1) * (plan.fanout - 1) < plan.windows);
    assert_true(plan.fanout * plan.fanout >= plan.windows);
}

/* Two shards of one chunk fit into the memory of each of two ranks; of four shards that ranks
 * share, the first would hold all. */
static void takes_one_pass_for_whole_shards(void **state)
{
    const struct shuffle_memory_rows like = about(4 * CHUNK_ROWS, CHUNK_ROWS);
    struct shuffle_plan plan;
    struct shuffle_memory memory;

    (void)state;
    assert_int_equal(shuffle_memory_make(&memory, 40000000, 2, &like), OK);
    memory.window_chunks = 2;
    shuffle_plan_make(&plan, 4 * CHUNK_ROWS, CHUNK_ROWS, 4 * CHUNK_ROWS, &memory);
    assert_int_equal(plan.partitions, 0);
    assert_int_equal(plan.windows, 2);
    assert_true(shuffle_plan_fit(&plan, &memory));
}

/* Half a gigabyte holds 2^17 - 2^13 rows of 4608 bytes or more. */
static void takes_one_pass_for_buckets_that_fit(void **state)
{
    const int64_t rows = 217013888, shard = 1 << 20;
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_plan plan;
    struct shuffle_memory memory;

    (void)state;
    assert_int_equal(shuffle_memory_make(&memory, 1 << 30, 1, &like), OK);
    shuffle_plan_make(&plan, rows, shard, 1, &memory);
    assert_int_equal(plan.partitions, 0);
    shuffle_plan_make(&plan, rows, shard, 100000, &memory);
    assert_int_equal(plan.partitions, 0);
    assert_true(plan.windows > 1);
    shuffle_plan_make(&plan, rows, shard, 1000000, &memory);
    assert_int_equal(plan.partitions, 1);
}

static void refuses_too_little_memory_with_a_figure(void **state)
{
    const struct shuffle_memory_rows like = { 4608, 2, CHUNK_ROWS, CHUNK_ROWS };
    struct shuffle_memory memory;

    (void)state;
    assert_int_equal(shuffle_memory_make(&memory, 1000000, 2, &like), E_USAGE);
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
