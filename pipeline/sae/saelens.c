#include "sae/saelens.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SAELens takes a config without a version, or below 6, for its older, flat form. */
static const char FORM_VERSION[] = "6.0.0";

void saelens_hook(char name[64], struct tap tap)
{
    snprintf(name, 64, "blocks.%d.%s", tap.layer, site_traits(tap.site)->hook);
}

const char *saelens_architecture(const struct sae *sae)
{
    static const char *const PLAIN[] = {
        [FORM_JUMPRELU] = "jumprelu", [FORM_GATED] = "gated", [FORM_TOPK] = "topk",
        [FORM_RELU] = "standard",
    };

    if (!sae->transcoder)
        return PLAIN[sae->form];
    if (sae->form == FORM_RELU)
        return sae->skip != NULL ? "skip_transcoder" : "transcoder";
    return sae->skip != NULL ? "jumprelu_skip_transcoder" : "jumprelu_transcoder";
}

bool saelens_recognise(struct sae *sae, const char *architecture)
{
    for (int transcoder = 0; transcoder <= 1; transcoder++)
        for (enum sae_form form = FORM_JUMPRELU; form <= FORM_RELU; form++) {
            sae->form = form;
            sae->transcoder = transcoder;
            if (strcmp(saelens_architecture(sae), architecture) == 0)
                return true;
        }
    return false;
}

/* ---- weights ---- */

static void add(struct saelens_weights *weights, const char *name, const float *values,
                int64_t rows, int64_t columns)
{
    weights->tensors[weights->count++] = (struct safetensors_array){ name, values, rows, columns };
}

/* A gate is open where pi > threshold, that is where pi + b_gate - b_mag > 0 with
 * b_mag = b_enc. */
static void add_gates(struct saelens_weights *weights, const struct sae *sae)
{
    weights->gate = allocate(sae->latents, sizeof *weights->gate);
    weights->zero = allocate(sae->latents, sizeof *weights->zero);
    for (int32_t i = 0; i < sae->latents; i++)
        weights->gate[i] = sae->encoder_bias[i] - sae->threshold[i];
    add(weights, "b_gate", weights->gate, sae->latents, 0);
    add(weights, "b_mag", sae->encoder_bias, sae->latents, 0);
    add(weights, "r_mag", weights->zero, sae->latents, 0);
}

void saelens_weights_make(struct saelens_weights *weights, const struct sae *sae)
{
    *weights = (struct saelens_weights){ .encoder = sae_encoder_transposed(sae) };
    add(weights, "W_dec", sae->decoder, sae->latents, sae->outputs);
    add(weights, "W_enc", weights->encoder, sae->inputs, sae->latents);
    if (sae->skip != NULL)
        add(weights, "W_skip", sae->skip, sae->outputs, sae->inputs);
    add(weights, "b_dec", sae->decoder_bias, sae->outputs, 0);
    if (sae->form == FORM_GATED && !sae->transcoder) {
        add_gates(weights, sae);
        return;
    }
    add(weights, "b_enc", sae->encoder_bias, sae->latents, 0);
    if (sae->form == FORM_JUMPRELU || sae->form == FORM_GATED)
        add(weights, "threshold", sae->threshold, sae->latents, 0);
}

void saelens_weights_free(struct saelens_weights *weights)
{
    free(weights->zero);
    free(weights->gate);
    free(weights->encoder);
    *weights = (struct saelens_weights){0};
}

enum status saelens_write_weights(const struct sae *sae, const char *path)
{
    struct saelens_weights weights;
    enum status st;

    saelens_weights_make(&weights, sae);
    st = safetensors_write(path, weights.tensors, weights.count);
    saelens_weights_free(&weights);
    return st;
}

/* TransformerLens changes a checkpoint's weights when it loads them, unless it is told not to:
 * it centres what is written to the residual stream, and moves gains and biases into other weights.
 * The logits stay, but rows at the hook points do not. */
static json_t *unprocessed(void)
{
    return json_pack("{s:b, s:b, s:b, s:b}", "center_writing_weights", 0, "center_unembed", 0,
                     "fold_ln", 0, "fold_value_biases", 0);
}

static json_t *metadata_json(const struct saelens_origin *origin)
{
    char hook[64];

    saelens_hook(hook, origin->tap);
    return json_pack("{s:s, s:n, s:s, s:s, s:s, s:i, s:n, s:n, s:I, s:b, s:b, s:[n], s:o}",
                     "sae_lens_version", FORM_VERSION, "sae_lens_training_version",
                     "trained_with", "saemill", "model_name", origin->model,
                     "hook_name", hook, "hook_layer", origin->tap.layer,
                     "hook_head_index", "dataset_path",
                     "context_size", (json_int_t)origin->context,
                     "prepend_bos", 1, "exclude_special_tokens", 1,
                     "seqpos_slice", "model_from_pretrained_kwargs", unprocessed());
}

/* Where the rows are before the gain of their norm, for those who compare with Gemma Scope. */
static int add_before_gain(json_t *metadata, const struct saelens_origin *origin)
{
    const char *hook = site_traits(origin->tap.site)->before_gain;
    char name[64];

    if (hook == NULL || !origin->rms_norm)
        return 0;
    snprintf(name, sizeof name, "blocks.%d.%s", origin->tap.layer, hook);
    return json_object_set_new(metadata, "hook_name_before_gain", json_string(name));
}

/* Where SAELens writes a transcoder's reconstruction.  It looks for these keys in the metadata, and
 * without them writes over the input. */
static int add_target(json_t *metadata, struct tap target)
{
    char hook[64];

    saelens_hook(hook, target);
    return json_object_set_new(metadata, "hook_name_out", json_string(hook))
           | json_object_set_new(metadata, "hook_layer_out", json_integer(target.layer))
           | json_object_set_new(metadata, "hook_head_index_out", json_null());
}

char *saelens_config_text(const struct sae *sae, struct saelens_origin origin)
{
    json_t *metadata = metadata_json(&origin), *config;
    const char *reshape = site_traits(origin.tap.site)->hook;
    char *text;
    int failed;

    failed = add_before_gain(metadata, &origin);
    if (sae->transcoder)
        failed |= add_target(metadata, origin.target);
    config = json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s, s:s, s:o}",
                       "architecture", saelens_architecture(sae), "d_in", (int)sae->inputs,
                       "d_sae", (int)sae->latents, "dtype", "float32", "device", "cpu",
                       "apply_b_dec_to_input", 0, "normalize_activations", "none",
                       "reshape_activations", path_ends(reshape, "hook_z") ? "hook_z" : "none",
                       "metadata", metadata);
    if (sae->form == FORM_TOPK)
        failed |= json_object_set_new(config, "k", json_integer(sae->keep));
    if (sae->transcoder)
        failed |= json_object_set_new(config, "d_out", json_integer(sae->outputs));
    text = failed ? NULL : json_dumps(config, JSON_INDENT(2));
    json_decref(config);
    if (text == NULL)
        die("no memory for a config, or the model's name, %s, is not UTF-8", origin.model);
    return text;
}

enum status saelens_write_config(const struct sae *sae, struct saelens_origin origin,
                                 const char *path)
{
    char *text = saelens_config_text(sae, origin);
    const enum status st = file_write(path, text, (int64_t)strlen(text));

    free(text);
    return st;
}
