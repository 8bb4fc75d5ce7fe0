/* heat_map.h -- a number of each head as a map: layers upward, heads side by side.
 *
 * The colour says the sign, its strength the size, 0 being the page itself (base/html.h); hovering
 * over a cell shows its number.  Local.
 */
#ifndef HEAT_MAP_H
#define HEAT_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct heat_map {
    const char   *title;        /* what the numbers are, and their unit */
    const double *value;        /* [layers, heads] NaN or infinite: not known */
    int32_t       layers, heads;
    double        full;         /* the size of full colour, for larger ones, too; 0: the largest */
    const bool   *marked;       /* [layers, heads] drawn with an outline; NULL: none */
};

/* Write what comes before and after the maps of a page; `note` is said of all of them. */
void heat_map_begin(FILE *out, const char *note);
void heat_map_end(FILE *out);

/* Write a <figure> with the title, the map, its scale, and the heads of largest numbers, signs
 * aside; nothing if no number is known. */
void heat_map_write(FILE *out, const struct heat_map *map);

/* The cell of largest number after the cell `before`, signs aside, and the first one of several;
 * -1 in place of a cell: before the largest; there is no more. */
int32_t heat_map_next(const struct heat_map *map, int32_t before);

#endif
