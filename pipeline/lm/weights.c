#include "lm/weights.h"
#include "lm/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- layout -------------------------------------------------------------------------- */

struct layer_sizes {
    int64_t qkv, attn_out, gate_up, mlp_out;    /* elements */
};

static struct layer_sizes layer_sizes(const struct lm_config *c)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;

    return (struct layer_sizes){
        .qkv = (heads + 2 * kv) * width,
        .attn_out = width * heads,
        .gate_up = 2 * width * c->mlp_width,
        .mlp_out = width * c->mlp_width,
    };
}

int64_t weights_bytes(const struct lm_config *c)
{
    const struct layer_sizes n = layer_sizes(c);
    const int64_t layer = n.qkv + n.attn_out + n.gate_up + n.mlp_out + 4 * c->width;

    return (int64_t)sizeof(float) * (layer * c->layers + c->width * ((int64_t)c->vocabulary + 1));
}

static float *floats(int64_t count)
{
    return allocate(count, sizeof(float));
}

static void weights_make(struct weights *weights, const struct lm_config *c)
{
    const struct layer_sizes n = layer_sizes(c);

    weights->config = *c;
    weights->embedding = floats((int64_t)c->vocabulary * c->width);
    weights->final_norm = floats(c->width);
    weights->layers = allocate(c->layers, sizeof *weights->layers);
    for (int i = 0; i < c->layers; i++)
        weights->layers[i] = (struct layer_weights){
            .attn_norm = floats(c->width),
            .qkv = floats(n.qkv),
            .attn_out = floats(n.attn_out),
            .attn_post_norm = floats(c->width),
            .mlp_norm = floats(c->width),
            .gate_up = floats(n.gate_up),
            .mlp_out = floats(n.mlp_out),
            .mlp_post_norm = floats(c->width),
        };
}

void weights_free(struct weights *weights)
{
    for (int i = 0; weights->layers != NULL && i < weights->config.layers; i++) {
        struct layer_weights *layer = &weights->layers[i];
        free(layer->attn_norm);
        free(layer->qkv);
        free(layer->attn_out);
        free(layer->attn_post_norm);
        free(layer->mlp_norm);
        free(layer->gate_up);
        free(layer->mlp_out);
        free(layer->mlp_post_norm);
    }
    free(weights->layers);
    free(weights->embedding);
    free(weights->final_norm);
    *weights = (struct weights){0};
}

/* --- reading ------------------------------------------------------------------------- */

/* A checkpoint being read. */
struct reader {
    struct safetensors checkpoint;
    const char        *folder;
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

static enum status read_layer(struct layer_weights *to, const struct reader *from,
                              const struct lm_config *c, int layer)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width, hidden = c->mlp_width;
    enum status st;

    TRY(read_norm(to->attn_norm, from, c->width, layer, "input_layernorm"));
    TRY(read_norm(to->attn_post_norm, from, c->width, layer, "post_attention_layernorm"));
    TRY(read_norm(to->mlp_norm, from, c->width, layer, "pre_feedforward_layernorm"));
    TRY(read_norm(to->mlp_post_norm, from, c->width, layer, "post_feedforward_layernorm"));
    TRY(read_tensor(to->qkv, from, heads, width, "layers.%d.self_attn.q_proj.weight", layer));
    TRY(read_tensor(to->qkv + heads * width, from, kv, width,
                    "layers.%d.self_attn.k_proj.weight", layer));
    TRY(read_tensor(to->qkv + (heads + kv) * width, from, kv, width,
                    "layers.%d.self_attn.v_proj.weight", layer));
    TRY(read_tensor(to->attn_out, from, width, heads, "layers.%d.self_attn.o_proj.weight",
                    layer));
    TRY(read_tensor(to->gate_up, from, hidden, width, "layers.%d.mlp.gate_proj.weight", layer));
    TRY(read_tensor(to->gate_up + hidden * width, from, hidden, width,
                    "layers.%d.mlp.up_proj.weight", layer));
    TRY(read_tensor(to->mlp_out, from, width, hidden, "layers.%d.mlp.down_proj.weight", layer));
done:
    return st;
}

enum status weights_read(struct weights *weights, const struct lm_config *config,
                         const char *folder)
{
    struct reader from = { .folder = folder };
    enum status st;

    *weights = (struct weights){0};
    TRY(safetensors_open(&from.checkpoint, folder));
    weights_make(weights, config);
    TRY(read_tensor(weights->embedding, &from, config->vocabulary, config->width,
                    "embed_tokens.weight"));
    TRY(read_norm(weights->final_norm, &from, config->width, -1, "norm"));
    for (int i = 0; i < config->layers; i++)
        TRY(read_layer(&weights->layers[i], &from, config, i));
done:
    safetensors_close(&from.checkpoint);
    return st;
}
