/* What follows from the definitions of searching for edges (Conmy et al., arXiv:2304.14997) and of
 * scoring them (Syed et al., arXiv:2310.10348): on every family, and on models written by hand. */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "circuit/acdc.h"
#include "circuit/eap.h"
#include "lm/backward.h"
#include "tests/handmade.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const MODELS[] = {
    "tests/golden/gemma1-random", "tests/golden/gemma2-random", "tests/golden/gemma3-random",
    "tests/golden/gpt2-random", "tests/golden/llama3-random", "tests/golden/mistral-random",
    "tests/golden/qwen2-random", "tests/golden/qwen3-random", "tests/golden/gpt-neox-random",
    "tests/golden/olmo2-random", "tests/golden/phi3-random", "jobs/circuits/tiny-gpt2",
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS, PROMPTS = 2, CONTEXT = 8,
       ROWS = PROMPTS * CONTEXT };

/* Differences of edges that are compared, of each model: one of so many. */
#ifdef __SANITIZE_ADDRESS__
enum { EVERY = 197 };
#else
enum { EVERY = 37 };
#endif

/* float32's rounding, relative to the largest value. */
static const double TOLERANCE = 1e-5;

/* Of differences: that of a metric, divided by a step. */
static const double DIFFERENCE_TOLERANCE = 1e-4;

/* A model, two texts, and an answer and a wrong one after each prompt. */
struct fixture {
    struct weights          weights;
    struct graph            graph;
    int32_t                 clean[ROWS], corrupted[ROWS];
    struct question         questions[PROMPTS];
    struct experiment_setup setup;
    struct experiment       e;
};

static const int32_t ANSWER = 3, WRONG = 17;

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
    }
    for (int32_t p = 0; p < PROMPTS; p++)
        f->questions[p] = (struct question){ p, CONTEXT - 1, 1, 1, &ANSWER, &WRONG };
    f->setup = (struct experiment_setup){
        .weights = &f->weights, .graph = &f->graph, .clean = f->clean, .corrupted = f->corrupted,
        .prompts = PROMPTS, .context = CONTEXT, .questions = f->questions, .count = PROMPTS,
        .metric = METRIC_LOGIT_DIFFERENCE,
    };
    assert_int_equal(experiment_make(&f->e, &f->setup, MPI_COMM_SELF), OK);
}

static void tear_down(struct fixture *f)
{
    experiment_free(&f->e);
    weights_free(&f->weights);
}

/* The size of the largest score. */
static double largest(const struct eap *eap, const struct graph *g)
{
    double most = 0;

    for (int64_t i = 0; i < (int64_t)g->receivers * g->senders; i++)
        most = fmax(most, fabs(eap->score[i]));
    return most;
}

/* --- searches ------------------------------------------------------------------------------ */

static double value(void *context, const struct graph_edges *edges, int32_t receiver)
{
    return experiment_value(context, edges, receiver);
}

/* Edges that a search leaves. */
static int64_t left(struct experiment *e, double threshold)
{
    const struct acdc_search search = {
        .options.threshold = threshold, .value = value, .context = e,
    };
    struct graph_edges edges;
    struct acdc acdc;

    graph_edges_make(&edges, e->setup.graph, true);
    assert_int_equal(acdc_run(&acdc, &edges, &search), OK);
    const int64_t count = graph_edges_count(&edges);
    acdc_free(&acdc);
    graph_edges_free(&edges);
    return count;
}

static void infinite_thresholds_leave_nothing_and_all(struct fixture *f)
{
    assert_int_equal(left(&f->e, HUGE_VAL), 0);
    if (f->graph.layers * f->graph.heads < 16)      /* a test of each edge */
        assert_int_equal(left(&f->e, -HUGE_VAL),
                         graph_edges(&f->graph) + graph_direct_edges(&f->graph));
}

