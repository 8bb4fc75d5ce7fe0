/* head_columns.h -- numbers of heads on a page: a heat map of each number, and a table of the
 * strongest heads with all of them.  Local, for rank 0.
 */
#ifndef HEAD_COLUMNS_H
#define HEAD_COLUMNS_H

#include "lm/config.h"

#include <stdio.h>

enum { HEAD_COLUMNS_TITLE = 160 };

struct head_column {
    char    title[HEAD_COLUMNS_TITLE];  /* what the number is, and its unit */
    const char *format;     /* of numbers in the table */
    double  full;           /* as in heat_map.h */
    double *value;          /* [layers, heads] NaN: not known */
};

struct head_columns {
    const struct lm_config *config;
    struct head_column     *column;     /* [count] */
    int                     count;
};

/* Make a table for up to `most` columns.  head_columns_free() accepts an empty one. */
void head_columns_make(struct head_columns *columns, const struct lm_config *config, int most);
void head_columns_free(struct head_columns *columns);

/* Add a column.  Returns its numbers [layers, heads], all NaN. */
double *head_columns_add(struct head_columns *columns, const char *format, double full,
                         const char *title);

/* Write the maps; `note` is said of all of them. */
void head_columns_write_maps(FILE *out, const struct head_columns *columns, const char *note);

/* Write a table with a row for each of the `most` heads that have the largest numbers in a
 * column, signs aside. */
void head_columns_write_table(FILE *out, const struct head_columns *columns, int column, int most);

#endif
