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
    char              *room;        /* [threads, each] bytes: a block of the widest matrix */
    int64_t            each;
    int                share, shares;   /* of a table, this rank reads */
};

/* Find the tensor of this name (printf), with or without "model." or "transformer." in front,
 * and this shape; columns 0: a vector of `rows`.  Local, as all here.  E_FORMAT if it is not there,
 * of another shape, or of a type that cannot be read. */
enum status checkpoint_find(const struct safetensor **tensor, const struct checkpoint *from,
                            int64_t rows, int64_t columns, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* All values of a vector. */
enum status checkpoint_read(float *values, const struct checkpoint *from, int64_t count,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* This rank's rows of a table that all ranks of the node read together, by all threads. */
enum status checkpoint_read_share(float *values, const struct checkpoint *from,
                                  const struct safetensor *table);

/* A matrix [outputs, inputs], made of tensors. */
struct matrix {
    const struct safetensor *part[3];   /* one above the other; if the matrix is gated the gates
                                           and the ups */
    bool turned;                        /* the only part lies [inputs, outputs] */
};

/* Pack it, by all threads. */
enum status checkpoint_pack(struct linear *to, const struct checkpoint *from,
                            const struct matrix *matrix);

/* One layer; and what belongs to no layer, of which each rank reads its share.  E_FORMAT. */
enum status gemma_read_layer(struct layer_weights *to, const struct checkpoint *from,
                             const struct lm_config *c, int layer);
enum status gemma_read_ends(struct weights *to, const struct checkpoint *from);
enum status gpt2_read_layer(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer);
enum status gpt2_read_ends(struct weights *to, const struct checkpoint *from);

#endif
