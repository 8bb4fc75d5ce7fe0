/* A training log has every line that was written, and says so when it has not. */
#include "base/checksum.h"
#include "tests/unit/scratch.h"
#include "train/steplog.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINES = 2000 };

static const struct identity IDENTITY = { "train/res.00/w8", 255, "", "saes" };

static void add_lines(struct steplog *log, int64_t first, int64_t end)
{
    for (int64_t step = first; step < end; step++)
        steplog_add(log, &(struct step_report){ .step = step, .mse = 0.5 }, step + 1, 1);
}

/* Files may not grow beyond so many bytes. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void ends_with_its_checksum(void **state)
{
    struct steplog log;
    char *text;
    int64_t size, lines = 0;

    (void)state;
    assert_int_equal(steplog_open(&log, in_scratch("good.tsv"), 0), OK);
    add_lines(&log, 0, LINES);
    assert_int_equal(steplog_publish(&log, &IDENTITY), OK);
    assert_int_equal(file_read(in_scratch("good.tsv"), &text, &size), OK);
    assert_int_equal(checksum_cut(text, &size, "x"), OK);
    for (int64_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 1 + LINES + 1);
    assert_non_null(strstr(text, "\n# identity 00000000000000ff train/res.00/w8\n"));
    text[size / 2] ^= 1;
    text[size] = '#';
    assert_int_equal(checksum_cut(text, &(int64_t){ size + CHECKSUM_LINE - 1 }, "x"), E_FORMAT);
    refuse_clear();
    free(text);
}

/* A write fails in the middle of the log, and later ones succeed. */
static void a_write_that_failed_in_passing_is_not_forgotten(void **state)
{
    struct steplog log;

    (void)state;
    assert_int_equal(steplog_open(&log, in_scratch("holes.tsv"), 0), OK);
    add_lines(&log, 0, LINES / 4);
    assert_int_equal(steplog_sync(&log), OK);
    limit_files(0);
    add_lines(&log, LINES / 4, LINES / 2);
    limit_files(RLIM_INFINITY);
    add_lines(&log, LINES / 2, LINES);
    assert_int_equal(steplog_sync(&log), E_IO);
    assert_non_null(strstr(refuse_reason(), "holes.tsv.part: File too large"));
    assert_int_equal(steplog_publish(&log, &IDENTITY), E_IO);
    steplog_close(&log);
    refuse_clear();
    assert_false(file_exists(in_scratch("holes.tsv")));

    /* It goes on from where it was synced. */
    assert_int_equal(steplog_open(&log, in_scratch("holes.tsv"), LINES / 4), OK);
    add_lines(&log, LINES / 4, LINES);
    assert_int_equal(steplog_publish(&log, &IDENTITY), OK);
}

/* Whoever took a line from it meanwhile. */
static void a_log_with_fewer_lines_than_steps_is_not_published(void **state)
{
    struct steplog log;

    (void)state;
    assert_int_equal(steplog_open(&log, in_scratch("short.tsv"), 0), OK);
    add_lines(&log, 0, 5);
    assert_int_equal(steplog_sync(&log), OK);
    assert_int_equal(truncate(in_scratch("short.tsv.part"), 200), 0);
    assert_int_equal(steplog_publish(&log, &IDENTITY), E_IO);
    assert_non_null(strstr(refuse_reason(), "6 lines were written"));
    steplog_close(&log);
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_its_checksum),
        cmocka_unit_test(a_write_that_failed_in_passing_is_not_forgotten),
        cmocka_unit_test(a_log_with_fewer_lines_than_steps_is_not_published),
    };

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
