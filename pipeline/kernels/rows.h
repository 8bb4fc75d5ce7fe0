/* rows.h -- differences and column sums of the rows of a matrix. */
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

/* out = from - x, row by row.
 *   out    [rows, columns]   rows `ld_out` values apart; may be x
 *   from   [columns]
 *   x      [rows, columns]   rows `ld` values apart */
void rows_subtract(float *out, int64_t ld_out, const float *from, const float *x, int64_t ld,
                   int64_t rows, int64_t columns);

/* The sums of columns, added row after row.
 *   sums   [columns]         out
 *   x      [rows, columns]   rows `ld` values apart */
void rows_sum(double *restrict sums, const float *restrict x, int64_t ld, int64_t rows,
              int64_t columns);

/* The sums of columns of weighted rows, added row after row.
 *   sums   [columns]         out
 *   weight [rows]
 *   x      [rows, columns] */
void rows_combine(double *restrict sums, const double *restrict weight, const float *restrict x,
                  int64_t rows, int64_t columns);

/* sums += row, column by column. */
void row_add(double *restrict sums, const float *restrict row, int64_t columns);

/* row -= x, column by column. */
void row_subtract(float *restrict row, const float *restrict x, int64_t columns);

/* row becomes gate * row + (1 - gate) * x, column by column.
 *   difference [columns]  out: row - x, before that */
void row_mix(float *restrict row, float *restrict difference, const float *restrict x, float gate,
             int64_t columns);

#endif
