/* plot.h -- one small diagram as SVG, drawn by gnuplot, to stand in the middle of a page.
 *
 * Colours are left to the page: they are written as var(--c1) ... var(--c12) for series and
 * var(--grid), var(--axis), var(--ink), which the page defines for light and for dark.  The
 * same numbers give the same text.  Texts must not hold single quotes.
 */
#ifndef PLOT_H
#define PLOT_H

#include "base/refuse.h"

#include <stdint.h>
#include <stdio.h>

enum { PLOT_COLOURS = 12, PLOT_SHAPES = 4 };

/* Points in the order in which they are joined.  A point whose x or y is not finite is left
 * out, and on a logarithmic axis one that is not above 0. */
struct plot_series {
    const double *x, *y;
    int64_t       count;
    int           colour;       /* 1 ... PLOT_COLOURS */
    int           shape;        /* of marks: 0 ... PLOT_SHAPES - 1 */
    const char   *label;        /* what browsers show when one points at the line */
};

struct plot {
    const char               *title, *x_label, *y_label;
    bool                      log_x, log_y;
    bool                      marks;    /* a dot at each point */
    bool                      steps;    /* a histogram: y holds from x to the next x */
    const struct plot_series *series;
    int                       count;
};

/* Colour number `index` of `count` series that are in some order: spread over the palette. */
int plot_colour(int index, int count);

/* A mark of a shape, as text: a filled circle, square, triangle, diamond. */
const char *plot_shape(int shape);

/* Draw.  Local; starts one process.  E_IO if there is no gnuplot or it complains. */
enum status plot_draw(FILE *out, const struct plot *plot);

/* The version of gnuplot: "5.4 patchlevel 4".  Local.  E_IO if there is none. */
enum status plot_version(char version[64]);

#endif
