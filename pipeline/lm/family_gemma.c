/* Gemma 1, 2 and 3 (the text models). */
#include "lm/checkpoint.h"
#include "lm/config_file.h"
#include "lm/families.h"

#include <math.h>
#include <string.h>

/* --- config.json --------------------------------------------------------------------- */

static enum status check_heads(const struct lm_config *config, const struct config_file *file)
{
    enum status st;

    REQUIRE(config->heads % config->kv_heads == 0, E_FORMAT, "%s: \"num_key_value_heads\" (%d) "
            "must divide \"num_attention_heads\" (%d)", file->path, (int)config->kv_heads,
            (int)config->heads);
    REQUIRE(config->head_width % 2 == 0, E_FORMAT, "%s: \"head_dim\" must be even, since RoPE "
            "turns pairs", file->path);
done:
    return st;
}

/* The keys that all three have. */
static enum status read_shape(struct lm_config *config, const struct config_file *file)
{
    double epsilon;
    enum status st;

    TRY(config_file_expect(file, "hidden_activation", "\"gelu_pytorch_tanh\""));
    TRY(config_file_expect(file, "attention_bias", "false"));
    TRY(config_file_flag(&config->tied, file, "tie_word_embeddings", true));
    TRY(config_file_int(&config->vocabulary, file, "vocab_size", CONFIG_IDS_MAX));
    TRY(config_file_int(&config->width, file, "hidden_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->mlp_width, file, "intermediate_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->layers, file, "num_hidden_layers", LM_LAYERS_MAX));
    TRY(config_file_int(&config->heads, file, "num_attention_heads", CONFIG_HEADS_MAX));
    TRY(config_file_int(&config->kv_heads, file, "num_key_value_heads", CONFIG_HEADS_MAX));
    TRY(config_file_int(&config->head_width, file, "head_dim", CONFIG_HEADS_MAX));
    TRY(config_file_int(&config->positions, file, "max_position_embeddings", CONFIG_IDS_MAX));
    TRY(check_heads(config, file));
    TRY(config_file_positive(&epsilon, file, "rms_norm_eps"));
    config->norm = LM_NORM_RMS;
    config->norm_epsilon = (float)epsilon;
    config->embedding_scale = (float)sqrt((double)config->width);
    config->gated = true;
done:
    return st;
}

/* Does this layer see a window only?  Newer files say it layer by layer; in older ones every
 * `period`-th layer sees all. */
static enum status read_is_local(const struct config_file *file, int layer, int layers,
                                 int period, bool *local)
{
    const json_t *types = json_object_get(file->root, "layer_types");
    const char *type = json_string_value(json_array_get(types, (size_t)layer));
    enum status st = OK;

    *local = (layer + 1) % period != 0;
    if (!config_file_has(file, "layer_types"))
        goto done;
    REQUIRE(json_array_size(types) == (size_t)layers && type != NULL
            && (strcmp(type, "sliding_attention") == 0 || strcmp(type, "full_attention") == 0),
            E_FORMAT, "%s: \"layer_types\" must be a list of %d names, each "
            "\"sliding_attention\" or \"full_attention\"", file->path, layers);
    *local = strcmp(type, "sliding_attention") == 0;
done:
    return st;
}

/* Local layers see a window and have rotary positions of their own. */
static enum status read_windows(struct lm_config *config, const struct config_file *file,
                                int period, struct lm_rope of_local, struct lm_rope of_global)
{
    int32_t window;
    bool local;
    enum status st;

    TRY(config_file_int(&window, file, "sliding_window", CONFIG_IDS_MAX));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(read_is_local(file, layer, config->layers, period, &local));
        config->window[layer] = local ? window : 0;
        config->rope[layer] = local ? of_local : of_global;
    }
done:
    return st;
}

static enum status read_query_scale(struct lm_config *config, const struct config_file *file)
{
    double scalar;
    enum status st;

    TRY(config_file_positive(&scalar, file, "query_pre_attn_scalar"));
    config->score_scale = (float)(1 / sqrt(scalar));
done:
    return st;
}

