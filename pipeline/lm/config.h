/* config.h -- the shape of a language model, from a checkpoint's config.json.
 *
 * The file is Hugging Face's.  What differs between model families is spelled out here as
 * values (a window and a RoPE base for each layer, caps that may be absent), so that the
 * forward pass asks for values and never for the family's name.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "suite/site.h"

#include <stdbool.h>
#include <stdint.h>

enum { LM_LAYERS_MAX = 256 };

struct lm_config {
    char    family[32];         /* "gemma", "gemma2", "gemma3_text", "gpt2" */
    int32_t vocabulary;         /* token ids are below this */
    int32_t width;              /* of the residual stream */
    int32_t mlp_width;          /* of the hidden layer of the MLP */
    int32_t layers;
    int32_t heads, kv_heads;    /* kv_heads divides heads */
    int32_t head_width;
    int32_t positions;          /* the longest context */
    int32_t window[LM_LAYERS_MAX];      /* tokens a query sees, itself included; 0: all */
    double  rope_base[LM_LAYERS_MAX];   /* 0: positions are learned, not turned */
    double  rope_factor[LM_LAYERS_MAX]; /* positions are divided by it */
    bool    post_norms;         /* norms also behind attention and MLP */
    bool    head_norms;         /* queries and keys are normalised head by head */
    bool    layer_norms;        /* LayerNorm instead of RMSNorm, biases in every product */
    bool    gated;              /* the MLP has gates and ups */
    bool    tied;               /* the embedding also makes the logits */
    float   embedding_scale;
    float   score_scale;        /* of q . k */
    float   score_cap;          /* soft-cap of attention scores; 0: none */
    float   logit_cap;          /* soft-cap of the logits; 0: none */
    float   norm_epsilon;
    int32_t bos, eos, pad;      /* ids that are not text; -1: none */
};

/* Read FOLDER/config.json.  Local.  E_IO; E_FORMAT names the file, the key, and what was
 * expected; a family that is not known is refused by its name. */
enum status config_read(struct lm_config *config, const char *folder);

/* Values of a row at this site.  Local. */
int32_t lm_site_width(const struct lm_config *config, enum site site);

#endif
