/* What a test of an edge costs next to the products that it cannot do without, on a model of the
 * shape of GPT-2 small with random weights and 100 prompts of 16 tokens. */
#include "base/allocate.h"
#include "base/memory.h"
#include "base/random.h"
#include "circuit/eap.h"
#include "kernels/gemm.h"
#include "lm/backward.h"
#include "tests/bench/gpt2_shape.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROMPTS = 100, CONTEXT = 16, ROWS = PROMPTS * CONTEXT, REPEATS = 5 };

/* --- products alone ---------------------------------------------------------------------- */

/* Memory that the products read and write, as large as what the run uses. */
struct arrays {
    float *differences;     /* [senders, ROWS * WIDTH] */
    float *inputs;          /* [3 heads, ROWS * WIDTH] */
    float *hidden;          /* [ROWS, HIDDEN] */
    float *weights;         /* [HIDDEN, WIDTH] */
    float *embedding;       /* [VOCABULARY, WIDTH] */
    float *logits;          /* [PROMPTS, VOCABULARY] */
    float *mask;            /* [3 heads, senders] */
    int32_t senders;
};

static void multiply(const struct arrays *a, int64_t outputs, int64_t inputs)
{
    gemm_nt(a->hidden, outputs, a->inputs, inputs, a->weights, inputs, ROWS, outputs, inputs,
            false);
}

/* The products of the mask with differences, and with weights, of the layers from that of a
 * receiver on. */
static double products(const struct arrays *a, const struct graph *g, int32_t receiver)
{
    const struct graph_node from = graph_receiver_at(g, receiver);
    const double since = omp_get_wtime();

    for (int32_t layer = from.layer; layer < g->layers; layer++) {
        if (layer > from.layer || from.part < GRAPH_MLP) {
            gemm_nn(a->inputs, ROWS * WIDTH, a->mask, a->senders, a->differences, ROWS * WIDTH,
                    graph_attention_receivers(g), ROWS * WIDTH,
                    graph_upstream(g, graph_attention(g, layer)), false);
            multiply(a, 3 * WIDTH, WIDTH);
            multiply(a, WIDTH, WIDTH);
        }
        gemm_nn(a->inputs, ROWS * WIDTH, a->mask, a->senders, a->differences, ROWS * WIDTH, 1,
                ROWS * WIDTH, graph_head(g, layer, HEADS), false);
        multiply(a, HIDDEN, WIDTH);
        multiply(a, WIDTH, HIDDEN);
    }
    gemm_nn(a->inputs, PROMPTS * WIDTH, a->mask, a->senders, a->differences, ROWS * WIDTH, 1,
            PROMPTS * WIDTH, g->senders, false);
    gemm_nt(a->logits, VOCABULARY, a->inputs, WIDTH, a->embedding, WIDTH, PROMPTS, VOCABULARY,
            WIDTH, false);
    return omp_get_wtime() - since;
}

static void make_arrays(struct arrays *a, const struct graph *g)
{
    const struct { float **array; int64_t count; } all[] = {
        { &a->differences, (int64_t)g->senders * ROWS * WIDTH },
        { &a->inputs, (int64_t)graph_attention_receivers(g) * ROWS * WIDTH },
        { &a->hidden, (int64_t)ROWS * HIDDEN },
        { &a->weights, (int64_t)HIDDEN * WIDTH },
        { &a->embedding, (int64_t)VOCABULARY * WIDTH },
        { &a->logits, (int64_t)PROMPTS * VOCABULARY },
        { &a->mask, (int64_t)graph_attention_receivers(g) * g->senders },
    };

    a->senders = g->senders;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].array = allocate_big(all[i].count, sizeof(float));
        fill(*all[i].array, all[i].count, 1, (uint32_t)i);
    }
}

static double roof(const struct arrays *a)
{
    double seconds[REPEATS];

    for (int i = 0; i < REPEATS; i++) {
        seconds[i] = -omp_get_wtime();
        multiply(a, HIDDEN, WIDTH);
        seconds[i] += omp_get_wtime();
    }
    return 2.0 * ROWS * HIDDEN * WIDTH / median(seconds, REPEATS);
}

/* --- the experiment ---------------------------------------------------------------------- */

