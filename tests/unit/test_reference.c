/* Circuits from files, and those of the strongest edges and nodes, on a graph of two layers. */
#include "circuit/importance.h"
#include "circuit/reference.h"

#include "tests/unit/scratch.h"

#include <math.h>

/* Two layers of four heads, of which two and two share keys and values. */
static struct graph small(void)
{
    const struct lm_config config = { .layers = 2, .heads = 4, .kv_heads = 2, .mlp_width = 8 };
    struct graph g;

    assert_int_equal(graph_make(&g, &config, false), OK);
    return g;
}

static enum status read(struct reference *reference, const struct graph *g, const char *text)
{
    const char *path = in_scratch("circuit.json");

    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    return reference_read(reference, g, path);
}

static void reads_edges(void **state)
{
    const struct graph g = small();
    struct reference r;

    (void)state;
    assert_int_equal(read(&r, &g, "{\"tests\": 3, \"edges\": [\"a0.3->a1.2.k\", \"m1->final\", "
                                  "\"direct a1.2.k\"]}"), OK);
    assert_true(r.by_edges);
    assert_int_equal(graph_edges_count(&r.present), 3);
    const int32_t k = graph_receiver(&g, GRAPH_K, 1, 3);
    assert_true(r.present.direct[k]);
    assert_true(r.present.mask[k * g.senders + graph_head(&g, 0, 3)] == 1);
    assert_true(r.present.mask[(g.receivers - 1) * g.senders + graph_mlp(&g, 1)] == 1);
    reference_free(&r);
}

static void reads_nodes(void **state)
{
    const struct graph g = small();
    struct reference r;

    (void)state;
    assert_int_equal(read(&r, &g, "{\"nodes\": [\"a1.2\", \"m0\"]}"), OK);
    assert_false(r.by_edges);
    for (int32_t u = 0; u < g.senders; u++)
        assert_int_equal(graph_edges_leave(&r.present, u),
                         u == graph_head(&g, 1, 2) || u == graph_mlp(&g, 0));
    reference_free(&r);
}

static void refuses(const char *text, enum status status, const char *word)
{
    const struct graph g = small();
    struct reference r;

    assert_int_equal(read(&r, &g, text), status);
    if (strstr(refuse_reason(), word) == NULL)
        fail_msg("no '%s' in '%s'", word, refuse_reason());
    refuse_clear();
    reference_free(&r);
}

static void refuses_what_is_no_circuit(void **state)
{
    (void)state;
    refuses("{", E_FORMAT, "is not JSON: line 1");
    refuses("{\"edges\": 3}", E_FORMAT, "\"edges\" or");
    refuses("{\"edges\": [3]}", E_FORMAT, "item 1");
    refuses("{\"edges\": [\"a0.0>m0\"]}", E_USAGE, "'a0.0>m0' is no edge");
    refuses("{\"edges\": [\"a0.4->m0\"]}", E_USAGE, "no sender 'a0.4'");
    refuses("{\"edges\": [\"m0->m0\"]}", E_USAGE, "m0 reads before m0 sends");
    refuses("{\"edges\": [\"direct m0\"]}", E_USAGE, "only q, k and v");
    refuses("{\"edges\": []}", E_USAGE, "an empty circuit");
    refuses("{\"nodes\": [\"embed\"]}", E_USAGE, "neither a head nor an MLP");
}

/* Scores whose ranks are seen at once; the sign does not count. */
static void ranks_edges_by_size(void **state)
{
    const struct graph g = small();
    double scores[64 * 16] = {0};
    const struct eap eap = { .score = scores };
    int32_t (*edges)[2] = calloc((size_t)graph_edges(&g), sizeof *edges);
    struct graph_edges circuit;
    const int32_t q = graph_receiver(&g, GRAPH_Q, 1, 0), end = g.receivers - 1;

    (void)state;
    scores[q * g.senders + 2] = -3;
    scores[end * g.senders + 5] = 2;
    scores[end * g.senders + 4] = 2;
    eap_rank(edges, &eap, &g);
    assert_true(edges[0][0] == 2 && edges[0][1] == q);
    assert_true(edges[1][0] == 4 && edges[1][1] == end);
    assert_true(edges[2][0] == 5 && edges[2][1] == end);
    eap_circuit(&circuit, &g, (const int32_t (*)[2])edges, 2);
    assert_int_equal(graph_edges_count(&circuit), 3);
    assert_true(circuit.direct[q] && !circuit.direct[end]);
    graph_edges_free(&circuit);
    free(edges);
}

static void normalises_importance_in_each_layer(void **state)
{
    const struct graph g = small();
    double sums[16] = {0};
    const struct eap eap = { .importance = sums };
    int32_t nodes[16];

    (void)state;
    sums[0] = 100;                      /* the embedding is no node */
    sums[graph_head(&g, 0, 1)] = 3;
    sums[graph_mlp(&g, 0)] = 4;
    sums[graph_head(&g, 1, 3)] = .01;
    double *importance = importance_of(&eap, &g);
    assert_true(importance[0] == 0);
    assert_true(fabs(importance[graph_head(&g, 0, 1)] - .6) < 1e-15);
    assert_true(fabs(importance[graph_mlp(&g, 0)] - .8) < 1e-15);
    assert_true(importance[graph_head(&g, 1, 3)] == 1);
    importance_rank(nodes, importance, &g);
    assert_int_equal(nodes[0], graph_head(&g, 1, 3));
    assert_int_equal(nodes[1], graph_mlp(&g, 0));
    assert_int_equal(nodes[2], graph_head(&g, 0, 1));
    assert_int_equal(nodes[3], graph_head(&g, 0, 0));
    free(importance);
}

/* Head 1.3 and MLP 0: 2 edges to each of q, k, v, 1 to the MLP, 3 to the end; 3 direct. */
static void joins_nodes_by_all_edges(void **state)
{
    const struct graph g = small();
    const int32_t nodes[] = { graph_head(&g, 1, 3), graph_mlp(&g, 0) };
    struct graph_edges circuit;

    (void)state;
    importance_circuit(&circuit, &g, nodes, 2);
    assert_int_equal(graph_edges_count(&circuit), 3 * 2 + 1 + 3 + 3);
    assert_true(circuit.direct[graph_receiver(&g, GRAPH_K, 1, 2)]);
    graph_edges_free(&circuit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_edges),
        cmocka_unit_test(reads_nodes),
        cmocka_unit_test(refuses_what_is_no_circuit),
        cmocka_unit_test(ranks_edges_by_size),
        cmocka_unit_test(normalises_importance_in_each_layer),
        cmocka_unit_test(joins_nodes_by_all_edges),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
