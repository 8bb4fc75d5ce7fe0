/* The products of entries with a slice, against their definitions. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/bf16.h"
#include "kernels/slice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 37, LD = 300, ENTRIES = 61 };

/* Slices as wide as they get, and narrower; no entry, one, an odd number, more than rows. */
static const int64_t WIDTHS[] = { 1, 16, 127, COLUMNS, COLUMNS + 1, SLICE_COLUMNS };
static const int64_t COUNTS[] = { 0, 1, 5, ENTRIES };
enum { WIDTHS_COUNT = 6, COUNTS_COUNT = 4 };

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
}

/* What a packed slice stands for, by another route.
 *   out  [ROWS, slice_width()] */
static void plain(float *out, enum precision precision, const float *x, int64_t columns)
{
    const int64_t width = slice_width(columns);

    memset(out, 0, (size_t)(ROWS * width) * sizeof *out);
    for (int64_t row = 0; row < ROWS; row++) {
        uint16_t half[SLICE_COLUMNS];
        float *to = out + row * width;

        memcpy(to, x + row * LD, (size_t)columns * sizeof *to);
        bf16_from_float(half, to, width);
        if (precision == PRECISION_BF16)
            bf16_to_float(to, half, width);
    }
}

struct scene {
    float   x[ROWS * LD], plain[ROWS * SLICE_COLUMNS], a[SLICE_COLUMNS], coefficient[ENTRIES];
    int32_t index[ENTRIES];
    void   *slice;
};

/* `x` starts at odd addresses, as columns of a matrix do. */
static struct scene *make_scene(enum precision precision, int64_t columns)
{
    struct scene *scene = allocate(1, sizeof *scene);

    fill(scene->x, ROWS * LD, 1);
    fill(scene->a, SLICE_COLUMNS, 2);
    fill(scene->coefficient, ENTRIES, 3);
    for (int k = 0; k < ENTRIES; k++)
        scene->index[k] = (int32_t)(ROWS * random_uniform(4, 0, (uint64_t)k));
    scene->slice = allocate(1, slice_bytes(precision, ROWS, columns));
    slice_pack(scene->slice, precision, scene->x + 3, LD, ROWS, columns);
    plain(scene->plain, precision, scene->x + 3, columns);
    return scene;
}

static void free_scene(struct scene *scene)
{
    free(scene->slice);
    free(scene);
}

static void assert_near(const float *ours, const double *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)ours[i] - want[i]) > 2e-6)
            fail_msg("value %lld is %.9g and not %.9g", (long long)i, (double)ours[i], want[i]);
}

static void combines(enum precision precision, int64_t columns, int64_t count)
{
    struct scene *s = make_scene(precision, columns);
    const int64_t width = slice_width(columns);
    float ours[SLICE_COLUMNS], reference[SLICE_COLUMNS];
    double want[SLICE_COLUMNS];

    fill(ours, width, 5);
    memcpy(reference, ours, sizeof ours);
    for (int64_t c = 0; c < width; c++) {
        want[c] = (double)ours[c];
        for (int64_t k = 0; k < count; k++)
            want[c] += (double)s->coefficient[k] * (double)s->plain[s->index[k] * width + c];
    }
    slice_combine(ours, s->index, s->coefficient, count, s->slice, columns, precision);
    slice_combine_ref(reference, s->index, s->coefficient, count, s->slice, columns, precision);
    assert_near(ours, want, width);
    assert_near(reference, want, width);
    free_scene(s);
}

