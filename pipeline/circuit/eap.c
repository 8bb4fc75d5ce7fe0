#include "circuit/eap.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/ordered_sum.h"
#include "circuit/walkers.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* All of it. */
struct attribution {
    struct experiment *e;
    struct walker     *walkers;     /* [threads] */
    float             *products;    /* [threads, products_of()] of a prompt */
    double            *scores;      /* [blocks, 2, receivers, senders] signed, and absolute */
    double            *sent;        /* [prompts, senders] of a prompt's edges that leave a sender */
    float             *gradients;   /* [questions, width] by the last streams */
    float              share;       /* of the clean prompts in the embedding */
    double             weight;      /* of this run */
};

static int64_t edges_of(const struct graph *g)
{
    return (int64_t)g->receivers * g->senders;
}

/* Of the receivers of a layer's attention with all senders. */
static int64_t products_of(const struct graph *g)
{
    return graph_attention_receivers(g) * (int64_t)g->senders;
}

/* --- memory ------------------------------------------------------------------------------ */

int64_t eap_bytes(const struct experiment_setup *s, const struct lm_config *c, int size,
                  int threads)
{
    const int64_t blocks = range_length(experiment_blocks(s, 0, size));

    return threads * (walkers_bytes(s, c) + products_of(s->graph) * (int64_t)sizeof(float))
         + 2 * (blocks + 1) * edges_of(s->graph) * (int64_t)sizeof(double)
         + (s->prompts + 1) * s->graph->senders * (int64_t)sizeof(double)
         + s->count * c->width * (int64_t)sizeof(float);
}

/* --- one block --------------------------------------------------------------------------- */

/* Put the embeddings into the stream: the clean prompts', and what the corrupted ones' are away. */
static void embed(const struct attribution *a, struct walker *w, int64_t block)
{
    const struct experiment_setup *s = &a->e->setup;
    const float *difference = a->e->forwards[block].difference;

    walkers_start(w, a->e, block);
    const int64_t values = w->forward.rows * s->weights->config.width;

    for (int32_t u = 0; u < s->graph->embeddings && a->share < 1; u++)
        for (int64_t i = 0; i < values; i++)
            w->forward.residual[i] -= (1 - a->share) * difference[u * values + i];
}

/* The last streams at a block's questions. */
static void walk(const struct attribution *a, int64_t block)
{
    struct walker *w = &a->walkers[omp_get_thread_num()];

    embed(a, w, block);
    forward_to(&w->forward, forward_end(&w->forward));
    walkers_end(w, a->e, block);
}

/* Add the products of what senders changed and the gradients of `count` receivers.
 *   gradients [count, rows, width]  in */
static void score(const struct attribution *a, struct walker *w, int64_t block, int32_t receiver,
                  int32_t count, const float *gradients)
{
    const struct graph *g = a->e->setup.graph;
    const int64_t width = a->e->setup.weights->config.width, all = w->forward.rows * width;
    const int64_t each = w->forward.context * width, senders = graph_upstream(g, receiver);
    double *scores = a->scores + (2 * block * edges_of(g)) + (int64_t)receiver * g->senders;
    float *products = a->products + omp_get_thread_num() * products_of(g);
    double *sent = a->sent + experiment_prompts(a->e, block).first * g->senders;

    for (int64_t p = 0; p < w->forward.sequences; p++) {
        gemm_nt(products, senders, gradients + p * each, all,
                a->e->forwards[block].difference + p * each, all, count, senders, each, false);
        for (int64_t i = 0; i < count * senders; i++) {
            const int64_t at = i / senders * g->senders + i % senders;
            scores[at] += a->weight * (double)products[i];
            scores[edges_of(g) + at] += a->weight * fabs((double)products[i]);
            sent[p * g->senders + i % senders] += a->weight * (double)products[i];
        }
    }
}

