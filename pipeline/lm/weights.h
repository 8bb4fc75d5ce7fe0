/* weights.h -- the parameters of a language model in float32, laid out for the forward pass.
 *
 * Matrices are [outputs, inputs], as checkpoints have them.  What is multiplied with the same
 * input is one matrix, so that one product makes queries, keys and values, and one makes the
 * MLP's gates and ups.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "lm/config.h"

struct layer_weights {
    float *attn_norm;       /* [width] scale of the norm before attention */
    float *qkv;             /* [(heads + 2 kv_heads) * head_width, width] */
    float *attn_out;        /* [width, heads * head_width] */
    float *attn_post_norm;  /* [width] scale of the norm behind attention */
    float *mlp_norm;        /* [width] scale of the norm before the MLP */
    float *gate_up;         /* [2 * mlp_width, width] */
    float *mlp_out;         /* [width, mlp_width] */
    float *mlp_post_norm;   /* [width] scale of the norm behind the MLP */
};

struct weights {
    struct lm_config      config;
    float                *embedding;    /* [vocabulary, width]; also makes the logits */
    float                *final_norm;   /* [width] */
    struct layer_weights *layers;
};

/* Bytes that weights_read() will allocate. */
int64_t weights_bytes(const struct lm_config *config);

/* Read the tensors of the checkpoint in `folder`, named as Hugging Face does, with or
 * without "model." in front.  Scales of norms are stored as 1 + the checkpoint's value.
 * Local.  E_IO; E_FORMAT: a tensor is missing or has another shape than `config` says. */
enum status weights_read(struct weights *weights, const struct lm_config *config,
                         const char *folder);
void        weights_free(struct weights *weights);

#endif
