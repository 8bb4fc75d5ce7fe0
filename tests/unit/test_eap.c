/* Scores of edges against another implementation in float64, and against what removing an edge does
 * (tests/golden/README.md). */
#include "base/allocate.h"
#include "circuit/eap.h"
#include "shard/h5.h"
#include "tests/handmade.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/pairs.h"

static const char GOLDEN[] = "tests/golden/circuits/eap.h5";

enum { PROMPTS = 16, CONTEXT = 15, EDGES = 1519 };

/* The sanitizers look at memory, and need not see every edge removed. */
#ifdef __SANITIZE_ADDRESS__
enum { REMOVED = EDGES / 20 };
#else
enum { REMOVED = EDGES };
#endif

struct fixture {
    struct pairs      pairs;
    int32_t           senders[EDGES], receivers[EDGES];
    struct experiment e;
};

static void set_up(struct fixture *f, enum circuit_metric metric)
{
    pairs_open(&f->pairs, GOLDEN, PROMPTS, CONTEXT);
    golden_read(f->pairs.file, "edge_sender", H5T_NATIVE_INT32, EDGES, f->senders);
    golden_read(f->pairs.file, "edge_receiver", H5T_NATIVE_INT32, EDGES, f->receivers);
    f->pairs.setup.metric = metric;
    assert_int_equal(experiment_make(&f->e, &f->pairs.setup, MPI_COMM_SELF), OK);
}

static void tear_down(struct fixture *f)
{
    experiment_free(&f->e);
    pairs_close(&f->pairs);
}

/* The golden files' scores are of F, which is to be maximised: minus the metric. */
static void check_scores(struct fixture *f, const char *name, const double *scores, double sign)
{
    static double expected[EDGES];
    double largest = 0, worst = 0;

    golden_read(f->pairs.file, name, H5T_NATIVE_DOUBLE, EDGES, expected);
    for (int i = 0; i < EDGES; i++) {
        const double got = sign * scores[f->receivers[i] * f->pairs.graph.senders + f->senders[i]];
        largest = fmax(largest, fabs(expected[i]));
        worst = fmax(worst, fabs(got - expected[i]));
    }
    printf("    %s: worst difference %.2g of the largest score\n", name, worst / largest);
    assert_true(worst < 1e-5 * largest);
}

static void scores_as_another_implementation_does(void **state)
{
    static struct fixture f;
    const struct { const char *name; int steps; } runs[] = {
        { "eap", 0 }, { "eap_ig_5", 5 }, { "eap_ig_20", 20 },
    };

    (void)state;
    set_up(&f, METRIC_LOGIT_DIFFERENCE);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct eap eap;
        assert_int_equal(eap_run(&eap, &f.e, runs[i].steps), OK);
        check_scores(&f, runs[i].name, eap.score, -1);
        if (runs[i].steps == 0)
            check_scores(&f, "eap_abs", eap.absolute, 1);
        eap_free(&eap);
    }
    tear_down(&f);
}

/* The change of the metric without each edge, and how well scores predict it. */
static void effects_are_those_of_another_implementation(void **state)
{
    static struct fixture f;
    static int32_t edges[EDGES][2];
    static double effects[EDGES], exact[EDGES], scores[EDGES];
    struct graph_edges all;
    struct eap eap;

    (void)state;
    set_up(&f, METRIC_LOGIT_DIFFERENCE);
    golden_read(f.pairs.file, "exact", H5T_NATIVE_DOUBLE, EDGES, exact);
    assert_int_equal(eap_run(&eap, &f.e, 0), OK);
    for (int i = 0; i < EDGES; i++) {
        edges[i][0] = f.senders[i];
        edges[i][1] = f.receivers[i];
        scores[i] = eap.score[f.receivers[i] * f.pairs.graph.senders + f.senders[i]];
    }
    graph_edges_make(&all, &f.pairs.graph, true);
    eap_effects(effects, &f.e, edges, REMOVED, experiment_value(&f.e, &all, 0));
    for (int i = 0; i < REMOVED; i++)
        assert_true(fabs(-effects[i] - exact[i]) < 2e-5);
    const struct eap_fit fit = eap_fit(effects, scores, REMOVED);
    printf("    slope %.3f, R2 %.3f\n", fit.slope, fit.r2);
    assert_true((int)REMOVED < (int)EDGES
                || (fabs(fit.slope - 0.92825) < 1e-3 && fabs(fit.r2 - 0.41477) < 1e-3));
    graph_edges_free(&all);
    eap_free(&eap);
    tear_down(&f);
}

static void a_metric_that_is_flat_is_refused(void **state)
{
    static struct fixture f;
    struct eap eap;

    (void)state;
    set_up(&f, METRIC_KL);
    assert_int_equal(eap_run(&eap, &f.e, 0), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "kl"));
    refuse_clear();
    assert_int_equal(eap_run(&eap, &f.e, 3), OK);
    double largest = 0;
    for (int i = 0; i < EDGES; i++)
        largest = fmax(largest,
                       fabs(eap.score[f.receivers[i] * f.pairs.graph.senders + f.senders[i]]));
    assert_true(largest > 1e-3);
    eap_free(&eap);
    tear_down(&f);
}

