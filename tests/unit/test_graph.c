/* The model as a graph against the ordinary forward pass, for every family: Conmy et al.,
 * arXiv:2304.14997, what follows from the definition of an absent edge. */
#include "base/allocate.h"
#include "circuit/graph_forward.h"
#include "lm/families.h"
#include "lm/head.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const MODELS[] = {
    "tests/golden/gemma1-random", "tests/golden/gemma2-random", "tests/golden/gemma3-random",
    "tests/golden/gpt2-random", "tests/golden/llama3-random", "tests/golden/mistral-random",
    "tests/golden/qwen2-random", "tests/golden/qwen3-random", "tests/golden/gpt-neox-random",
    "tests/golden/olmo2-random", "tests/golden/phi3-random",
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS, SEQUENCES = 3, CONTEXT = 20,
       ROWS = SEQUENCES * CONTEXT };

static const double TOLERANCE = 1e-5;

/* A model, two texts, and its graph with the second text as the reference. */
struct fixture {
    struct weights       weights;
    struct graph         graph;
    struct graph_forward run;           /* its reference: the corrupted text */
    struct graph_forward own;           /* its reference: the clean text */
    struct graph_edges   all, none;
    struct forward       forward;
    int32_t              clean[ROWS], corrupted[ROWS];
    int64_t              rows[ROWS];    /* all of them */
    float               *expected, *stream;     /* [ROWS, width] */
    float               *scratch;
};

static void set_up(struct fixture *f, const char *model)
{
    struct lm_config config;

    *f = (struct fixture){0};
    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, model, MPI_COMM_SELF), OK);
    assert_int_equal(graph_make(&f->graph, &f->weights.config, false), OK);
    for (int32_t r = 0; r < ROWS; r++) {
        f->clean[r] = (37 * r + 11) % config.vocabulary;
        f->corrupted[r] = (53 * r + 5) % config.vocabulary;
        f->rows[r] = r;
    }
    f->scratch = allocate(graph_forward_scratch(&f->graph, &config), sizeof(float));
    graph_forward_make(&f->run, &f->graph, &f->weights, SEQUENCES, CONTEXT);
    graph_forward_make(&f->own, &f->graph, &f->weights, SEQUENCES, CONTEXT);
    graph_forward_reference(&f->run, f->clean, SEQUENCES, false, f->scratch);
    graph_forward_refer(&f->run, f->corrupted, false, f->scratch);
    graph_forward_reference(&f->own, f->clean, SEQUENCES, false, f->scratch);
    graph_edges_make(&f->all, &f->graph, true);
    graph_edges_make(&f->none, &f->graph, false);
    forward_make(&f->forward, &f->weights, SEQUENCES, CONTEXT);
    f->expected = allocate(ROWS * (int64_t)config.width, sizeof(float));
    f->stream = allocate(ROWS * (int64_t)config.width, sizeof(float));
}

static void tear_down(struct fixture *f)
{
    free(f->scratch);
    free(f->stream);
    free(f->expected);
    forward_free(&f->forward);
    graph_edges_free(&f->none);
    graph_edges_free(&f->all);
    graph_forward_free(&f->own);
    graph_forward_free(&f->run);
    weights_free(&f->weights);
}

static int64_t values_of(const struct fixture *f)
{
    return ROWS * (int64_t)f->weights.config.width;
}

/* What a sender makes in a reference. */
static const float *sent(const struct fixture *f, const struct graph_forward *of, int32_t sender)
{
    return of->reference + sender * values_of(f);
}

static void check_near(const struct fixture *f, const float *got, const float *expected)
{
    double difference = 0, norm = 0;

    for (int64_t i = 0; i < values_of(f); i++) {
        const double d = (double)got[i] - (double)expected[i];
        difference += d * d;
        norm += (double)expected[i] * (double)expected[i];
    }
    assert_true(norm > 0);
    assert_true(sqrt(difference / norm) < TOLERANCE);
}

/* The last stream of the run with these edges. */
static void run(struct fixture *f, const struct graph_edges *edges)
{
    graph_forward_run(&f->run, edges, 0, f->scratch);
    graph_forward_end(&f->run, edges, f->stream, f->rows, ROWS);
}

/* The last stream of the ordinary forward pass. */
static void forward(struct fixture *f, const int32_t *ids)
{
    assert_int_equal(forward_start(&f->forward, ids, SEQUENCES), OK);
    forward_to(&f->forward, forward_end(&f->forward));
    memcpy(f->expected, f->forward.values, (size_t)values_of(f) * sizeof(float));
}

/* --- identities -------------------------------------------------------------------------- */

static void all_edges_are_the_clean_run(struct fixture *f)
{
    run(f, &f->all);
    forward(f, f->clean);
    check_near(f, f->stream, f->expected);
}

static void no_edges_are_the_corrupted_run(struct fixture *f)
{
    run(f, &f->none);
    forward(f, f->corrupted);
    check_near(f, f->stream, f->expected);
}

static void an_edge_to_the_end_carries_what_its_sender_makes(struct fixture *f)
{
    float *whole = allocate(values_of(f), sizeof *whole);

    run(f, &f->all);
    memcpy(whole, f->stream, (size_t)values_of(f) * sizeof *whole);
    for (int32_t u = 0; u < f->graph.senders; u++) {
        float *edge = &f->all.mask[(f->graph.receivers - 1) * f->graph.senders + u];
        *edge = 0;
        graph_forward_end(&f->run, &f->all, f->stream, f->rows, ROWS);
        *edge = 1;
        for (int64_t i = 0; i < values_of(f); i++)
            f->expected[i] = whole[i] + sent(f, &f->run, u)[i] - sent(f, &f->own, u)[i];
        check_near(f, f->stream, f->expected);
    }
    free(whole);
}