static void dots(enum precision precision, int64_t columns, int64_t count)
{
    struct scene *s = make_scene(precision, columns);
    const int64_t width = slice_width(columns);
    float ours[ENTRIES], reference[ENTRIES];
    double want[ENTRIES];

    fill(ours, ENTRIES, 6);
    memcpy(reference, ours, sizeof ours);
    for (int64_t k = 0; k < ENTRIES; k++) {
        want[k] = (double)ours[k];
        for (int64_t c = 0; c < width && k < count; c++)
            want[k] += (double)s->a[c] * (double)s->plain[s->index[k] * width + c];
    }
    slice_dots(ours, s->index, count, s->a, s->slice, columns, precision);
    slice_dots_ref(reference, s->index, count, s->a, s->slice, columns, precision);
    assert_near(ours, want, ENTRIES);
    assert_near(reference, want, ENTRIES);
    free_scene(s);
}

/* Edge shapes, and random ones. */
static void for_all(void (*check)(enum precision, int64_t, int64_t))
{
    for (int w = 0; w < WIDTHS_COUNT; w++)
        for (int c = 0; c < COUNTS_COUNT; c++) {
            check(PRECISION_F32, WIDTHS[w], COUNTS[c]);
            check(PRECISION_BF16, WIDTHS[w], COUNTS[c]);
        }
    for (uint64_t seed = 0; seed < 30; seed++)
        check(seed % 2 == 0 ? PRECISION_F32 : PRECISION_BF16,
              1 + (int64_t)(SLICE_COLUMNS * random_uniform(7, 0, seed)),
              (int64_t)(ENTRIES * random_uniform(7, 1, seed)));
}

static void sums_of_rows_equal_their_definition(void **state)
{
    (void)state;
    for_all(combines);
}

static void dot_products_equal_their_definition(void **state)
{
    (void)state;
    for_all(dots);
}

/* Entries in two calls are entries in one. */
static void entries_may_come_in_parts(void **state)
{
    (void)state;
    for (int p = 0; p <= 1; p++) {
        const enum precision precision = p == 0 ? PRECISION_F32 : PRECISION_BF16;
        struct scene *s = make_scene(precision, COLUMNS);
        float whole[COLUMNS] = {0}, parts[COLUMNS] = {0};

        slice_combine(whole, s->index, s->coefficient, ENTRIES, s->slice, COLUMNS, precision);
        slice_combine(parts, s->index, s->coefficient, 9, s->slice, COLUMNS, precision);
        slice_combine(parts, s->index + 9, s->coefficient + 9, ENTRIES - 9, s->slice, COLUMNS,
                      precision);
        assert_memory_equal(whole, parts, sizeof whole);
        free_scene(s);
    }
}

/* A slice of two blocks gives the bits of two slices of one. */
static void two_blocks_are_one_after_the_other(void **state)
{
    (void)state;
    for (int p = 0; p <= 1; p++) {
        const enum precision precision = p == 0 ? PRECISION_F32 : PRECISION_BF16;
        struct scene *s = make_scene(precision, SLICE_COLUMNS);
        float sums[SLICE_COLUMNS] = {0}, both[SLICE_COLUMNS] = {0};
        float dot[ENTRIES] = {0}, both_dot[ENTRIES] = {0};

        slice_combine(both, s->index, s->coefficient, ENTRIES, s->slice, SLICE_COLUMNS, precision);
        slice_dots(both_dot, s->index, ENTRIES, s->a, s->slice, SLICE_COLUMNS, precision);
        for (int block = 0; block < SLICE_COLUMNS; block += COLUMNS) {
            slice_pack(s->slice, precision, s->x + 3 + block, LD, ROWS, COLUMNS);
            slice_combine(sums + block, s->index, s->coefficient, ENTRIES, s->slice, COLUMNS,
                          precision);
            slice_dots(dot, s->index, ENTRIES, s->a + block, s->slice, COLUMNS, precision);
        }
        assert_memory_equal(sums, both, sizeof sums);
        assert_memory_equal(dot, both_dot, sizeof dot);
        free_scene(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_rows_equal_their_definition),
        cmocka_unit_test(dot_products_equal_their_definition),
        cmocka_unit_test(entries_may_come_in_parts),
        cmocka_unit_test(two_blocks_are_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
