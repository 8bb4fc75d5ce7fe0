/* slice.h -- products of sparse codes with a slice of a dense matrix: one or two blocks of its
 * COLUMNS.
 *
 * Many entries read rows of the same slice.  So the slice is copied out of the matrix first: it is
 * then contiguous and stays in cache, and in bf16 it is half as large.  It is padded with zeros to
 * whole blocks.  Two blocks give longer contiguous reads than one, and the same bits.
 *
 * In bf16 a word holds two values: the low half that of column c, the high half that of column
 * c + 16.  So a shift and a mask turn 16 words into two vectors of consecutive columns.
 *
 * An entry is an index, which is a row of the slice, and a coefficient.  Entries are added in their
 * order, each column separately, so the bits depend only on the entries.
 */
#ifndef SLICE_H
#define SLICE_H

#include "kernels/precision.h"

#include <stdint.h>

enum { COLUMNS = 128, SLICE_COLUMNS = 2 * COLUMNS };

/* Columns of a slice, such that it has the same bytes in either precision. */
static inline int64_t slice_columns(enum precision precision)
{
    return precision == PRECISION_BF16 ? SLICE_COLUMNS : COLUMNS;
}

/* Round a number of columns, SLICE_COLUMNS at most, up to whole blocks. */
static inline int64_t slice_width(int64_t columns)
{
    return columns > COLUMNS ? SLICE_COLUMNS : COLUMNS;
}

/* Bytes of a slice with `rows` rows and `columns` columns. */
int64_t slice_bytes(enum precision precision, int64_t rows, int64_t columns);

/* Copy columns 0, ..., columns - 1 of x.
 *   slice  [slice_bytes()]     out
 *   x      [rows, columns]     in, finite, rows `ld` values apart */
void slice_pack(void *restrict slice, enum precision precision, const float *restrict x,
                int64_t ld, int64_t rows, int64_t columns);

/* Below, `sum` and `a` hold slice_width(columns) floats. */

/* sum[:] += sum over k of coefficient[k] * slice[index[k], :] */
void slice_combine(float *restrict sum, const int32_t *index, const float *coefficient,
                   int64_t count, const void *slice, int64_t columns, enum precision precision);

/* dot[k] += a . slice[index[k], :], one block after the other. */
void slice_dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                const void *slice, int64_t columns, enum precision precision);

/* Reference implementations, for tests and benchmarks. */
void slice_combine_ref(float *restrict sum, const int32_t *index, const float *coefficient,
                       int64_t count, const void *slice, int64_t columns,
                       enum precision precision);
void slice_dots_ref(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                    const void *slice, int64_t columns, enum precision precision);

#endif
