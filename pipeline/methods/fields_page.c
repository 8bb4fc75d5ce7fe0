#include "methods/fields_page.h"
#include "base/allocate.h"
#include "base/html.h"
#include "methods/heat_map.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

static bool has(const struct fields *fields, enum fields_per per)
{
    for (int f = 0; f < fields->count; f++)
        if (fields->field[f].per == per)
            return true;
    return false;
}

/* Means of the prompts themselves. */
static void write_cards(FILE *out, const struct fields *fields)
{
    if (!has(fields, FIELDS_PER_PROMPT))
        return;
    fputs("<dl class=\"cards\">\n", out);
    for (int f = 0; f < fields->count; f++)
        if (fields->field[f].per == FIELDS_PER_PROMPT)
            html_card(out, fields->field[f].about, fields_mean(fields, f, 0), "%.3f", "");
    fputs("</dl>\n", out);
}

/* The map of a field, or of one class of it. */
static void write_map(FILE *out, const struct fields *fields, int field, int class)
{
    const struct lm_config *c = fields->circuit->config;
    const bool has_classes = fields->field[field].per == FIELDS_PER_CLASS;
    const int64_t heads = fields_columns(FIELDS_PER_HEAD, c);
    double *means = allocate(heads, sizeof *means);
    char title[256];

    snprintf(title, sizeof title, "%s%s%s", fields->field[field].about, has_classes ? " to " : "",
             has_classes ? prompts_class_name((enum prompts_class) class) : "");
    for (int64_t h = 0; h < heads; h++)
        means[h] = fields_mean(fields, field, has_classes ? h * PROMPTS_CLASSES + class : h);
    const struct heat_map map = { .title = title, .value = means, .layers = c->layers,
                                  .heads = c->heads };
    heat_map_write(out, &map);
    free(means);
}

static void write_maps(FILE *out, const struct fields *fields)
{
    heat_map_begin(out, "");
    for (int f = 0; f < fields->count; f++)
        if (fields->field[f].per == FIELDS_PER_HEAD)
            write_map(out, fields, f, 0);
        else if (fields->field[f].per == FIELDS_PER_CLASS)
            for (int class = 0; class < PROMPTS_CLASSES; class ++)
                write_map(out, fields, f, class);
    heat_map_end(out);
}

static void write_layer(FILE *out, const struct fields *fields, int layer)
{
    fprintf(out, "<tr><td>%d</td>", layer);
    for (int f = 0; f < fields->count; f++)
        if (fields->field[f].per == FIELDS_PER_LAYER)
            html_cell(out, fields_mean(fields, f, layer), "%.3f");
    fputs("</tr>\n", out);
}

/* Means of the layers. */
static void write_layers(FILE *out, const struct fields *fields)
{
    if (!has(fields, FIELDS_PER_LAYER))
        return;
    fputs("<h2>Layers</h2>\n", out);
    html_table_begin(out);
    html_heading(out, "layer");
    for (int f = 0; f < fields->count; f++)
        if (fields->field[f].per == FIELDS_PER_LAYER)
            html_heading(out, fields->field[f].about);
    html_table_rows(out);
    for (int layer = 0; layer < fields->circuit->config->layers; layer++)
        write_layer(out, fields, layer);
    html_table_end(out);
}

enum status fields_page_write(const struct fields *fields, const char *name, const char *about)
{
    struct task_page page;

    task_page_begin(&page, fields->circuit, name);
    fputs(": ", page.out);
    html_text(page.out, about);
    fputs(". All numbers are means over the prompts.</p>\n", page.out);
    write_cards(page.out, fields);
    write_maps(page.out, fields);
    write_layers(page.out, fields);
    return task_page_write(&page);
}
