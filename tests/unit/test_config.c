/* config.json of a model: what is read from it, and what is refused by key. */
#include "lm/config.h"
#include "lm/families.h"
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <math.h>

static const char MODEL[] = "tests/golden/gemma2-random";

/* The golden config with one key removed (value NULL) or set. */
static enum status read_changed(struct lm_config *config, const char *key, const char *value)
{
    json_t *root = json_load_file("tests/golden/gemma2-random/config.json", 0, NULL);
    char path[PATH_LENGTH];

    if (value == NULL)
        assert_int_equal(json_object_del(root, key), 0);
    else
        json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, NULL));
    path_print(path, "%s/config.json", scratch);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
    return config_read(config, scratch);
}

static void check_refused(const char *key, const char *value)
{
    struct lm_config config;

    if (read_changed(&config, key, value) != E_FORMAT)
        fail_msg("%s: %s was not refused", key, value == NULL ? "nothing" : value);
    if (strstr(refuse_reason(), key) == NULL || strstr(refuse_reason(), "config.json") == NULL)
        fail_msg("\"%s\" names not both the file and %s", refuse_reason(), key);
    refuse_clear();
}

/* The golden config of a family without one key, unless `without` is NULL, and with some others. */
static enum status read_patched(struct lm_config *config, const char *family, const char *without,
                                const char *patch)
{
    char path[PATH_LENGTH];
    json_t *root, *keys = json_loads(patch, 0, NULL);

    path_print(path, "tests/golden/%s-random/config.json", family);
    root = json_load_file(path, 0, NULL);
    assert_non_null(keys);
    if (without != NULL)
        assert_int_equal(json_object_del(root, without), 0);
    json_object_update(root, keys);
    path_print(path, "%s/config.json", scratch);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(keys);
    json_decref(root);
    return config_read(config, scratch);
}

static void check_patch_refused(const char *family, const char *patch, const char *named)
{
    struct lm_config config;

    if (read_patched(&config, family, NULL, patch) != E_FORMAT)
        fail_msg("%s: %s was not refused", family, patch);
    if (strstr(refuse_reason(), named) == NULL || strstr(refuse_reason(), "config.json") == NULL)
        fail_msg("\"%s\" lacks the file or %s", refuse_reason(), named);
    refuse_clear();
}

/* As transformers 5 writes them, and the older form stretched. */
static void reads_rotary_positions_in_both_forms(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "gemma1", "rope_theta", "{\"rope_parameters\": "
                     "{\"rope_theta\": 20000.0, \"rope_type\": \"default\"}}"), OK);
    assert_true(c.rope[0].base == 20000 && c.rope[2].factor == 1);
    assert_int_equal(read_patched(&c, "gemma2", "rope_theta", "{\"dtype\": \"bfloat16\", "
                     "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"linear\", "
                     "\"factor\": 2.0}}"), OK);
    assert_true(c.rope[0].base == 500 && c.rope[1].factor == 2);
    assert_int_equal(read_patched(&c, "gemma1", NULL,
                     "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}}"), OK);
    assert_true(c.rope[0].factor == 4 && c.rope[2].factor == 4);
    assert_int_equal(read_patched(&c, "gemma2", NULL, "{\"rope_scaling\": null}"), OK);
    assert_int_equal(read_patched(&c, "gemma2", NULL,
                     "{\"rope_scaling\": {\"rope_type\": \"default\"}}"), OK);
    assert_true(c.rope[0].factor == 1);
}

