#include "circuit/graph_forward.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/minmax.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"
#include "kernels/rows.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go together from the differences to the projections: few, so that the inputs of a
 * layer's receivers stay in cache; not too few, for BLAS packs the weights again for each tile. */
enum { TILE_ROWS = 64 };

/* --- shapes and memory ------------------------------------------------------------------- */

static int64_t qkv_width(const struct lm_config *c)
{
    return (int64_t)(c->heads + 2 * c->kv_heads) * c->head_width;
}

/* The inputs of the receivers of attention, or what its heads make; and one of them, normalised. */
int64_t graph_forward_scratch(const struct graph *g, const struct lm_config *c)
{
    return TILE_ROWS * (graph_attention_receivers(g) + 1) * (int64_t)c->width;
}

static int64_t reads_of(const struct graph *g)
{
    return 2 * g->layers + 1;
}

int64_t graph_forward_bytes(const struct graph *g, const struct lm_config *c, int64_t sequences,
                            int64_t context)
{
    const int64_t rows = sequences * context;
    const int64_t floats = rows * ((2 * g->senders + reads_of(g)) * c->width
                                   + g->layers * qkv_width(c));

    return forward_bytes(c, PRECISION_F32, sequences, context, 1) + g->senders
         + floats * (int64_t)sizeof(float);
}

void graph_forward_make(struct graph_forward *f, const struct graph *g,
                        const struct weights *weights, int64_t sequences, int64_t context)
{
    const struct lm_config *c = &weights->config;
    const int64_t rows = sequences * context;
    const int threads = omp_get_max_threads();

    assert(weights->precision == PRECISION_F32);
    *f = (struct graph_forward){
        .graph = g,
        .reference = allocate_big(g->senders * rows * c->width, sizeof(float)),
        .stream = allocate_big(reads_of(g) * rows * c->width, sizeof(float)),
        .qkv = allocate_big(g->layers * rows * qkv_width(c), sizeof(float)),
        .difference = allocate_big(g->senders * rows * c->width, sizeof(float)),
        .fixed = allocate(g->senders, sizeof(bool)),
    };
    omp_set_num_threads(1);
    forward_make(&f->forward, weights, sequences, context);
    omp_set_num_threads(threads);
}

void graph_forward_free(struct graph_forward *f)
{
    forward_free(&f->forward);
    free(f->reference);
    free(f->stream);
    free(f->qkv);
    free(f->difference);
    free(f->fixed);
    *f = (struct graph_forward){0};
}

/* The rows of a block, of width values: the distance between senders, and between reads. */
static int64_t block_floats(const struct graph_forward *f)
{
    return f->forward.rows * f->forward.weights->config.width;
}

static const struct layer_weights *stand_in(struct graph_forward *f, int32_t layer)
{
    f->forward.tap.layer = layer;
    return &f->forward.weights->layers[layer];
}

/* --- what senders make ------------------------------------------------------------------- */

/* Some rows of the block. */
struct tile {
    int64_t from, rows;
    float  *inputs;         /* [receivers of attention, TILE_ROWS, width] */
    float  *normed;         /* [TILE_ROWS, width] */
};

/* The tile that begins at a row. */
static struct tile tile_at(const struct graph_forward *f, int64_t from, float *scratch)
{
    const int64_t width = f->forward.weights->config.width;

    return (struct tile){
        .from = from,
        .rows = min_int64(TILE_ROWS, f->forward.rows - from),
        .inputs = scratch,
        .normed = scratch + TILE_ROWS * graph_attention_receivers(f->graph) * width,
    };
}

/* The norm after attention, of the sum of all heads, as a factor for each value of each head.
 *   made [heads, TILE_ROWS, width]  in and out */
static void share_norm(const struct graph_forward *f, const struct layer_weights *w, struct tile t,
                       float *made)
{
    const struct lm_config *c = &f->forward.weights->config;
    const int64_t width = c->width;

    for (int64_t r = 0; r < t.rows; r++) {
        double squares = 0;
        for (int64_t i = 0; i < width; i++) {
            double sum = 0;
            for (int32_t h = 0; h < c->heads; h++)
                sum += (double)made[(h * TILE_ROWS + r) * width + i];
            squares += sum * sum;
        }
        const double root = sqrt(squares / (double)width + (double)c->norm_epsilon);
        for (int32_t h = 0; h < c->heads; h++)
            for (int64_t i = 0; i < width; i++)
                made[(h * TILE_ROWS + r) * width + i] *= (float)((double)w->attn_post_norm.scale[i]
                                                                 / root);
    }
}

