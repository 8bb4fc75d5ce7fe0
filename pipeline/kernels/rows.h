/* rows.h -- blocks of rows of a matrix: what is left of a row, and sums of columns. */
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

/* out = from - x, row by row.
 *   out    [rows, columns]   `ld_out` from row to row; may be x
 *   from   [columns]
 *   x      [rows, columns]   `ld` from row to row */
void rows_subtract(float *out, int64_t ld_out, const float *from, const float *x, int64_t ld,
                   int64_t rows, int64_t columns);

/* The sums of columns, row after row.
 *   sums   [columns]         out
 *   x      [rows, columns]   `ld` from row to row */
void rows_sum(double *restrict sums, const float *restrict x, int64_t ld, int64_t rows,
              int64_t columns);

/* The sums of columns of weighted rows, row after row.
 *   sums   [columns]         out
 *   weight [rows]
 *   x      [rows, columns] */
void rows_combine(double *restrict sums, const double *restrict weight, const float *restrict x,
                  int64_t rows, int64_t columns);

/* sums += row, column by column. */
void row_add(double *restrict sums, const float *restrict row, int64_t columns);

/* row -= x, column by column. */
void row_subtract(float *restrict row, const float *restrict x, int64_t columns);

#endif
