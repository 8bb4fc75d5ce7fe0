/* packed_rows.h -- rows in a compact format, which are unpacked to float32 where they are used.
 *
 * The batch of a step has the format of the files; its residuals have the precision of products.
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
    float        factor;    /* value = stored * factor - centre */
    const float *centre;    /* [width] NULL: 0 */
};

/* Unpack some columns of some rows.
 *   out   [rows, columns]   `ld` from row to row
 * Local. */
void packed_rows_load(float *out, int64_t ld, const struct packed_rows *from, struct range rows,
                      struct range columns);

/* Pack values, rounded to nearest if the store is bf16.  Factor and centre are ignored.
 *   x     [rows, columns]   `ld` from row to row
 * Local. */
void packed_rows_store(const struct packed_rows *to, const float *x, int64_t ld, struct range rows,
                       struct range columns);

/* Round a row in place to the precision of `as`.  Local. */
void packed_rows_round(const struct packed_rows *as, float *row, int64_t columns);

#endif
