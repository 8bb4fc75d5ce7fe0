/* Phi-3: Llama with queries, keys and values in one tensor, gates and ups in another. */
#include "lm/families.h"
#include "lm/family_llama.h"

static enum status read_config(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = CONFIG_SHAPE_DERIVED, .head_width = CONFIG_SHAPE_DERIVED, .epsilon = 1e-5,
    };
    static const struct config_rope_keys ROPE = {
        .theta = "rope_theta", .absent_theta = 10000, .scaling = "rope_scaling",
        .share = "partial_rotary_factor", .absent_share = 1,
    };
    enum status st;

    /* The code that is named is Hugging Face's own of this family; the length matters to long
     * variants only, which have another "rope_scaling". */
    config_file_skip(file, "auto_map");
    config_file_skip(file, "original_max_position_embeddings");
    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
    TRY(family_llama_window(config, file, 0));
done:
    return st;
}

static enum status read_attention(struct layer_weights *to, const struct checkpoint *from,
                                  const struct lm_config *c, int layer)
{
    struct matrix qkv = {0}, out = {0};
    enum status st;

    TRY(checkpoint_find(&qkv.part[0], from, to->qkv.outputs, c->width,
                        "layers.%d.self_attn.qkv_proj.weight", layer));
    TRY(checkpoint_find(&out.part[0], from, c->width, to->attn_out.inputs,
                        "layers.%d.self_attn.o_proj.weight", layer));
    TRY(checkpoint_pack(&to->qkv, from, &qkv));
    TRY(checkpoint_pack(&to->attn_out, from, &out));
done:
    return st;
}

/* The ups lie below the gates. */
static enum status read_mlp(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer)
{
    const int64_t hidden = c->mlp_width;
    struct matrix in = {0}, out = {0};
    enum status st;

    TRY(checkpoint_find(&in.part[0], from, 2 * hidden, c->width,
                        "layers.%d.mlp.gate_up_proj.weight", layer));
    in.part[0].count = hidden;
    in.part[1] = in.part[0];
    in.part[1].first = hidden;
    TRY(checkpoint_find(&out.part[0], from, c->width, hidden, "layers.%d.mlp.down_proj.weight",
                        layer));
    TRY(checkpoint_pack(&to->mlp_in, from, &in));
    TRY(checkpoint_pack(&to->mlp_out, from, &out));
done:
    return st;
}

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(family_llama_norm(to->attn_norm.scale, from, c->width, layer, "input_layernorm"));
    TRY(family_llama_norm(to->mlp_norm.scale, from, c->width, layer, "post_attention_layernorm"));
    TRY(read_attention(to, from, c, layer));
    TRY(read_mlp(to, from, c, layer));
done:
    return st;
}

const struct family FAMILY_PHI3 = { "phi3", read_config, read_layer, family_llama_ends };
