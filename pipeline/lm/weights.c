#include "lm/weights.h"
#include "base/comm.h"
#include "lm/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- layout -------------------------------------------------------------------------- */

/* Room handed out from one piece of memory, or only counted when `base` is NULL. */
struct arena {
    char   *base;
    int64_t used;
};

static void *take(struct arena *arena, int64_t bytes)
{
    char *room = arena->base != NULL ? arena->base + arena->used : NULL;

    arena->used += (bytes + 63) / 64 * 64;
    return room;
}

static float *take_floats(struct arena *arena, int64_t count)
{
    return take(arena, count * (int64_t)sizeof(float));
}

/* Room for a matrix; ready to multiply when it is more than counting. */
static void take_linear(struct linear *linear, struct arena *arena, enum precision precision,
                        int64_t outputs, int64_t inputs)
{
    void *room = take(arena, linear_bytes(precision, outputs, inputs));

    if (room != NULL)
        linear_make(linear, precision, outputs, inputs, room);
}

static void lay_out_layer(struct layer_weights *layer, struct arena *arena,
                          enum precision precision, const struct lm_config *c)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;

    layer->attn_norm = take_floats(arena, width);
    layer->attn_post_norm = take_floats(arena, width);
    layer->mlp_norm = take_floats(arena, width);
    layer->mlp_post_norm = take_floats(arena, width);
    take_linear(&layer->qkv, arena, precision, heads + 2 * kv, width);
    take_linear(&layer->attn_out, arena, precision, width, heads);
    take_linear(&layer->gate_up, arena, precision, 2 * (int64_t)c->mlp_width, width);
    take_linear(&layer->mlp_out, arena, precision, width, c->mlp_width);
}

/* Bytes of a node's copy. */
static int64_t bytes_of_copy(const struct lm_config *c, enum precision precision)
{
    struct layer_weights layer = {0};
    struct arena one = {0}, all = {0};

    lay_out_layer(&layer, &one, precision, c);
    take_floats(&all, (int64_t)c->vocabulary * c->width);
    take_floats(&all, c->width);
    return all.used + one.used * c->layers;
}

/* Floats of the largest matrix, which is read before it is packed. */
static int64_t largest_matrix(const struct lm_config *c)
{
    const int64_t qkv = (int64_t)(c->heads + 2 * c->kv_heads) * c->head_width;
    const int64_t gate_up = 2 * (int64_t)c->mlp_width;

    return (qkv > gate_up ? qkv : gate_up) * c->width;
}

static bool is_first_of_node(MPI_Comm node)
{
    int rank;

    MPI_Comm_rank(node, &rank);
    return rank == 0;
}

static MPI_Comm node_of(MPI_Comm comm)
{
    MPI_Comm node;

    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    return node;
}

int64_t weights_bytes(const struct lm_config *config, enum precision precision, MPI_Comm comm)
{
    MPI_Comm node = node_of(comm);
    const bool first = is_first_of_node(node);

    MPI_Comm_free(&node);
    return (first ? bytes_of_copy(config, precision) : 0)
         + largest_matrix(config) * (int64_t)sizeof(float);
}

/* Room on the node for all parameters, the same for all its ranks. */
static void weights_make(struct weights *weights, const struct lm_config *c,
                         enum precision precision, MPI_Comm node)
{
    struct arena arena = {0};
    MPI_Aint bytes = is_first_of_node(node) ? bytes_of_copy(c, precision) : 0;
    int unit = 1;

    weights->config = *c;
    weights->precision = precision;
    MPI_Win_allocate_shared(bytes, unit, MPI_INFO_NULL, node, &arena.base, &weights->window);
    MPI_Win_shared_query(weights->window, 0, &bytes, &unit, &arena.base);
    weights->embedding = take_floats(&arena, (int64_t)c->vocabulary * c->width);
    weights->final_norm = take_floats(&arena, c->width);
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
        linear_free(&weights->layers[i].gate_up);
        linear_free(&weights->layers[i].mlp_out);
    }
    free(weights->layers);
    MPI_Win_free(&weights->window);
    *weights = (struct weights){0};
}

/* --- reading ------------------------------------------------------------------------- */

/* A checkpoint being read. */
struct reader {
    struct safetensors checkpoint;
    const char        *folder;
    float             *matrix;      /* room for the largest, before it is packed */
};