/* Gemma 3 has two kinds of layers: 0 is local, 3 is global. */
static void reads_rotary_positions_of_each_kind_of_layer(void **state)
{
    static const char BOTH[] =
        "{\"rope_parameters\": {"
        "\"full_attention\": {\"rope_theta\": 1e6, \"rope_type\": \"linear\", \"factor\": 8.0},"
        "\"sliding_attention\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\"}}}";
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "gemma3", NULL, BOTH), OK);
    assert_true(c.rope[3].base == 1e6 && c.rope[3].factor == 8);
    assert_true(c.rope[0].base == 1e4 && c.rope[0].factor == 1);
    assert_int_equal(read_patched(&c, "gemma3", "rope_theta", BOTH), OK);
    assert_int_equal(read_patched(&c, "gemma3", "rope_local_base_freq", BOTH), OK);
    assert_true(c.rope[0].base == 1e4 && c.rope[3].factor == 8);
    check_patch_refused("gemma3", "{\"rope_parameters\": {\"full_attention\": {}}}",
                        "sliding_attention");
    check_patch_refused("gemma3", "{\"rope_parameters\": {\"rope_theta\": 1e6}}",
                        "rope_parameters");
}

static void refuses_rotary_positions_it_cannot_compute(void **state)
{
    (void)state;
    check_patch_refused("gemma2", "{\"rope_parameters\": {\"rope_theta\": 500}}", "rope_theta");
    check_patch_refused("gemma2", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
                        "\"rope_parameters\": {\"rope_theta\": 10000}}", "rope_scaling");
    check_patch_refused("gemma1", "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
                        "rope_scaling");
    check_patch_refused("gemma1", "{\"rope_scaling\": {\"factor\": 2}}", "rope_scaling");
    check_patch_refused("gemma1", "{\"rope_scaling\": {\"type\": \"linear\"}}", "factor");
    check_patch_refused("gemma1", "{\"rope_scaling\": {\"type\": \"default\", \"factor\": 2}}",
                        "factor");
    check_patch_refused("gemma1", "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, "
                        "\"beta_fast\": 32}}", "beta_fast");
    check_patch_refused("gemma1", "{\"rope_scaling\": 4}", "rope_scaling");
    check_patch_refused("gemma1", "{\"rope_parameters\": {\"partial_rotary_factor\": 0.5}}",
                        "partial_rotary_factor");
}

/* A key that nobody asked for may be one that changes the arithmetic. */
static void refuses_a_key_it_does_not_know(void **state)
{
    struct lm_config c;

    (void)state;
    check_patch_refused("gemma3", "{\"use_bidirectional_attention\": true}",
                        "use_bidirectional_attention");
    check_patch_refused("gemma1", "{\"quantization_config\": {\"bits\": 4}}",
                        "quantization_config");
    check_patch_refused("gemma1", "{\"attn_logit_softcapping\": 50.0}", "attn_logit_softcapping");
    check_patch_refused("gemma1", "{\"sliding_window\": 16}", "sliding_window");
    check_patch_refused("gpt2", "{\"rope_theta\": 10000.0}", "rope_theta");
    check_patch_refused("gpt2", "{\"add_cross_attention\": true}", "add_cross_attention");
    check_patch_refused("gpt2", "{\"scale_attn_by_inverse_layer_idx\": true}",
                        "scale_attn_by_inverse_layer_idx");
    check_patch_refused("gpt2", "{\"scale_attn_weights\": null}", "scale_attn_weights");
    check_patch_refused("gpt2", "{\"n_ctx\": 63}", "n_ctx");
    check_patch_refused("gemma2", "{\"sliding_window_size\": 8}", "sliding_window_size");
    check_patch_refused("gemma2", "{\"hidden_act\": \"relu\"}", "hidden_act");
    check_patch_refused("gemma1", "{\"layer_types\": [\"full_attention\", \"sliding_attention\", "
                        "\"full_attention\"]}", "layer_types");
    assert_int_equal(read_patched(&c, "gemma2", NULL, "{\"some_switch\": null, "
                     "\"use_bidirectional_attention\": null, \"attention_bias\": null}"), OK);
}

