/* Gates of queries, keys, values and MLPs: what closed ones do, their gradients, their training. */
#include "base/allocate.h"
#include "circuit/subnetwork.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sanitized.h"

/* Learned positions; norms after, soft-caps, shared keys; norms of queries and keys; parallel. */
static const char *const MODELS[] = {
    "tests/golden/gpt2-random", "tests/golden/gemma2-random", "tests/golden/qwen3-random",
    "tests/golden/olmo2-random", "tests/golden/gpt-neox-random",
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS, PROMPTS = 3, CONTEXT = 8,
       ROWS = PROMPTS * CONTEXT, GATES = 64 };

/* Derivatives by one gate in EVERY are compared.  UPDATES are those of a training. */
enum { EVERY = SANITIZED(12, 1), UPDATES = SANITIZED(50, 120) };

struct fixture {
    struct weights          weights;
    struct graph            graph;
    int32_t                 clean[ROWS], corrupted[ROWS];
    struct question         questions[PROMPTS];
    struct experiment_setup setup;
    struct experiment       e;
    struct subnetwork       n;
};

static const int32_t ANSWER = 3, WRONG = 17;

static void set_up_reference(struct fixture *f, const char *model, enum circuit_metric metric,
                             bool zero)
{
    struct lm_config config;

    *f = (struct fixture){0};
    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, model, MPI_COMM_SELF), OK);
    assert_int_equal(graph_make(&f->graph, &f->weights.config, false), OK);
    for (int32_t r = 0; r < ROWS; r++) {
        f->clean[r] = (37 * r + 11) % config.vocabulary;
        f->corrupted[r] = (53 * r + 5) % config.vocabulary;
    }
    for (int32_t p = 0; p < PROMPTS; p++)
        f->questions[p] = (struct question){ p, CONTEXT - 1, 1, 1, &ANSWER, &WRONG };
    f->setup = (struct experiment_setup){
        .weights = &f->weights, .graph = &f->graph, .clean = f->clean,
        .corrupted = zero ? NULL : f->corrupted,
        .prompts = PROMPTS, .context = CONTEXT, .questions = f->questions, .count = PROMPTS,
        .metric = metric,
    };
    assert_int_equal(experiment_make(&f->e, &f->setup, MPI_COMM_SELF), OK);
    subnetwork_make(&f->n, &f->e);
    assert_true(f->n.count <= GATES);
}

static void set_up(struct fixture *f, const char *model, enum circuit_metric metric)
{
    set_up_reference(f, model, metric, false);
}

static void tear_down(struct fixture *f)
{
    subnetwork_free(&f->n);
    experiment_free(&f->e);
    weights_free(&f->weights);
}

/* A fixed sequence between 0.1 and 0.9. */
static float between(int32_t i)
{
    return 0.1f + 0.8f * (float)(i * 29 % 31) / 31;
}

/* --- gates in the forward pass -------------------------------------------------------------- */

/* Gates of 0 and 1 are edges of the graph, which another forward pass runs. */
static void check_closed_gates(struct fixture *f)
{
    double gradients[GATES];
    bool open[GATES];
    float gates[GATES];
    struct graph_edges edges;

    for (int pattern = 2; pattern <= 4; pattern++) {
        for (int32_t i = 0; i < f->n.count; i++) {
            open[i] = i % pattern > 0;
            gates[i] = open[i];
        }
        const double value = subnetwork_gradients(&f->n, gradients, gates);
        subnetwork_edges(&edges, &f->graph, open);
        assert_true(fabs(experiment_value(&f->e, &edges, 0) - value) < 1e-5 * fmax(1, fabs(value)));
        graph_edges_free(&edges);
    }
}

static void closed_gates_are_absent_edges(void **state)
{
    static struct fixture f;

    (void)state;
    for (int m = 0; m < 2 * MODEL_COUNT; m++) {
        set_up_reference(&f, MODELS[m / 2], METRIC_LOGIT_DIFFERENCE, m % 2);
        check_closed_gates(&f);
        tear_down(&f);
    }
}

/* The derivative of the metric by a gate: a difference of four points, whose error is of the fourth
 * order in the step.  Gates may leave 0 ... 1. */
static double difference(struct fixture *f, float *gates, int32_t i)
{
    static const double WEIGHTS[] = { 1, -8, 8, -1 };
    static const float STEPS[] = { -2 / 64.f, -1 / 64.f, 1 / 64.f, 2 / 64.f };
    const float gate = gates[i];
    double others[GATES], sum = 0;

    for (int k = 0; k < 4; k++) {
        gates[i] = gate + STEPS[k];
        sum += WEIGHTS[k] * subnetwork_gradients(&f->n, others, gates);
    }
    gates[i] = gate;
    return sum / (12. / 64);
}

static void gradients_are_those_of_the_metric(void **state)
{
    static struct fixture f;
    double gradients[GATES];
    float gates[GATES];

    (void)state;
    for (int m = 0; m < MODEL_COUNT; m++) {
        double worst = 0, most = 0;
        set_up(&f, MODELS[m], METRIC_KL);
        for (int32_t i = 0; i < f.n.count; i++)
            gates[i] = between(i);
        subnetwork_gradients(&f.n, gradients, gates);
        for (int32_t i = 0; i < f.n.count; i += EVERY) {
            worst = fmax(worst, fabs(difference(&f, gates, i) - gradients[i]));
            most = fmax(most, fabs(gradients[i]));
        }
        printf("    %s: %.2g of the largest\n", MODELS[m], worst / most);
        assert_true(most > 0 && worst < 1e-3 * most);
        tear_down(&f);
    }
}

