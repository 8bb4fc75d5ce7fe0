/* Searches on a model whose circuit is known, the share of x (tests/golden/README.md): the curves
 * next to that circuit must be those that are worked out on paper.
 *
 * The circuit is tok->m0, m0->a1.0.v, its direct edge, a1.0->final.  Nothing else that differs
 * between the prompts is read on the way to the logit, so all other scores are 0.  The graph has 61
 * edges and 12 direct ones, 69 of them wrong. */
#include "base/allocate.h"
#include "circuit/acdc.h"
#include "circuit/subnetwork.h"
#include "methods/roc_points.h"
#include "tests/handmade.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PROMPTS = 3, RIGHT = 4, WRONG = 69 };

static const char *const CIRCUIT[RIGHT] = { "tok->m0", "m0->a1.0.v", "direct a1.0.v",
                                            "a1.0->final" };

/* Three prompts, asked at the last position.  (The corrupted prompts are the clean ones in another
 * order, so scores of all would add up to 0.) */
struct fixture {
    hid_t                   file;
    struct weights          weights;
    struct graph            graph;
    int32_t                *clean, *corrupted;
    struct question         questions[PROMPTS];
    struct reference        reference;
    struct experiment       e;
};

static void name_circuit(struct reference *reference, const struct graph *g)
{
    int32_t u, v;

    *reference = (struct reference){ .by_edges = true };
    graph_edges_make(&reference->present, g, false);
    for (int i = 0; i < RIGHT; i++) {
        assert_int_equal(graph_edge_parse(&u, &v, g, CIRCUIT[i], "here"), OK);
        if (u == GRAPH_DIRECT)
            reference->present.direct[v] = true;
        else
            reference->present.mask[v * g->senders + u] = 1;
    }
}

static void set_up(struct fixture *f, enum circuit_metric metric)
{
    static const int32_t ANSWER = 0;
    struct experiment_setup setup = { .weights = &f->weights, .graph = &f->graph };

    *f = (struct fixture){ .file = handmade_open("x_proportion") };
    handmade_make(&f->weights, f->file);
    assert_int_equal(graph_make(&f->graph, &f->weights.config, true), OK);
    assert_int_equal(graph_edges(&f->graph) + graph_direct_edges(&f->graph), RIGHT + WRONG);
    name_circuit(&f->reference, &f->graph);
    setup.clean = f->clean = handmade_ids(f->file, "tokens", &setup.prompts, &setup.context);
    setup.corrupted = f->corrupted = handmade_ids(f->file, "tokens_corrupted", &setup.prompts,
                                                  &setup.context);
    for (int p = 0; p < PROMPTS; p++)
        f->questions[p] = (struct question){ p, (int32_t)setup.context - 1, 1, 0, &ANSWER, NULL };
    setup.prompts = setup.count = PROMPTS;
    setup.questions = f->questions;
    setup.metric = metric;
    assert_int_equal(experiment_make(&f->e, &setup, MPI_COMM_SELF), OK);
}

static void tear_down(struct fixture *f)
{
    experiment_free(&f->e);
    reference_free(&f->reference);
    free(f->corrupted);
    free(f->clean);
    weights_free(&f->weights);
    H5Fclose(f->file);
}

/* The area of points by edges, or by nodes. */
static double area(const struct roc_points *points, int64_t count, bool by_edges)
{
    struct roc_point *curve = allocate(count + 2, sizeof *curve);
    struct roc_point *those = allocate(count, sizeof *those);

    for (int64_t i = 0; i < count; i++)
        those[i] = by_edges ? points[i].edges : points[i].nodes;
    const double value = roc_area(curve, roc_curve(curve, those, count));
    free(those);
    free(curve);
    return value;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-12;
}

/* Three edges have scores, and v one that enters it: its direct edge comes with it. */
static void scores_of_edges_find_the_circuit(void **state)
{
    static struct fixture f;
    struct roc_points points[RIGHT + WRONG];
    struct eap eap;

    (void)state;
    set_up(&f, METRIC_LOGIT_DIFFERENCE);
    assert_int_equal(eap_run(&eap, &f.e, 0), OK);
    const int64_t count = roc_points_of_scores(points, &f.graph, &eap, &f.reference);
    assert_true(near(points[2].edges.wrong, 0) && near(points[2].edges.right, 1));
    assert_true(near(area(points, count, true), 1));
    assert_true(near(area(points, count, false), 1));
    eap_free(&eap);
    tear_down(&f);
}