/* The keys of Gemma 1, 2, 3 and GPT-2 as their makers published them. */
static void reads_released_files(void **state)
{
    static const char COMMON[] =
        "{\"attention_dropout\": 0.0, \"initializer_range\": 0.02, \"use_cache\": true, "
        "\"rope_scaling\": null, \"transformers_version\": \"4.38.0\", \"_name_or_path\": \"x\", "
        "\"attention_bias\": false, \"torch_dtype\": \"bfloat16\", \"hidden_act\": \"gelu\", "
        "\"hidden_activation\": null, \"cache_implementation\": \"hybrid\"}";
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "gemma1", NULL, COMMON), OK);
    assert_int_equal(read_patched(&c, "gemma1", "hidden_activation", "{}"), OK);
    assert_int_equal(read_patched(&c, "gemma2", NULL, COMMON), OK);
    assert_int_equal(read_patched(&c, "gemma2", NULL, "{\"sliding_window_size\": 16}"), OK);
    assert_int_equal(read_patched(&c, "gemma3", NULL, COMMON), OK);
    assert_int_equal(read_patched(&c, "gemma3", "sliding_window_pattern",
                     "{\"_sliding_window_pattern\": 4, \"use_bidirectional_attention\": false, "
                     "\"layer_types\": null}"), OK);
    assert_true(c.window[2] == 16 && c.window[3] == 0);
    assert_int_equal(read_patched(&c, "gpt2", NULL,
                     "{\"attn_pdrop\": 0.1, \"embd_pdrop\": 0.1, \"resid_pdrop\": 0.1, "
                     "\"initializer_range\": 0.02, \"n_special\": 0, \"output_past\": true, "
                     "\"predict_special_tokens\": true, \"summary_activation\": null, "
                     "\"summary_first_dropout\": 0.1, \"summary_proj_to_labels\": true, "
                     "\"summary_type\": \"cls_index\", \"summary_use_proj\": true, "
                     "\"task_specific_params\": {\"text-generation\": {\"max_length\": 50}}, "
                     "\"id2label\": {\"0\": \"LABEL_0\"}, \"label2id\": {\"LABEL_0\": 0}, "
                     "\"_num_labels\": 1, \"finetuning_task\": null, \"is_decoder\": false, "
                     "\"pruned_heads\": {}, \"torchscript\": false, \"use_bfloat16\": false, "
                     "\"reorder_and_upcast_attn\": false, \"scale_attn_weights\": true, "
                     "\"scale_attn_by_inverse_layer_idx\": false, \"n_inner\": null}"), OK);
}

static void reads_a_gemma_2(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(config_read(&c, MODEL), OK);
    assert_string_equal(c.family->name, "gemma2");
    assert_int_equal(c.vocabulary, 512);
    assert_int_equal(c.layers, 3);
    assert_int_equal(c.kv_heads, 2);
    assert_int_equal(c.window[0], 16);
    assert_int_equal(c.window[1], 0);
    assert_int_equal(c.window[2], 16);
    assert_true(fabsf(c.score_scale * c.score_scale * 24 - 1) < 1e-6f);
    assert_true(fabsf(c.embedding_scale * c.embedding_scale / 96 - 1) < 1e-6f);
}

static void takes_the_kinds_of_layers_from_a_list(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_changed(&c, "layer_types", "[\"full_attention\", "
                                  "\"sliding_attention\", \"full_attention\"]"), OK);
    assert_int_equal(c.window[0], 0);
    assert_int_equal(c.window[1], 16);
    assert_int_equal(c.window[2], 0);
    check_refused("layer_types", "[\"full_attention\", \"sliding_attention\"]");
    check_refused("layer_types", "[\"full_attention\", \"sliding_attention\", \"other\"]");
    check_refused("layer_types", "[0, 1, 2]");
    check_refused("layer_types", "7");
}

