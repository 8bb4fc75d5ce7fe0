#include "lm/weights.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "kernels/norm.h"

#include <stdlib.h>

/* --- layout -------------------------------------------------------------------------- */

/* One piece of memory from which arrays are taken; with `base` NULL they are only counted. */
struct arena {
    char   *base;
    int64_t used;
};

static void *take(struct arena *arena, int64_t bytes)
{
    char *taken = arena->base != NULL ? arena->base + arena->used : NULL;

    arena->used += (bytes + 63) / 64 * 64;
    return taken;
}

static float *take_floats(struct arena *arena, int64_t count)
{
    return take(arena, count * (int64_t)sizeof(float));
}

/* Take the memory of a matrix and make the matrix, unless the arena only counts. */
static void take_linear(struct linear *linear, struct arena *arena, enum precision precision,
                        bool gated, int64_t outputs, int64_t inputs)
{
    void *values = take(arena, linear_bytes(precision, outputs, inputs));

    if (values != NULL)
        linear_make(linear, precision, gated, outputs, inputs, values);
}

static struct norm_weights take_norm(struct arena *arena, const struct lm_config *c)
{
    struct norm_weights norm = { .scale = take_floats(arena, c->width) };

    norm.bias = c->norm == LM_NORM_LAYER ? take_floats(arena, c->width) : NULL;
    return norm;
}

static int64_t qkv_rows(const struct lm_config *c)
{
    return (int64_t)(c->heads + 2 * c->kv_heads) * c->head_width;
}

static int64_t mlp_in_rows(const struct lm_config *c)
{
    return (c->gated ? 2 : 1) * (int64_t)c->mlp_width;
}

static void lay_out_layer(struct layer_weights *layer, struct arena *arena,
                          enum precision precision, const struct lm_config *c)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;

    if (c->pre_norms) {
        layer->attn_norm = take_norm(arena, c);
        layer->mlp_norm = take_norm(arena, c);
    }
    if (c->post_norms) {
        layer->attn_post_norm = take_norm(arena, c);
        layer->mlp_post_norm = take_norm(arena, c);
    }
    if (c->qk_norm != LM_QK_NORM_NONE) {
        const bool whole = c->qk_norm == LM_QK_NORM_WHOLE;
        layer->query_norm = take_floats(arena, whole ? heads : c->head_width);
        layer->key_norm = take_floats(arena, whole ? kv : c->head_width);
    }
    layer->qkv_bias = c->bias.qkv ? take_floats(arena, qkv_rows(c)) : NULL;
    layer->attn_out_bias = c->bias.attn_out ? take_floats(arena, width) : NULL;
    layer->mlp_in_bias = c->bias.mlp ? take_floats(arena, mlp_in_rows(c)) : NULL;
    layer->mlp_out_bias = c->bias.mlp ? take_floats(arena, width) : NULL;
    take_linear(&layer->qkv, arena, precision, false, qkv_rows(c), width);
    take_linear(&layer->attn_out, arena, precision, false, width, heads);
    take_linear(&layer->mlp_in, arena, precision, c->gated, mlp_in_rows(c), width);
    take_linear(&layer->mlp_out, arena, precision, false, width, c->mlp_width);
}

/* The parameters that belong to no layer. */
static void lay_out_ends(struct weights *weights, struct arena *arena, const struct lm_config *c)
{
    const int64_t width = c->width;

    weights->embedding = take_floats(arena, c->vocabulary * width);
    weights->unembedding = c->tied ? weights->embedding
                                   : take_floats(arena, c->outputs * width);
    weights->positions = c->learned_positions
                       ? take_floats(arena, c->positions * width) : NULL;
    weights->final_norm = take_norm(arena, c);
}

int64_t weights_bytes(const struct lm_config *c, enum precision precision)
{
    struct layer_weights layer = {0};
    struct weights ends = {0};
    struct arena one = {0}, all = {0};

    lay_out_layer(&layer, &one, precision, c);
    lay_out_ends(&ends, &all, c);
    return all.used + one.used * c->layers;
}

int64_t weights_reading_bytes(const struct lm_config *c, int threads)
{
    const int64_t heads = (int64_t)c->heads * c->head_width;
    int64_t inputs = c->width > c->mlp_width ? c->width : c->mlp_width;

    inputs = inputs > heads ? inputs : heads;
    return threads * LINEAR_COLUMNS * inputs * (int64_t)sizeof(float);
}

void weights_make(struct weights *weights, const struct lm_config *c, enum precision precision,
                  MPI_Comm node)
{
    struct arena arena = {0};
    MPI_Aint bytes = comm_first_of_node(node) ? weights_bytes(c, precision) : 0;
    int unit = 1;

    *weights = (struct weights){ .config = *c, .precision = precision };
    MPI_Win_allocate_shared(bytes, unit, MPI_INFO_NULL, node, &arena.base, &weights->window);
    MPI_Win_shared_query(weights->window, 0, &bytes, &unit, &arena.base);
    lay_out_ends(weights, &arena, c);
    weights->layers = allocate(c->layers, sizeof *weights->layers);
    for (int i = 0; i < c->layers; i++)
        lay_out_layer(&weights->layers[i], &arena, precision, c);
}

void weights_free(struct weights *weights)
{
    if (weights->layers == NULL)
        return;
    for (int i = 0; i < weights->config.layers; i++) {
        linear_free(&weights->layers[i].qkv);
        linear_free(&weights->layers[i].attn_out);
        linear_free(&weights->layers[i].mlp_in);
        linear_free(&weights->layers[i].mlp_out);
    }
    free(weights->layers);
    MPI_Win_free(&weights->window);
    *weights = (struct weights){0};
}

void weights_normalise(float *y, const float *x, struct norm_weights norm,
                       const struct lm_config *c, int64_t rows)
{
    if (norm.scale == NULL)
        norm_copy_rows(y, x, rows * c->width);
    else if (norm.bias != NULL)
        norm_layer(y, x, norm.scale, norm.bias, rows, c->width, c->norm_epsilon);
    else
        norm_rms(y, x, norm.scale, rows, c->width, c->norm_epsilon);
}

void weights_normalise_back(float *out, const float *gradient, const float *x,
                            struct norm_weights norm, const struct lm_config *c, int64_t rows)
{
    if (norm.scale == NULL && out != gradient)
        norm_copy_rows(out, gradient, rows * c->width);
    if (norm.scale == NULL)
        return;
    if (norm.bias != NULL)
        norm_layer_back(out, gradient, x, norm.scale, rows, c->width, c->norm_epsilon);
    else
        norm_rms_back(out, gradient, x, norm.scale, rows, c->width, c->norm_epsilon);
}

enum status weights_check_precision(enum precision precision)
{
    enum status st = OK;

    REQUIRE(linear_offers(precision), E_USAGE, "precision bf16 needs oneDNN (libdnnl-dev when "
            "saemill is built) and a CPU with AVX-512; choose f32");
done:
    return st;
}
