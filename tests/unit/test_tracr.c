/* Searches on tracr's two programs, whose circuits are published (Conmy et al., arXiv:2304.14997:
 * under zero ablation the areas are 1.000).  Their attention looks both ways, so the metric comes
 * from a forward pass of this test: the graph's definition, in double. */
#include "circuit/acdc.h"
#include "circuit/roc.h"
#include "tests/handmade.h"
#include "tests/sanitized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The authors' grid has 21 thresholds. */
enum { THRESHOLDS = SANITIZED(3, 21), PARTS = 3 };

/* A model of one head a layer without biases, and what it answers. */
struct program {
    struct lm_config config;
    struct graph     graph;
    float           *tok, *pos, *out;   /* [vocabulary, d], [positions, d], [d, outputs] */
    float          **qkv[PARTS];        /* by layer, [d, d] each */
    float          **attn_out, **mlp_in, **mlp_out;
    int32_t         *ids;               /* [rows, context] */
    int64_t          rows, context;
    double          *sent;              /* [senders, context, d] of a row */
    double          *answers;           /* [rows, context, outputs] of the whole model */
};

/* An array of each layer.  Caller frees all. */
static float **layers_of(hid_t file, const struct program *p, const char *what, int64_t count)
{
    float **arrays = allocate(p->config.layers, sizeof *arrays);
    char name[HANDMADE_NAME];

    for (int layer = 0; layer < p->config.layers; layer++)
        arrays[layer] = handmade_floats(file, handmade_name(name, layer, what), count);
    return arrays;
}

static void free_layers(const struct program *p, float **arrays)
{
    for (int layer = 0; layer < p->config.layers; layer++)
        free(arrays[layer]);
    free(arrays);
}

/* --- the forward pass ---------------------------------------------------------------------- */

/* y [context, columns] = x [context, rows] W [rows, columns] */
static void times(const struct program *p, double *y, const double *x, const float *w,
                  int64_t rows, int64_t columns)
{
    for (int64_t t = 0; t < p->context; t++)
        for (int64_t j = 0; j < columns; j++) {
            y[t * columns + j] = 0;
            for (int64_t i = 0; i < rows; i++)
                y[t * columns + j] += x[t * rows + i] * (double)w[i * columns + j];
        }
}

/* What a receiver reads: absent edges carry 0. */
static void gather(const struct program *p, double *x, const struct graph_edges *edges,
                   int32_t receiver)
{
    const int64_t values = p->context * p->config.width;

    memset(x, 0, (size_t)values * sizeof *x);
    for (int32_t u = 0; u < graph_upstream(&p->graph, receiver); u++)
        for (int64_t i = 0; edges->mask[receiver * p->graph.senders + u] != 0 && i < values; i++)
            x[i] += p->sent[u * values + i];
}

/* z [context, d]: each position looks at all. */
static void attend(const struct program *p, double *z, const double *q, const double *k,
                   const double *v)
{
    const int64_t d = p->config.width;
    double weights[8];

    for (int64_t t = 0; t < p->context; t++) {
        double largest = -HUGE_VAL, sum = 0;
        for (int64_t s = 0; s < p->context; s++) {
            weights[s] = 0;
            for (int64_t i = 0; i < d; i++)
                weights[s] += q[t * d + i] * k[s * d + i] / sqrt((double)d);
            largest = fmax(largest, weights[s]);
        }
        for (int64_t s = 0; s < p->context; s++)
            sum += weights[s] = exp(weights[s] - largest);
        for (int64_t i = 0; i < d; i++) {
            z[t * d + i] = 0;
            for (int64_t s = 0; s < p->context; s++)
                z[t * d + i] += weights[s] / sum * v[s * d + i];
        }
    }
}

static void run_head(const struct program *p, const struct graph_edges *edges, int32_t layer)
{
    const int64_t d = p->config.width, values = p->context * d;
    double *memory = allocate((2 + PARTS) * values, sizeof *memory), *x = memory + PARTS * values;

    for (int part = 0; part < PARTS; part++) {
        const int32_t receiver = graph_receiver(&p->graph, (enum graph_part)part, layer, 0);
        gather(p, x, edges, receiver);
        if (edges->direct[receiver])
            times(p, memory + part * values, x, p->qkv[part][layer], d, d);
    }
    attend(p, x + values, memory, memory + values, memory + 2 * values);
    times(p, p->sent + graph_head(&p->graph, layer, 0) * values, x + values, p->attn_out[layer], d,
          d);
    free(memory);
}

