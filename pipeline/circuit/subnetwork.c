#include "circuit/subnetwork.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/random.h"
#include "kernels/adam.h"
#include "kernels/rows.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const double BETA = 2 / 3., GAMMA = -0.1, ZETA = 1.1;

/* --- hard concrete gates ----------------------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

double subnetwork_gate(double *slope, double log_alpha, double u)
{
    const double s = sigmoid((log(u) - log1p(-u) + log_alpha) / BETA);
    const double stretched = s * (ZETA - GAMMA) + GAMMA;

    *slope = 0 < stretched && stretched < 1 ? (ZETA - GAMMA) * s * (1 - s) / BETA : 0;
    return fmin(1, fmax(0, stretched));
}

double subnetwork_chance(double log_alpha)
{
    return sigmoid(log_alpha - BETA * log(-GAMMA / ZETA));
}

/* Where a gate without noise is 0.9. */
static double first_log_alpha(void)
{
    const double s = (0.9 - GAMMA) / (ZETA - GAMMA);

    return BETA * log(s / (1 - s));
}

/* --- memory ------------------------------------------------------------------------------ */

static int32_t gates_of(const struct graph *g)
{
    return g->receivers - 1;
}

/* Values of all layers' queries, keys and values, and of all MLPs, in the largest block. */
static int64_t qkv_values(const struct experiment_setup *s, const struct lm_config *c)
{
    return c->layers * experiment_sequences(s) * s->context
           * graph_attention_receivers(s->graph) * c->head_width;
}

static int64_t mlp_values(const struct experiment_setup *s, const struct lm_config *c)
{
    return c->layers * experiment_sequences(s) * s->context * c->width;
}

int64_t subnetwork_bytes(const struct experiment_setup *s, const struct lm_config *c, int threads)
{
    const int64_t values = qkv_values(s, c) + mlp_values(s, c);

    return threads * (walkers_bytes(s, c) + values * (int64_t)sizeof(float))
         + s->count * c->width * (int64_t)sizeof(float)
         + s->prompts * gates_of(s->graph) * (int64_t)sizeof(double);
}

void subnetwork_make(struct subnetwork *n, struct experiment *e)
{
    const struct experiment_setup *s = &e->setup;
    const struct lm_config *c = &s->weights->config;
    const int threads = omp_get_max_threads();

    *n = (struct subnetwork){
        .e = e,
        .count = gates_of(s->graph),
        .walkers = walkers_make(e, threads),
        .threads = threads,
        .qkv = allocate(threads * qkv_values(s, c), sizeof(float)),
        .mlp = allocate(threads * mlp_values(s, c), sizeof(float)),
        .gradients = allocate(s->count * c->width, sizeof(float)),
        .parts = allocate(s->prompts * gates_of(s->graph), sizeof(double)),
    };
}

void subnetwork_free(struct subnetwork *n)
{
    walkers_free(n->walkers, n->threads);
    free(n->qkv);
    free(n->mlp);
    free(n->gradients);
    free(n->parts);
    *n = (struct subnetwork){0};
}

/* --- one block --------------------------------------------------------------------------- */

/* A thread with a block. */
struct visit {
    struct subnetwork         *n;
    struct walker             *walker;
    int64_t                    block;
    const float               *gates;   /* [count] */
    const struct graph_forward *other;  /* its reference is the other run */
    struct forward_gates       qkv;     /* those of attention */
    float                     *mlp;     /* [layers, rows, width] x - x' */
};

static struct visit visit_of(struct subnetwork *n, int64_t block, const float *gates)
{
    const struct experiment_setup *s = &n->e->setup;
    const struct lm_config *c = &s->weights->config;
    const struct graph_forward *other = &n->e->forwards[block];
    const int thread = omp_get_thread_num();

    return (struct visit){
        .n = n, .walker = &n->walkers[thread], .block = block, .gates = gates, .other = other,
        .qkv = {
            .gate = gates, .stride = n->count / s->graph->layers, .other = other->qkv,
            .difference = n->qkv + thread * qkv_values(s, c),
        },
        .mlp = n->mlp + thread * mlp_values(s, c),
    };
}