/* A list of ids that end a text stands for its first. */
static void reads_the_ids_that_are_no_text(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(config_read(&c, MODEL), OK);
    assert_true(c.bos == 2 && c.eos == 1 && c.pad == 0);
    assert_int_equal(config_read(&c, "tests/golden/gpt2-random"), OK);
    assert_true(c.bos == 299 && c.eos == 299 && c.pad == -1);
    assert_int_equal(read_changed(&c, "eos_token_id", "[1, 106]"), OK);
    assert_int_equal(c.eos, 1);
    assert_int_equal(read_changed(&c, "pad_token_id", "null"), OK);
    assert_int_equal(c.pad, -1);
    check_refused("bos_token_id", "512");
    check_refused("bos_token_id", "-1");
    check_refused("pad_token_id", "\"0\"");
}

/* What the families differ in, from the golden checkpoints of each. */
static void reads_every_family(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(config_read(&c, "tests/golden/gemma1-random"), OK);
    assert_true(c.gated && !c.post_norms && c.qk_norm == LM_QK_NORM_NONE && c.tied);
    assert_true(c.pre_norms && !c.parallel && c.activation == ACTIVATION_GELU_TANH);
    assert_true(c.norm == LM_NORM_RMS && !c.bias.qkv && !c.bias.attn_out && !c.bias.mlp);
    assert_true(c.kv_heads == 1 && c.window[0] == 0 && c.score_cap == 0);
    assert_int_equal(config_read(&c, "tests/golden/gemma3-random"), OK);
    assert_true(c.post_norms && c.qk_norm == LM_QK_NORM_HEADS && c.logit_cap == 0);
    assert_true(c.window[0] == 16 && c.window[3] == 0);
    assert_true(c.rope[0].base == 10000 && c.rope[3].base == 1000000 && c.rope[3].factor == 1);
    assert_int_equal(config_read(&c, "tests/golden/gpt2-random"), OK);
    assert_true(c.norm == LM_NORM_LAYER && c.bias.qkv && c.bias.attn_out && c.bias.mlp);
    assert_true(!c.gated && c.learned_positions);
    assert_true(c.mlp_width == 256 && c.head_width == 16 && c.positions == 64);
    assert_int_equal(config_read(&c, "tests/golden/gpt-neox-random"), OK);
    assert_true(c.norm == LM_NORM_LAYER && c.parallel && !c.gated && !c.tied);
    assert_true(c.bias.qkv && c.bias.attn_out && c.bias.mlp && c.activation == ACTIVATION_GELU);
    assert_true(c.rope[2].width == 6 && c.rope[2].base == 10000 && c.kv_heads == 3);
    assert_int_equal(config_read(&c, "tests/golden/olmo2-random"), OK);
    assert_true(!c.pre_norms && c.post_norms && c.qk_norm == LM_QK_NORM_WHOLE && c.bos == -1);
}

/* What Llama and those after it differ in. */
static void reads_llama_and_its_followers(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(config_read(&c, "tests/golden/llama3-random"), OK);
    assert_true(c.gated && c.pre_norms && !c.post_norms && c.tied && !c.bias.qkv);
    assert_true(c.activation == ACTIVATION_SILU && c.embedding_scale == 1 && c.window[0] == 0);
    assert_true(c.head_width == 24 && c.rope[1].width == 24 && c.rope[1].base == 500000);
    assert_true(c.rope[1].factor == 8 && c.rope[1].original == 64);
    assert_true(c.rope[1].low == 1 && c.rope[1].high == 4);
    assert_int_equal(config_read(&c, "tests/golden/mistral-random"), OK);
    assert_true(c.head_width == 16 && c.window[0] == 16 && c.window[2] == 16 && !c.tied);
    assert_int_equal(config_read(&c, "tests/golden/qwen2-random"), OK);
    assert_true(c.bias.qkv && !c.bias.attn_out && !c.bias.mlp && c.window[3] == 0);
    assert_int_equal(config_read(&c, "tests/golden/qwen3-random"), OK);
    assert_true(!c.bias.qkv && c.qk_norm == LM_QK_NORM_HEADS && c.head_width == 32);
    assert_int_equal(config_read(&c, "tests/golden/phi3-random"), OK);
    assert_true(c.window[0] == 15 && c.rope[0].width == 16);
}

