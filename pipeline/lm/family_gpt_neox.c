/* GPT-NeoX and Pythia. */
#include "base/allocate.h"
#include "lm/checkpoint.h"
#include "lm/config_file.h"
#include "lm/config_rope.h"
#include "lm/families.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- config.json --------------------------------------------------------------------- */

static enum status read_shape(struct lm_config *config, const struct config_file *file)
{
    double epsilon;
    enum status st;

    TRY(config_file_flag(&config->tied, file, "tie_word_embeddings", false));
    TRY(config_file_int(&config->vocabulary, file, "vocab_size", CONFIG_IDS_MAX));
    TRY(config_file_int(&config->width, file, "hidden_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->mlp_width, file, "intermediate_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->layers, file, "num_hidden_layers", LM_LAYERS_MAX));
    TRY(config_file_int(&config->heads, file, "num_attention_heads", CONFIG_HEADS_MAX));
    TRY(config_file_int(&config->positions, file, "max_position_embeddings", CONFIG_IDS_MAX));
    TRY(config_file_positive_or(&epsilon, file, "layer_norm_eps", 1e-5));
    REQUIRE(config->width % config->heads == 0, E_FORMAT, "%s: \"num_attention_heads\" (%d) must "
            "divide \"hidden_size\" (%d)", file->path, (int)config->heads, (int)config->width);
    config->kv_heads = config->heads;
    config->head_width = config->width / config->heads;
    config->norm_epsilon = (float)epsilon;
done:
    return st;
}

/* A newer name of a key, which some versions of Hugging Face's library write next to the older. */
static enum status check_newer_name(const struct config_file *file, const char *key,
                                    const char *older, bool same)
{
    enum status st;

    REQUIRE(!config_file_has(file, key) || same, E_FORMAT, "%s: \"%s\" must be what \"%s\" is",
            file->path, key, older);
done:
    return st;
}

static enum status read_rope(struct lm_config *config, const struct config_file *file)
{
    static const struct config_rope_keys KEYS = {
        .theta = "rotary_emb_base", .absent_theta = 10000, .scaling = "rope_scaling",
        .share = "rotary_pct", .absent_share = 0.25,
    };
    const double theta = json_number_value(config_file_get(file, "rope_theta"));
    const double share = json_number_value(config_file_get(file, "partial_rotary_factor"));
    struct rope rope;
    enum status st;

    TRY(config_rope_read(&rope, file, &KEYS, config->head_width));
    TRY(check_newer_name(file, "rope_theta", KEYS.theta, theta == rope.base));
    TRY(check_newer_name(file, "partial_rotary_factor", KEYS.share,
                         floor(config->head_width * share) == rope.width));
    for (int layer = 0; layer < config->layers; layer++)
        config->rope[layer] = rope;
done:
    return st;
}

static enum status read_config(struct lm_config *config, const struct config_file *file)
{
    enum status st;

    TRY(config_file_expect(file, "hidden_act", "\"gelu\""));
    TRY(config_file_expect(file, "attention_bias", "true"));
    TRY(config_file_flag(&config->parallel, file, "use_parallel_residual", true));
    TRY(read_shape(config, file));
    TRY(read_rope(config, file));
    config->norm = LM_NORM_LAYER;
    config->pre_norms = true;
    config->bias = (struct lm_biases){ .qkv = true, .attn_out = true, .mlp = true };
    config->activation = ACTIVATION_GELU;
    config->embedding_scale = 1;
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

/* --- tensors ------------------------------------------------------------------------- */

static enum status read_product(struct linear *to, float *bias, const struct checkpoint *from,
                                int layer, const char *name)
{
    struct matrix matrix = {0};
    enum status st;

    TRY(checkpoint_find(&matrix.part[0], from, to->outputs, to->inputs, "layers.%d.%s.weight",
                        layer, name));
    TRY(checkpoint_pack(to, from, &matrix));
    TRY(checkpoint_read(bias, from, to->outputs, "layers.%d.%s.bias", layer, name));
done:
    return st;
}

/* In the checkpoint each head has its queries, keys and values together. */
static enum status read_qkv(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer)
{
    const int64_t width = c->width, run = c->head_width;
    float *bias = allocate(3 * width, sizeof *bias);
    struct matrix matrix = {0};
    enum status st;

    TRY(checkpoint_find(&matrix.part[0], from, 3 * width, width,
                        "layers.%d.attention.query_key_value.weight", layer));
    for (int p = 0; p < 3; p++)
        matrix.part[p] = (struct matrix_part){ .tensor = matrix.part[0].tensor, .first = p * run,
                                               .count = width, .run = run, .stride = 3 * run };
    TRY(checkpoint_pack(&to->qkv, from, &matrix));
    TRY(checkpoint_read(bias, from, 3 * width, "layers.%d.attention.query_key_value.bias", layer));
    for (int64_t head = 0; head < c->heads; head++)
        for (int64_t p = 0; p < 3; p++)
            memcpy(to->qkv_bias + p * width + head * run, bias + (3 * head + p) * run,
                   (size_t)run * sizeof *bias);
done:
    free(bias);
    return st;
}

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(checkpoint_read_norm(&to->attn_norm, from, c->width, "layers.%d.input_layernorm", layer));
    TRY(checkpoint_read_norm(&to->mlp_norm, from, c->width, "layers.%d.post_attention_layernorm",
                             layer));
    TRY(read_qkv(to, from, c, layer));
    TRY(read_product(&to->attn_out, to->attn_out_bias, from, layer, "attention.dense"));
    TRY(read_product(&to->mlp_in, to->mlp_in_bias, from, layer, "mlp.dense_h_to_4h"));
    TRY(read_product(&to->mlp_out, to->mlp_out_bias, from, layer, "mlp.dense_4h_to_h"));
done:
    return st;
}

static enum status read_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read_table(to->embedding, from, c->vocabulary, c->width, "embed_in.weight"));
    if (!c->tied)
        TRY(checkpoint_read_table(to->unembedding, from, c->vocabulary, c->width,
                                  "embed_out.weight"));
    if (from->share == 0)
        TRY(checkpoint_read_norm(&to->final_norm, from, c->width, "final_layer_norm"));
done:
    return st;
}

const struct family FAMILY_GPT_NEOX = { "gpt_neox", read_config, read_layer, read_ends };
