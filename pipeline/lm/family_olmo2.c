/* OLMo 2: Llama with norms after attention and MLP in place of those before them, and with norms of
 * all queries and of all keys. */
#include "lm/families.h"
#include "lm/family_llama.h"

static enum status read_config(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = CONFIG_SHAPE_DERIVED, .head_width = CONFIG_SHAPE_DERIVED, .epsilon = 1e-5,
    };
    static const struct config_rope_keys ROPE = {
        .theta = "rope_theta", .absent_theta = 10000, .scaling = "rope_scaling",
    };
    enum status st;

    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
    config->pre_norms = false;
    config->post_norms = true;
    config->qk_norm = LM_QK_NORM_WHOLE;
done:
    return st;
}

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(family_llama_norm(to->attn_post_norm.scale, from, c->width, layer,
                          "post_attention_layernorm"));
    TRY(family_llama_norm(to->mlp_post_norm.scale, from, c->width, layer,
                          "post_feedforward_layernorm"));
    TRY(family_llama_norm(to->query_norm, from, c->heads * c->head_width, layer,
                          "self_attn.q_norm"));
    TRY(family_llama_norm(to->key_norm, from, c->kv_heads * c->head_width, layer,
                          "self_attn.k_norm"));
    TRY(family_llama_attention(to, from, c, layer));
    TRY(family_llama_mlp(to, from, c, layer));
done:
    return st;
}

const struct family FAMILY_OLMO2 = { "olmo2", read_config, read_layer, family_llama_ends };
