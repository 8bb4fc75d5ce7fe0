#include "methods/heat_map.h"
#include "base/html.h"

#include <math.h>

/* Sizes in pixels; cells of the scale on each side of 0; heads that are named below a map. */
enum { CELL = 26, LEFT = 22, BELOW = 18, SCALE = 46, STEPS = 4, STEP = 16, NAMED = 4 };

/* The largest size of all numbers; -1 if none is known. */
static double largest(const struct heat_map *map)
{
    double most = -1;

    for (int32_t i = 0; i < map->layers * map->heads; i++)
        if (isfinite(map->value[i]))
            most = fmax(most, fabs(map->value[i]));
    return most;
}

/* A square of colour; its title follows.
 *   share  of the strongest colour: -1 to 1 */
static void write_square(FILE *out, int x, int y, int width, double share, bool marked)
{
    fprintf(out, "<rect class=\"%s%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
            "fill-opacity=\"%.3f\">", share < 0 ? "minus" : "plus", marked ? " marked" : "", x, y,
            width, width, fmin(fabs(share), 1));
}

static void write_cell(FILE *out, const struct heat_map *map, int32_t cell, double most)
{
    const int32_t layer = cell / map->heads, head = cell % map->heads;
    const int x = LEFT + head * CELL, y = (map->layers - 1 - layer) * CELL + 1;
    const double value = map->value[cell];

    if (isfinite(value)) {
        write_square(out, x, y, CELL - 2, most > 0 ? value / most : 0,
                     map->marked != NULL && map->marked[cell]);
        fprintf(out, "<title>%d.%d: %.4g</title></rect>\n", (int)layer, (int)head, value);
    } else {
        fprintf(out, "<rect class=\"unknown\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">"
                "<title>%d.%d: not known</title></rect>\n", x, y, CELL - 2, CELL - 2, (int)layer,
                (int)head);
    }
}

static void write_labels(FILE *out, const struct heat_map *map)
{
    for (int32_t l = 0; l < map->layers; l++)
        fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%d\">%d</text>\n", LEFT - 5,
                (map->layers - 1 - (int)l) * CELL + CELL / 2 + 4, (int)l);
    for (int32_t h = 0; h < map->heads; h++)
        fprintf(out, "<text x=\"%d\" y=\"%d\">%d</text>\n", LEFT + (int)h * CELL + CELL / 2 - 1,
                (int)map->layers * CELL + BELOW - 5, (int)h);
}

static bool has_negative(const struct heat_map *map)
{
    for (int32_t i = 0; i < map->layers * map->heads; i++)
        if (isfinite(map->value[i]) && map->value[i] < 0)
            return true;
    return false;
}

/* The colours that there are, in a row, and the numbers that they stand for. */
static void write_scale(FILE *out, const struct heat_map *map, double most)
{
    const int y = (int)map->layers * CELL + BELOW + 8, sides = has_negative(map) ? 1 : 0;

    for (int i = -sides * STEPS; i <= STEPS; i++) {
        write_square(out, LEFT + (i + sides * STEPS) * STEP, y, STEP, (double)i / STEPS, false);
        fputs("</rect>\n", out);
    }
    for (int i = -sides; i <= 1; i++)
        fprintf(out, "<text x=\"%d\" y=\"%d\">%.3g</text>\n",
                LEFT + (i + sides) * STEPS * STEP + STEP / 2, y + STEP + 13, i * most);
}

static void write_map(FILE *out, const struct heat_map *map, double most)
{
    const int32_t wide = map->heads * CELL, scale = (2 * STEPS + 2) * STEP;
    const int width = LEFT + (int)(wide > scale ? wide : scale);
    const int height = (int)map->layers * CELL + BELOW + SCALE;

    fprintf(out, "<svg class=\"heat\" role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\">\n", width, height, width, height);
    for (int32_t i = 0; i < map->layers * map->heads; i++)
        write_cell(out, map, i, most);
    write_labels(out, map);
    write_scale(out, map, most);
    fputs("</svg>\n", out);
}

int32_t heat_map_next(const struct heat_map *map, int32_t before)
{
    const double bound = before < 0 ? HUGE_VAL : fabs(map->value[before]);
    int32_t next = -1;

    for (int32_t i = 0; i < map->layers * map->heads; i++) {
        const double size = fabs(map->value[i]);
        const bool is_after = size < bound || (size == bound && i > before);
        if (isfinite(map->value[i]) && is_after && (next < 0 || size > fabs(map->value[next])))
            next = i;
    }
    return next;
}

static void write_largest(FILE *out, const struct heat_map *map)
{
    fputs("<p class=\"note\">", out);
    for (int32_t n = 0, i = heat_map_next(map, -1); n < NAMED && i >= 0;
         n++, i = heat_map_next(map, i))
        fprintf(out, "%s%d.%d: %.3g", n > 0 ? ", " : "", (int)(i / map->heads),
                (int)(i % map->heads), map->value[i]);
    fputs("</p>\n", out);
}

void heat_map_begin(FILE *out, const char *note)
{
    fputs("<h2>Heads</h2>\n<p class=\"note\">Layers lie upward. <b class=\"plus\">This colour</b> "
          "is for numbers above 0, <b class=\"minus\">this one</b> for those below. Below each map "
          "are the heads with the largest.", out);
    fprintf(out, "%s%s</p>\n<div class=\"heats\">\n", note[0] != '\0' ? " " : "", note);
}

void heat_map_end(FILE *out)
{
    fputs("</div>\n", out);
}

void heat_map_write(FILE *out, const struct heat_map *map)
{
    const double most = largest(map);

    if (most < 0)
        return;
    fputs("<figure>\n<figcaption>", out);
    html_text(out, map->title);
    fputs("</figcaption>\n", out);
    write_map(out, map, map->full > 0 ? map->full : most);
    write_largest(out, map);
    fputs("</figure>\n", out);
}
