/* scatter_drawing.h -- points of a sweep as a drawing, over a share from 0 to 1.
 *
 * When the pointer is on a point, browsers show its name and numbers.  Local.
 */
#ifndef SCATTER_DRAWING_H
#define SCATTER_DRAWING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct scatter_point {
    const char *name;
    double      x, y;           /* x: 0 to 1.  A point whose y is not finite is left out */
    int         colour;         /* 1 to 12 (base/html.h) */
    bool        on_front;       /* the others are pale */
};

struct scatter_drawing {
    const char *title;
    const char *x_label, *y_label;      /* what is along the axes */
    const char *x_name, *y_name;        /* the same in a word, for what browsers show */
    double      most;                   /* the vertical axis reaches it at least; 0: it need not */
    bool        stairs;                 /* join the points on the front */
    const struct scatter_point *points; /* [count] in order of x */
    int64_t     count;
};

/* Write a <figure>. */
void scatter_drawing_write(FILE *out, const struct scatter_drawing *drawing);

#endif
