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

    TRY(checkpoint_read(scale, from, width, "layers.%d.%s.weight", layer, name));
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

/* Queries, keys and values are one matrix here. */
static enum status read_attention(struct layer_weights *to, const struct checkpoint *from,
                                  const struct lm_config *c, int layer)
{
    const int64_t width = c->width, heads = (int64_t)c->heads * c->head_width;
    const int64_t kv = (int64_t)c->kv_heads * c->head_width;
    struct matrix qkv = {0}, out = {0};
    enum status st;

    TRY(checkpoint_find(&qkv.part[0], from, heads, width, "layers.%d.self_attn.q_proj.weight",
                        layer));
    TRY(checkpoint_find(&qkv.part[1], from, kv, width, "layers.%d.self_attn.k_proj.weight", layer));
    TRY(checkpoint_find(&qkv.part[2], from, kv, width, "layers.%d.self_attn.v_proj.weight", layer));
    TRY(checkpoint_find(&out.part[0], from, width, heads, "layers.%d.self_attn.o_proj.weight",
                        layer));
    TRY(checkpoint_pack(&to->qkv, from, &qkv));
    TRY(checkpoint_pack(&to->attn_out, from, &out));
done:
    return st;
}

/* So are gates and ups. */
static enum status read_mlp(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer)
{
    const int64_t width = c->width, hidden = c->mlp_width;
    struct matrix in = {0}, out = {0};
    enum status st;

    TRY(checkpoint_find(&in.part[0], from, hidden, width, "layers.%d.mlp.gate_proj.weight", layer));
    TRY(checkpoint_find(&in.part[1], from, hidden, width, "layers.%d.mlp.up_proj.weight", layer));
    TRY(checkpoint_find(&out.part[0], from, width, hidden, "layers.%d.mlp.down_proj.weight",
                        layer));
    TRY(checkpoint_pack(&to->mlp_in, from, &in));
    TRY(checkpoint_pack(&to->mlp_out, from, &out));
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
    const struct safetensor *table;
    enum status st;

    TRY(checkpoint_find(&table, from, c->vocabulary, c->width, "embed_tokens.weight"));
    TRY(checkpoint_read_share(to->embedding, from, table));
    if (!c->tied) {
        TRY(checkpoint_find(&table, from, c->vocabulary, c->width, "lm_head.weight"));
        TRY(checkpoint_read_share(to->unembedding, from, table));
    }
    if (from->share == 0) {
        TRY(checkpoint_read(to->final_norm.scale, from, c->width, "norm.weight"));
        add_one(to->final_norm.scale, c->width);
    }
done:
    return st;
}