/* With the same prompts no edge carries anything, whatever is removed. */
static void the_same_prompts_leave_nothing(struct fixture *f)
{
    struct experiment_setup same = f->setup;
    struct experiment e;
    struct eap eap;

    same.corrupted = f->clean;
    assert_int_equal(experiment_make(&e, &same, MPI_COMM_SELF), OK);
    assert_int_equal(eap_run(&eap, &e, 0), OK);
    assert_true(largest(&eap, &f->graph) == 0);
    eap_free(&eap);
    assert_int_equal(left(&e, 1e-5), 0);
    experiment_free(&e);
}

/* --- scores -------------------------------------------------------------------------------- */

/* The metric by the share of an edge that is absent, at 0: a difference of ten points, whose error
 * is of the eleventh order in the step. */
static double difference(struct fixture *f, struct graph_edges *edges, int32_t u, int32_t v,
                         float step)
{
    static const double WEIGHTS[] = { 5 / 6., -5 / 21., 5 / 84., -5 / 504., 1 / 1260. };
    float *edge = &edges->mask[v * f->graph.senders + u];
    double sum = 0;

    for (int i = 0; i < 5; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            *edge = 1 - (float)(sign * (i + 1)) * step;
            sum += sign * WEIGHTS[i] * experiment_value(&f->e, edges, v);
        }
    *edge = 1;
    return sum / (double)step;
}

/* The derivative.  Long steps leave the range where the series converges, short ones have the
 * rounding of the metric divided by them: take those two that agree best, as Ridders does. */
static double derivative(struct fixture *f, struct graph_edges *edges, int32_t u, int32_t v)
{
    double before = difference(f, edges, u, v, 1 / 16.f), least = HUGE_VAL, best = 0;

    for (float step = 1 / 32.f; step > 1 / 200.f; step /= 2) {
        const double next = difference(f, edges, u, v, step);
        if (fabs(next - before) < least) {
            least = fabs(next - before);
            best = (next + before) / 2;
        }
        before = next;
    }
    return best;
}

static void scores_are_derivatives(struct fixture *f)
{
    const struct graph *g = &f->graph;
    struct graph_edges edges;
    struct eap eap;
    double worst = 0;
    int64_t seen = 0;

    assert_int_equal(eap_run(&eap, &f->e, 0), OK);
    graph_edges_make(&edges, g, true);
    experiment_value(&f->e, &edges, 0);
    for (int32_t v = g->receivers; v-- > 0; )
        for (int32_t u = 0; u < graph_upstream(g, v); u++, seen++)
            if (seen % EVERY == 0)
                worst = fmax(worst, fabs(derivative(f, &edges, u, v)
                                         + eap.score[v * g->senders + u]));
    printf("    derivatives: %.2g of the largest score\n", worst / largest(&eap, g));
    assert_true(worst < DIFFERENCE_TOLERANCE * largest(&eap, g));
    graph_edges_free(&edges);
    eap_free(&eap);
}

/* The product of a gradient with the difference of two streams, and with that of their sizes. */
static void multiply(double product[2], const float *gradient, const float *a, const float *b,
                     int64_t count)
{
    product[0] = product[1] = 0;
    for (int64_t i = 0; i < count; i++) {
        product[0] += (double)gradient[i] * ((double)a[i] - (double)b[i]);
        product[1] += fabs((double)gradient[i] * ((double)a[i] - (double)b[i]));
    }
}

/* The streams that the receivers of an ordinary run read, [2 layers + 1, ROWS, width]: before
 * attention, before the MLP, ..., and at the end.  Caller frees. */
static float *streams_of(const struct fixture *f, const int32_t *ids)
{
    const struct lm_config *c = &f->weights.config;
    const int64_t values = ROWS * (int64_t)c->width;
    float *streams = allocate((2 * c->layers + 1) * values, sizeof *streams);
    struct forward forward;

    forward_make(&forward, &f->weights, PROMPTS, CONTEXT);
    assert_int_equal(forward_start(&forward, ids, PROMPTS), OK);
    for (int32_t layer = 0; layer < c->layers; layer++) {
        float *at = streams + 2 * layer * values;
        memcpy(at, forward.residual, (size_t)values * sizeof *at);
        forward_to(&forward, (struct tap){ SITE_MLP_IN, layer });
        memcpy(at + values, c->parallel ? at : forward.residual, (size_t)values * sizeof *at);
        forward_to(&forward, (struct tap){ SITE_RES, layer });
    }
    memcpy(streams + 2 * c->layers * values, forward.residual, (size_t)values * sizeof *streams);
    forward_free(&forward);
    return streams;
}

