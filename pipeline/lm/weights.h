/* weights.h -- the parameters of a language model, laid out for the forward pass.
 *
 * Matrices are [outputs, inputs], as checkpoints have them, packed for linear.h in the
 * precision asked for.  Matrices with the same input are one matrix, so that one product gives
 * queries, keys and values, and one gives the MLP's gates and ups.  Parameters that a model does
 * not have are NULL.
 *
 * A node has one copy, in memory that its ranks share.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "kernels/linear.h"
#include "lm/config.h"

#include <mpi.h>

struct norm_weights {
    float *scale;               /* [width]; NULL: there is no norm, rows stay as they are */
    float *bias;                /* [width]; NULL: RMSNorm */
};

/* Normalise rows of the residual stream.
 *   y [rows, width]  out, may be x if there is a norm
 *   x [rows, width]  in */
void weights_normalise(float *y, const float *x, struct norm_weights norm,
                       const struct lm_config *c, int64_t rows);

/* Go back, from the gradient by y to that by x.
 *   out      [rows, width]  out, may be `gradient`
 *   gradient [rows, width]  in
 *   x        [rows, width]  in */
void weights_normalise_back(float *out, const float *gradient, const float *x,
                            struct norm_weights norm, const struct lm_config *c, int64_t rows);

struct layer_weights {
    struct norm_weights attn_norm;      /* before attention */
    struct linear qkv;                  /* [(heads + 2 kv_heads) * head_width, width] */
    float *query_norm, *key_norm;       /* scales, [head_width] or of all heads; NULL: none */
    struct linear attn_out;             /* [width, heads * head_width] */
    struct norm_weights attn_post_norm; /* after attention */
    struct norm_weights mlp_norm;       /* before the MLP */
    struct linear mlp_in;               /* [mlp_width, width], or gates over ups: twice that */
    struct linear mlp_out;              /* [width, mlp_width] */
    struct norm_weights mlp_post_norm;  /* after the MLP */
    /* Biases of the products, [outputs]; NULL: none. */
    float *qkv_bias, *attn_out_bias, *mlp_in_bias, *mlp_out_bias;
};

struct weights {
    struct lm_config      config;
    enum precision        precision;    /* of the products; norms and embedding are float32 */
    float                *embedding;    /* [vocabulary, width] */
    float                *unembedding;  /* [outputs, width] makes the logits; may be the same */
    float                *positions;    /* [positions, width]; NULL: not learned */
    struct norm_weights   final_norm;
    struct layer_weights *layers;
    MPI_Win               window;       /* owns all the above but `layers` */
};

/* E_USAGE if this build or CPU does not offer the precision.  Local. */
enum status weights_check_precision(enum precision precision);

/* Bytes of the parameters, which the first rank of each node allocates (comm_first_of_node());
 * and of the buffers that every rank needs while it reads with `threads` threads.  Local. */
int64_t weights_bytes(const struct lm_config *config, enum precision precision);
int64_t weights_reading_bytes(const struct lm_config *config, int threads);

/* Allocate all parameters on a node, for its ranks.  weights_free() accepts empty weights.  Both
 * are Collective. */
void weights_make(struct weights *weights, const struct lm_config *config,
                  enum precision precision, MPI_Comm node);
void weights_free(struct weights *weights);

/* Make the weights on each node (weights_free() frees them, in any case) and read the checkpoint
 * in `folder`, whose tensors have Hugging Face's names, with or without the name of a module in
 * front; the ranks of a node share the work (weights_read.c).  Collective.
 * E_IO; E_FORMAT: a tensor is missing or has another shape than `config` says; E_NUMERIC: a
 * value is not finite. */
enum status weights_read(struct weights *weights, const struct lm_config *config,
                         enum precision precision, const char *folder, MPI_Comm comm);

#endif
