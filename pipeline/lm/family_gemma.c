/* Gemma 1, 2 and 3 (the text models). */
#include "lm/families.h"
#include "lm/family_llama.h"

#include <math.h>
#include <string.h>

/* --- config.json --------------------------------------------------------------------- */

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

/* The keys that all three have.  Files of Gemma 3 that have images, too, leave out what the library
 * takes for granted. */
static const struct config_shape
    ALL_THERE = { .tied = true },
    GEMMA_3 = { .vocabulary = 262208, .heads = 8, .kv_heads = 4, .head_width = 256,
                .positions = 131072, .epsilon = 1e-6, .tied = true };

static enum status read_shape(struct lm_config *config, const struct config_file *file,
                              const struct config_shape *absent)
{
    enum status st;

    TRY(check_activation(file));
    TRY(config_file_expect(file, "attention_bias", "false"));
    TRY(config_file_expect(file, "use_bidirectional_attention", "false"));
    TRY(config_shape_read(config, file, absent));
    config->pre_norms = true;
    config->activation = ACTIVATION_GELU_TANH;
    config->embedding_scale = (float)sqrt((double)config->width);
done:
    return st;
}

/* Local layers see a window and have rotary positions of their own, rope[true]; every `period`-th
 * layer is global, unless the file says it layer by layer. */
static enum status read_windows(struct lm_config *config, const struct config_file *file,
                                int period, int32_t absent, const struct rope rope[2])
{
    int32_t window;
    bool local;
    enum status st;

    TRY(config_file_int_or(&window, file, "sliding_window", CONFIG_IDS_MAX, absent));
    if (config_file_has(file, "sliding_window_size"))   /* the older name */
        TRY(config_file_same(file, "sliding_window_size", "sliding_window", window));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(config_shape_is_local(&local, file, layer, config->layers, (layer + 1) % period != 0));
        config->window[layer] = local ? window : 0;
        config->rope[layer] = rope[local];
    }
done:
    return st;
}

static enum status read_query_scale(struct lm_config *config, const struct config_file *file,
                                    double absent)
{
    double scalar;
    enum status st;

    TRY(config_file_positive_or(&scalar, file, "query_pre_attn_scalar", absent));
    config->score_scale = (float)(1 / sqrt(scalar));
done:
    return st;
}

/* In Gemma 1 and 2. */
static const struct config_rope_keys ALL_LAYERS = {
    .theta = "rope_theta", .scaling = "rope_scaling",
};

static enum status read_gemma1(struct lm_config *config, const struct config_file *file)
{
    struct rope rope;
    bool local;
    enum status st;

    TRY(read_shape(config, file, &ALL_THERE));
    TRY(config_rope_read(&rope, file, &ALL_LAYERS, config->head_width));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(config_shape_is_local(&local, file, layer, config->layers, false));
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
    struct rope rope[2];
    enum status st;

    TRY(read_shape(config, file, &ALL_THERE));
    TRY(read_query_scale(config, file, 0));
    TRY(config_file_positive(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_positive(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_rope_read(&rope[0], file, &ALL_LAYERS, config->head_width));
    rope[1] = rope[0];
    TRY(read_windows(config, file, 2, 0, rope));
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
        LOCAL = { .theta = "rope_local_base_freq", .absent_theta = 1e4,
                  .kind = "sliding_attention" },
        GLOBAL = { .theta = "rope_theta", .absent_theta = 1e6, .scaling = "rope_scaling",
                   .kind = "full_attention" };
    struct rope rope[2];
    double score_cap, logit_cap;
    int32_t period;
    enum status st;

    TRY(read_shape(config, file, &GEMMA_3));
    TRY(read_query_scale(config, file, 256));
    TRY(config_file_optional(&score_cap, file, "attn_logit_softcapping"));
    TRY(config_file_optional(&logit_cap, file, "final_logit_softcapping"));
    TRY(config_rope_read(&rope[false], file, &GLOBAL, config->head_width));
    TRY(config_rope_read(&rope[true], file, &LOCAL, config->head_width));
    TRY(read_period(&period, file));
    TRY(read_windows(config, file, period, 4096, rope));
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

    TRY(family_llama_norm(scale, from, width, layer, name));
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

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norms(to, from, c, layer));
    TRY(family_llama_attention(to, from, c, layer));
    TRY(family_llama_mlp(to, from, c, layer));
done:
    return st;
}

static enum status read_ends(struct weights *to, const struct checkpoint *from)
{
    enum status st;

    TRY(family_llama_ends(to, from));
    if (from->share == 0)
        add_one(to->final_norm.scale, to->config.width);
done:
    return st;
}

const struct family FAMILY_GEMMA = { "gemma", read_gemma1, read_layer, read_ends };
const struct family FAMILY_GEMMA_2 = { "gemma2", read_gemma2, read_layer, read_ends };
const struct family FAMILY_GEMMA_3 = { "gemma3_text", read_gemma3, read_layer, read_ends };
