#include "methods/roc_drawing.h"
#include "base/html.h"

/* Sizes in pixels: of the square from 0 to 1, and of what surrounds it. */
enum { SIDE = 220, LEFT = 52, ABOVE = 10, BELOW = 42, RIGHT = 14 };

/* Where a point is in the drawing. */
static double across(const json_t *point)
{
    return LEFT + SIDE * json_number_value(json_array_get(point, 0));
}

static double down(const json_t *point)
{
    return ABOVE + SIDE * (1 - json_number_value(json_array_get(point, 1)));
}

/* Lines at 0, 1/2 and 1 with their numbers, and what the axes are. */
static void write_axes(FILE *out, const char *of)
{
    for (int i = 0; i <= 2; i++) {
        const int at = i * SIDE / 2;
        fprintf(out, "<path class=\"grid\" d=\"M%d %dH%dM%d %dV%d\"/>\n", LEFT, ABOVE + at,
                LEFT + SIDE, LEFT + at, ABOVE, ABOVE + SIDE);
        fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%d\">%g</text>\n", LEFT - 6,
                ABOVE + SIDE - at + 4, i / 2.0);
        fprintf(out, "<text x=\"%d\" y=\"%d\">%g</text>\n", LEFT + at, ABOVE + SIDE + 15, i / 2.0);
    }
    fprintf(out, "<text x=\"%d\" y=\"%d\">share of the wrong %s</text>\n", LEFT + SIDE / 2,
            ABOVE + SIDE + 34, of);
    fprintf(out, "<text transform=\"translate(14 %d) rotate(-90)\">share of the right %s</text>\n",
            ABOVE + SIDE / 2, of);
}

/* From point to point to the right, then upward. */
static void write_stairs(FILE *out, const json_t *points)
{
    const json_t *point;
    size_t i;

    json_array_foreach(points, i, point)
        if (i == 0)
            fprintf(out, "M%.1f %.1f", across(point), down(point));
        else
            fprintf(out, "H%.1fV%.1f", across(point), down(point));
}

static void write_points(FILE *out, const json_t *points)
{
    const json_t *point;
    size_t i;

    json_array_foreach(points, i, point)
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>wrong %.3g, right %.3g"
                "</title></circle>\n", across(point), down(point),
                json_number_value(json_array_get(point, 0)),
                json_number_value(json_array_get(point, 1)));
}

void roc_drawing_write(FILE *out, const json_t *curve, const char *title, const char *of)
{
    const json_t *points = json_object_get(curve, "points");
    const int width = LEFT + SIDE + RIGHT, height = ABOVE + SIDE + BELOW;

    fputs("<figure>\n<figcaption>", out);
    html_text(out, title);
    fprintf(out,
            ", by %s: area %.3f</figcaption>\n<svg class=\"roc\" role=\"img\" viewBox=\"0 0 %d "
            "%d\" width=\"%d\" height=\"%d\">\n",
            of, json_number_value(json_object_get(curve, "area")), width, height, width, height);
    write_axes(out, of);
    fputs("<path class=\"area\" d=\"", out);
    write_stairs(out, points);
    fprintf(out, "V%dH%dZ\"/>\n<path class=\"line\" d=\"", ABOVE + SIDE, LEFT);
    write_stairs(out, points);
    fputs("\"/>\n", out);
    write_points(out, points);
    fputs("</svg>\n</figure>\n", out);
}

void roc_drawing_write_both(FILE *out, const json_t *curves, const char *title)
{
    static const char *const OF[][2] = { { "by_edges", "edges" }, { "by_nodes", "nodes" } };

    for (int i = 0; i < 2; i++) {
        const json_t *curve = json_object_get(curves, OF[i][0]);
        if (curve != NULL)
            roc_drawing_write(out, curve, title, OF[i][1]);
    }
}