/* What the heads of a layer add to some rows of the stream.
 *   made [heads, TILE_ROWS, width]  out */
static void make_heads(const struct graph_forward *f, const struct layer_weights *w, struct tile t,
                       float *made)
{
    const struct lm_config *c = &f->forward.weights->config;
    const int64_t all = (int64_t)c->heads * c->head_width;

    for (int32_t h = 0; h < c->heads; h++)
        gemm_nt(made + (int64_t)h * TILE_ROWS * c->width, c->width,
                f->forward.heads + t.from * all + (int64_t)h * c->head_width, all,
                linear_matrix(&w->attn_out) + (int64_t)h * c->head_width, all, t.rows, c->width,
                c->head_width, false);
    if (c->post_norms)
        share_norm(f, w, t, made);
}

/* --- the reference ----------------------------------------------------------------------- */

static void embed(float *x, const struct weights *w, const int32_t *ids, int64_t rows,
                  int64_t context, bool tokens, bool positions)
{
    const struct lm_config *c = &w->config;

    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c->width; i++) {
            const float token = w->embedding[(int64_t)ids[r] * c->width + i] * c->embedding_scale;
            const float place = positions && w->positions != NULL
                              ? w->positions[r % context * c->width + i] : 0;
            x[r * c->width + i] = (tokens ? token : 0) + place;
        }
}

/* What the embeddings send.
 *   x [embeddings, rows, width]  out */
static void send_embeddings(const struct graph_forward *f, float *x, const int32_t *ids)
{
    const struct forward *forward = &f->forward;
    const bool split = f->graph->embeddings == 2;

    embed(x, forward->weights, ids, forward->rows, forward->context, true, !split);
    if (split)
        embed(x + block_floats(f), forward->weights, ids, forward->rows, forward->context, false,
              true);
}

/* Add a bias to each row. */
static void add_bias(struct forward *f, const float *bias)
{
    const int64_t width = f->weights->config.width;

    for (int64_t r = 0; r < (bias == NULL ? 0 : f->rows); r++)
        for (int64_t i = 0; i < width; i++)
            f->residual[r * width + i] += bias[i];
}

/* Attention of the reference: what its heads make, added to the stream unless it is zero. */
static void refer_attention(struct graph_forward *f, const struct layer_weights *w, int32_t layer,
                            bool zero, float *scratch)
{
    const struct lm_config *c = &f->forward.weights->config;
    const int64_t block = block_floats(f), width = c->width;
    float *made = f->reference + graph_head(f->graph, layer, 0) * block;

    for (int64_t from = 0; !zero && from < f->forward.rows; from += TILE_ROWS) {
        const struct tile t = tile_at(f, from, scratch);

        make_heads(f, w, t, t.inputs);
        for (int32_t h = 0; h < c->heads; h++) {
            float *head = t.inputs + (int64_t)h * TILE_ROWS * width;
            memcpy(made + h * block + t.from * width, head,
                   (size_t)(t.rows * width) * sizeof *made);
            norm_add_rows(f->forward.residual + t.from * width, head, t.rows * width);
        }
    }
    add_bias(&f->forward, w->attn_out_bias);
}

/* What the receivers of a layer read. */
static float *stream_of(const struct graph_forward *f, int32_t layer, bool mlp)
{
    return f->stream + (2 * layer + mlp) * block_floats(f);
}

static void refer_layer(struct graph_forward *f, int32_t layer, bool zero, float *scratch)
{
    const struct layer_weights *w = stand_in(f, layer);
    struct forward *forward = &f->forward;
    const struct lm_config *c = &forward->weights->config;
    const int64_t block = block_floats(f), qkv = forward->rows * qkv_width(c);
    float *made = f->reference + graph_mlp(f->graph, layer) * block;

    norm_copy_rows(stream_of(f, layer, false), forward->residual, block);
    forward_project(forward, w);
    norm_copy_rows(f->qkv + layer * qkv, forward->qkv, qkv);
    forward_attend(forward, w);
    refer_attention(f, w, layer, zero, scratch);
    norm_copy_rows(stream_of(f, layer, true), c->parallel ? stream_of(f, layer, false)
                                                          : forward->residual, block);
    if (!f->graph->mlps || zero)
        return;
    weights_normalise(forward->normed, stream_of(f, layer, true), w->mlp_norm, c, forward->rows);
    forward_mlp(forward, w);
    norm_copy_rows(made, forward->branch, block);
    norm_add_rows(forward->residual, made, block);
}

