#include "step/packed_rows.h"
#include "kernels/adam.h"
#include "kernels/bf16.h"
#include "kernels/rows.h"
#include "kernels/values.h"
#include "shard/store.h"

#include <string.h>

enum { PIECE = 256 };   /* values that are rounded at a time */

static char *place_of(const struct packed_rows *rows, int64_t row, int64_t column)
{
    return (char *)rows->memory + (row * rows->width + column) * store_bytes(rows->store);
}

void packed_rows_load(float *out, int64_t ld, const struct packed_rows *from, struct range rows,
                      struct range columns)
{
    const int64_t count = range_length(columns);

    for (int64_t row = rows.first; row < rows.end; row++, out += ld) {
        const char *stored = place_of(from, row, columns.first);
        if (from->store == STORE_BF16)
            bf16_to_float(out, (const uint16_t *)stored, count);
        else
            memcpy(out, stored, (size_t)count * sizeof *out);
        if (from->factor != 1)
            values_scale(out, from->factor, count);
        if (from->centre != NULL)
            row_subtract(out, from->centre + columns.first, count);
    }
}

void packed_rows_store(const struct packed_rows *to, const float *x, int64_t ld, struct range rows,
                       struct range columns)
{
    const int64_t count = range_length(columns);

    for (int64_t row = rows.first; row < rows.end; row++, x += ld) {
        char *stored = place_of(to, row, columns.first);
        if (to->store == STORE_BF16)
            bf16_from_float((uint16_t *)stored, x, count);
        else
            memcpy(stored, x, (size_t)count * sizeof *x);
    }
}

void packed_rows_round(const struct packed_rows *as, float *row, int64_t columns)
{
    uint16_t rounded[PIECE];

    for (int64_t first = 0; first < columns && as->store == STORE_BF16; first += PIECE) {
        const int64_t count = columns - first < PIECE ? columns - first : PIECE;
        bf16_from_float(rounded, row + first, count);
        bf16_to_float(row + first, rounded, count);
    }
}
