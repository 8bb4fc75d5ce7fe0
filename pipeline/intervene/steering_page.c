#include "intervene/steering_page.h"
#include "base/html.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

#include <math.h>
#include <string.h>

/* Sizes in pixels: of the bars of a way, and of what surrounds them. */
enum { LABEL = 64, NUMBER = 56, LENGTH = 260, THICK = 11, STEP = 34, ABOVE = 6 };
/* Of the histogram. */
enum { BIN = 16, TALL = 120, BELOW = 22 };

static double number(const json_t *object, const char *name)
{
    return task_files_number(object, name, NULL);
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* --- bars ---------------------------------------------------------------------------- */

/* What the bars of a target reach from and to; 0 is between them. */
struct reach {
    double least, most;
};

static struct reach reach_of(const json_t *ways)
{
    struct reach reach = {0};
    const json_t *way;
    size_t i;

    json_array_foreach(ways, i, way) {
        reach.least = fmin(reach.least, number(way, "effect"));
        reach.most = fmax(reach.most, fmax(number(way, "effect"), number(way, "others")));
    }
    return reach;
}

static double place(struct reach reach, double value)
{
    const double range = reach.most - reach.least;

    return LABEL + (range > 0 ? LENGTH * (value - reach.least) / range : 0);
}

static void write_bar(FILE *out, struct reach reach, double value, int top, int colour)
{
    const double zero = place(reach, 0), end = place(reach, value);

    fprintf(out, "<rect fill=\"var(--c%d)\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
            colour, fmin(zero, end), top, fabs(end - zero), (int)THICK);
    fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%d\">%.3g</text>\n", LABEL + LENGTH + NUMBER,
            top + THICK - 2, value);
}

/* The colours of effects on the target, and on others. */
enum { TARGET_COLOUR = 3, OTHERS_COLOUR = 10 };

static void write_bars(FILE *out, const json_t *target)
{
    const json_t *ways = json_object_get(target, "ways"), *way;
    const struct reach reach = reach_of(ways);
    const int width = LABEL + LENGTH + NUMBER + 4;
    const int height = ABOVE + STEP * (int)json_array_size(ways);
    size_t i;

    fprintf(out, "<figure>\n<figcaption>Latent %lld</figcaption>\n<svg class=\"roc\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
            (long long)json_integer_value(json_object_get(target, "latent")), width, height, width,
            height);
    fprintf(out, "<path class=\"grid\" d=\"M%.1f 0V%d\"/>\n", place(reach, 0), height);
    json_array_foreach(ways, i, way) {
        const int top = ABOVE + STEP * (int)i;
        fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%d\">", LABEL - 8, top + THICK + 3);
        html_text(out, text(way, "way"));
        fputs("</text>\n", out);
        write_bar(out, reach, number(way, "effect"), top, TARGET_COLOUR);
        write_bar(out, reach, number(way, "others"), top + THICK + 1, OTHERS_COLOUR);
    }
    fputs("</svg>\n</figure>\n", out);
}

static void write_all_bars(FILE *out, const json_t *targets)
{
    const json_t *target;
    size_t i;

    fprintf(out, "<h2>Targets</h2>\n<p>Each vector is as long as its cost allows. The first "
            "bar is its effect on the target, the second the mean size of its effects on all other "
            "latents.</p>\n<div class=\"legend\"><span><b style=\"color: var(--c%d)\">&#9632;</b>"
            "the target</span><span><b style=\"color: var(--c%d)\">&#9632;</b>all others, their "
            "mean</span></div>\n<div class=\"heats\">\n", TARGET_COLOUR, OTHERS_COLOUR);
    json_array_foreach(targets, i, target)
        write_bars(out, target);
    fputs("</div>\n", out);
}

/* --- the table ----------------------------------------------------------------------- */

static void write_row(FILE *out, const json_t *target, const json_t *way, bool first)
{
    const double others = number(way, "others");

    fprintf(out, "<tr%s>", first ? " class=\"first\"" : "");
    html_cell(out, number(target, "latent"), "%.0f");
    html_cell_text(out, text(way, "way"));
    html_cell(out, number(way, "scale"), "%.4g");
    html_cell(out, number(way, "loss_added"), "%.3f");
    html_cell(out, number(way, "effect"), "%.4g");
    html_cell(out, others, "%.4g");
    html_cell(out, number(way, "effect") / others, "%.3g");
    html_cell(out, number(way, "largest"), "%.0f");
    html_cell(out, number(way, "largest_effect"), "%.4g");
    fputs("</tr>\n", out);
}

