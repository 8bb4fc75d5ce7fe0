#include "release/figures.h"
#include "base/allocate.h"
#include "release/curves.h"
#include "release/plot.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>

enum { LABEL = 64 };

static void legend_item(FILE *out, int colour, const char *text)
{
    fprintf(out, "<span><b style=\"color:var(--c%d)\">%s</b>%s</span>\n", colour, plot_shape(0),
            text);
}

/* ---- sparsity and fidelity ------------------------------------------------------ */

/* Are two consecutive entries on the same line of the plot? */
static bool same_line(const struct entry *a, const struct entry *b)
{
    return a->tap.layer == b->tap.layer && a->sae.width == b->sae.width;
}

/* The score of each entry; if `percent`, as percent of the latents.  Caller frees. */
static double *scores_of(const struct entry *entries, int count, const char *name, bool percent)
{
    double *values = allocate(count, sizeof *values);

    for (int i = 0; i < count; i++)
        values[i] = entries_score(&entries[i], name) * (percent ? 100.0 / entries[i].sae.width : 1);
    return values;
}

/* Number the layers that occur, in order, and return their count.
 *   number  [count]  out: of each entry's layer */
static int number_layers(int *number, const struct entry *entries, int count)
{
    int layers = 0;

    for (int i = 0; i < count; i++) {
        layers += i == 0 || entries[i].tap.layer != entries[i - 1].tap.layer;
        number[i] = layers - 1;
    }
    return layers;
}

/* The smallest width above `below`; INT32_MAX if there is none. */
static int32_t next_width(const struct entry *entries, int count, int32_t below)
{
    int32_t next = INT32_MAX;

    for (int i = 0; i < count; i++)
        if (entries[i].sae.width > below && entries[i].sae.width < next)
            next = entries[i].sae.width;
    return next;
}

/* The shape of a width's marks: its number among the widths that occur. */
static int shape_of(const struct entry *entries, int count, int32_t width)
{
    int shape = 0;

    for (int32_t w = 0; (w = next_width(entries, count, w)) < width; )
        shape++;
    return shape % PLOT_SHAPES;
}

/* If there are several widths, write the shape of each. */
static void legend_of_widths(FILE *out, const struct entry *entries, int count)
{
    const int32_t first = next_width(entries, count, 0);
    char name[16];

    if (next_width(entries, count, first) == INT32_MAX)
        return;
    for (int32_t w = first; w < INT32_MAX; w = next_width(entries, count, w))
        fprintf(out, "<span><b>%s</b>width %s</span>\n",
                plot_shape(shape_of(entries, count, w)), entries_width_name(name, w));
}

struct fidelity_panel {
    const char *score, *title, *label;
    bool        percent;        /* of the latents */
};

/* Draw a score against L0; consecutive entries of one layer and width make a line. */
static enum status draw_against_l0(FILE *out, const struct entry *entries, int count,
                                   const int *number, int layers, struct fidelity_panel panel,
                                   bool drawn)
{
    double *x = scores_of(entries, count, "l0", false);
    double *y = scores_of(entries, count, panel.score, panel.percent);
    struct plot_series *series = allocate(count, sizeof *series);
    char (*labels)[LABEL] = allocate(count, sizeof *labels), width[16];
    struct plot plot = {
        .title = panel.title, .x_label = "L0: active latents a token", .y_label = panel.label,
        .log_x = true, .marks = true, .undrawn = !drawn, .series = series,
    };
    enum status st;

    for (int i = 0; i < count; i++) {
        if (i > 0 && same_line(&entries[i - 1], &entries[i])) {
            series[plot.count - 1].count++;
            continue;
        }
        snprintf(labels[i], LABEL, "layer %d, width %s", entries[i].tap.layer,
                 entries_width_name(width, entries[i].sae.width));
        series[plot.count++] = (struct plot_series){
            x + i, y + i, 1, plot_colour(number[i], layers),
            shape_of(entries, count, entries[i].sae.width), labels[i] };
    }
    st = plot_draw(out, &plot);
    free(labels);
    free(series);
    free(y);
    free(x);
    return st;
}