/* "[161, 96]" */
static void shape_print(char *text, size_t size, const int64_t *shape, int rank)
{
    size_t used = (size_t)snprintf(text, size, "[");

    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

static enum status refuse_shape(const struct safetensor *tensor, int rank, const int64_t *shape)
{
    char expected[64], found[128];

    shape_print(expected, sizeof expected, shape, rank);
    shape_print(found, sizeof found, tensor->shape, tensor->rank);
    return refuse(E_FORMAT, "%s: by config.json tensor %s must have the shape %s, but it has %s",
                  tensor->path, tensor->name, expected, found);
}

/* Read the tensor of this name and shape.  columns 0: a vector of `rows`. */
__attribute__((format(printf, 5, 6)))
static enum status read_tensor(float *values, const struct reader *from, int64_t rows,
                               int64_t columns, const char *format, ...)
{
    const int rank = columns > 0 ? 2 : 1;
    const struct safetensor *tensor;
    char name[128] = "model.";
    va_list args;

    va_start(args, format);
    vsnprintf(name + 6, sizeof name - 6, format, args);
    va_end(args);
    tensor = safetensors_find(&from->checkpoint, name);
    if (tensor == NULL)
        tensor = safetensors_find(&from->checkpoint, name + 6);
    if (tensor == NULL)
        return refuse(E_FORMAT, "the checkpoint in %s lacks the tensor %s", from->folder, name);
    if (tensor->rank != rank || tensor->shape[0] != rows
        || (rank == 2 && tensor->shape[1] != columns))
        return refuse_shape(tensor, rank, (const int64_t[]){ rows, columns });
    return safetensor_values(values, tensor);
}

/* The scale of a norm: checkpoints of Gemma hold its difference from 1. */
static enum status read_norm(float *scale, const struct reader *from, int32_t width, int layer,
                             const char *name)
{
    enum status st;

    if (layer < 0)
        TRY(read_tensor(scale, from, width, 0, "%s.weight", name));
    else
        TRY(read_tensor(scale, from, width, 0, "layers.%d.%s.weight", layer, name));
    for (int32_t i = 0; i < width; i++)
        scale[i] += 1;
done:
    return st;
}

/* Queries, keys and values are one matrix; so are gates and ups. */
static enum status read_qkv(struct layer_weights *to, const struct reader *from,
                            const struct lm_config *c, int layer)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;
    float *w = from->matrix;
    enum status st;

    TRY(read_tensor(w, from, heads, width, "layers.%d.self_attn.q_proj.weight", layer));
    TRY(read_tensor(w + heads * width, from, kv, width, "layers.%d.self_attn.k_proj.weight",
                    layer));
    TRY(read_tensor(w + (heads + kv) * width, from, kv, width,
                    "layers.%d.self_attn.v_proj.weight", layer));
    linear_pack(&to->qkv, w);
done:
    return st;
}

static enum status read_mlp(struct layer_weights *to, const struct reader *from,
                            const struct lm_config *c, int layer)
{
    const int64_t width = c->width, hidden = c->mlp_width;
    float *w = from->matrix;
    enum status st;

    TRY(read_tensor(w, from, hidden, width, "layers.%d.mlp.gate_proj.weight", layer));
    TRY(read_tensor(w + hidden * width, from, hidden, width, "layers.%d.mlp.up_proj.weight",
                    layer));
    linear_pack(&to->gate_up, w);
    TRY(read_tensor(w, from, width, hidden, "layers.%d.mlp.down_proj.weight", layer));
    linear_pack(&to->mlp_out, w);
done:
    return st;
}

static enum status read_layer(struct layer_weights *to, const struct reader *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norm(to->attn_norm, from, c->width, layer, "input_layernorm"));
    TRY(read_norm(to->attn_post_norm, from, c->width, layer, "post_attention_layernorm"));
    TRY(read_norm(to->mlp_norm, from, c->width, layer, "pre_feedforward_layernorm"));
    TRY(read_norm(to->mlp_post_norm, from, c->width, layer, "post_feedforward_layernorm"));
    TRY(read_qkv(to, from, c, layer));
    TRY(read_tensor(from->matrix, from, c->width, (int64_t)c->heads * c->head_width,
                    "layers.%d.self_attn.o_proj.weight", layer));
    linear_pack(&to->attn_out, from->matrix);
    TRY(read_mlp(to, from, c, layer));
done:
    return st;
}

/* This rank's share of the node's copy.  Local. */
static enum status read_share(struct weights *weights, struct reader *from, MPI_Comm node)
{
    const struct lm_config *c = &weights->config;
    enum status st;
    int rank, size;

    MPI_Comm_rank(node, &rank);
    MPI_Comm_size(node, &size);
    TRY(safetensors_open(&from->checkpoint, from->folder));
    if (rank == 0) {
        TRY(read_tensor(weights->embedding, from, c->vocabulary, c->width,
                        "embed_tokens.weight"));
        TRY(read_norm(weights->final_norm, from, c->width, -1, "norm"));
    }
    for (int i = rank; i < c->layers; i += size)
        TRY(read_layer(&weights->layers[i], from, c, i));
done:
    return st;
}

enum status weights_read(struct weights *weights, const struct lm_config *config,
                         enum precision precision, const char *folder, MPI_Comm comm)
{
    struct reader from = { .folder = folder };
    MPI_Comm node = node_of(comm);
    enum status st;

    *weights = (struct weights){0};
    weights_make(weights, config, precision, node);
    from.matrix = allocate(largest_matrix(config), sizeof *from.matrix);
    MPI_Win_fence(0, weights->window);
    st = agree(comm, read_share(weights, &from, node));
    MPI_Win_fence(0, weights->window);
    free(from.matrix);
    safetensors_close(&from.checkpoint);
    MPI_Comm_free(&node);
    return st;
}

enum status precision_parse(enum precision *precision, const char *name)
{
    *precision = strcmp(name, "bf16") == 0 ? PRECISION_BF16 : PRECISION_F32;
    if (strcmp(name, "bf16") != 0 && strcmp(name, "f32") != 0)
        return refuse(E_USAGE, "there is no precision '%s'; choose f32 or bf16", name);
    if (!linear_offers(*precision))
        return refuse(E_USAGE, "precision bf16 needs oneDNN (libdnnl-dev when saemill is built) "
                      "and a CPU with AVX-512; choose f32");
    return OK;
}