/* Grouped heads, norms before and after, soft-caps, rotary positions; every next token counts. */
static void scores_gemma_2_as_another_implementation_does(void **state)
{
    enum { ROWS = 3 * 48, GEMMA_EDGES = 190 };
    static const char model[] = "tests/golden/gemma2-random";
    static const char golden[] = "tests/golden/circuits/gemma2_eap.h5";
    static int32_t clean[ROWS], corrupted[ROWS], senders[GEMMA_EDGES], receivers[GEMMA_EDGES];
    static double signed_sums[GEMMA_EDGES], absolute[GEMMA_EDGES];
    static struct question questions[ROWS];
    struct experiment e;
    struct weights weights;
    struct lm_config config;
    struct graph g;
    struct eap eap;
    int64_t count = 0;
    hid_t file;

    (void)state;
    assert_int_equal(h5_open(&file, golden), OK);
    golden_read(file, "tokens", H5T_NATIVE_INT32, ROWS, clean);
    golden_read(file, "tokens_corrupted", H5T_NATIVE_INT32, ROWS, corrupted);
    golden_read(file, "edge_sender", H5T_NATIVE_INT32, GEMMA_EDGES, senders);
    golden_read(file, "edge_receiver", H5T_NATIVE_INT32, GEMMA_EDGES, receivers);
    golden_read(file, "eap", H5T_NATIVE_DOUBLE, GEMMA_EDGES, signed_sums);
    golden_read(file, "eap_abs", H5T_NATIVE_DOUBLE, GEMMA_EDGES, absolute);
    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, model, MPI_COMM_SELF), OK);
    assert_int_equal(graph_make(&g, &config, false), OK);
    assert_int_equal(graph_edges(&g), GEMMA_EDGES);
    for (int32_t r = 0; r < ROWS; r++)
        if (r % 48 < 47)
            questions[count++] = (struct question){ r / 48, r % 48, 1, 0, &clean[r + 1], NULL };
    const struct experiment_setup setup = {
        .weights = &weights, .graph = &g, .clean = clean, .corrupted = corrupted, .prompts = 3,
        .context = 48, .questions = questions, .count = count, .metric = METRIC_LOSS,
    };
    assert_int_equal(experiment_make(&e, &setup, MPI_COMM_SELF), OK);
    assert_int_equal(eap_run(&eap, &e, 0), OK);
    double worst = 0, largest = 0;
    for (int i = 0; i < GEMMA_EDGES; i++) {
        const int32_t at = receivers[i] * g.senders + senders[i];
        largest = fmax(largest, fabs(signed_sums[i]));
        worst = fmax(worst, fabs(eap.score[at] - signed_sums[i]));
        worst = fmax(worst, fabs(eap.absolute[at] - absolute[i]));
    }
    printf("    worst difference %.2g of the largest score\n", worst / largest);
    assert_true(worst < 1e-5 * largest);
    eap_free(&eap);
    experiment_free(&e);
    weights_free(&weights);
    assert_int_equal(h5_close(&file, golden, OK), OK);
}

/* Of two heads that can each do it, the derivative sees none: the unit's ReLU is flat. */
static void scores_of_an_or_gate_are_0(void **state)
{
    const hid_t file = handmade_open("or_gate");
    struct experiment_setup setup = { .metric = METRIC_LOGIT_DIFFERENCE, .count = 1 };
    const struct question question = { .position = 0, .answers = 1, .answer = (int32_t[]){ 0 } };
    struct weights weights;
    struct experiment e;
    struct graph g;
    struct eap eap;

    (void)state;
    handmade_make(&weights, file);
    assert_int_equal(graph_make(&g, &weights.config, true), OK);
    int32_t *ids = handmade_ids(file, "tokens", &setup.prompts, &setup.context);
    setup.weights = &weights;
    setup.graph = &g;
    setup.clean = ids;
    setup.questions = &question;
    assert_int_equal(experiment_make(&e, &setup, MPI_COMM_SELF), OK);
    assert_int_equal(eap_run(&eap, &e, 0), OK);
    for (int32_t v = 0; v < g.receivers; v++)
        for (int32_t u = 0; u < graph_upstream(&g, v); u++) {
            const bool last = v == g.receivers - 1 && u == graph_mlp(&g, 0);
            assert_true(eap.score[v * g.senders + u] == (last ? -1 : 0));
        }
    eap_free(&eap);
    experiment_free(&e);
    free(ids);
    weights_free(&weights);
    H5Fclose(file);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_as_another_implementation_does),
        cmocka_unit_test(scores_gemma_2_as_another_implementation_does),
        cmocka_unit_test(scores_of_an_or_gate_are_0),
        cmocka_unit_test(effects_are_those_of_another_implementation),
        cmocka_unit_test(a_metric_that_is_flat_is_refused),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
