/* forward.h -- run a language model on a block of sequences, from site to site.
 *
 * A forward pass is a cursor that walks through the model: forward_start() puts the
 * embeddings of some sequences into the residual stream, and each forward_next() moves on to
 * the next site of the layer, or to the first site of the next layer:
 *
 *     attn -> mlp_in -> mlp -> res -> (next layer)
 *
 * The caller may read or change the values of the site where the cursor stands; the next step
 * continues with them.  To harvest is to copy them, to splice is to replace them, to stop early
 * is not to continue.  forward_save() keeps the cursor, so that the layers below a site are
 * computed once, however often the site is spliced.
 *
 *     forward_start(&forward, ids, sequences);
 *     forward_to(&forward, tap);
 *     ... read or change forward.values, [forward.rows, forward.width] ...
 *     forward_to(&forward, forward_end(&forward));
 *     ... forward.values is now the last residual stream: head.h makes losses of it ...
 *
 * A model may have no norm before attention and MLP; "mlp_in" is then the residual stream itself.
 * And attention and MLP may be parallel: both read the stream as it was before the layer.
 *
 * Arithmetic is float32.  With weights in bfloat16 the products, those of attention too, round
 * their inputs to bfloat16; norms, softmax, the residual stream and sums stay float32.  The values
 * depend on the sequences of the block and on their number, not on the number of threads.
 * Everything here is Local.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include "kernels/attention_shape.h"
#include "lm/cache.h"
#include "lm/weights.h"
#include "suite/site.h"

/* Parts of the time of a forward pass. */
enum forward_part {
    FORWARD_PRODUCTS,   /* with weights, with the rounding of inputs and the MLP's activation */
    FORWARD_ATTENTION,
    FORWARD_OTHER,      /* norms, positions, sums */
    FORWARD_PARTS
};

/* Queries, keys and values taken in part from another run of the same block: before norms and
 * positions, x becomes g x + (1 - g) x'.  Pointers are to layer 0. */
struct forward_gates {
    const float *gate;          /* g of the queries of each head, then of keys, then of values */
    int32_t      stride;        /* from the gates of a layer to those of the next one */
    const float *other;         /* [layers, rows, (heads + 2 kv_heads) * head_width] x' */
    float       *difference;    /* [layers, rows, (heads + 2 kv_heads) * head_width] out: x - x' */
};

struct forward {
    const struct weights *weights;
    const struct forward_gates *gates;  /* the caller's; NULL: none */
    int64_t    context;         /* tokens of a sequence */
    int64_t    sequences;       /* of the block */
    int64_t    rows;            /* sequences * context, in that order */
    struct cache *cache;        /* NULL: sequences begin in the block.  Else rows are single tokens
                                   that go on with the sequences that it keeps (cache.h) */
    struct tap tap;             /* where the cursor stands; layer -1 before the first layer */
    float     *values;          /* [rows, width] of that site, for reading and changing */
    int32_t    width;
    /* Buffers, for `most` sequences. */
    int64_t    most;
    float     *residual;        /* [rows, width of the model] the stream, and all added so far */
    float     *normed;          /* [rows, width of the model] */
    float     *branch;          /* [rows, width of the model] what attention or MLP adds */
    float     *qkv;             /* [rows, (heads + 2 kv_heads) * head_width] */
    float     *heads;           /* [rows, heads * head_width] */
    void      *rounded;         /* [rows, widest input] of a product */
    void      *hidden;          /* [piece of rows, mlp_width] in the precision of the products */
    void      *tiles, *scratch; /* of the products, and of attention */
    float     *cosine, *sine;   /* [context, rope.width / 2] of the angles of this RoPE: */
    struct rope rope;
    double     spent[FORWARD_PARTS];    /* seconds since forward_make() */
};

/* Additions and multiplications of a sequence up to the site `last`: two for each weight and
 * token, and four for each value of a head and each pair of tokens such that one sees the other. */
double forward_work(const struct lm_config *config, struct tap last, int64_t context);

/* Bytes that forward_make() allocates with `threads` threads. */
int64_t forward_bytes(const struct lm_config *config, enum precision precision,
                      int64_t sequences, int64_t context, int threads);

/* Allocate buffers for blocks of up to `sequences` sequences.  `weights` must outlive them.
 * forward_free() accepts an empty one. */
void forward_make(struct forward *forward, const struct weights *weights, int64_t sequences,
                  int64_t context);
void forward_free(struct forward *forward);

/* E_FORMAT if an id is not in the vocabulary; E_USAGE if the context is longer than the model's.
 *   ids [rows]  in */
enum status forward_check(const struct lm_config *config, const int32_t *ids, int64_t rows,
                          int64_t context);

/* Embed a block; with a cache, one token of each of `sequences` rows.
 *   ids [sequences, context]  in
 * As forward_check(). */
enum status forward_start(struct forward *forward, const int32_t *ids, int64_t sequences);

/* Move to the next site.  Not to be called at the end. */
void forward_next(struct forward *forward);

/* Move to this site, which must lie ahead, or be where the cursor stands. */
void forward_to(struct forward *forward, struct tap tap);

/* The last site: the residual stream after the last layer. */
struct tap forward_end(const struct forward *forward);

/* The shape of attention in the layer where the cursor stands. */
struct attention forward_attention(const struct forward *forward);

/* --- parts of a layer, for those who go another way through the model ----------------------------
 * They work in the layer where the cursor stands, f->tap, whose weights are w. */

/* f->residual to f->qkv: the norm before attention, the product, and gates, if there are any. */
void forward_project(struct forward *f, const struct layer_weights *w);

/* f->qkv to f->heads: norms and positions of queries and keys, in place, and attention. */
void forward_attend(struct forward *f, const struct layer_weights *w);

/* f->normed to f->branch: the MLP, and the norm after it. */
void forward_mlp(struct forward *f, const struct layer_weights *w);

/* --- keeping the cursor --------------------------------------------------------------- */

/* A saved cursor. */
struct forward_state {
    struct tap tap;
    int64_t    sequences;
    float     *residual;        /* [rows, width of the model] */
    float     *values;          /* [rows, width of the site]; NULL where they are the residual
                                   stream itself */
};

/* Buffers of a state at `tap`, of up to `sequences` sequences, and their bytes. */
int64_t forward_state_bytes(const struct lm_config *config, struct tap tap, int64_t sequences,
                            int64_t context);
void    forward_state_make(struct forward_state *state, const struct forward *forward,
                           struct tap tap);
void    forward_state_free(struct forward_state *state);

/* Save the cursor, which stands at the state's tap. */
void forward_save(const struct forward *forward, struct forward_state *state);

/* Restore the cursor.  The same steps then give the same bits. */
void forward_load(struct forward *forward, const struct forward_state *state);

#endif