/* The ids have been checked. */
static void start(struct forward *forward, const int32_t *ids, int64_t sequences)
{
    /* The buffers of products are one thread's. */
    assert(omp_in_parallel() || omp_get_max_threads() == 1);
    if (forward_start(forward, ids, sequences) != OK)
        die("bug: %s", refuse_reason());
}

static void make_reference(struct graph_forward *f, const int32_t *ids, int64_t sequences,
                           bool zero, float *scratch)
{
    struct forward *forward = &f->forward;

    start(forward, ids, sequences);
    const int64_t block = block_floats(f), all = f->graph->senders * block;

    if (zero) {
        memset(f->reference, 0, (size_t)all * sizeof(float));
        memset(forward->residual, 0, (size_t)block * sizeof(float));
    } else {
        send_embeddings(f, f->reference, ids);
    }
    for (int32_t layer = 0; layer < f->graph->layers; layer++)
        refer_layer(f, layer, zero, scratch);
    norm_copy_rows(stream_of(f, f->graph->layers, false), forward->residual, block);
}

void graph_forward_reference(struct graph_forward *f, const int32_t *ids, int64_t sequences,
                             bool zero, float *scratch)
{
    make_reference(f, ids, sequences, zero, scratch);
    memset(f->difference, 0, (size_t)(f->graph->senders * block_floats(f)) * sizeof(float));
}

void graph_forward_refer(struct graph_forward *f, const int32_t *ids, bool zero, float *scratch)
{
    float *made = f->reference;

    f->reference = f->difference;
    f->difference = made;
    make_reference(f, ids, f->forward.sequences, zero, scratch);
    row_subtract(f->difference, f->reference, f->graph->senders * block_floats(f));
}

/* --- the run ----------------------------------------------------------------------------- */

/* difference = made - reference, for some rows of a sender. */
static void differ(struct graph_forward *f, int32_t sender, struct tile t, const float *made)
{
    const int64_t width = f->forward.weights->config.width;
    const int64_t at = sender * block_floats(f) + t.from * width;

    if (f->fixed[sender])
        return;
    #pragma omp simd
    for (int64_t i = 0; i < t.rows * width; i++)
        f->difference[at + i] = made[i] - f->reference[at + i];
}

/* The inputs of `count` receivers, which read the same stream of the reference.
 *   inputs [count, TILE_ROWS, width]  out */
static void gather_inputs(const struct graph_forward *f, const struct graph_edges *edges,
                          int32_t receiver, int32_t count, const float *stream, struct tile t,
                          float *inputs)
{
    const int64_t width = f->forward.weights->config.width, ld = TILE_ROWS * width;

    for (int32_t v = 0; v < count; v++)
        norm_copy_rows(inputs + v * ld, stream + t.from * width, t.rows * width);
    gemm_nn(inputs, ld, edges->mask + (int64_t)receiver * f->graph->senders, f->graph->senders,
            f->difference + t.from * width, block_floats(f), count, t.rows * width,
            graph_upstream(f->graph, receiver), true);
}

/* The receivers of attention that do not get their queries, keys or values from the reference. */
static int32_t list_own(int32_t *own, const struct graph_edges *edges, int32_t first, int32_t count)
{
    int32_t n = 0;

    for (int32_t i = 0; i < count; i++)
        if (edges->direct[first + i] && graph_edges_enter(edges, first + i))
            own[n++] = i;
    return n;
}

