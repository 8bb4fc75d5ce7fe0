/* slice.h -- products of sparse codes with a slice of a dense matrix: one or two blocks of its
 * COLUMNS.
 *
 * Many entries gather rows of one slice: so it is copied out of the matrix first, to lie in
 * one piece, which stays in cache, and in bf16 is half as large.  It is filled up with zeros to
 * whole blocks.  Two blocks make longer runs in memory than one, and the same bits.
 *
 * In bf16 a word holds two values, in its low half that of column c and in its high half that
 * of column c + 16, so that a shift and a mask make two vectors of neighbouring columns of it.
 *
 * Entries are pairs of an index, the row of the slice, and a coefficient.  They are added in
 * their order, each column for itself: the bits depend on the entries alone.
 */
#ifndef SLICE_H
#define SLICE_H

#include "kernels/precision.h"

#include <stdint.h>

enum { COLUMNS = 128, SLICE_COLUMNS = 2 * COLUMNS };

/* Columns of a slice that takes as much of the cache, and of memory, in either precision. */
static inline int64_t slice_columns(enum precision precision)
{
    return precision == PRECISION_BF16 ? SLICE_COLUMNS : COLUMNS;
}

/* Columns of the slice that holds so many, SLICE_COLUMNS at most: whole blocks. */
static inline int64_t slice_width(int64_t columns)
{
    return columns > COLUMNS ? SLICE_COLUMNS : COLUMNS;
}

/* Bytes of a slice of so many columns. */
int64_t slice_bytes(enum precision precision, int64_t rows, int64_t columns);

/* Copy columns 0, ..., columns - 1 of x.
 *   slice  [slice_bytes()]     out
 *   x      [rows, columns]     in, finite, `ld` from row to row */
void slice_pack(void *restrict slice, enum precision precision, const float *restrict x,
                int64_t ld, int64_t rows, int64_t columns);

/* In these a slice has `columns` columns, and what is as wide as it has slice_width() of them.
 *
 * sum[:] += sum over k of coefficient[k] * slice[index[k], :] */
void slice_combine(float *restrict sum, const int32_t *index, const float *coefficient,
                   int64_t count, const void *slice, int64_t columns, enum precision precision);

/* dot[k] += a . slice[index[k], :], a block after the other. */
void slice_dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                const void *slice, int64_t columns, enum precision precision);

/* The same by their definitions, kept as the measure. */
void slice_combine_ref(float *restrict sum, const int32_t *index, const float *coefficient,
                       int64_t count, const void *slice, int64_t columns,
                       enum precision precision);
void slice_dots_ref(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                    const void *slice, int64_t columns, enum precision precision);

#endif
