#include "methods/subnetwork_page.h"
#include "base/allocate.h"
#include "base/html.h"
#include "circuit/metric.h"
#include "methods/heat_map.h"
#include "methods/task_files.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

/* The gates of a task. */
struct gates {
    const struct graph *graph;
    const float        *log_alpha;  /* [receivers - 1] */
};

static double number_of(const struct gates *gates, enum graph_part part, int32_t layer,
                        int32_t head)
{
    return (double)gates->log_alpha[graph_receiver(gates->graph, part, layer, head)];
}

/* --- heads ------------------------------------------------------------------------------- */

/* The size of full colour, which the maps have in common. */
static double largest(const struct gates *gates)
{
    double most = 0;

    for (int32_t i = 0; i < gates->graph->receivers - 1; i++)
        most = fmax(most, fabs((double)gates->log_alpha[i]));
    return most;
}

static void write_map(FILE *out, const struct gates *gates, enum graph_part part,
                      const char *title)
{
    const int32_t heads = gates->graph->heads, count = gates->graph->layers * heads;
    double *value = allocate(count, sizeof *value);
    bool *open = allocate(count, sizeof *open);
    const struct heat_map map = { .title = title, .value = value, .layers = gates->graph->layers,
                                  .heads = heads, .full = largest(gates), .marked = open };

    for (int32_t i = 0; i < count; i++) {
        value[i] = number_of(gates, part, i / heads, i % heads);
        open[i] = value[i] > 0;
    }
    heat_map_write(out, &map);
    free(open);
    free(value);
}

static void write_maps(FILE *out, const struct gates *gates)
{
    heat_map_begin(out, gates->graph->kv_heads < gates->graph->heads
                            ? "The number is log α of a gate. Outlined gates are open. Heads that "
                              "share keys and values share their gates, too."
                            : "The number is log α of a gate. Outlined gates are open.");
    write_map(out, gates, GRAPH_Q, "gates of queries, log α");
    write_map(out, gates, GRAPH_K, "gates of keys, log α");
    write_map(out, gates, GRAPH_V, "gates of values, log α");
    heat_map_end(out);
}

/* --- layers ------------------------------------------------------------------------------ */

/* How many of a layer's gates are open, heads that share one counted once. */
static int open_of(const struct gates *gates, enum graph_part part, int32_t layer)
{
    const struct graph *g = gates->graph;
    const int32_t each = part == GRAPH_Q ? 1 : g->heads / g->kv_heads;
    int open = 0;

    for (int32_t head = 0; head < g->heads; head += each)
        open += number_of(gates, part, layer, head) > 0;
    return open;
}

static void write_layer(FILE *out, const struct gates *gates, int32_t layer)
{
    fprintf(out, "<tr><td>%d</td>", (int)layer);
    for (enum graph_part part = GRAPH_Q; part <= GRAPH_V; part++)
        fprintf(out, "<td>%d</td>", open_of(gates, part, layer));
    if (gates->graph->mlps) {
        const double mlp = number_of(gates, GRAPH_MLP, layer, 0);
        html_cell_text(out, mlp > 0 ? "open" : "closed");
        html_cell(out, mlp, "%.4g");
    }
    fputs("</tr>\n", out);
}

static void write_layers(FILE *out, const struct gates *gates)
{
    fputs("<h2>Layers</h2>\n", out);
    html_table_begin(out);
    html_heading(out, "layer");
    html_heading(out, "open queries");
    html_heading(out, "open keys");
    html_heading(out, "open values");
    if (gates->graph->mlps) {
        html_heading_text(out, "MLP");
        html_heading(out, "its log α");
    }
    html_table_rows(out);
    for (int32_t layer = 0; layer < gates->graph->layers; layer++)
        write_layer(out, gates, layer);
    html_table_end(out);
}

/* --- the page ---------------------------------------------------------------------------- */

/* The shares of the circuit next to the reference, if there is one. */
static void write_point(FILE *out, const json_t *point, const char *right, const char *wrong)
{
    if (point == NULL)
        return;
    html_card(out, right, task_files_number(point, "right", NULL), "%.3f", "of 1");
    html_card(out, wrong, task_files_number(point, "wrong", NULL), "%.3f", "of 1");
}

static void write_cards(FILE *out, const struct gates *gates, const char *metric,
                        const json_t *summary)
{
    char unit[64];

    snprintf(unit, sizeof unit, "of %d", (int)gates->graph->receivers - 1);
    fputs("<dl class=\"cards\">\n", out);
    html_card(out, "open gates", (double)json_array_size(json_object_get(summary, "open")), NULL,
              unit);
    html_card(out, "metric with these alone", task_files_number(summary, "value", NULL), "%.4g",
              metric);
    html_card(out, "with all gates open", task_files_number(summary, "value_of_all_edges", NULL),
              "%.4g", metric);
    write_point(out, json_object_get(summary, "by_edges"), "edges of the reference found",
                "other edges found");
    write_point(out, json_object_get(summary, "by_nodes"), "nodes of the reference found",
                "other nodes found");
    fputs("</dl>\n", out);
}

enum status subnetwork_page_write(const struct circuit *circuit, const char *name, double penalty,
                                  const struct graph *graph, const float *log_alpha,
                                  const json_t *summary)
{
    const struct gates gates = { graph, log_alpha };
    const char *metric = metric_name(circuit->suite->circuit.metric);
    struct task_page page;

    task_page_begin(&page, circuit, name);
    fprintf(page.out,
            ": which queries, keys, values and MLPs the answer needs. The metric is %s, to be "
            "small; each open gate costs %g; %lld steps of training.</p>\n",
            metric, penalty, (long long)circuit->suite->circuit.updates);
    fprintf(page.out, "<p>A closed gate lets %s through. A gate is open if what was trained for "
            "it, log α, is above 0.</p>\n",
            circuit->suite->circuit.ablation == ABLATION_ZERO
                ? "what the model computes when all its parts send 0"
                : "what the model computes from the corrupted prompt");
    write_cards(page.out, &gates, metric, summary);
    write_maps(page.out, &gates);
    write_layers(page.out, &gates);
    return task_page_write(&page);
}