/* Absent is not null: the library has a default for one, and the other says that there is none. */
static void takes_the_defaults_of_the_library(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "llama3", "tie_word_embeddings", "{\"head_dim\": null, "
                     "\"rope_scaling\": null}"), OK);
    assert_true(!c.tied && c.head_width == 16 && c.rope[0].original == 0);
    assert_int_equal(read_patched(&c, "llama3", "num_key_value_heads", "{}"), OK);
    assert_int_equal(c.kv_heads, 4);
    assert_int_equal(read_patched(&c, "llama3", "rope_theta", "{}"), OK);
    assert_true(c.rope[0].base == 10000);
    assert_int_equal(read_patched(&c, "olmo2", "rms_norm_eps", "{}"), OK);
    assert_true(fabsf(c.norm_epsilon - 1e-5f) < 1e-12f);
    assert_int_equal(read_patched(&c, "mistral", "sliding_window", "{}"), OK);
    assert_int_equal(c.window[1], 4096);
    assert_int_equal(read_patched(&c, "mistral", NULL, "{\"sliding_window\": null}"), OK);
    assert_int_equal(c.window[1], 0);
    assert_int_equal(read_patched(&c, "phi3", "sliding_window", "{}"), OK);
    assert_int_equal(c.window[1], 0);
    assert_int_equal(read_patched(&c, "qwen3", "head_dim", "{}"), OK);
    assert_int_equal(c.head_width, 128);
    assert_int_equal(read_patched(&c, "gpt-neox", "use_parallel_residual", "{}"), OK);
    assert_true(c.parallel);
    assert_int_equal(read_patched(&c, "gpt-neox", "rotary_pct", "{}"), OK);
    assert_int_equal(c.rope[0].width, 6);
}

/* Qwen: the upper layers, if any, or those of the list. */
static void reads_the_windows_of_upper_layers(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "qwen2", NULL, "{\"use_sliding_window\": true, "
                     "\"max_window_layers\": 3}"), OK);
    assert_true(c.window[2] == 0 && c.window[3] == 12);
    assert_int_equal(read_patched(&c, "qwen2", "max_window_layers",
                     "{\"use_sliding_window\": true}"), OK);
    assert_int_equal(c.window[3], 0);
    assert_int_equal(read_patched(&c, "qwen3", NULL, "{\"use_sliding_window\": true, "
                     "\"sliding_window\": 9, \"layer_types\": [\"sliding_attention\", "
                     "\"full_attention\", \"full_attention\"]}"), OK);
    assert_true(c.window[0] == 9 && c.window[2] == 0);
    assert_int_equal(read_patched(&c, "qwen3", NULL, "{\"layer_types\": [\"full_attention\", "
                     "\"full_attention\", \"full_attention\"], \"pad_token_id\": null, "
                     "\"use_sliding_window\": null}"), OK);
    check_patch_refused("qwen3", "{\"layer_types\": [\"sliding_attention\", \"full_attention\", "
                        "\"full_attention\"]}", "layer_types");
}

