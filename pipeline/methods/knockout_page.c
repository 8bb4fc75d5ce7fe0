#include "base/allocate.h"
#include "base/html.h"
#include "base/minmax.h"
#include "methods/heat_map.h"
#include "methods/knockout_files.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

/* Rows of the tables. */
enum { MOST_NODES = 50, MOST_SETS = 20 };

/* --- maps -------------------------------------------------------------------------------- */

/* What the maps show of a node: the change without it alone, or its minimality if the circuit was
 * given.  NaN: not known. */
static double number_of(const struct knockout_results *r, int64_t node)
{
    const struct node_minimality *m = &r->minimality[node];

    if (r->search.count > 0)
        return r->search.single[node];
    return r->search.circuit[node] ? fabs(m->without_both - m->without_others) : (double)NAN;
}

/* The map of a class of positions. */
static void write_map(FILE *out, const struct knockout_results *r, int class, double full)
{
    const int32_t heads = r->space->layers * r->space->heads;
    double *value = allocate(heads, sizeof *value);
    bool *kept = allocate(heads, sizeof *kept);
    const struct heat_map map = { .title = knockout_class_name(class), .value = value,
                                  .layers = r->space->layers, .heads = r->space->heads,
                                  .full = full, .marked = kept };

    for (int32_t h = 0; h < heads; h++) {
        value[h] = number_of(r, h * KNOCKOUT_CLASSES + class);
        kept[h] = r->search.circuit[h * KNOCKOUT_CLASSES + class];
    }
    heat_map_write(out, &map);
    free(kept);
    free(value);
}

static void write_maps(FILE *out, const struct knockout_results *r)
{
    double full = 0;

    for (int64_t v = 0; v < node_search_nodes(r->space); v++)
        full = fmax(full, fabs(number_of(r, v))); /* which passes NaN by */
    heat_map_begin(
        out, r->search.count > 0
                 ? "The numbers are the change of the logit difference, nats, when this head "
                   "alone is knocked out at the positions of a class. Outlined heads are in the "
                   "circuit."
                 : "The numbers are the minimality of the circuit's heads at the positions of a "
                   "class, nats.");
    for (int class = 0; class < KNOCKOUT_CLASSES; class ++)
        write_map(out, r, class, full);
    heat_map_end(out);
}

/* --- tables ------------------------------------------------------------------------------ */

/* An item of a list, and what it is ranked by. */
struct ranked {
    const json_t *item;
    double        key;
    size_t        number;
};

/* The largest first. */
static int by_key(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;

    if (p->key != q->key)
        return p->key < q->key ? 1 : -1;
    return p->number < q->number ? -1 : 1;
}

static double minimality_of(const json_t *node)
{
    return task_files_number(node, "minimality", NULL);
}

static double difference_of(const json_t *set)
{
    return fabs(task_files_number(set, "circuit_without", NULL)
                - task_files_number(set, "whole_without", NULL));
}

/* Caller frees. */
static struct ranked *rank(const json_t *list, double (*key)(const json_t *item))
{
    struct ranked *all = allocate((int64_t)json_array_size(list), sizeof *all);
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        all[i] = (struct ranked){ item, key(item), i };
    qsort(all, json_array_size(list), sizeof *all, by_key);
    return all;
}

static void write_nodes(FILE *out, const json_t *nodes)
{
    struct ranked *all = rank(nodes, minimality_of);

    fputs("<h2>The circuit</h2>\n<p>Without a node alone the logit difference of the whole model "
          "changes by the first number; that of the circuit without its other nodes of the same "
          "class, by the second (minimality).</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, "head");
    html_heading_text(out, "at");
    html_heading(out, "change, nats");
    html_heading(out, "minimality, nats");
    html_table_rows(out);
    for (int64_t i = 0; i < min_int64((int64_t)json_array_size(nodes), MOST_NODES); i++) {
        fputs("<tr>", out);
        html_cell_text(out, json_string_value(json_object_get(all[i].item, "head")));
        html_cell_text(out, json_string_value(json_object_get(all[i].item, "class")));
        html_cell(out, task_files_number(all[i].item, "single", NULL), "%.3f");
        html_cell(out, all[i].key, "%.3f");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
    free(all);
}

static void write_sets(FILE *out, const json_t *sets)
{
    struct ranked *all = rank(sets, difference_of);

    fputs("<h2>Is it complete?</h2>\n<p>The logit difference of the circuit and of the whole model "
          "without the same nodes, where they differ most. A complete circuit has no large "
          "difference.</p>\n", out);
    html_table_begin(out);
    html_heading_text(out, "without");
    html_heading(out, "nodes");
    html_heading(out, "circuit, nats");
    html_heading(out, "whole model, nats");
    html_heading(out, "difference, nats");
    html_table_rows(out);
    for (int64_t i = 0; i < min_int64((int64_t)json_array_size(sets), MOST_SETS); i++) {
        fputs("<tr>", out);
        html_cell_text(out, json_string_value(json_object_get(all[i].item, "set")));
        html_cell(out, task_files_number(all[i].item, "nodes", NULL), "%.0f");
        html_cell(out, task_files_number(all[i].item, "circuit_without", NULL), "%.3f");
        html_cell(out, task_files_number(all[i].item, "whole_without", NULL), "%.3f");
        html_cell(out, all[i].key, "%.3f");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
    free(all);
}

/* --- the page ---------------------------------------------------------------------------- */

static void write_cards(FILE *out, const struct knockout_results *r, const json_t *summary)
{
    fputs("<dl class=\"cards\">\n", out);
    html_card(out, "nodes of the circuit",
              (double)json_array_size(json_object_get(summary, "nodes")), NULL, "");
    html_card(out, "logit difference, whole model", r->mean[KNOCKOUT_WHOLE], "%.3f", "nats");
    html_card(out, "the circuit alone", r->mean[KNOCKOUT_CIRCUIT], "%.3f", "nats");
    html_card(out, "without any node", r->mean[KNOCKOUT_EMPTY], "%.3f", "nats");
    html_card(out, "unfaithful by", task_files_number(summary, "faithfulness", NULL), "%.3f",
              "nats");
    html_card(out, "incomplete by", task_files_number(summary, "incompleteness", NULL), "%.3f",
              "nats");
    fputs("</dl>\n", out);
}

enum status knockout_files_write_page(const struct knockout_results *r, const char *name,
                                      const json_t *summary)
{
    struct task_page page;

    task_page_begin(&page, r->circuit, name);
    fputs(": which heads, at which positions, suffice for the answer. A node is a head at the "
          "positions of a class; every other node has its mean output.</p>\n", page.out);
    write_cards(page.out, r, summary);
    write_maps(page.out, r);
    write_nodes(page.out, json_object_get(summary, "nodes"));
    write_sets(page.out, json_object_get(summary, "sets"));
    return task_page_write(&page);
}
