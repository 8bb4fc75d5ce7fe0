/* config.h -- the shape of a language model, from a checkpoint's config.json.
 *
 * The file is Hugging Face's.  Families of models differ in values, which stand here one by one:
 * a window and rotary positions for each layer, which products have a bias, caps that may be
 * absent.  The forward pass asks for these values and never for the family's name.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "kernels/activation.h"
#include "kernels/rope.h"
#include "suite/site.h"

#include <stdbool.h>
#include <stdint.h>

enum { LM_LAYERS_MAX = 256 };

/* Normalisation of rows: RMSNorm with a scale, LayerNorm with a scale and a bias. */
enum lm_norm { LM_NORM_RMS, LM_NORM_LAYER };

/* RMSNorm of queries and keys before they get their positions: none, each head by itself, or all
 * heads together. */
enum lm_qk_norm { LM_QK_NORM_NONE, LM_QK_NORM_HEADS, LM_QK_NORM_WHOLE };

/* Which products add a bias. */
struct lm_biases {
    bool qkv;           /* queries, keys and values */
    bool attn_out;
    bool mlp;           /* both products of the MLP */
};

struct family;

struct lm_config {
    const struct family *family;    /* its file reads the checkpoint's tensors (families.h) */
    int32_t vocabulary;         /* token ids are below this */
    int32_t outputs;            /* logits of a row: the vocabulary, unless built by hand */
    int32_t width;              /* of the residual stream */
    int32_t mlp_width;          /* of the hidden layer of the MLP; 0: there is no MLP */
    int32_t layers;
    int32_t heads, kv_heads;    /* kv_heads divides heads */
    int32_t head_width;
    int32_t positions;          /* the longest context */
    int32_t window[LM_LAYERS_MAX];      /* tokens a query sees, itself included; 0: all */
    bool    learned_positions;  /* a table of positions is added to the embedding; else RoPE */
    struct rope rope[LM_LAYERS_MAX];    /* rotary positions */
    enum lm_norm norm;
    float   norm_epsilon;
    bool    pre_norms;          /* norms before attention and before the MLP */
    bool    post_norms;         /* norms after them */
    bool    parallel;           /* the MLP reads the stream to which attention is not yet added */
    enum lm_qk_norm qk_norm;
    struct lm_biases bias;
    enum activation activation; /* of the MLP */
    bool    gated;              /* the MLP has gates and ups */
    bool    tied;               /* the embedding also makes the logits */
    float   embedding_scale;
    float   score_scale;        /* of q . k */
    float   score_cap;          /* soft-cap of attention scores; 0: none */
    float   logit_cap;          /* soft-cap of the logits; 0: none */
    int32_t bos, eos, pad;      /* ids that are not text; -1: none */
};

/* Read FOLDER/config.json; of a model that sees images, too, its text part (config_wrapper.h).
 * Local.  E_IO; E_FORMAT names the file, the key, and what was expected; a family that is not known
 * is refused by its name, and so is a key that may change what the model computes
 * (config_keys.h). */
enum status config_read(struct lm_config *config, const char *folder);

/* Values of a row at this site, and at the widest one.  Local. */
int32_t lm_site_width(const struct lm_config *config, enum site site);
int32_t lm_widest_site(const struct lm_config *config);

#endif
