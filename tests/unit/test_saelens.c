/* SAELens's folder: safetensors byte by byte, and what cfg.json says. */
#include "base/allocate.h"
#include "base/file.h"
#include "lm/safetensors.h"
#include "sae/saelens.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char WEIGHTS[] = "build/scratch/saelens/sae_weights.safetensors";
static const char CONFIG[] = "build/scratch/saelens/cfg.json";

enum { D = 3, F = 5 };

static void make_small(struct sae *sae)
{
    sae_make(sae, D, D, F);
    for (int i = 0; i < D * F; i++) {
        sae->encoder[i] = (float)(100 + i);
        sae->decoder[i] = (float)(200 + i);
    }
    for (int i = 0; i < F; i++) {
        sae->encoder_bias[i] = (float)(300 + i);
        sae->threshold[i] = (float)(400 + i);
    }
    for (int i = 0; i < D; i++)
        sae->decoder_bias[i] = (float)(500 + i);
}

/* The format's definition, by hand. */
static void writes_safetensors(void **state)
{
    static const char HEADER[] =
        "{\"W_dec\":{\"dtype\":\"F32\",\"shape\":[5,3],\"data_offsets\":[0,60]},"
        "\"W_enc\":{\"dtype\":\"F32\",\"shape\":[3,5],\"data_offsets\":[60,120]},"
        "\"b_dec\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[120,132]},"
        "\"b_enc\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[132,152]},"
        "\"threshold\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[152,172]}}";
    const size_t length = (sizeof HEADER - 1 + 7) / 8 * 8;
    struct sae sae;
    uint64_t said;
    int64_t size;
    char *bytes;
    float values[43];

    (void)state;
    make_small(&sae);
    assert_int_equal(saelens_write_weights(&sae, WEIGHTS), OK);
    assert_int_equal(file_read(WEIGHTS, &bytes, &size), OK);
    assert_int_equal(size, 8 + length + 172);
    memcpy(&said, bytes, sizeof said);
    assert_int_equal(said, length);
    assert_memory_equal(bytes + 8, HEADER, sizeof HEADER - 1);
    for (size_t i = sizeof HEADER - 1; i < length; i++)
        assert_int_equal(bytes[8 + i], ' ');
    memcpy(values, bytes + 8 + length, sizeof values);
    for (int i = 0; i < F; i++)
        for (int k = 0; k < D; k++) {
            assert_true(values[i * D + k] == (float)(200 + i * D + k));
            assert_true(values[D * F + k * F + i] == (float)(100 + i * D + k));
        }
    assert_true(values[30] == 500 && values[33] == 300 && values[38] == 400 && values[42] == 404);
    free(bytes);
    sae_free(&sae);
}