/* As transformers 5 writes them, with shares of heads that turn. */
static void reads_newer_rotary_positions_of_all_families(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_patched(&c, "llama3", "rope_theta", "{\"rope_scaling\": null, "
                     "\"dtype\": \"bfloat16\", \"rope_parameters\": {\"rope_type\": \"llama3\", "
                     "\"rope_theta\": 5e5, \"factor\": 32.0, \"low_freq_factor\": 1.0, "
                     "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}}"),
        OK);
    assert_true(c.rope[2].base == 5e5 && c.rope[2].factor == 32 && c.rope[2].original == 8192);
    assert_int_equal(read_patched(&c, "llama3", NULL, "{\"rope_scaling\": {\"type\": \"llama3\", "
                     "\"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                     "\"original_max_position_embeddings\": 64}}"), OK);
    assert_int_equal(read_patched(&c, "gpt-neox", "rotary_pct", "{\"rope_parameters\": "
                     "{\"rope_theta\": 10000, \"rope_type\": \"default\", "
                     "\"partial_rotary_factor\": 0.5}}"), OK);
    assert_int_equal(c.rope[0].width, 12);
    assert_int_equal(read_patched(&c, "gpt-neox", NULL, "{\"rope_theta\": 10000, "
                     "\"partial_rotary_factor\": 0.25}"), OK);
    assert_int_equal(read_patched(&c, "phi3", NULL, "{\"partial_rotary_factor\": 0.75}"), OK);
    assert_int_equal(c.rope[0].width, 12);
    check_patch_refused("gpt-neox", "{\"rope_theta\": 500}", "rope_theta");
    check_patch_refused("gpt-neox", "{\"partial_rotary_factor\": 1}", "partial_rotary_factor");
    check_patch_refused("gpt-neox", "{\"partial_rotary_factor\": 1e30}", "partial_rotary_factor");
    check_patch_refused("gpt-neox", "{\"rotary_pct\": 0.05}", "rotary_pct");
    check_patch_refused("gpt-neox", "{\"rope_parameters\": {\"partial_rotary_factor\": 1}}",
                        "rotary_pct");
    check_patch_refused("llama3", "{\"rope_scaling\": {\"rope_type\": \"llama3\", "
                        "\"factor\": 8.0}}", "original_max_position_embeddings");
    check_patch_refused("llama3", "{\"rope_parameters\": {\"rope_type\": \"default\"}}",
                        "rope_scaling");
}

