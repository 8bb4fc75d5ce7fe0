/* backward.h -- go back through a language model: gradients at every site and receiver.
 *
 * A loss is a function of the last residual stream.  From its gradient there, a cursor walks back
 * through the sites,
 *
 *     res -> mlp -> mlp_in -> attn -> res of the layer before -> ... -> the embeddings
 *
 * and at each it has the gradient of the loss by the values of that site.  It computes again what
 * the forward pass has overwritten, from the residual streams before each layer and between
 * attention and MLP, which are kept:
 *
 *     forward_start(&forward, ids, sequences);
 *     backward_walk(&backward, forward_end(&forward));         forward, and keep the streams
 *     ... make the gradient of forward.values: head_back() does it for a loss of logits ...
 *     backward_start(&backward, gradient);
 *     backward_to(&backward, tap);
 *     ... read or change backward.gradient, [backward.rows, backward.width] ...
 *
 * A *receiver* reads the residual stream: the queries of a head, the keys or the values of a
 * key-value head, an MLP, and the head of the model.  The derivative through one receiver alone is
 * that by its input before the norm, if the others kept theirs; so it goes through the norm.  The
 * gradient of a stream is the sum over all receivers that come later.
 *
 * Weights get no gradients, and must be in float32.  Values do not depend on the number of
 * threads.  Everything here is Local.
 */
#ifndef BACKWARD_H
#define BACKWARD_H

#include "lm/forward.h"

struct backward {
    struct forward *forward;    /* which this one follows; it computes in its buffers */
    int64_t    rows;            /* of the block */
    struct tap tap;             /* where the cursor stands; res of layer -1: the embeddings */
    float     *gradient;        /* [rows, width] by the values of that site */
    int32_t    width;
    /* Receivers, [rows, width of the model] each. */
    float     *attention;       /* [heads + 2 kv_heads] of these, in the order of qkv; at "res": of
                                   the layer after that */
    float     *mlp;             /* at "attn": of this layer */
    /* Gradients by what forward's buffers of these names hold. */
    float     *residual;        /* at "attn", too: by the stream between attention and MLP.  Where
                                   they are parallel there is no such stream; by that after both */
    float     *normed, *branch, *heads;
    float     *qkv;             /* at "res": by queries, keys and values before norms and positions,
                                   and after gates */
    /* What was kept, and memory to compute in. */
    struct tap kept;            /* how far the forward cursor went */
    float     *before;          /* [layers, rows, width of the model] the streams before layers */
    float     *between;         /* those between attention and MLP; NULL if these are parallel */
    float     *hidden;          /* [piece of rows, outputs of the MLP's first product] */
    float     *activated;       /* [piece of rows, mlp_width] */
    void      *scratch;         /* of attention */
};

/* Bytes that backward_make() allocates with `threads` threads. */
int64_t backward_bytes(const struct lm_config *config, int64_t sequences, int64_t context,
                       int threads);

/* Allocate buffers for all that this forward pass can hold; it must outlive them.
 * backward_free() accepts an empty one. */
void backward_make(struct backward *backward, struct forward *forward);
void backward_free(struct backward *backward);

/* Move the forward cursor to this site, as forward_to() does, and keep the streams.  The whole way
 * from forward_start() on must be gone like this, in any number of pieces.  At "res" the caller may
 * have changed the values, and at "mlp", where the gradient is by those that he has put there.  At
 * other sites he must not, since they are computed again. */
void backward_walk(struct backward *backward, struct tap tap);

/* Begin where the forward cursor stands, at "res" of any layer.  The forward cursor is lost: start
 * or load it again.
 *   gradient [rows, width of the model]  in */
void backward_start(struct backward *backward, const float *gradient);

/* Move back to the site before.  Not to be called at the embeddings. */
void backward_next(struct backward *backward);

/* Move back to this site, which must lie before, or be where the cursor stands. */
void backward_to(struct backward *backward, struct tap tap);

/* The first site: the embeddings. */
struct tap backward_end(void);

/* The number of attention's receivers in a layer. */
int32_t backward_receivers(const struct lm_config *config);

#endif