static void is_read_by_the_reader_of_checkpoints(void **state)
{
    const struct safetensor *tensor;
    struct safetensors file;
    struct sae sae;
    float encoder[D * F];

    (void)state;
    make_small(&sae);
    assert_int_equal(saelens_write_weights(&sae, WEIGHTS), OK);
    assert_int_equal(safetensors_open_file(&file, WEIGHTS), OK);
    assert_int_equal(file.count, 5);
    tensor = safetensors_find(&file, "W_enc");
    assert_non_null(tensor);
    assert_int_equal(tensor->shape[0], D);
    assert_int_equal(tensor->shape[1], F);
    assert_int_equal(safetensors_values(encoder, tensor), OK);
    assert_true(encoder[1] == 103 && encoder[F] == 101);
    safetensors_close(&file);
    sae_free(&sae);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void says_how_to_use_it(void **state)
{
    const struct saelens_origin origin = { "tiny-gemma2", { SITE_ATTN, 2 },
                                           { SITE_ATTN, 2 }, 256, true };
    json_error_t error;
    json_t *config, *metadata;
    struct sae sae;

    (void)state;
    make_small(&sae);
    assert_int_equal(saelens_write_config(&sae, origin, CONFIG), OK);
    config = json_load_file(CONFIG, 0, &error);
    assert_non_null(config);
    metadata = json_object_get(config, "metadata");
    assert_string_equal(text_of(config, "architecture"), "jumprelu");
    assert_int_equal(json_integer_value(json_object_get(config, "d_in")), D);
    assert_int_equal(json_integer_value(json_object_get(config, "d_sae")), F);
    assert_string_equal(text_of(config, "dtype"), "float32");
    assert_true(json_is_false(json_object_get(config, "apply_b_dec_to_input")));
    assert_string_equal(text_of(config, "normalize_activations"), "none");
    assert_string_equal(text_of(config, "reshape_activations"), "hook_z");
    assert_string_equal(text_of(metadata, "model_name"), "tiny-gemma2");
    assert_string_equal(text_of(metadata, "hook_name"), "blocks.2.attn.hook_z");
    assert_true(json_is_null(json_object_get(metadata, "hook_head_index")));
    assert_int_equal(json_integer_value(json_object_get(metadata, "context_size")), 256);
    assert_true(json_is_true(json_object_get(metadata, "prepend_bos")));
    assert_null(json_object_get(metadata, "hook_name_before_gain"));
    json_decref(config);
    sae_free(&sae);
}

/* A gate is open where pi > threshold, written as pi + b_gate - b_mag > 0. */
static void writes_gates_for_gated_ones(void **state)
{
    static const char *const NAMES[] = { "W_dec", "W_enc", "b_dec", "b_gate", "b_mag", "r_mag" };
    struct saelens_weights weights;
    struct sae sae;

    (void)state;
    make_small(&sae);
    sae.form = FORM_GATED;
    saelens_weights_make(&weights, &sae);
    assert_int_equal(weights.count, 6);
    for (int t = 0; t < 6; t++)
        assert_string_equal(weights.tensors[t].name, NAMES[t]);
    for (int i = 0; i < F; i++) {
        assert_true(weights.tensors[3].values[i] == -100);      /* 300 + i - (400 + i) */
        assert_true(weights.tensors[4].values[i] == (float)(300 + i));
        assert_true(weights.tensors[5].values[i] == 0);
    }
    saelens_weights_free(&weights);
    sae_free(&sae);
}

/* What cfg.json says of an autoencoder of the given kind.  json_decref() is due. */
static json_t *config_of(struct sae *sae, bool rms_norm)
{
    const struct saelens_origin origin = { "m", { SITE_MLP_IN, 3 }, { SITE_MLP, 3 }, 8, rms_norm };
    json_error_t error;
    json_t *config;

    assert_int_equal(saelens_write_config(sae, origin, CONFIG), OK);
    config = json_load_file(CONFIG, 0, &error);
    assert_non_null(config);
    return config;
}

/* The rows are those of the checkpoint's own weights. */
static void lets_nobody_process_the_weights(void **state)
{
    static const char *const OFF[] = { "center_writing_weights", "center_unembed", "fold_ln",
                                       "fold_value_biases" };
    json_t *config;
    struct sae sae;

    (void)state;
    make_small(&sae);
    config = config_of(&sae, false);
    for (size_t i = 0; i < sizeof OFF / sizeof *OFF; i++)
        assert_true(json_is_false(json_object_get(json_object_get(
            json_object_get(config, "metadata"), "model_from_pretrained_kwargs"), OFF[i])));
    json_decref(config);
    sae_free(&sae);
}

/* LayerNorm's hook_normalized has the gain, RMSNorm's has not. */
static void says_where_rows_have_no_gain(void **state)
{
    json_t *config;
    struct sae sae;

    (void)state;
    make_small(&sae);
    for (int rms = 0; rms <= 1; rms++) {
        config = config_of(&sae, rms);
        const char *hook = text_of(json_object_get(config, "metadata"), "hook_name_before_gain");
        if (rms)
            assert_string_equal(hook, "blocks.3.ln2.hook_normalized");
        else
            assert_null(hook);
        json_decref(config);
    }
    sae_free(&sae);
}

static void names_every_kind(void **state)
{
    static const struct {
        enum sae_form form;
        bool transcoder, skip;
        const char *name;
        int tensors;
    } KINDS[] = {
        { FORM_JUMPRELU, false, false, "jumprelu", 5 },
        { FORM_TOPK, false, false, "topk", 4 },
        { FORM_RELU, false, false, "standard", 4 },
        { FORM_JUMPRELU, true, false, "jumprelu_transcoder", 5 },
        { FORM_JUMPRELU, true, true, "jumprelu_skip_transcoder", 6 },
        { FORM_RELU, true, false, "transcoder", 4 },
        { FORM_RELU, true, true, "skip_transcoder", 5 },
    };
    struct saelens_weights weights;
    struct sae sae, read = {0};

    (void)state;
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
        make_small(&sae);
        sae.form = KINDS[k].form;
        sae.transcoder = KINDS[k].transcoder;
        sae.keep = sae.form == FORM_TOPK ? 2 : 0;
        sae.skip = KINDS[k].skip ? allocate(D * D, sizeof *sae.skip) : NULL;
        json_t *config = config_of(&sae, true);
        assert_string_equal(text_of(config, "architecture"), KINDS[k].name);
        assert_int_equal(json_integer_value(json_object_get(config, "k")), sae.keep);
        assert_int_equal(json_integer_value(json_object_get(config, "d_out")),
                         KINDS[k].transcoder ? D : 0);
        const json_t *metadata = json_object_get(config, "metadata");
        assert_null(json_object_get(config, "hook_name_out"));
        assert_true((text_of(metadata, "hook_name_out") != NULL) == KINDS[k].transcoder);
        if (KINDS[k].transcoder) {
            assert_string_equal(text_of(metadata, "hook_name_out"), "blocks.3.hook_mlp_out");
            assert_true(json_is_null(json_object_get(metadata, "hook_head_index_out")));
        }
        json_decref(config);
        saelens_weights_make(&weights, &sae);
        assert_int_equal(weights.count, KINDS[k].tensors);
        saelens_weights_free(&weights);
        read.skip = sae.skip;
        assert_true(saelens_recognise(&read, KINDS[k].name));
        assert_true(read.form == sae.form && read.transcoder == sae.transcoder);
        sae_free(&sae);
    }
    read.skip = NULL;
    assert_false(saelens_recognise(&read, "temporal"));
    assert_false(saelens_recognise(&read, "skip_transcoder"));
}

