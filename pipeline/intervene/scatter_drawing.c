#include "intervene/scatter_drawing.h"
#include "base/html.h"

#include <math.h>

/* Sizes in pixels: of the square that has the points, and of what surrounds it. */
enum { SIDE = 300, LEFT = 64, ABOVE = 10, BELOW = 42, RIGHT = 14 };

/* Lines between 0 and the number of largest size. */
enum { LINES = 4 };

/* The vertical axis, from least * step to most * step. */
struct axis {
    double least, most, step;
};

/* The smallest of 1, 2, 5, 10, 20, ... that is no smaller. */
static double round_up(double number)
{
    const double power = pow(10, floor(log10(number)));
    const double digit = number / power;

    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/* It has 0, and its lines lie at round numbers. */
static struct axis find_axis(const struct scatter_drawing *d)
{
    double least = 0, most = d->most;

    for (int64_t i = 0; i < d->count; i++)
        if (isfinite(d->points[i].y)) {
            least = fmin(least, d->points[i].y);
            most = fmax(most, d->points[i].y);
        }
    if (least == most)
        most = 1;
    const double step = round_up(fmax(most, -least)) / LINES;
    return (struct axis){ floor(least / step), ceil(most / step), step };
}

static double across(double x)
{
    return LEFT + SIDE * x;
}

static double down(const struct axis *axis, double y)
{
    return ABOVE + SIDE * (axis->most - y / axis->step) / (axis->most - axis->least);
}

static void write_axes(FILE *out, const struct scatter_drawing *d, const struct axis *axis)
{
    for (int i = 0; i <= LINES; i++) {
        const double x = (double)i / LINES;
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n<text x=\"%.1f\" y=\"%d\">%g</text>"
                "\n", across(x), ABOVE, ABOVE + SIDE, across(x), ABOVE + SIDE + 15, x);
    }
    for (double line = axis->least; line <= axis->most; line++) {
        const double y = line * axis->step;
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n<text class=\"end\" x=\"%d\" "
                "y=\"%.1f\">%.3g</text>\n", LEFT, down(axis, y), LEFT + SIDE, LEFT - 6,
                down(axis, y) + 4, y);
    }
    fprintf(out, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + SIDE / 2, ABOVE + SIDE + 34,
            d->x_label);
    fprintf(out, "<text transform=\"translate(14 %d) rotate(-90)\">%s</text>\n", ABOVE + SIDE / 2,
            d->y_label);
}

/* From point to point to the right, then upward or downward. */
static void write_stairs(FILE *out, const struct scatter_drawing *d, const struct axis *axis)
{
    bool first = true;

    fputs("<path class=\"line\" d=\"", out);
    for (int64_t i = 0; i < d->count; i++) {
        const struct scatter_point *point = &d->points[i];
        if (!point->on_front || !isfinite(point->y))
            continue;
        fprintf(out, first ? "M%.1f %.1f" : "H%.1fV%.1f", across(point->x), down(axis, point->y));
        first = false;
    }
    fputs("\"/>\n", out);
}

static void write_point(FILE *out, const struct scatter_drawing *d, const struct axis *axis,
                        const struct scatter_point *point)
{
    fprintf(out, "<circle%s style=\"color:var(--c%d)\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>",
            point->on_front ? "" : " class=\"pale\"", point->colour, across(point->x),
            down(axis, point->y));
    html_text(out, point->name);
    fprintf(out, ", %s: %.4g\n", d->x_name, point->x);
    html_text(out, point->name);
    fprintf(out, ", %s: %.4g</title></circle>\n", d->y_name, point->y);
}

void scatter_drawing_write(FILE *out, const struct scatter_drawing *d)
{
    const struct axis axis = find_axis(d);
    const int width = LEFT + SIDE + RIGHT, height = ABOVE + SIDE + BELOW;

    fprintf(out, "<figure>\n<figcaption>%s</figcaption>\n<svg class=\"scatter\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n", d->title, width, height, width,
            height);
    write_axes(out, d, &axis);
    if (d->stairs)
        write_stairs(out, d, &axis);
    for (int64_t i = 0; i < d->count; i++)
        if (isfinite(d->points[i].y))
            write_point(out, d, &axis, &d->points[i]);
    fputs("</svg>\n</figure>\n", out);
}