/* Go forward with gates.  MLPs get theirs here, where the forward pass stops. */
static void go_forward(const struct visit *v)
{
    const struct graph *g = v->n->e->setup.graph;
    struct walker *w = v->walker;
    struct forward *f = &w->forward;

    walkers_start(w, v->n->e, v->block);
    f->gates = &v->qkv;
    const int64_t values = f->rows * f->weights->config.width;

    for (int32_t layer = 0; g->mlps && layer < g->layers; layer++) {
        backward_walk(&w->backward, (struct tap){ SITE_MLP, layer });
        row_mix(f->values, v->mlp + layer * values,
                v->other->reference + graph_mlp(g, layer) * values,
                v->gates[graph_receiver(g, GRAPH_MLP, layer, 0)], values);
    }
    backward_walk(&w->backward, forward_end(f));
}

static void walk(struct subnetwork *n, int64_t block, const float *gates)
{
    const struct visit v = visit_of(n, block, gates);

    go_forward(&v);
    walkers_end(v.walker, n->e, block);
    v.walker->forward.gates = NULL;
}

/* Add gradient . (x - x') of some columns to the gate's part of each prompt.
 *   gradient, difference  in: [rows, columns] `step` values apart */
static void multiply(const struct visit *v, int32_t gate, const float *gradient,
                     const float *difference, int64_t step, int64_t columns)
{
    const struct forward *f = &v->walker->forward;
    double *parts = v->n->parts + experiment_prompts(v->n->e, v->block).first * v->n->count + gate;

    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t i = r * step; i < r * step + columns; i++)
            parts[r / f->context * v->n->count] += (double)gradient[i] * (double)difference[i];
}

/* The gate of an MLP, where the way back stops. */
static void back_mlp(const struct visit *v, int32_t layer)
{
    const int32_t gate = graph_receiver(v->n->e->setup.graph, GRAPH_MLP, layer, 0);
    struct backward *b = &v->walker->backward;
    const int64_t values = b->rows * b->width;

    multiply(v, gate, b->gradient, v->mlp + layer * values, b->width, b->width);
    for (int64_t i = 0; i < values; i++)
        b->gradient[i] *= v->gates[gate];
}

static void back_attention(const struct visit *v, int32_t layer)
{
    const struct graph *g = v->n->e->setup.graph;
    const struct backward *b = &v->walker->backward;
    const int64_t each = b->forward->weights->config.head_width;
    const int64_t step = graph_attention_receivers(g) * each;
    const float *difference = v->qkv.difference + layer * b->rows * step;

    for (int32_t i = 0; i < graph_attention_receivers(g); i++)
        multiply(v, graph_attention(g, layer) + i, b->qkv + i * each, difference + i * each, step,
                 each);
}

static void go_back(struct subnetwork *n, int64_t block, const float *gates)
{
    const struct visit v = visit_of(n, block, gates);
    const struct graph *g = n->e->setup.graph;
    struct walker *w = v.walker;

    go_forward(&v);
    walkers_turn(w, n->e, block, n->gradients);
    for (int32_t layer = g->layers; layer-- > 0; ) {
        backward_to(&w->backward, (struct tap){ SITE_MLP, layer });
        if (g->mlps)
            back_mlp(&v, layer);
        backward_to(&w->backward, (struct tap){ SITE_RES, layer - 1 });
        back_attention(&v, layer);
    }
    w->forward.gates = NULL;
}

double subnetwork_gradients(struct subnetwork *n, double *gradients, const float *gates)
{
    const int64_t blocks = range_length(n->e->blocks), prompts = n->e->setup.prompts;

    n->e->whole = false;
    experiment_clear_streams(n->e);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++)
        walk(n, block, gates);
    const double value = experiment_measure(n->e);
    experiment_gradients(n->e, n->gradients);
    memset(n->parts, 0, (size_t)(prompts * n->count) * sizeof *n->parts);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++)
        go_back(n, block, gates);
    /* Each prompt is one rank's; the others add 0. */
    MPI_Allreduce(MPI_IN_PLACE, n->parts, comm_count(prompts * n->count), MPI_DOUBLE, MPI_SUM,
                  n->e->comm);
    memset(gradients, 0, (size_t)n->count * sizeof *gradients);
    for (int64_t i = 0; i < prompts * n->count; i++)
        gradients[i % n->count] += n->parts[i];
    return value;
}

/* --- training ---------------------------------------------------------------------------- */

