/* Cutting n things into parts and blocks: every thing is in exactly one. */
#include "base/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void parts_follow_each_other_and_differ_by_one_at_most(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 40; n++)
        for (int parts = 1; parts < 12; parts++) {
            int64_t end = 0, longest = split_range(n, 0, parts).end;
            for (int p = 0; p < parts; p++) {
                const struct range range = split_range(n, p, parts);
                assert_int_equal(range.first, end);
                end = range.end;
                assert_in_range(longest - (range.end - range.first), 0, 1);
            }
            assert_int_equal(end, n);
        }
}

static void every_thing_finds_its_part(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 40; n++)
        for (int parts = 1; parts < 12; parts++)
            for (int64_t i = 0; i < n; i++) {
                const struct range range = split_range(n, split_part(n, i, parts), parts);
                assert_true(range.first <= i && i < range.end);
            }
}

/* Seven things for three: 3, 2, 2. */
static void the_longer_parts_come_first(void **state)
{
    (void)state;
    assert_int_equal(split_range(7, 0, 3).end, 3);
    assert_int_equal(split_range(7, 1, 3).end, 5);
    assert_int_equal(split_range(7, 2, 3).end, 7);
}

static void blocks_cover_everything_and_only_the_last_is_short(void **state)
{
    (void)state;
    assert_int_equal(split_blocks(0, 5), 0);
    assert_int_equal(split_blocks(10, 5), 2);
    assert_int_equal(split_blocks(11, 5), 3);
    assert_int_equal(split_block(11, 5, 1).first, 5);
    assert_int_equal(split_block(11, 5, 1).end, 10);
    assert_int_equal(split_block(11, 5, 2).first, 10);
    assert_int_equal(split_block(11, 5, 2).end, 11);
}

/* Rows by the hundred billion, as a harvest of a large model has them. */
static void large_numbers_do_not_overflow(void **state)
{
    const int64_t n = 4000000000000;

    (void)state;
    assert_int_equal(split_range(n, 47, 48).end, n);
    assert_int_equal(split_range(n, 47, 48).first, n / 48 * 47 + n % 48);
    assert_int_equal(split_block(n, 4096, split_blocks(n, 4096) - 1).end, n);
}

static void every_place_finds_the_thing_it_is_in(void **state)
{
    static const int64_t BEFORE[] = { 0, 3, 3, 4, 9 };      /* lengths 3, 0, 1, 5 */
    static const int64_t WANT[] = { 0, 0, 0, 2, 3, 3, 3, 3, 3 };

    (void)state;
    for (int64_t at = 0; at < 9; at++)
        assert_int_equal(split_find(BEFORE, 4, at), WANT[at]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_follow_each_other_and_differ_by_one_at_most),
        cmocka_unit_test(every_thing_finds_its_part),
        cmocka_unit_test(the_longer_parts_come_first),
        cmocka_unit_test(blocks_cover_everything_and_only_the_last_is_short),
        cmocka_unit_test(large_numbers_do_not_overflow),
        cmocka_unit_test(every_place_finds_the_thing_it_is_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