/* Forward and back, and the scores of all edges. */
static void attribute(const struct attribution *a, int64_t block)
{
    struct walker *w = &a->walkers[omp_get_thread_num()];
    const struct graph *g = a->e->setup.graph;

    embed(a, w, block);
    backward_walk(&w->backward, forward_end(&w->forward));
    walkers_turn(w, a->e, block, a->gradients);
    score(a, w, block, g->receivers - 1, 1, w->gradient);
    for (int32_t layer = g->layers; layer-- > 0; ) {
        backward_to(&w->backward, (struct tap){ SITE_ATTN, layer });
        if (g->mlps)
            score(a, w, block, graph_receiver(g, GRAPH_MLP, layer, 0), 1, w->backward.mlp);
        backward_next(&w->backward);
        score(a, w, block, graph_attention(g, layer), graph_attention_receivers(g),
              w->backward.attention);
    }
}

/* --- all --------------------------------------------------------------------------------- */

/* A run at this share of the clean prompts. */
static void attribute_all(struct attribution *a, bool at_end)
{
    const int64_t blocks = range_length(a->e->blocks);

    if (!at_end) {
        experiment_clear_streams(a->e);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t block = 0; block < blocks; block++)
            walk(a, block);
    }
    experiment_gradients(a->e, a->gradients);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++)
        attribute(a, block);
}

/* The running sum and this rank's addends. */
struct total {
    const struct attribution *a;
    double                   *sum;      /* [2, receivers, senders] */
};

static void add_blocks(void *context, int64_t part)
{
    const struct total *total = context;
    const int64_t count = 2 * edges_of(total->a->e->setup.graph);

    (void)part;
    for (int64_t block = 0; block < range_length(total->a->e->blocks); block++)
        for (int64_t i = 0; i < count; i++)
            total->sum[i] += total->a->scores[block * count + i];
}

/* The sums of all blocks, in their order. */
static void sum_blocks(struct eap *eap, const struct attribution *a)
{
    const int64_t edges = edges_of(a->e->setup.graph), bounds[] = { 0, 2 * edges };
    struct total total = { a, allocate(2 * edges, sizeof(double)) };
    const struct ordered_sum order = { .comm = a->e->comm, .type = MPI_DOUBLE, .parts = 1,
                                       .bounds = bounds };

    ordered_sum_run(&order, total.sum, add_blocks, &total);
    eap->score = total.sum;
    eap->absolute = total.sum + edges;
}

/* The importance of senders, from what each rank has of its prompts; the others add 0. */
static void sum_sent(struct eap *eap, const struct attribution *a)
{
    const int64_t senders = a->e->setup.graph->senders, prompts = a->e->setup.prompts;

    MPI_Allreduce(MPI_IN_PLACE, a->sent, comm_count(prompts * senders), MPI_DOUBLE, MPI_SUM,
                  a->e->comm);
    eap->importance = allocate(senders, sizeof *eap->importance);
    for (int64_t i = 0; i < prompts * senders; i++)
        eap->importance[i % senders] += fabs(a->sent[i]);
}

enum status eap_check(enum circuit_metric metric, int steps)
{
    enum status st = OK;

    REQUIRE(steps > 0 || !metric_compares(metric), E_USAGE, "the metric %s is least at the clean "
            "run, where its gradient is 0, so every score would be 0; set 'steps' for integrated "
            "gradients, or take another metric", metric_name(metric));
done:
    return st;
}

enum status eap_run(struct eap *eap, struct experiment *e, int steps)
{
    const struct experiment_setup *s = &e->setup;
    const int threads = omp_get_max_threads();
    struct attribution a = { .e = e };
    struct graph_edges all;
    enum status st = OK;

