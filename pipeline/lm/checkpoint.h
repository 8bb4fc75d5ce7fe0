/* checkpoint.h -- the tensors of a checkpoint, put where the forward pass wants them.
 *
 * Model families differ in the names of their tensors and in how they lie; each has a file.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "lm/safetensors.h"
#include "lm/weights.h"

/* A checkpoint being read. */
struct checkpoint {
    struct safetensors tensors;
    const char        *folder;
    float             *matrix;      /* [2, values] room for the largest, twice */
    int64_t            values;
};

/* Read the tensor of this name (printf), with or without "model." or "transformer." in front,
 * and this shape; columns 0: a vector of `rows`.  Local.  E_FORMAT if it is not there or of
 * another shape. */
enum status checkpoint_read(float *values, const struct checkpoint *from, int64_t rows,
                            int64_t columns, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* One layer, and what belongs to no layer.  Local.  E_FORMAT. */
enum status gemma_read_layer(struct layer_weights *to, const struct checkpoint *from,
                             const struct lm_config *c, int layer);
enum status gemma_read_ends(struct weights *to, const struct checkpoint *from);
enum status gpt2_read_layer(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer);
enum status gpt2_read_ends(struct weights *to, const struct checkpoint *from);

#endif