static void write_table(FILE *out, const json_t *targets)
{
    static const char *const HEADINGS[] = { "scale", "cost, nats", "on the target", "on others",
                                            "ratio", "most changed latent", "effect on it" };
    const json_t *target, *way;
    size_t t, w;

    html_table_begin(out);
    html_heading(out, "latent");
    html_heading_text(out, "way");
    for (size_t i = 0; i < sizeof HEADINGS / sizeof *HEADINGS; i++)
        html_heading(out, HEADINGS[i]);
    html_table_rows(out);
    json_array_foreach(targets, t, target)
        json_array_foreach(json_object_get(target, "ways"), w, way)
            write_row(out, target, way, w == 0);
    html_table_end(out);
}

/* --- scales -------------------------------------------------------------------------- */

static double largest(const json_t *list)
{
    double most = 0;
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        most = fmax(most, json_number_value(item));
    return most;
}

static void write_scales(FILE *out, const json_t *scales)
{
    const json_t *bins = json_object_get(scales, "bins"), *bin;
    const double least = number(scales, "least"), most = number(scales, "most");
    const int width = BIN * (int)json_array_size(bins), height = TALL + BELOW;
    size_t i;

    fprintf(out,
            "<h2>Scales</h2>\n<p>How many vectors have which scale, the one at which they "
            "cost what they may; the mean is %.4g.</p>\n<figure>\n<svg class=\"roc\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", number(scales, "mean"),
            width + 40, height, width + 40, height);
    json_array_foreach(bins, i, bin) {
        const double tall = TALL * json_number_value(bin) / largest(bins);
        fprintf(out, "<rect fill=\"var(--c%d)\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\">"
                "<title>%lld vectors</title></rect>\n", TARGET_COLOUR, 20 + BIN * (int)i,
                TALL - tall, BIN - 1, tall, (long long)json_integer_value(bin));
    }
    fprintf(out, "<path class=\"grid\" d=\"M20 %dH%d\"/>\n", (int)TALL, 20 + width);
    fprintf(out, "<text x=\"20\" y=\"%d\">%.3g</text>\n<text x=\"%d\" y=\"%d\">%.3g</text>\n",
            height - 6, least, 20 + width, height - 6, most);
    fputs("</svg>\n</figure>\n", out);
}

/* --- all ----------------------------------------------------------------------------- */

static void write_cards(FILE *out, const json_t *summary)
{
    const json_t *map = json_object_get(summary, "approximator");

    fputs("<dl class=\"cards\">\n", out);
    html_card(out, "vectors that are learnt from", number(map, "vectors"), NULL, "");
    html_card(out, "held-out vectors", number(map, "held_out"), NULL, "");
    html_card(out, "R<sup>2</sup> of the linear map on them", number(map, "r2"), "%.3f", "");
    html_card(out, "what it misses of their effects", number(map, "error"), "%.3f", "");
    html_card(out, "loss without a vector", number(summary, "loss"), "%.3f", "nats");
    html_card(out, "what a vector may cost", number(summary, "cost"), "%.3g", "nats");
    fputs("</dl>\n", out);
}

enum status steering_page_write(const struct circuit *task, const char *name,
                                const json_t *summary)
{
    const json_t *targets = json_object_get(summary, "targets");
    struct task_page page;

    task_page_begin(&page, task, name);
    page.without_table = true;
    fputs(": which vector, added to the residual stream, raises one latent and changes the others "
          "little. Vectors are decoder rows of <code>", page.out);
    html_text(page.out, text(summary, "autoencoder"));
    fputs("</code>; their effects on latents of <code>", page.out);
    html_text(page.out, text(summary, "read"));
    fprintf(page.out, "</code> are read on %s.</p>\n",
            strcmp(text(summary, "effects"), "generations") == 0
                ? "texts that the model writes with the vector and reads without it"
                : "given texts while the vector is added");
    write_cards(page.out, summary);
    write_all_bars(page.out, targets);
    write_table(page.out, targets);
    write_scales(page.out, json_object_get(summary, "scales"));
    return task_page_write(&page);
}