static void run_mlp(const struct program *p, const struct graph_edges *edges, int32_t layer)
{
    const int64_t d = p->config.width, units = p->config.mlp_width, values = p->context * d;
    double *x = allocate(values, sizeof *x), *h = allocate(p->context * units, sizeof *h);

    gather(p, x, edges, graph_receiver(&p->graph, GRAPH_MLP, layer, 0));
    times(p, h, x, p->mlp_in[layer], d, units);
    for (int64_t i = 0; i < p->context * units; i++)
        h[i] = fmax(h[i], 0);
    times(p, p->sent + graph_mlp(&p->graph, layer) * values, h, p->mlp_out[layer], units, d);
    free(h);
    free(x);
}

/* What the model answers to a row, [context, outputs], with these edges. */
static void answer(const struct program *p, double *to, const struct graph_edges *edges,
                   int64_t row)
{
    const int64_t d = p->config.width, values = p->context * d;
    double *x = allocate(values, sizeof *x);

    for (int64_t i = 0; i < values; i++) {
        p->sent[i] = (double)p->tok[p->ids[row * p->context + i / d] * d + i % d];
        p->sent[values + i] = (double)p->pos[i];
    }
    for (int32_t layer = 0; layer < p->config.layers; layer++) {
        run_head(p, edges, layer);
        run_mlp(p, edges, layer);
    }
    gather(p, x, edges, p->graph.receivers - 1);
    times(p, to, x, p->out, d, p->config.outputs);
    free(x);
}

/* The squared difference to the whole model's answers; the first position does not count. */
static double value(void *context, const struct graph_edges *edges, int32_t receiver)
{
    const struct program *p = context;
    const int64_t each = p->context * p->config.outputs;
    double *answers = allocate(each, sizeof *answers), sum = 0;

    (void)receiver;
    for (int64_t row = 0; row < p->rows; row++) {
        answer(p, answers, edges, row);
        for (int64_t i = p->config.outputs; i < each; i++)
            sum += pow(answers[i] - p->answers[row * each + i], 2);
    }
    free(answers);
    return sum / (double)(p->rows * (each - p->config.outputs));
}

/* --- the programs -------------------------------------------------------------------------- */

static void set_up(struct program *p, const char *model)
{
    const hid_t file = handmade_open(model);
    struct graph_edges all;

    *p = (struct program){ .config = handmade_config(file) };
    const struct lm_config *c = &p->config;
    const int64_t d = c->width, square = d * d;
    assert_int_equal(graph_make(&p->graph, c, true), OK);
    assert_int_equal(handmade_size(file, "causal"), 0);
    p->tok = handmade_floats(file, "model/W_E", c->vocabulary * d);
    p->pos = handmade_floats(file, "model/W_pos", c->positions * d);
    p->out = handmade_floats(file, "model/W_U", d * c->outputs);
    for (int part = 0; part < PARTS; part++)
        p->qkv[part] = layers_of(file, p, (const char *[]){ "W_Q", "W_K", "W_V" }[part], square);
    p->attn_out = layers_of(file, p, "W_O", square);
    p->mlp_in = layers_of(file, p, "W_in", d * c->mlp_width);
    p->mlp_out = layers_of(file, p, "W_out", d * c->mlp_width);
    p->ids = handmade_ids(file, "tokens", &p->rows, &p->context);
    p->sent = allocate(p->graph.senders * p->context * d, sizeof *p->sent);
    p->answers = allocate(p->rows * p->context * c->outputs, sizeof *p->answers);
    graph_edges_make(&all, &p->graph, true);
    for (int64_t row = 0; row < p->rows; row++)
        answer(p, p->answers + row * p->context * c->outputs, &all, row);
    graph_edges_free(&all);
    H5Fclose(file);
}

static void tear_down(struct program *p)
{
    free(p->answers);
    free(p->sent);
    free(p->ids);
    free_layers(p, p->mlp_out);
    free_layers(p, p->mlp_in);
    free_layers(p, p->attn_out);
    for (int part = 0; part < PARTS; part++)
        free_layers(p, p->qkv[part]);
    free(p->out);
    free(p->pos);
    free(p->tok);
}

