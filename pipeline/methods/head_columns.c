#include "methods/head_columns.h"
#include "base/allocate.h"
#include "base/html.h"
#include "methods/heat_map.h"

#include <math.h>
#include <stdlib.h>

void head_columns_make(struct head_columns *columns, const struct lm_config *config, int most)
{
    *columns = (struct head_columns){ .config = config };
    columns->column = allocate(most, sizeof *columns->column);
}

void head_columns_free(struct head_columns *columns)
{
    for (int i = 0; i < columns->count; i++)
        free(columns->column[i].value);
    free(columns->column);
    *columns = (struct head_columns){0};
}

double *head_columns_add(struct head_columns *columns, const char *format, double full,
                         const char *title)
{
    const int32_t heads = columns->config->layers * columns->config->heads;
    struct head_column *column = &columns->column[columns->count++];

    *column = (struct head_column){ .format = format, .full = full,
                                    .value = allocate(heads, sizeof *column->value) };
    snprintf(column->title, sizeof column->title, "%s", title);
    for (int32_t h = 0; h < heads; h++)
        column->value[h] = NAN;
    return column->value;
}

static struct heat_map map_of(const struct head_columns *columns, int column)
{
    const struct head_column *c = &columns->column[column];

    return (struct heat_map){
        .title = c->title, .value = c->value, .full = c->full,
        .layers = columns->config->layers, .heads = columns->config->heads,
    };
}

void head_columns_write_maps(FILE *out, const struct head_columns *columns, const char *note)
{
    heat_map_begin(out, note);
    for (int i = 0; i < columns->count; i++) {
        const struct heat_map map = map_of(columns, i);
        heat_map_write(out, &map);
    }
    heat_map_end(out);
}

static void write_row(FILE *out, const struct head_columns *columns, int32_t head)
{
    char name[32];

    snprintf(name, sizeof name, "%d.%d", (int)(head / columns->config->heads),
             (int)(head % columns->config->heads));
    fputs("<tr>", out);
    html_cell_text(out, name);
    for (int i = 0; i < columns->count; i++)
        html_cell(out, columns->column[i].value[head], columns->column[i].format);
    fputs("</tr>\n", out);
}

void head_columns_write_table(FILE *out, const struct head_columns *columns, int column, int most)
{
    const struct heat_map map = map_of(columns, column);

    html_table_begin(out);
    html_heading_text(out, "head");
    for (int i = 0; i < columns->count; i++)
        html_heading(out, columns->column[i].title);
    html_table_rows(out);
    for (int32_t n = 0, h = heat_map_next(&map, -1); n < most && h >= 0;
         n++, h = heat_map_next(&map, h))
        write_row(out, columns, h);
    html_table_end(out);
}