/* What other models of the same "model_type" do, and nobody here computes. */
static void refuses_other_arithmetic_by_name(void **state)
{
    static const char *const CHANGES[][3] = {
        { "llama3", "{\"attention_bias\": true}", "attention_bias" },
        { "llama3", "{\"mlp_bias\": true}", "mlp_bias" },
        { "llama3", "{\"hidden_act\": \"gelu\"}", "hidden_act" },
        { "llama3", "{\"sliding_window\": 16}", "sliding_window" },
        { "llama3", "{\"num_local_experts\": 8}", "num_local_experts" },
        { "llama3", "{\"auto_map\": {\"AutoModel\": \"x.y\"}}", "auto_map" },
        { "llama3", "{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor" },
        { "qwen3", "{\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, "
                   "\"original_max_position_embeddings\": 32768}}", "\"yarn\"" },
        { "phi3", "{\"rope_scaling\": {\"type\": \"longrope\", \"long_factor\": [1], "
                  "\"short_factor\": [1]}}", "\"longrope\"" },
        { "phi3", "{\"rope_scaling\": {\"type\": \"su\"}}", "\"su\"" },
        { "qwen2", "{\"use_mrope\": true}", "use_mrope" },
        { "qwen2", "{\"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [1]}}",
          "\"mrope\"" },
        { "mistral", "{\"layer_types\": [\"full_attention\"]}", "layer_types" },
        { "mistral", "{\"quantization_config\": {\"bits\": 4}}", "quantization_config" },
        { "gpt-neox", "{\"hidden_act\": \"gelu_fast\"}", "hidden_act" },
        { "gpt-neox", "{\"attention_bias\": false}", "attention_bias" },
        { "olmo2", "{\"hidden_act\": null}", "hidden_act" },
        { "olmo2", "{\"clip_qkv\": 8.0}", "clip_qkv" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++)
        check_patch_refused(CHANGES[i][0], CHANGES[i][1], CHANGES[i][2]);
}

static enum status read_text(struct lm_config *config, const char *text)
{
    char path[PATH_LENGTH];

    path_print(path, "%s/config.json", scratch);
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    return config_read(config, scratch);
}

/* Gemma 3 4B and Mistral Small 3.1, as they were published. */
static void reads_the_text_part_of_models_for_images(void **state)
{
    struct lm_config c;

    (void)state;
    assert_int_equal(read_text(&c,
        "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"boi_token_index\": 255999, "
        "\"eoi_token_index\": 256000, \"eos_token_id\": [1, 106], \"image_token_index\": 262144, "
        "\"initializer_range\": 0.02, \"mm_tokens_per_image\": 256, \"model_type\": \"gemma3\", "
        "\"text_config\": {\"hidden_size\": 2560, \"intermediate_size\": 10240, "
        "\"model_type\": \"gemma3_text\", \"num_hidden_layers\": 34, \"rope_scaling\": "
        "{\"factor\": 8.0, \"rope_type\": \"linear\"}, \"sliding_window\": 1024}, "
        "\"torch_dtype\": \"bfloat16\", \"transformers_version\": \"4.50.0.dev0\", "
        "\"vision_config\": {\"hidden_size\": 1152}}"), OK);
    assert_string_equal(c.family->name, "gemma3_text");
    assert_true(c.width == 2560 && c.layers == 34 && c.heads == 8 && c.kv_heads == 4);
    assert_true(c.head_width == 256 && c.vocabulary == 262208 && c.tied);
    assert_true(c.window[4] == 1024 && c.rope[4].base == 1e4 && c.rope[4].factor == 1);
    assert_true(c.window[5] == 0 && c.rope[5].base == 1e6 && c.rope[5].factor == 8);
    assert_true(c.bos == 2 && c.eos == 1 && c.pad == 0);
    assert_int_equal(read_text(&c,
        "{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"image_token_index\": 10, "
        "\"model_type\": \"mistral3\", \"multimodal_projector_bias\": false, "
        "\"projector_hidden_act\": \"gelu\", \"spatial_merge_size\": 2, \"text_config\": "
        "{\"attention_dropout\": 0.0, \"head_dim\": 128, \"hidden_act\": \"silu\", "
        "\"hidden_size\": 5120, \"intermediate_size\": 32768, \"max_position_embeddings\": 131072, "
        "\"model_type\": \"mistral\", \"num_attention_heads\": 32, \"num_hidden_layers\": 40, "
        "\"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05, \"rope_theta\": 1000000000.0, "
        "\"sliding_window\": null, \"use_cache\": true, \"vocab_size\": 131072}, "
        "\"vision_config\": {\"model_type\": \"pixtral\"}, \"vision_feature_layer\": -1}"), OK);
    assert_true(c.head_width == 128 && c.window[0] == 0 && c.rope[0].base == 1e9 && !c.tied);
    assert_true(c.bos == 1 && c.eos == 2 && c.pad == -1);
}

static void refuses_wrappers_it_cannot_unwrap(void **state)
{
    static const char *const BAD[][2] = {
        { "{\"model_type\": \"gemma3\"}", "text_config" },
        { "{\"model_type\": \"gemma3\", \"text_config\": 7}", "text_config" },
        { "{\"model_type\": \"gemma3\", \"text_config\": {\"model_type\": \"llama\"}}",
          "gemma3_text" },
        { "{\"model_type\": \"mllama\", \"text_config\": {}}", "\"mllama\" is not known" },
        { "{\"model_type\": \"gemma3\", \"tie_word_embeddings\": true, \"text_config\": "
          "{\"model_type\": \"gemma3_text\", \"tie_word_embeddings\": false}}",
          "tie_word_embeddings" },
        { "{\"model_type\": \"gemma3\", \"text_config\": {\"model_type\": \"gemma3_text\", "
          "\"final_logit_softcapping\": 30.0}}", "final_logit_softcapping" },
        { "{\"model_type\": \"gemma3\", \"use_bidirectional_attention\": true, \"text_config\": "
          "{\"model_type\": \"gemma3_text\"}}", "use_bidirectional_attention" },
    };
    struct lm_config c;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(read_text(&c, BAD[i][0]), E_FORMAT);
        if (strstr(refuse_reason(), BAD[i][1]) == NULL)
            fail_msg("\"%s\" lacks %s", refuse_reason(), BAD[i][1]);
        refuse_clear();
    }
}

