#include "lm/config_keys.h"

#include <string.h>

/* Keys of the configurations that Hugging Face's library writes, which say nothing about what
 * the model computes from token ids. */
static const char *const HARMLESS[] = {
    /* Names, versions, places. */
    "architectures", "_name_or_path", "_commit_hash", "transformers_version", "model_name",
    "finetuning_task", "tokenizer_class", "prefix", "unsloth_version", "unsloth_fixed",
    "transformers.js_config", "is_decoder", "is_llama_config",
    /* How numbers are stored: every tensor says it by itself. */
    "torch_dtype", "dtype", "use_bfloat16",
    /* How it is computed, not what: kernels, caches, precision of intermediate values. */
    "attn_implementation", "_attn_implementation", "_attn_implementation_autoset",
    "_attn_implementation_internal", "use_cache", "cache_implementation", "hybrid_cache",
    "chunk_size_feed_forward", "gradient_checkpointing", "torchscript",
    "reorder_and_upcast_attn", "pretraining_tp",
    /* Training: initial values, dropout, losses. */
    "initializer_range", "attention_dropout", "hidden_dropout", "attn_pdrop", "embd_pdrop",
    "resid_pdrop", "tf_legacy_loss", "problem_type",
    /* What is returned next to the logits. */
    "output_attentions", "output_hidden_states", "output_past", "output_scores", "return_dict",
    "return_dict_in_generate",
    /* Heads for other tasks than the next token. */
    "id2label", "label2id", "num_labels", "_num_labels", "summary_activation",
    "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    "predict_special_tokens", "n_special", "classifier_dropout",
    /* Ids that the text of a corpus does not get. */
    "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
    /* Images, which are not in the text of a corpus (config_wrapper.h). */
    "vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index",
    "image_token_index", "boi_token_id", "eoi_token_id", "image_token_id", "spatial_merge_size",
    "vision_feature_layer", "projector_hidden_act", "multimodal_projector_bias",
    /* Generation of text. */
    "task_specific_params", "bad_words_ids", "begin_suppress_tokens", "diversity_penalty",
    "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
    "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id",
    "length_penalty", "max_length", "max_new_tokens", "min_length", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_return_sequences", "remove_invalid_values",
    "repetition_penalty", "suppress_tokens", "temperature", "top_k", "top_p", "typical_p",
};

bool config_keys_harmless(const char *key)
{
    for (size_t i = 0; i < sizeof HARMLESS / sizeof *HARMLESS; i++)
        if (strcmp(HARMLESS[i], key) == 0)
            return true;
    return false;
}

/* Switches of Hugging Face's library that are off in every model that is read here. */
static enum status check_switches(const struct config_file *file)
{
    enum status st;

    TRY(config_file_expect(file, "is_encoder_decoder", "false"));
    TRY(config_file_expect(file, "add_cross_attention", "false"));
    TRY(config_file_expect(file, "tie_encoder_decoder", "false"));
    TRY(config_file_expect(file, "pruned_heads", "{}"));
done:
    return st;
}

enum status config_keys_check(const struct config_file *file)
{
    const char *key;
    json_t *value;
    enum status st;

    TRY(check_switches(file));
    json_object_foreach(file->root, key, value)
        REQUIRE(json_is_null(value) || json_object_get(file->asked, key) != NULL
                || config_keys_harmless(key), E_FORMAT, "%s has the key \"%.80s\", which is not "
                "known for this model family, and may change what the model computes; if it "
                "certainly does not, remove it", file->path, key);
done:
    return st;
}
