/* Rows come back as they were kept: float32 exactly, bf16 rounded to nearest; and blocks of them,
 * scaled and centred. */
#include "base/random.h"
#include "kernels/bf16.h"
#include "shard/store.h"
#include "step/packed_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROWS = 5, WIDTH = 300, LD = 310 };

static const struct range SOME_ROWS = { 1, 4 }, SOME_COLUMNS = { 7, 290 };

static float rounded(float x)
{
    uint16_t bits;

    bf16_from_float(&bits, &x, 1);
    bf16_to_float(&x, &bits, 1);
    return x;
}

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
}

static void check_block(struct packed_rows rows)
{
    const bool bf16 = rows.store == STORE_BF16;
    float x[ROWS * WIDTH], block[ROWS * LD], out[ROWS * LD];
    const struct range all_rows = { 0, ROWS }, all_columns = { 0, WIDTH };

    fill(x, ROWS * WIDTH, 1);
    fill(block, ROWS * LD, 2);
    packed_rows_store(&rows, x, WIDTH, all_rows, all_columns);
    packed_rows_store(&rows, block, LD, SOME_ROWS, SOME_COLUMNS);
    packed_rows_load(out, LD, &rows, all_rows, all_columns);
    for (int64_t row = 0; row < ROWS; row++)
        for (int64_t j = 0; j < WIDTH; j++) {
            const bool inside = SOME_ROWS.first <= row && row < SOME_ROWS.end
                                && SOME_COLUMNS.first <= j && j < SOME_COLUMNS.end;
            const float put = inside ? block[(row - SOME_ROWS.first) * LD + j - SOME_COLUMNS.first]
                                     : x[row * WIDTH + j];
            const float kept = bf16 ? rounded(put) : put;
            const float centre = rows.centre != NULL ? rows.centre[j] : 0;
            assert_true(out[row * LD + j] == kept * rows.factor - centre);
        }
    fill(x, ROWS * WIDTH, 3);
    fill(block, ROWS * LD, 3);
    packed_rows_load(block, LD, &rows, SOME_ROWS, SOME_COLUMNS);
    for (int64_t row = SOME_ROWS.first; row < SOME_ROWS.end; row++)
        for (int64_t j = SOME_COLUMNS.first; j < SOME_COLUMNS.end; j++)
            assert_true(block[(row - SOME_ROWS.first) * LD + j - SOME_COLUMNS.first]
                        == out[row * LD + j]);
    assert_true(block[SOME_COLUMNS.end - SOME_COLUMNS.first]    /* nothing else is touched */
                == x[SOME_COLUMNS.end - SOME_COLUMNS.first]);
}

static void blocks_come_back(void **state)
{
    float memory[ROWS * WIDTH], centre[WIDTH];

    (void)state;
    fill(centre, WIDTH, 4);
    for (int store = STORE_F32; store <= STORE_BF16; store++) {
        check_block((struct packed_rows){ memory, (enum store)store, WIDTH, 1, NULL });
        check_block((struct packed_rows){ memory, (enum store)store, WIDTH, 0.3f, NULL });
        check_block((struct packed_rows){ memory, (enum store)store, WIDTH, 0.3f, centre });
    }
}

static void a_row_is_rounded_as_it_is_stored(void **state)
{
    float x[WIDTH], y[WIDTH];

    (void)state;
    for (int store = STORE_F32; store <= STORE_BF16; store++) {
        const struct packed_rows as = { .store = (enum store)store };
        fill(x, WIDTH, 5);
        fill(y, WIDTH, 5);
        packed_rows_round(&as, y, WIDTH - 3);
        for (int64_t j = 0; j < WIDTH; j++)
            assert_true(y[j] == (store == STORE_BF16 && j < WIDTH - 3 ? rounded(x[j]) : x[j]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_back),
        cmocka_unit_test(a_row_is_rounded_as_it_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
