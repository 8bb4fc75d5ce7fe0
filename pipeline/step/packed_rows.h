/* packed_rows.h -- rows of values that are kept small, and become float32 where they are used.
 *
 * So the batch of a step is in memory as it lies on disk, and its residual in the precision in
 * which it is multiplied.
 */
#ifndef PACKED_ROWS_H
#define PACKED_ROWS_H

#include "base/split.h"
#include "shard/h5.h"
#include "shard/store.h"

struct packed_rows {
    void        *memory;    /* [rows, width] */
    enum store   store;
    int64_t      width;
    float        factor;    /* a value is what is stored times this, */
    const float *centre;    /* [width] less that, unless it is NULL */
};

/* The values of some columns of some rows.
 *   out   [rows, columns]   `ld` from row to row
 * Local. */
void packed_rows_load(float *out, int64_t ld, const struct packed_rows *from, struct range rows,
               struct range columns);

/* Keep values, rounded to nearest if they are kept in bf16; factor and centre are not looked at.
 *   x     [rows, columns]   `ld` from row to row
 * Local. */
void packed_rows_store(const struct packed_rows *to, const float *x, int64_t ld, struct range rows,
                struct range columns);

/* What of a row is left when it has been stored: `columns` values are rounded in place.  Local. */
void packed_rows_round(const struct packed_rows *as, float *row, int64_t columns);

#endif
