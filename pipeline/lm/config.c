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

enum { MANY = 1 << 24, WIDE = 1 << 20, HEADS = 1 << 12 };     /* more is absurd */

static enum status check_heads(const struct lm_config *config, const struct reader *file)
{
    if (config->heads % config->kv_heads != 0)
        return refuse(E_FORMAT, "%s: \"num_key_value_heads\" (%d) must divide "
                      "\"num_attention_heads\" (%d)", file->path, (int)config->kv_heads,
                      (int)config->heads);
    if (config->head_width % 2 != 0)
        return refuse(E_FORMAT, "%s: \"head_dim\" must be even, since RoPE turns pairs",
                      file->path);
    return OK;
}

/* Whether the embedding also makes the logits; it does where nothing is said. */
static enum status read_tied(struct lm_config *config, const struct reader *file)
{
    const json_t *found = json_object_get(file->root, "tie_word_embeddings");

    if (found != NULL && !json_is_boolean(found))
        return refuse(E_FORMAT, "%s: \"tie_word_embeddings\" must be true or false", file->path);
    config->tied = found == NULL || json_is_true(found);
    return OK;
}

/* A soft-cap, of which null and absence mean none. */
static enum status read_cap(const struct reader *file, const char *key, float *cap)
{
    const json_t *found = json_object_get(file->root, key);
    double value = 0;
    enum status st = OK;

    if (found != NULL && !json_is_null(found))
        TRY(read_positive(file, key, &value));
    *cap = (float)value;
done:
    return st;
}

/* An id that is not text, of which null and absence mean none.  Where there are several that
 * end a text, the first. */
static enum status read_special(const struct lm_config *config, const struct reader *file,
                                const char *key, int32_t *id)
{
    const json_t *found = json_object_get(file->root, key);

    if (json_is_array(found))
        found = json_array_get(found, 0);
    *id = -1;
    if (found == NULL || json_is_null(found))
        return OK;
    if (!json_is_integer(found) || json_integer_value(found) < 0
        || json_integer_value(found) >= config->vocabulary)
        return refuse(E_FORMAT, "%s: \"%s\" must be a token id below the vocabulary's size, %d",
                      file->path, key, (int)config->vocabulary);
    *id = (int32_t)json_integer_value(found);
    return OK;
}

static enum status read_specials(struct lm_config *config, const struct reader *file)
{
    enum status st;

    TRY(read_special(config, file, "bos_token_id", &config->bos));
    TRY(read_special(config, file, "eos_token_id", &config->eos));
    TRY(read_special(config, file, "pad_token_id", &config->pad));
done:
    return st;
}

/* ---- Gemma 1, 2, 3 ---- */

/* What the three families have in common. */
static enum status read_gemma_shape(struct lm_config *config, const struct reader *file)
{
    json_t *gelu = json_string("gelu_pytorch_tanh");
    double epsilon;
    enum status st;

    TRY(expect(file, "hidden_activation", gelu, "\"gelu_pytorch_tanh\""));
    TRY(expect(file, "attention_bias", json_false(), "false"));
    TRY(read_tied(config, file));
    TRY(read_int(file, "vocab_size", &config->vocabulary, MANY));
    TRY(read_int(file, "hidden_size", &config->width, WIDE));
    TRY(read_int(file, "intermediate_size", &config->mlp_width, WIDE));
    TRY(read_int(file, "num_hidden_layers", &config->layers, LM_LAYERS_MAX));
    TRY(read_int(file, "num_attention_heads", &config->heads, HEADS));
    TRY(read_int(file, "num_key_value_heads", &config->kv_heads, HEADS));
    TRY(read_int(file, "head_dim", &config->head_width, HEADS));
    TRY(read_int(file, "max_position_embeddings", &config->positions, MANY));
    TRY(check_heads(config, file));
    TRY(read_positive(file, "rms_norm_eps", &epsilon));
    config->norm_epsilon = (float)epsilon;
    config->embedding_scale = (float)sqrt((double)config->width);
    config->gated = true;
done:
    json_decref(gelu);
    return st;
}

/* Does this layer see a window only?  Newer files say it layer by layer; in older ones every
 * `period`-th layer sees all. */
static enum status read_is_local(const struct reader *file, int layer, int layers, int period,
                                 bool *local)
{
    const json_t *types = json_object_get(file->root, "layer_types");
    const char *type = json_string_value(json_array_get(types, (size_t)layer));

    *local = (layer + 1) % period != 0;
    if (types == NULL || json_is_null(types))
        return OK;
    if (json_array_size(types) != (size_t)layers || type == NULL
        || (strcmp(type, "sliding_attention") != 0 && strcmp(type, "full_attention") != 0))
        return refuse(E_FORMAT, "%s: \"layer_types\" must be a list of %d names, each "
                      "\"sliding_attention\" or \"full_attention\"", file->path, layers);
    *local = strcmp(type, "sliding_attention") == 0;
    return OK;
}

/* Position embeddings of local and of global layers. */
struct ropes {
    double local_base, global_base, global_factor;
};

static enum status read_windows(struct lm_config *config, const struct reader *file, int period,
                                struct ropes ropes)
{
    int32_t window;
    bool local;
    enum status st;

    TRY(read_int(file, "sliding_window", &window, MANY));
    for (int layer = 0; layer < config->layers; layer++) {
        TRY(read_is_local(file, layer, config->layers, period, &local));
        config->window[layer] = local ? window : 0;
        config->rope_base[layer] = local ? ropes.local_base : ropes.global_base;
        config->rope_factor[layer] = local ? 1 : ropes.global_factor;
    }
done:
    return st;
}