enum status figures_fidelity(FILE *out, const struct entry *entries, int count, bool drawn)
{
    static const struct fidelity_panel PANELS[] = {
        { "fvu", "unexplained variance", "FVU", false },
        { "delta_loss", "loss added to the model", "added loss, nats a token", false },
        { "never_active", "unused latents", "percent never active", true },
    };
    int *number = allocate(count, sizeof *number);
    const int layers = number_layers(number, entries, count);
    char text[LABEL];
    enum status st;

    fputs("<figure>\n<div class=\"legend\">\n", out);
    for (int i = 0; i < count; i++)
        if (i == 0 || number[i] != number[i - 1]) {
            snprintf(text, sizeof text, "layer %d", entries[i].tap.layer);
            legend_item(out, plot_colour(number[i], layers), text);
        }
    legend_of_widths(out, entries, count);
    fputs("</div>\n<div class=\"panels\">\n", out);
    for (size_t k = 0; k < sizeof PANELS / sizeof *PANELS; k++)
        TRY(draw_against_l0(out, entries, count, number, layers, PANELS[k], drawn));
    fputs("</div>\n</figure>\n", out);
done:
    free(number);
    return st;
}

/* ---- training and firing -------------------------------------------------------- */

/* Choose thousands, millions or billions, so that the largest value is readable. */
static double token_unit(double most, const char **name)
{
    *name = most >= 1e9 ? "billions of tokens" : most >= 1e6 ? "millions of tokens"
                                               : "thousands of tokens";
    return most >= 1e9 ? 1e9 : most >= 1e6 ? 1e6 : 1e3;
}

/* Convert rows to the unit that fits the longest curve, and dead latents to percent of the width.
 * Returns the name of the unit. */
static const char *scale_curves(struct curve *scaled, const struct curve *curves,
                                const int32_t *widths, int count)
{
    const char *unit;
    double most = 0;

    for (int i = 0; i < count; i++)
        if (curves[i].points > 0)
            most = fmax(most, curves[i].column[CURVE_ROWS][curves[i].points - 1]);
    const double tokens = token_unit(most, &unit);
    for (int i = 0; i < count; i++) {
        scaled[i] = curves[i];
        for (int64_t p = 0; p < curves[i].points; p++) {
            scaled[i].column[CURVE_ROWS][p] /= tokens;
            scaled[i].column[CURVE_DEAD][p] *= 100.0 / widths[i];
        }
    }
    return unit;
}

static enum status draw_curves(FILE *out, const struct curve *curves, const int32_t *widths,
                               char (*labels)[LABEL], int count, bool drawn)
{
    static const struct panel {
        enum curve_column column;
        const char       *title, *label;
        bool              log_y;
    } PANELS[] = {
        { CURVE_LOSS, "training loss", "squared error + penalty", true },
        { CURVE_FVU, "unexplained variance", "FVU", true },
        { CURVE_L0, "sparsity", "L0: active latents a token", true },
        { CURVE_DEAD, "dead latents", "percent of latents", false },
    };
    struct curve *scaled = allocate(count, sizeof *scaled);
    struct plot_series *series = allocate(count, sizeof *series);
    const char *unit = scale_curves(scaled, curves, widths, count);
    enum status st = OK;

    for (size_t k = 0; k < sizeof PANELS / sizeof *PANELS; k++) {
        const struct plot plot = { .title = PANELS[k].title, .x_label = unit,
                                   .y_label = PANELS[k].label, .log_y = PANELS[k].log_y,
                                   .undrawn = !drawn, .series = series, .count = count };

        for (int i = 0; i < count; i++)
            series[i] = (struct plot_series){
                scaled[i].column[CURVE_ROWS], scaled[i].column[PANELS[k].column],
                scaled[i].points, plot_colour(i, count), 0, labels[i] };
        TRY(plot_draw(out, &plot));
    }
done:
    free(series);
    free(scaled);
    return st;
}

/* Read the histogram of an entry, and return the number of edges.  There is one edge more than
 * counts, so the last count is 0.  Caller frees both. */
static int read_histogram(double **edges, double **counts, const struct entry *entry)
{
    const json_t *histogram = json_object_get(entry->scores, "frequency_histogram");
    const json_t *e = json_object_get(histogram, "edges");
    const json_t *c = json_object_get(histogram, "counts");
    const size_t n = json_array_size(e);

    *edges = allocate((long long)n, sizeof **edges);
    *counts = allocate((long long)n, sizeof **counts);
    for (size_t i = 0; i < n; i++) {
        (*edges)[i] = pow(10, json_number_value(json_array_get(e, i)));
        (*counts)[i] = json_number_value(json_array_get(c, i));
    }
    return (int)n;
}