/* The scores of some receivers add up to what their inputs' difference does. */
static void check_sums(const struct fixture *f, const struct eap *eap, int32_t receiver,
                       int32_t count, const float *gradients, const float *clean,
                       const float *corrupted)
{
    const int64_t values = ROWS * (int64_t)f->weights.config.width;

    for (int32_t i = 0; i < count; i++) {
        double product[2], sum = 0;
        multiply(product, gradients + i * values, clean, corrupted, values);
        for (int32_t u = 0; u < f->graph.senders; u++)
            sum += eap->score[(receiver + i) * f->graph.senders + u];
        assert_true(fabs(sum - product[0]) <= TOLERANCE * product[1]);
    }
}

/* The gradient by the last stream, 0 where nothing is asked, [ROWS, width].  Caller frees. */
static float *last_gradient(struct fixture *f)
{
    const int64_t width = f->weights.config.width;
    float *all = allocate(ROWS * width, sizeof *all);
    float *asked = allocate(PROMPTS * width, sizeof *asked);

    experiment_gradients(&f->e, asked);
    for (int64_t p = 0; p < PROMPTS; p++)
        memcpy(all + (p * CONTEXT + CONTEXT - 1) * width, asked + p * width,
               (size_t)width * sizeof *all);
    free(asked);
    return all;
}

static void scores_are_complete(struct fixture *f)
{
    const struct graph *g = &f->graph;
    const int64_t values = ROWS * (int64_t)f->weights.config.width;
    float *clean = streams_of(f, f->clean), *corrupted = streams_of(f, f->corrupted);
    const int64_t end = 2 * g->layers * values;
    struct backward backward;
    struct forward forward;
    struct eap eap;

    assert_int_equal(eap_run(&eap, &f->e, 0), OK);
    float *gradient = last_gradient(f);
    check_sums(f, &eap, g->receivers - 1, 1, gradient, clean + end, corrupted + end);
    forward_make(&forward, &f->weights, PROMPTS, CONTEXT);
    backward_make(&backward, &forward);
    assert_int_equal(forward_start(&forward, f->clean, PROMPTS), OK);
    backward_walk(&backward, forward_end(&forward));
    backward_start(&backward, gradient);
    for (int32_t layer = g->layers; layer-- > 0; ) {
        const int64_t at = 2 * layer * values;
        backward_to(&backward, (struct tap){ SITE_ATTN, layer });
        check_sums(f, &eap, graph_receiver(g, GRAPH_MLP, layer, 0), 1, backward.mlp,
                   clean + at + values, corrupted + at + values);
        backward_next(&backward);
        check_sums(f, &eap, graph_attention(g, layer), graph_attention_receivers(g),
                   backward.attention, clean + at, corrupted + at);
    }
    backward_free(&backward);
    forward_free(&forward);
    free(gradient);
    eap_free(&eap);
    free(corrupted);
    free(clean);
}

/* What MLPs send in an ordinary run, [layers, ROWS, width].  Caller frees. */
static float *sent_by_mlps(const struct fixture *f, const int32_t *ids)
{
    const int64_t values = ROWS * (int64_t)f->weights.config.width;
    float *sent = allocate(f->graph.layers * values, sizeof *sent);
    struct forward forward;

    forward_make(&forward, &f->weights, PROMPTS, CONTEXT);
    assert_int_equal(forward_start(&forward, ids, PROMPTS), OK);
    for (int32_t layer = 0; layer < f->graph.layers; layer++) {
        forward_to(&forward, (struct tap){ SITE_MLP, layer });
        memcpy(sent + layer * values, forward.values, (size_t)values * sizeof *sent);
    }
    forward_free(&forward);
    return sent;
}

