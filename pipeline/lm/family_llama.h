/* family_llama.h -- what other families share with Llama: most keys of config.json, and the names
 * of most tensors.  Everything here is Local, and refuses as struct family's functions do.
 */
#ifndef FAMILY_LLAMA_H
#define FAMILY_LLAMA_H

#include "lm/checkpoint.h"
#include "lm/config_rope.h"
#include "lm/config_shape.h"

/* Everything but windows, biases, and norms of queries and keys. */
enum status family_llama_config(struct lm_config *config, const struct config_file *file,
                                const struct config_shape *absent,
                                const struct config_rope_keys *keys);

/* A window that all layers have, from "sliding_window": `absent` tokens if there is no such key;
 * null is none. */
enum status family_llama_window(struct lm_config *config, const struct config_file *file,
                                int32_t absent);

/* The norm of this name in a layer. */
enum status family_llama_norm(float *scale, const struct checkpoint *from, int32_t width, int layer,
                              const char *name);

/* The products of a layer with their biases: self_attn.{q,k,v,o}_proj, and
 * mlp.{gate,up,down}_proj. */
enum status family_llama_attention(struct layer_weights *to, const struct checkpoint *from,
                                   const struct lm_config *c, int layer);
enum status family_llama_mlp(struct layer_weights *to, const struct checkpoint *from,
                             const struct lm_config *c, int layer);

/* struct family's read_ends(): embed_tokens, norm, lm_head. */
enum status family_llama_ends(struct weights *to, const struct checkpoint *from);

#endif