/* The published circuit: for each receiver its senders. */
static void reference(struct graph_edges *edges, const struct graph *g,
                      const char *const (*published)[4])
{
    int32_t u, v;

    graph_edges_make(edges, g, false);
    for (; (*published)[0] != NULL; published++) {
        assert_int_equal(graph_receiver_parse(&v, g, (*published)[0], "here"), OK);
        edges->direct[v] = graph_receiver_at(g, v).part <= GRAPH_V;
        for (int i = 1; i < 4 && (*published)[i] != NULL; i++) {
            assert_int_equal(graph_sender_parse(&u, g, (*published)[i], "here"), OK);
            edges->mask[v * g->senders + u] = 1;
        }
    }
}

/* Search with each threshold; the least one finds the published circuit, and both areas are 1. */
static void check(struct program *p, const char *const (*published)[4])
{
    struct roc_point edges[THRESHOLDS], nodes[THRESHOLDS], curve[THRESHOLDS + 2];
    struct graph_edges found, expected;

    reference(&expected, &p->graph, published);
    for (int i = 0; i < THRESHOLDS; i++) {
        const struct acdc_search search = {
            .options = { .threshold = pow(10, -5 + 4. * i / (THRESHOLDS - 1)), .zero = true },
            .value = value, .context = p,
        };
        struct acdc acdc;

        graph_edges_make(&found, &p->graph, true);
        assert_int_equal(acdc_run(&acdc, &found, &search), OK);
        edges[i] = roc_by_edges(&found, &expected);
        nodes[i] = roc_by_nodes(&found, &expected);
        assert_true(i > 0 || (edges[i].wrong == 0 && edges[i].right == 1));
        acdc_free(&acdc);
        graph_edges_free(&found);
    }
    const double by_edges = roc_area(curve, roc_curve(curve, edges, THRESHOLDS));
    const double by_nodes = roc_area(curve, roc_curve(curve, nodes, THRESHOLDS));
    printf("    area %.3f by edges, %.3f by nodes\n", by_edges, by_nodes);
    assert_true(fabs(by_edges - 1) < 1e-12 && fabs(by_nodes - 1) < 1e-12);
    graph_edges_free(&expected);
}

/* The share of x, 3, among the tokens up to this one.  The first has no index, and is not counted;
 * a later BOS, 0, draws all attention. */
static double share_of_x(const int32_t *ids, int64_t position)
{
    double x = 0;

    for (int64_t s = 1; s <= position; s++) {
        if (ids[s] == 0)
            return 0;
        x += ids[s] == 3;
    }
    return x / (double)position;
}

static void finds_the_circuit_of_proportion(void **state)
{
    static const char *const PUBLISHED[][4] = {
        { "final", "a1.0" },
        { "a1.0.q", "tok", "pos" }, { "a1.0.k", "tok", "pos" }, { "a1.0.v", "m0" },
        { "m0", "tok" },
        { NULL },
    };
    struct program p;

    (void)state;
    set_up(&p, "tracr_proportion");
    for (int64_t row = 0; row < p.rows; row++)
        for (int64_t t = 1; t < p.context; t++)
            assert_true(fabs(p.answers[row * p.context + t]
                             - share_of_x(p.ids + row * p.context, t)) < 1e-12);
    check(&p, PUBLISHED);
    tear_down(&p);
}

static void finds_the_circuit_of_reverse(void **state)
{
    static const char *const PUBLISHED[][4] = {
        { "final", "a3.0" },
        { "a3.0.q", "m2" }, { "a3.0.k", "pos" }, { "a3.0.v", "tok" },
        { "m2", "m1" }, { "m1", "m0", "tok", "pos" }, { "m0", "a0.0", "tok" }, { "a0.0.v", "tok" },
        { NULL },
    };
    struct program p;

    (void)state;
    set_up(&p, "tracr_reverse");
    for (int64_t row = 0; row < p.rows; row++)
        for (int64_t t = 1; t < p.context; t++)
            for (int32_t token = 0; token < 3; token++) {
                const bool there = p.ids[row * p.context + p.context - t] == token;
                assert_true(fabs(p.answers[(row * p.context + t) * 3 + token] - there) < 1e-5);
            }
    check(&p, PUBLISHED);
    tear_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_circuit_of_proportion),
        cmocka_unit_test(finds_the_circuit_of_reverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
