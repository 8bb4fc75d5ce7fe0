/* GPT-2. */
#include "lm/checkpoint.h"
#include "lm/config_file.h"
#include "lm/families.h"

#include <math.h>

/* --- config.json --------------------------------------------------------------------- */

static enum status read_shape(struct lm_config *config, const struct config_file *file)
{
    enum status st;

    TRY(config_file_flag(&config->tied, file, "tie_word_embeddings", true));
    TRY(config_file_int(&config->vocabulary, file, "vocab_size", CONFIG_IDS_MAX));
    TRY(config_file_int(&config->width, file, "n_embd", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->layers, file, "n_layer", LM_LAYERS_MAX));
    TRY(config_file_int(&config->heads, file, "n_head", CONFIG_HEADS_MAX));
    TRY(config_file_int(&config->positions, file, "n_positions", CONFIG_IDS_MAX));
    if (config_file_has(file, "n_ctx"))     /* the older name */
        TRY(config_file_same(file, "n_ctx", "n_positions", config->positions));
    config->mlp_width = 4 * config->width;
    if (config_file_has(file, "n_inner"))
        TRY(config_file_int(&config->mlp_width, file, "n_inner", CONFIG_WIDTH_MAX));
    REQUIRE(config->width % config->heads == 0, E_FORMAT, "%s: \"n_head\" (%d) must divide "
            "\"n_embd\" (%d)", file->path, (int)config->heads, (int)config->width);
    config->kv_heads = config->heads;
    config->head_width = config->width / config->heads;
done:
    return st;
}

static enum status read_config(struct lm_config *config, const struct config_file *file)
{
    double epsilon;
    enum status st;

    TRY(config_file_expect(file, "activation_function", "\"gelu_new\""));
    TRY(config_file_expect(file, "scale_attn_by_inverse_layer_idx", "false"));
    TRY(config_file_expect(file, "scale_attn_weights", "true"));
    TRY(read_shape(config, file));
    TRY(config_file_positive(&epsilon, file, "layer_norm_epsilon"));
    config->learned_positions = true;
    config->norm = LM_NORM_LAYER;
    config->pre_norms = true;
    config->activation = ACTIVATION_GELU_TANH;
    config->norm_epsilon = (float)epsilon;
    config->bias = (struct lm_biases){ .qkv = true, .attn_out = true, .mlp = true };
    config->embedding_scale = 1;
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

/* --- tensors ------------------------------------------------------------------------- */

/* Matrices of GPT-2 lie [inputs, outputs]. */
static enum status read_transposed(struct linear *to, float *bias, const struct checkpoint *from,
                                   int layer, const char *name)
{
    struct matrix matrix = { .transposed = true };
    enum status st;

    TRY(checkpoint_find(&matrix.part[0], from, to->inputs, to->outputs, "h.%d.%s.weight", layer,
                        name));
    TRY(checkpoint_pack(to, from, &matrix));
    TRY(checkpoint_read(bias, from, to->outputs, "h.%d.%s.bias", layer, name));
done:
    return st;
}

static enum status read_layer(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *c, int layer)
{
    enum status st;

    TRY(checkpoint_read_norm(&to->attn_norm, from, c->width, "h.%d.ln_1", layer));
    TRY(read_transposed(&to->qkv, to->qkv_bias, from, layer, "attn.c_attn"));
    TRY(read_transposed(&to->attn_out, to->attn_out_bias, from, layer, "attn.c_proj"));
    TRY(checkpoint_read_norm(&to->mlp_norm, from, c->width, "h.%d.ln_2", layer));
    TRY(read_transposed(&to->mlp_in, to->mlp_in_bias, from, layer, "mlp.c_fc"));
    TRY(read_transposed(&to->mlp_out, to->mlp_out_bias, from, layer, "mlp.c_proj"));
done:
    return st;
}

static enum status read_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read_table(to->embedding, from, c->vocabulary, c->width, "wte.weight"));
    if (!c->tied)
        TRY(checkpoint_read_table(to->unembedding, from, c->vocabulary, c->width,
                                  "lm_head.weight"));
    TRY(checkpoint_read_table(to->positions, from, c->positions, c->width, "wpe.weight"));
    if (from->share == 0)
        TRY(checkpoint_read_norm(&to->final_norm, from, c->width, "ln_f"));
done:
    return st;
}

const struct family FAMILY_GPT2 = { "gpt2", read_config, read_layer, read_ends };
