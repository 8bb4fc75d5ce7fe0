/* plot.h -- draw a small plot as SVG with gnuplot, as part of a page.
 *
 * The page defines the colours, for its light and its dark theme: the SVG has var(--c1) ...
 * var(--c12) for series, and var(--grid), var(--axis) and var(--ink).  The same numbers give the
 * same text.  Titles and labels must not contain single quotes.
 */
#ifndef PLOT_H
#define PLOT_H

#include "base/refuse.h"

#include <stdint.h>
#include <stdio.h>

enum { PLOT_COLOURS = 12, PLOT_SHAPES = 4 };

/* Points, in the order in which a line joins them.  Points are left out if x or y is not finite, or
 * not above 0 on a logarithmic axis. */
struct plot_series {
    const double *x, *y;
    int64_t       count;
    int           colour;       /* 1 ... PLOT_COLOURS */
    int           shape;        /* of marks: 0 ... PLOT_SHAPES - 1 */
    const char   *label;        /* browsers show it when the pointer is on the line */
};

/* In place of a plot. */
#define PLOT_UNDRAWN "<svg></svg>\n"

struct plot {
    const char               *title, *x_label, *y_label;
    bool                      log_x, log_y;
    bool                      marks;    /* draw a mark at each point */
    bool                      steps;    /* draw a histogram: y is valid from x to the next x */
    bool                      undrawn;  /* write PLOT_UNDRAWN and no plot */
    const struct plot_series *series;
    int                       count;
};

/* The colour of series number `index` of `count`; together they are spread over the palette. */
int plot_colour(int index, int count);

/* A shape as a character: filled circle, square, triangle, diamond. */
const char *plot_shape(int shape);

/* Draw a plot.  Local; starts one process.  E_IO if gnuplot is missing or fails. */
enum status plot_draw(FILE *out, const struct plot *plot);

/* The version of gnuplot: "5.4 patchlevel 4".  Local.  E_IO if it is missing. */
enum status plot_version(char version[64]);

#endif