/* MLP 0 and head 1.0 alone matter, each all that its layer has.  m0 reads tok and pos, and the end
 * reads them and m0: one right edge of five.  With a1.0 there are three receivers of three senders,
 * their direct edges, and one more edge to the end: all four of 18.  The area below (4/69, 1/4),
 * (14/69, 1), (1, 1) is (1 - 4/69) / 4 + (1 - 14/69) 3/4. */
static void importances_find_its_nodes(void **state)
{
    static struct fixture f;
    struct roc_points points[RIGHT + WRONG];
    struct eap eap;

    (void)state;
    set_up(&f, METRIC_LOGIT_DIFFERENCE);
    assert_int_equal(eap_run(&eap, &f.e, 0), OK);
    double *importance = importance_of(&eap, &f.graph);
    const int32_t m0 = graph_mlp(&f.graph, 0), head = graph_head(&f.graph, 1, 0);
    for (int32_t u = 0; u < f.graph.senders; u++)
        assert_true(near(importance[u], u == m0 || u == head));
    const int64_t count = roc_points_of_nodes(points, &f.graph, importance, &f.reference);
    assert_true(near(area(points, count, true), 65 / 69. / 4 + 55 / 69. * 3 / 4));
    assert_true(near(area(points, count, false), 1));
    free(importance);
    eap_free(&eap);
    tear_down(&f);
}

/* Two gates stay open, of m0 and of a1.0.v.  m0 reads tok and pos; v reads them and m0, and has its
 * direct edge; the end reads all four: 10 edges, 4 of them right. */
static void gates_find_its_nodes(void **state)
{
    static struct fixture f;
    const struct subnetwork_options options = { .lambda = 1e-3, .steps = 100, .seed = 1 };
    struct subnetwork n;
    struct graph_edges circuit;
    float log_alpha[16];
    bool open[16];

    (void)state;
    set_up(&f, METRIC_SQUARE);
    subnetwork_make(&n, &f.e);
    assert_true(n.count <= 16);
    assert_int_equal(subnetwork_train(&n, log_alpha, &options, NULL, NULL), OK);
    const int32_t m0 = graph_receiver(&f.graph, GRAPH_MLP, 0, 0);
    const int32_t value = graph_receiver(&f.graph, GRAPH_V, 1, 0);
    for (int32_t i = 0; i < n.count; i++) {
        open[i] = log_alpha[i] > 0;
        assert_int_equal(open[i], i == m0 || i == value);
    }
    subnetwork_circuit(&circuit, &f.graph, open);
    const struct roc_points point = roc_points_of(&circuit, &f.reference);
    assert_true(near(area(&point, 1, true), 1 - 6. / 69));
    assert_true(near(area(&point, 1, false), 1));
    graph_edges_free(&circuit);
    subnetwork_free(&n);
    tear_down(&f);
}

static double value_of(void *context, const struct graph_edges *edges, int32_t receiver)
{
    return experiment_value(context, edges, receiver);
}

/* A search begins with the six edges of largest scores; three scores are 0.  It ends with the
 * circuit, and tests these six edges only. */
static void a_search_goes_on_from_scores(void **state)
{
    static struct fixture f;
    const struct acdc_search search = {
        .options.threshold = 1e-3, .value = value_of, .context = &f.e,
    };
    int32_t ranked[RIGHT + WRONG][2];
    struct graph_edges edges, kept;
    struct acdc acdc;
    struct eap eap;

    (void)state;
    set_up(&f, METRIC_SQUARE);
    assert_int_equal(eap_run(&eap, &f.e, 2), OK);
    eap_rank(ranked, &eap, &f.graph);
    eap_circuit(&edges, &f.graph, (const int32_t (*)[2])ranked, 6);
    eap_circuit(&kept, &f.graph, (const int32_t (*)[2])ranked, 6);
    assert_true(graph_edges_count(&edges) > RIGHT);
    assert_int_equal(acdc_run(&acdc, &edges, &search), OK);
    for (int64_t i = 0; i < acdc.count; i++) {
        const struct acdc_step *s = &acdc.steps[i];
        assert_true(s->sender == GRAPH_DIRECT
                        ? kept.direct[s->receiver]
                        : kept.mask[s->receiver * f.graph.senders + s->sender] == 1);
    }
    const struct roc_point point = roc_by_edges(&edges, &f.reference.present);
    assert_true(point.wrong == 0 && point.right == 1);
    acdc_free(&acdc);
    graph_edges_free(&kept);
    graph_edges_free(&edges);
    eap_free(&eap);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_of_edges_find_the_circuit),
        cmocka_unit_test(importances_find_its_nodes),
        cmocka_unit_test(gates_find_its_nodes),
        cmocka_unit_test(a_search_goes_on_from_scores),
    };

    omp_set_num_threads(1);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