static void make_prompts(int32_t *clean, int32_t *corrupted, struct question *questions,
                         int32_t *ids)
{
    for (int32_t i = 0; i < ROWS; i++) {
        clean[i] = (int32_t)(VOCABULARY * (double)random_uniform(1, 1, (uint64_t)i));
        corrupted[i] = (int32_t)(VOCABULARY * (double)random_uniform(1, 2, (uint64_t)i));
    }
    for (int32_t p = 0; p < PROMPTS; p++) {
        ids[2 * p] = clean[p * CONTEXT];
        ids[2 * p + 1] = clean[p * CONTEXT + 1];
        questions[p] = (struct question){ p, CONTEXT - 1, 1, 1, &ids[2 * p], &ids[2 * p + 1] };
    }
}

/* All edges give the clean run, and a run from the beginning what one from a layer gives. */
static bool is_right(struct experiment *e, struct graph_edges *edges)
{
    const int32_t v = graph_receiver(e->setup.graph, GRAPH_Q, LAYERS / 2, 3);
    float *edge = &edges->mask[v * e->setup.graph->senders + 5];
    const double all = experiment_value(e, edges, 0);

    *edge = 0;
    const double part = experiment_value(e, edges, v), whole = experiment_value(e, edges, 0);
    *edge = 1;
    experiment_value(e, edges, 0);
    printf("all edges: KL %.2g; without an edge %.9g, from its layer or from the first\n", all,
           whole);
    return fabs(all) < 1e-5 && part == whole && whole > all;
}

/* Set the edges of MLP 0 to 1 or 0. */
static void set_mlp(struct graph_edges *edges, float present)
{
    const struct graph *g = edges->graph;
    const int32_t u = graph_mlp(g, 0);

    for (int32_t v = 0; v < g->receivers; v++)
        if (u < graph_upstream(g, v))
            edges->mask[v * g->senders + u] = present;
}

/* The mean KL of the first prompts without the edges of MLP 0; graph_literal.py finds it, too. */
static double value_of_literal(struct experiment *e, struct graph_edges *edges)
{
    enum { FIRST = 20 };
    double sum = 0;

    set_mlp(edges, 0);
    experiment_value(e, edges, 0);
    for (int p = 0; p < FIRST; p++)
        sum += experiment_values(e)[p] / FIRST;
    set_mlp(edges, 1);
    experiment_value(e, edges, 0);
    return sum;
}

/* The test as it is defined, in NumPy: says what it costs, and fails if its value is another. */
static bool run_literal(double value)
{
    const char *python = getenv("PYTHON");
    char command[256];

    fflush(stdout);
    snprintf(command, sizeof command, "%s tests/bench/graph_literal.py %.9g",
             python != NULL ? python : "python3", value);
    return system(command) == 0;
}

static double test_seconds(struct experiment *e, struct graph_edges *edges, int32_t v)
{
    double seconds[REPEATS];

    for (int i = 0; i < REPEATS; i++) {
        edges->mask[v * e->setup.graph->senders + i] = 0;
        seconds[i] = -omp_get_wtime();
        experiment_value(e, edges, v);
        seconds[i] += omp_get_wtime();
        edges->mask[v * e->setup.graph->senders + i] = 1;
    }
    return median(seconds, REPEATS);
}

static double products_seconds(const struct arrays *a, const struct graph *g, int32_t v)
{
    double seconds[REPEATS];

    for (int i = 0; i < REPEATS; i++)
        seconds[i] = products(a, g, v);
    return median(seconds, REPEATS);
}

/* --- scores of all edges ------------------------------------------------------------------ */

/* Forward and back through the model once, all prompts together. */
static double pass_seconds(const struct experiment_setup *s)
{
    struct forward forward;
    struct backward backward;
    struct head head;
    float *gradient = allocate_big((int64_t)ROWS * WIDTH, sizeof *gradient);
    float *by_logits = allocate_big((int64_t)PROMPTS * VOCABULARY, sizeof *by_logits);
    int64_t rows[PROMPTS];

    forward_make(&forward, s->weights, PROMPTS, CONTEXT);
    backward_make(&backward, &forward);
    head_make(&head, s->weights);
    fill(by_logits, (int64_t)PROMPTS * VOCABULARY, 1, 9);
    for (int64_t p = 0; p < PROMPTS; p++)
        rows[p] = p * CONTEXT + CONTEXT - 1;
    const double since = omp_get_wtime();

    if (forward_start(&forward, s->clean, PROMPTS) != OK)
        exit(1);
    backward_walk(&backward, forward_end(&forward));
    head_back(&head, gradient, by_logits, forward.values, ROWS, rows, PROMPTS);
    backward_start(&backward, gradient);
    backward_to(&backward, backward_end());
    const double seconds = omp_get_wtime() - since;

    head_free(&head);
    backward_free(&backward);
    forward_free(&forward);
    free(by_logits);
    free(gradient);
    return seconds;
}

