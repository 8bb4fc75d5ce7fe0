#include "lm/config.h"
#include "base/file.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A config.json being read. */
struct reader {
    const char *path;
    json_t     *root;
};

static enum status read_int(const struct reader *file, const char *key, int32_t *value,
                            int32_t most)
{
    const json_t *found = json_object_get(file->root, key);

    if (found == NULL)
        return refuse(E_FORMAT, "%s lacks the key \"%s\" (expected: a whole number from 1 to %d)",
                      file->path, key, (int)most);
    if (!json_is_integer(found) || json_integer_value(found) < 1
        || json_integer_value(found) > most)
        return refuse(E_FORMAT, "%s: \"%s\" must be a whole number from 1 to %d", file->path, key,
                      (int)most);
    *value = (int32_t)json_integer_value(found);
    return OK;
}

static enum status read_positive(const struct reader *file, const char *key, double *value)
{
    const json_t *found = json_object_get(file->root, key);

    if (found == NULL)
        return refuse(E_FORMAT, "%s lacks the key \"%s\" (expected: a number above 0)",
                      file->path, key);
    *value = json_number_value(found);
    if (!json_is_number(found) || !(*value > 0) || *value > 1e30)
        return refuse(E_FORMAT, "%s: \"%s\" must be a number above 0", file->path, key);
    return OK;
}

/* A key that may be absent, but whose value, if given, must be this one. */
static enum status expect(const struct reader *file, const char *key, const json_t *only,
                          const char *only_text)
{
    const json_t *found = json_object_get(file->root, key);

    if (found != NULL && !json_equal(found, only))
        return refuse(E_FORMAT, "%s: \"%s\" must be %s for this model family", file->path, key,
                      only_text);
    return OK;
}

static enum status read_shape(struct lm_config *config, const struct reader *file)
{
    enum { MANY = 1 << 24 };
    enum status st;

    TRY(read_int(file, "vocab_size", &config->vocabulary, MANY));
    TRY(read_int(file, "hidden_size", &config->width, 1 << 20));
    TRY(read_int(file, "intermediate_size", &config->mlp_width, 1 << 20));
    TRY(read_int(file, "num_hidden_layers", &config->layers, LM_LAYERS_MAX));
    TRY(read_int(file, "num_attention_heads", &config->heads, 1 << 12));
    TRY(read_int(file, "num_key_value_heads", &config->kv_heads, 1 << 12));
    TRY(read_int(file, "head_dim", &config->head_width, 1 << 12));
    TRY(read_int(file, "max_position_embeddings", &config->positions, MANY));
    if (config->heads % config->kv_heads != 0)
        return refuse(E_FORMAT, "%s: \"num_key_value_heads\" (%d) must divide "
                      "\"num_attention_heads\" (%d)", file->path, (int)config->kv_heads,
                      (int)config->heads);
    if (config->head_width % 2 != 0)
        return refuse(E_FORMAT, "%s: \"head_dim\" must be even, since RoPE turns pairs",
                      file->path);
done:
    return st;
}

/* Does this layer see a window only?  Gemma 2 takes turns, a local layer first; newer files
 * say it layer by layer. */
static enum status read_is_local(const struct reader *file, int layer, int layers, bool *local)
{
    const json_t *types = json_object_get(file->root, "layer_types");
    const char *type = json_string_value(json_array_get(types, (size_t)layer));

    *local = layer % 2 == 0;
    if (types == NULL)
        return OK;
    if (json_array_size(types) != (size_t)layers || type == NULL
        || (strcmp(type, "sliding_attention") != 0 && strcmp(type, "full_attention") != 0))
        return refuse(E_FORMAT, "%s: \"layer_types\" must be a list of %d names, each "
                      "\"sliding_attention\" or \"full_attention\"", file->path, layers);
    *local = strcmp(type, "sliding_attention") == 0;
    return OK;
}

static enum status expect_gemma2(const struct reader *file)
{
    json_t *gelu = json_string("gelu_pytorch_tanh");
    enum status st;

    TRY(expect(file, "hidden_activation", gelu, "\"gelu_pytorch_tanh\""));
    TRY(expect(file, "attention_bias", json_false(), "false"));
    TRY(expect(file, "tie_word_embeddings", json_true(), "true"));
done:
    json_decref(gelu);
    return st;
}

static enum status read_gemma2(struct lm_config *config, const struct reader *file)
{
    double query_scalar, score_cap, logit_cap, epsilon, base;
    int32_t window;
    bool local;
    enum status st;

    TRY(expect_gemma2(file));
    TRY(read_shape(config, file));
    TRY(read_int(file, "sliding_window", &window, 1 << 24));
    TRY(read_positive(file, "query_pre_attn_scalar", &query_scalar));
    TRY(read_positive(file, "attn_logit_softcapping", &score_cap));
    TRY(read_positive(file, "final_logit_softcapping", &logit_cap));
    TRY(read_positive(file, "rms_norm_eps", &epsilon));
    TRY(read_positive(file, "rope_theta", &base));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(read_is_local(file, layer, config->layers, &local));
        config->window[layer] = local ? window : 0;
        config->rope_base[layer] = base;
    }
    config->embedding_scale = (float)sqrt((double)config->width);
    config->score_scale = (float)(1 / sqrt(query_scalar));
    config->score_cap = (float)score_cap;
    config->logit_cap = (float)logit_cap;
    config->norm_epsilon = (float)epsilon;
done:
    return st;
}

/* The families, by their model_type. */
static const struct {
    const char *name;
    enum status (*read)(struct lm_config *config, const struct reader *file);
} FAMILIES[] = {
    { "gemma2", read_gemma2 },
};

static enum status read_family(struct lm_config *config, const struct reader *file)
{
    const char *type = json_string_value(json_object_get(file->root, "model_type"));

    if (type == NULL)
        return refuse(E_FORMAT, "%s lacks the key \"model_type\" (expected: a name such as "
                      "\"gemma2\")", file->path);
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        if (strcmp(type, FAMILIES[i].name) == 0) {
            strcpy(config->family, type);
            return FAMILIES[i].read(config, file);
        }
    return refuse(E_FORMAT, "%s: the model family \"%.40s\" is not known; gemma2 is", file->path,
                  type);
}

enum status config_read(struct lm_config *config, const char *folder)
{
    char path[PATH_LENGTH], *bytes = NULL;
    struct reader file = { .path = path };
    json_error_t error;
    int64_t size;
    enum status st;

    *config = (struct lm_config){0};
    path_print(path, "%s/config.json", folder);
    TRY(file_read(path, &bytes, &size));
    file.root = json_loadb(bytes, (size_t)size, JSON_REJECT_DUPLICATES, &error);
    if (file.root == NULL)
        st = refuse(E_FORMAT, "%s is not JSON: line %d: %s", path, error.line, error.text);
    else
        st = read_family(config, &file);
done:
    json_decref(file.root);
    free(bytes);
    return st;
}