/* Of a training. */
struct descent {
    float  *mean, *square, *gradient;   /* [count] */
    float  *gates;                      /* [count] drawn */
    double *slopes, *by_gates;          /* [count] */
};

static void draw(const struct descent *d, const float *log_alpha, int32_t count, uint64_t seed,
                 int64_t step)
{
    for (int32_t i = 0; i < count; i++) {
        /* The middle of the interval that the number stands for: never 0 or 1. */
        const double u = (double)random_uniform(seed, RANDOM_GATES, (uint64_t)(step * count + i))
                       + ldexp(1, -25);
        d->gates[i] = (float)subnetwork_gate(&d->slopes[i], (double)log_alpha[i], u);
    }
}

static void descend(const struct descent *d, float *log_alpha, int32_t count, double lambda,
                    int64_t step)
{
    const double beta1 = 0.9, beta2 = 0.999, t = (double)step + 1;
    const struct adam adam = {
        .rate = 0.05f, .epsilon = 1e-8f,
        .beta1 = (float)beta1, .rest1 = (float)(1 - beta1), .correct1 = (float)(1 - pow(beta1, t)),
        .beta2 = (float)beta2, .rest2 = (float)(1 - beta2), .correct2 = (float)(1 - pow(beta2, t)),
    };

    for (int32_t i = 0; i < count; i++) {
        const double chance = subnetwork_chance((double)log_alpha[i]);
        d->gradient[i] = (float)(d->by_gates[i] * d->slopes[i] + lambda * chance * (1 - chance));
    }
    adam_update(log_alpha, d->mean, d->square, d->gradient, 0, count, &adam);
}

enum status subnetwork_train(struct subnetwork *n, float *log_alpha,
                             const struct subnetwork_options *options,
                             enum status (*told)(void *context, int64_t steps), void *context)
{
    float *floats = allocate(4 * n->count, sizeof *floats);
    double *doubles = allocate(2 * n->count, sizeof *doubles);
    const struct descent d = { floats, floats + n->count, floats + 2 * n->count,
                               floats + 3 * n->count, doubles, doubles + n->count };
    enum status st = OK;

    for (int32_t i = 0; i < n->count; i++)
        log_alpha[i] = (float)first_log_alpha();
    for (int64_t step = 0; step < options->steps; step++) {
        draw(&d, log_alpha, n->count, options->seed, step);
        subnetwork_gradients(n, d.by_gates, d.gates);
        descend(&d, log_alpha, n->count, options->lambda, step);
        TRY(told == NULL ? OK : told(context, step + 1));
    }
done:
    free(doubles);
    free(floats);
    return st;
}

/* --- circuits ---------------------------------------------------------------------------- */

/* Is a sender's node open? */
static bool sends(const struct graph *g, const bool *open, int32_t sender)
{
    const struct graph_node node = graph_sender_at(g, sender);

    if (node.part == GRAPH_FINAL)
        return true;
    if (node.part == GRAPH_MLP)
        return open[graph_receiver(g, GRAPH_MLP, node.layer, 0)];
    return open[graph_receiver(g, GRAPH_Q, node.layer, node.head)]
        || open[graph_receiver(g, GRAPH_K, node.layer, node.head)]
        || open[graph_receiver(g, GRAPH_V, node.layer, node.head)];
}

void subnetwork_edges(struct graph_edges *edges, const struct graph *g, const bool *open)
{
    graph_edges_make(edges, g, true);
    for (int32_t v = 0; v < gates_of(g); v++)
        edges->direct[v] = edges->direct[v] && open[v];
    for (int32_t layer = 0; g->mlps && layer < g->layers; layer++)
        for (int32_t v = 0; !open[graph_receiver(g, GRAPH_MLP, layer, 0)] && v < g->receivers; v++)
            edges->mask[v * g->senders + graph_mlp(g, layer)] = 0;
}

void subnetwork_circuit(struct graph_edges *circuit, const struct graph *g, const bool *open)
{
    graph_edges_make(circuit, g, true);
    for (int32_t v = 0; v < g->receivers; v++) {
        const bool reads = v == g->receivers - 1 || open[v];
        circuit->direct[v] = circuit->direct[v] && reads;
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            circuit->mask[v * g->senders + u] = reads && sends(g, open, u);
    }
}