/* --- hard concrete gates -------------------------------------------------------------------- */

/* Without noise and with log_alpha 0 s is 1/2, and so is the gate. */
static void gates_follow_their_definition(void **state)
{
    const double step = 1e-6;
    double slope, before, after, none;
    int64_t open = 0;
    enum { DRAWS = 100000 };

    (void)state;
    assert_true(fabs(subnetwork_gate(&slope, 0, 0.5) - 0.5) < 1e-15);
    assert_true(fabs(slope - 1.2 / 4 * 1.5) < 1e-15);
    after = subnetwork_gate(&none, 0.3 + step, 0.4);
    before = subnetwork_gate(&none, 0.3 - step, 0.4);
    subnetwork_gate(&slope, 0.3, 0.4);
    assert_true(fabs((after - before) / (2 * step) - slope) < 1e-8);
    assert_true(subnetwork_gate(&slope, -9, 0.5) == 0 && slope == 0);
    assert_true(subnetwork_gate(&slope, 9, 0.5) == 1 && slope == 0);
    for (int i = 0; i < DRAWS; i++)
        open += subnetwork_gate(&slope, -0.7, (i + 0.5) / DRAWS) > 0;
    assert_true(fabs((double)open / DRAWS - subnetwork_chance(-0.7)) < 2. / DRAWS);
}

/* --- training ------------------------------------------------------------------------------- */

static int32_t open_gates(struct fixture *f, double lambda)
{
    const struct subnetwork_options options = { .lambda = lambda, .steps = UPDATES, .seed = 1 };
    float log_alpha[GATES];
    int32_t open = 0;

    assert_int_equal(subnetwork_train(&f->n, log_alpha, &options, NULL, NULL), OK);
    for (int32_t i = 0; i < f->n.count; i++)
        open += log_alpha[i] > 0;
    return open;
}

/* A penalty beyond any metric closes all; a small one those that the metric hardly needs. */
static void training_closes_what_is_not_needed(void **state)
{
    static struct fixture f;

    (void)state;
    set_up(&f, MODELS[0], METRIC_KL);
    const int32_t most = open_gates(&f, 0), some = open_gates(&f, 0.02);
    printf("    open of %d: %d, %d\n", (int)f.n.count, (int)most, (int)some);
    assert_true(most > some && some > 0);
    assert_int_equal(open_gates(&f, 1e3), 0);
    tear_down(&f);
}

/* Where the penalty rules, the first step of Adam is its rate: from (2 / 3) log 5, where a gate
 * without noise is 0.9, down by 0.05. */
static void a_step_follows_the_penalty(void **state)
{
    static struct fixture f;
    const struct subnetwork_options options = { .lambda = 1e3, .steps = 1 };
    float log_alpha[GATES];

    (void)state;
    set_up(&f, MODELS[0], METRIC_KL);
    assert_int_equal(subnetwork_train(&f.n, log_alpha, &options, NULL, NULL), OK);
    for (int32_t i = 0; i < f.n.count; i++)
        assert_true(fabs((double)log_alpha[i] - (2 / 3. * log(5) - 0.05)) < 1e-6);
    tear_down(&f);
}

static enum status stop(void *context, int64_t steps)
{
    *(int64_t *)context = steps;
    return steps == 3 ? E_STOPPED : OK;
}

static void training_can_be_stopped(void **state)
{
    static struct fixture f;
    const struct subnetwork_options options = { .lambda = 1, .steps = 120 };
    float log_alpha[GATES];
    int64_t steps = 0;

    (void)state;
    set_up(&f, MODELS[0], METRIC_KL);
    assert_int_equal(subnetwork_train(&f.n, log_alpha, &options, stop, &steps), E_STOPPED);
    assert_int_equal(steps, 3);
    tear_down(&f);
}

/* One layer: the queries of head 0 and the MLP are open. */
static void open_gates_make_a_circuit(void **state)
{
    const struct lm_config config = { .layers = 1, .heads = 2, .kv_heads = 2, .mlp_width = 8 };
    struct graph_edges circuit;
    struct graph g;
    bool open[GATES] = {0};

    (void)state;
    assert_int_equal(graph_make(&g, &config, false), OK);
    const int32_t q = graph_receiver(&g, GRAPH_Q, 0, 0), mlp = graph_receiver(&g, GRAPH_MLP, 0, 0);
    open[q] = open[mlp] = true;
    subnetwork_circuit(&circuit, &g, open);
    /* embed to q, its direct edge; embed and head to the MLP; embed, head and MLP to the end */
    assert_int_equal(graph_edges_count(&circuit), 2 + 2 + 3);
    assert_true(circuit.direct[q]);
    assert_true(circuit.mask[mlp * g.senders + graph_head(&g, 0, 0)] == 1);
    assert_true(circuit.mask[mlp * g.senders + graph_head(&g, 0, 1)] == 0);
    graph_edges_free(&circuit);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_gates_are_absent_edges),
        cmocka_unit_test(gradients_are_those_of_the_metric),
        cmocka_unit_test(gates_follow_their_definition),
        cmocka_unit_test(a_step_follows_the_penalty),
        cmocka_unit_test(training_closes_what_is_not_needed),
        cmocka_unit_test(training_can_be_stopped),
        cmocka_unit_test(open_gates_make_a_circuit),
    };

    omp_set_num_threads(1);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
