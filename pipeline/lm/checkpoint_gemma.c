#include "lm/checkpoint.h"

/* Checkpoints of Gemma hold the difference of a norm's scale from 1. */
static void add_one(float *scale, int32_t width)
{
    for (int32_t i = 0; i < width; i++)
        scale[i] += 1;
}

/* The norm of this name in a layer. */
static enum status read_norm(float *scale, const struct checkpoint *from, int32_t width,
                             int layer, const char *name)
{
    enum status st;

    TRY(checkpoint_read(scale, from, width, 0, "layers.%d.%s.weight", layer, name));
    add_one(scale, width);
done:
    return st;
}

/* Gemma 1 names the norm before the MLP after its place behind attention. */
static enum status read_norms(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norm(to->attn_norm.scale, from, c->width, layer, "input_layernorm"));
    if (c->post_norms) {
        TRY(read_norm(to->attn_post_norm.scale, from, c->width, layer,
                      "post_attention_layernorm"));
        TRY(read_norm(to->mlp_norm.scale, from, c->width, layer, "pre_feedforward_layernorm"));
        TRY(read_norm(to->mlp_post_norm.scale, from, c->width, layer,
                      "post_feedforward_layernorm"));
    } else {
        TRY(read_norm(to->mlp_norm.scale, from, c->width, layer, "post_attention_layernorm"));
    }
    if (c->head_norms) {
        TRY(read_norm(to->query_norm, from, c->head_width, layer, "self_attn.q_norm"));
        TRY(read_norm(to->key_norm, from, c->head_width, layer, "self_attn.k_norm"));
    }
done:
    return st;
}

/* The second half of the room for matrices is scratch here. */
static void pack(struct linear *to, const struct checkpoint *from)
{
    linear_pack(to, from->matrix, (uint16_t *)(from->matrix + from->values));
}

/* Queries, keys and values are one matrix here. */
static enum status read_attention(struct layer_weights *to, const struct checkpoint *from,
                                  const struct lm_config *c, int layer)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;
    float *w = from->matrix;
    enum status st;

    TRY(checkpoint_read(w, from, heads, width, "layers.%d.self_attn.q_proj.weight", layer));
    TRY(checkpoint_read(w + heads * width, from, kv, width, "layers.%d.self_attn.k_proj.weight",
                        layer));
    TRY(checkpoint_read(w + (heads + kv) * width, from, kv, width,
                        "layers.%d.self_attn.v_proj.weight", layer));
    pack(&to->qkv, from);
    TRY(checkpoint_read(w, from, width, heads, "layers.%d.self_attn.o_proj.weight", layer));
    pack(&to->attn_out, from);
done:
    return st;
}

/* So are gates and ups. */
static enum status read_mlp(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer)
{
    const int64_t width = c->width, hidden = c->mlp_width;
    float *w = from->matrix;
    enum status st;

    TRY(checkpoint_read(w, from, hidden, width, "layers.%d.mlp.gate_proj.weight", layer));
    TRY(checkpoint_read(w + hidden * width, from, hidden, width, "layers.%d.mlp.up_proj.weight",
                        layer));
    pack(&to->mlp_in, from);
    TRY(checkpoint_read(w, from, width, hidden, "layers.%d.mlp.down_proj.weight", layer));
    pack(&to->mlp_out, from);
done:
    return st;
}

enum status gemma_read_layer(struct layer_weights *to, const struct checkpoint *from,
                             const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norms(to, from, c, layer));
    TRY(read_attention(to, from, c, layer));
    TRY(read_mlp(to, from, c, layer));
done:
    return st;
}

enum status gemma_read_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read(to->embedding, from, c->vocabulary, c->width, "embed_tokens.weight"));
    if (!c->tied)
        TRY(checkpoint_read(to->unembedding, from, c->vocabulary, c->width, "lm_head.weight"));
    TRY(checkpoint_read(to->final_norm.scale, from, c->width, 0, "norm.weight"));
    add_one(to->final_norm.scale, c->width);
done:
    return st;
}
