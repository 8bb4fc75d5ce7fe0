/* linear.h -- y = x W^T with one W for many x, in float32 or in bfloat16.
 *
 * float32 products are computed by BLAS, bfloat16 ones by oneDNN: W is packed once, x is rounded,
 * and sums are float32.  bf16 runs at twice the float32 rate on a CPU with bf16 dot products, and
 * at eight times the rate on one with AMX.
 *
 * W is divided into blocks of LINEAR_COLUMNS outputs, x into tiles of rows.  A thread multiplies a
 * tile with a block, finishes the result while it is in the cache, and takes the next pair.  So
 * threads wait for each other only at the end, even if one of them shares its core with another
 * program.  Tiles and blocks have fixed shapes, so the bits of a row do not depend on the other
 * rows.
 */
#ifndef LINEAR_H
#define LINEAR_H

#include "base/split.h"
#include "kernels/activation.h"
#include "kernels/precision.h"

#include <stdbool.h>
#include <stdint.h>

enum { LINEAR_ROWS = 256, LINEAR_COLUMNS = 768, LINEAR_FEW = 1024 };

/* Does this build, on this CPU, multiply in that precision? */
bool linear_offers(enum precision precision);

struct linear {
    enum precision precision;
    bool    gated;          /* in each block the first half are gate outputs, the second the
                               up outputs that they multiply */
    int64_t outputs, inputs;
    void   *weights;        /* W, block after block, packed; not owned */
    struct product *product, *rest;     /* of oneDNN, for a whole block and for a short last one;
                                           NULL for float32, or if there is no such block */
};

/* Bytes of the packed W, and of the scratch that linear_apply() needs.  A build or CPU that does
 * not offer the precision returns an estimate. */
int64_t linear_bytes(enum precision precision, int64_t outputs, int64_t inputs);
int64_t linear_scratch(enum precision precision, int threads);

/* The number of pairs of a tile and a block, which are the work of the threads, for `rows` rows of
 * x. */
int64_t linear_tiles(enum precision precision, int64_t outputs, int64_t rows);

/* Bytes of a number of x. */
int64_t linear_input_bytes(enum precision precision);

/* Prepare products with W.
 *   weights  the packed W, now or later: linear_bytes() bytes, aligned to 64; the
 *            caller's, possibly shared with other processes
 * linear_free() accepts an empty struct. */
void linear_make(struct linear *linear, enum precision precision, bool gated, int64_t outputs,
                 int64_t inputs, void *weights);
void linear_free(struct linear *linear);

/* Pack a block of W.  Several threads may pack different blocks at the same time.
 *   rows [linear_block_outputs(), inputs]  in: numbers in the precision of W */
int64_t linear_blocks(const struct linear *linear);
int64_t linear_block_outputs(const struct linear *linear, int64_t block);
void    linear_pack(struct linear *linear, int64_t block, const void *rows);

/* W itself, [outputs, inputs].  It must be in float32 and not gated. */
const float *linear_matrix(const struct linear *linear);

/* Row number `output` of W, [inputs].  W must be in float32; if it is gated, rows of all gates come
 * first, then those of all ups. */
const float *linear_row(const struct linear *linear, int64_t output);

/* Convert x to the precision of the products.  Returns x itself for float32, otherwise `rounded`.
 * Uses all threads.
 *   rounded  [rows up to a multiple of LINEAR_ROWS, columns] numbers of linear_input_bytes(); not
 *            needed for float32 */
const void *linear_input(enum precision precision, void *rounded, const float *x, int64_t rows,
                         int64_t columns);

/* y = x W^T + bias.
 *   y       [rows, outputs]         out
 *   x       [rows, inputs]          in, in the precision of W; in bf16 memory is read up to a
 *                                   multiple of LINEAR_ROWS rows, whatever it holds
 *   bias    [outputs]               in; NULL: none
 *   scratch [linear_scratch() bytes]
 * The result does not depend on the number of threads.  Must not be called from a parallel
 * region. */
void linear_apply(const struct linear *linear, float *y, const void *x, const float *bias,
                  int64_t rows, void *scratch);

/* The same for the first product of an MLP, followed by its activation or, if gated, by its gates.
 * The output has the precision of the next product's input.
 *   h       [rows, outputs, or half of them if gated]   out, in the precision of W
 *   bias    NULL if gated */
void linear_activate(const struct linear *linear, enum activation activation, void *h,
                     const void *x, const float *bias, int64_t rows, void *scratch);

/* The same as linear_apply() and linear_activate() for few rows, in float32 alone, each row as if
 * it were alone (narrow.h): its bits do not depend on the others.
 *   x  narrow_pack()'s
 *   rows  at most LINEAR_FEW */
void linear_apply_few(const struct linear *linear, float *y, const float *x, const float *bias,
                      int64_t rows, void *scratch);
void linear_activate_few(const struct linear *linear, enum activation activation, float *h,
                         const float *x, const float *bias, int64_t rows, void *scratch);

/* The way back of linear_apply(), in float32 alone: from the gradient at some outputs to the part
 * of the gradient at x that comes through them.
 *   x        [rows, inputs]   out
 *   y        [rows, outputs.end - outputs.first]   in, rows `stride` values apart
 * The result does not depend on the number of threads.  May be called from a parallel region. */
void linear_apply_back(const struct linear *linear, float *x, const float *y, int64_t stride,
                       struct range outputs, int64_t rows);

/* The way back of the activation or the gates in linear_activate(), in float32 alone.
 *   y  [rows, outputs]   in: what linear_apply() makes of x; out: the gradient there
 *   h  [rows, outputs, or half of them if gated]   in: the gradient at h */
void linear_activate_back(const struct linear *linear, enum activation activation, float *y,
                          const float *h, int64_t rows);

#endif