/* The importance of an MLP is the product of what it sends with the gradient at its site, each
 * prompt by itself. */
static void importances_are_products_with_gradients(struct fixture *f)
{
    const int64_t each = CONTEXT * (int64_t)f->weights.config.width, values = PROMPTS * each;
    float *clean = sent_by_mlps(f, f->clean), *corrupted = sent_by_mlps(f, f->corrupted);
    struct backward backward;
    struct forward forward;
    struct eap eap;

    assert_int_equal(eap_run(&eap, &f->e, 0), OK);
    float *gradient = last_gradient(f);
    forward_make(&forward, &f->weights, PROMPTS, CONTEXT);
    backward_make(&backward, &forward);
    assert_int_equal(forward_start(&forward, f->clean, PROMPTS), OK);
    backward_walk(&backward, forward_end(&forward));
    backward_start(&backward, gradient);
    for (int32_t layer = f->graph.layers; layer-- > 0; ) {
        double sum = 0, sizes = 0, product[2];
        backward_to(&backward, (struct tap){ SITE_MLP, layer });
        for (int64_t p = 0; p < PROMPTS; p++) {
            const int64_t at = layer * values + p * each;
            multiply(product, backward.gradient + p * each, clean + at, corrupted + at, each);
            sum += fabs(product[0]);
            sizes += product[1];
        }
        assert_true(fabs(eap.importance[graph_mlp(&f->graph, layer)] - sum) < TOLERANCE * sizes);
    }
    backward_free(&backward);
    forward_free(&forward);
    free(gradient);
    eap_free(&eap);
    free(corrupted);
    free(clean);
}

/* One step of integrated gradients is the clean run, where the divergence is least. */
static void scores_of_the_divergence_are_0(struct fixture *f)
{
    struct experiment_setup setup = f->setup;
    struct experiment e;
    struct eap eap, other;

    setup.metric = METRIC_KL;
    assert_int_equal(experiment_make(&e, &setup, MPI_COMM_SELF), OK);
    assert_int_equal(eap_run(&eap, &e, 1), OK);
    assert_int_equal(eap_run(&other, &f->e, 1), OK);
    assert_true(largest(&eap, &f->graph) < TOLERANCE * largest(&other, &f->graph));
    eap_free(&other);
    eap_free(&eap);
    experiment_free(&e);
}

static void identities_hold_for_every_family(void **state)
{
    static struct fixture f;

    (void)state;
    for (int i = 0; i < MODEL_COUNT; i++) {
        printf("    %s\n", MODELS[i]);
        set_up(&f, MODELS[i]);
        infinite_thresholds_leave_nothing_and_all(&f);
        the_same_prompts_leave_nothing(&f);
        scores_are_complete(&f);
        importances_are_products_with_gradients(&f);
        scores_are_derivatives(&f);
        scores_of_the_divergence_are_0(&f);
        tear_down(&f);
    }
}

/* --- models written by hand ------------------------------------------------------------------ */

/* A hand-made model with three of its prompts, asked at the last position for minus a logit.  (The
 * corrupted prompts are the clean ones in another order, so scores of all would add up to 0.) */
struct linear_case {
    hid_t                   file;
    struct weights          weights;
    struct graph            graph;
    int32_t                *clean, *corrupted;
    struct question        *questions;
    struct experiment_setup setup;
};

