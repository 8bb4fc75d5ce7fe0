#include "lm/config_shape.h"

#include <string.h>

/* A number that follows from others, `derived`, where the family allows that. */
static enum status read_or_derive(int32_t *value, const struct config_file *file, const char *key,
                                  int32_t absent, int32_t derived)
{
    const bool null = json_is_null(config_file_get(file, key));
    enum status st = OK;

    *value = derived;
    if (absent == CONFIG_SHAPE_DERIVED && !config_file_has(file, key))
        goto done;
    if (absent != 0 && null)
        goto done;
    TRY(config_file_int_or(value, file, key, CONFIG_HEADS_MAX, absent));
done:
    return st;
}

static enum status read_heads(struct lm_config *config, const struct config_file *file,
                              const struct config_shape *absent)
{
    enum status st;

    TRY(config_file_int_or(&config->heads, file, "num_attention_heads", CONFIG_HEADS_MAX,
                           absent->heads));
    TRY(read_or_derive(&config->kv_heads, file, "num_key_value_heads", absent->kv_heads,
                       config->heads));
    TRY(read_or_derive(&config->head_width, file, "head_dim", absent->head_width,
                       config->width / config->heads));
    REQUIRE(config->heads % config->kv_heads == 0, E_FORMAT, "%s: \"num_key_value_heads\" (%d) "
            "must divide \"num_attention_heads\" (%d)", file->path, (int)config->kv_heads,
            (int)config->heads);
done:
    return st;
}

enum status config_shape_read(struct lm_config *config, const struct config_file *file,
                              const struct config_shape *absent)
{
    double epsilon;
    enum status st;

    TRY(config_file_flag(&config->tied, file, "tie_word_embeddings", absent->tied));
    TRY(config_file_int_or(&config->vocabulary, file, "vocab_size", CONFIG_IDS_MAX,
                           absent->vocabulary));
    TRY(config_file_int(&config->width, file, "hidden_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->mlp_width, file, "intermediate_size", CONFIG_WIDTH_MAX));
    TRY(config_file_int(&config->layers, file, "num_hidden_layers", LM_LAYERS_MAX));
    TRY(config_file_int_or(&config->positions, file, "max_position_embeddings", CONFIG_IDS_MAX,
                           absent->positions));
    TRY(read_heads(config, file, absent));
    TRY(config_file_positive_or(&epsilon, file, "rms_norm_eps", absent->epsilon));
    config->norm = LM_NORM_RMS;
    config->norm_epsilon = (float)epsilon;
    config->gated = true;
done:
    return st;
}

enum status config_shape_is_local(bool *local, const struct config_file *file, int layer,
                                  int layers, bool otherwise)
{
    const json_t *types = config_file_get(file, "layer_types");
    const char *type = json_string_value(json_array_get(types, (size_t)layer));
    enum status st = OK;

    *local = otherwise;
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