    *eap = (struct eap){ 0 };
    TRY(eap_check(s->metric, steps));
    graph_edges_make(&all, s->graph, true);
    if (!e->whole)
        experiment_value(e, &all, 0);
    e->whole = steps == 0;      /* steps leave other streams */
    graph_edges_free(&all);
    a.scores = allocate(2 * range_length(e->blocks) * edges_of(s->graph), sizeof *a.scores);
    a.sent = allocate(s->prompts * s->graph->senders, sizeof *a.sent);
    a.gradients = allocate(s->count * s->weights->config.width, sizeof *a.gradients);
    a.walkers = walkers_make(e, threads);
    a.products = allocate(threads * products_of(s->graph), sizeof *a.products);
    a.weight = steps > 0 ? 1 / (double)steps : 1;
    for (int k = 1; k <= (steps > 0 ? steps : 1); k++) {
        a.share = steps > 0 ? (float)k / (float)steps : 1;
        attribute_all(&a, steps == 0);
    }
    sum_blocks(eap, &a);
    sum_sent(eap, &a);
    walkers_free(a.walkers, threads);
    free(a.products);
    free(a.gradients);
    free(a.sent);
    free(a.scores);
done:
    return st;
}

void eap_free(struct eap *eap)
{
    free(eap->score);
    free(eap->importance);
    *eap = (struct eap){0};
}

/* --- the strongest edges -------------------------------------------------------------------- */

/* An edge of a score. */
struct scored {
    int32_t sender, receiver;
    double  size;
};

static int by_size(const void *a, const void *b)
{
    const struct scored *p = a, *q = b;

    if (p->size != q->size)
        return p->size < q->size ? 1 : -1;
    return p->receiver != q->receiver ? p->receiver - q->receiver : p->sender - q->sender;
}

void eap_rank(int32_t (*edges)[2], const struct eap *eap, const struct graph *g)
{
    struct scored *all = allocate(graph_edges(g), sizeof *all);
    int64_t count = 0;

    for (int32_t v = 0; v < g->receivers; v++)
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            all[count++] = (struct scored){ u, v, fabs(eap->score[v * g->senders + u]) };
    qsort(all, (size_t)count, sizeof *all, by_size);
    for (int64_t i = 0; i < count; i++) {
        edges[i][0] = all[i].sender;
        edges[i][1] = all[i].receiver;
    }
    free(all);
}

void eap_circuit(struct graph_edges *circuit, const struct graph *g, const int32_t (*edges)[2],
                 int64_t count)
{
    graph_edges_make(circuit, g, false);
    for (int64_t i = 0; i < count; i++) {
        const int32_t v = edges[i][1];
        circuit->mask[v * g->senders + edges[i][0]] = 1;
        circuit->direct[v] = graph_receiver_at(g, v).part <= GRAPH_V;
    }
}

/* --- true effects ------------------------------------------------------------------------ */

void eap_effects(double *effects, struct experiment *e, const int32_t (*edges)[2], int64_t count,
                 double whole)
{
    const struct graph *g = e->setup.graph;
    struct graph_edges present;

    graph_edges_make(&present, g, true);
    for (int64_t i = 0; i < count; i++) {
        float *edge = &present.mask[edges[i][1] * g->senders + edges[i][0]];
        /* What lies below this receiver, and the one before, is as all edges leave it. */
        const int32_t before = i == 0 ? 0 : edges[i - 1][1];
        const int32_t from = before < edges[i][1] ? before : edges[i][1];

        *edge = 0;
        effects[i] = experiment_value(e, &present, from) - whole;
        *edge = 1;
    }
    graph_edges_free(&present);
}

struct eap_fit eap_fit(const double *effects, const double *scores, int64_t count)
{
    double x = 0, y = 0, xx = 0, xy = 0, yy = 0;

    for (int64_t i = 0; i < count; i++) {
        x -= scores[i] / (double)count;
        y += effects[i] / (double)count;
    }
    for (int64_t i = 0; i < count; i++) {
        const double dx = -scores[i] - x, dy = effects[i] - y;
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    return (struct eap_fit){ .slope = xy / xx, .r2 = xy * xy / (xx * yy) };
}