/* The ordinary forward pass with what a sender makes replaced, after the norm behind it. */
static void patch(struct fixture *f, int32_t sender)
{
    const struct graph_node node = graph_sender_at(&f->graph, sender);
    const struct lm_config *c = &f->weights.config;
    struct forward *forward = &f->forward;
    const bool head = node.part == GRAPH_Q;

    assert_int_equal(forward_start(forward, f->clean, SEQUENCES), OK);
    if (node.layer >= 0)
        forward_to(forward, (struct tap){ head ? SITE_MLP_IN : SITE_RES, node.layer });
    for (int64_t i = 0; i < values_of(f); i++)
        forward->residual[i] += sent(f, &f->run, sender)[i] - sent(f, &f->own, sender)[i];
    if (head && !c->parallel)
        weights_normalise(forward->normed, forward->residual,
                          f->weights.layers[node.layer].mlp_norm, c, ROWS);
    forward_to(forward, forward_end(forward));
    memcpy(f->expected, forward->values, (size_t)values_of(f) * sizeof(float));
}

static void a_sender_without_edges_is_patched(struct fixture *f)
{
    const struct graph *g = &f->graph;

    for (int32_t u = 0; u < g->senders; u++) {
        for (int32_t v = 0; v < g->receivers; v++)
            f->all.mask[v * g->senders + u] = 0;
        run(f, &f->all);
        for (int32_t v = 0; v < g->receivers; v++)
            f->all.mask[v * g->senders + u] = u < graph_upstream(g, v);
        patch(f, u);
        check_near(f, f->stream, f->expected);
    }
}

/* A run that goes on from a layer, after edges there have changed, is a whole run. */
static void a_run_goes_on_from_a_layer(struct fixture *f)
{
    const int32_t layer = f->graph.layers - 1;

    for (enum graph_part part = GRAPH_Q; part <= GRAPH_MLP; part++) {
        const int32_t v = graph_receiver(&f->graph, part, layer, 0);
        run(f, &f->all);
        f->all.mask[v * f->graph.senders] = 0;
        graph_forward_run(&f->run, &f->all, v, f->scratch);
        graph_forward_end(&f->run, &f->all, f->expected, f->rows, ROWS);
        run(f, &f->all);
        f->all.mask[v * f->graph.senders] = 1;
        assert_memory_equal(f->stream, f->expected, (size_t)values_of(f) * sizeof(float));
    }
}

static void identities_hold_for_every_family(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < MODEL_COUNT; i++) {
        printf("    %s\n", MODELS[i]);
        set_up(&f, MODELS[i]);
        all_edges_are_the_clean_run(&f);
        no_edges_are_the_corrupted_run(&f);
        an_edge_to_the_end_carries_what_its_sender_makes(&f);
        a_sender_without_edges_is_patched(&f);
        a_run_goes_on_from_a_layer(&f);
        tear_down(&f);
    }
}

static void each_family_has_a_model_here(void **state)
{
    (void)state;
    for (int i = 0; families_at(i) != NULL; i++) {
        bool found = false;
        for (int m = 0; m < MODEL_COUNT; m++) {
            struct lm_config config;
            assert_int_equal(config_read(&config, MODELS[m]), OK);
            found = found || config.family == families_at(i);
        }
        if (!found)
            fail_msg("no model of the family %s", families_at(i)->name);
    }
}

/* --- names and refusals -------------------------------------------------------------------- */

static void names_are_read_as_they_are_written(void **state)
{
    const struct lm_config config = { .layers = 3, .heads = 4, .kv_heads = 2, .mlp_width = 8,
                                      .learned_positions = true };
    char name[GRAPH_NAME];
    struct graph g;
    int32_t number;

    (void)state;
    assert_int_equal(graph_make(&g, &config, true), OK);
    for (int32_t u = 0; u < g.senders; u++) {
        assert_int_equal(graph_sender_parse(&number, &g, graph_sender_name(name, &g, u), "here"),
                         OK);
        assert_int_equal(number, u);
    }
    for (int32_t v = 0; v < g.receivers; v++) {
        assert_int_equal(graph_receiver_parse(&number, &g, graph_receiver_name(name, &g, v),
                                              "here"),
                         OK);
        assert_int_equal(number, v);
    }
    assert_string_equal(graph_sender_name(name, &g, 1), "pos");
    assert_string_equal(graph_receiver_name(name, &g, graph_receiver(&g, GRAPH_K, 1, 3)), "a1.2.k");
}

static void a_node_that_is_not_there_is_refused(void **state)
{
    const struct lm_config config = { .layers = 2, .heads = 4, .kv_heads = 4, .mlp_width = 8 };
    struct graph g;
    int32_t number;

    (void)state;
    assert_int_equal(graph_make(&g, &config, true), E_USAGE);
    refuse_clear();
    assert_int_equal(graph_make(&g, &config, false), OK);
    assert_int_equal(graph_sender_parse(&number, &g, "a2.0", "here"), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "a2.0"));
    refuse_clear();
    assert_int_equal(graph_receiver_parse(&number, &g, "a0.4.q", "here"), E_USAGE);
    refuse_clear();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_hold_for_every_family),
        cmocka_unit_test(each_family_has_a_model_here),
        cmocka_unit_test(names_are_read_as_they_are_written),
        cmocka_unit_test(a_node_that_is_not_there_is_refused),
    };

    omp_set_num_threads(1);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
