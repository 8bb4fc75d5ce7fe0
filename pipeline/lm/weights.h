/* weights.h -- the parameters of a language model, laid out for the forward pass.
 *
 * Matrices are [outputs, inputs], as checkpoints have them, packed for linear.h in the
 * precision asked for.  What is multiplied with the same input is one matrix, so that one
 * product makes queries, keys and values, and one makes the MLP's gates and ups.
 *
 * They exist once on each node, in memory that its ranks share.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "kernels/linear.h"
#include "lm/config.h"

#include <mpi.h>

struct layer_weights {
    float *attn_norm;           /* [width] scale of the norm before attention */
    struct linear qkv;          /* [(heads + 2 kv_heads) * head_width, width] */
    struct linear attn_out;     /* [width, heads * head_width] */
    float *attn_post_norm;      /* [width] scale of the norm behind attention */
    float *mlp_norm;            /* [width] scale of the norm before the MLP */
    struct linear gate_up;      /* [2 * mlp_width, width] */
    struct linear mlp_out;      /* [width, mlp_width] */
    float *mlp_post_norm;       /* [width] scale of the norm behind the MLP */
};

struct weights {
    struct lm_config      config;
    enum precision        precision;    /* of the products; norms and embedding are float32 */
    float                *embedding;    /* [vocabulary, width]; also makes the logits */
    float                *final_norm;   /* [width] */
    struct layer_weights *layers;
    MPI_Win               window;       /* owner of all the above but `layers` */
};

/* The precision named "f32" or "bf16".  E_USAGE if there is none of that name, or this build
 * or CPU does not offer it.  Local. */
enum status precision_parse(enum precision *precision, const char *name);

/* Bytes of the parameters that count against this rank: all of them for the first rank of
 * each node, else 0; and of what weights_read() needs besides, while it reads.  Collective. */
int64_t weights_bytes(const struct lm_config *config, enum precision precision, MPI_Comm comm);

/* Read the tensors of the checkpoint in `folder`, named as Hugging Face does, with or
 * without "model." in front; the ranks of a node share the work.  Scales of norms are
 * stored as 1 + the checkpoint's value.  Both are Collective.
 * E_IO; E_FORMAT: a tensor is missing or has another shape than `config` says. */
enum status weights_read(struct weights *weights, const struct lm_config *config,
                         enum precision precision, const char *folder, MPI_Comm comm);
void        weights_free(struct weights *weights);

#endif
