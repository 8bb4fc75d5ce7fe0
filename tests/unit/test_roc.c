/* Areas that follow from the definition by hand. */
#include "circuit/roc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 4 };

static bool near(double got, double expected)
{
    return fabs(got - expected) < 1e-15;
}

static double area(const struct roc_point *points, int64_t count)
{
    struct roc_point curve[MOST + 2];

    return roc_area(curve, roc_curve(curve, points, count));
}

static void counts_what_is_certain(void **state)
{
    (void)state;
    assert_true(near(area(NULL, 0), 0));
    assert_true(near(area((struct roc_point[]){ { .5, .5 } }, 1), 1 / 4.));
    assert_true(near(area((struct roc_point[]){ { .25, .25 } }, 1), 3 / 16.));
    assert_true(near(area((struct roc_point[]){ { .5, .5 }, { .25, .25 } }, 2), 5 / 16.));
    assert_true(near(area((struct roc_point[]){ { .25, .25 }, { .75, .5 } }, 2), 4 / 16.));
    assert_true(near(area((struct roc_point[]){ { 0, 1 } }, 1), 1));
}

static void leaves_out_what_shows_less_for_more(void **state)
{
    const struct roc_point points[] = { { .25, .5 }, { .5, .25 }, { .75, .75 } };

    (void)state;
    assert_true(near(area(points, 3), .75 * .5 + .25 * .25));
}

/* One layer, two heads, an MLP: 2 embedding edges to each of 6 q, k, v, and so on. */
static void places_a_circuit(void **state)
{
    const struct lm_config config = { .layers = 1, .heads = 2, .kv_heads = 2, .mlp_width = 4 };
    struct graph_edges circuit, reference;
    struct roc_point point;
    struct graph g;

    (void)state;
    assert_int_equal(graph_make(&g, &config, false), OK);
    assert_int_equal(graph_edges(&g) + graph_direct_edges(&g), 6 + 3 + 4 + 6);
    graph_edges_make(&circuit, &g, false);
    graph_edges_make(&reference, &g, false);
    const int32_t final = g.receivers - 1, embed = 0, head = graph_head(&g, 0, 0);
    const int32_t v = graph_receiver(&g, GRAPH_V, 0, 0);
    reference.mask[v * g.senders + embed] = reference.mask[final * g.senders + head] = 1;
    reference.direct[v] = true;
    circuit.mask[final * g.senders + head] = circuit.mask[final * g.senders + graph_mlp(&g, 0)] = 1;
    point = roc_by_edges(&circuit, &reference);
    assert_true(near(point.right, 1 / 3.));
    assert_true(near(point.wrong, 1 / 16.));
    point = roc_by_nodes(&circuit, &reference);
    assert_true(near(point.right, 1));
    assert_true(near(point.wrong, 1 / 2.));
    graph_edges_free(&reference);
    graph_edges_free(&circuit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_certain),
        cmocka_unit_test(leaves_out_what_shows_less_for_more),
        cmocka_unit_test(places_a_circuit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
