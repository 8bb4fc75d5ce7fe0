/* The largest entries of lists: cuts against sorting, on values of every size, with ties, on
 * short and empty groups; and what a cutoff leaves of a list, by hand and by counting. */
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/select.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GROUPS = 9, ENTRIES = 700 };

/* Values above 0: from the smallest floats to the largest, or few different ones. */
static float value_of(uint64_t seed, uint64_t i, bool ties)
{
    const float u = random_uniform(seed, 0, i);

    return ties ? 1 + floorf(4 * u) : expf(170 * u - 85) * (1 + random_uniform(seed, 1, i));
}

/* Groups of uneven length with gaps between, one of them empty. */
static int64_t make_groups(int32_t *start, int32_t *end, uint64_t seed)
{
    int32_t at = 0;
    int64_t count = 0;

    for (int g = 0; g < GROUPS; g++) {
        start[g] = at;
        end[g] = at += g == 4 ? 0 : (int32_t)(60 * random_uniform(seed, 2, (uint64_t)g));
        count += end[g] - start[g];
        at += 3;
    }
    return count;
}

static void cuts_are_those_of_sorting(void **state)
{
    float value[ENTRIES], room[ENTRIES];
    int32_t start[GROUPS], end[GROUPS];

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (uint64_t i = 0; i < ENTRIES; i++)
            value[i] = value_of(seed, i, seed % 2 == 0);
        const int64_t count = make_groups(start, end, seed);
        for (int64_t k = 1; k <= count + 1; k++) {
            const struct cutoff ours = select_largest(value, start, end, GROUPS, k);
            const struct cutoff want = select_largest_ref(value, start, end, GROUPS, k, room);
            assert_true(ours.value == want.value);
            assert_int_equal(ours.ties, want.ties);
        }
    }
}

/* Whatever the ties, a cutoff for k lets in k. */
static void cuts_let_in_k(void **state)
{
    float value[ENTRIES];
    int32_t start[GROUPS], end[GROUPS];

    (void)state;
    for (uint64_t i = 0; i < ENTRIES; i++)
        value[i] = value_of(3, i, true);
    const int64_t count = make_groups(start, end, 3);
    for (int64_t k = 1; k < count; k++) {
        const struct cutoff cutoff = select_largest(value, start, end, GROUPS, k);
        int64_t above = 0, equal = 0;
        for (int g = 0; g < GROUPS; g++)
            for (int64_t i = start[g]; i < end[g]; i++) {
                above += value[i] > cutoff.value;
                equal += !(value[i] > cutoff.value) && !(value[i] < cutoff.value);
            }
        assert_int_equal(above + cutoff.ties, k);
        assert_in_range(cutoff.ties, 1, equal);
    }
}

/* Two rows; active | near.  Row by row two are kept, of near ones one. */
static void keeps_row_by_row(void **state)
{
    int32_t start[] = { 0, 5, 9 }, middle[] = { 3, 8 };
    int32_t index[] = { 1, 4, 6, 2, 3,   0, 5, 8, 7 };
    float value[] = { 2, 3, 2, 1, 5,     1, 1, 1, 4 };
    struct codes codes = { 2, start, middle, index, value };
    struct cutoff active[2], near[2];
    static const int32_t WANT[] = { 1, 4, 3,   0, 5, 7 };

    (void)state;
    for (int row = 0; row < 2; row++) {
        active[row] = select_largest(value, start + row, middle + row, 1, 2);
        near[row] = select_largest(value, middle + row, start + row + 1, 1, 1);
    }
    select_keep(&codes, 0, &codes, active, near);
    assert_memory_equal(index, WANT, sizeof WANT);
    assert_int_equal(start[1], 3);
    assert_int_equal(start[2], 6);
    assert_int_equal(middle[0], 2);
    assert_int_equal(middle[1], 5);
    assert_true(value[0] == 2 && value[1] == 3 && value[2] == 5 && value[5] == 4);
}

/* Row by row they may become the last rows of another list. */
static void keeps_behind_others(void **state)
{
    int32_t start[] = { 0, 2 }, middle[] = { 1 }, index[] = { 5, 6 };
    float value[] = { 7, 8 };
    int32_t out_start[] = { 0, 1, 9 }, out_middle[] = { 1, 9 }, out_index[] = { 3, 9, 9 };
    float out_value[] = { 2, 9, 9 };
    const struct codes codes = { 1, start, middle, index, value };
    struct codes out = { 2, out_start, out_middle, out_index, out_value };
    const struct cutoff none = { INFINITY, 0 };
    struct cutoff all;

    (void)state;
    select_all(&all, 1);
    select_keep(&out, 1, &codes, &none, &all);
    assert_int_equal(out_start[1], 1);
    assert_int_equal(out_middle[1], 1);
    assert_int_equal(out_start[2], 2);
    assert_int_equal(out_index[0], 3);
    assert_int_equal(out_index[1], 6);
    assert_true(out_value[0] == 2 && out_value[1] == 8);
}

/* The two rows again, the three largest of both together: 3, 2 and the first of equal 2s. */
static void keeps_of_all_rows_together(void **state)
{
    int32_t start[] = { 0, 5, 9 }, middle[] = { 3, 8 };
    int32_t index[] = { 1, 4, 6, 2, 3,   0, 5, 8, 7 };
    float value[] = { 2, 3, 2, 1, 5,     1, 2, 1, 4 };
    struct codes codes = { 2, start, middle, index, value };
    const struct cutoff cutoff = select_largest(value, start, middle, 2, 3);
    struct cutoff active[2], near[2];
    static const int32_t WANT[] = { 1, 4, 6, 2, 3,   7 };

    (void)state;
    assert_true(cutoff.value == 2 && cutoff.ties == 2);
    select_each(active, cutoff, value, start, middle, 2);
    assert_int_equal(active[0].ties, 2);
    assert_int_equal(active[1].ties, 0);
    select_all(near, 2);
    select_keep(&codes, 0, &codes, active, near);
    assert_memory_equal(index, WANT, sizeof WANT);
    assert_int_equal(start[1], 5);
    assert_int_equal(middle[1], 5);
    assert_int_equal(start[2], 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_are_those_of_sorting),
        cmocka_unit_test(cuts_let_in_k),
        cmocka_unit_test(keeps_row_by_row),
        cmocka_unit_test(keeps_behind_others),
        cmocka_unit_test(keeps_of_all_rows_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
