/* heat_map.h -- a number of each head as a map: layers upward, heads side by side.
 *
 * The colour says the sign, its strength the size, 0 being the page itself (base/html.h); hovering
 * over a cell shows its number.  Local.
 */
#ifndef HEAT_MAP_H
#define HEAT_MAP_H

#include <stdint.h>
#include <stdio.h>

struct heat_map {
    const char   *title;        /* what the numbers are, and their unit */
    const double *value;        /* [layers, heads] NaN or infinite: not known */
    int32_t       layers, heads;
};

/* Write a <figure> with the title, the map, its scale, and the heads of largest numbers, signs
 * aside; nothing if no number is known. */
void heat_map_write(FILE *out, const struct heat_map *map);

#endif