static enum status read_query_scale(struct lm_config *config, const struct reader *file)
{
    double scalar;
    enum status st;

    TRY(read_positive(file, "query_pre_attn_scalar", &scalar));
    config->score_scale = (float)(1 / sqrt(scalar));
done:
    return st;
}

static enum status read_gemma1(struct lm_config *config, const struct reader *file)
{
    double base;
    enum status st;

    TRY(read_gemma_shape(config, file));
    TRY(read_positive(file, "rope_theta", &base));
    for (int layer = 0; layer < config->layers; layer++) {
        config->rope_base[layer] = base;
        config->rope_factor[layer] = 1;
    }
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
done:
    return st;
}

static enum status read_gemma2(struct lm_config *config, const struct reader *file)
{
    double score_cap, logit_cap, base;
    enum status st;

    TRY(read_gemma_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(read_positive(file, "attn_logit_softcapping", &score_cap));
    TRY(read_positive(file, "final_logit_softcapping", &logit_cap));
    TRY(read_positive(file, "rope_theta", &base));
    TRY(read_windows(config, file, 2, (struct ropes){ base, base, 1 }));
    config->score_cap = (float)score_cap;
    config->logit_cap = (float)logit_cap;
    config->post_norms = true;
done:
    return st;
}

/* Larger models of Gemma 3 stretch the positions of their global layers. */
static enum status read_stretch(const struct reader *file, double *factor)
{
    const json_t *scaling = json_object_get(file->root, "rope_scaling");
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    const json_t *value = json_object_get(scaling, "factor");

    *factor = 1;
    if (scaling == NULL || json_is_null(scaling))
        return OK;
    if (type == NULL || strcmp(type, "linear") != 0 || !(json_number_value(value) >= 1))
        return refuse(E_FORMAT, "%s: \"rope_scaling\" must be null, or have a \"rope_type\" "
                      "\"linear\" and a \"factor\" of at least 1", file->path);
    *factor = json_number_value(value);
    return OK;
}

static enum status read_gemma3(struct lm_config *config, const struct reader *file)
{
    struct ropes ropes;
    int32_t period = 6;
    enum status st;

    TRY(read_gemma_shape(config, file));
    TRY(read_query_scale(config, file));
    TRY(read_cap(file, "attn_logit_softcapping", &config->score_cap));
    TRY(read_cap(file, "final_logit_softcapping", &config->logit_cap));
    TRY(read_positive(file, "rope_theta", &ropes.global_base));
    TRY(read_positive(file, "rope_local_base_freq", &ropes.local_base));
    TRY(read_stretch(file, &ropes.global_factor));
    if (json_object_get(file->root, "sliding_window_pattern") != NULL)
        TRY(read_int(file, "sliding_window_pattern", &period, LM_LAYERS_MAX));
    TRY(read_windows(config, file, period, ropes));
    config->post_norms = true;
    config->head_norms = true;
done:
    return st;
}

/* ---- GPT-2 ---- */

static enum status read_gpt2(struct lm_config *config, const struct reader *file)
{
    json_t *gelu = json_string("gelu_new");
    const json_t *inner = json_object_get(file->root, "n_inner");
    double epsilon;
    enum status st;

    TRY(expect(file, "activation_function", gelu, "\"gelu_new\""));
    TRY(expect(file, "scale_attn_by_inverse_layer_idx", json_false(), "false"));
    TRY(expect(file, "scale_attn_weights", json_true(), "true"));
    TRY(read_tied(config, file));
    TRY(read_int(file, "vocab_size", &config->vocabulary, MANY));
    TRY(read_int(file, "n_embd", &config->width, WIDE));
    TRY(read_int(file, "n_layer", &config->layers, LM_LAYERS_MAX));
    TRY(read_int(file, "n_head", &config->heads, HEADS));
    TRY(read_int(file, "n_positions", &config->positions, MANY));
    TRY(read_positive(file, "layer_norm_epsilon", &epsilon));
    config->mlp_width = 4 * config->width;
    if (inner != NULL && !json_is_null(inner))
        TRY(read_int(file, "n_inner", &config->mlp_width, WIDE));
    TRY(config->width % config->heads != 0
        ? refuse(E_FORMAT, "%s: \"n_head\" (%d) must divide \"n_embd\" (%d)", file->path,
                 (int)config->heads, (int)config->width) : OK);
    config->kv_heads = config->heads;
    config->head_width = config->width / config->heads;
    config->embedding_scale = 1;
    config->score_scale = (float)(1 / sqrt((double)config->head_width));
    config->norm_epsilon = (float)epsilon;
    config->layer_norms = true;
done:
    json_decref(gelu);
    return st;
}

/* The families, by their model_type. */
static const struct {
    const char *name;
    enum status (*read)(struct lm_config *config, const struct reader *file);
} FAMILIES[] = {
    { "gemma", read_gemma1 },
    { "gemma2", read_gemma2 },
    { "gemma3_text", read_gemma3 },
    { "gpt2", read_gpt2 },
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
    return refuse(E_FORMAT, "%s: the model family \"%.40s\" is not known; gemma, gemma2, "
                  "gemma3_text and gpt2 are", file->path, type);
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
    if (st == OK)
        st = read_specials(config, &file);
done:
    json_decref(file.root);
    free(bytes);
    return st;
}

int32_t lm_site_width(const struct lm_config *config, enum site site)
{
    return site == SITE_ATTN ? config->heads * config->head_width : config->width;
}