/* The queries, keys and values of some rows. */
static void project(struct graph_forward *f, const struct layer_weights *w,
                    const struct graph_edges *edges, int32_t layer, struct tile t,
                    const int32_t *own, int32_t owned)
{
    const struct lm_config *c = &f->forward.weights->config;
    const int64_t width = c->width, each = c->head_width, all = qkv_width(c);
    float *qkv = f->forward.qkv + t.from * all;

    norm_copy_rows(qkv, f->qkv + (layer * f->forward.rows + t.from) * all, t.rows * all);
    if (owned == 0)
        return;
    gather_inputs(f, edges, graph_attention(f->graph, layer), graph_attention_receivers(f->graph),
                  stream_of(f, layer, false), t, t.inputs);
    for (int32_t i = 0; i < owned; i++) {
        weights_normalise(t.normed, t.inputs + own[i] * TILE_ROWS * width, w->attn_norm, c, t.rows);
        gemm_nt(qkv + own[i] * each, all, t.normed, width,
                linear_matrix(&w->qkv) + own[i] * each * width, width, t.rows, each, width, false);
        for (int64_t r = 0; w->qkv_bias != NULL && r < t.rows; r++)
            norm_add_rows(qkv + r * all + own[i] * each, w->qkv_bias + own[i] * each, each);
    }
}

/* Give a receiver back what the reference has, where it does not follow its edges. */
static void limit(struct graph_forward *f, int32_t layer)
{
    const struct lm_config *c = &f->forward.weights->config;
    const int32_t receiver = f->limited - graph_attention(f->graph, layer);
    const int64_t all = qkv_width(c), at = receiver * (int64_t)c->head_width;

    if (f->limits == NULL || graph_receiver_at(f->graph, f->limited).layer != layer)
        return;
    for (int64_t r = 0; r < f->forward.rows; r++)
        if (!f->limits[r])
            norm_copy_rows(f->forward.qkv + r * all + at,
                           f->qkv + (layer * f->forward.rows + r) * all + at, c->head_width);
}

static void run_attention(struct graph_forward *f, const struct graph_edges *edges, int32_t layer,
                          float *scratch)
{
    const struct layer_weights *w = stand_in(f, layer);
    const struct graph *g = f->graph;
    const int64_t width = f->forward.weights->config.width;
    int32_t *own = allocate(graph_attention_receivers(g), sizeof *own);
    const int32_t owned = list_own(own, edges, graph_attention(g, layer),
                                   graph_attention_receivers(g));

    for (int64_t from = 0; from < f->forward.rows; from += TILE_ROWS)
        project(f, w, edges, layer, tile_at(f, from, scratch), own, owned);
    limit(f, layer);
    forward_attend(&f->forward, w);
    for (int64_t from = 0; from < f->forward.rows; from += TILE_ROWS) {
        const struct tile t = tile_at(f, from, scratch);

        make_heads(f, w, t, t.inputs);
        for (int32_t h = 0; h < g->heads; h++)
            differ(f, graph_head(g, layer, h), t, t.inputs + (int64_t)h * TILE_ROWS * width);
    }
    free(own);
}

static void run_mlp(struct graph_forward *f, const struct graph_edges *edges, int32_t layer,
                    float *scratch)
{
    const struct layer_weights *w = stand_in(f, layer);
    const struct lm_config *c = &f->forward.weights->config;
    const int32_t receiver = graph_receiver(f->graph, GRAPH_MLP, layer, 0);

    for (int64_t from = 0; from < f->forward.rows; from += TILE_ROWS) {
        const struct tile t = tile_at(f, from, scratch);

        gather_inputs(f, edges, receiver, 1, stream_of(f, layer, true), t, t.inputs);
        weights_normalise(f->forward.normed + t.from * c->width, t.inputs, w->mlp_norm, c, t.rows);
    }
    forward_mlp(&f->forward, w);
    differ(f, graph_mlp(f->graph, layer), (struct tile){ .rows = f->forward.rows },
           f->forward.branch);
}

void graph_forward_run(struct graph_forward *f, const struct graph_edges *edges, int32_t receiver,
                       float *scratch)
{
    const struct graph_node from = graph_receiver_at(f->graph, receiver);

    for (int32_t layer = from.layer; layer < f->graph->layers; layer++) {
        if (layer > from.layer || from.part < GRAPH_MLP)
            run_attention(f, edges, layer, scratch);
        if (f->graph->mlps)
            run_mlp(f, edges, layer, scratch);
    }
}

void graph_forward_end(const struct graph_forward *f, const struct graph_edges *edges,
                       float *stream, const int64_t *rows, int64_t count)
{
    const int64_t width = f->forward.weights->config.width;
    const int32_t final = f->graph->receivers - 1;

    for (int64_t i = 0; i < count; i++) {
        const struct tile t = { .from = rows[i], .rows = 1 };

        gather_inputs(f, edges, final, 1, stream_of(f, f->graph->layers, false), t,
                      stream + i * width);
    }
}
