/* Llama, and those that differ from it by little: Mistral, Qwen 2 and 2.5, Qwen 3. */
#include "lm/family_llama.h"
#include "lm/families.h"

#include <math.h>

/* --- config.json --------------------------------------------------------------------- */

enum status family_llama_config(struct lm_config *config, const struct config_file *file,
                                const struct config_shape *absent,
                                const struct config_rope_keys *keys)
{
    struct rope rope;
    enum status st;

    TRY(config_file_expect(file, "hidden_act", "\"silu\""));
    TRY(config_file_expect(file, "attention_bias", "false"));
    TRY(config_shape_read(config, file, absent));
    TRY(config_rope_read(&rope, file, keys, config->head_width));
    for (int layer = 0; layer < config->layers; layer++)
        config->rope[layer] = rope;
    config->pre_norms = true;
    config->activation = ACTIVATION_SILU;
    config->embedding_scale = 1;
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

static enum status read_window(int32_t *window, const struct config_file *file, int32_t absent)
{
    enum status st = OK;

    *window = absent;
    if (json_is_null(config_file_get(file, "sliding_window")))
        *window = 0;
    else if (config_file_has(file, "sliding_window"))
        TRY(config_file_int(window, file, "sliding_window", CONFIG_IDS_MAX));
done:
    return st;
}

enum status family_llama_window(struct lm_config *config, const struct config_file *file,
                                int32_t absent)
{
    int32_t window;
    enum status st;

    TRY(read_window(&window, file, absent));
    for (int layer = 0; layer < config->layers; layer++)
        config->window[layer] = window;
done:
    return st;
}

static const struct config_rope_keys ROPE = {
    .theta = "rope_theta", .absent_theta = 10000, .scaling = "rope_scaling",
};

static enum status read_llama(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = CONFIG_SHAPE_DERIVED, .head_width = CONFIG_SHAPE_DERIVED, .epsilon = 1e-6,
    };
    enum status st;

    TRY(config_file_expect(file, "mlp_bias", "false"));
    TRY(config_file_expect(file, "rope_interleaved", "false"));
    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
done:
    return st;
}

static enum status read_mistral(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = 8, .head_width = CONFIG_SHAPE_DERIVED, .epsilon = 1e-6,
    };
    enum status st;

    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
    TRY(family_llama_window(config, file, 4096));
done:
    return st;
}

/* The upper layers see a window, if any do. */
static enum status read_qwen_windows(struct lm_config *config, const struct config_file *file)
{
    int32_t window = 0, first = config->layers;
    bool used = false, local;
    enum status st;

    if (config_file_has(file, "use_sliding_window"))
        TRY(config_file_flag(&used, file, "use_sliding_window", false));
    if (used) {
        TRY(read_window(&window, file, 4096));
        TRY(config_file_int_or(&first, file, "max_window_layers", CONFIG_IDS_MAX, 28));
    } else {
        config_file_skip(file, "sliding_window");
        config_file_skip(file, "max_window_layers");
    }
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(config_shape_is_local(&local, file, layer, config->layers,
                                  window > 0 && layer >= first));
        REQUIRE(!local || window > 0, E_FORMAT,
                "%s: \"layer_types\" has windows, but \"use_sliding_window\" or "
                "\"sliding_window\" says that there are none", file->path);
        config->window[layer] = local ? window : 0;
    }
done:
    return st;
}

static enum status read_qwen2(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = 32, .head_width = CONFIG_SHAPE_DERIVED, .epsilon = 1e-6,
    };
    enum status st;

    TRY(config_file_expect(file, "use_mrope", "false"));
    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
    TRY(read_qwen_windows(config, file));
    config->bias.qkv = true;
done:
    return st;
}

static enum status read_qwen3(struct lm_config *config, const struct config_file *file)
{
    static const struct config_shape ABSENT = {
        .kv_heads = 32, .head_width = 128, .epsilon = 1e-6,
    };
    enum status st;

    TRY(family_llama_config(config, file, &ABSENT, &ROPE));
    TRY(read_qwen_windows(config, file));
    config->qk_norm = LM_QK_NORM_HEADS;
done:
    return st;
}

/* --- tensors ------------------------------------------------------------------------- */

enum status family_llama_norm(float *scale, const struct checkpoint *from, int32_t width, int layer,
                              const char *name)
{
    return checkpoint_read(scale, from, width, "layers.%d.%s.weight", layer, name);
}

/* Queries, keys and values are one product here. */
static enum status read_qkv_bias(float *bias, const struct checkpoint *from, int64_t heads,
                                 int64_t kv, int layer)
{
    enum status st;

    TRY(checkpoint_read(bias, from, heads, "layers.%d.self_attn.q_proj.bias", layer));
    TRY(checkpoint_read(bias + heads, from, kv, "layers.%d.self_attn.k_proj.bias", layer));
    TRY(checkpoint_read(bias + heads + kv, from, kv, "layers.%d.self_attn.v_proj.bias", layer));
done:
    return st;
}

enum status family_llama_attention(struct layer_weights *to, const struct checkpoint *from,
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
    if (c->bias.qkv)
        TRY(read_qkv_bias(to->qkv_bias, from, heads, kv, layer));
done:
    return st;
}

enum status family_llama_mlp(struct layer_weights *to, const struct checkpoint *from,
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

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(family_llama_norm(to->attn_norm.scale, from, c->width, layer, "input_layernorm"));
    TRY(family_llama_norm(to->mlp_norm.scale, from, c->width, layer, "post_attention_layernorm"));
    if (c->qk_norm == LM_QK_NORM_HEADS) {
        TRY(family_llama_norm(to->query_norm, from, c->head_width, layer, "self_attn.q_norm"));
        TRY(family_llama_norm(to->key_norm, from, c->head_width, layer, "self_attn.k_norm"));
    }
    TRY(family_llama_attention(to, from, c, layer));
    TRY(family_llama_mlp(to, from, c, layer));
done:
    return st;
}

enum status family_llama_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read_table(to->embedding, from, c->vocabulary, c->width,
                              "embed_tokens.weight"));
    if (!c->tied)
        TRY(checkpoint_read_table(to->unembedding, from, c->vocabulary, c->width,
                                  "lm_head.weight"));
    if (from->share == 0)
        TRY(checkpoint_read(to->final_norm.scale, from, c->width, "norm.weight"));
done:
    return st;
}

const struct family FAMILY_LLAMA = { "llama", read_llama, read_layer, family_llama_ends };
const struct family FAMILY_LLAMA_MISTRAL = { "mistral", read_mistral, read_layer,
                                             family_llama_ends };
const struct family FAMILY_LLAMA_QWEN2 = { "qwen2", read_qwen2, read_layer, family_llama_ends };
const struct family FAMILY_LLAMA_QWEN3 = { "qwen3", read_qwen3, read_layer, family_llama_ends };
