#include "methods/graph_drawing.h"
#include "base/allocate.h"

#include <math.h>
#include <stdlib.h>

/* Sizes in pixels: of a node, and of what surrounds the drawing. */
static const double BOX_WIDTH = 42, BOX_HEIGHT = 18, MARGIN = 30;

/* A line: edges [first, first + count) of the sorted ones, and the largest of their numbers. */
struct line {
    int32_t sender, node;
    int64_t first, count;
    double  number;
};

/* An edge, and the node that it enters. */
struct placed {
    int32_t                   node;
    struct graph_drawing_edge edge;
};

struct drawing {
    const struct graph *graph;
    struct placed      *edges;      /* sorted by node, sender, receiver */
    struct line        *lines;      /* the weakest first */
    int64_t             count, lines_count;
    bool               *present;    /* [nodes] is there an edge at it? */
    double step_x, step_y, sign;
};

/* --- nodes: senders by their numbers, then the end --------------------------------------- */

static int32_t node_of(const struct graph *g, int32_t receiver)
{
    const struct graph_node node = graph_receiver_at(g, receiver);

    if (node.part == GRAPH_FINAL)
        return g->senders;
    return node.part == GRAPH_MLP ? graph_mlp(g, node.layer)
                                  : graph_head(g, node.layer, node.head);
}

static const char *node_name(char name[GRAPH_NAME], const struct graph *g, int32_t node)
{
    return node == g->senders ? graph_receiver_name(name, g, g->receivers - 1)
                              : graph_sender_name(name, g, node);
}

struct point {
    double x, y;
};

static struct point size_of(const struct drawing *d)
{
    const int32_t columns = d->graph->heads + d->graph->mlps;

    return (struct point){ 2 * MARGIN + d->step_x * (columns + 0.5),
                           2 * MARGIN + d->step_y * (d->graph->layers + 1) };
}

/* The middle of a node.  Embedding and end lie below and above the middle of the heads. */
static struct point place_of(const struct drawing *d, int32_t node)
{
    const struct graph *g = d->graph;
    const double middle = (g->heads - 1) / 2.0;
    double column = middle, row = g->layers + 1;

    if (node < g->embeddings) {
        column = middle + node - (g->embeddings - 1) / 2.0;
        row = 0;
    } else if (node < g->senders) {
        const struct graph_node at = graph_sender_at(g, node);
        const bool is_mlp = at.part == GRAPH_MLP;
        column = is_mlp ? g->heads + 0.25 : at.head;
        row = at.layer + 1 + (is_mlp && !g->parallel ? 0.5 : 0);
    }
    return (struct point){ MARGIN + d->step_x * (column + 0.5),
                           size_of(d).y - MARGIN - d->step_y * row };
}

/* --- lines ------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct placed *p = a, *q = b;

    if (p->node != q->node)
        return p->node - q->node;
    return p->edge.sender != q->edge.sender ? p->edge.sender - q->edge.sender
                                            : p->edge.receiver - q->edge.receiver;
}

static int by_strength(const void *a, const void *b)
{
    const struct line *p = a, *q = b;
    const double x = fabs(p->number), y = fabs(q->number);

    if (x != y)
        return x < y ? -1 : 1;
    return p->first < q->first ? -1 : 1;
}

/* Add an edge to the line of the one before, or begin a line with it. */
static void add_edge(struct drawing *d, int64_t i)
{
    const struct graph_drawing_edge *edge = &d->edges[i].edge;
    const struct placed *before = i > 0 ? &d->edges[i - 1] : NULL;
    const int32_t node = d->edges[i].node;

    d->present[node] = true;
    if (edge->sender < 0)
        return;
    d->present[edge->sender] = true;
    if (before == NULL || before->edge.sender != edge->sender || before->node != node)
        d->lines[d->lines_count++] =
            (struct line){ .sender = edge->sender, .node = node, .first = i };
    struct line *last = &d->lines[d->lines_count - 1];
    last->count++;
    if (fabs(edge->number) > fabs(last->number))
        last->number = edge->number;
}

static void lay_out(struct drawing *d, const struct graph *g,
                    const struct graph_drawing_edge *edges, int64_t count)
{
    d->graph = g;
    d->count = count;
    d->edges = allocate(count, sizeof *d->edges);
    d->lines = allocate(count, sizeof *d->lines);
    d->present = allocate(g->senders + 1, sizeof *d->present);
    d->step_x = fmin(fmax(900.0 / (g->heads + 1), BOX_WIDTH + 6), 100);
    d->step_y = fmin(fmax(1100.0 / (g->layers + 1), 60), 130);
    for (int64_t i = 0; i < count; i++)
        d->edges[i] = (struct placed){ node_of(g, edges[i].receiver), edges[i] };
    qsort(d->edges, (size_t)count, sizeof *d->edges, by_place);
    for (int64_t i = 0; i < count; i++)
        add_edge(d, i);
    qsort(d->lines, (size_t)d->lines_count, sizeof *d->lines, by_strength);
}

