/* slice.h -- products of sparse codes with a slice of a dense matrix: COLUMNS of its columns.
 *
 * Many entries gather rows of one slice: so it is copied out of the matrix first, to lie in
 * one piece, which stays in cache, and in bf16 is half as large.  A slice that is narrower is
 * filled up with zeros, so that all have one shape.
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

enum { COLUMNS = 128 };

/* Bytes of a slice. */
int64_t slice_bytes(enum precision precision, int64_t rows);

/* Copy columns 0, ..., columns - 1 of x, COLUMNS at most.
 *   slice  [slice_bytes()]     out
 *   x      [rows, columns]     in, finite, `ld` from row to row */
void slice_pack(void *restrict slice, enum precision precision, const float *restrict x,
                int64_t ld, int64_t rows, int64_t columns);

/* sum[:] += sum over k of coefficient[k] * slice[index[k], :].
 *   sum  [COLUMNS] */
void slice_combine(float *restrict sum, const int32_t *index, const float *coefficient,
                   int64_t count, const void *slice, enum precision precision);

/* dot[k] += a . slice[index[k], :].
 *   a    [COLUMNS] */
void slice_dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                const void *slice, enum precision precision);

/* The same by their definitions, kept as the measure. */
void slice_combine_ref(float *restrict sum, const int32_t *index, const float *coefficient,
                       int64_t count, const void *slice, enum precision precision);
void slice_dots_ref(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                    const void *slice, enum precision precision);

#endif