static void open_case(struct linear_case *c, const char *model)
{
    static const int32_t ids[] = { 0, 2 };

    *c = (struct linear_case){ .file = handmade_open(model) };
    handmade_make(&c->weights, c->file);
    assert_int_equal(graph_make(&c->graph, &c->weights.config, true), OK);
    struct experiment_setup *s = &c->setup;
    c->clean = handmade_ids(c->file, "tokens", &s->prompts, &s->context);
    c->corrupted = handmade_ids(c->file, "tokens_corrupted", &s->prompts, &s->context);
    s->prompts = 3;
    c->questions = allocate(s->prompts, sizeof *c->questions);
    const int32_t *answer = &ids[c->weights.config.outputs > 1];
    for (int64_t p = 0; p < s->prompts; p++)
        c->questions[p] = (struct question){ p, (int32_t)s->context - 1, 1, 0, answer, NULL };
    s->weights = &c->weights;
    s->graph = &c->graph;
    s->clean = c->clean;
    s->corrupted = c->corrupted;
    s->questions = c->questions;
    s->count = s->prompts;
    s->metric = METRIC_LOGIT_DIFFERENCE;
}

static void close_case(struct linear_case *c)
{
    free(c->questions);
    free(c->corrupted);
    free(c->clean);
    weights_free(&c->weights);
    H5Fclose(c->file);
}

/* Removing an edge to any of these receivers changes the metric by exactly minus its score. */
static void check_exact(struct linear_case *c, int32_t receiver)
{
    const struct graph *g = &c->graph;
    struct graph_edges all;
    struct experiment e;
    struct eap eap;

    assert_int_equal(experiment_make(&e, &c->setup, MPI_COMM_SELF), OK);
    assert_int_equal(eap_run(&eap, &e, 0), OK);
    graph_edges_make(&all, g, true);
    const double whole = experiment_value(&e, &all, 0), most = largest(&eap, g);
    double worst = 0;
    assert_true(most > 0.01);
    for (int32_t v = g->receivers - 1; v >= receiver; v--)
        for (int32_t u = 0; u < graph_upstream(g, v); u++) {
            const int32_t edge[1][2] = { { u, v } };
            double effect;
            eap_effects(&effect, &e, edge, 1, whole);
            worst = fmax(worst, fabs(effect + eap.score[v * g->senders + u]));
        }
    printf("    worst %.2g, largest score %.2g, metric %.2g\n", worst, most, whole);
    assert_true(worst < TOLERANCE * fmax(most, fabs(whole)));
    graph_edges_free(&all);
    eap_free(&eap);
    experiment_free(&e);
}

/* Nothing but a product lies between the end's input and the logits. */
static void scores_of_edges_to_the_end_are_exact(void **state)
{
    struct linear_case c;

    (void)state;
    for (int i = 0; i < 2; i++) {
        open_case(&c, i == 0 ? "x_proportion" : "induction");
        check_exact(&c, c.graph.receivers - 1);
        close_case(&c);
    }
}

/* Make everything linear: heads look everywhere alike, and each unit of an MLP is always on. */
static void linearise(struct weights *weights)
{
    const struct lm_config *c = &weights->config;
    const int64_t looks = 2 * (int64_t)c->heads * c->head_width;

    for (int32_t layer = 0; layer < c->layers; layer++) {
        struct layer_weights *w = &weights->layers[layer];
        float *matrix = allocate(3 * looks / 2 * c->width, sizeof *matrix);
        memcpy(matrix + looks * c->width, linear_matrix(&w->qkv) + looks * c->width,
               (size_t)(looks / 2 * c->width) * sizeof *matrix);
        handmade_pack(&w->qkv, matrix);
        memset(w->qkv_bias, 0, (size_t)looks * sizeof(float));
        free(matrix);
        for (int32_t i = 0; i < c->mlp_width; i++)
            w->mlp_in_bias[i] = 8;
    }
}

static void scores_of_a_linear_model_are_exact(void **state)
{
    struct linear_case c;

    (void)state;
    for (int i = 0; i < 2; i++) {
        open_case(&c, i == 0 ? "x_proportion" : "induction");
        linearise(&c.weights);
        check_exact(&c, 0);
        close_case(&c);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_hold_for_every_family),
        cmocka_unit_test(scores_of_edges_to_the_end_are_exact),
        cmocka_unit_test(scores_of_a_linear_model_are_exact),
    };

    blas_core_settle(argv);
    omp_set_num_threads(1);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
