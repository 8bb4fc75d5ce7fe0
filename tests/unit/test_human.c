/* Amounts as people read them. */
#include "base/human.h"
#include "tests/unit/scratch.h"

static void bytes_are_told_in_decimal_units(void **state)
{
    (void)state;
    assert_string_equal(human_bytes(0), "0 B");
    assert_string_equal(human_bytes(999), "999 B");
    assert_string_equal(human_bytes(1000), "1 kB");
    assert_string_equal(human_bytes(1.5e9), "1.5 GB");
    assert_string_equal(human_bytes(999.9e6), "1 GB");
    assert_string_equal(human_bytes(20e15), "20 PB");
}

static void durations_are_told_in_the_units_of_a_clock(void **state)
{
    (void)state;
    assert_string_equal(human_duration(-1), "0 s");
    assert_string_equal(human_duration(59.4), "59 s");
    assert_string_equal(human_duration(59.5), "1 min 00 s");
    assert_string_equal(human_duration(250), "4 min 10 s");
    assert_string_equal(human_duration(3 * 3600 + 5 * 60 + 59), "3 h 05 min");
    assert_string_equal(human_duration(47 * 3600), "47 h 00 min");
    assert_string_equal(human_duration(2.5 * 86400), "2.5 days");
    assert_string_equal(human_duration(12 * 365.25 * 86400), "12 years");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_told_in_decimal_units),
        cmocka_unit_test(durations_are_told_in_the_units_of_a_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
