/* Diagrams: the page's colours, the same text for the same numbers, nothing where there is
 * nothing; and training logs thinned out. */
#include "base/checksum.h"
#include "base/file.h"
#include "release/curves.h"
#include "release/plot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char LOG[] = "build/scratch/plot/log.tsv";

/* The text of a diagram.  Caller frees. */
static char *draw(const struct plot *plot)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_int_equal(plot_draw(out, plot), OK);
    fclose(out);
    return text;
}

static void draws_in_the_pages_colours(void **state)
{
    const double x[] = { 10, 20, 40 }, y[] = { 0.2, 0.15, 0.1 };
    const struct plot_series series[] = { { x, y, 3, 1, 0, "one" }, { x, y, 2, 12, 3, "two" } };
    const struct plot plot = { .title = "t", .x_label = "x", .y_label = "y", .log_x = true,
                               .marks = true, .series = series, .count = 2 };
    char *one = draw(&plot), *two = draw(&plot);

    (void)state;
    assert_string_equal(one, two);
    assert_memory_equal(one, "<svg", 4);
    assert_non_null(strstr(one, "</svg>"));
    assert_non_null(strstr(one, "var(--c1)"));
    assert_non_null(strstr(one, "var(--c12)"));
    assert_non_null(strstr(one, "var(--ink)"));
    assert_non_null(strstr(one, "var(--grid)"));
    assert_null(strstr(one, "rgb("));
    assert_non_null(strstr(one, "<title>two</title>"));
    assert_null(strstr(one, "<title>Gnuplot"));
    free(two);
    free(one);
}

static void leaves_out_what_cannot_be_drawn(void **state)
{
    const double x[] = { 0, NAN, 2 }, y[] = { 1, 1, -1 };
    const struct plot_series series = { x, y, 3, 1, 0, "one" };
    const struct plot nothing = { .title = "empty one", .x_label = "x", .y_label = "y",
                                  .log_x = true, .log_y = true, .series = &series, .count = 1 };
    const struct plot one = { .title = "t", .x_label = "x", .y_label = "y", .log_x = true,
                              .marks = true, .series = &series, .count = 1 };
    char *text = draw(&nothing);

    (void)state;
    assert_non_null(strstr(text, "empty one: nothing to draw"));
    free(text);
    text = draw(&one);
    assert_non_null(strstr(text, "var(--c1)"));
    free(text);
}

static void spreads_colours(void **state)
{
    (void)state;
    assert_int_equal(plot_colour(0, 3), 1);
    assert_int_equal(plot_colour(2, 3), PLOT_COLOURS);
    for (int count = 1; count < 40; count++)
        for (int i = 0; i < count; i++) {
            assert_in_range(plot_colour(i, count), 1, PLOT_COLOURS);
            if (i > 0)
                assert_true(plot_colour(i, count) >= plot_colour(i - 1, count));
        }
}

static void says_that_gnuplot_is_missing(void **state)
{
    char version[64], *path = strdup(getenv("PATH"));

    (void)state;
    assert_int_equal(plot_version(version), OK);
    assert_true(version[0] >= '4' && version[0] <= '9');
    setenv("PATH", "build/scratch/plot", 1);
    assert_int_equal(plot_version(version), E_IO);
    assert_non_null(strstr(refuse_reason(), "install gnuplot"));
    refuse_clear();
    setenv("PATH", path, 1);
    free(path);
}

static const struct identity OF_THE_LOG = { .place = "train/res.01/w64-t5", .hash = 0x5ae,
                                            .suite = "", .until = "saes" };

/* With its identity and checksum, as steplog_publish() ends it. */
static void write_log(const char *steps)
{
    static char text[32768], whole[32768 + CHECKSUM_LINE];
    char line[CHECKSUM_LINE];

    snprintf(text, sizeof text, "%s# identity %016llx %s\n", steps,
             (unsigned long long)OF_THE_LOG.hash, OF_THE_LOG.place);
    checksum_line(line, text, (int64_t)strlen(text));
    snprintf(whole, sizeof whole, "%s%s", text, line);
    assert_int_equal(file_write(LOG, whole, (int64_t)strlen(whole)), OK);
}

/* 480 steps become 160 points of 3: means, and the last row count. */
static void thins_out_a_training_log(void **state)
{
    static struct curve curve;
    char text[32768];
    int at = sprintf(text, "step\tdead\trows\tl0\tloss\tfvu\n");

    (void)state;
    for (int s = 0; s < 480; s++)
        at += sprintf(text + at, "%d\t%d\t%d\t%d\t1e-1\t0.5\n", s, 7, 100 * (s + 1), s % 3);
    write_log(text);
    assert_int_equal(curves_read(&curve, LOG, &OF_THE_LOG), OK);
    assert_int_equal(curve.points, 160);
    for (int p = 0; p < 160; p++) {
        assert_true(curve.column[CURVE_ROWS][p] == 300 * (p + 1));
        assert_true(curve.column[CURVE_L0][p] == 1);
        assert_true(curve.column[CURVE_DEAD][p] == 7);
        assert_true(fabs(curve.column[CURVE_LOSS][p] - 0.1) < 1e-15);
        assert_true(curve.column[CURVE_FVU][p] == 0.5);
    }
}

static void assert_log_refused(const char *text, const char *words)
{
    static struct curve curve;

    write_log(text);
    assert_int_equal(curves_read(&curve, LOG, &OF_THE_LOG), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), LOG));
    assert_non_null(strstr(refuse_reason(), words));
    refuse_clear();
}

static void refuses_other_logs(void **state)
{
    (void)state;
    assert_log_refused("\n", "no column 'rows'");
    assert_log_refused("rows\tloss\tfvu\tl0\n1\t2\t3\t4\n", "no column 'dead'");
    assert_log_refused("rows\tloss\tfvu\tl0\tdead\n1\t2\t3\t4\n", "line 2 is cut short");
    assert_log_refused("rows\tloss\tfvu\tl0\tdead\n1\t2\tx\t4\t5\n", "line 2 has 'x'");
}

static void refuses_the_log_of_another(void **state)
{
    struct identity other = OF_THE_LOG;
    static struct curve curve;

    (void)state;
    write_log("rows\tloss\tfvu\tl0\tdead\n1\t2\t3\t4\t5\n");
    assert_int_equal(curves_read(&curve, LOG, &other), OK);
    other.hash++;
    assert_int_equal(curves_read(&curve, LOG, &other), E_USAGE);
    assert_non_null(strstr(refuse_reason(), LOG));
    refuse_clear();
}

static int make_scratch(void **state)
{
    (void)state;
    return file_make_folder("build/scratch/plot") != OK;
}

static int remove_scratch(void **state)
{
    (void)state;
    return file_remove("build/scratch/plot") != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_in_the_pages_colours),
        cmocka_unit_test(leaves_out_what_cannot_be_drawn),
        cmocka_unit_test(spreads_colours),
        cmocka_unit_test(says_that_gnuplot_is_missing),
        cmocka_unit_test(thins_out_a_training_log),
        cmocka_unit_test(refuses_other_logs),
        cmocka_unit_test(refuses_the_log_of_another),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