/* Draw how many latents are active on which share of the tokens. */
static enum status draw_histograms(FILE *out, const struct entry *entries,
                                   char (*labels)[LABEL], int count, bool drawn)
{
    struct plot_series *series = allocate(count, sizeof *series);
    const struct plot plot = {
        .title = "how often latents fire",
        .x_label = "share of tokens on which a latent is active",
        .y_label = "latents",
        .log_x = true,
        .steps = true,
        .undrawn = !drawn,
        .series = series,
        .count = count,
    };
    double **edges = allocate(count, sizeof *edges), **counts = allocate(count, sizeof *counts);
    enum status st;

    for (int i = 0; i < count; i++) {
        const int n = read_histogram(&edges[i], &counts[i], &entries[i]);
        series[i] = (struct plot_series){ edges[i], counts[i], n, plot_colour(i, count),
                                          0, labels[i] };
    }
    st = plot_draw(out, &plot);
    for (int i = 0; i < count; i++) {
        free(edges[i]);
        free(counts[i]);
    }
    free(counts);
    free(edges);
    free(series);
    return st;
}

enum { SPANS_MAX = 64 };    /* spans double in length, so there cannot be more */

/* Draw the FVU of each span of positions, at its first position. */
static enum status draw_positions(FILE *out, const struct entry *entries,
                                  char (*labels)[LABEL], int count, bool drawn)
{
    struct plot_series *series = allocate(count, sizeof *series);
    double (*x)[SPANS_MAX] = allocate(count, sizeof *x);
    double (*y)[SPANS_MAX] = allocate(count, sizeof *y);
    const struct plot plot = {
        .title = "FVU by position", .x_label = "position of the token", .y_label = "FVU",
        .log_x = true, .marks = true, .undrawn = !drawn, .series = series, .count = count,
    };
    enum status st;

    for (int i = 0; i < count; i++) {
        const json_t *spans = json_object_get(entries[i].scores, "by_position");
        const int n = (int)json_array_size(spans) < SPANS_MAX ? (int)json_array_size(spans)
                                                              : SPANS_MAX;
        for (int s = 0; s < n; s++) {
            const json_t *span = json_array_get(spans, (size_t)s);
            const json_t *fvu = json_object_get(span, "fvu");

            x[i][s] = fmax(1, json_number_value(json_object_get(span, "first")));
            y[i][s] = json_is_number(fvu) ? json_number_value(fvu) : NAN;
        }
        series[i] = (struct plot_series){ x[i], y[i], n, plot_colour(i, count), 0, labels[i] };
    }
    st = plot_draw(out, &plot);
    free(y);
    free(x);
    free(series);
    return st;
}

enum status figures_tap(FILE *out, const struct suite *suite, const struct entry *entries,
                        int count, bool drawn)
{
    struct curve *curves = allocate(count, sizeof *curves);
    int32_t *widths = allocate(count, sizeof *widths);
    char (*labels)[LABEL] = allocate(count, sizeof *labels);
    char path[PATH_LENGTH], width[16];
    enum status st = OK;

    for (int i = 0; i < count; i++) {
        paths_sae(path, suite, entries[i].tap, entries[i].sae.name, ".tsv");
        if (drawn)
            TRY(curves_read(&curves[i], path, &entries[i].identity));
        widths[i] = entries[i].sae.width;
    }
    fputs("<figure>\n<div class=\"legend\">\n", out);
    for (int i = 0; i < count; i++) {
        snprintf(labels[i], LABEL, "width %s, L0 %.1f", entries_width_name(width, widths[i]),
                 entries_score(&entries[i], "l0"));
        legend_item(out, plot_colour(i, count), labels[i]);
    }
    fputs("</div>\n<div class=\"panels\">\n", out);
    TRY(draw_curves(out, curves, widths, labels, count, drawn));
    TRY(draw_histograms(out, entries, labels, count, drawn));
    TRY(draw_positions(out, entries, labels, count, drawn));
    fputs("</div>\n</figure>\n", out);
done:
    free(labels);
    free(widths);
    free(curves);
    return st;
}
