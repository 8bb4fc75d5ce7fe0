/* cache.h -- keys and values of the tokens that a model has read, so that it goes on token by
 * token.
 *
 * A forward pass with a cache takes rows of single tokens.  Each is the next token of a sequence,
 * any sequence, and sees what the cache keeps of it:
 *
 *     forward_make(&forward, &weights, ROWS, 1);
 *     cache_make(&cache, &weights.config, SEQUENCES, CAPACITY, ROWS);
 *     forward.cache = &cache;
 *     ... for each step:
 *     cache.sequence[r] = ...                      whose token is ids[r], for each row
 *     forward_start(&forward, ids, rows);          sets cache.position[r]
 *     forward_to(&forward, forward_end(&forward));
 *
 * All sites lie open as in any forward pass (forward.h).  A sequence may have several rows in a
 * step, in the order of its tokens: so a prompt is read.  The bits of a row depend on the tokens of
 * its own sequence alone: not on other rows, nor on how tokens are divided into steps.  (What the
 * caller puts into a site must obey that, too.)  Products are those of kernels/narrow.h, attention
 * that of kernels/attention_kept.h, so the last bits are others than those of a pass over whole
 * sequences.  The weights must be float32.  Everything here is Local.
 */
#ifndef CACHE_H
#define CACHE_H

#include "kernels/attention_shape.h"
#include "lm/config.h"

struct cache {
    int64_t  sequences, capacity;   /* capacity: tokens of a sequence */
    int64_t  rows;              /* most of a step */
    int64_t *tokens;            /* [sequences] that are kept; 0: it begins */
    int64_t *sequence;          /* [rows] set by the caller; at first row r is of sequence r */
    int64_t *position;          /* [rows] the place of its token in its sequence */
    float   *keys, *values;     /* [layers, sequences, kv_heads, ...] (attention_kept.h) */
    int64_t  kept;              /* values of a sequence in one layer, of keys or of values */
    float   *packed;            /* the input of a product (narrow.h) */
    float   *scores;            /* [threads, capacity] */
    float   *cosine, *sine;     /* [rows, head_width / 2] of the angles of a RoPE */
};

/* Bytes that cache_make() allocates with `threads` threads. */
int64_t cache_bytes(const struct lm_config *config, int64_t sequences, int64_t capacity,
                    int64_t rows, int threads);

/* Make it, empty.  cache_free() accepts an empty struct. */
void cache_make(struct cache *cache, const struct lm_config *config, int64_t sequences,
                int64_t capacity, int64_t rows);
void cache_free(struct cache *cache);

/* Give the next tokens of cache->sequence[0] ... [rows - 1] their positions; for forward_start().
 * */
void cache_advance(struct cache *cache, int64_t rows);

/* Keep the keys and values of all rows, and compute attention; for forward_attend().
 *   heads [rows, heads * head_width]                    out
 *   qkv   [rows, (heads + 2 kv_heads) * head_width]     in, with positions */
void cache_attend(struct cache *cache, float *heads, const float *qkv, int64_t rows, int layer,
                  const struct attention *shape);

#endif
