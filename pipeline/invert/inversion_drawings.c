#include "invert/inversion_drawings.h"
#include "base/html.h"

#include <math.h>

/* Sizes in pixels: of the field, and of what surrounds it. */
enum { WIDE = 330, HIGH = 220, LEFT = 70, ABOVE = 10, BELOW = 42, RIGHT = 14 };

enum { POINTS_MOST = 1000, SEARCHES_MOST = 50, LINES_MOST = 8 };

/* Which part of the plane is drawn; ends[0] < ends[1]. */
struct field {
    double x[2], y[2];
};

static double across(const struct field *field, double x)
{
    return LEFT + WIDE * (x - field->x[0]) / (field->x[1] - field->x[0]);
}

static double down(const struct field *field, double y)
{
    return ABOVE + HIGH * (field->y[1] - y) / (field->y[1] - field->y[0]);
}

static void begin(FILE *out, const char *title)
{
    const int width = LEFT + WIDE + RIGHT, height = ABOVE + HIGH + BELOW;

    fputs("<figure>\n<figcaption>", out);
    html_text(out, title);
    fprintf(out, "</figcaption>\n<svg class=\"roc\" role=\"img\" viewBox=\"0 0 %d %d\" "
            "width=\"%d\" height=\"%d\">\n", width, height, width, height);
}

static void end(FILE *out, const char *below, const char *left)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + WIDE / 2, ABOVE + HIGH + 34, below);
    fprintf(out, "<text transform=\"translate(14 %d) rotate(-90)\">%s</text>\n</svg>\n</figure>\n",
            ABOVE + HIGH / 2, left);
}

/* A line across the field with its number to the left, or one down with its number below. */
static void write_level(FILE *out, const struct field *field, double y, const char *number)
{
    fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n<text class=\"end\" x=\"%d\" "
            "y=\"%.1f\">%s</text>\n", LEFT, down(field, y), LEFT + WIDE, LEFT - 6,
            down(field, y) + 4, number);
}

static void write_column(FILE *out, const struct field *field, double x, const char *number)
{
    fprintf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n<text x=\"%.1f\" y=\"%d\">%s</text>\n",
            across(field, x), ABOVE, ABOVE + HIGH, across(field, x), ABOVE + HIGH + 15, number);
}

/* --- losses -------------------------------------------------------------------------- */

/* Powers of ten around all losses. */
static void find_powers(double ends[2], const struct restarts *restarts)
{
    const int64_t count = restarts->count * (restarts->rounds + 1);

    ends[0] = INFINITY;
    ends[1] = -INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (restarts->losses[i] > 0 && isfinite(restarts->losses[i])) {
            ends[0] = fmin(ends[0], floor(log10(restarts->losses[i])));
            ends[1] = fmax(ends[1], ceil(log10(restarts->losses[i])));
        }
    if (!(ends[0] <= ends[1]))
        ends[0] = ends[1] = 0;
    if (ends[0] == ends[1])
        ends[1]++;
}

static void write_search(FILE *out, const struct field *field, const struct restarts *restarts,
                         int32_t search)
{
    const double *losses = restarts->losses + search * (restarts->rounds + 1);
    const bool best = search == restarts->best;
    char letter = 'M';

    fprintf(out, "<path class=\"line\"%s d=\"",
            best ? "" : " style=\"stroke-width:1;stroke-opacity:.4\"");
    for (int64_t r = 0; r <= restarts->rounds; r++)
        if (losses[r] > 0 && isfinite(losses[r])) {
            fprintf(out, "%c%.1f %.1f", letter,
                    across(field, field->x[1] * (double)r / (double)restarts->rounds),
                    down(field, log10(losses[r])));
            letter = 'L';
        }
    fprintf(out, "\"><title>search %d</title></path>\n", (int)search + 1);
}

/* The best search is drawn last, over the others. */
void inversion_drawings_losses(FILE *out, const struct restarts *restarts, int64_t steps)
{
    struct field field = { .x = { 0, (double)steps } };
    char number[32];

    find_powers(field.y, restarts);
    const double apart = ceil((field.y[1] - field.y[0]) / LINES_MOST);
    begin(out, "Loss by step");
    for (double power = field.y[0]; power <= field.y[1]; power += apart) {
        snprintf(number, sizeof number, "1e%+.0f", power);
        write_level(out, &field, power, number);
    }
    for (int i = 0; i <= 2; i++) {
        snprintf(number, sizeof number, "%g", (double)steps * i / 2);
        write_column(out, &field, (double)steps * i / 2, number);
    }
    for (int32_t search = 0; search < restarts->count && search < SEARCHES_MOST; search++)
        if (search != restarts->best)
            write_search(out, &field, restarts, search);
    write_search(out, &field, restarts, restarts->best);
    end(out, "step", "loss");
}

/* --- values -------------------------------------------------------------------------- */

static void widen(double ends[2], const double *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        ends[0] = fmin(ends[0], values[i]);
        ends[1] = fmax(ends[1], values[i]);
    }
}

void inversion_drawings_values(FILE *out, const double *seen, const double *explained,
                               int32_t count)
{
    const int64_t drawn = count < POINTS_MOST ? count : POINTS_MOST;
    double ends[2] = { 0, 0 };
    char number[32];

    widen(ends, seen, count);
    widen(ends, explained, count);
    if (ends[0] == ends[1])
        ends[1]++;
    const struct field field = { { ends[0], ends[1] }, { ends[0], ends[1] } };
    begin(out, "Seen and explained");
    for (int i = 0; i <= 2; i++) {
        const double at = ends[0] + (ends[1] - ends[0]) * i / 2;
        snprintf(number, sizeof number, "%.3g", at);
        write_level(out, &field, at, number);
        write_column(out, &field, at, number);
    }
    fprintf(out, "<path class=\"grid\" d=\"M%d %dL%d %d\"/>\n", LEFT, ABOVE + HIGH, LEFT + WIDE,
            ABOVE);
    for (int64_t i = 0; i < drawn; i++) {
        const int64_t value = i * count / drawn;
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>value %lld: seen %.4g, "
                "explained %.4g</title></circle>\n", across(&field, seen[value]),
                down(&field, explained[value]), (long long)value, seen[value], explained[value]);
    }
    end(out, "seen", "explained");
}
