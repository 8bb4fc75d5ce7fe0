/* Gemma 1, 2 and 3 (the text models). */
#include "lm/checkpoint.h"
#include "lm/config_file.h"
#include "lm/config_rope.h"
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

/* The MLP's function.  "hidden_act" is the older key, which is not obeyed: the first configs of
 * Gemma 1 said "gelu" there, while the model was trained with the approximation by tanh. */
static enum status check_activation(const struct config_file *file)
{
    const char *older = json_string_value(config_file_get(file, "hidden_act"));
    enum status st;

    REQUIRE(!config_file_has(file, "hidden_act") || (older != NULL
            && (strcmp(older, "gelu") == 0 || strcmp(older, "gelu_pytorch_tanh") == 0)), E_FORMAT,
            "%s: \"hidden_act\" must be \"gelu_pytorch_tanh\" for this model family", file->path);
    if (config_file_has(file, "hidden_activation"))
        TRY(config_file_expect(file, "hidden_activation", "\"gelu_pytorch_tanh\""));
done:
    return st;
}

/* The keys that all three have. */
static enum status read_shape(struct lm_config *config, const struct config_file *file)
{
    double epsilon;
    enum status st;

    TRY(check_activation(file));
    TRY(config_file_expect(file, "attention_bias", "false"));
    TRY(config_file_expect(file, "use_bidirectional_attention", "false"));
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
    const json_t *types = config_file_get(file, "layer_types");
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
    if (config_file_has(file, "sliding_window_size"))   /* the older name */
        TRY(config_file_same(file, "sliding_window_size", "sliding_window", window));
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

/* In Gemma 1 and 2. */
static const struct config_rope_keys ALL_LAYERS = { "rope_theta", "rope_scaling", NULL };

static enum status read_gemma1(struct lm_config *config, const struct config_file *file)
{
    struct lm_rope rope;
    bool local;
    enum status st;

    TRY(read_shape(config, file));
    TRY(config_rope_read(&rope, file, &ALL_LAYERS));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(read_is_local(file, layer, config->layers, 1, &local));
        REQUIRE(!local, E_FORMAT, "%s: \"layer_types\" may only hold \"full_attention\" for this "
                "model family", file->path);
        config->rope[layer] = rope;
    }
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

static enum status read_gemma2(struct lm_config *config, const struct config_file *file)
{
    double score_cap, logit_cap;
    struct lm_rope rope;
    enum status st;

    TRY(read_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(config_file_positive(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_positive(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_rope_read(&rope, file, &ALL_LAYERS));
    TRY(read_windows(config, file, 2, rope, rope));
    config->score_cap = (float)score_cap;
    config->logit_cap = (float)logit_cap;
    config->post_norms = true;
done:
    return st;
}

/* Every so many layers one sees all.  Newer files have the key with an underscore. */
static enum status read_period(int32_t *period, const struct config_file *file)
{
    static const char *const KEYS[] = { "sliding_window_pattern", "_sliding_window_pattern" };
    enum status st = OK;

    *period = 6;
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (config_file_has(file, KEYS[i]))
            TRY(config_file_int(period, file, KEYS[i], LM_LAYERS_MAX));
done:
    return st;
}

/* Larger models of Gemma 3 stretch the positions of their global layers. */
static enum status read_gemma3(struct lm_config *config, const struct config_file *file)
{
    static const struct config_rope_keys
        LOCAL = { "rope_local_base_freq", NULL, "sliding_attention" },
        GLOBAL = { "rope_theta", "rope_scaling", "full_attention" };
    struct lm_rope of_local, of_global;
    double score_cap, logit_cap;
    int32_t period;
    enum status st;

    TRY(read_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(config_file_optional(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_optional(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_rope_read(&of_global, file, &GLOBAL));
    TRY(config_rope_read(&of_local, file, &LOCAL));
    TRY(read_period(&period, file));
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