/* From prompts to scores: both runs, and all edges. */
static double eap_seconds(const struct experiment_setup *s)
{
    const double since = omp_get_wtime();
    struct experiment e;
    struct eap eap;

    if (experiment_make(&e, s, MPI_COMM_SELF) != OK || eap_run(&eap, &e, 0) != OK)
        exit(1);
    const double seconds = omp_get_wtime() - since;

    eap_free(&eap);
    experiment_free(&e);
    return seconds;
}

/* How many times as long as a pass the scores take. */
static double eap_ratio(struct experiment_setup setup)
{
    double scores[REPEATS], passes[REPEATS];

    setup.metric = METRIC_LOGIT_DIFFERENCE;
    for (int i = 0; i < REPEATS; i++) {
        passes[i] = pass_seconds(&setup);
        scores[i] = eap_seconds(&setup);
    }
    const double score = median(scores, REPEATS), pass = median(passes, REPEATS);

    printf("scores of all edges: %.1f s; a pass forward and back: %.1f s\n", score, pass);
    return score / pass;
}

int main(int argc, char **argv)
{
    static int32_t clean[ROWS], corrupted[ROWS], ids[2 * PROMPTS];
    static struct question questions[PROMPTS];
    struct experiment e;
    struct weights weights;
    struct graph graph;
    struct graph_edges edges;
    struct arrays arrays;
    double tests = 0, alone = 0;

    MPI_Init(&argc, &argv);
    gpt2_shape_make(&weights, CONTEXT);
    make_prompts(clean, corrupted, questions, ids);
    if (graph_make(&graph, &weights.config, false) != OK)
        return 1;
    const struct experiment_setup setup = {
        .weights = &weights, .graph = &graph, .clean = clean, .corrupted = corrupted,
        .prompts = PROMPTS, .context = CONTEXT, .questions = questions, .count = PROMPTS,
        .metric = METRIC_KL,
    };
    const int64_t before = memory_start_peak();
    if (experiment_make(&e, &setup, MPI_COMM_SELF) != OK)
        return 1;
    graph_edges_make(&edges, &graph, true);
    if (!is_right(&e, &edges))
        return 1;
    const double literal = value_of_literal(&e, &edges);
    const double peak = (double)(memory_peak() - before);
    const double planned = (double)experiment_bytes(&setup, &weights.config, 1,
                                                    omp_get_max_threads());

    make_arrays(&arrays, &graph);
    printf("%lld edges and %lld direct ones; float32 products here: %.0f GFLOP/s\n",
           (long long)graph_edges(&graph), (long long)graph_direct_edges(&graph),
           roof(&arrays) / 1e9);
    printf("%-8s %12s %12s %6s\n", "edge to", "test, ms", "products, ms", "ratio");
    for (int32_t layer = LAYERS - 1; layer >= 0; layer -= 3)
        for (int mlp = 1; mlp >= 0; mlp--) {
            const int32_t v = graph_receiver(&graph, mlp ? GRAPH_MLP : GRAPH_K, layer, 4);
            const double test = test_seconds(&e, &edges, v);
            const double least = products_seconds(&arrays, &graph, v);
            char name[GRAPH_NAME];

            printf("%-8s %12.1f %12.1f %6.2f\n", graph_receiver_name(name, &graph, v), 1e3 * test,
                   1e3 * least, test / least);
            tests += test;
            alone += least;
        }
    printf("memory: %.0f MB, planned %.0f MB\n", peak / 1e6, planned / 1e6);
    experiment_free(&e);
    const double ratio = eap_ratio(setup);
    if (!run_literal(literal))
        return 1;
    printf("result acdc_ratio=%.2f eap_ratio=%.2f edges_per_s=%.2f peak_ratio=%.2f\n",
           tests / alone, ratio, 8 / tests, peak / planned);
    MPI_Finalize();
    return 0;
}
