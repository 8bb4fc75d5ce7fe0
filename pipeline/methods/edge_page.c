#include "methods/edge_page.h"
#include "base/allocate.h"
#include "base/html.h"
#include "base/minmax.h"
#include "circuit/metric.h"
#include "methods/graph_drawing.h"
#include "methods/roc_drawing.h"
#include "methods/task_page.h"

#include <math.h>
#include <stdlib.h>

/* Edges that are drawn, of a search and of scores, and those in the table. */
enum { MOST_REMAINING = 1000, MOST_SCORED = 100, MOST_ROWS = 20 };

/* Edges with their numbers, and what to say of them. */
struct view {
    const struct graph        *graph;
    struct graph_drawing_edge *edges;
    int64_t                    count;
    double                     sign;    /* of numbers of edges that serve the answers */
    const char *number;                 /* what the number is */
};

/* The largest numbers first, signs aside. */
static int by_strength(const void *a, const void *b)
{
    const struct graph_drawing_edge *p = a, *q = b;
    const double x = fabs(p->number), y = fabs(q->number);

    if (x != y)
        return x < y ? 1 : -1;
    return p->receiver != q->receiver ? p->receiver - q->receiver : p->sender - q->sender;
}

static void write_table(FILE *out, const struct view *view)
{
    char name[GRAPH_DRAWING_NAME];

    html_table_begin(out);
    html_heading_text(out, "edge");
    html_heading(out, view->number);
    html_table_rows(out);
    for (int64_t i = 0; i < min_int64(view->count, MOST_ROWS); i++) {
        fputs("<tr>", out);
        html_cell_text(out, graph_drawing_name(name, view->graph, &view->edges[i]));
        html_cell(out, view->edges[i].number, "%.4g");
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

/* The strongest edges as a drawing, and the strongest of them in a table. */
static void write_edges(FILE *out, struct view *view, int64_t most)
{
    qsort(view->edges, (size_t)view->count, sizeof *view->edges, by_strength);
    if (view->count > most)
        fprintf(out, "<p>The strongest %lld are drawn.</p>\n", (long long)most);
    fputs("<p class=\"note\">Layers lie upward, from the embedding to the end. A line is the wider "
          "the larger its number. <b class=\"plus\">This colour</b>: without the edge the metric "
          "grows; <b class=\"minus\">this one</b>: it falls. Point at a line or a box to see its "
          "edges.</p>\n<div class=\"wide\">\n", out);
    graph_drawing_write(out, view->graph, view->edges, min_int64(view->count, most), view->sign);
    fputs("</div>\n<h2>The strongest edges</h2>\n", out);
    write_table(out, view);
}

/* --- acdc -------------------------------------------------------------------------------- */

static bool remains(const struct graph_edges *edges, const struct acdc_step *step)
{
    return step->sender < 0
               ? edges->direct[step->receiver]
               : edges->mask[step->receiver * edges->graph->senders + step->sender] != 0;
}

/* The edges that were tested and remain. */
static void collect_remaining(struct view *view, const struct acdc *acdc,
                              const struct graph_edges *edges)
{
    double value = acdc->start;

    view->edges = allocate(acdc->count, sizeof *view->edges);
    for (int64_t i = 0; i < acdc->count; i++) {
        const struct acdc_step *step = &acdc->steps[i];
        if (remains(edges, step))
            view->edges[view->count++] = (struct graph_drawing_edge){
                step->sender, step->receiver, step->value - value };
        else if (step->removed)
            value = step->value;
    }
}

enum status edge_page_acdc(const struct circuit *circuit, const char *name, double threshold,
                           const struct acdc *acdc, const struct graph_edges *edges)
{
    struct view view = { .graph = edges->graph, .sign = 1, .number = "growth of the metric" };
    struct task_page page;

    collect_remaining(&view, acdc, edges);
    task_page_begin(&page, circuit, name);
    fprintf(page.out, ": metric %s, threshold %g; %lld edges remain after %lld tests. With them "
            "the metric is %.4g, with all edges %.4g.</p>\n",
            metric_name(circuit->suite->circuit.metric), threshold, (long long)view.count,
            (long long)acdc->count, acdc->value, acdc->start);
    fputs("<p>Each edge has the number by which the metric, which is to be small, grew without it "
          "when it was tested. A direct edge leads from all that a head's q, k or v reads to the "
          "queries, keys or values themselves.</p>\n", page.out);
    write_edges(page.out, &view, MOST_REMAINING);
    free(view.edges);
    return task_page_write(&page);
}

/* --- eap --------------------------------------------------------------------------------- */

static void collect_scores(struct view *view, const struct eap *eap)
{
    const struct graph *g = view->graph;

    view->edges = allocate(graph_edges(g), sizeof *view->edges);
    for (int32_t v = 0; v < g->receivers; v++)
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            view->edges[view->count++] =
                (struct graph_drawing_edge){ u, v, eap->score[v * g->senders + u] };
}

/* Circuits of growing size next to the reference. */
static void write_curves(FILE *out, const json_t *roc)
{
    fputs("<h2>Next to the reference circuit</h2>\n<div class=\"heats\">\n", out);
    roc_drawing_write_both(out, json_object_get(roc, "edges"), "edges of largest score");
    roc_drawing_write_both(out, json_object_get(roc, "importance"), "most important nodes");
    fputs("</div>\n", out);
}

enum status edge_page_eap(const struct circuit *circuit, const char *name,
                          const struct graph *graph, const struct eap *eap, const json_t *roc)
{
    const struct suite_circuit *options = &circuit->suite->circuit;
    struct view view = { .graph = graph, .sign = -1, .number = "score" };
    struct task_page page;

    collect_scores(&view, eap);
    task_page_begin(&page, circuit, name);
    fprintf(page.out, ": metric %s, ", metric_name(options->metric));
    if (options->steps > 0)
        fprintf(page.out, "gradients integrated in %lld steps; ", (long long)options->steps);
    fputs("scores of ", page.out);
    html_count(page.out, (double)view.count);
    fputs(
        " edges.</p>\n<p>Without an edge the metric, which is to be small, changes by about minus "
        "its score.</p>\n",
        page.out);
    write_edges(page.out, &view, MOST_SCORED);
    if (roc != NULL)
        write_curves(page.out, roc);
    free(view.edges);
    return task_page_write(&page);
}

/* --- the curve of a sweep ------------------------------------------------------------------ */

enum status edge_page_roc(const struct circuit *circuit, const char *name, const json_t *roc)
{
    struct task_page page;

    task_page_begin(&page, circuit, name);
    page.without_table = true;
    fprintf(page.out, ": circuits of %lld tasks, metric %s, next to the reference circuit. The "
            "area is the one that is certain.</p>\n<div class=\"heats\">\n",
            (long long)methods_tasks(circuit->suite),
            metric_name(circuit->suite->circuit.metric));
    roc_drawing_write_both(page.out, roc, "circuits");
    fputs("</div>\n", page.out);
    return task_page_write(&page);
}
