/* linear.h -- y = x W^T with one W for many x, in float32 or in bfloat16.
 *
 * float32 is a product on BLAS.  bfloat16 is oneDNN's: W is packed once, x comes rounded, sums are
 * float32; on a CPU with bf16 dot products it runs at twice the float32 rate, on one with AMX at
 * eight times.
 *
 * W is cut into blocks of LINEAR_COLUMNS outputs, x into tiles of rows.  A thread multiplies a tile
 * with a block, and does what follows while the result is in its cache; then it takes the next.
 * So threads wait for each other only at the end, also where one of them shares its core with
 * something else.  Tiles and blocks have fixed shapes: the same row gives the same bits however
 * many rows come with it.
 */
#ifndef LINEAR_H
#define LINEAR_H

#include "kernels/precision.h"

#include <stdbool.h>
#include <stdint.h>

enum { LINEAR_ROWS = 256, LINEAR_COLUMNS = 768 };

/* Does this build, on this CPU, multiply in that precision? */
bool linear_offers(enum precision precision);

struct linear {
    enum precision precision;
    bool    gated;          /* in each block the first half are gates, the second their ups */
    int64_t outputs, inputs;
    void   *weights;        /* W, block after block, packed; not owned */
    struct product *product, *rest;     /* oneDNN's, with a whole block and with a short last one;
                                           NULL for float32, or where there is no such block */
};

/* Bytes of W when packed (as a build or CPU that does not offer the precision estimates it for one
 * that does), and of the scratch that linear_apply() needs. */
int64_t linear_bytes(enum precision precision, int64_t outputs, int64_t inputs);
int64_t linear_scratch(enum precision precision, int threads);

/* Tiles that are dealt to the threads, for so many rows of x. */
int64_t linear_tiles(enum precision precision, int64_t outputs, int64_t rows);

/* Bytes of a number of x. */
int64_t linear_input_bytes(enum precision precision);

/* Get ready to multiply with a W that lies packed, or will, in `room`: linear_bytes() bytes,
 * aligned to 64, perhaps shared with other processes.  linear_free() accepts an empty one. */
void linear_make(struct linear *linear, enum precision precision, bool gated, int64_t outputs,
                 int64_t inputs, void *room);
void linear_free(struct linear *linear);

/* W is packed block by block, which several threads may do at a time.
 *   rows [linear_block_outputs(), inputs]  in: numbers in the precision of W */
int64_t linear_blocks(const struct linear *linear);
int64_t linear_block_outputs(const struct linear *linear, int64_t block);
void    linear_pack(struct linear *linear, int64_t block, const void *rows);

/* x as the products want it: itself, or rounded into `room` by all threads.
 *   room  [rows up to a multiple of LINEAR_ROWS, columns] numbers of linear_input_bytes(); not
 *         needed for float32 */
const void *linear_input(enum precision precision, void *room, const float *x, int64_t rows,
                         int64_t columns);

/*   y       [rows, outputs]         out
 *   x       [rows, inputs]          in, in the precision of W; in bf16 there must be room for
 *                                   rows up to a multiple of LINEAR_ROWS, whatever they hold
 *   bias    [outputs]               in; NULL: none
 *   scratch [linear_scratch() bytes]
 * The result does not depend on the number of threads.  Not to be called from a parallel
 * region. */
void linear_apply(const struct linear *linear, float *y, const void *x, const float *bias,
                  int64_t rows, void *scratch);

/* The same for the first product of an MLP: what comes out has gone through GELU (gelu.h) or, if
 * gated, through its gates, and is ready to be multiplied again.
 *   h       [rows, outputs, or half of them if gated]   out, in the precision of W
 *   bias    NULL if gated */
void linear_activate(const struct linear *linear, void *h, const void *x, const float *bias,
                     int64_t rows, void *scratch);

#endif
