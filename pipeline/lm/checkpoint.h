/* checkpoint.h -- the tensors of a checkpoint, put where the forward pass wants them.
 *
 * The file of each family (families.h) names the tensors; this one finds, checks, converts and
 * packs them.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "lm/safetensors.h"
#include "lm/weights.h"

/* A checkpoint being read by the ranks of a node, into memory that they share. */
struct checkpoint {
    struct safetensors tensors;
    const char        *folder;
    char              *blocks;      /* [threads, block_bytes] a block of the widest matrix */
    int64_t            block_bytes;
    int                share, shares;   /* number of this rank's share, and of shares */
};

/* Rows of a tensor that are rows of a matrix: `count` of them from `first` on, in runs of `run`
 * rows, whose beginnings lie `stride` rows apart. */
struct matrix_part {
    const struct safetensor *tensor;
    int64_t first, count;
    int64_t run, stride;
};

/* Find the tensor of this name (printf), with or without the name of a module in front ("model."),
 * and this shape, and make it one part, with all its rows.  Local, as all here.  E_FORMAT if it is
 * not there, of another shape, or of a type that cannot be read. */
enum status checkpoint_find(struct matrix_part *part, const struct checkpoint *from, int64_t rows,
                            int64_t columns, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* All values of a vector.  E_FORMAT; E_NUMERIC, here and below, if a value is not finite. */
enum status checkpoint_read(float *values, const struct checkpoint *from, int64_t count,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A layer norm with biases: the vectors NAME.weight and NAME.bias.  As checkpoint_read(). */
enum status checkpoint_read_norm(struct norm_weights *norm, const struct checkpoint *from,
                                 int64_t count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* This rank's rows of a table that all ranks of the node read together, by all threads.
 *   values [rows, columns]  out */
enum status checkpoint_read_table(float *values, const struct checkpoint *from, int64_t rows,
                                  int64_t columns, const char *name);

/* A matrix [outputs, inputs] that consists of some parts. */
struct matrix {
    struct matrix_part part[3];     /* one above the other; if the matrix is gated the gates and
                                       the ups */
    bool transposed;                /* the only part is [inputs, outputs] */
};

/* Pack it, by all threads. */
enum status checkpoint_pack(struct linear *to, const struct checkpoint *from,
                            const struct matrix *matrix);

#endif