/* --- SVG --------------------------------------------------------------------------------- */

const char *graph_drawing_name(char name[GRAPH_DRAWING_NAME], const struct graph *g,
                               const struct graph_drawing_edge *edge)
{
    char from[GRAPH_NAME], to[GRAPH_NAME];

    graph_receiver_name(to, g, edge->receiver);
    if (edge->sender < 0)
        snprintf(name, GRAPH_DRAWING_NAME, "direct %s", to);
    else
        snprintf(name, GRAPH_DRAWING_NAME, "%s → %s", graph_sender_name(from, g, edge->sender),
                 to);
    return name;
}

static void write_numbers(FILE *out, const struct drawing *d, int64_t first, int64_t count)
{
    char name[GRAPH_DRAWING_NAME];

    for (int64_t i = first; i < first + count; i++)
        fprintf(out, "%s%s: %.4g", i > first ? "\n" : "",
                graph_drawing_name(name, d->graph, &d->edges[i].edge), d->edges[i].edge.number);
}

/* A line leaves its sender upward and enters its receiver from below.  Between two nodes of a
 * column it passes those in between on their right. */
static void write_path(FILE *out, const struct drawing *d, const struct line *line)
{
    const struct point from = place_of(d, line->sender), to = place_of(d, line->node);
    const double y = from.y - BOX_HEIGHT / 2, end = to.y + BOX_HEIGHT / 2, up = y - end;
    const bool is_aside = fabs(from.x - to.x) < 1 && up > d->step_y;
    const double aside = is_aside ? 0.5 * d->step_x + 0.06 * up : 0;
    const double bend = is_aside ? 0.3 * up : fmin(0.5 * up, 0.7 * d->step_y);

    fprintf(out, "d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"/>", from.x, y, from.x + aside,
            y - bend, to.x + aside, end + bend, to.x, end);
}

/* The root keeps weak lines apart from weaker ones next to a very strong one.  A wide line that
 * nobody sees lies below each, to hover over. */
static void write_line(FILE *out, const struct drawing *d, const struct line *line, double most)
{
    const double width = 0.8 + (most > 0 ? 5 * sqrt(fabs(line->number) / most) : 0);

    fprintf(out, "<g class=\"%s\"><title>", d->sign * line->number < 0 ? "minus" : "plus");
    write_numbers(out, d, line->first, line->count);
    fputs("</title><path class=\"hit\" ", out);
    write_path(out, d, line);
    fprintf(out, "<path class=\"edge\" stroke-width=\"%.2f\" ", width);
    write_path(out, d, line);
    fputs("</g>\n", out);
}

/* The name of a node, and its direct edges. */
static void write_node_title(FILE *out, const struct drawing *d, int32_t node)
{
    char name[GRAPH_NAME];

    fprintf(out, "<title>%s", node_name(name, d->graph, node));
    for (int64_t i = 0; i < d->count; i++)
        if (d->edges[i].edge.sender < 0 && d->edges[i].node == node) {
            fputs("\n", out);
            write_numbers(out, d, i, 1);
        }
    fputs("</title>", out);
}

/* A box with a name, or a dot for a node without edges. */
static void write_node(FILE *out, const struct drawing *d, int32_t node)
{
    const struct point at = place_of(d, node);
    char name[GRAPH_NAME];

    fputs("<g>", out);
    write_node_title(out, d, node);
    if (d->present[node])
        fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%g\" height=\"%g\" rx=\"4\"/>"
                "<text x=\"%.1f\" y=\"%.1f\">%s</text>", at.x - BOX_WIDTH / 2,
                at.y - BOX_HEIGHT / 2, BOX_WIDTH, BOX_HEIGHT, at.x, at.y + 4,
                node_name(name, d->graph, node));
    else
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>", at.x, at.y);
    fputs("</g>\n", out);
}

void graph_drawing_write(FILE *out, const struct graph *graph,
                         const struct graph_drawing_edge *edges, int64_t count, double sign)
{
    struct drawing d = { .sign = sign };

    lay_out(&d, graph, edges, count);
    const struct point size = size_of(&d);
    const double most = d.lines_count > 0 ? fabs(d.lines[d.lines_count - 1].number) : 0;

    fprintf(out, "<svg class=\"graph\" role=\"img\" viewBox=\"0 0 %.1f %.1f\" width=\"%.0f\">\n",
            size.x, size.y, size.x);
    for (int64_t i = 0; i < d.lines_count; i++)
        write_line(out, &d, &d.lines[i], most);
    for (int32_t node = 0; node <= graph->senders; node++)
        write_node(out, &d, node);
    fputs("</svg>\n", out);
    free(d.present);
    free(d.lines);
    free(d.edges);
}