static void refuses_missing_keys(void **state)
{
    static const char *const NEEDED[] = {
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings",
        "sliding_window", "attn_logit_softcapping", "final_logit_softcapping",
        "query_pre_attn_scalar", "rms_norm_eps", "rope_theta",
    };

    (void)state;
    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++)
        check_refused(NEEDED[i], NULL);
}

static void refuses_absurd_values(void **state)
{
    (void)state;
    check_refused("vocab_size", "0");
    check_refused("vocab_size", "-4");
    check_refused("vocab_size", "9223372036854775807");
    check_refused("hidden_size", "96.5");
    check_refused("hidden_size", "\"96\"");
    check_refused("num_hidden_layers", "257");
    check_refused("num_key_value_heads", "3");
    check_refused("head_dim", "31");
    check_refused("rms_norm_eps", "0");
    check_refused("rms_norm_eps", "null");
    check_refused("rope_theta", "-1");
    check_refused("attention_bias", "true");
    check_refused("tie_word_embeddings", "7");
    check_refused("hidden_activation", "\"relu\"");
    check_refused("model_type", "7");
}

static void refuses_other_families_by_name(void **state)
{
    struct lm_config config;

    (void)state;
    assert_int_equal(read_changed(&config, "model_type", "\"mamba\""), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "\"mamba\" is not known"));
    for (int i = 0; families_at(i) != NULL; i++)
        assert_non_null(strstr(refuse_reason(), families_at(i)->name));
    refuse_clear();
}

static void refuses_what_is_not_json(void **state)
{
    struct lm_config config;
    char path[PATH_LENGTH];

    (void)state;
    path_print(path, "%s/config.json", scratch);
    assert_int_equal(file_write(path, "{\"a\": 1,\n", 9), OK);
    assert_int_equal(config_read(&config, scratch), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "is not JSON: line 2"));
    refuse_clear();
    assert_int_equal(file_write(path, "[]", 2), OK);
    assert_int_equal(config_read(&config, scratch), E_FORMAT);
    refuse_clear();
    assert_int_equal(config_read(&config, "tests/golden/sae"), E_IO);
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_gemma_2),
        cmocka_unit_test(takes_the_kinds_of_layers_from_a_list),
        cmocka_unit_test(reads_every_family),
        cmocka_unit_test(reads_llama_and_its_followers),
        cmocka_unit_test(takes_the_defaults_of_the_library),
        cmocka_unit_test(reads_the_windows_of_upper_layers),
        cmocka_unit_test(reads_newer_rotary_positions_of_all_families),
        cmocka_unit_test(refuses_other_arithmetic_by_name),
        cmocka_unit_test(reads_the_ids_that_are_no_text),
        cmocka_unit_test(reads_rotary_positions_in_both_forms),
        cmocka_unit_test(reads_rotary_positions_of_each_kind_of_layer),
        cmocka_unit_test(refuses_rotary_positions_it_cannot_compute),
        cmocka_unit_test(refuses_a_key_it_does_not_know),
        cmocka_unit_test(reads_released_files),
        cmocka_unit_test(reads_the_text_part_of_models_for_images),
        cmocka_unit_test(refuses_wrappers_it_cannot_unwrap),
        cmocka_unit_test(refuses_missing_keys),
        cmocka_unit_test(refuses_absurd_values),
        cmocka_unit_test(refuses_other_families_by_name),
        cmocka_unit_test(refuses_what_is_not_json),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