static void names_the_hooks_of_transformer_lens(void **state)
{
    char hook[64];

    (void)state;
    saelens_hook(hook, (struct tap){ SITE_RES, 0 });
    assert_string_equal(hook, "blocks.0.hook_resid_post");
    saelens_hook(hook, (struct tap){ SITE_MLP, 12 });
    assert_string_equal(hook, "blocks.12.hook_mlp_out");
    saelens_hook(hook, (struct tap){ SITE_MLP_IN, 3 });
    assert_string_equal(hook, "blocks.3.mlp.hook_in");
}

static void refuses_where_it_cannot_write(void **state)
{
    struct sae sae;

    (void)state;
    make_small(&sae);
    assert_int_equal(saelens_write_weights(&sae, "build/scratch/none/such"), E_IO);
    assert_non_null(strstr(refuse_reason(), "cannot write build/scratch/none/such"));
    refuse_clear();
    assert_int_equal(saelens_write_weights(&sae, "/dev/full"), E_SPACE);
    refuse_clear();
    sae_free(&sae);
}

static int make_scratch(void **state)
{
    (void)state;
    return file_make_folder("build/scratch/saelens") != OK;
}

static int remove_scratch(void **state)
{
    (void)state;
    return file_remove("build/scratch/saelens") != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_safetensors),
        cmocka_unit_test(is_read_by_the_reader_of_checkpoints),
        cmocka_unit_test(says_how_to_use_it),
        cmocka_unit_test(writes_gates_for_gated_ones),
        cmocka_unit_test(lets_nobody_process_the_weights),
        cmocka_unit_test(says_where_rows_have_no_gain),
        cmocka_unit_test(names_every_kind),
        cmocka_unit_test(names_the_hooks_of_transformer_lens),
        cmocka_unit_test(refuses_where_it_cannot_write),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