static enum status read_gemma1(struct lm_config *config, const struct config_file *file)
{
    double base;
    enum status st;

    TRY(read_shape(config, file));
    TRY(config_file_positive(&base, file, "rope_theta"));
    for (int layer = 0; layer < config->layers; layer++)
        config->rope[layer] = (struct lm_rope){ base, 1 };
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

static enum status read_gemma2(struct lm_config *config, const struct config_file *file)
{
    double score_cap, logit_cap, base;
    enum status st;

    TRY(read_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(config_file_positive(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_positive(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_file_positive(&base, file, "rope_theta"));
    TRY(read_windows(config, file, 2, (struct lm_rope){ base, 1 }, (struct lm_rope){ base, 1 }));
    config->score_cap = (float)score_cap;
    config->logit_cap = (float)logit_cap;
    config->post_norms = true;
done:
    return st;
}

/* Larger models of Gemma 3 stretch the positions of their global layers. */
static enum status read_stretch(double *factor, const struct config_file *file)
{
    const json_t *scaling = json_object_get(file->root, "rope_scaling");
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    const json_t *value = json_object_get(scaling, "factor");
    enum status st = OK;

    *factor = 1;
    if (!config_file_has(file, "rope_scaling"))
        goto done;
    REQUIRE(type != NULL && strcmp(type, "linear") == 0 && json_number_value(value) >= 1,
            E_FORMAT, "%s: \"rope_scaling\" must be null, or have a \"rope_type\" \"linear\" and "
            "a \"factor\" of at least 1", file->path);
    *factor = json_number_value(value);
done:
    return st;
}

static enum status read_gemma3(struct lm_config *config, const struct config_file *file)
{
    struct lm_rope of_local = { .factor = 1 }, of_global;
    double score_cap, logit_cap;
    int32_t period = 6;
    enum status st;

    TRY(read_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(config_file_optional(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_optional(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_file_positive(&of_global.base, file, "rope_theta"));
    TRY(config_file_positive(&of_local.base, file, "rope_local_base_freq"));
    TRY(read_stretch(&of_global.factor, file));
    if (json_object_get(file->root, "sliding_window_pattern") != NULL)
        TRY(config_file_int(&period, file, "sliding_window_pattern", LM_LAYERS_MAX));
    TRY(read_windows(config, file, period, of_local, of_global));
    config->score_cap = (float)score_cap;
    config->logit_cap = (float)logit_cap;
    config->post_norms = true;
    config->qk_norm = LM_QK_NORM_HEADS;
done:
    return st;
}

/* --- tensors ------------------------------------------------------------------------- */

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

/* "post_attention_layernorm" is the norm before the MLP in Gemma 1, and the norm after attention
 * in Gemma 2 and 3. */
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
    if (c->qk_norm == LM_QK_NORM_HEADS) {
        TRY(read_norm(to->query_norm, from, c->head_width, layer, "self_attn.q_norm"));
        TRY(read_norm(to->key_norm, from, c->head_width, layer, "self_attn.k_norm"));
    }
done:
    return st;
}

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

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norms(to, from, c, layer));
    TRY(read_attention(to, from, c, layer));
    TRY(read_mlp(to, from, c, layer));
done:
    return st;
}

static enum status read_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read_table(to->embedding, from, c->vocabulary, c->width,
                              "embed_tokens.weight"));
    if (!c->tied)
        TRY(checkpoint_read_table(to->unembedding, from, c->vocabulary, c->width,
                                  "lm_head.weight"));
    if (from->share == 0) {
        TRY(checkpoint_read(to->final_norm.scale, from, c->width, "norm.weight"));
        add_one(to->final_norm.scale, c->width);
    }
done:
    return st;
}

const struct family FAMILY_GEMMA = { "gemma", read_gemma1, read_layer, read_ends };
const struct family FAMILY_GEMMA_2 = { "gemma2", read_gemma2, read_layer, read_ends };
const struct family FAMILY_GEMMA_3 = { "gemma3_text", read_gemma3, read_layer, read_ends };
