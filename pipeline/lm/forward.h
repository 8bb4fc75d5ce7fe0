/* forward.h -- run a language model on a block of sequences, from site to site.
 *
 * A forward pass is a cursor that walks through the model: forward_start() puts the
 * embeddings of some sequences into the residual stream, and each forward_next() goes on to
 * the next site of the present layer, or to the first of the next one:
 *
 *     attn -> mlp_in -> mlp -> res -> (next layer)
 *
 * There the values of the site lie open, and whoever holds the cursor may read or change
 * them; the next step goes on with what it finds.  To harvest is to copy them, to splice is
 * to replace them, to stop early is not to go on.  forward_save() keeps the cursor, so that
 * the layers below a site are computed once however often it is spliced.
 *
 *     forward_start(&forward, ids, sequences);
 *     forward_to(&forward, tap);
 *     ... read or change forward.values, [forward.rows, forward.width] ...
 *     forward_to(&forward, forward_end(&forward));
 *     ... forward.values is now the last residual stream: head.h makes losses of it ...
 *
 * Arithmetic is float32; with weights in bfloat16 products round what they multiply to it, those
 * of attention too, and all else (norms, softmax, the residual stream, sums) stays float32.  The
 * values depend on the sequences of the block and on how many they are; not on the number of
 * threads.  Everything here is Local.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include "lm/weights.h"
#include "suite/site.h"

/* What the time of a forward pass goes into. */
enum forward_part {
    FORWARD_PRODUCTS,   /* with weights, rounding of their inputs and the MLP's activation included */
    FORWARD_ATTENTION,
    FORWARD_OTHER,      /* norms, positions, sums */
    FORWARD_PARTS
};

struct forward {
    const struct weights *weights;
    int64_t    context;         /* tokens of a sequence */
    int64_t    sequences;       /* of the present block */
    int64_t    rows;            /* sequences * context, in that order */
    struct tap tap;             /* where the cursor stands; layer -1 before the first */
    float     *values;          /* [rows, width] of that site, to be read or changed */
    int32_t    width;
    /* Buffers, for as many rows as forward_make() was told. */
    int64_t    most;            /* sequences there is room for */
    float     *residual;        /* [rows, width of the model] the stream as the site sees it */
    float     *normed;          /* [rows, width of the model] */
    float     *branch;          /* [rows, width of the model] what attention or MLP adds */
    float     *qkv;             /* [rows, (heads + 2 kv_heads) * head_width] */
    float     *heads;           /* [rows, heads * head_width] */
    void      *rounded;         /* [rows, widest input] of a product */
    void      *hidden;          /* [piece of rows, mlp_width] in the precision of the products */
    void      *tiles, *scratch; /* of the products, and of attention */
    float     *cosine, *sine;   /* [context, head_width / 2] of the angles of this RoPE: */
    struct lm_rope rope;
    double     spent[FORWARD_PARTS];    /* seconds, since it was made */
};

/* Additions and multiplications that a sequence takes up to the site `last`: two for each
 * weight and token, and four for each value of a head and pair of tokens of which one sees the
 * other. */
double forward_work(const struct lm_config *config, struct tap last, int64_t context);

/* Bytes that forward_make() will allocate with so many threads. */
int64_t forward_bytes(const struct lm_config *config, enum precision precision,
                      int64_t sequences, int64_t context, int threads);

/* Room for blocks of up to `sequences` sequences.  `weights` must outlive it.
 * forward_free() accepts an empty one. */
void forward_make(struct forward *forward, const struct weights *weights, int64_t sequences,
                  int64_t context);
void forward_free(struct forward *forward);

/* Embed a block.
 *   ids [sequences, context]  in
 * E_FORMAT if an id is not in the vocabulary; E_USAGE if the context is longer than the
 * model's. */
enum status forward_start(struct forward *forward, const int32_t *ids, int64_t sequences);

/* Go on to the next site; not to be called at the end. */
void forward_next(struct forward *forward);

/* Go on to this site, which must lie ahead, or be where the cursor stands. */
void forward_to(struct forward *forward, struct tap tap);

/* The last site: the residual stream after the last layer. */
struct tap forward_end(const struct forward *forward);

/* A cursor, kept. */
struct forward_state {
    struct tap tap;
    int64_t    sequences;
    float     *residual;        /* [rows, width of the model] */
    float     *values;          /* [rows, width of the site]; NULL where they are the residual
                                   stream itself */
};

/* Bytes and room for a state at `tap`, of up to `sequences` sequences. */
int64_t forward_state_bytes(const struct lm_config *config, struct tap tap, int64_t sequences,
                            int64_t context);
void    forward_state_make(struct forward_state *state, const struct forward *forward,
                           struct tap tap);
void    forward_state_free(struct forward_state *state);

/* Keep the cursor, which stands at the state's tap. */
void forward_save(const struct forward *forward, struct forward_state *state);

/* Put the cursor back.  The same steps then give the same bits. */
void forward_load(struct forward *forward, const struct forward_state *state);

#endif
