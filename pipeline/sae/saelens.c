#include "sae/saelens.h"
#include "base/file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SAELens takes a config without a version, or below 6, for its older, flat form. */
static const char FORM_VERSION[] = "6.0.0";

void saelens_hook(char name[64], struct tap tap)
{
    static const char *const HOOKS[SITES] = {
        [SITE_ATTN] = "attn.hook_z",
        [SITE_MLP] = "hook_mlp_out",
        [SITE_RES] = "hook_resid_post",
        [SITE_MLP_IN] = "mlp.hook_in",
    };

    snprintf(name, 64, "blocks.%d.%s", tap.layer, HOOKS[tap.site]);
}

/* One tensor of the file. */
struct tensor {
    const char  *name;
    const float *values;
    int64_t      rows, columns;     /* columns 0: one-dimensional */
};

static int64_t tensor_bytes(const struct tensor *tensor)
{
    return 4 * tensor->rows * (tensor->columns > 0 ? tensor->columns : 1);
}

/* The JSON header, filled with blanks to a multiple of 8 bytes.  Caller frees. */
static char *make_header(const struct tensor *tensors, int count)
{
    json_t *header = json_object();
    int64_t offset = 0;
    char *text, *padded;
    size_t length;

    for (int i = 0; i < count; i++) {
        const struct tensor *t = &tensors[i];
        json_t *shape = t->columns > 0 ? json_pack("[I, I]", (json_int_t)t->rows,
                                                   (json_int_t)t->columns)
                                       : json_pack("[I]", (json_int_t)t->rows);
        json_object_set_new(header, t->name, json_pack(
            "{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
            (json_int_t)offset, (json_int_t)(offset + tensor_bytes(t))));
        offset += tensor_bytes(t);
    }
    text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (text == NULL)
        die("no memory for a header");
    length = (strlen(text) + 7) / 8 * 8;
    padded = allocate((long long)length + 1, 1);
    snprintf(padded, length + 1, "%-*s", (int)length, text);
    free(text);
    return padded;
}

static bool write_all(FILE *file, const char *header, const struct tensor *tensors, int count)
{
    const uint64_t length = strlen(header);

    if (fwrite(&length, sizeof length, 1, file) != 1        /* little-endian, as we all are */
        || fwrite(header, 1, length, file) != length)
        return false;
    for (int i = 0; i < count; i++) {
        const size_t bytes = (size_t)tensor_bytes(&tensors[i]);

        if (fwrite(tensors[i].values, 1, bytes, file) != bytes)
            return false;
    }
    return true;
}

enum status saelens_write_weights(const struct sae *sae, const char *path)
{
    float *encoder = sae_encoder_turned(sae);
    const struct tensor tensors[] = {
        { "W_dec", sae->decoder, sae->latents, sae->inputs },
        { "W_enc", encoder, sae->inputs, sae->latents },
        { "b_dec", sae->decoder_bias, sae->inputs, 0 },
        { "b_enc", sae->encoder_bias, sae->latents, 0 },
        { "threshold", sae->threshold, sae->latents, 0 },
    };
    const int count = sizeof tensors / sizeof *tensors;
    char *header = make_header(tensors, count);
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && write_all(file, header, tensors, count);
    int error = errno;

    if (file != NULL && fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    free(header);
    free(encoder);
    if (!written)
        return refuse(error == ENOSPC || error == EDQUOT ? E_ROOM : E_IO, "cannot write %s: %s",
                      path, strerror(error));
    return OK;
}

enum status saelens_write_config(const struct sae *sae, struct saelens_origin origin,
                                 const char *path)
{
    char hook[64], *text;
    json_t *metadata, *config;
    enum status st;

    saelens_hook(hook, origin.tap);
    metadata = json_pack("{s:s, s:n, s:s, s:s, s:s, s:i, s:n, s:n, s:I, s:b, s:b, s:[n], s:{}}",
                         "sae_lens_version", FORM_VERSION, "sae_lens_training_version",
                         "trained_with", "saemill", "model_name", origin.model,
                         "hook_name", hook, "hook_layer", origin.tap.layer,
                         "hook_head_index", "dataset_path",
                         "context_size", (json_int_t)origin.context,
                         "prepend_bos", 1, "exclude_special_tokens", 1,
                         "seqpos_slice", "model_from_pretrained_kwargs");
    config = json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s, s:s, s:o}",
                       "architecture", "jumprelu", "d_in", (int)sae->inputs,
                       "d_sae", (int)sae->latents, "dtype", "float32", "device", "cpu",
                       "apply_b_dec_to_input", 0, "normalize_activations", "none",
                       "reshape_activations",
                       origin.tap.site == SITE_ATTN ? "hook_z" : "none", "metadata", metadata);
    text = config == NULL ? NULL : json_dumps(config, JSON_INDENT(2));
    if (text == NULL)
        die("bug: a config that JSON cannot hold, or no memory");
    st = file_write(path, text, (int64_t)strlen(text));
    free(text);
    json_decref(config);
    return st;
}
